"""Where the checkout is, and where the site under test says that it comes from."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
# Known addresses, so that what depends on them is built: launch links, sitemap, preview image.
REPOSITORY = "https://github.com/example/course"

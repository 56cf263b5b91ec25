"""Look for broken links and anchors in the built site: ``python tests/links.py _build/html``."""

import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup


def read(page: Path) -> tuple[set[str], list[str]]:
    """The anchors a page offers, and the addresses it uses."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    anchors = {tag["id"] for tag in soup.find_all(id=True)}
    addresses = [tag[name] for name in ("href", "src") for tag in soup.find_all(**{name: True})]
    return anchors, addresses


def broken_links(site: Path) -> list[str]:
    """Every internal address that leads nowhere, as ``page: address``."""
    site = site.resolve()
    templates = site / "_static"  # the theme leaves its own there
    pages = {p: read(p) for p in site.rglob("*.html") if not p.is_relative_to(templates)}
    broken = []
    for page, (_, addresses) in pages.items():
        for address in addresses:
            url = urlsplit(address)
            if url.scheme or url.netloc:
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            fragment = unquote(url.fragment)
            lacks_anchor = target in pages and fragment and fragment not in pages[target][0]
            if not target.exists() or lacks_anchor:
                broken.append(f"{page.relative_to(site)}: {address}")
    return broken


if __name__ == "__main__":
    found = broken_links(Path(sys.argv[1]))
    print(*found, sep="\n")
    sys.exit(f"{len(found)} broken links" if found else 0)

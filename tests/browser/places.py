"""Where the checkout and the site under test are, and what goes wrong on a page."""

from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Known addresses, so that what depends on them is built: launch links, addresses of pages.
REPOSITORY = "https://github.com/example/course"


@dataclass
class Site:
    """The built site: its folder, and its address over HTTP.

    `sent` lists the path and the bytes, compressed, of everything served since it was cleared.
    """

    folder: Path
    http: str
    sent: list = field(default_factory=list)

    def address(self, page: str, scheme: str = "http") -> str:
        """Where a page is, such as ``book/replay``; `scheme` is ``http`` or ``file``."""
        base = self.http if scheme == "http" else self.folder.as_uri()
        return f"{base}/{page}.html"

    def owns(self, url: str) -> bool:
        """Whether an address leads to the site, or to no host at all."""
        return url.startswith((f"{self.http}/", self.folder.as_uri(), "data:", "blob:", "about:"))


@dataclass
class Log:
    """What went wrong while a page was open."""

    failed: list = field(default_factory=list)
    outside: list = field(default_factory=list)
    errors: list = field(default_factory=list)

    def listen(self, page, site: Site) -> None:
        """Write down what `page` asks for in vain or elsewhere, and what it complains about."""

        def asked(request):
            if not site.owns(request.url):
                self.outside.append(request.url)

        def failed(request):
            # Cut off by the browser itself, on leaving the page or with enough of a video.
            if "ERR_ABORTED" not in (request.failure or ""):
                self.failed.append(f"{request.url}: {request.failure}")

        def answered(response):
            if response.status >= 400:
                self.failed.append(f"{response.url}: {response.status}")

        page.on("request", asked)
        page.on("requestfailed", failed)
        page.on("response", answered)
        page.on("console", self.said)
        page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))

    def said(self, message) -> None:
        """Keep an error or a warning of the console."""
        if message.type in {"error", "warning"}:
            self.errors.append(f"{message.type}: {message.text}")

    def assert_clean(self) -> None:
        """Nothing failed, nothing left the site, nobody complained."""
        assert (self.failed, self.outside, self.errors) == ([], [], [])

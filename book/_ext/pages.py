"""What happens to a page after Sphinx has written it.

The theme and its extensions send every reader everything they have. Here a page keeps the scripts
that it uses; images get their sizes and load when they come into view; equations wait for the
text; names and roles that a screen reader needs are put in; experiments get their scripts; chapters
say how long they take to read.
Everything may be done twice.
"""

import re
from pathlib import Path

import imagesize
from bs4 import BeautifulSoup, Tag
from folds import fold_claims, join_code
from reading import measure, tell

# A script, by a part of its name, and what on a page needs it (None: nothing does).
NEEDED_BY = {
    "scripts/fontawesome": None,  # 1.5 MB; icons.css draws the icons
    "sphinx-thebe": None,
    "togglebutton": ".toggle, .admonition.dropdown",
    "design-tabs": ".sd-tab-set",
    "clipboard": "div.highlight pre",
    "copybutton": "div.highlight pre",
    "mathjax": ".math",
    "folds.js": "details.leads",
    # The search box of a page leads to search.html: only there is the index read.
    "searchtools": "#search-results",
    "language_data": "#search-results",
    "searchindex": "#search-results",
}
EXPERIMENT = ".rl-experiment[data-experiment]"
EXPERIMENTS = "_static/experiments"


def mend_pages(site: Path) -> None:
    """Mend every page below `site`."""
    options = (site / "_static" / "documentation_options.js").read_text(encoding="utf-8")
    pages = {}
    for page in sorted(site.rglob("*.html")):
        if "_static" not in page.relative_to(site).parts:
            soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
            if soup.main:  # the first page of all only leads to book/index.html
                pages[page] = soup
    for page, soup in pages.items():
        fold_claims(soup)
        join_code(soup)
        drop_unused(soup)
        defer_scripts(soup, options)
        delay_equations(soup)
        size_images(soup, page.parent)
        choose_theme(soup)
        name_things(soup)
        join_heads(soup)
        offer_kernels(soup)
    read = {page.stem: found.minutes for page, soup in pages.items() if (found := measure(soup))}
    for page, soup in pages.items():
        tell(soup, read, page.stem)
        add_experiments(soup, page.parent, site)
        page.write_text(str(soup), encoding="utf-8")


# Weight


def address(tag: Tag) -> str:
    """Where a script or a style comes from, or the empty string."""
    return str(tag.get("src") or tag.get("href") or "")


def drop_unused(soup: BeautifulSoup) -> None:
    """Remove scripts that nothing on the page uses."""
    for tag in soup.select("script[src], link[rel=preload]"):
        part = next((part for part in NEEDED_BY if part in address(tag)), None)
        if part and not (NEEDED_BY[part] and soup.select_one(NEEDED_BY[part])):
            tag.decompose()
    # A place for advertisements, Thebe's settings, the widgets' state: none of them is used.
    unused = "#ethical-ad-placement, script[type='text/x-thebe-config'], script[type*=jupyter]"
    for tag in soup.select(unused):
        tag.decompose()
    for tag in soup.find_all("script", string=re.compile("^kernelName = ")):
        tag.decompose()
    for tag in soup.select("meta[name=viewport]")[1:]:
        tag.decompose()
    for tag in soup.select("meta[property='og:url']:not([content^=http])"):
        tag.decompose()  # where the site's address is not known


# A browser reads no other page from a folder, so that search can show no lines of what it found.
FROM_A_FOLDER = "DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = location.protocol !== 'file:';"


def defer_scripts(soup: BeautifulSoup, options: str) -> None:
    """Let no script hold up the page; `options` are those of Sphinx, which the others read."""
    for tag in soup.select("script[src]"):
        if "documentation_options" in address(tag):
            del tag["src"]
            tag.string = f"{' '.join(options.split())} {FROM_A_FOLDER}"
        else:
            tag["defer"] = ""


def delay_equations(soup: BeautifulSoup) -> None:
    """Let math.js fetch MathJax when the page is there to be read."""
    for tag in soup.select("script[src*='mathjax/tex-chtml']"):
        tag["data-mathjax"] = tag["src"]
        tag["src"] = tag["src"].partition("mathjax/")[0] + "math.js"


# Images


def size_of(path: Path) -> tuple[int, int] | None:
    """Width and height of an image, or None where they are not known."""
    if not path.is_file():
        return None
    if path.suffix == ".svg":
        box = re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+) ([\d.]+)"', path.read_text("utf-8"))
        return (round(float(box[1])), round(float(box[2]))) if box else None
    width, height = imagesize.get(path)
    return (width, height) if min(width, height) > 0 else None


def size_images(soup: BeautifulSoup, folder: Path) -> None:
    """Give images their sizes, so that nothing jumps, and load them when they come into view."""
    for number, image in enumerate(soup.select("article img[src]")):
        image["decoding"] = "async"
        if number:  # the first may be what a reader sees first
            image["loading"] = "lazy"
    for image in soup.select("img[src]"):
        size = size_of(folder / address(image).partition("?")[0])
        if size and not (image.get("width") or image.get("height")):
            image["width"], image["height"] = map(str, size)


# Names and roles

# Before anything is drawn: the reader's choice, or else what the system prefers.
CHOOSE_THEME = """
const root = document.documentElement.dataset;
root.mode = localStorage.getItem("mode") || "auto";
const night = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
root.theme = root.mode === "auto" ? night : root.mode;
"""


def choose_theme(soup: BeautifulSoup) -> None:
    """Set light or dark at once; the theme's own script is late, and complains on a first visit."""
    soup.html["data-mode"], soup.html["data-theme"] = "auto", "light"  # without scripts
    soup.select_one("script[data-cfasync]").string = f"{{{CHOOSE_THEME}}}"


def name_things(soup: BeautifulSoup) -> None:
    """Say what a screen reader has to know and the theme does not tell."""
    for button in soup.select("button.search-button-field"):
        del button["aria-label"]  # it is called what it shows
    for button in soup.select("button[title]:not([aria-label])"):
        if not button.get_text(strip=True):
            button["aria-label"] = button["title"]
    # The theme's header is empty; what leads to the first page is in the sidebar.
    soup.select_one("#pst-header").name = "div"
    soup.select_one(".navbar-brand").parent["role"] = "banner"
    for entry in soup.select("[role=doc-biblioentry]"):
        entry["role"] = "listitem"
    for cell in soup.select("thead th"):
        if not cell.get_text(strip=True):
            cell.clear()
            cell.name = "td"


def join_heads(soup: BeautifulSoup) -> None:
    """Put the name of a table's index, which pandas gives a row of its own, into the first row."""
    for rows in (head.find_all("tr") for head in soup.select("table.dataframe > thead")):
        if len(rows) != 2:
            continue
        first, *others = rows[1].find_all(["th", "td"])
        corner = rows[0].find(["th", "td"])
        if corner.get_text(strip=True) or any(cell.get_text(strip=True) for cell in others):
            continue
        corner.name, corner.string = "th", first.get_text(strip=True)
        rows[1].decompose()


# Kernels


def offer_kernels(soup: BeautifulSoup) -> None:
    """Where a live control asks for a kernel, put the links of the launch menu."""
    menu = soup.select(".dropdown-launch-buttons a[href^=http]")
    for place in soup.select(".rl-launch:not(:has(a))"):
        if not menu:
            continue
        place.string = "start one in the cloud with "
        for number, item in enumerate(menu):
            if number:
                place.append(" or ")
            link = soup.new_tag("a", attrs={"href": item["href"]})
            link.string = item.get_text(strip=True)
            place.append(link)


# Experiments


def add_experiments(soup: BeautifulSoup, folder: Path, site: Path) -> None:
    """Write the experiments of a page into the site, and let experiments.js fetch them."""
    places = soup.select(EXPERIMENT)
    if not places or soup.select_one("script[data-scripts]"):
        return
    from rl_lab.course.experiments import static  # found once setup() has run

    names = {place["data-experiment"] for place in places}
    assets = {name for place in places for name in place.get("data-assets", "").split()}
    files = {f"data-{name}.js": static.asset_script(name) for name in sorted(assets)}
    files |= {f"{name}.js": static.classic_script(name) for name in sorted(names)}
    files["loader.js"] = static.loader_script()
    up = "../" * len(folder.relative_to(site).parts)
    attrs = {
        "defer": "",
        "src": f"{up}_static/experiments.js",
        "data-style": f"{up}{EXPERIMENTS}/experiments.css",
        "data-scripts": " ".join(f"{up}{EXPERIMENTS}/{name}" for name in files),
    }
    soup.head.append(soup.new_tag("script", attrs=attrs))
    (site / EXPERIMENTS).mkdir(exist_ok=True)
    for name, text in {**files, "experiments.css": static.stylesheet()}.items():
        (site / EXPERIMENTS / name).write_text(text, encoding="utf-8")

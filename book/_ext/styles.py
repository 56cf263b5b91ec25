"""One style sheet for the whole site, with the rules that its pages can use.

The theme alone brings nearly 4,000 rules, for buttons, banners and grids of every kind, most of
which no page here has. A rule stays if all classes in its selector are on some page, or are words
in some script, which may put them there.
"""

import hashlib
import re
from itertools import pairwise
from pathlib import Path

import tinycss2
from bs4 import BeautifulSoup

NAME = "_static/site.css"
NESTED = {"media", "supports", "layer", "container"}
LEFT_OUT = {"font-face", "charset", "import"}  # icons come from icons.css; imports are put in place


def class_words(soups: list[BeautifulSoup], scripts: list[Path]) -> set[str]:
    """Every class on a page, and every word of a script."""
    on_pages = {name for soup in soups for tag in soup.select("[class]") for name in tag["class"]}
    texts = (script.read_text(encoding="utf-8") for script in scripts)
    return on_pages | {word for text in texts for word in re.findall(r"[A-Za-z][\w-]*", text)}


def selectors(prelude) -> list[list]:
    """The selectors of a rule, each as its tokens; commas within parentheses do not count."""
    found = [[]]
    for token in prelude:
        if token == ",":
            found.append([])
        else:
            found[-1].append(token)
    return found


def is_used(selector, words: set[str]) -> bool:
    """Whether all classes that a selector asks for are among the words."""
    return all(
        name.value in words
        for dot, name in pairwise(selector)
        if dot == "." and name.type == "ident"
    )


def used_rules(rules, words: set[str]) -> str:
    """The text of the rules that can apply to some element."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            wanted = [item for item in selectors(rule.prelude) if is_used(item, words)]
            names = ",".join(tinycss2.serialize(item).strip() for item in wanted)
            text = f"{names}{{{tinycss2.serialize(rule.content).strip()}}}" if wanted else ""
        elif rule.type == "at-rule" and rule.lower_at_keyword in NESTED and rule.content:
            inner = used_rules(tinycss2.parse_rule_list(rule.content, True, True), words)
            head = f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}"
            text = f"{head}{{{inner}}}" if inner else ""
        elif rule.type == "at-rule" and rule.lower_at_keyword in LEFT_OUT:
            text = ""
        else:
            text = rule.serialize()
        kept.append(text)
    return "\n".join(filter(None, kept))


def join_styles(pages: dict[Path, BeautifulSoup], site: Path) -> None:
    """Write one style sheet, and let every page ask for it alone.

    Where only some pages are new, these have the theme's sheets; where none is, the one style
    sheet stays as it is.
    """
    links = {page: soup.select("link[rel=stylesheet]") for page, soup in pages.items()}
    if all(NAME in link["href"] for found in links.values() for link in found):
        return
    page, longest = max(links.items(), key=lambda item: len(item[1]))
    sheets = [page.parent / link["href"].partition("?")[0] for link in longest]
    scripts = [path for path in (site / "_static").rglob("*.js") if "mathjax" not in path.parts]
    words = class_words(list(pages.values()), scripts)
    texts = [used_rules(parse(sheet), words) for sheet in [site / "_static/basic.css", *sheets]]
    text = "\n".join(filter(None, texts)) + "\n"
    (site / NAME).write_text(text, encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    for page, found in links.items():
        up = "../" * len(page.parent.relative_to(site).parts)
        found[0]["href"] = f"{up}{NAME}?v={digest}"
        for link in found[1:]:
            link.decompose()


def parse(sheet: Path) -> list:
    """The rules of a style sheet."""
    text = sheet.read_text(encoding="utf-8")
    return tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)

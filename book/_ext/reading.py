"""How long a chapter takes to read, from what its page holds before the exercises.

A page says so below its title. Where another page has ``<span data-minutes-of="replay">``, or
several names in it, the sum of their minutes is put in.
"""

from dataclasses import dataclass

from bs4 import BeautifulSoup, Tag

# Not read through: what is folded or repeated, and the controls of an experiment.
SKIPPED = (
    "details, .rl-reading, .headerlink, .toggle, .rl-experiment, .highlight, .dataframe, script, "
    "style"
)


@dataclass(frozen=True)
class Reading:
    """What a reader meets before the exercises of a page."""

    words: int
    code_lines: int
    pictures: int
    equations: int
    predictions: int

    @property
    def minutes(self) -> int:
        """200 words a minute, 4 s a line of code, 30 s for what has to be looked at or decided."""
        stops = self.pictures + self.equations + self.predictions
        return max(1, round(self.words / 200 + self.code_lines / 15 + stops / 2))


def measure(soup: BeautifulSoup) -> Reading | None:
    """Count what a chapter's page holds before its exercises; None if it is no chapter."""
    article = soup.select_one("article")
    question = article and article.find("strong", string="The question.")
    if not question:
        return None
    article = BeautifulSoup(str(article), "html.parser")
    after = article.find("section", id="questions") or article.find("section", id="exercises")
    rest = [after, *after.find_next_siblings()] if after else []
    for part in [*rest, *article.select(".exercise, .solution, form.quiz, form.matching")]:
        part.extract()
    counts = dict(
        code_lines=sum(_lines(block) for block in article.select(".highlight pre")),
        pictures=len(article.select("img, video, .rl-experiment")),
        equations=len(article.select("div.math")),
        predictions=len(article.select("form.prediction")),
    )
    for part in article.select(SKIPPED):
        part.decompose()
    return Reading(words=len(article.get_text(" ").split()), **counts)


def _lines(block: Tag) -> int:
    """Lines of code that are shown; none of what is folded or printed."""
    if block.find_parent("details") or not block.find_parent(class_="cell_input"):
        return 0
    return len(block.get_text().strip("\n").split("\n"))


def tell(soup: BeautifulSoup, minutes: dict[str, int], name: str) -> None:
    """Put the minutes of page `name` below its title, and those of others where they are asked."""
    if name in minutes and not soup.select_one(".rl-reading"):
        line = soup.new_tag("p", attrs={"class": "rl-reading"})
        unit = "minute" if minutes[name] == 1 else "minutes"
        line.string = f"{minutes[name]} {unit} to read, and the exercises"
        soup.select_one("article h1").insert_after(line)
    for place in soup.select("[data-minutes-of]"):
        chapters = place["data-minutes-of"].split()
        if unknown := [chapter for chapter in chapters if chapter not in minutes]:
            raise ValueError(f"data-minutes-of names {unknown}: there is no such chapter")
        place.string = str(sum(minutes[chapter] for chapter in chapters))

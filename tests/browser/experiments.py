"""What the browser tests of all experiments ask alike."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from rl_lab.course.experiments import static

MODEL = "document.querySelector('.rl-experiment').model"


def status(page, place=".rl-experiment"):
    """What the status line of an experiment says."""
    return page.locator(f"{place} .rl-status").inner_text()


def wait_for_status(page, pattern, place=".rl-experiment", timeout=10_000):
    """Wait until the status line matches a pattern."""
    page.wait_for_function(
        "([place, pattern]) => new RegExp(pattern).test("
        "document.querySelector(`${place} .rl-status`).textContent)",
        arg=[place, pattern],
        timeout=timeout,
    )


def pictures(page, place=".rl-experiment"):
    """What the canvases show, once they have been drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    read = "all => all.map((canvas) => canvas.toDataURL())"
    return page.locator(f"{place} canvas").evaluate_all(read)


def button(page, name):
    """A button by its whole name."""
    return page.get_by_role("button", name=name, exact=True)


def tab_to(page, name):
    """Reach a button by the tabulator alone."""
    for _ in range(30):
        if page.evaluate("document.activeElement.textContent") == name:
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the tabulator does not reach {name}")


def render_and_remove(page, experiment, canvases):
    """Render an experiment as a kernel's page does, and see that nothing listens once removed."""
    found = page.evaluate(
        """async (source) => {
          const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
          const { default: module } = await import(url);
          const place = document.querySelector(".rl-experiment");
          const heard = []; // [event, callback] of every listener that is left
          const model = {
            ...place.model,
            on: (events, f) => events.split(" ").forEach((event) => heard.push([event, f])),
            off: (events, f) => events.split(" ").forEach((event) =>
              heard.splice(0, heard.length, ...heard.filter(([e, g]) => e !== event || g !== f))),
          };
          const el = document.createElement("div");
          document.querySelector("main").append(el);
          const destroy = await module.render({ model, el });
          const shown = el.querySelectorAll("canvas").length;
          const listened = heard.length;
          destroy();
          return { shown, listened, left: heard.map(([event]) => event) };
        }""",
        static.module_source(experiment.NAME),
    )
    assert found["shown"] == canvases and found["left"] == []
    assert found["listened"] >= len(experiment.input_names()) - 1, "and was told of its inputs"


def assert_accessible(page, width, scheme):
    """See that axe-core objects to nothing, and that the page is no wider than its window."""
    page.evaluate(f"document.documentElement.dataset.theme = '{scheme}'")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False}).response
    assert [
        (rule["id"], [n["html"][:150] for n in rule["nodes"]]) for rule in found["violations"]
    ] == []

"""A sum tree to draw from, in a real browser: its draws and weights are the library's."""

import numpy as np
import pytest
from experiments import (
    MODEL,
    assert_accessible,
    button,
    pictures,
    render_and_remove,
    status,
    tab_to,
    wait_for_status,
)

from rl_lab.course.experiments.memory import SumTreeDraws
from rl_lab.prioritized import PrioritizedReplay, SumTree

pytestmark = pytest.mark.slow

ERRORS = [
    [1, 1, 1, 8, 1, 1, 1, 1],
    [0.3, 2.5, 0.1, 9.9, 4, 0.7, 0.2, 3],
    [0, 0, 5, 0, 0.01, 0, 0, 10],
]
EXPONENTS = [(0.6, 0.4), (1.0, 1.0), (0.0, 0.5), (0.35, 0.0)]


@pytest.fixture
def code(functions):
    """A page that holds the functions of the experiment."""
    return functions("sum_tree")


def memory_of(errors, alpha, beta):
    """The library's buffer with these errors."""
    memory = PrioritizedReplay(8, alpha=alpha, beta=beta, beta_steps=10**9, seed=0)
    for _ in errors:
        memory.push([0.0], 0, 0.0, [0.0], True)
    memory.update_priorities(np.arange(8), np.array(errors, float))
    return memory


@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.parametrize(("alpha", "beta"), EXPONENTS)
def test_sums_draws_and_weights_are_the_librarys(code, errors, alpha, beta):
    memory = memory_of(errors, alpha, beta)
    u = np.append(np.random.default_rng(0).random(500), [0, 0.5, 1 - 2**-32])
    found = code.evaluate(
        """([errors, alpha, beta, draws]) => {
          const tree = new SumTree(8);
          errors.forEach((error, i) => tree.set(i, leafOf(error, alpha)));
          const probabilities = [...tree.leaves].map((value) => value / tree.total);
          return {
            nodes: [...tree.nodes],
            leaves: draws.map((u) => tree.find(u * tree.total).leaf),
            probabilities,
            weights: importanceWeights(probabilities, beta),
          };
        }""",
        [errors, alpha, beta, u.tolist()],
    )
    np.testing.assert_allclose(found["nodes"], memory._tree.nodes, rtol=1e-12)
    np.testing.assert_array_equal(found["leaves"], memory._tree.find(u * memory._tree.total))
    everything = memory._tree[np.arange(8)] / memory._tree.total
    np.testing.assert_allclose(found["probabilities"], everything, rtol=1e-12)
    for _ in range(100):  # the largest weight of a minibatch is 1
        sample = memory.sample(8)
        weights = np.array(found["weights"])[sample.indices]
        np.testing.assert_allclose(weights / weights.max(), sample.weights, rtol=1e-5)


def test_a_new_error_changes_one_node_a_level(code):
    before, after = code.evaluate(
        """() => {
          const tree = new SumTree(8);
          for (let i = 0; i < 8; i += 1) tree.set(i, i + 0.5);
          const before = [...tree.nodes];
          tree.set(5, 0.25);
          return [before, [...tree.nodes]];
        }"""
    )
    tree = SumTree(8)
    tree[np.arange(8)] = np.arange(8) + 0.5
    np.testing.assert_array_equal(before, tree.nodes)
    tree[5] = 0.25
    np.testing.assert_array_equal(after, tree.nodes)
    assert np.flatnonzero(np.array(before) != after).tolist() == [1, 3, 6, 13]


def test_each_step_of_a_descent_is_told(code):
    found = code.evaluate(
        """() => {
          const tree = new SumTree(4);
          [1, 3, 2, 4].forEach((value, i) => tree.set(i, value));
          return tree.find(5.5);
        }"""
    )
    assert found["leaf"] == 2  # by hand in the chapter
    assert found["steps"] == [
        {"left": 4, "right": True, "node": 3},
        {"left": 2, "right": False, "node": 6},
    ]


def test_a_reader_steps_draws_and_learns_by_keyboard(show):
    page = show(SumTreeDraws())
    opened = pictures(page)
    assert "Nothing is drawn yet" in status(page)
    assert button(page, "Learn from it: halve its error").is_disabled()
    tab_to(page, "Step")
    page.keyboard.press("Enter")
    assert status(page).endswith("left or right?")
    seen = {*pictures(page), *opened}
    for _ in range(3):
        page.keyboard.press("Enter")
        seen |= set(pictures(page))
    assert len(seen) >= 6, "each level has a picture of its own"
    state = page.evaluate(f"{MODEL}.get('state')")
    assert sum(state["tally"]) == 1 == state["tally"][state["leaf"]]
    leaf = state["leaf"]
    assert f"x falls on transition {leaf}, drawn 1 of 1 times." in status(page)
    button(page, "Learn from it: halve its error").press("Enter")
    button(page, "Learn from it: halve its error").press("Enter")
    errors = page.evaluate(f"{MODEL}.get('errors')")
    assert errors[leaf] == SumTreeDraws().errors[leaf] / 4
    wait_for_status(page, f"Transition {leaf}: .* The 3 sums above it are formed anew")
    assert sum(page.evaluate(f"{MODEL}.get('state')")["tally"]) == 0
    slider = page.get_by_role("slider", name="Error of transition 6")
    slider.press("ArrowUp")
    assert page.evaluate(f"{MODEL}.get('errors')[6]") == 1.25
    assert slider.get_attribute("aria-valuetext") == "1.25"
    assert "Transition 6: error 1.00 → 1.25, leaf 1.00 → 1.14." in status(page)
    button(page, "Reset").press("Enter")
    assert "Nothing is drawn yet" in status(page) and pictures(page) == opened


def test_a_draw_comes_down_by_itself(show):
    page = show(SumTreeDraws())
    button(page, "Draw").click()
    wait_for_status(page, "x falls on transition")
    button(page, "Draw").wait_for()  # no longer Pause
    assert sum(page.evaluate(f"{MODEL}.get('state')")["tally"]) == 1


def test_a_tally_of_many_draws_nears_the_probabilities(show):
    page = show(SumTreeDraws(alpha=1.0))
    for _ in range(20):
        button(page, "Draw 100").click()
    tally = np.array(page.evaluate(f"{MODEL}.get('state')")["tally"])
    assert tally.sum() == 2_000
    np.testing.assert_allclose(tally / 2_000, np.array(ERRORS[0]) / 15, atol=0.03)
    assert "2000 draws. Transition 3 came" in status(page) and "its P is 0.53" in status(page)
    page.evaluate(f"{MODEL}.set('alpha', 0)")  # as a kernel does
    assert sum(page.evaluate(f"{MODEL}.get('state')")["tally"]) == 0
    page.locator("summary").click()
    rows = page.locator("tbody tr").all_inner_texts()
    assert [row.split("\t")[3] for row in rows] == ["0.125"] * 8
    assert [row.split("\t")[5] for row in rows] == ["1.000"] * 8


def test_a_finger_moves_an_error(show):
    page = show(SumTreeDraws(), has_touch=True, width=375)
    slider = page.get_by_role("slider", name="Error of transition 0")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    assert 6 < page.evaluate(f"{MODEL}.get('errors')[0]") < 9


def test_the_module_renders_in_a_kernels_page_and_can_be_removed(show):
    render_and_remove(show(SumTreeDraws()), SumTreeDraws, canvases=2)


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(show, width, scheme):
    page = show(SumTreeDraws(), width=width, color_scheme=scheme)
    button(page, "Draw 100").click()
    page.locator("summary").click()
    assert_accessible(page, width, scheme)

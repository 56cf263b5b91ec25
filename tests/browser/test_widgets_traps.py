"""Epsilon against noise, in a real browser: its rooms and its learning are the library's."""

import numpy as np
import pytest
import torch
from experiments import (
    MODEL,
    assert_accessible,
    button,
    pictures,
    render_and_remove,
    status,
    wait_for_status,
)

from rl_lab.course.experiments.traps import TrapRooms
from rl_lab.envs import Traps

pytestmark = pytest.mark.slow

WALK = """([settings, steps]) => {
  const table = new TrapTable(settings);
  const rows = [];
  for (let room = 0; rows.length < steps; ) {
    const row = table.step(room);
    rows.push(row);
    room = row.done ? 0 : row.next;
  }
  return { rows, mean: table.mean, sigma: table.sigma };
}"""


@pytest.fixture
def code(functions):
    """A page that holds the functions of the experiment."""
    return functions("traps")


@pytest.mark.parametrize(("rooms", "prize"), [(2, 1), (7, 10)])
def test_the_rooms_are_the_librarys(code, rooms, prize):
    for room, doors in Traps(rooms, coin=0.1 * prize, prize=prize).P.items():
        for door, [(_, then, reward, done)] in doors.items():
            found = code.evaluate(
                "([room, door, rest]) => openDoor(room, door, rest)",
                [room, door, dict(rooms=rooms, prize=prize)],
            )
            assert (found["next"], found["done"]) == (then, done)
            assert found["reward"] == pytest.approx(reward)


@pytest.mark.parametrize(("sigma", "epsilon"), [(0.5, 0.0), (0.0, 0.3)])
def test_a_noisy_table_learns_by_the_gradient_of_its_squared_error(code, sigma, epsilon):
    settings = dict(rooms=3, prize=1, sigma=sigma, epsilon=epsilon, seed=4)
    found = code.evaluate(WALK, [settings, 600])
    mean = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    noise = torch.full((3, 2), sigma, dtype=torch.float64, requires_grad=True)
    for row in found["rows"]:
        with torch.no_grad():
            after = mean[row["next"]] + noise[row["next"]] * torch.tensor(
                row["target"], dtype=torch.float64
            )
            y = row["reward"] + 0.9 * (not row["done"]) * after.max()
        at = row["room"], row["door"]
        error = y - (mean[at] + noise[at] * row["noise"])
        assert row["error"] == pytest.approx(error.item(), abs=1e-9)
        (error**2 / 2).backward()
        with torch.no_grad():
            for weights in (mean, noise):
                weights -= 0.1 * weights.grad
                weights.grad = None
    np.testing.assert_allclose(found["mean"], mean.detach(), atol=1e-9)
    np.testing.assert_allclose(found["sigma"], noise.detach(), atol=1e-9)
    assert (np.abs(found["sigma"])[0] < 0.1).all(), "what is visited loses its noise"


def test_random_doors_pass_a_room_in_half_of_the_tries(code):
    passed = code.evaluate(
        """(settings) => {
          const table = new TrapTable(settings);
          return Array.from({ length: 20000 }, () => table.attempt());
        }""",
        dict(rooms=8, prize=1, sigma=0, epsilon=1, seed=0),
    )
    shares = [(np.array(passed) >= k).mean() for k in range(1, 9)]
    np.testing.assert_allclose(shares, 0.5 ** np.arange(1, 9), atol=0.012)


def test_it_obeys_mouse_and_keyboard(show):
    page = show(TrapRooms())
    opened = pictures(page)
    assert status(page).startswith("20 tries.")
    button(page, "20 tries").press("Enter")
    assert status(page).startswith("40 tries.") and pictures(page) != opened
    button(page, "Play").click()
    wait_for_status(page, r"^([1-9]\d\d|\d,\d{3}) tries")
    button(page, "Pause").click()
    state = page.evaluate(f"{MODEL}.get('state')")
    assert state["tries"] >= 100
    page.get_by_role("slider", name="Rooms").fill("2")
    assert status(page).startswith("20 tries.")
    assert page.evaluate(f"{MODEL}.get('state')")["epsilon"] > 0, "two rooms are soon passed"
    page.evaluate(f"{MODEL}.set('sigma', 0)")  # as a kernel does
    assert "noise left in the first room 0.00 and 0.00" in status(page)
    button(page, "Reset").click()
    assert status(page).startswith("20 tries.") and pictures(page) == opened


def test_the_module_renders_in_a_kernels_page_and_can_be_removed(show):
    render_and_remove(show(TrapRooms()), TrapRooms, canvases=1)


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(show, width, scheme):
    page = show(TrapRooms(), width=width, color_scheme=scheme)
    assert_accessible(page, width, scheme)

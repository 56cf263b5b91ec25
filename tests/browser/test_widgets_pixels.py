"""The pixel game in a real browser: it is Python's, and so is the network that plays it."""

import base64

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
from safetensors.torch import load_file

from rl_lab.bricks import Bricks
from rl_lab.course.experiments import static
from rl_lab.course.experiments.pixels import BricksLive
from rl_lab.networks import ConvQNetwork

pytestmark = pytest.mark.slow


@pytest.fixture
def code(functions):
    """A page that holds the functions of the experiment."""
    return functions("bricks_live")


def episodes():
    """Games on given draws: the start, the actions that were done, and what was seen of each."""
    rng = np.random.default_rng(0)
    for seed in range(60):
        env = Bricks(sticky=0.1 * (seed % 2))
        state, _ = env.reset(seed=seed)
        start, actions, seen, outcome = [env.x, env.dx], [], [state], ""
        care = seed / 55  # from random play to a player who sees where the ball goes
        wide = rng.integers(2)  # and who catches it with either cell, or only with the left one
        while not outcome:
            column = env.x + env.dx if 0 <= env.x + env.dx < 10 else env.x
            wise = (column < env.paddle) + 2 * (column > env.paddle + wide)
            action = wise if rng.random() < care else rng.integers(3)
            state, _, terminated, truncated, _ = env.step(int(action))
            actions.append(env.action)
            seen.append(state)
            if terminated:
                outcome = "lost" if env.n_left else "cleared"
            elif truncated:
                outcome = "time is up"
        yield start, actions, np.array(seen) > 0, 30 - env.n_left, outcome


def test_the_game_is_pythons(code):
    endings = set()
    for start, actions, seen, score, outcome in episodes():
        found = code.evaluate(
            """([[column, dx], actions]) => {
              const game = new Bricks(column, dx);
              const seen = [[...game.planes()]];
              for (const action of actions) {
                if (game.outcome) throw new Error(`over too soon: ${game.outcome}`);
                game.step(action);
                seen.push([...game.planes()]);
              }
              return { seen, score: game.score, outcome: game.outcome };
            }""",
            [start, actions],
        )
        np.testing.assert_array_equal(np.reshape(found["seen"], seen.shape), seen)
        assert (found["score"], found["outcome"]) == (score, outcome)
        endings.add(outcome)
    assert endings == {"lost", "cleared", "time is up"}


def test_the_network_is_torchs_and_so_is_the_map_of_what_matters(code):
    path = static.asset_path("bricks")
    network = ConvQNetwork((4, 10, 10), 3)
    network.load_state_dict(load_file(path))
    seen = [frames[len(frames) // 2] for _, _, frames, *_ in list(episodes())[::10]]
    planes = torch.from_numpy(np.array(seen, np.float32))
    hidden = planes.repeat(100, 1, 1, 1, 1)  # in copy i, cell i is emptied
    for cell in range(100):
        hidden[cell, :, :, cell // 10, cell % 10] = 0
    with torch.no_grad():
        values = network(planes)
        changes = (network(hidden) - values).abs().amax(-1).T
    found = code.evaluate(
        """([coded, seen]) => {
          const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
          const { tensors } = readSafetensors(new DataView(bytes.buffer));
          const network = new BricksNetwork(tensors);
          return seen.map((planes) => [network.values(planes), [...network.occlusion(planes).map]]);
        }""",
        [base64.b64encode(path.read_bytes()).decode(), planes.flatten(1).tolist()],
    )
    for (q, map_), expected, change in zip(found, values, changes, strict=True):
        np.testing.assert_allclose(q, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(map_, change, rtol=1e-3, atol=1e-4)
    assert changes.max() > 0.5


def test_a_reader_plays_by_keys_buttons_and_touch(show):
    page = show(BricksLive())
    opened = pictures(page)
    assert "You: 0 of 30, ball in row 4" in status(page)
    button(page, "Step").click()
    button(page, "Left").click()
    assert "paddle from column 3" in status(page)
    button(page, "Right").click()
    assert "paddle from column 4" in status(page)
    assert pictures(page) != opened
    button(page, "Reset").click()
    assert pictures(page) == opened
    page.evaluate(f"{MODEL}.set('speed', 20)")
    canvas = page.locator("canvas")
    canvas.focus()
    page.keyboard.down("ArrowRight")
    wait_for_status(page, "You: .* paddle from column 8")
    page.keyboard.up("ArrowRight")
    button(page, "Pause").click()
    button(page, "Reset").click()
    box = canvas.bounding_box()
    page.evaluate(f"{MODEL}.set('speed', 20)")
    page.mouse.move(box["x"] + box["width"] / 2 + 20, box["y"] + 100)
    page.mouse.down()
    wait_for_status(page, "You: .* paddle from column 0")
    page.mouse.up()
    page.wait_for_function(f"{MODEL}.get('state')?.returns?.you?.length >= 1", timeout=60_000)
    rows = page.locator("tbody tr").all_inner_texts()
    assert any(row.startswith("you") for row in rows)


def test_the_network_plays_far_better_than_random_play(code):
    path = static.asset_path("bricks")
    found = code.evaluate(
        """(coded) => {
          const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
          const network = new BricksNetwork(readSafetensors(new DataView(bytes.buffer)).tensors);
          const random = makeRandom(0);
          const best = (game) => {
            const values = network.values(game.planes());
            return values.indexOf(Math.max(...values));
          };
          const mean = (choose) => {
            let sum = 0;
            for (let i = 0; i < 20; i += 1) {
              const game = Bricks.start(random);
              while (!game.outcome) game.step(choose(game));
              sum += game.score;
            }
            return sum / 20;
          };
          return [mean(best), mean(() => random.integer(3))];
        }""",
        base64.b64encode(path.read_bytes()).decode(),
    )
    assert found[0] > 15 and found[1] < 3


def test_a_frame_is_drawn_in_a_fraction_of_its_time(show):
    page = show(BricksLive(speed=20))
    button(page, "Play").click()
    taken = page.evaluate(
        """() => new Promise((done) => {
          const times = [];
          const tick = (now) => {
            times.push(now);
            times.length > 90 ? done(times) : requestAnimationFrame(tick);
          };
          requestAnimationFrame(tick);
        })"""
    )
    assert np.median(np.diff(taken)) < 25


def test_the_module_renders_in_a_kernels_page_and_can_be_removed(show):
    page = show(BricksLive())
    render_and_remove(page, BricksLive, canvases=1)


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(show, width, scheme):
    page = show(BricksLive(), width=width, color_scheme=scheme)
    assert_accessible(page, width, scheme)
    assert page.locator("canvas").get_attribute("aria-label")

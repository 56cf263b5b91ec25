"""Tables and the two-state example in a real browser: they compute what the course teaches."""

import re

import numpy as np
import pandas as pd
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

from rl_lab.agents.tabular import QLearningAgent
from rl_lab.course.experiments import static
from rl_lab.course.experiments.divergence import Divergence
from rl_lab.course.experiments.tabular import BinnedCartPole, FrozenLake
from rl_lab.envs import Bins, make_env, optimal_q
from rl_lab.losses import q_learning_loss
from rl_lab.replay import Batch
from rl_lab.stats import iqm

pytestmark = pytest.mark.slow

EXPERIMENTS = (FrozenLake, BinnedCartPole, Divergence)
HIGH = np.array([2.4, 3.0, 0.21, 3.0])


@pytest.fixture
def code(functions):
    """Returns a function that evaluates JavaScript among an experiment's functions."""
    return lambda experiment, text, argument=None: functions(experiment.NAME).evaluate(
        text, argument
    )


def drag(page, label, share):
    """Press the mouse on a slider, at a share of its width."""
    slider = page.get_by_label(label)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
    return float(slider.input_value())


# FrozenLake


@pytest.mark.parametrize("slippery", [True, False])
def test_the_ice_is_gymnasiums(code, slippery):
    expected = make_env("FrozenLake-v1", is_slippery=slippery).unwrapped.P
    found = code(
        FrozenLake,
        """(slippery) => {
          const table = [];
          for (let s = 0; s < 16; s += 1) for (let a = 0; a < 4; a += 1)
            table.push(FrozenLake.outcomes(s, a, slippery).map(([p, next]) =>
              [p, next, FrozenLake.over(s) ? 0 : FrozenLake.reward(next), FrozenLake.over(next)]));
          return table;
        }""",
        slippery,
    )
    assert len(found) == 64
    for i, outcomes in enumerate(found):
        there = expected[i // 4][i % 4]
        # The order counts too: it says which turn of the ice a draw stands for.
        np.testing.assert_allclose(np.array(outcomes), np.array(there, float), atol=1e-15)
    env = make_env("FrozenLake-v1")
    assert code(FrozenLake, "FrozenLake.rows") == [b"".join(r).decode() for r in env.unwrapped.desc]
    assert code(FrozenLake, "FrozenLake.stepLimit") == env.spec.max_episode_steps


@pytest.mark.parametrize("slippery", [True, False])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
def test_q_star_is_rl_labs(code, slippery, gamma):
    expected = optimal_q(make_env("FrozenLake-v1", is_slippery=slippery).unwrapped.P, gamma)
    found = code(
        FrozenLake, "([gamma, slippery]) => optimalLakeQ(gamma, slippery)", [gamma, slippery]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_q_learning_on_given_transitions_is_rl_labs(code):
    rng = np.random.default_rng(0)
    agent = QLearningAgent(16, 4, lr=0.3, gamma=0.97)
    rows = [
        (int(rng.integers(16)), int(rng.integers(4)), rng.normal(), int(rng.integers(16)), done)
        for done in (rng.random(2_000) < 0.1).tolist()
    ]
    errors = [agent.update(*row)["td_error"] for row in rows]
    found = code(
        FrozenLake,
        """([rows, alpha, gamma]) => {
          const q = Array.from({ length: 16 }, () => [0, 0, 0, 0]);
          const errors = rows.map(([state, action, reward, next, done]) =>
            qLearningUpdate(q, { state, action, reward, next, done }, alpha, gamma).error);
          return { q, errors };
        }""",
        [[list(row) for row in rows], 0.3, 0.97],
    )
    np.testing.assert_allclose(found["errors"], errors, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found["q"], agent.q, rtol=1e-12, atol=0)


def test_the_learners_own_walk_repeats_in_python(code):
    """The page's own transitions, fed to the library's agent, give the page's own table."""
    found = code(
        FrozenLake,
        """() => {
          const learner = new LakeLearner(3);
          const settings = { alpha: 0.5, gamma: 0.99, epsilon: 0.5, slippery: true };
          const rows = Array.from({ length: 3000 }, () => learner.step(settings));
          return { rows, q: learner.q };
        }""",
    )
    agent, length, at = QLearningAgent(16, 4, lr=0.5, gamma=0.99), 0, 0
    outcomes = make_env("FrozenLake-v1").unwrapped.P
    greedy = 0
    for row in found["rows"]:
        assert row["state"] == at
        greedy += agent.q[at, row["action"]] == agent.q[at].max()
        assert row["next"] in [next_state for _, next_state, _, _ in outcomes[at][row["action"]]]
        agent.update(at, row["action"], row["reward"], row["next"], row["done"])
        length += 1
        ended = row["done"] or length == 100
        at, length = (0, 0) if ended else (row["next"], length)
    np.testing.assert_allclose(found["q"], agent.q, rtol=1e-12, atol=0)
    # Half of the actions are greedy, and so is a quarter or more of the random ones.
    assert 0.6 < greedy / 3_000 < 0.95


def test_a_step_size_of_1_is_exact_where_nothing_slips(show):
    page = show(FrozenLake(alpha=1.0, slippery=False, steps=10_000))
    assert "distance to Q* 0.000; a best action on 11 of 11 squares" in status(page)


def test_the_lake_obeys_mouse_and_keyboard(show):
    page = show(FrozenLake(speed=2000))
    assert "Environment step 20,000" in status(page)
    opened = pictures(page)
    button(page, "Step").press("Enter")
    assert re.match(r"Square \d+, (left|down|right|up)", status(page))
    button(page, "1,000 steps").click()
    assert "Environment step 21,001" in status(page)
    page.get_by_label("Learning rate alpha").press("ArrowLeft")
    assert "alpha 0.49" in status(page)
    assert page.evaluate(f"{MODEL}.get('alpha')") == 0.49
    before = status(page)
    assert 0.2 < drag(page, "Discount gamma", 0.3) < 0.4
    assert status(page).partition("distance")[2] != before.partition("distance")[2]
    page.get_by_label("Slippery").press("Space")
    assert "slippery off" in status(page)
    button(page, "Play").click()
    wait_for_status(page, r"Environment step 2[2-9],")
    page.evaluate(f"() => {{ {MODEL}.on('change', () => (window.saved = {MODEL}.get('state'))) }}")
    button(page, "Pause").click()  # only now the kernel hears of it
    assert f"Environment step {page.evaluate('window.saved.steps'):,}:" in status(page)
    assert all(now != then for now, then in zip(pictures(page), opened, strict=True))
    button(page, "Empty table").click()
    assert "Environment step 0: " in status(page) and "a best action on 0 of 11" in status(page)
    page.get_by_label("Seed").press("ArrowRight")
    assert page.evaluate(f"{MODEL}.get('seed')") == 1
    button(page, "Reset").click()
    assert page.get_by_label("Slippery").is_checked()
    assert pictures(page) == opened


def test_all_values_of_the_lake_can_be_read(show):
    page = show(FrozenLake(steps=0))
    page.get_by_text("All values in numbers").click()
    page.wait_for_selector("tbody tr")  # filled when the details have opened
    assert page.locator("tbody tr").count() == 11
    cells = page.locator("tbody tr", has_text="14 F").locator("td").all_inner_texts()
    q_star = optimal_q(make_env("FrozenLake-v1").unwrapped.P, 0.99)
    assert cells == ["0.000"] * 4 + [f"{value:.3f}" for value in q_star[14]]


def test_hints_of_the_lake_hold(code):
    lower, lost = code(
        FrozenLake,
        """() => {
          const run = (learner, settings, steps) => {
            for (let i = 0; i < steps; i += 1) learner.step({ gamma: 0.99, ...settings });
            return lakeDistance(learner.q, optimalLakeQ(0.99, settings.slippery));
          };
          const lower = [0, 1, 2, 3, 4].map((seed) => {
            const learner = new LakeLearner(seed);
            const before = run(learner, { alpha: 0.5, epsilon: 0.5, slippery: true }, 20000);
            return run(learner, { alpha: 0.05, epsilon: 0.5, slippery: true }, 20000) / before;
          });
          const greedy = new LakeLearner(2);
          const distance = run(greedy, { alpha: 0.5, epsilon: 0, slippery: false }, 20000);
          return [lower, { distance, start: Math.max(...greedy.q[0]) }];
        }""",
    )
    assert np.mean(lower) < 0.6 and max(lower) < 1
    assert lost["start"] > 0.9 and lost["distance"] > 0.9


# Bins


@pytest.mark.parametrize("k", [1, 2, 7, 10, 16])
def test_bins_and_their_count_are_rl_labs(code, k):
    rng = np.random.default_rng(0)
    states = (1.3 * HIGH * rng.uniform(-1, 1, (3_000, 4))).astype(np.float32)
    actions = rng.integers(2, size=3_000)
    rows, n = code(
        BinnedCartPole,
        """([states, actions, k]) => [
          actions.map((_, t) => binRow(Float32Array.from(states), 4 * t, k)),
          countVisited({ states: Float32Array.from(states), actions }, actions.length, k),
        ]""",
        [states.astype(float).flatten().tolist(), actions.tolist(), k],
    )
    bins = Bins(make_env("CartPole-v1"), k, -HIGH, HIGH)
    expected = [bins.observation(state) for state in states.astype(float)]
    assert rows == expected
    assert n == len(set(zip(expected, actions.tolist(), strict=True))) < 3_000


def test_the_players_steps_are_cartpoles(code):
    found = code(
        BinnedCartPole,
        """() => {
          const { states, actions, lengths } = playByRule(0, 1, 500);
          return { states: [...states], actions: [...actions], lengths };
        }""",
    )
    states = np.array(found["states"]).reshape(-1, 4)
    ends = set((np.cumsum(found["lengths"]) - 1).tolist())
    env = make_env("CartPole-v1").unwrapped
    env.reset(seed=0)
    for t, action in enumerate(found["actions"][:-1]):
        env.state, env.steps_beyond_terminated = states[t], None
        _, _, terminated, _, _ = env.step(action)
        assert terminated == (t in ends)
        following = [0] * 4 if terminated else env.state
        np.testing.assert_allclose(states[t + 1], following, atol=0.05 if terminated else 1e-6)
    assert len(ends) > 10 and 0.4 < np.mean(found["actions"]) < 0.6


def test_the_stored_tables_are_the_studys(code):
    path = static.asset_path("tabular_cartpole.final")
    found = code(
        BinnedCartPole,
        """(text) => readTables(new DataView(new TextEncoder().encode(text).buffer)).map((table) =>
          ({ ...table, iqm: iqm(table.returns) }))""",
        path.read_text(encoding="utf-8"),
    )
    table = pd.read_csv(path)
    table = table[~table["arm"].str.contains("fixed")]
    assert [one["k"] for one in found] == sorted(table["k"].unique())
    for one in found:
        rows = table[table["k"] == one["k"]]
        assert one["returns"] == rows["return"].tolist()
        assert one["shares"] == pytest.approx((rows["visited"] / rows["entries"]).tolist())
        assert one["iqm"] == pytest.approx(float(iqm(rows["return"])))


def test_who_balances_visits_less(code):
    found = code(
        BinnedCartPole,
        """() => [0, 1, 2].map((seed) => [1, 0].map((chance) => {
          const play = playByRule(seed, chance, 60000);
          const mean = play.lengths.reduce((sum, n) => sum + n, 0) / play.lengths.length;
          return [mean, countVisited(play, 60000, 10)];
        }))""",
    )
    for (chance, wide), (rule, narrow) in found:
        assert 20 < chance < 25 and rule == 500
        assert narrow < wide / 10


def test_bins_obey_mouse_and_keyboard(show):
    page = show(BinnedCartPole())
    assert "k = 10: 20,000 entries" in status(page)
    assert "earned 311 (mean of the middle half; seeds 143 to 429)" in status(
        page
    )  # as the chapter says
    opened = pictures(page)
    page.get_by_label("Bins per number, k").press("ArrowRight")
    assert "k = 11: 29,282 entries" in status(page)
    assert "no table of this size; it has k = 2, 4, 6, 8, 10, 12, 16." in status(page)
    assert drag(page, "Random pushes", 0.02) == 0
    assert "mean return 500" in status(page)
    moved = pictures(page)
    assert all(now != then for now, then in zip(moved, opened, strict=True))
    page.get_by_label("Numbers in the picture").select_option("0 1")
    assert pictures(page)[0] != moved[0]
    page.get_by_label("Environment steps").press("Home")
    assert "1,000 environment steps" in status(page)
    page.get_by_label("Seed").press("ArrowRight")
    assert page.evaluate(f"{MODEL}.get('seed')") == 1
    button(page, "Reset").press("Enter")
    assert pictures(page) == opened


# Two states


def semi_gradient(w, target, gamma, epsilon, alpha, weights):
    """The expected update, as the chapter writes it."""
    phi, goes_on = np.array([1.0, 2.0]), np.array([1.0, 1 - epsilon])
    delta = gamma * goes_on * 2 * target - phi * w
    return alpha * np.sum(weights * delta * phi)


def growth(code, updates=1_000, **settings):
    usual = dict(gamma=0.99, epsilon=0.1, alpha=0.1, weighting="uniform", targetPeriod=1)
    return code(
        Divergence,
        "([s, n]) => ({ ...twoStateRun(s, n), ...twoStateGrowth(s) })",
        [usual | settings, updates],
    )


@pytest.mark.parametrize("period", [1, 7, 100])
@pytest.mark.parametrize("weighting", ["uniform", "visited"])
@pytest.mark.parametrize(("gamma", "epsilon", "alpha"), [(0.99, 0.1, 0.1), (0.7, 0.4, 0.3)])
def test_the_recursion_is_the_chapters(code, period, weighting, gamma, epsilon, alpha):
    settings = dict(gamma=gamma, epsilon=epsilon, alpha=alpha)
    found = growth(code, weighting=weighting, targetPeriod=period, updates=300, **settings)
    visits = np.array([1, 1 / epsilon])
    weights = np.array([0.5, 0.5]) if weighting == "uniform" else visits / visits.sum()
    w = [1.0]
    for i in range(300):
        if i % period == 0:
            target = w[-1]
        w.append(w[-1] + semi_gradient(w[-1], target, weights=weights, **settings))
    np.testing.assert_allclose(found["weights"], w, rtol=1e-12, atol=0)
    ends = np.array(w[::period])  # and the closed form at the ends of periods
    np.testing.assert_allclose(ends, found["period"] ** np.arange(len(ends)), rtol=1e-9)


def test_the_chapters_numbers(code):
    ends = {
        (0.85, "uniform"): "5.7e-06",
        (0.99, "uniform"): "4.5e+11",
        (0.99, "visited"): "2.8e-14",
    }
    for (gamma, weighting), end in ends.items():
        assert f"{growth(code, gamma=gamma, weighting=weighting)['weights'][-1]:.1e}" == end
    found = growth(code)
    assert f"{found['threshold']:.3f} {found['factor']:.4f}" == "0.893 1.0272"
    still = growth(code, gamma=found["threshold"])
    assert still["weights"][-1] == pytest.approx(1, abs=1e-9)


def test_an_update_with_a_target_is_the_librarys(code):
    """State 2 is ten of twenty transitions: nine stay there, one ends."""
    one = torch.ones(20, dtype=torch.float64)
    states = torch.tensor([1.0] * 10 + [2.0] * 10, dtype=torch.float64)[:, None]
    ends = torch.tensor([0.0] * 19 + [1.0], dtype=torch.float64)
    batch = Batch(states, torch.zeros(20).long(), 0 * one, 2 * one[:, None], ends, 0.99 * one)
    online, target = (torch.nn.Linear(1, 1, bias=False).double() for _ in range(2))
    online.weight.data.fill_(0.3)
    target.weight.data.fill_(0.8)
    losses, *_ = q_learning_loss(online, target, batch)
    losses.mean().backward()
    found = code(
        Divergence,
        "(settings) => twoStateUpdate(0.3, 0.8, settings)",
        dict(gamma=0.99, epsilon=0.1, alpha=0.1, weighting="uniform"),
    )
    assert found["change"] == pytest.approx(-0.1 / 2 * online.weight.grad.item(), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.1, Divergence.alpha.max])
@pytest.mark.parametrize("period", [1, 2, 3, 100])
def test_the_threshold_is_where_it_turns_whatever_period_and_rate(code, period, alpha):
    settings = dict(targetPeriod=period, alpha=alpha)
    at = growth(code, **settings)["threshold"]
    below, above = (growth(code, gamma=at + d, **settings) for d in (-0.01, 0.01))
    assert below["factor"] < 1 < above["factor"]
    assert abs(below["weights"][-1]) < 1 < abs(above["weights"][-1])


def test_a_longer_period_only_slows_it_down(code):
    factors = [growth(code, targetPeriod=period)["factor"] for period in (1, 10, 100, 500)]
    assert factors == sorted(factors, reverse=True) and factors[-1] > 1


def test_divergence_obeys_mouse_and_keyboard(show):
    page = show(Divergence())
    opening = "w = 4.5 x 10^11; factor 1.0272 per update: the weight grows without bound"
    assert opening in status(page)
    note = page.locator(".rl-note")
    assert "[(6 - 4 x 0.1) x 0.99 - 5] = 1.0272" in note.inner_text()
    assert "5 / (6 - 4 x 0.1) = 0.893" in note.inner_text()
    opened = pictures(page)
    page.get_by_label("Discount gamma").fill("0.85")
    assert "w = 5.7 x 10^-6" in status(page) and "decays" in status(page)
    assert all(now != then for now, then in zip(pictures(page), opened, strict=True))
    page.get_by_label("Weighting").select_option("visited")
    assert "beyond every discount" in note.inner_text()
    button(page, "Reset").press("Enter")
    assert pictures(page) == opened
    page.get_by_label("Target period").press("End")
    assert "a period of 500 updates multiplies w" in note.inner_text()
    assert 0.3 < drag(page, "Learning rate", 0.9) <= 0.4
    button(page, "Reset").click()
    button(page, "One update").click()
    assert "After 0 updates w = 1.000" in status(page)
    assert "TD errors 0.9800 and -0.2180, so w moves by 0.02720" in status(page)
    button(page, "One update").press("Enter")
    assert "After 1 update w = 1.027" in status(page)
    button(page, "Play").click()
    wait_for_status(page, r"After [1-9]\d\d? updates")
    wait_for_status(page, "After 1,000 updates")
    button(page, "Play").wait_for()  # it has stopped by itself


# All three


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.NAME)
def test_the_kernel_and_the_page_agree_on_inputs(show, experiment):
    page = show(experiment())
    name, label, value = {
        FrozenLake: ("alpha", "Learning rate alpha", 0.25),
        BinnedCartPole: ("k", "Bins per number, k", 4),
        Divergence: ("gamma", "Discount gamma", 0.9),
    }[experiment]
    page.evaluate(f"value => {MODEL}.set('{name}', value)", value)
    assert float(page.get_by_label(label).input_value()) == value
    page.get_by_label(label).press("ArrowRight")
    assert page.evaluate(f"{MODEL}.get('{name}')") > value
    assert page.evaluate(f"{MODEL}.get('state')")


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.NAME)
def test_the_module_renders_in_a_kernels_page_and_can_be_removed(show, experiment):
    page = show(experiment())
    render_and_remove(page, experiment, canvases=2)


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.NAME)
def test_it_is_accessible_and_fits(show, experiment, width, scheme):
    page = show(experiment(), width=width, color_scheme=scheme)
    if page.locator("summary").count():
        page.locator("summary").first.press("Enter")
        page.wait_for_selector("tbody tr")
    assert_accessible(page, width, scheme)
    for canvas in page.locator("canvas").all():
        assert canvas.get_attribute("aria-label")
    assert page.locator(".rl-unseen").first.inner_text() == experiment.SUMMARY

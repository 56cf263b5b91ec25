"""Replay, moving target and seeds in a real browser: they compute what the chapters compute."""

import base64
import json
import re

import numpy as np
import pytest
import torch
from experiments import (
    MODEL,
    assert_accessible,
    pictures,
    render_and_remove,
    status,
    tab_to,
    wait_for_status,
)
from safetensors import safe_open
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.experiments import static
from rl_lab.course.experiments.lander_distribution import LanderDistribution
from rl_lab.course.experiments.landing import Landing
from rl_lab.course.experiments.learning import MovingTarget, ReplayRing
from rl_lab.course.experiments.seeds import ARMS, HowManySeeds
from rl_lab.course.results import curves, load_study
from rl_lab.envs import Chain, optimal_q
from rl_lab.networks import QNetwork
from rl_lab.replay import ReplayBuffer, Sample
from rl_lab.stats import iqm

pytestmark = pytest.mark.slow

EXPERIMENTS = [HowManySeeds, MovingTarget, ReplayRing, Landing, LanderDistribution]
TARGET = "[data-experiment=moving_target]"
RING = "[data-experiment=replay_ring]"
LANDING = "[data-experiment=landing]"
SEEDS = "[data-experiment=how_many_seeds]"
# Draws that a test decides: what makeRandom returns, from a list of whole numbers.
GIVEN = "const given = (list) => { let i = 0; return { integer: () => list[i++] }; };"


@pytest.fixture
def code(functions):
    """Open a page that holds all functions of an experiment, and draws that a test decides."""

    def load(name):
        page = functions(name)
        page.add_script_tag(content=GIVEN)
        return page

    return load


# How many seeds


@pytest.fixture(scope="module")
def study():
    """The stored study: evaluations [steps, seeds] and final returns [seeds], by arm."""
    tables = load_study(static.DATA / "replay_target").tables
    final = {arm: rows["return"].to_numpy() for arm, rows in tables["final"].groupby("arm")}
    return curves(tables["evals"], "return"), final


def test_the_page_reads_the_stored_study(code, study):
    evals, final = study
    found = code("how_many_seeds").evaluate(
        """(files) => {
          const bytes = (coded) => Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
          const views = files.map((coded) => new DataView(bytes(coded).buffer));
          return Object.fromEntries(readArms(...views));
        }""",
        [base64.b64encode(static.asset_path(n).read_bytes()).decode() for n in HowManySeeds.ASSETS],
    )
    assert tuple(found) == ARMS
    for arm in ARMS:
        assert found[arm]["steps"] == list(evals[arm].index)
        np.testing.assert_array_equal(np.transpose(found[arm]["curves"]), evals[arm])
        np.testing.assert_allclose(found[arm]["area"], evals[arm].mean(), rtol=1e-12)
        np.testing.assert_array_equal(found[arm]["final"], final[arm])


@pytest.mark.parametrize("n", [1, 3, 4, 7, 30])
def test_its_inter_quartile_mean_and_band_are_those_of_the_library(code, n):
    rng = np.random.default_rng(n)
    rows = rng.uniform(0, 500, (n, 3))
    draws = rng.integers(n, size=(200, n))
    page = code("how_many_seeds")
    found = page.evaluate(
        "rows => rows[0].map((_, p) => iqm(rows.map((r) => r[p])))", rows.tolist()
    )
    np.testing.assert_allclose(found, iqm(rows), rtol=1e-12)
    band = page.evaluate(
        "([rows, draws]) => bootstrapBand(rows, 200, given(draws))",
        [rows.tolist(), draws.ravel().tolist()],
    )
    resampled = iqm(rows[draws], axis=1)  # [200, 3]
    np.testing.assert_allclose(
        [band["low"], band["high"]], np.quantile(resampled, [0.025, 0.975], axis=0), rtol=1e-12
    )


@pytest.mark.parametrize("k", [1, 3, 10])
def test_the_share_that_mislead_is_the_chapters(code, study, k):
    _, final = study
    page = code("how_many_seeds")
    better, worse = final["both"], final["replay only"]
    assert iqm(better) > iqm(worse)
    draws = np.random.default_rng(0).integers(30, size=(2_000, 2, k))
    a, b = iqm(better[draws[:, 0]], axis=1), iqm(worse[draws[:, 1]], axis=1)
    expected = (a < b).mean() + (a == b).mean() / 2
    for order in ((0, 1), (1, 0)):
        arms = [[better, worse][i].tolist() for i in order]
        given = draws[:, list(order)].ravel().tolist()
        found = page.evaluate(
            "([arms, k, draws]) => misled(arms, k, 2000, given(draws))", [arms, k, given]
        )
        assert found == pytest.approx(expected, abs=1e-12)
    own = page.evaluate("([arms, k]) => misled(arms, k, 4000, makeRandom(1))", [arms, k])
    assert own == pytest.approx(expected, abs=0.05)


def test_a_tie_of_the_winners_counts_as_shared(code):
    means = [[3, 3, 1], [3, 2, 1], [1, 3, 3], [2, 2, 2]]
    found = code("how_many_seeds").evaluate("list => list.map((m) => wrongWinner(m, 0))", means)
    np.testing.assert_allclose(found, [1 / 2, 0, 1, 2 / 3])


def test_studies_are_drawn_by_keyboard_and_by_mouse(show):
    page = show(HowManySeeds())
    assert "replay only wins, which is what all 30 seeds say" in status(page)
    before = pictures(page)
    tab_to(page, "Draw a study")
    page.keyboard.press("Enter")
    assert "Study 2, 3 seeds per arm" in status(page)
    assert pictures(page) != before
    page.get_by_role("button", name="Draw many").click()
    wait_for_status(page, "Study 5,")
    page.get_by_role("button", name="Pause").click()
    state = page.evaluate(f"{MODEL}.get('state')")
    assert state["studies"] >= 5 and 0 <= state["wrong"] <= state["studies"]
    page.get_by_label("Seeds per arm").press("ArrowRight")
    assert "Study 1, 4 seeds per arm" in status(page)
    page.get_by_label("Measure").select_option("final")
    assert "both wins" in status(page) or "all 30 seeds say both" in status(page)
    page.get_by_label("target only").check()
    assert page.evaluate(f"{MODEL}.get('arms')") == ["both", "replay only", "target only"]
    assert page.locator(f"{SEEDS} tbody tr").count() == 3
    assert "2,000 studies" in page.locator(f"{SEEDS} .rl-note").inner_text()
    for arm in ("both", "replay only"):
        page.get_by_label(arm, exact=True).uncheck()
    assert "at least two arms" in status(page)
    page.get_by_role("button", name="Reset").click()
    assert page.get_by_label("Seeds per arm").input_value() == "3"
    assert pictures(page) == before


def test_the_seed_that_the_text_names_misleads_with_three_and_with_ten(show):
    page = show(HowManySeeds(seed=13))
    assert "both wins, which is wrong: all 30 seeds say replay only" in status(page)
    page.evaluate(f"{MODEL}.set('k', 10)")  # as a kernel does
    assert page.get_by_label("Seeds per arm").input_value() == "10"
    assert "both wins, which is wrong" in status(page)
    page.get_by_label("Seeds per arm").fill("2")
    assert "no interval" in page.locator(f"{SEEDS} tbody").inner_text()


# Replay


def test_the_ring_writes_and_ages_as_the_library_does(code):
    n_pushed, capacity = 23, 7
    library = ReplayBuffer(capacity)
    slots = [library.push([i], 0, 0.0, [i], False) for i in range(n_pushed)]
    found = code("replay_ring").evaluate(
        """([n, capacity]) => {
          const ring = new Ring(capacity);
          const sizes = [];
          for (let i = 0; i < n; i += 1) {
            ring.push(i);
            sizes.push(ring.size);
          }
          const ages = ring.items.map((_, slot) => ring.age(slot));
          return { items: ring.items, ages, sizes, drawn: ring.draw(3, given([2, 0, 2])) };
        }""",
        [n_pushed, capacity],
    )
    kept = library.gather(np.arange(capacity)).observations[:, 0].int().tolist()
    assert found["items"] == kept
    assert found["ages"] == [(slots[-1] - slot) % capacity for slot in range(capacity)]
    assert sorted(found["ages"]) == list(range(capacity))
    assert found["sizes"] == [min(i + 1, capacity) for i in range(n_pushed)]
    assert found["drawn"] == [2, 0, 2]


@pytest.mark.parametrize(("pushed", "before", "after"), [(23, 7, 4), (23, 7, 9), (3, 7, 5)])
def test_a_ring_of_another_capacity_keeps_the_newest(code, pushed, before, after):
    kept, ages, next_slot = code("replay_ring").evaluate(
        """([pushed, before, after]) => {
          const ring = new Ring(before);
          for (let i = 0; i < pushed; i += 1) ring.push(i);
          const other = ring.resized(after);
          const ages = other.items.map((_, slot) => other.age(slot));
          return [[...other.items], ages, other.pushed % other.capacity];
        }""",
        [pushed, before, after],
    )
    n = min(pushed, before, after)
    assert kept == list(range(pushed - n, pushed))
    assert ages == list(range(n))[::-1]
    assert next_slot == n % after


def test_correlation_and_worth_are_those_of_the_chapter(code):
    rng = np.random.default_rng(3)
    states = rng.normal(size=(12, 32, 4)).cumsum(axis=1)
    found = code("replay_ring").evaluate(
        """(batches) => {
          const statistics = new MinibatchStatistics(24);
          batches.forEach((rows) => statistics.add(rows));
          const features = [0, 1, 2, 3];
          const all = (f) => batches.flat().map((row) => row[f]);
          return {
            correlation: [1, 7, 24].map((k) => features.map((f) => statistics.correlation(f, k))),
            worth: features.map((f) => statistics.worth(f, populationVariance(all(f)))),
          };
        }""",
        states.tolist(),
    )
    for k, row in zip((1, 7, 24), found["correlation"], strict=True):
        x, y = states[:, :-k].reshape(-1, 4), states[:, k:].reshape(-1, 4)
        expected = [np.corrcoef(x[:, f], y[:, f])[0, 1] for f in range(4)]
        np.testing.assert_allclose(row, expected, rtol=1e-9)
    expected = states.reshape(-1, 4).var(0) / states.mean(1).var(0)
    np.testing.assert_allclose(found["worth"], expected, rtol=1e-9)


def test_expected_ages_are_uniform_over_what_is_stored(code):
    sizes, edges = [2, 4, 10, 10], [0, 2.5, 5, 7.5, 10]
    found = code("replay_ring").evaluate("([s, e]) => expectedAges(s, e)", [sizes, edges])
    uniform = [np.clip(np.diff(np.minimum(edges, size)), 0, None) / size for size in sizes]
    np.testing.assert_allclose(found, np.mean(uniform, axis=0))
    assert sum(found) == pytest.approx(1)


def test_the_opening_picture_shows_what_the_chapter_measures(show):
    page = show(ReplayRing(capacity=10_000, speed=1_000.0))
    assert "420 of 10,000 slots filled, 13 minibatches of 32 drawn" in status(page)
    page.get_by_role("button", name="Play").click()
    wait_for_status(page, r"step [4-9],\d{3}", timeout=30_000)
    page.get_by_role("button", name="Pause").click()
    rows = page.locator(f"{RING} tbody tr").all()
    (near, few, young), (far, many, old) = (
        map(float, row.locator("td").all_inner_texts()) for row in rows
    )
    assert near > 0.8 and abs(far) < 0.15
    assert few < 4.5 and many > 2 * few
    assert young == 15.5 and old > 500


def test_the_ring_fills_by_keyboard_and_by_mouse(show):
    page = show(ReplayRing())
    opened = pictures(page)
    assert "300 of 300 slots filled" in status(page)
    tab_to(page, "Empty the ring")
    page.keyboard.press("Enter")
    assert "Environment step 0, episode 1, 0 of 300 slots" in status(page)
    page.get_by_role("button", name="Step").click()
    assert "Environment step 1, episode 1, 1 of 300 slots" in status(page)
    assert pictures(page) != opened
    page.get_by_label("Batch size").press("ArrowLeft")
    page.get_by_label("Capacity").select_option("50")
    page.get_by_label("steps per second").select_option("1000")
    tab_to(page, "Play")
    page.keyboard.press("Enter")
    wait_for_status(page, r"50 of 50 slots filled, \d+ minibatches of 31 drawn")
    page.keyboard.press("Enter")
    stopped = pictures(page)
    page.get_by_label("Feature").select_option("cart position")
    assert pictures(page) != stopped
    page.evaluate(f"{MODEL}.set('capacity', 77)")  # as a kernel does
    assert "50 of 77 slots filled, 0 minibatches" in status(page)  # the newest are kept
    assert page.get_by_label("Capacity").input_value() == "77"
    page.get_by_role("button", name="Reset").click()
    assert pictures(page) == opened


def test_the_seed_that_the_text_names_fills_a_small_ring_with_one_episode(show):
    page = show(ReplayRing(capacity=50, seed=23))
    page.get_by_role("button", name="Empty the ring").click()
    step = page.get_by_role("button", name="Step")
    seen = page.evaluate(
        """(button) => Array.from({ length: 400 }, () => {
          button.click();
          return document.querySelector(".rl-status").textContent;
        })""",
        step.element_handle(),
    )
    episodes = [re.search(r"episode (\d+)", text)[1] for text in seen]
    longest = max(episodes.count(number) for number in set(episodes))
    assert longest > 50, "the ring holds the latest 50 transitions"


def test_a_correlation_that_is_not_known_yet_is_a_dash(show):
    page = show(ReplayRing(batch=2))
    page.get_by_role("button", name="Empty the ring").click()
    for _ in range(2):
        page.get_by_role("button", name="Step").click()
    assert "1 minibatch of 2 drawn. Neighbours in the minibatch correlate at - in a row, - " in (
        status(page)
    )
    assert "NaN" not in page.locator(f"{RING} tbody").inner_text()


def test_the_ring_says_where_its_run_ends(show):
    page = show(ReplayRing(speed=1_000.0))
    page.evaluate(  # every frame a second later than the last
        """() => {
          const ask = window.requestAnimationFrame.bind(window);
          let late = 0;
          window.requestAnimationFrame = (f) => ask((now) => f(now + (late += 1000)));
        }"""
    )
    page.get_by_role("button", name="Play").click()
    ends = "The run ends at 20,000 environment steps; press Reset."
    wait_for_status(page, ends, timeout=30_000)
    assert "Environment step 20,000," in status(page)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Play").wait_for()
    assert "Environment step 20,000," in status(page)
    page.get_by_role("button", name="Reset").click()
    assert ends not in status(page)


@pytest.mark.parametrize(
    "experiment", [ReplayRing, Landing, LanderDistribution], ids=lambda e: e.NAME
)
def test_the_kernel_hears_of_it_at_the_pause_only(show, experiment):
    page = show(experiment())
    page.evaluate(f"() => {{ window.saves = 0; {MODEL}.on('change', () => (window.saves += 1)); }}")
    page.get_by_role("button", name="Play").click()
    before = page.locator(".rl-status").inner_text()
    page.wait_for_function(
        "before => document.querySelector('.rl-status').textContent !== before", arg=before
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.saves") == 0
    page.get_by_role("button", name="Pause").click()
    assert page.evaluate("window.saves") == 1


# Moving target


class GivenDraws(ReplayBuffer):
    """A `ReplayBuffer` whose draws a test decides."""

    def __init__(self, capacity, draws):
        super().__init__(capacity)
        self.draws = iter(draws)

    def sample(self, batch_size):
        indices = next(self.draws)
        return Sample(self.gather(indices), indices, torch.ones(batch_size))


def weights(network):
    return [parameter.detach().flatten().tolist() for parameter in network.parameters()]


def test_the_corridor_and_its_values_are_those_of_the_library(code):
    page = code("moving_target")
    chain = Chain(10, slip=0.1)
    found = page.evaluate("corridorOptimum()")
    np.testing.assert_allclose(found, optimal_q(chain.P, 0.95), rtol=0, atol=1e-9)
    for cell, actions in chain.P.items():
        for action, ((_, *planned), _) in actions.items():
            move = page.evaluate("([s, a]) => corridorMove(s, a)", [cell, action])
            assert [move["next"], move["reward"], move["done"]] == planned


@pytest.mark.parametrize(("period", "tau"), [(1, 1.0), (3, 1.0), (1, 0.2)])
def test_online_and_target_network_follow_those_of_dqn_agent(code, period, tau):
    rng = np.random.default_rng(5)
    updates = 8
    draws = [rng.integers(16 + i, size=16) for i in range(updates)]
    settings = dict(hidden_dim=32, lr=1e-3, gamma=0.95, batch_size=16, learning_starts=16)
    refresh = dict(target_update_freq=period, tau=tau)
    store = GivenDraws(100, draws)
    agent = DQNAgent(1, 2, **settings, **refresh, replay=store, device="cpu", seed=0)
    begun = weights(agent.online)
    place = np.linspace(-1, 1, 10, dtype=np.float32)[:, None]
    walk = []
    for _ in range(15 + updates):
        state, action, after = (int(n) for n in rng.integers([10, 2, 10]))
        done = state == 9 and action == 1
        walk.append([state, action, float(done), after, done])
        agent.update(place[state], action, float(done), place[after], done)
    found = code("moving_target").evaluate(
        """([settings, begun, walk, draws]) => {
          const learner = new CorridorLearner({ ...settings, seed: 0 });
          for (const network of [learner.online, learner.target])
            network.layers.forEach(({ weight, bias }, depth) => {
              weight.set(begun[2 * depth]);
              bias.set(begun[2 * depth + 1]);
            });
          learner.sampling = given(draws);
          for (const transition of walk) learner.observe(...transition);
          const all = (network) => network.layers.flatMap((l) => [[...l.weight], [...l.bias]]);
          const { updates, copies } = learner;
          return { online: all(learner.online), target: all(learner.target), updates, copies,
                   values: learner.values(learner.target) };
        }""",
        [{"period": period, "tau": tau}, begun, walk, np.concatenate(draws).tolist()],
    )
    assert (found["updates"], found["copies"]) == (updates, updates // period)
    for name in ("online", "target"):
        for mine, theirs in zip(found[name], weights(getattr(agent, name)), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5)
    if period > 1:
        assert found["online"] != found["target"]
    with torch.no_grad():
        expected = agent.target(torch.from_numpy(place))
    np.testing.assert_allclose(found["values"], expected, rtol=0, atol=1e-5)


LATE = """([period, tau, seeds]) => seeds.map((seed) => {
  const exact = corridorOptimum();
  const learner = new CorridorLearner({ period, tau, seed });
  const errors = [];
  while (learner.stored.length < 4000) {
    learner.step();
    if (learner.stored.length > 3000 && learner.stored.length % 100 === 0)
      errors.push(learner.error(learner.online, exact));
  }
  return errors.reduce((sum, error) => sum + error, 0) / errors.length;
})"""


@pytest.mark.parametrize("arm", ["period 1,000", "tau 0.02"])
def test_it_ends_where_the_stored_study_ends(code, arm):
    stored = curves(load_study(static.DATA / "chain").tables["errors"], "rms")[arm]
    ends = stored.loc[3_100:].mean()
    kind, number = arm.split()
    period, tau = (1_000, 1) if kind == "period" else (1, float(number))
    found = code("moving_target").evaluate(LATE, [period, tau, [0, 1, 2]])
    assert ends.min() < np.mean(found) < ends.max()


def test_the_seed_that_the_text_names_runs_away_and_comes_back(code):
    largest = """(period) => {
      const exact = corridorOptimum();
      const learner = new CorridorLearner({ period, tau: 1, seed: 29 });
      const errors = Array.from({ length: 1000 }, () => {
        learner.step();
        return learner.error(learner.online, exact);
      });
      return [Math.max(...errors), errors.at(-1)];
    }"""
    page = code("moving_target")
    (worst, last), (steady, _) = page.evaluate(largest, 1), page.evaluate(largest, 10)
    assert worst > 2 and last < 0.5
    assert steady < 1


def test_the_target_waits_for_its_copy(show):
    page = show(MovingTarget())
    assert "environment step 400, 385 updates, 3 copies, the last 85 updates" in status(page)
    target = re.compile(r"target (\d\.\d+)")
    before, picture = target.search(status(page))[1], pictures(page)
    tab_to(page, "Step")
    for _ in range(14):
        page.keyboard.press("Enter")
    assert "399 updates, 3 copies" in status(page)
    assert target.search(status(page))[1] == before
    page.keyboard.press("Enter")
    assert "400 updates, 4 copies, the last 0 updates" in status(page)
    after = status(page)
    assert target.search(after)[1] != before
    assert target.search(after)[1] == re.search(r"online (\d\.\d+)", after)[1]
    assert pictures(page) != picture


def test_runs_of_other_targets_stay_for_comparison(show):
    page = show(MovingTarget(speed=400.0))
    opened = pictures(page)
    page.get_by_label("Action shown").select_option("left")
    assert pictures(page) != opened
    page.get_by_label("Period C").select_option("1")
    assert "period 1, seed 0: environment step 0, 0 updates" in status(page)
    page.get_by_role("button", name="Play").click()
    wait_for_status(page, r"environment step ([1-9]\d\d|[1-9]\d{0,2},\d{3})")
    page.get_by_role("button", name="Pause").click()
    page.evaluate(f"{MODEL}.set('refresh', 'soft')")  # as a kernel does
    assert "tau 0.02, seed 0" in status(page)
    assert not page.get_by_label("Period C").is_visible()
    page.get_by_label("Seed").press("ArrowRight")
    assert "tau 0.02, seed 1: environment step 0" in status(page)
    page.get_by_role("button", name="Reset").click()
    assert pictures(page) == opened
    assert page.get_by_label("Period C").input_value() == "100"


# Landing


@pytest.mark.parametrize("moment", Landing.moment.values)
def test_the_traces_are_those_of_the_recorded_networks(moment):
    stored = load_arrays(static.asset_path("landing"))
    states, q, actions, rewards = np.split(stored[f"{moment}.steps"], [8, 12, 13], axis=1)
    weights = load_file(static.DATA.parent / "videos" / f"lunar_lander_{moment}.safetensors")
    network = QNetwork(8, 4, len(weights["first.bias"]))
    network.load_state_dict(weights)
    with torch.no_grad():
        expected = network(torch.from_numpy(states)).numpy()
    np.testing.assert_allclose(q, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(actions[:, 0], q.argmax(1))
    assert rewards[-1] == 0 and (np.diff(states[:, 0]) != 0).any()


def test_a_landing_ends_on_the_pad_and_a_crash_does_not():
    stored = load_arrays(static.asset_path("landing"))
    ends = {moment: stored[f"{moment}.steps"][-2:] for moment in Landing.moment.values}
    assert ends["landing"][0, -1] == 100 and (ends["landing"][1, 6:8] == 1).all()
    assert ends["crash"][0, -1] == -100
    assert len(stored["hover.steps"]) == 401 and ends["hover"][1, 1] > 0.1


def test_a_landing_is_moved_through_by_keyboard_and_by_mouse(show):
    page = show(Landing())
    opened = pictures(page)
    steps = load_arrays(static.asset_path("landing"))["landing.steps"]
    assert "landing, environment step 120 of 252" in status(page)
    page.get_by_label("Environment step").press("ArrowRight")
    text = status(page)
    assert "step 121 of 252" in text
    assert [float(x) for x in re.findall(r"engine (-?[\d.]+\d)", text)] == pytest.approx(
        steps[121, 9:12], abs=0.051
    )
    cells = page.locator(f"{LANDING} tbody td").all_inner_texts()
    assert [float(x) for x in cells[:6]] == pytest.approx(steps[121, :6], abs=0.0051)
    assert pictures(page) != opened
    tab_to(page, "Play")
    page.keyboard.press("Enter")
    wait_for_status(page, r"step 1[3-9]\d of")
    page.get_by_role("button", name="Pause").click()
    page.evaluate(f"{MODEL}.set('step', 252)")  # as a kernel does
    assert "The episode is over." in status(page)
    page.get_by_label("Moment").select_option("hover")
    page.get_by_label("Environment step").fill("400")
    assert "The video is cut here." in status(page)
    page.get_by_label("Moment").select_option("crash")
    assert "step 67 of 67" in status(page)
    page.get_by_role("button", name="Reset").click()
    assert pictures(page) == opened


# What the lander expects


@pytest.fixture(scope="module")
def flown():
    """The stored flights, and their manifest."""
    path = static.asset_path("lander_distribution")
    with safe_open(path, "np") as file:
        manifest = json.loads(file.metadata()["manifest"])
    return load_arrays(path), manifest


@pytest.mark.parametrize("flight", LanderDistribution.flight.values)
def test_the_flights_are_those_of_the_stored_network(flown, flight):
    stored, manifest = flown
    moment = manifest["flights"][flight]["moment"]
    weights = load_file(static.DATA / "lander_distribution_weights.safetensors")
    network = QNetwork(8, 4, 128, n_atoms=manifest["n_atoms"])
    network.load_state_dict(
        {k.partition(".")[2]: v for k, v in weights.items() if k.startswith(f"{moment}.")}
    )
    states, q, actions, _ = np.split(stored[f"{flight}.steps"], [8, 12, 13], axis=1)
    with torch.no_grad():
        expected = network(torch.from_numpy(states)).softmax(-1).numpy()
    support = np.linspace(manifest["v_min"], manifest["v_max"], manifest["n_atoms"])
    np.testing.assert_allclose(q, expected @ support, rtol=1e-4, atol=1e-2)
    np.testing.assert_array_equal(actions[:, 0], q.argmax(1))
    chosen = expected[np.arange(len(q)), actions[:, 0].astype(int)]
    np.testing.assert_allclose(stored[f"{flight}.probabilities"], chosen, atol=1e-5)


def test_a_flight_is_moved_through_and_its_numbers_are_right(show, flown):
    stored, manifest = flown
    page = show(LanderDistribution())
    opened = pictures(page)
    for flight in LanderDistribution.flight.values:
        page.get_by_label("Which flight").select_option(flight)
        page.get_by_label("Environment step").press("ArrowRight")
        text = status(page)
        step = int(re.search(r"environment step (\d+) of", text)[1])
        assert step > 0 and f"of {manifest['flights'][flight]['length']}." in text
        support = np.linspace(manifest["v_min"], manifest["v_max"], manifest["n_atoms"])
        p = stored[f"{flight}.probabilities"][step]
        rewards = stored[f"{flight}.steps"][step:, -1]
        mean = p @ support
        told = [
            mean,
            np.sqrt(p @ (support - mean) ** 2),
            p[support < 0].sum(),
            rewards @ manifest["gamma"] ** np.arange(len(rewards)),
        ]
        pattern = (
            r"mean (\S+), standard deviation (\S+), .* probability (\S+)\. .* returned (\S+)\."
        )
        assert [float(x) for x in re.search(pattern, text).groups()] == pytest.approx(
            told, abs=0.06
        )
    assert pictures(page) != opened
    page.evaluate(f"{MODEL}.set('step', 1000)")  # as a kernel does
    assert "The flight is over." in status(page)
    page.get_by_role("button", name="Reset").click()
    assert pictures(page) == opened


# All of them


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.NAME)
def test_the_module_renders_in_a_kernels_page_and_can_be_removed(show, experiment):
    page = show(experiment())
    render_and_remove(page, experiment, canvases=1)


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_are_accessible_and_fit(show, width, scheme):
    page = show(*(e() for e in EXPERIMENTS), width=width, color_scheme=scheme)
    assert_accessible(page, width, scheme)
    for experiment in EXPERIMENTS:
        place = f"[data-experiment={experiment.NAME}]"
        assert page.locator(f"{place} canvas").get_attribute("aria-label")
        assert page.locator(f"{place} .rl-summary").count() == 0  # the view has taken its place
        assert page.locator(f"{place} .rl-unseen").first.inner_text()

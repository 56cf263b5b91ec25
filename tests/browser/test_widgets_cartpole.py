"""CartPole's experiments in a real browser: they compute what the course teaches, and obey."""

import base64
import contextlib
import json
import re
from functools import partial

import gymnasium as gym
import numpy as np
import psutil
import pytest
import torch
from experiments import (
    assert_accessible,
    pictures,
    render_and_remove,
    status,
    tab_to,
    wait_for_status,
)
from safetensors.torch import load_file

from rl_lab.course.experiments import static
from rl_lab.course.experiments.cartpole import CartPoleLive, TrainCartPole
from rl_lab.losses import q_learning_loss
from rl_lab.n_step import NStep
from rl_lab.networks import DuelingQNetwork, QNetwork, seeded
from rl_lab.replay import Batch

pytestmark = pytest.mark.slow

LIVE = "[data-experiment=cartpole_live]"
TRAIN = "[data-experiment=train_cartpole]"


@pytest.fixture
def code(functions):
    """A page that holds all functions of both experiments, and no experiment."""
    return functions("train_cartpole")


def test_the_physics_is_gymnasiums(code):
    rng = np.random.default_rng(0)
    states = rng.uniform([-2.5, -3, -0.25, -3], [2.5, 3, 0.25, 3], size=(1_000, 4))
    actions = rng.integers(2, size=1_000)
    env = gym.make("CartPole-v1").unwrapped
    env.reset(seed=0)
    expected, ended = [], []
    for state, action in zip(states, actions, strict=True):
        env.state, env.steps_beyond_terminated = state, None
        _, _, terminated, _, _ = env.step(int(action))
        expected.append(env.state)
        ended.append(terminated)
    found = code.evaluate(
        "([states, actions]) => states.map((state, i) => CartPole.next(state, actions[i]))",
        [states.tolist(), actions.tolist()],
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    over = code.evaluate("states => states.map(state => CartPole.over(state))", found)
    assert over == ended
    assert 0 < sum(ended) < 1_000
    assert code.evaluate("CartPole.stepLimit") == gym.spec("CartPole-v1").max_episode_steps


@pytest.mark.parametrize("moment", CartPoleLive.checkpoint.values)
def test_the_network_is_torchs(code, moment):
    path = static.asset_path("checkpoints")
    network = QNetwork(4, 2)
    prefix = f"{moment}."
    tensors = {k.removeprefix(prefix): v for k, v in load_file(path).items() if prefix in k}
    network.load_state_dict(tensors)
    states = np.random.default_rng(1).uniform([-2, -2, -0.2, -2], [2, 2, 0.2, 2], (200, 4))
    states = states.astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(states)).numpy()
    found = code.evaluate(
        """([coded, moment, states]) => {
          const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
          const { tensors } = readSafetensors(new DataView(bytes.buffer));
          const network = QNetwork.from(tensors, moment);
          return states.map((state) => [...network.values(state)]);
        }""",
        [base64.b64encode(path.read_bytes()).decode(), moment, states.tolist()],
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("network", [QNetwork, DuelingQNetwork])
@pytest.mark.parametrize("double", [False, True])
def test_a_gradient_step_is_rl_labs(code, double, network):
    size, hidden, gamma, lr, steps = 32, 32, 0.99, 2e-3, 2
    rng = np.random.default_rng(2)
    batch = dict(
        states=rng.normal(size=(size, 4)).astype(np.float32),
        actions=rng.integers(2, size=size),
        rewards=np.ones(size, np.float32),
        nextStates=rng.normal(size=(size, 4)).astype(np.float32),
        dones=(rng.random(size) < 0.25).astype(np.float32),
        horizons=rng.choice([1, 3, 5], size=size),
    )
    assert 0 < batch["dones"].sum() < size
    online, target = (seeded(partial(network, 4, 2, hidden), seed) for seed in (3, 4))
    weights = [
        {name: tensor.flatten().tolist() for name, tensor in network.state_dict().items()}
        for network in (online, target)
    ]
    found = code.evaluate(
        """([kind, sizes, weights, batch, settings, lr, steps]) => {
          const networks = weights.map((tensors) => {
            const network = new { QNetwork, DuelingQNetwork }[kind](sizes);
            const names = network.learned ? ["values.value", "values.advantages"] : ["values"];
            ["first", "second", ...names].forEach((name, i) => {
              const layer = (network.learned ?? network.layers)[i];
              layer.weight.set(tensors[`${name}.weight`]);
              layer.bias.set(tensors[`${name}.bias`]);
            });
            network.compose?.();
            return network;
          });
          const rule = new QLearning(networks[0], settings);
          rule.target.copyFrom(networks[1]);
          const losses = [];
          for (let i = 0; i < steps; i += 1) losses.push(rule.learn(batch, lr));
          const learned = networks[0].learned ?? networks[0].layers;
          const layers = learned.flatMap(({ weight, bias }) => [[...weight], [...bias]]);
          return { losses, layers, targets: [...rule.targets], errors: [...rule.errors] };
        }""",
        [
            network.__name__,
            [4, hidden, hidden, 2],
            weights,
            {name: array.flatten().tolist() for name, array in batch.items()},
            {"gamma": gamma, "double": double, "batch": size},
            lr,
            steps,
        ],
    )
    tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
    transitions = Batch(
        tensors["states"],
        tensors["actions"],
        tensors["rewards"],
        tensors["nextStates"],
        tensors["dones"],
        gamma ** tensors["horizons"],
    )
    optimizer = torch.optim.Adam(online.parameters(), lr=lr)
    for loss in found["losses"]:
        losses, errors, _ = q_learning_loss(online, target, transitions, double=double)
        assert loss == pytest.approx(losses.mean().item(), rel=1e-5)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
    np.testing.assert_allclose(found["errors"], errors, rtol=0, atol=1e-5)
    for found_layer, parameter in zip(found["layers"], online.parameters(), strict=True):
        expected = parameter.detach().flatten().numpy()
        np.testing.assert_allclose(found_layer, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("n", [1, 3, 5])
@pytest.mark.parametrize("terminal", [True, False])
def test_several_steps_are_joined_as_rl_lab_joins_them(code, n, terminal):
    """Two episodes, the first of four steps ends as given, the second goes on."""
    rewards, ends = [1, 0, 2, 4, 1, 3], 3
    found = code.evaluate(
        """([n, rewards, ends, terminal]) => {
          const join = new NStep(n, 0.5);
          return rewards.flatMap((reward, i) => {
            const done = terminal && i === ends;
            return join.step([i, 0, 0, 0], i % 2, reward, [i + 1, 0, 0, 0], done, i === ends);
          });
        }""",
        [n, rewards, ends, terminal],
    )
    join, expected = NStep(n, 0.5), []
    for i, reward in enumerate(rewards):
        flags = i == ends and terminal, i == ends and not terminal
        expected += join.step([i, 0, 0, 0], i % 2, reward, [i + 1, 0, 0, 0], *flags)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours["state"], ours["action"]) == (list(theirs.observation), theirs.action)
        assert (ours["nextState"], ours["done"]) == (list(theirs.next_observation), theirs.done)
        assert (ours["reward"], 0.5 ** ours["horizon"]) == (theirs.reward, theirs.discount)


def test_replay_keeps_the_newest_and_without_it_they_are_all_there_is(code):
    found = code.evaluate(
        """() => {
          const store = (recent) => {
            const replay = new Replay(5, 3, makeRandom(0), recent);
            for (let i = 0; i < 8; i += 1)
              replay.push({
                state: [i, 0, 0, 0],
                action: i % 2,
                reward: 1,
                nextState: [i, 1, 0, 0],
                done: i === 7,
                horizon: 1 + (i % 3),
              });
            return replay;
          };
          const sampled = store(false);
          const seen = new Set();
          for (let i = 0; i < 100; i += 1)
            for (let b = 0; b < 3; b += 1) seen.add(sampled.draw().states[4 * b]);
          const { states, actions, dones, horizons, ages } = store(true).draw();
          return {
            seen: [...seen].sort(),
            newest: [0, 4, 8].map((i) => states[i]),
            actions: [...actions],
            dones: [...dones],
            horizons: [...horizons],
            ages: [...ages],
          };
        }"""
    )
    assert found == {
        "seen": [3, 4, 5, 6, 7],
        "newest": [5, 6, 7],
        "actions": [1, 0, 1],
        "dones": [0, 0, 1],
        "horizons": [3, 1, 2],
        "ages": [2, 1, 0],
    }


def test_draws_repeat_and_have_the_shape_they_claim(code):
    found = code.evaluate(
        """() => {
          const draw = (seed) => {
            const { integer } = makeRandom(seed);
            return [1, 2, 3, 4].map(() => integer(1000));
          };
          const random = makeRandom(5);
          const uniform = Array.from({ length: 20000 }, () => random.uniform());
          const normal = Array.from({ length: 20000 }, () => random.normal());
          return { first: draw(1), again: draw(1), other: draw(2), uniform, normal };
        }"""
    )
    assert found["first"] == found["again"] != found["other"]
    assert np.mean(found["uniform"]) == pytest.approx(0.5, abs=0.01)
    assert np.std(found["uniform"]) == pytest.approx(12**-0.5, abs=0.01)
    assert np.mean(found["normal"]) == pytest.approx(0, abs=0.03)
    assert np.std(found["normal"]) == pytest.approx(1, abs=0.03)


def test_the_stored_runs_are_this_code(code):
    found = code.evaluate(
        """() => STORED_RUNS.map((run) => {
          const learner = new Learner(run.settings);
          const means = [];
          while (means.length < 4) {
            learner.step();
            if (learner.envSteps % STORED_EVERY === 0) means.push(learner.recentMean.toFixed(1));
          }
          return [means.map(Number), run.y.slice(0, 4)];
        })"""
    )
    assert len(found) == 2
    for computed, stored in found:
        assert computed == stored
    replay = code.evaluate("STORED_RUNS.map((run) => run.settings.replay)")
    assert replay == [True, False]


def test_what_the_chapters_say_of_the_stored_pair(code):
    """Ablation: ahead for several thousand steps; ends below what it passed in a quarter."""
    replay, recent = code.evaluate("STORED_RUNS.map((run) => run.y)")
    assert code.evaluate("STORED_RUNS[0].x.at(-1)") == 20_000
    ahead = [i for i, (a, b) in enumerate(zip(recent, replay, strict=True)) if a > b and i >= 20]
    assert 6 <= len(ahead) <= 18 and ahead == list(range(ahead[0], ahead[-1] + 1))
    assert recent[-1] < max(recent[:10]) and recent[-1] < replay[-1] / 3


def test_a_new_start_ends_the_loop_of_the_last_run(code):
    waiting, runs = code.evaluate(
        """() => {
          const waiting = new Map(); // by handle; nothing is called before the test says so
          let last = 0;
          window.setTimeout = (f) => (waiting.set(++last, f), last);
          window.clearTimeout = (handle) => waiting.delete(handle);
          const runs = [];
          const order = hostLearner((report) => runs.push(report.run), 1);
          const settings = STORED_RUNS[0].settings;
          const counts = ["start", "run", "pause", "start", "run", "step", "run"].map((kind, i) => {
            order({ kind, settings, run: i });
            return waiting.size;
          });
          return [counts, runs];
        }"""
    )
    assert waiting == [0, 1, 0, 0, 1, 0, 1]
    assert runs and set(runs) <= {0, 3} and runs == sorted(runs)


# A worker that a test speaks for: what it was told is in `orders`.
GIVEN_WORKER = """async () => {
  window.Worker = function () {
    window.worker = this;
    this.orders = [];
    this.postMessage = (order) => this.orders.push(order);
    this.terminate = () => {};
  };
  window.report = (run, value) => worker.onmessage({ data: {
    run, envSteps: 1000, updates: 500, loss: 1, epsilon: 0.5, lr: 0.001, recentMean: value,
    finished: false, running: true, returns: [value], ends: [1000],
  } });
  const place = document.querySelector(".rl-experiment");
  await window.rlExperiments.train_cartpole.render({ model: place.model, el: place });
}"""


def test_the_last_report_of_an_ended_run_is_not_the_next_runs(show):
    page = show(TrainCartPole())
    page.evaluate(GIVEN_WORKER)
    train = page.get_by_role("button", name="Train")
    train.click()
    page.evaluate("report(1, 11)")
    assert "episodes 11.0" in status(page)
    page.get_by_label("Seed").press("ArrowRight")  # ends the run
    train.click()
    page.evaluate("report(1, 22)")
    assert "22.0" not in status(page)
    page.evaluate("report(2, 33)")
    assert "seed 1: environment step 1,000" in status(page)
    page.get_by_label("Seed").press("ArrowRight")
    means = page.evaluate("document.querySelector('.rl-experiment').model.get('state').runs")
    assert [run["mean"] for run in means] == [11, 33]
    starts = page.evaluate("worker.orders.filter((order) => order.kind === 'start')")
    assert [order["run"] for order in starts] == [1, 2]


def test_an_error_after_the_first_report_is_told_as_it_is(show):
    page = show(TrainCartPole())
    page.evaluate(GIVEN_WORKER)
    page.get_by_role("button", name="Train").click()
    page.evaluate("report(1, 11)")
    page.evaluate("worker.onerror({ message: 'out of memory' })")
    assert "stopped with an error: out of memory." in status(page)
    page.get_by_role("button", name="Train").click()  # and it is no longer named Pause
    assert page.evaluate("worker.orders.at(-2).run") == 2
    page.evaluate(GIVEN_WORKER)
    page.get_by_role("button", name="Train").click()
    page.evaluate("worker.onerror({ message: 'refused' })")
    assert "This viewer allows no workers: press Train again" in status(page)


@pytest.mark.parametrize("epsilon_end", [0.05, 0.03])  # the second lies between two notches
def test_five_seeds_follow_each_other_and_their_greedy_returns_are_told(show, epsilon_end):
    page = show(TrainCartPole(epsilon_end=epsilon_end))
    assert "Nothing is trained yet" in status(page)  # no stored run gives the answer away
    page.evaluate(GIVEN_WORKER)
    page.get_by_role("button", name="Five seeds").click()
    done = """run => worker.onmessage({ data: { run, envSteps: 20000, updates: 19500, loss: 1,
      epsilon: 0.05, lr: 0, recentMean: 100, finished: true, running: false, returns: [100],
      ends: [20000], greedy: 10 * run } })"""
    for run in range(1, 6):
        assert page.evaluate("worker.orders.findLast(it => it.kind === 'start').run") == run
        page.evaluate(done, run)
    assert "Greedy, on 20 unseen starts: 10, 20, 30, 40, 50." in status(page)
    assert page.get_by_role("button", name="Train").count() == 1  # and none of them runs on
    runs = page.evaluate("document.querySelector('.rl-experiment').model.get('state').runs")
    assert [(run["seed"], run["greedy"]) for run in runs] == [(k, 10 * k + 10) for k in range(5)]
    assert page.get_by_label("Seed").input_value() == "0"  # for the next five


def test_the_pole_moves_by_keyboard_and_by_mouse(show):
    page = show(CartPoleLive(checkpoint="solved"))
    assert "Environment step 0" in status(page)
    before = pictures(page)
    tab_to(page, "Play")
    page.keyboard.press("Enter")
    wait_for_status(page, r"Environment step ([5-9]\d|\d{3})")
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Play", exact=True).count() == 1
    assert pictures(page) != before
    stopped = status(page)
    page.wait_for_timeout(200)
    assert status(page) == stopped
    page.get_by_role("button", name="Step", exact=True).click()
    assert status(page) != stopped

    speed = "document.querySelector('.rl-experiment').model.get('speed')"
    page.get_by_label("Speed").press("ArrowLeft")
    assert page.evaluate(speed) == pytest.approx(0.9)
    page.get_by_role("button", name="Reset").click()
    assert "Environment step 0" in status(page)
    box = page.locator(f"{LIVE} canvas").bounding_box()
    middle, top = box["x"] + box["width"] / 2, box["y"] + 40
    page.mouse.move(middle, top)
    page.mouse.down()
    page.mouse.move(middle - 18, top, steps=3)
    page.mouse.up()
    wait_for_status(page, r"pole \d+\.\d degrees left")
    page.get_by_label("Tilt the pole").fill("9")
    wait_for_status(page, r"pole 9\.0 degrees right")
    page.locator(f"{LIVE} canvas").focus()
    page.keyboard.press("ArrowRight")  # a push changes what the network thinks
    values = status(page).partition("Q(left)")[2]
    page.keyboard.press("ArrowRight")
    assert status(page).partition("Q(left)")[2] != values


def test_network_and_hand_are_compared(show):
    page = show(CartPoleLive(checkpoint="untrained", speed=2.0))
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_selector(f"{LIVE} tbody tr")
    page.get_by_label("Who drives").select_option("hand")
    assert page.get_by_label("Speed").input_value() == "0.3"  # what a hand can follow
    page.locator(f"{LIVE} canvas").press("ArrowLeft")
    page.wait_for_selector(f"{LIVE} tbody tr >> text=your hands")
    returns = page.evaluate("document.querySelector('.rl-experiment').model.get('state').returns")
    assert set(returns) == {"untrained", "your hands"}
    assert all(1 <= value <= 500 for values in returns.values() for value in values)
    assert "9.5" in page.locator(f"{LIVE} tbody tr", has_text="untrained").inner_text()
    page.get_by_label("Who drives").select_option("network")
    assert page.get_by_label("Speed").input_value() == "2"


def test_the_kernel_and_the_page_agree_on_inputs(show):
    page = show(CartPoleLive())
    model = "document.querySelector('.rl-experiment').model"
    page.evaluate(f"{model}.set('checkpoint', 'collapsed')")
    assert page.get_by_label("Checkpoint").input_value() == "collapsed"
    assert "collapsed network" in status(page)
    page.get_by_label("Checkpoint").select_option("solved")
    assert page.evaluate(f"{model}.get('checkpoint')") == "solved"


def test_the_drawing_that_takes_keys_says_so(show):
    page = show(CartPoleLive(), CartPoleLive(checkpoint="early"))
    drawings = page.get_by_role("application", name="CartPole with the network's two action values")
    assert drawings.count() == 2
    ids = [drawing.get_attribute("aria-describedby") for drawing in drawings.all()]
    assert len(set(ids)) == 2
    for id in ids:
        assert "arrow keys push; the space bar plays" in page.locator(f"#{id}").inner_text()
    how = "canvas => getComputedStyle(canvas).touchAction"
    assert drawings.first.evaluate(how) == "pan-y"  # a finger can still scroll past it


def test_a_kernels_value_is_shown_where_the_control_has_no_such_place(show):
    page = show(TrainCartPole())
    model = "document.querySelector('.rl-experiment').model"
    page.evaluate(f"{model}.set('seed', 77)")  # the slider ends at 20
    page.evaluate(f"{model}.set('epsilon_end', 0.33)")  # between two notches
    page.evaluate(f"{model}.set('lr', 0.003)")  # not in the list
    values = page.locator(f"{TRAIN} .rl-value").all_inner_texts()
    assert values == ["0.33", "77"]
    assert page.get_by_label("Seed").get_attribute("aria-valuetext") == "77"
    assert page.get_by_label("Learning rate").input_value() == "0.003"
    page.get_by_role("button", name="Train").click()
    wait_for_status(page, "learning rate 0.003, final epsilon 0.33, seed 77: environment")
    page.get_by_role("button", name="Reset").click()
    assert page.locator(f"{TRAIN} .rl-value").all_inner_texts() == ["0.05", "0"]


def test_less_motion_is_respected(show):
    still = show(CartPoleLive(autoplay=True), reduced_motion="reduce")
    still.wait_for_timeout(500)
    assert "Environment step 0" in status(still)
    moving = show(CartPoleLive(autoplay=True), reduced_motion="no-preference")
    wait_for_status(moving, r"Environment step [1-9]")


def processor_seconds():
    """Of all processes below this one, the browser's among them."""
    times = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            times.append(process.cpu_times())
    return sum(time.user + time.system for time in times)


def test_it_learns_within_a_minute_of_one_core(show):
    page = show(TrainCartPole())
    before = processor_seconds()
    page.get_by_role("button", name="Train").click()
    # A busy machine may take longer by the clock.
    wait_for_status(page, r"episodes (19[5-9]|[2-5]\d\d)\.", timeout=300_000)
    assert processor_seconds() - before < 60
    step = re.search(r"environment step ([\d,]+)", status(page))[1]
    assert int(step.replace(",", "")) < 8_000
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Train").wait_for()
    page.wait_for_timeout(400)
    paused = status(page)
    page.wait_for_timeout(600)
    assert status(page) == paused


def test_one_update_shows_what_it_learns_from(show):
    page = show(TrainCartPole(batch=8))
    page.get_by_role("button", name="One update").press("Enter")
    page.wait_for_selector(f"{TRAIN} tbody tr")
    assert page.locator(f"{TRAIN} tbody tr").count() == 5
    for row in page.locator(f"{TRAIN} tbody tr").all():
        cells = row.locator("td").all_inner_texts()
        target, value, error = map(float, cells[-3:])
        assert target - value == pytest.approx(error, abs=0.002)
        words = row.locator("th").inner_text()
        assert re.fullmatch(
            r"(left|right) in \((-?\d\.\d\d(, )?){4}\), reward 1(, terminal)?", words
        )
        assert "terminal" not in words or target == 1  # after a fall nothing is added
    assert "Update 1: loss" in page.locator(f"{TRAIN} .rl-scroll p").inner_text()
    page.get_by_role("button", name="One update").click()
    page.wait_for_selector(f"{TRAIN} .rl-scroll p >> text=Update 2: loss")


def test_runs_are_overlaid_and_named_by_what_differs(show):
    page = show(TrainCartPole(batch=8))
    before = pictures(page)
    train = page.get_by_role("button", name="Train")
    train.click()
    wait_for_status(page, "the first settings, seed 0: environment step")
    page.get_by_label("Replay").uncheck()  # ends the run
    page.get_by_label("Seed").press("ArrowRight")
    assert "Train starts a run: no replay, seed 1." in status(page)
    train.click()
    wait_for_status(page, "no replay, seed 1: environment step")
    page.get_by_label("Target period").select_option("1")
    runs = page.evaluate("document.querySelector('.rl-experiment').model.get('state').runs")
    assert [(run["replay"], run["seed"]) for run in runs] == [(True, 0), (False, 1)]
    assert pictures(page) != before
    page.get_by_role("button", name="Reset").click()
    assert page.get_by_label("Replay").is_checked()
    assert "Nothing is trained yet" in status(page)


def test_the_switches_of_later_chapters_lie_in_a_fold_and_reach_the_learner(show):
    page = show(TrainCartPole(batch=8))
    steps = page.get_by_label("Steps in a return, n")
    assert not steps.is_visible()
    page.locator("summary", has_text="More switches").press("Enter")
    assert steps.locator("option").all_inner_texts() == ["1", "3", "5"]
    steps.select_option("3")
    page.get_by_label("Dueling network").check()
    page.get_by_label("Double target").uncheck()
    words = "no Double target, 3-step returns, dueling network, seed 0"
    assert f"Train starts a run: {words}." in status(page)
    page.get_by_role("button", name="One update").click()
    wait_for_status(page, f"{words}: environment step")
    page.wait_for_selector(f"{TRAIN} tbody tr")
    for row in page.locator(f"{TRAIN} tbody th").all_inner_texts():
        reward = re.search(r"reward (\S+)( in 3 steps)?(, terminal)?$", row)
        assert reward[3] or (float(reward[1]), reward[2]) == (2.97, " in 3 steps")
    page.get_by_role("button", name="Train").click()
    wait_for_status(page, r"update ([1-9]\d\d|[1-9]\d{0,2},\d{3})")
    page.get_by_role("button", name="Reset").click()
    assert page.get_by_label("Double target").is_checked()
    assert not page.get_by_label("Dueling network").is_checked() and steps.input_value() == "1"


def test_where_workers_are_refused_it_learns_in_the_page(show):
    page = show(TrainCartPole(batch=8))
    page.evaluate(
        """async () => {
          window.Worker = function () { throw new Error("refused"); };
          const place = document.querySelector(".rl-experiment");
          await window.rlExperiments.train_cartpole.render({ model: place.model, el: place });
        }"""
    )
    page.get_by_role("button", name="Train").click()
    wait_for_status(page, r"environment step [1-9]\d{0,2},?\d{3}")
    page.get_by_role("button", name="Reset").click()


@pytest.mark.parametrize("experiment", [CartPoleLive, TrainCartPole], ids=lambda e: e.NAME)
def test_the_module_renders_in_a_kernels_page_and_can_be_removed(show, experiment):
    page = show(experiment())
    render_and_remove(page, experiment, canvases=1)


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_are_accessible_and_fit(show, width, scheme):
    page = show(CartPoleLive(), TrainCartPole(batch=8), width=width, color_scheme=scheme)
    page.get_by_role("button", name="One update").click()
    page.wait_for_selector(f"{TRAIN} tbody tr")
    page.locator("summary", has_text="More switches").click()
    assert_accessible(page, width, scheme)
    for place in (LIVE, TRAIN):
        assert page.locator(f"{place} canvas").get_attribute("aria-label")
        assert page.locator(f"{place} .rl-summary").count() == 0  # the view has taken its place
        assert page.locator(f"{place} .rl-unseen").first.inner_text()


def test_a_page_without_the_data_keeps_its_words(show, tmp_path):
    page = show(CartPoleLive())
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    lonely = html.replace('<script defer src="data-checkpoints.js"></script>', "")
    assert lonely != html
    (tmp_path / "lonely.html").write_text(lonely, encoding="utf-8")
    page.goto((tmp_path / "lonely.html").as_uri())
    page.wait_for_selector("text=could not start")
    assert CartPoleLive.SUMMARY in page.locator(LIVE).inner_text()
    assert 'the data "checkpoints" did not come with this page' in json.dumps(
        page.complaints, ensure_ascii=False
    ).replace('\\"', '"')
    page.complaints.clear()

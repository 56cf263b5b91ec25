"""Every exercise: what it says to the stub, to the worked solution and to wrong answers."""

import json
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.agents.tabular import QLearningAgent
from rl_lab.course.exercises.answers import EXERCISES, Wrong, expect, number
from rl_lab.course.exercises.debugging import PATIENTS, SOURCE, program
from rl_lab.course.exercises.review import Verdict, review
from rl_lab.course.exercises.short_dqn_tests import TESTS
from rl_lab.course.exercises.write_dqn import _loaded
from rl_lab.distributional import Categorical
from rl_lab.losses import QLearning
from rl_lab.networks import DuelingQNetwork, NoisyLinear, QNetwork
from rl_lab.prioritized import PrioritizedReplay
from rl_lab.replay import ReplayBuffer

BOOK = Path(__file__).parents[2] / "book"
CHAPTERS = sorted({name.partition(".")[0] for name in EXERCISES})
# What an answer leans on: the cells of its chapter that hold these words.
NEEDS = {
    "naive_network.sampled": ["EPSILON, ALPHA ="],
    "naive_network.adam": ["EPSILON, ALPHA =", "def mean_update", "uniform ="],
    "debugging.suite": ["def test_mask"],
    "rainbow.best": ["def rainbow("],
    "replay.alias": ["class TinyRing"],
    "time_limits.leak": ["GAMMA, LIMIT, START"],
    "takeaways.coins": ["def first_find", "SEEDS ="],
    "takeaways.clip": ["def clipped"],
    "write_dqn.train": ["def explore", "def dqn_loss", "def sync"],
    "your_environment.milked": ["class Water", "class Tank", "def step(self"],
}
# These need a chapter's whole run: nbval executes their solutions, and no test here does.
WHOLE_CHAPTER = {"tabular_limits.bins", "lunar_lander.limit"}
SLOW = {"time_limits.clock", "write_dqn.train", "takeaways.coins"}
SLOW |= {"debugging.eleventh", "debugging.suite", "your_environment.milked"}
SLOW |= {"write_dqn.whole"}
NAMES = [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in EXERCISES]


def is_slow(name, case):
    """Whether a wrong answer is heard after a training run only."""
    trained = {"greedy agent returns", "Find one that does harm", "still keep the level"}
    return name == "time_limits.clock" or case[1] in trained


def cells(chapter):
    notebook = json.loads((BOOK / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def grade_id(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def parts(name):
    """The cells of an exercise: stub, check and worked solution."""
    wanted = name.replace(".", "-")
    found = cells(name.partition(".")[0])
    (stub,) = (cell for cell in found if grade_id(cell) == wanted)
    (check,) = (cell for cell in found if grade_id(cell) == f"{wanted}-check")
    (solution,) = (cell for cell in found if cell["metadata"].get("solves") == wanted)
    return stub, check, solution


def shown(cell):
    return "".join("".join(o.get("data", {}).get("text/plain", "")) for o in cell["outputs"])


def started(name):
    """Names that a chapter has defined where the exercise begins."""
    names = {}
    found = cells(name.partition(".")[0])
    imports = next(cell for cell in found if "from rl_lab.course.exercises" in cell["source"])
    exec(imports["source"], names)
    for words in NEEDS.get(name, []):
        able = [c for c in found if words in c["source"] and "review(" not in c["source"]]
        solutions = [c for c in found if words in c["source"] and "solves" in c["metadata"]]
        exec((solutions or able)[0]["source"].partition("\n\nreview(")[0], names)
    return names


def verdict(source, check, names):
    exec(source.partition("\n\nreview(")[0], names)
    return eval(check, names)


# The chapters


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_three_exercises_with_stub_check_and_solution(chapter):
    found = cells(chapter)
    names = [name for name in EXERCISES if name.startswith(f"{chapter}.")]
    assert len(names) >= 3
    graded = [grade_id(cell) for cell in found if grade_id(cell)]
    expected = [name.replace(".", "-") + end for name in names for end in ("", "-check")]
    assert sorted(graded) == sorted(expected)
    for name in names:
        stub, check, solution = parts(name)
        assert check["source"].startswith(f'review("{name}", ')
        assert solution["source"].endswith(f"\n\n{check['source']}")
        assert found.index(stub) + 1 == found.index(check) < found.index(solution)
        for cell, graded, fixed in ((stub, False, False), (check, True, True)):
            marks = cell["metadata"]["nbgrader"]
            assert (marks["grade"], marks["locked"], marks["solution"]) == (
                graded,
                fixed,
                not graded,
            )
            assert marks["schema_version"] == 3


@pytest.mark.parametrize("name", EXERCISES)
def test_the_page_shows_what_stub_and_solution_are_told(name):
    stub, check, solution = parts(name)
    assert not stub["outputs"]
    assert shown(check).startswith("Not yet: ") and shown(solution).startswith("Right: ")


@pytest.mark.parametrize("name", [p for p in NAMES if p.values[0] not in WHOLE_CHAPTER])
def test_the_stub_runs_and_the_worked_solution_passes(name):
    stub, check, solution = parts(name)
    told = verdict(stub["source"], check["source"], started(name))
    assert not told.passed
    # Figures in a sentence on trained weights differ between machines; a stub trains nothing.
    assert str(told) == shown(check)
    told = verdict(solution["source"], check["source"], started(name))
    assert told.passed, told
    assert str(told) == shown(solution)


# Wrong answers


def forgetful(flag, reward=True, call=True):
    class Forgetful(QLearningAgent):
        def update(self, state, action, r, next_state, done, *, truncated=False):
            if call:
                return super().update(state, action, r * reward, next_state, flag(done))

    return Forgetful


def sampled(first=0.5, feature=2, end=0.1, seeded=True, gradient=True):
    shared = np.random.default_rng(0)

    def sampled(seed, n_updates=1_000, gamma=0.99):
        rng, w = np.random.default_rng(seed) if seeded else shared, 1.0
        for _ in range(n_updates):
            if rng.random() < first:
                w += 0.1 * (gamma * 2 * w - w)
            else:
                goes_on = rng.random() >= end
                w += 0.1 * feature * (gamma * 2 * w * goes_on - 2 * w)
        return w

    return sampled


def adam_walk(sign=1.0, lr=0.1, kind=torch.optim.Adam):
    def adam_walk(n_updates):
        w = torch.ones(1, requires_grad=True)
        optimizer = kind([w], lr=lr)
        for _ in range(n_updates):
            w.grad = -sign * 0.272 * w.detach()
            optimizer.step()
        return w.item()

    return adam_walk


def one_state(flag):
    def one_state(done_at_limit):
        q = 0.0
        for _ in range(400):
            for step in range(1, 501):
                q += 0.005 * (1 + 0.99 * q * (not flag(done_at_limit, step)) - q)
        return q

    return one_state


def flipping(sign=-2, moves=False, first=1, copies=True):
    def flipping(period, n_updates=1_000):
        w = frozen = 1.0
        for update in range(first, n_updates + first):
            w += 0.1 * (sign * 0.99 * (w if moves else frozen) - w)
            frozen = w if copies and update % period == 0 else frozen
        return abs(w)

    return flipping


def noisy_return(total=False, greedy=False, learn=False, same=False, limit=True, decay=False):
    def noisy_return(agent, epsilon, n_episodes=20):
        from rl_lab.envs import make_env

        agent.epsilon, env, returns = epsilon, make_env("CartPole-v1"), []
        for i in range(n_episodes):
            state, _ = env.reset(seed=7 if same else i)
            returns.append(0.0)
            terminated = truncated = False
            while not (terminated or (limit and truncated)):
                action = agent.select_action(state, training=not greedy)
                after, reward, terminated, truncated, _ = env.step(action)
                if learn:
                    agent.update(state, action, reward, after, terminated)
                state = after
                returns[-1] += reward
                if not limit and returns[-1] > 700:
                    break
            if decay:
                agent.decay_epsilon()
        return sum(returns) if total else float(np.mean(returns))

    return noisy_return


def unmasked(change):
    def unmasked_loss(online, target, batch):
        from rl_lab.losses import q_learning_loss

        return q_learning_loss(online, target, change(batch))

    return unmasked_loss


def in_place(batch):
    batch.dones.zero_()
    return batch


def slip(actions=4, flip=False, once=False, own=False):
    def slip(policy, probability, rng):
        kept = int(rng.integers(actions))
        shared = np.random.default_rng()

        def slipping(state):
            generator = shared if own else rng
            hit = generator.random() < probability
            if hit != flip:
                return kept if once else int(generator.integers(actions))
            return policy(state)

        return slipping

    return slip


def mean_width(replace=True, half=1.0, fixed_n=None, seeded=True, single=False):
    from rl_lab.stats import bootstrap_ci

    shared = np.random.default_rng(0)

    def mean_width(population, n, n_studies=50):
        rng = np.random.default_rng(0) if seeded else shared
        n = fixed_n or n
        if not replace:
            return float(np.std(population)) * 0.1 / n**0.5
        if single:
            return 80.0 / n**0.1
        low, high = bootstrap_ci(rng.choice(population, (n, n_studies)), n_resamples=200)
        return half * (high - low).mean()

    return mean_width


def drawn_from(runs, rng):
    return runs[:, rng.integers(50, size=50)].ravel()


def found(first=5, last=1, only_end=False):
    from scipy.stats import mannwhitneyu

    def found(x, y):
        looks = [len(x)] if only_end else range(first, len(x) + last)
        return any(bool(mannwhitneyu(x[:k], y[:k]).pvalue < 0.05) for k in looks)

    return found


def dqn_loss(q=None, bootstrap=None, y=None, grad=True):
    def dqn_loss(online, target, batch, gamma):
        states, actions, rewards, next_states, dones = batch
        values = online(states)
        made = values.gather(1, actions[:, None]).squeeze(1) if q is None else q(values, actions)
        frozen = target(next_states).amax(1)
        if bootstrap is not None:
            frozen = bootstrap(online, target, states, next_states)
        goal = rewards + gamma * (1 - dones) * frozen
        if y is not None:
            goal = y(rewards, dones, frozen, gamma)
        return (goal.detach() - made if grad else goal - made.detach()).square().mean()

    return dqn_loss


def sync(due):
    def sync(online, target, n_updates, period):
        if due(n_updates, period):
            target.load_state_dict(online.state_dict())

    return sync


def train(done, learn=False):
    def train(online, target, env, buffer, n_env_steps, seed):
        state, _ = env.reset(seed=seed)
        for _ in range(n_env_steps):
            after, reward, terminated, truncated, _ = env.step(0)
            buffer.push(state, 0, reward, after, done(terminated, truncated))
            state = env.reset()[0] if terminated or truncated else after

    return train


def spoiled(agent):
    with torch.no_grad():
        agent.online.first.weight.add_(1)
    return agent.target is not agent.online


def same_weights(agent):
    pairs = zip(agent.online.parameters(), agent.target.parameters(), strict=True)
    return not all(torch.equal(a, b) for a, b in pairs)


def asserting(expected, done=1.0, gamma=0.5):
    def test_target(dqn):
        best = torch.tensor([[4.0, 4.0], [8.0, 8.0]])
        batch = (None, None, torch.ones(2), None, torch.tensor([0.0, done]))
        y = dqn.targets(lambda states: best, lambda states: best, batch, gamma)
        assert y.tolist() == expected

    return test_target


def answering(dqn):
    return dqn.Agent().epsilon == 1


NAMED = list(PATIENTS.values())
SIZES = {2: 5.7, 4: 4.8, 6: 4.5, 8: 4.7, 10: 4.8, 16: 7.1}
COUNT = (4e8, 3.2, 69_124)


def signed_roots(values):
    return np.sign(values) * np.sqrt(np.abs(values))


def whole(*, linear=nn.Linear, network=None, **changes):
    """Rainbow with epsilon, and something else about it."""
    settings = (
        dict(objective=Categorical(0.0, 100.0, 21, double=True), replay=PrioritizedReplay, n_step=3)
        | changes
    )
    atoms = 21 if isinstance(settings["objective"], Categorical) else None
    make = partial(network or DuelingQNetwork, linear=linear, n_atoms=atoms)
    return lambda obs_dim, n_actions, *_: DQNAgent(
        obs_dim, n_actions, network=make, seed=0, device="cpu", **settings
    )


def tank(reward):
    """The environment of the chapter."""
    return started("your_environment.milked")["Tank"](reward)


WRONG = {
    "tabular_limits.count": [
        ((10**8, 0.8, 69_124), "in a row"),
        ((320, 3.2, 69_124), "combined"),
        ((4 * 8**10, 3.2, 69_124), "exchanged"),
        ((4e8, 3.2e9, 69_124), "bytes"),
        ((4e8, 3.2, 68_608), "bias"),
        ((4e8, 3.2, 3_332), "two hidden layers"),
        ((4e8, "a lot", 1), "should be one number"),
    ],
    "tabular_limits.mask": [
        ((forgetful(lambda done: not done),), "does not end"),
        ((forgetful(lambda done: done),), "still taken for an end"),
        ((forgetful(lambda done: False, reward=False),), "does not end"),
        ((forgetful(lambda done: False, call=False),), "super"),
        ((int,), "stopped with TypeError"),
    ],
    "tabular_limits.bins": [
        (({k: e for k, e in SIZES.items() if k != 6},), "no entry for 6"),
        (({k: -0.3 for k in SIZES},), "absolute"),
        (({k: e**2 for k, e in SIZES.items()},), "squared"),
        ((SIZES | {16: 6.4},), "k = 16"),
        ((list(SIZES.values()),), "dictionary"),
    ],
    "naive_network.threshold": [
        ((6 / 5, 5 / 4, 0.25), "upside down"),
        ((5 / 6, 1.0, 0.25), "beyond every discount"),
        ((5 / 6, 5 / 4, 0.5), "not the smallest"),
        ((5 / 6, 5 / 6 - 2, 0.25), "parentheses"),
    ],
    "naive_network.sampled": [
        ((sampled(end=0.0),), "probability 0.1"),
        ((sampled(feature=1),), "feature"),
        ((sampled(seeded=False),), "default_rng(seed)"),
        ((sampled(first=0.8),), "equally"),
        ((sampled(end=0.5),), "one case of ten"),
        ((lambda seed, n_updates, gamma: None,), "returned None"),
    ],
    "naive_network.adam": [
        ((adam_walk(sign=-1.0),), "against"),
        ((adam_walk(lr=0.001),), "lr=0.1"),
        ((adam_walk(kind=torch.optim.SGD),), "without Adam"),
        ((lambda n: 1.0,), "weight.grad"),
    ],
    "pixels.size": [
        ((19, 8_224, 361_280_000), "count the first place"),
        ((77, 8_224, 361_280_000), "one pixel"),
        ((20, 8_192, 361_280_000), "biases"),
        ((20, 2_080, 361_280_000), "each of the four frames"),
        ((20, 8_224, 903_200), "not 32 numbers"),
        ((20, 8_224, 1e9), "too large"),
    ],
    "pixels.stack": [
        ((lambda f, first, i, k: f[max(0, i - k + 1) : i + 1],), "nothing before it"),
        ((lambda f, first, i, k: f[i],), "has shape (2, 3)"),
        ((lambda f, first, i, k: f[np.maximum(np.arange(i - k + 1, i + 1), 0)],), "begins"),
        ((lambda f, first, i, k: f[i - k + 1 : i + 1][::-1],), "Oldest first, please"),
        ((lambda f, first, i, k: f[np.arange(i - 3, i + 1)],), "nothing before it"),
    ],
    "pixels.twice": [
        ((1,), "hands on"),
        ((0,), "but not 0"),
        ((1 / 255**2,), "not 1"),
        ((0.1,), "both divisions"),
    ],
    "replay.twins": [
        ((lambda n, b=32: np.prod(1 - np.arange(b) / n),), "all are different"),
        ((lambda n, b=32: 0.0,), "without replacement"),
        ((lambda n, b=32: 1 - np.prod(1 - np.arange(1, b + 1) / n),), "One factor too many"),
        ((lambda n, b=32: b / n,), "size of the minibatch"),
        ((lambda n, b=32: 1 - np.prod(1 - np.arange(b) / 500),), "still written"),
        ((lambda n, b=32: 1 - np.prod(1 - np.arange(32) / n),), "batch size used"),
        ((0.64,), "should be a function"),
    ],
    "replay.age": [
        ((25_000, 4_999.5), "not at 1"),
        ((50_000, 4_999.5), "the capacity"),
        ((1, 4_999.5), "take their mean"),
        ((24_999.5, 24_999.5), "not full yet"),
        ((24_999.5, 5_000), "not at 1"),
        ((24_999.5, 1), "of the ages 0 to 9,999"),
    ],
    "replay.alias": [
        (([0, 1, 2], [2, 2, 2]), "exchanged"),
        (([0, 1, 2], [0, 1, 2]), "keep the numbers"),
        (([2, 2, 2], [2, 2, 2]), "references"),
        (([0, 0, 0], [0, 1, 2]), "written over"),
        ((2, [0, 1, 2]), "three numbers"),
    ],
    "time_limits.disguise": [
        ((100, 891), "true value"),
        ((39.5, 891), "how much time is left"),
        ((33.557, 890), "One environment step less"),
        ((33.557, 230), "sees the clock"),
        ((33.557, 500), "round up"),
    ],
    "time_limits.clock": [
        ((one_state(lambda flag, step: False),), "done=True"),
        ((one_state(lambda flag, step: step == 500),), "no step at all"),
        ((one_state(lambda flag, step: flag),), "not only the 500th"),
    ],
    "time_limits.leak": [
        ((lambda *t: t,), "true last cell"),
        ((lambda s, a, r, s2, cut: (s, a, r, 1, cut),), "nothing changes"),
        ((lambda s, a, r, s2, cut: (s, a, r, 0 if cut else s2, cut),), "not in cell 0"),
        ((lambda s, a, r, s2, cut: (s, a, r, 1 if cut else s2, False),), "the flag stays"),
        ((lambda s, a, r, s2, cut: s2,), "tuple of five"),
    ],
    "target_network.tau": [
        ((200, 200), "time constant"),
        ((400, 200), "at most"),
        ((199, 200), "mean age"),
        ((399, 0.005), "tau itself"),
    ],
    "target_network.alias": [
        ((1_000, lambda a: a.target is not a.online), "asked for"),
        ((1, lambda a: True), "`target` is `online`"),
        ((1, lambda a: False), "not recognised"),
        ((1, same_weights), "Equal is not the same"),
        ((1, lambda a: a.target is not a.online), "share"),
        ((1, spoiled), "changed the agent"),
    ],
    "target_network.hurts": [
        ((flipping(sign=2), 10), "sign"),
        ((flipping(moves=True), 10), "target moved"),
        ((flipping(first=0), 10), "flipping(5, 2)"),
        ((flipping(copies=False), 10), "Period 10 should converge"),
        ((flipping(), 11), "first one which diverges"),
    ],
    "cartpole.epsilon": [
        ((0.01, 919, 25), "floor"),
        ((0.0816, 918, 24.5), "still above"),
        ((0.0816, 919, 12.25), "always disagree"),
        ((0.0816, 919, 0.0408), "one of them"),
    ],
    "cartpole.noise": [
        ((noisy_return(total=True),), "sum over all"),
        ((noisy_return(greedy=True),), "training=False"),
        ((noisy_return(learn=True),), "not to learn"),
        ((noisy_return(same=True),), "same state"),
        ((noisy_return(limit=False),), "terminated or truncated"),
        ((noisy_return(decay=True),), "not all the time"),
        ((lambda agent, epsilon, n: 100.0,), "never asked"),
    ],
    "cartpole.mask": [
        ((unmasked(lambda batch: batch),), "still counts as an end"),
        ((unmasked(in_place),), "in place"),
        ((unmasked(lambda b: b._replace(dones=torch.ones(2))),), "mid-episode"),
        ((lambda *args: unmasked(in_place)(*args)[0],), "losses, TD errors and values"),
    ],
    "debugging.by_hand": [
        ((11.89, 19.445, 3.245, 99.343), "the loss is the mean"),
        ((19.445, 5.945, 3.245, 99.343), "Nothing follows"),
        ((5.945, 5.0, 3.245, 99.343), "neither does"),
        ((5.945, 19.445, 6.49, 99.343), "to divide by"),
        ((5.945, 19.445, 3.245, 100), "has an end"),
        ((5.945, 19.445, 3.245, 98.35), "first reward"),
        ((5.945, 19.445, 3.245, 500), "undiscounted"),
    ],
    "debugging.diagnosis": [
        ((dict(PATIENTS) | {"B": "slow clock", "C": "limit is end"},), "8 of the ten are right"),
        ((dict.fromkeys(PATIENTS, "no mask"),), "1 of the ten are right (G)"),
        ((dict.fromkeys(PATIENTS, "no mask"),), "You named 'no mask' for A and B"),
        (({"A": "online target"},), "the others have no name yet"),
        (({"A": "a bad seed"},), "the suspects are no mask"),
        (({"K": "no mask"},), "from A to J"),
        ((NAMED,), "dictionary"),
    ],
    "debugging.mask_test": [
        ((lambda dqn: None,), "passes on the healthy program, and on the one with 'no mask'"),
        ((asserting([3.0, 5.0]),), "false alarm"),
        ((asserting([3.0, 5.0], done=0.0),), "as well. It catches 0 of the ten"),
        ((answering,), "speaks by `assert`"),
        ((TESTS["limit is end"],), "as well. It catches 1 of the ten"),
        ((lambda dqn: dqn.target,), "AttributeError"),
        ((lambda: None,), "TypeError"),
    ],
    "debugging.suite": [
        (({"no mask": TESTS["no mask"]},), "Still without a test: limit is end"),
        ((dict.fromkeys(TESTS, TESTS["no mask"]),), "`tests['limit is end']` passes"),
        ((TESTS | {"late state": asserting([3.0, 5.0])},), "9 of 10. `tests['late state']` fails"),
        ((TESTS | {"late state": None},), "Still without a test: late state"),
        ((TESTS | {"a bad seed": print},), "no suspect"),
        ((TESTS | {"no mask": "assert"},), "should be a function"),
        ((list(TESTS.values()),), "dictionary"),
    ],
    "debugging.eleventh": [
        (("gamma * (1 - dones)", "gamma"), "The test for 'no mask' fails"),
        (("        state = next_state\n", ""), "The test for 'late state' fails"),
        (("lr=1e-3", "lr=5e-4"), "Find one that does harm"),
        (("lr=1e-3", "lr=1e-3"), "is the healthy line itself"),
        (("slot", "slots"), "in one place only"),
        (("lr=2e-3", "lr=1"), "occurs 0 times"),
        (("lr=1e-3", "lr="), "Python does not read it"),
        (("self.rng.integers(n", "self.generator.integers(n"), "stopped with AttributeError"),
    ],
    "double_dqn.coins": [
        ((0, 21 / 16, 0), "Each estimate is 0 on average"),
        ((7 / 16, 21 / 16, 0), "how often the largest is 3"),
        ((-0.75, 21 / 16, 0), "smallest"),
        ((0.75, 2.0, 0), "overlap"),
        ((0.75, 21 / 16, 21 / 16), "does not value"),
    ],
    "double_dqn.target": [
        ((lambda q, t, r, d, g: r + g * (1 - d) * t.max(1),), "This is the plain target"),
        ((lambda q, t, r, d, g: r + g * (1 - d) * q.max(1),), "It should only choose"),
        (
            (lambda q, t, r, d, g: r + g * (1 - d) * q[np.arange(len(r)), t.argmax(1)],),
            "have changed places",
        ),
        (
            (lambda q, t, r, d, g: r + g * t[np.arange(len(r)), q.argmax(1)],),
            "After a terminal state there is no value",
        ),
        ((lambda q, t, r, d, g: r + g * (1 - d) * q.argmax(1),), "not its value"),
        ((lambda q, t, r, d, g: t[:, q.argmax(1)],), "the shape of yours"),
        ((lambda q, t, r, d, g: {"y": 1},), "should return an array"),
        ((lambda q, t, r, d, g: r,), "Compute it by hand"),
    ],
    "double_dqn.needed": [
        ((lambda m: 320,), "ten machines only"),
        ((lambda m: 15.95 * m,), "One door of two"),
        ((lambda m: 33,), "one of several"),
        ((lambda m: 3.225 * m,), "a tenth of the error"),
        ((lambda m: None,), "returned None"),
    ],
    "dueling.split": [
        ((4, 2, 0.3), "best action's value"),
        ((2, 4, 0.3), "the action's value"),
        ((2, 2, 0.7), "move less"),
        ((2, 2, 0.35), "without the mean"),
        ((8, 2, 0.3), "the sum"),
        ((2, 0, 0.3), "largest value"),
        ((2, 2, 0), "share V"),
        ((2, 2, 0.4), "how far V moves"),
    ],
    "dueling.head": [
        ((lambda v, a: v[:, None] + a,), "mean is missing"),
        ((lambda v, a: v[:, None] + a - a.max(1, keepdims=True),), "the largest"),
        ((lambda v, a: v[:, None] + a - a.mean(),), "one mean for all"),
        ((lambda v, a: v[:, None] + a - a.mean(0),), "over the states"),
        ((lambda v, a: a - a.mean(1, keepdims=True),), "Where is V"),
        ((lambda v, a: v,), "shape (2, 3)"),
        ((lambda v, a: "values",), "return an array"),
        ((lambda v, a: 2 * a,), "by hand"),
    ],
    "dueling.spill": [
        ((lambda k: (k - 1) / (2 * k - 1),), "subtracts the mean"),
        ((lambda k: 1.0,), "moves twice"),
        ((lambda k: 0.0,), "V is shared"),
        ((lambda k: None,), "returned None"),
    ],
    "better_memory.returns": [
        ((1.5, 2, 3), "After three steps the episode goes on"),
        ((2.5, 3, 3), "What follows a terminal state"),
        ((2.5, 2, 2), "A time limit ends the episode, not the value"),
        ((2.5, 2, 7), "too large"),
    ],
    "better_memory.find": [
        ((lambda nodes, x: 0,), "It always goes left"),
        ((lambda nodes, x: next(i for i in range(4) if x <= [1, 4, 6, 10][i]),), "not *below*"),
        ((lambda nodes, x: next(i for i in range(4) if x < [1, 4, 6, 10][i]),), "eight leaves"),
        ((lambda nodes, x: None,), "returned None"),
    ],
    "better_memory.rest": [
        ((lambda p: p,), "which the weights would restore"),
        ((lambda p: 1 - p,), "a reward of 0"),
        ((lambda p: p**2 / (p**2 + (1 - p) ** 2),), "not squared"),
    ],
    "distributional.target": [
        (([0.2, 0.3, 0.5], [0.6, 0.4, 0], 1.65), "before anything was moved"),
        (([0.35, 0.35, 0.3], [0.6, 0.4, 0], 1.65), "crosswise"),
        (([0.2, 0.8, 0.0], [0.6, 0.4, 0], 1.65), "does not get everything"),
        (([0.15, 0.65, 0.3], [0.6, 0.4, 0], 1.65), "never made or lost"),
        (([0.15, 0.65, 0.2], [0.4, 0.6, 0], 1.65), "which atom has the larger share"),
        (([0.15, 0.65, 0.2], [0.15, 0.65, 0.2], 1.65), "nothing follows"),
        (([0.15, 0.65, 0.2], [0.6, 0.4, 0], 1.5), "second atom"),
        (([0.15, 0.65, 0.2], [0.6, 0.4, 0], 9.6), "by how much did it fall"),
        ((0.15, [0.6, 0.4, 0], 1.65), "list of three numbers"),
    ],
    "distributional.worst": [
        ((lambda p, z, share: p @ z,), "mean of everything"),
        ((lambda p, z, share: z.mean(),), "Weigh each atom"),
        ((lambda p, z, share: np.diff(np.minimum(p.cumsum(), share), prepend=0) @ z,), "Divide"),
        (
            (lambda p, z, share: (p * z)[p.cumsum() <= share + 1e-9].sum() / share,),
            "mean of what is in it",
        ),
        ((lambda p, z, share: None,), "returned None"),
    ],
    "distributional.wrapped": [
        (([1, 0, 0], [0.5, 0, 0.5]), "what the clamp does"),
        (([0, 0, 1], [0, 0, 1]), "is a half"),
        (([0, 0, 1], [0, 0.5, 0.5]), "the first entry"),
        (([0, 1, 0], [0.5, 0, 0.5]), "the last entry of a list"),
    ],
    "noisy_networks.spread": [
        ((0.5, 0.409), "The bias has noise, too"),
        ((0.26, 0.409), "That is the variance"),
        ((0.51, 0.51), "not 1"),
        ((0.51, 0.455), "two factors"),
    ],
    "noisy_networks.factors": [
        ((lambda i, o: (np.outer(o, i), o),), "lacks f"),
        ((lambda i, o: (np.sqrt(np.abs(np.outer(o, i))), signed_roots(o)),), "lost its signs"),
        ((lambda i, o: (signed_roots(np.outer(i, o)), signed_roots(o)),), "one row"),
        ((lambda i, o: (signed_roots(np.outer(o, i)), o),), "biases' noise is f"),
    ],
    "noisy_networks.reaches": [
        ((lambda gap, spread, rooms: 1.0,), "without noise"),
        ((lambda gap, spread, rooms: 0.69146,), "one room"),
        ((lambda gap, spread, rooms: 0.99094,), "at least one room"),
        ((lambda gap, spread, rooms: 0.30854,), "wrong doors in one room"),
    ],
    "rainbow.company": [
        ((160, 20, 210), "not the gain"),
        ((60, 10, 210), "B brings beside A"),
        ((60, 20, 110), "from 100"),
        ((60, 20, 310), "not the returns"),
        ((70, 20, 210), "both bring"),
        ((60, 70, 210), "both bring"),
        ((60, 60, 210), "brings alone"),
        ((60, 20, 170), "if gains added up"),
    ],
    "rainbow.best": [
        ((whole(linear=NoisyLinear),), "still noisy"),
        ((whole(epsilon=0.0),), "never try anything"),
        ((whole(objective=QLearning(double=True)),), "where is C51"),
        ((whole(objective=Categorical(0.0, 100.0, 21)),), "Double DQN"),
        ((whole(objective=Categorical(0.0, 1.0, 21, double=True)),), "`v_min` to `v_max`"),
        ((whole(network=QNetwork),), "two streams"),
        ((whole(replay=ReplayBuffer),), "uniform"),
        ((whole(n_step=1),), "span 1 step"),
        ((lambda *args: 3,), "should return a DQNAgent"),
        ((lambda *_: whole()(4, 2),), "for another task"),
    ],
    "rainbow.blind": [
        ((4, 2.25, [1, 1]), "That is the sum"),
        ((2, 4.5, [1, 1]), "four products"),
        ((2, 2.25, [1, 0.5]), "would notice"),
        ((2, 2.25, [0, 0]), "positive"),
        ((2, 2.25, [float("inf"), 1]), "positive"),
        ((8 / 3, 2.25, [1, 1]), "sum of the weights"),
        ((2.25, 2.25, [1, 1]), "what the bug makes"),
        ((2, 9, [1, 1]), "sum of all four"),
        ((2, 2.25, 1), "two positive numbers"),
        ((2, 2.25, "both"), "two numbers"),
    ],
    "luck.pairs": [
        ((316, 0.7), "cut a quarter"),
        ((300, 0.7), "median"),
        ((310, 10 / 15), "tie"),
        ((310, 0.3), "Y improves on X"),
    ],
    "luck.width": [
        ((mean_width(half=0.5),), "too narrow"),
        ((mean_width(replace=False),), "too narrow"),
        ((mean_width(fixed_n=10),), "narrower"),
        ((mean_width(seeded=False),), "with a seed"),
        ((mean_width(single=True),), "too wide"),
        ((mean_width(half=-1.0),), "upper end minus"),
    ],
    "luck.peeking": [
        ((found(only_end=True),), "not at the end alone"),
        ((found(first=4),), "Begin with five"),
        ((found(last=0),), "last look included"),
        ((lambda x, y: True,), "never below"),
        ((lambda x, y: 0.03,), "True or False"),
    ],
    "lunar_lander.return": [
        ((210 + 28.8 + 100, 81.2), "not earned"),
        ((-170 - 28.8 + 100, 81.2), "last potential minus the first"),
        ((281.2, -100), "all the others"),
        ((281.2, 181.2), "not 0"),
    ],
    "lunar_lander.slips": [
        ((slip(actions=3),), "Action 3 never"),
        ((slip(flip=True),), "always have its way"),
        ((slip(once=True),), "in every step"),
        ((slip(own=True),), "from `rng` alone"),
        ((slip(actions=5),), "no action 4"),
        ((lambda policy, probability, rng: 2,), "return a function"),
    ],
    "lunar_lander.limit": [
        ((-17.3, -17.3), "nothing is added"),
        ((-0.173, -0.173), "goes on"),
        ((0.173, -17.3), "sign"),
        ((-0.173, -17.127), "reward of the step"),
    ],
    "ablation.effects": [
        ((60, 30, 20), "with the target network"),
        ((100, 30, 20), "sum of the two gains"),
        ((30, 30, 20), "target network's effect"),
        ((50, 20, 20), "without replay"),
        ((50, 30, -20), "comes first"),
        ((50, 30, 10), "not half"),
    ],
    "ablation.clusters": [
        ((lambda runs, rng: rng.choice(runs.ravel(), runs.size),), "without its second run"),
        ((lambda runs, rng: runs[:, rng.permutation(50)].ravel(),), "with replacement"),
        ((lambda runs, rng: runs[:, rng.integers(50, size=50)],), "shape (2, 50)"),
        ((lambda runs, rng: drawn_from(runs, np.random.default_rng(0)),), "were the same"),
        ((lambda runs, rng: drawn_from(runs, np.random.default_rng()),), "`rng` alone"),
    ],
    "ablation.best": [
        ((lambda r: r.max(),), "all runs together"),
        ((lambda r: np.sort(r.max(axis=1))[1:-1].mean() if len(r) > 3 else 240 / 3,), "best *run*"),
        ((lambda r: r.max(axis=0).mean(),), "interquartile"),
        ((lambda r: np.sort(r[-1])[1:-1].mean(),), "final agents"),
    ],
    "takeaways.bias": [
        ((100.1,), "every"),
        ((110,), "discounted before"),
        ((9.9,), "adds"),
    ],
    "takeaways.coins": [
        (({6: 12, 12: 1},), "epsilon_min"),
        (({6: 0, 12: 19},), "not* find"),
        (({6: 20, 12: 20},), "start at 0"),
        (({6: 20},), "no entry for 12"),
        (({6: 1.0, 12: 0.05},), "Count the seeds"),
    ],
    "takeaways.clip": [
        ((lambda r, a, c=0.2: r * a,), "without any clip"),
        ((lambda r, a, c=0.2: np.clip(r * a, 1 - c, 1 + c),), "not the product"),
        ((lambda r, a, c=0.2: min(r * a, np.clip(r, 1 - c, 1 + c) * a),), "minimum is still"),
        ((lambda r, a, c=0.2: np.clip(r, 0.8, 1.2) * a,), "Is `c` used"),
    ],
    "write_dqn.loss": [
        ((dqn_loss(y=lambda r, d, b, g: r + g * b),), "terminal"),
        ((dqn_loss(y=lambda r, d, b, g: r + (1 - d) * b),), "discount"),
        ((dqn_loss(y=lambda r, d, b, g: g * (1 - d) * b),), "reward"),
        ((dqn_loss(y=lambda r, d, b, g: r + g * d * b),), "wrong way round"),
        ((dqn_loss(bootstrap=lambda o, t, s, n: o(n).amax(1)),), "network that learns"),
        ((dqn_loss(bootstrap=lambda o, t, s, n: t(n).mean(1)),), "average"),
        ((dqn_loss(bootstrap=lambda o, t, s, n: t(s).amax(1)),), "before the action"),
        ((dqn_loss(q=lambda v, a: v.amax(1)),), "need not be the best"),
        ((dqn_loss(q=lambda v, a: v.gather(1, a[:, None])),), "all pairs were subtracted"),
        ((dqn_loss(q=lambda v, a: v[:, a]),), "every* row"),
        ((dqn_loss(bootstrap=lambda o, t, s, n: t(n).amax(1, keepdim=True)),), "keepdim=True"),
        ((dqn_loss(bootstrap=lambda o, t, s, n: t(n).argmax(1)),), "argmax"),
        ((dqn_loss(y=lambda r, d, b, g: (1 - d) * (r + g * b)),), "That reward was paid"),
        ((dqn_loss(grad=False),), "gradient"),
        ((lambda *args: 3.0,), "tensor"),
    ],
    "write_dqn.sync": [
        ((sync(lambda n, period: True),), "every update"),
        ((sync(lambda n, period: n == period),), "Only one"),
        ((sync(lambda n, period: n % period),), "wrong way round"),
        ((sync(lambda n, period: n % period == 1),), "too early"),
        ((sync(lambda n, period: False),), "never changes"),
    ],
    "write_dqn.train": [
        ((train(lambda terminated, truncated: terminated or truncated),), "time limit"),
        ((train(lambda terminated, truncated: truncated),), "exchanged"),
        ((train(lambda terminated, truncated: False),), "No end"),
        ((train(lambda terminated, truncated: not terminated),), "wrong way round"),
        ((train(lambda terminated, truncated: ...),), "dots"),
        ((train(lambda terminated, truncated: terminated),), "greedy agent returns"),
        ((train(lambda terminated, truncated: True),), "Every transition"),
        ((lambda *args: None,), "0 transitions stored"),
    ],
    "write_dqn.whole": [
        ((program("no mask"),), "`test_mask` fails. It asks: Nothing follows"),
        ((program("slow clock"),), "9 tests of 10 pass"),
        ((ModuleType("empty"),), "no Buffer, targets"),
        (("missing.py",), "no file 'missing.py'"),
        ((3,), "path of your file"),
    ],
    "your_environment.by_hand": [
        ((6, 0.98, 50, 33.56), "come to rest"),
        ((12, 0.95, 50, 33.56), "horizon of 0.95 is 20"),
        ((12, 0.98, 100, 33.56), "full weight"),
        ((12, 0.98, 50, 49.5), "every minute after it"),
        ((12, 0.98, 50, 43.37), "sees the clock"),
    ],
    "your_environment.shaping": [
        ((lambda w: 0.0,), "no more for 80 to 60"),
        ((lambda w: max(0, abs(w.before - 50) - abs(w.level - 50)),), "again and again"),
        ((lambda w: abs(w.before - 50) - abs(w.level - 50),), "gamma times a minute"),
        ((lambda w: 0.9 * -abs(w.level - 50) + abs(w.before - 50),), "minus the same potential"),
    ],
    "your_environment.milked": [
        ((tank, lambda w: w.level), "between 0 and 1"),
        ((tank, lambda w: 0.3), "0.4 at least"),
        ((tank, lambda w: 40 <= w.level <= 60), "still keep the level"),
        ((int, lambda w: 0.5), "was called"),
    ],
}


def test_every_exercise_has_three_wrong_answers():
    assert WRONG.keys() == EXERCISES.keys()
    assert min(map(len, WRONG.values())) >= 3


@pytest.mark.parametrize(
    ("name", "answers", "words"),
    [
        pytest.param(name, *case, marks=[pytest.mark.slow] * is_slow(name, case), id=f"{name}-{i}")
        for name, cases in WRONG.items()
        for i, case in enumerate(cases)
    ],
)
def test_a_wrong_answer_hears_what_is_wrong(name, answers, words):
    told = review(name, *answers)
    assert not told.passed
    assert words in told, told
    assert told.startswith("Not yet: ") and told.endswith((".", "?", ")"))
    assert name in SLOW or str(review(name, *answers)) == str(told)


# Mistakes of any kind


def leaving(n, batch_size=32):
    raise SystemExit(1)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((), "asks for 1 answer (twin_probability()), and was given 0"),
        ((1, 2), "was given 2"),
        ((None,), "still empty"),
        ((...,), "still empty"),
        ((lambda: 1,), "TypeError"),
        ((lambda n, b: n[0],), "stopped with TypeError"),
        ((lambda n, b: None,), "returned None"),
        ((lambda n, b: ...,), "returned the dots"),
        ((lambda n, b: ... * 2,), "fill it in"),
        ((lambda n, b: np.ones(3),), "shape (3,)"),
        ((lambda n, b: "0.6",), "one number"),
        ((lambda n, b: True,), "one number"),
        ((lambda n, b: float("nan"),), "is nan"),
        ((lambda n, b: 1j,), "one number"),
        ((lambda n, b: {"a": 1},), "one number"),
        ((leaving,), "SystemExit"),
    ],
)
def test_no_mistake_of_a_learner_raises(answers, words):
    told = review("replay.twins", *answers)
    assert not told.passed and words in told, told


def test_any_answer_at_all_gets_a_sentence():
    odd = [0, -1.5, "x", [], {}, (), object(), np.ones((2, 2)), torch.ones(3), int, print, b"x"]
    for name, exercise in EXERCISES.items():
        for answer in odd:
            told = review(name, *[answer] * len(exercise.asks))
            assert isinstance(told, str) and not told.passed, (name, answer)


def test_an_unknown_name_is_answered_with_a_near_one():
    assert "Is it 'replay.twins'?" in review("replay.twin", 1)


def test_a_verdict_is_shown_without_quotes():
    told = Verdict("Right: so it is.", True)
    assert repr(told) == str(told) == "Right: so it is." and told.passed


def test_a_number_may_be_of_any_kind_that_holds_one():
    for one in (3, 3.0, np.float32(3), np.array([3]), torch.tensor(3.0), torch.ones(1) * 3):
        assert number(one, "x") == 3.0


def test_a_value_is_placed_without_the_answer_being_told():
    with pytest.raises(Wrong, match=r"`x` is 2, which is too small. Think.") as caught:
        expect("x", 2, 3, [(4, "no")], "Think.")
    assert "3" not in str(caught.value)


def test_classes_of_a_program_are_found_by_their_names(tmp_path):
    file = tmp_path / "torch.py"
    lines = ["from __future__ import annotations", "from dataclasses import KW_ONLY, dataclass"]
    lines += ["@dataclass", "class Step:", "    done: bool", "    _: KW_ONLY", "    reward: float"]
    file.write_text("\n".join(lines))
    made = _loaded(str(file)).Step(True, reward=1.0)
    assert sys.modules[type(made).__module__].Step is type(made)
    assert sys.modules["torch"] is torch


@pytest.mark.parametrize(
    ("line", "planted", "words"),
    [
        ("import copy", "import copy(", "stopped with SyntaxError"),
        ("self.n_updates % self.period == 0", "True", "`test_copy` fails"),
        ("int(self.online(torch.as_tensor(state)).argmax())", "0", "takes the best action"),
    ],
)
def test_a_program_is_read_from_its_file_anew(line, planted, words, tmp_path):
    file = tmp_path / "my_dqn.py"
    file.write_text(SOURCE.replace(line, planted), encoding="utf-8")
    assert words in review("write_dqn.whole", str(file))

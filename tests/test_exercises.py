"""Every exercise: what it says to the stub, to the worked solution and to wrong answers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rl_lab.agents.tabular import QLearningAgent
from rl_lab.exercises.answers import EXERCISES, Wrong, expect, number
from rl_lab.exercises.debugging import PATIENTS
from rl_lab.exercises.review import Verdict, review
from rl_lab.exercises.short_dqn_tests import TESTS

BOOK = Path(__file__).parents[1] / "book"
CHAPTERS = sorted({name.partition(".")[0] for name in EXERCISES})
# What an answer leans on: the cells of its chapter that hold these words.
NEEDS = {
    "naive_network.sampled": ["EPSILON, ALPHA ="],
    "naive_network.adam": ["EPSILON, ALPHA =", "def mean_update", "uniform ="],
    "debugging.suite": ["def test_mask"],
    "replay.alias": ["class TinyRing"],
    "takeaways.coins": ["def first_find", "SEEDS ="],
    "takeaways.clip": ["def clipped"],
    "write_dqn.train": ["def explore", "def dqn_loss", "def sync"],
}
# These need a chapter's whole run: nbval executes their solutions, and no test here does.
WHOLE_CHAPTER = {"tabular_limits.bins", "lunar_lander.limit"}
SLOW = {"replay.clock", "write_dqn.train", "debugging.eleventh"}
NAMES = [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in EXERCISES]


def is_slow(name, case):
    """Whether a wrong answer is heard after a training run only."""
    return name == "replay.clock" or case[1] in {"greedy agent returns", "Find one that does harm"}


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
    imports = next(cell for cell in found if "from rl_lab.exercises" in cell["source"])
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
    def unmasked_loss(online, target, batch, gamma):
        from rl_lab.losses import q_learning_loss

        return q_learning_loss(online, target, change(batch), gamma)

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
    "replay.twins": [
        ((lambda n, b=32: np.prod(1 - np.arange(b) / n),), "all are different"),
        ((lambda n, b=32: 0.0,), "without replacement"),
        ((lambda n, b=32: 1 - np.prod(1 - np.arange(1, b + 1) / n),), "One factor too many"),
        ((lambda n, b=32: b / n,), "size of the minibatch"),
        ((lambda n, b=32: 1 - np.prod(1 - np.arange(b) / 500),), "still written"),
        ((lambda n, b=32: 1 - np.prod(1 - np.arange(32) / n),), "batch size used"),
        ((0.64,), "should be a function"),
    ],
    "replay.clock": [
        ((one_state(lambda flag, step: False),), "done=True"),
        ((one_state(lambda flag, step: step == 500),), "no step at all"),
        ((one_state(lambda flag, step: flag),), "not only the 500th"),
    ],
    "replay.alias": [
        (([0, 1, 2], [2, 2, 2]), "exchanged"),
        (([0, 1, 2], [0, 1, 2]), "keep the numbers"),
        (([2, 2, 2], [2, 2, 2]), "references"),
        (([0, 0, 0], [0, 1, 2]), "written over"),
        ((2, [0, 1, 2]), "three numbers"),
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
        ((lambda *args: unmasked(in_place)(*args)[0],), "losses and TD errors"),
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
    "ablation.pairs": [
        ((316, 0.7), "cut a quarter"),
        ((300, 0.7), "median"),
        ((310, 10 / 15), "tie"),
        ((310, 0.3), "Y improves on X"),
    ],
    "ablation.best": [
        ((lambda r: r.max(),), "all runs together"),
        ((lambda r: np.sort(r.max(axis=1))[1:-1].mean() if len(r) > 3 else 240 / 3,), "best *run*"),
        ((lambda r: r.max(axis=0).mean(),), "inter-quartile"),
        ((lambda r: np.sort(r[-1])[1:-1].mean(),), "final agents"),
    ],
    "ablation.width": [
        ((mean_width(half=0.5),), "too narrow"),
        ((mean_width(replace=False),), "too narrow"),
        ((mean_width(fixed_n=10),), "narrower"),
        ((mean_width(seeded=False),), "with a seed"),
        ((mean_width(single=True),), "too wide"),
        ((mean_width(half=-1.0),), "upper end minus"),
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
        ((dqn_loss(q=lambda v, a: v.gather(1, a[:, None])),), "all pairs"),
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


def endless(n, batch_size=32):
    while True:
        n += 1


def swallowing(n, batch_size=32):
    while True:
        try:
            n += 1
        except Exception:
            pass


def stubborn(n, batch_size=32):
    while True:
        try:
            n += 1
        except:  # noqa: E722
            pass


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


@pytest.mark.parametrize("code", [endless, swallowing, stubborn])
def test_a_loop_without_end_is_stopped(monkeypatch, code):
    monkeypatch.setitem(EXERCISES, "replay.twins", EXERCISES["replay.twins"]._replace(seconds=0.3))
    assert "did not finish within" in review("replay.twins", code)


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

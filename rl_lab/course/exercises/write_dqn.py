"""The larger exercises: the five lines of DQN, and all of it from an empty file."""

import copy
import math
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from rl_lab.course.exercises import short_dqn_tests
from rl_lab.course.exercises.answers import Wrong, call, exercise, expect, require, run, said
from rl_lab.course.exercises.debugging import Probed
from rl_lab.envs import make_env
from rl_lab.networks import QNetwork, seeded
from rl_lab.probes import probe
from rl_lab.replay import ReplayBuffer
from rl_lab.training import EVALUATION_SEED
from rl_lab.utils.common import use_threads

# Environment steps, and a return that separates the right five lines from wrong ones.
STEPS, ENOUGH = 6_000, 60


def _linear(table: list[list[float]]) -> nn.Module:
    """A network whose action values in state i, one-hot, are row i."""
    layer = nn.Linear(len(table), len(table[0]), bias=False)
    layer.weight.data = torch.tensor(table).T.contiguous()
    return layer


@exercise("write_dqn.loss", "dqn_loss()")
def loss(dqn_loss) -> str:
    """Lines 1 to 3 on a minibatch of three, by hand."""
    online = _linear([[1.0, 2.0], [3.0, 5.0], [8.0, 7.0]])
    target = _linear([[10.0, 14.0], [6.0, 3.0], [-2.0, 9.0]])
    states = torch.eye(3)
    actions, rewards = torch.tensor([0, 1, 1]), torch.tensor([1.0, 3.0, -1.0])  # none is 0
    batch = (states, actions, rewards, states[[1, 2, 0]], torch.tensor([0.0, 1.0, 0.0]))
    made = call(dqn_loss, online, target, tuple(t.clone() for t in batch), 0.5)
    require(isinstance(made, Tensor), f"The loss should be a tensor, and it is {made!r:.60}.")
    q, max_q = torch.tensor([1.0, 5.0, 7.0]), torch.tensor([2.0, 5.0, 8.0])
    dones = batch[4]

    def mean(q, bootstrap, rewards=rewards, gamma=0.5, dones=dones) -> float:
        y = rewards + gamma * (1 - dones) * torch.tensor(bootstrap)
        return float((y - q).square().mean())

    frozen = [6.0, 9.0, 14.0]
    y = rewards + 0.5 * (1 - dones) * torch.tensor(frozen)
    column = rewards + 0.5 * (1 - dones) * torch.tensor(frozen)[:, None]  # of keepdim=True
    columns = torch.tensor([[1.0, 2.0, 2.0], [3.0, 5.0, 5.0], [8.0, 7.0, 7.0]])  # q[:, actions]
    expect(
        "the loss of a minibatch of three",
        made,
        mean(q, frozen),
        [
            (mean(q, frozen, dones=0 * dones), "Line 3: nothing may follow a terminal state."),
            (mean(q, frozen, dones=1 - dones), "Line 3: the mask is the wrong way round."),
            (
                mean(q, frozen, rewards=(1 - dones) * rewards),
                "Line 3: the mask has taken the reward of the last step as well. That reward was "
                "paid; only what would follow it is 0.",
            ),
            (mean(q, frozen, gamma=1.0), "Line 3: the discount is missing."),
            (mean(q, frozen, rewards=0 * rewards), "Line 3: the reward is missing."),
            (mean(q, [5.0, 8.0, 2.0]), "Line 2 asks the network that learns."),
            (mean(q, [4.5, 3.5, 12.0]), "Line 2: the best action, not the average one."),
            (mean(q, [14.0, 6.0, 9.0]), "Line 2 looks at the states before the action."),
            (mean(q, [3.0, -2.0, 14.0]), "Line 2: the frozen network chooses and values."),
            (mean(max_q, frozen), "Line 1: the action taken, which need not be the best."),
            (
                float((y[None, :] - q[:, None]).square().mean()),
                "Line 1 has shape [3, 1] and line 3 shape [3]: all pairs were subtracted.",
            ),
            (
                float((y - columns).square().mean()),
                "Line 1 has shape [3, 3]: `[:, actions]` takes these columns of *every* row.",
            ),
            (
                float((column - q).square().mean()),
                "Line 2 has shape [3, 1], as with `keepdim=True`, and so all pairs were added.",
            ),
            (
                mean(q, [0.0, 1.0, 1.0]),
                "Line 2 has the number of the best action, as `argmax` gives it; its value is "
                "wanted.",
            ),
        ],
        "Work the three transitions out on paper, and print q, bootstrap and y beside them.",
        rel=1e-4,
    )
    require(
        made.requires_grad,
        "The number is right, but no gradient flows from it: is line 1 inside `no_grad`, or "
        "detached?",
    )
    made.backward()
    moved = online.weight.grad
    require(
        target.weight.grad is None or not target.weight.grad.any(),
        "The number is right, but a gradient flows into the frozen network.",
    )
    taken = torch.tensor([[True, False], [False, True], [False, True]]).T
    require(
        moved is not None and bool((moved[~taken] == 0).all()) and bool((moved[taken] != 0).all()),
        "The number is right, but the gradient reaches other values than those of the actions "
        "taken.",
    )
    return "value, target and gradient are what the paper says."


@exercise("write_dqn.sync", "sync()")
def sync(sync) -> str:
    """Line 4: at which updates the copy is made."""
    online, target = nn.Linear(1, 1), nn.Linear(1, 1)
    copied = []
    for update in range(1, 10):
        online.weight.data.fill_(float(update))
        before = target.weight.item()
        run(sync, online, target, update, 3)
        require(online.weight.item() == update, "`sync` changed the network that learns.")
        if target.weight.item() != before:
            copied.append(update)
    hints = {
        tuple(range(1, 10)): "A copy after every update is no target network at all: when is one "
        "due?",
        (): "The target never changes.",
        (3,): "Only one copy was made. The period comes round again.",
        (1, 4, 7): "The copies come at the right distance, but too early: updates count from 1.",
        (2, 5, 8): "The copies come one update early.",
        (1, 2, 4, 5, 7, 8): "It is the wrong way round: copies where none is due.",
    }
    found = ", ".join(map(str, copied)) or "none"
    require(
        copied == [3, 6, 9],
        f"With a period of 3, copies were made after these updates of 9: {found}. "
        + hints.get(tuple(copied), "One is due whenever three more updates have been made."),
    )
    return "a copy after each period, and none between."


class _Scripted(gym.Env):
    """Terminated at its third step, truncated at the fifth after that, and so on."""

    observation_space = gym.spaces.Box(-1, 1, (4,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self) -> None:
        self.clock, self.fresh = 0, True

    def reset(self, *, seed=None, options=None):
        self.fresh = True
        return np.full(4, self.clock / 100, np.float32), {}

    def step(self, action):
        self.clock += 1
        self.fresh = False
        phase = self.clock % 8
        return np.full(4, self.clock / 100, np.float32), 1.0, phase == 3, phase == 0, {}


class _Recorder(ReplayBuffer):
    """A buffer that also keeps the flags it was given."""

    def __init__(self) -> None:
        super().__init__(100, seed=0)
        self.flags = []

    def push(self, state, action, reward, next_state, done, discount=math.nan) -> int:
        self.flags.append(done)
        require(
            done is not ...,
            "Line 5 still holds the dots: which flag says that nothing can follow?",
        )
        return super().push(state, action, reward, next_state, bool(done), discount)


def _require_loop(train: Callable) -> None:
    """Line 5: a fall is stored as an end, a time limit is not."""
    buffer, network = _Recorder(), QNetwork(4, 2, 8)
    run(train, network, copy.deepcopy(network), _Scripted(), buffer, 16, 0)
    flags = [bool(flag) for flag in buffer.flags]
    require(len(flags) == 16, f"16 steps were played and {len(flags)} transitions stored.")
    falls, limits = (2, 10), (7, 15)
    ends = [step for step in range(16) if flags[step]]
    hints = {
        tuple(sorted(falls + limits)): "A time limit was stored as an end: a state that goes on "
        "would be taught as worth nothing more.",
        limits: "The two flags are exchanged: which one says that nothing can follow?",
        (): "No end was ever stored, and two episodes ended with a fall.",
        tuple(range(16)): "Every transition was stored as an end.",
        tuple(s for s in range(16) if s not in falls): "It is the wrong way round.",
    }
    require(
        ends == list(falls),
        hints.get(tuple(ends), "The stored flags do not follow what `env.step` returned."),
    )


@exercise("write_dqn.train", "train()")
def training(train) -> str:
    """Line 5 on a scripted environment, then all five at work on CartPole."""
    _require_loop(train)
    use_threads(1)
    online = seeded(lambda: QNetwork(4, 2, 64), 0)
    buffer = ReplayBuffer(STEPS, seed=0)
    run(train, online, copy.deepcopy(online), make_env("CartPole-v1"), buffer, STEPS, 0)
    require(len(buffer) == STEPS, f"{len(buffer):,} transitions were stored, of {STEPS:,} steps.")
    result = greedy_return(online)
    require(
        result > ENOUGH,
        f"After {STEPS:,} environment steps the greedy agent returns {result:.0f} on average of 10 "
        f"starts, and it should return more than {ENOUGH}. Check the loss and the copy with their "
        "own exercises first; then restart the kernel, so that no old definition is in use.",
    )
    return (
        f"after {STEPS:,} environment steps your agent returns more than {ENOUGH}. You wrote DQN."
    )


PARTS = ("Buffer", "targets", "dqn_loss", "Agent", "train")  # of a program from an empty file


def _loaded(program) -> ModuleType:
    """The learner's program, read anew from its file; a module is taken as it is."""
    if isinstance(program, ModuleType):
        return program
    require(
        isinstance(program, str | Path),
        f"`program` should be the path of your file, and it is {program!r:.60}.",
    )
    path = Path(program)
    require(path.is_file(), f"There is no file {str(program)!r:.80} in {Path.cwd().name}/.")
    name = f"program_{path.stem}"  # in nobody's way: the file may be called torch.py
    loader = SourceFileLoader(name, str(path))
    module = module_from_spec(spec_from_loader(name, loader))  # type: ignore[arg-type]
    sys.modules[name] = module  # where dataclasses and pickle look for it

    def load() -> None:  # not by the loader, which may take an older one that it has compiled
        exec(loader.source_to_code(path.read_bytes(), path.name), module.__dict__)

    load.__name__ = path.name
    run(load)
    return module


def _require_greedy(dqn: ModuleType) -> None:
    """At the end of exploration the action is nearly always the best one."""
    agent, state, greedy = run(dqn.Agent), np.zeros(4, np.float32), []
    agent.n_steps = 10**6
    for best in (0, 1):  # in every state
        with torch.no_grad():
            agent.online.values.weight.zero_()
            agent.online.values.bias.copy_(torch.eye(2)[best])
        greedy += [run(agent.act, state) == best for _ in range(100)]
    share = np.mean(greedy)
    require(
        bool(share > 0.85),
        f"All ten tests pass, and with epsilon at 0.05 `act` takes the best action in {share:.0%} "
        "of 200 calls. Which action has the highest value?",
    )


@exercise("write_dqn.whole", "program")
def whole(program) -> str:
    """A whole DQN: the ten tests of the lab, the probes, and CartPole, in this order."""
    dqn = _loaded(program)
    missing = [name for name in PARTS if not hasattr(dqn, name)]
    require(not missing, f"The file has no {', '.join(missing)}.")
    for number, test in enumerate(short_dqn_tests.TESTS.values()):
        try:
            test(dqn)
        except (Exception, SystemExit) as error:
            why = "" if isinstance(error, AssertionError) else f" ({said(error)})"
            raise Wrong(
                f"{number} tests of {len(short_dqn_tests.TESTS)} pass, and then "
                f"`{test.__name__}` fails{why}. It asks: {test.__doc__}"
            ) from error
    _require_greedy(dqn)
    use_threads(1)
    failure = probe(lambda env: Probed(env, dqn)).first_failure
    if failure is not None:
        found = (
            f"it stopped with {failure.error!r}."
            if failure.error
            else f"{failure.what} should be {failure.expected:g} and is {failure.found:.3g}. Look "
            f"at {failure.probe.points_at}"
        )
        raise Wrong(f"All ten tests pass, and in the probe {failure.probe.name!r} {found}")
    agent = run(dqn.Agent)
    for _ in run(dqn.train, agent, make_env("CartPole-v1"), STEPS, 0):
        pass
    result = greedy_return(agent.online)
    require(
        result > ENOUGH,
        f"Tests and probes pass, and yet after {STEPS:,} environment steps of CartPole the greedy "
        f"agent returns {result:.0f}, not more than {ENOUGH}. What do none of them look at? "
        "Sampling, perhaps, or exploration.",
    )
    return (
        f"ten tests, six probes, and more than {ENOUGH} on CartPole. From an empty file you wrote "
        "DQN."
    )


@torch.no_grad()
def greedy_return(network: nn.Module, n_episodes: int = 10) -> float:
    """Mean return of greedy CartPole episodes on unseen starts."""
    env, total = make_env("CartPole-v1"), 0
    for episode in range(n_episodes):
        state, _ = env.reset(seed=EVALUATION_SEED + episode)
        terminated = truncated = False
        while not (terminated or truncated):
            action = int(network(torch.as_tensor(state)).argmax())
            state, _, terminated, truncated, _ = env.step(action)
            total += 1
    return total / n_episodes

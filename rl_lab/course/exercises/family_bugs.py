"""The second round of the bug lab: agents of the DQN family, and a silent bug of one line in each.

The first round planted its bugs in one short program. These stand in copies of the library's own
modules, which import each other in place of the originals.
"""

import inspect
from functools import cache, partial
from types import CodeType, ModuleType
from typing import NamedTuple

from torch import nn

from rl_lab import distributional, n_step, networks, prioritized, training
from rl_lab.agents import dqn

MODULES = (networks, n_step, prioritized, distributional, dqn, training)
STEPS = 15_000
AGENTS = ("plain", "3 steps", "prioritized", "noisy", "C51")


class FamilyBug(NamedTuple):
    """One line of a module of the library, what stands in its place, and who suffers from it."""

    module: ModuleType
    line: str
    planted: str
    agent: str
    meaning: str


BUGS = {
    "all pairs again": FamilyBug(
        dqn,
        "loss = (weights * losses).mean()",
        "loss = (weights.unsqueeze(1) * losses).mean()",
        "prioritized",
        "weights [B, 1] meet losses [B]: every weight multiplies every loss",
    ),
    "beta stays": FamilyBug(
        prioritized,
        "self._n_sampled += 1",
        "pass",
        "prioritized",
        "the exponent of the importance weights is never annealed",
    ),
    "wrong neighbour": FamilyBug(
        prioritized,
        "self._tree[indices] = scaled",
        "self._tree[(indices + 1) % len(self)] = scaled",
        "prioritized",
        "each error is recorded as the priority of the next transition",
    ),
    "limit is end": FamilyBug(
        n_step,
        "self._oldest(next_observation, bool(terminated))",
        "self._oldest(next_observation, bool(terminated or truncated))",
        "3 steps",
        "n-step returns treat a time limit as a terminal state",
    ),
    "exploring judge": FamilyBug(
        training,
        "agent.select_action(state, training=False)",
        "agent.select_action(state)",
        "plain",
        "epsilon-greedy stays on in the evaluation",
    ),
    "loud noise": FamilyBug(
        networks,
        "self.weight_sigma = nn.Parameter(torch.full_like(self.weight, sigma * bound))",
        "self.weight_sigma = nn.Parameter(torch.full_like(self.weight, sigma))",
        "noisy",
        "the noise of the weights starts at 0.5, whatever the number of inputs",
    ),
    "wrapped atoms": FamilyBug(
        distributional,
        " / spacing).clamp(0, last)",
        " / spacing).remainder(last)",
        "C51",
        "what falls on or beyond the last atom comes back at the first",
    ),
}


@cache
def _compiled(source: str, file: str) -> CodeType:
    return compile(source, file, "exec")


def library(bug: str | None = None) -> dict[str, ModuleType]:
    """Return copies of the library's modules by name, healthy or with one of the bugs planted."""
    copies: dict[str, ModuleType] = {}
    for module in MODULES:
        source = inspect.getsource(module)
        if bug is not None and BUGS[bug].module is module:
            source = source.replace(BUGS[bug].line, BUGS[bug].planted)
        made = ModuleType(module.__name__)
        exec(_compiled(source, str(module.__file__)), made.__dict__)
        for name, value in vars(made).items():  # what it imported from a module copied before
            home = copies.get(getattr(value, "__module__", ""))
            if home is not None and hasattr(home, name):
                setattr(made, name, getattr(home, name))
        copies[module.__name__] = made
    return copies


def build(modules: dict[str, ModuleType], agent: str, settings: dict, seed: int):
    """Return one of `AGENTS`, made of copies of the library's modules.

    Args:
        modules: as `library` returns them.
        agent: a name from `AGENTS`.
        settings: of `DQNAgent`, the same for all but what the agent's part changes.
        seed: of the agent.
    """
    parts = {
        "plain": {},
        "3 steps": dict(n_step=3),
        "prioritized": dict(
            replay=partial(modules["rl_lab.prioritized"].PrioritizedReplay, beta_steps=STEPS)
        ),
        "noisy": dict(epsilon=0.0, epsilon_min=0.0),
        "C51": dict(objective=modules["rl_lab.distributional"].Categorical(0.0, 100.0, 21)),
    }[agent]
    nets = modules["rl_lab.networks"]
    network = partial(
        nets.QNetwork,
        n_atoms=21 if agent == "C51" else None,
        linear=nets.NoisyLinear if agent == "noisy" else nn.Linear,
    )
    agent_of = modules["rl_lab.agents.dqn"].DQNAgent
    return agent_of(4, 2, network=network, **settings | parts, device="cpu", seed=seed)


def diff(bug: str) -> str:
    """Say in which module a bug's line stands, and what is planted in its place."""
    found = BUGS[bug]
    return f"{found.module.__name__}\n- {found.line.strip()}\n+ {found.planted.strip()}"

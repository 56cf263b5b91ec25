"""Time the training core beside its rivals: ``make bench``.

Two things are timed at two sizes of task, and on small pictures. A *training step* is: act, step
the environment, store, learn from one minibatch. An *update* is the learning alone. The contenders
take turns, one thread each, and what is counted is the time of the processor, not the clock: a busy
machine then disturbs little. Medians over the turns are compared. The *floor* is the time of an
update's matrix products alone. ``--store`` writes the tables and the chart of the book's page.
"""

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import argparse
import csv
import datetime
import statistics
import sys
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import gymnasium as gym
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import torch
from sb3_contrib import QRDQN
from stable_baselines3 import DQN
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.machine import machine
from rl_lab.distributional import Categorical, QuantileRegression
from rl_lab.networks import ConvQNetwork, DuelingQNetwork, NoisyLinear, QNetwork
from rl_lab.prioritized import PrioritizedReplay
from rl_lab.stack import AgentStack

PAGE = Path(__file__).parents[1] / "book" / "performance"  # folder of what the page shows
TURNS = 7
SECONDS = 0.5  # of one turn, about
STARTS = 1_000  # environment steps before the first update
STORED = 50_000  # transitions that a minibatch is drawn from, by every contender
STACKS = (1, 5, 10, 20)
RIVALS = ("Stable-Baselines3", "sb3-contrib", "JAX", "floor")  # what the chart shows in grey
EPSILON = 0.1  # the same all the time: a random action is cheaper than a greedy one


class Shape(NamedTuple):
    """The size of a task and of the network that learns it."""

    env: str
    obs_dim: int
    n_actions: int
    hidden_dim: int
    batch_size: int
    lr: float
    target_period: int
    obs_shape: tuple[int, ...] | None = None  # of pictures


SHAPES = {
    "cart": Shape("CartPole-v1", 4, 2, 128, 64, 1e-3, 100),
    "lander": Shape("LunarLander-v3", 8, 4, 256, 128, 5e-4, 200),
    "pixels": Shape("Pictures-v0", 400, 3, 128, 32, 1e-3, 100, (4, 10, 10)),
}
ATOMS = 51
# The distributional member of the family that Stable-Baselines3 has, and all parts together.
QUANTILES = dict(network=partial(QNetwork, n_atoms=ATOMS), objective=QuantileRegression(ATOMS))
RAINBOW = dict(
    network=partial(DuelingQNetwork, n_atoms=ATOMS, linear=NoisyLinear),
    objective=Categorical(0, 100, n_atoms=ATOMS, double=True),
    replay=PrioritizedReplay,
    n_step=3,
)


class Pictures(gym.Env):
    """Random pictures of 10 x 10: nothing to learn, and no time of its own."""

    observation_space = gym.spaces.Box(0, 255, (4, 10, 10), np.uint8)
    action_space = gym.spaces.Discrete(3)

    def __init__(self) -> None:
        self.pictures = np.random.default_rng(0).integers(255, size=(64, 4, 10, 10), dtype=np.uint8)

    def reset(self, *, seed=None, options=None):
        self.n = 0
        return self.pictures[0], {}

    def step(self, action):
        self.n += 1
        return self.pictures[self.n % 64], 1.0, self.n == 500, False, {}


gym.register("Pictures-v0", Pictures)


class Convolution(BaseFeaturesExtractor):
    """What `ConvQNetwork` has before its values, for Stable-Baselines3."""

    def __init__(self, observation_space) -> None:
        super().__init__(observation_space, 128)
        layers = [
            nn.Conv2d(4, 16, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 8 * 8, 128),
            nn.ReLU(),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, observations):
        return self.layers(observations)


class Contender:
    """Something to time: a function of a number of rounds, each of which serves `n` agents."""

    def __init__(self, work, n: int = 1) -> None:
        self.work, self.n, self.times = work, n, []
        work(3)
        start = time.process_time()
        work(10)
        self.rounds = max(10, int(10 * SECONDS / (time.process_time() - start)))

    def turn(self) -> None:
        """Work for about SECONDS and note the microseconds of one agent in one round."""
        start = time.process_time()
        self.work(self.rounds)
        self.times.append((time.process_time() - start) / self.rounds / self.n * 1e6)

    @property
    def median(self) -> float:
        return statistics.median(self.times)


def agents(shape: Shape, n: int, **parts) -> list[DQNAgent]:
    """Return `n` agents with full replay buffers, that learn from step STARTS on."""
    if shape.obs_shape:
        parts = dict(network=ConvQNetwork) | parts
    made = [
        DQNAgent(
            Pictures.observation_space if shape.obs_shape else shape.obs_dim,
            shape.n_actions,
            hidden_dim=shape.hidden_dim,
            lr=shape.lr,
            epsilon=EPSILON,
            epsilon_min=EPSILON,
            buffer_size=STORED,
            batch_size=shape.batch_size,
            target_update_freq=shape.target_period,
            learning_starts=STARTS,
            device="cpu",
            seed=seed,
            **parts,
        )
        for seed in range(n)
    ]
    rng = np.random.default_rng(0)
    if shape.obs_shape:
        states = rng.integers(255, size=(STORED + 1, *shape.obs_shape), dtype=np.uint8)
    else:
        states = rng.normal(size=(STORED + 1, shape.obs_dim)).astype(np.float32)
    actions = rng.integers(shape.n_actions, size=STORED)
    for agent in made:
        for state, action, after in zip(states, actions, states[1:], strict=False):
            agent.replay.push(state, action, 1.0, after, False, agent.gamma)
    return made


class Walk:
    """An environment that begins again where an episode ends."""

    def __init__(self, name: str, seed: int) -> None:
        self.env = gym.make(name)
        self.state, _ = self.env.reset(seed=seed)

    def step(self, action: int) -> tuple:
        """Take a step; returns what `DQNAgent.observe` takes."""
        state = self.state
        self.state, reward, terminated, truncated, _ = self.env.step(action)
        row = (state, action, reward, self.state, terminated)
        if terminated or truncated:
            self.state, _ = self.env.reset()
        return row


def dqn_step(shape: Shape, **parts):
    """Train one `DQNAgent`; returns it, too."""
    (agent,) = agents(shape, 1, **parts)
    walk = Walk(shape.env, 0)

    def work(rounds):
        for _ in range(rounds):
            agent.update(*walk.step(agent.select_action(walk.state)))

    work(STARTS + 100)
    return work, agent


def stack_step(shape: Shape, n: int, **parts):
    """Train a stack of `n` agents; returns it, too."""
    stack = AgentStack(agents(shape, n, **parts))
    walks = [Walk(shape.env, seed) for seed in range(n)]

    def work(rounds):
        for _ in range(rounds):
            actions = stack.select_actions([walk.state for walk in walks])
            stack.update([w.step(a) for w, a in zip(walks, actions, strict=True)])

    work(STARTS + 20)
    return work, stack


def repeated(function):
    """Return a function of a number of rounds that calls `function` that often."""

    def work(rounds):
        for _ in range(rounds):
            function()

    return work


def sb3_step(shape: Shape, algorithm=DQN, **policy):
    """Train Stable-Baselines3's DQN with the same settings (its loss is Huber's; it clips)."""
    if shape.obs_shape:
        policy |= dict(features_extractor_class=Convolution, net_arch=[])
    else:
        policy |= dict(net_arch=[shape.hidden_dim] * 2)
    model = algorithm(
        "CnnPolicy" if shape.obs_shape else "MlpPolicy",
        shape.env,
        learning_rate=shape.lr,
        buffer_size=STORED,
        learning_starts=STARTS,
        batch_size=shape.batch_size,
        train_freq=1,
        gradient_steps=1,
        target_update_interval=shape.target_period,
        exploration_initial_eps=EPSILON,
        exploration_final_eps=EPSILON,
        policy_kwargs=policy,
        device="cpu",
        seed=0,
    )
    model.learn(STARTS + 100)
    model.replay_buffer.full = True  # draw from all rows, those not yet written too
    return lambda rounds: model.learn(rounds, reset_num_timesteps=False)


def jax_update(shape: Shape, n: int):  # noqa: C901 - one program, as JAX wants it
    """Run the same update for `n` seeds in JAX: jit of a vmap over seeds of a scan."""
    sizes = (shape.obs_dim, shape.hidden_dim, shape.hidden_dim, shape.n_actions)
    s = shape.obs_dim

    def values(layers, x):
        for weight, bias in layers[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        return x @ layers[-1][0] + layers[-1][1]

    def loss(layers, frozen, rows):
        y = rows[:, -3] + 0.99 * (1 - rows[:, -2]) * values(frozen, rows[:, s : 2 * s]).max(-1)
        q = values(layers, rows[:, :s])[jnp.arange(len(rows)), rows[:, -4].astype(int)]
        return ((jax.lax.stop_gradient(y) - q) ** 2).mean()

    def update(store, carry, _):
        layers, frozen, mean, square, count, key = carry
        key, own = jax.random.split(key)
        rows = store[jax.random.randint(own, (shape.batch_size,), 0, len(store))]
        slopes = jax.grad(loss)(layers, frozen, rows)
        count = count + 1
        tree = jax.tree_util.tree_map
        mean = tree(lambda m, g: 0.9 * m + 0.1 * g, mean, slopes)
        square = tree(lambda v, g: 0.999 * v + 0.001 * g * g, square, slopes)
        layers = tree(
            lambda w, m, v: (
                w - shape.lr * m / (1 - 0.9**count) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
            ),
            layers,
            mean,
            square,
        )
        frozen = tree(
            lambda f, w: jnp.where(count % shape.target_period == 0, w, f), frozen, layers
        )
        return (layers, frozen, mean, square, count, key), None

    def start(key):
        keys = jax.random.split(key, 5)
        layers = [
            (jax.random.normal(k, (a, b)) / a**0.5, jnp.zeros(b))
            for k, a, b in zip(keys, sizes, sizes[1:], strict=False)
        ]
        zeros = jax.tree_util.tree_map(jnp.zeros_like, layers)
        store = jax.random.normal(keys[3], (STORED, 2 * s + 4))
        actions = jax.random.randint(keys[4], (STORED,), 0, shape.n_actions)
        store = store.at[:, -4].set(actions).at[:, -2].set(0.0)
        return store, (layers, layers, zeros, zeros, jnp.zeros(()), keys[0])

    store, carry = jax.vmap(start)(jax.random.split(jax.random.key(0), n))

    def one(store, carry):
        return jax.lax.scan(partial(update, store), carry, length=20)[0]

    many = jax.jit(jax.vmap(one))

    def work(rounds):  # rounds of 20 updates, compiled into one call
        nonlocal carry
        for _ in range(-(-rounds // 20)):
            carry = many(store, carry)
        jax.block_until_ready(carry)

    work(20)
    return work


def products(shape: Shape, n: int):
    """Do the matrix products of an update of `n` networks, and nothing else."""
    b, s, h, a = shape.batch_size, shape.obs_dim, shape.hidden_dim, shape.n_actions
    x, hidden, out = torch.randn(n, b, s), torch.randn(n, b, h), torch.randn(n, b, a)
    w1, w2, w3 = torch.randn(n, h, s), torch.randn(n, h, h), torch.randn(n, a, h)

    @torch.inference_mode()
    def update():
        for _ in range(2):  # the target's forward pass and the online network's
            torch.bmm(x, w1.mT), torch.bmm(hidden, w2.mT), torch.bmm(hidden, w3.mT)
        torch.bmm(out.mT, hidden), torch.bmm(out, w3)
        torch.bmm(hidden.mT, hidden), torch.bmm(hidden, w2), torch.bmm(hidden.mT, x)

    return repeated(update)


def contenders(shape: Shape) -> dict[str, Contender]:
    """Return all that is timed at one shape."""
    step, agent = dqn_step(shape)
    found = {
        "step: Stable-Baselines3": Contender(sb3_step(shape)),
        "step: DQNAgent": Contender(step),
        "update: DQNAgent": Contender(repeated(agent.learn)),
    }
    for n in (10,) if shape.obs_shape else STACKS:
        step, stack = stack_step(shape, n)
        found[f"step: stack of {n}"] = Contender(step, n)
        found[f"update: stack of {n}"] = Contender(repeated(stack.learn), n)
    if shape.obs_shape:
        return found
    quantiles = sb3_step(shape, QRDQN, n_quantiles=ATOMS)
    found["step: QR-DQN of sb3-contrib"] = Contender(quantiles)
    for name, parts in {"QR-DQN": QUANTILES, "Rainbow": RAINBOW}.items():
        found[f"step: {name}"] = Contender(dqn_step(shape, **parts)[0])
        found[f"step: {name}, stack of 10"] = Contender(stack_step(shape, 10, **parts)[0], 10)
    jax_work = jax_update(shape, 10)
    found["update: JAX, 10 seeds"] = Contender(lambda rounds: jax_work(20 * rounds), 10 * 20)
    found["floor: stack of 10"] = Contender(products(shape, 10), 10)
    return found


def ratios(us: dict[str, float], name: str) -> list[tuple[str, float, float]]:
    """Return each goal of a shape: what is divided, the ratio, and where it should be."""
    alone, of_ten = {"cart": (0.55, 0.13), "lander": (0.55, 0.32), "pixels": (0.5, 0.35)}[name]
    rival = us["step: Stable-Baselines3"]
    goals = [
        ("step, DQNAgent / Stable-Baselines3", us["step: DQNAgent"] / rival, alone),
        ("step, stack of 10 / Stable-Baselines3", us["step: stack of 10"] / rival, of_ten),
    ]
    if name == "pixels":
        return goals
    ten, rival = us["update: stack of 10"], us["step: QR-DQN of sb3-contrib"]
    return [
        *goals,
        ("step, QR-DQN / sb3-contrib", us["step: QR-DQN"] / rival, 0.6),
        ("step, stack of 10 QR-DQN / sb3-contrib", us["step: QR-DQN, stack of 10"] / rival, 0.3),
        ("update, stack of 10 / JAX", ten / us["update: JAX, 10 seeds"], 1.2),
        ("update, stack of 10 / floor", ten / us["floor: stack of 10"], 2.0),
    ]


def chart(rows: list[dict], path: Path) -> None:
    """Draw the medians of each shape as bars, with the range over the turns."""
    shapes = {name: [row for row in rows if row["size"] == name] for name in SHAPES}
    heights = [len(own) + 2 for own in shapes.values()]
    figure, axes = plt.subplots(
        len(shapes), figsize=(6, sum(heights) / 4), layout="constrained", height_ratios=heights
    )
    for ax, (name, own) in zip(axes, shapes.items(), strict=True):
        labels = [row["what"] for row in own]
        medians = np.array([row["median"] for row in own])
        spread = [medians - [row["least"] for row in own], [row["most"] for row in own] - medians]
        colours = ["0.6" if any(rival in w for rival in RIVALS) else "tab:blue" for w in labels]
        ax.barh(labels, medians, xerr=spread, color=colours, ecolor="0.2")
        ax.set(title=name, xlabel="microseconds for one agent")
        ax.invert_yaxis()
    figure.savefig(path, metadata={"Date": None})


def write(path: Path, rows: list[dict]) -> None:
    """Write rows of one table as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def conditions() -> list[dict]:
    """Return date, processor and versions, a row each."""
    here = machine()
    packages = ("stable-baselines3", "sb3-contrib", "jax", "jaxlib")
    facts = {
        "date": datetime.date.today().isoformat(),
        "processor": here["processor"],
        "threads": "one",
        **here["versions"],
        **{name: version(name) for name in packages},
    }
    return [{"what": name, "value": value} for name, value in facts.items()]


def main() -> int:
    """Print the table of each shape and its ratios."""
    parser = argparse.ArgumentParser(description="Time the training core beside its rivals.")
    parser.add_argument("--shapes", nargs="+", default=[*SHAPES], choices=SHAPES)
    parser.add_argument("--store", action="store_true", help="write what the book's page shows")
    args = parser.parse_args()
    if args.store and args.shapes != [*SHAPES]:
        parser.error("--store needs all shapes")
    torch.set_num_threads(1)
    times, goals = [], []
    for name in args.shapes:
        shape = SHAPES[name]
        found = contenders(shape)
        for _ in range(TURNS):
            for contender in found.values():
                contender.turn()
        print(f"\n{name}: {shape.env}, hidden {shape.hidden_dim}, batch {shape.batch_size}")
        for label, contender in found.items():
            least, most = min(contender.times), max(contender.times)
            print(
                f"  {label:<26} {contender.median:7.0f} us an agent   ({least:.0f} to {most:.0f})"
            )
            numbers = dict(median=contender.median, least=least, most=most)
            times.append(dict(size=name, what=label) | {k: round(v) for k, v in numbers.items()})
        us = {label: contender.median for label, contender in found.items()}
        for label, ratio, goal in ratios(us, name):
            verdict = "met" if ratio <= goal else "missed"
            print(f"  {label:<40} {ratio:5.2f}, goal {goal}: {verdict}")
            goals.append(
                dict(size=name, ratio=label, found=f"{ratio:.2f}", goal=goal, verdict=verdict)
            )
    if args.store:
        PAGE.mkdir(exist_ok=True)
        write(PAGE / "times.csv", times)
        write(PAGE / "ratios.csv", goals)
        write(PAGE / "conditions.csv", conditions())
        chart(times, PAGE / "times.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())

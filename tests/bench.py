"""Time the training core beside its rivals: ``make bench``.

Two things are timed at two sizes of task. A *training step* is: act, step the environment,
store, learn from one minibatch. An *update* is the learning alone. The contenders take turns, one
thread each, and what is counted is the processor's time, not the clock's: a busy machine then
disturbs little. Medians over the turns are compared. The *floor* is the time of an update's
matrix products alone.
"""

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import argparse
import statistics
import sys
import time
from functools import partial
from typing import NamedTuple

import gymnasium as gym
import jax
import jax.numpy as jnp
import torch
from stable_baselines3 import DQN

from rl_lab.agents.dqn import DQNAgent
from rl_lab.multiseed import AgentStack

TURNS = 7
SECONDS = 0.5  # of one turn, about
FILLED = 1_000  # transitions stored before the first update
STACKS = (1, 5, 10, 20)
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


SHAPES = {
    "cart": Shape("CartPole-v1", 4, 2, 128, 64, 1e-3, 100),
    "lander": Shape("LunarLander-v3", 8, 4, 256, 128, 5e-4, 200),
}


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


def agents(shape: Shape, n: int) -> list[DQNAgent]:
    """Return `n` agents that learn from their first FILLED steps on."""
    return [
        DQNAgent(
            shape.obs_dim,
            shape.n_actions,
            hidden_dim=shape.hidden_dim,
            lr=shape.lr,
            epsilon=EPSILON,
            epsilon_min=EPSILON,
            buffer_size=50_000,
            batch_size=shape.batch_size,
            target_update_freq=shape.target_period,
            learning_starts=FILLED,
            device="cpu",
            seed=seed,
        )
        for seed in range(n)
    ]


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


def dqn_step(shape: Shape):
    """Train one `DQNAgent`; returns it, too."""
    (agent,) = agents(shape, 1)
    walk = Walk(shape.env, 0)

    def work(rounds):
        for _ in range(rounds):
            agent.update(*walk.step(agent.select_action(walk.state)))

    work(FILLED + 100)
    return work, agent


def stack_step(shape: Shape, n: int):
    """Train a stack of `n` agents; returns it, too."""
    stack = AgentStack(agents(shape, n))
    walks = [Walk(shape.env, seed) for seed in range(n)]

    def work(rounds):
        for _ in range(rounds):
            actions = stack.select_actions([walk.state for walk in walks])
            due = [
                agent.observe(*walk.step(action))
                for agent, walk, action in zip(stack.agents, walks, actions, strict=True)
            ]
            if all(due):
                stack.learn()

    work(FILLED + 20)
    return work, stack


def repeated(function):
    """Return a function of a number of rounds that calls `function` that often."""

    def work(rounds):
        for _ in range(rounds):
            function()

    return work


def sb3_step(shape: Shape):
    """Train Stable-Baselines3's DQN with the same settings (its loss is Huber's; it clips)."""
    model = DQN(
        "MlpPolicy",
        shape.env,
        learning_rate=shape.lr,
        buffer_size=50_000,
        learning_starts=FILLED,
        batch_size=shape.batch_size,
        train_freq=1,
        gradient_steps=1,
        target_update_interval=shape.target_period,
        exploration_initial_eps=EPSILON,
        exploration_final_eps=EPSILON,
        policy_kwargs={"net_arch": [shape.hidden_dim] * 2},
        device="cpu",
        seed=0,
    )
    model.learn(FILLED + 100)
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
        store = jax.random.normal(keys[3], (50_000, 2 * s + 4))
        actions = jax.random.randint(keys[4], (50_000,), 0, shape.n_actions)
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
        "update: DQNAgent": Contender(repeated(agent._learn)),
    }
    for n in STACKS:
        step, stack = stack_step(shape, n)
        found[f"step: stack of {n}"] = Contender(step, n)
        found[f"update: stack of {n}"] = Contender(repeated(stack.learn), n)
    jax_work = jax_update(shape, 10)
    found["update: JAX, 10 seeds"] = Contender(lambda rounds: jax_work(20 * rounds), 10 * 20)
    found["floor: stack of 10"] = Contender(products(shape, 10), 10)
    return found


def ratios(us: dict[str, float], name: str) -> list[tuple[str, float, float]]:
    """Return each goal of a shape: what is divided, the ratio, and where it should be."""
    of_sb3, of_jax = {"cart": (0.12, 1.25), "lander": (0.30, 1.25)}[name]
    ten = us["update: stack of 10"]
    goals = [
        (
            "step, stack of 10 / Stable-Baselines3",
            us["step: stack of 10"] / us["step: Stable-Baselines3"],
            of_sb3,
        ),
        ("update, stack of 10 / JAX", ten / us["update: JAX, 10 seeds"], of_jax),
        ("update, stack of 10 / floor", ten / us["floor: stack of 10"], 2.0),
    ]
    if name == "cart":
        alone = us["step: DQNAgent"] / us["step: Stable-Baselines3"]
        goals.insert(0, ("step, DQNAgent / Stable-Baselines3", alone, 0.25))
    return goals


def main() -> int:
    """Print the table of each shape and its ratios."""
    parser = argparse.ArgumentParser(description="Time the training core beside its rivals.")
    parser.add_argument("--shapes", nargs="+", default=[*SHAPES], choices=SHAPES)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.shapes:
        shape = SHAPES[name]
        found = contenders(shape)
        for _ in range(TURNS):
            for contender in found.values():
                contender.turn()
        print(f"\n{name}: {shape.env}, hidden {shape.hidden_dim}, batch {shape.batch_size}")
        for label, contender in found.items():
            print(
                f"  {label:<26} {contender.median:7.0f} us an agent"
                f"   ({min(contender.times):.0f} to {max(contender.times):.0f})"
            )
        us = {label: contender.median for label, contender in found.items()}
        goals = ratios(us, name)
        for label, ratio, goal in goals:
            verdict = "met" if ratio <= goal else "missed"
            print(f"  {label:<40} {ratio:5.2f}, goal {goal}: {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

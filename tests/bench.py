"""Time a whole training step of `DQNAgent` beside Stable-Baselines3's DQN: ``make bench``.

A step is: act, step CartPole, store, learn from one minibatch. Both agents have the same
networks, batch, optimiser, exploration and target period, and one thread. They take turns, and
what is counted is the processor's time, not the clock's: a busy machine then disturbs little.
Medians over the turns are compared.
"""

import statistics
import sys
import time

import gymnasium as gym
import torch
from stable_baselines3 import DQN

from rl_lab.agents.dqn import DQNAgent

TURNS = 9
STEPS = 1500  # of one turn
WARM_UP = 2000  # steps before the first turn; learning begins at LEARNING_STARTS
LEARNING_STARTS = 1000
EPSILON = 0.1  # the same all the time: a random action is cheaper than a greedy one
TARGET_RATIO = 0.45


def ours():
    """Return a function that trains `DQNAgent` for a number of steps."""
    env = gym.make("CartPole-v1")
    agent = DQNAgent(
        obs_dim=4,
        n_actions=2,
        hidden_dim=128,
        lr=1e-3,
        epsilon=EPSILON,
        epsilon_min=EPSILON,
        buffer_size=50_000,
        batch_size=64,
        target_update_freq=100,
        learning_starts=LEARNING_STARTS,
        device="cpu",
        seed=0,
    )
    env.reset(seed=0)

    def train(n_steps):
        state, _ = env.reset()
        for _ in range(n_steps):
            action = agent.select_action(state)
            next_state, reward, terminated, truncated, _ = env.step(action)
            agent.update(state, action, reward, next_state, terminated, truncated=truncated)
            state = env.reset()[0] if terminated or truncated else next_state

    return train


def theirs():
    """Return a function that trains Stable-Baselines3's DQN for a number of steps."""
    model = DQN(
        "MlpPolicy",
        "CartPole-v1",
        learning_rate=1e-3,
        buffer_size=50_000,
        learning_starts=LEARNING_STARTS,
        batch_size=64,
        train_freq=1,
        gradient_steps=1,
        target_update_interval=100,
        exploration_initial_eps=EPSILON,
        exploration_final_eps=EPSILON,
        policy_kwargs={"net_arch": [128, 128]},
        device="cpu",
        seed=0,
    )
    return lambda n_steps: model.learn(n_steps, reset_num_timesteps=False)


def main():
    """Print microseconds per step of both, and the ratio."""
    torch.set_num_threads(1)
    trainers = {"rl_lab": ours(), "stable-baselines3": theirs()}
    for train in trainers.values():
        train(WARM_UP)
    times = {name: [] for name in trainers}
    for _ in range(TURNS):
        for name, train in trainers.items():
            start = time.process_time()
            train(STEPS)
            times[name].append((time.process_time() - start) / STEPS * 1e6)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(
            f"{name:<18} {medians[name]:6.0f} us a training step"
            f"  (from {min(values):.0f} to {max(values):.0f} in {TURNS} turns of {STEPS} steps)"
        )
    ratio = medians["rl_lab"] / medians["stable-baselines3"]
    print(f"ratio {ratio:.2f}, to be at most {TARGET_RATIO}")
    return int(ratio > TARGET_RATIO)


if __name__ == "__main__":
    sys.exit(main())

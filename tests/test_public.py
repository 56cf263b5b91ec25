"""The names that learners' notebooks already use: they work, and their signatures stay."""

import inspect
from dataclasses import fields

import numpy as np
import pytest
import torch

from rl_lab.agents.dqn import DQNAgent, ReplayBuffer
from rl_lab.agents.tabular import QLearningAgent
from rl_lab.envs import make_env
from rl_lab.training import Evaluation, GreedyEpisode, History, evaluate, train_dqn
from rl_lab.utils.common import get_device


def test_a_hand_written_loop_runs_unchanged():
    env = make_env("CartPole-v1")
    device = get_device("cpu")
    agent = DQNAgent(
        obs_dim=4,
        n_actions=2,
        hidden_dim=128,
        lr=1e-3,
        gamma=0.99,
        epsilon=1.0,
        epsilon_min=0.01,
        epsilon_decay=0.995,
        buffer_size=50000,
        batch_size=64,
        target_update_freq=100,
        device=device,
        seed=42,
    )
    rewards, losses, epsilons = [], [], []
    for episode in range(6):
        state, _ = env.reset(seed=42 if episode == 0 else None)
        total, done = 0.0, False
        while not done:
            action = agent.select_action(state, training=True)
            next_state, reward, terminated, truncated, _ = env.step(action)
            done = terminated or truncated
            metrics = agent.update(state, action, reward, next_state, terminated or truncated)
            if "loss" in metrics:
                losses.append(metrics["loss"])
            state = next_state
            total += reward
        agent.decay_epsilon()
        rewards.append(total)
        epsilons.append(agent.epsilon)
    assert len(losses) == sum(rewards) - 63 > 10
    assert all(isinstance(loss, float) and np.isfinite(loss) for loss in losses)
    np.testing.assert_allclose(epsilons, 0.995 ** np.arange(1, 7))
    assert agent.select_action(state, training=False) in (0, 1)


def test_a_buffer_is_used_as_the_notebooks_do():
    buffer = ReplayBuffer(capacity=10000)
    env = make_env("CartPole-v1")
    env.action_space.seed(0)
    state, _ = env.reset(seed=0)
    for _ in range(500):
        action = env.action_space.sample()
        next_state, reward, terminated, truncated, _ = env.step(action)
        buffer.push(state, action, reward, next_state, terminated)
        state = env.reset()[0] if terminated or truncated else next_state
    assert len(buffer) == 500
    states, actions, rewards, next_states, dones = buffer.sample(32)
    assert states.shape == next_states.shape == torch.Size([32, 4])
    assert states[0].numpy().shape == (4,)
    assert actions[0].item() in (0, 1)
    assert set(rewards.tolist()) == {1.0}
    assert set(dones.tolist()) <= {0.0, 1.0}


def test_train_dqn_as_the_notebooks_do():
    env, agent = make_env("CartPole-v1"), DQNAgent(4, 2, device="cpu", seed=0)
    results = train_dqn(agent, env, n_episodes=3, max_steps=500)
    assert [len(results[name]) for name in ("rewards", "losses", "epsilons")] == [3, 3, 3]
    assert evaluate(agent, env, 2).shape == (2,)


SIGNATURES = {
    DQNAgent: "obs_dim n_actions hidden_dim=128 lr=0.001 gamma=0.99 epsilon=1.0 epsilon_min=0.01 "
    "epsilon_decay=0.995 buffer_size=50000 batch_size=64 target_update_freq=100 device=None "
    "seed=None * tau=1.0 epsilon_decay_steps=None lr_decay_updates=None learning_starts=0 "
    "update_every=1 network=QNetwork objective=QLearning(double=False, huber=False) "
    "replay=ReplayBuffer n_step=1 optimizer=None max_grad_norm=None threads=1",
    DQNAgent.select_action: "self state training=True",
    DQNAgent.update: "self state action reward next_state done * truncated=False",
    DQNAgent.decay_epsilon: "self",
    DQNAgent.q_values: "self state",
    ReplayBuffer: "capacity * seed=None",
    ReplayBuffer.push: "self state action reward next_state done discount=nan",
    ReplayBuffer.sample: "self batch_size",
    QLearningAgent: "n_states n_actions lr=0.1 gamma=0.99 epsilon=1.0 epsilon_min=0.01 "
    "epsilon_decay=0.995 seed=None",
    QLearningAgent.select_action: "self state training=True",
    QLearningAgent.update: "self state action reward next_state done * truncated=False",
    QLearningAgent.decay_epsilon: "self",
    train_dqn: "agent env n_episodes=None max_steps=500 * n_env_steps=None seed=None "
    "print_every=50 progress=False eval_env=None eval_every=None eval_episodes=20",
    evaluate: "agent env n_episodes=100 * seed=1000000 max_steps=10000",
    get_device: "name=None",
}


def described(function) -> str:
    """The parameters as one line: names, defaults, and a star before keyword-only ones."""
    words, starred = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            words.append("*")
            starred = True
        default = parameter.default
        value = "" if default is parameter.empty else f"={getattr(default, '__name__', default)}"
        words.append(parameter.name + value)
    return " ".join(words)


@pytest.mark.parametrize("name", SIGNATURES, ids=lambda name: name.__qualname__)
def test_signatures_are_frozen(name):
    assert described(name) == SIGNATURES[name]


@pytest.mark.parametrize(
    ("record", "names"),
    [
        (
            History,
            "returns lengths losses epsilons env_steps updates seconds interrupted evaluations "
            "q_means td_errors grad_norms",
        ),
        (GreedyEpisode, "episode_return discounted_return predicted length"),
        (Evaluation, "env_steps updates episodes"),
    ],
    ids=["History", "GreedyEpisode", "Evaluation"],
)
def test_fields_are_frozen(record, names):
    present = [f.name for f in fields(record)] if record is History else record._fields
    assert " ".join(present) == names

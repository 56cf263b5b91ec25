"""Bad input: the right error, the offending value in it, and nothing changed by it."""

import copy

import numpy as np
import pytest
import torch

from rl_lab.agents.dqn import DQNAgent
from rl_lab.agents.tabular import QLearningAgent
from rl_lab.losses import Errors, QLearning
from rl_lab.replay import ReplayBuffer

SMALL = dict(hidden_dim=8, buffer_size=50, batch_size=2, device="cpu", seed=0)
GOOD = dict(
    state=np.zeros(3), action=1, reward=1.0, next_state=np.ones(3), done=False, truncated=False
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("gamma", "epsilon", "epsilon_min") for value in (-0.1, 1.5)),
        *((name, 0) for name in ("hidden_dim", "buffer_size", "batch_size")),
        *((name, 0) for name in ("target_update_freq", "update_every", "epsilon_decay_steps")),
        ("gamma", np.nan),
        ("lr", -1e-3),
        ("lr", np.nan),
        ("epsilon_decay", 1.01),
        ("batch_size", -5),
        ("learning_starts", -1),
        ("lr_decay_updates", 0),
        ("tau", 1.1),
    ],
)
def test_settings_of_the_agent(name, value):
    with pytest.raises(ValueError, match=rf"{name} must be .*got {value}"):
        DQNAgent(3, 2, **(SMALL | {name: value}))


@pytest.mark.parametrize("name", ["hidden_dim", "batch_size", "learning_starts", "update_every"])
def test_counts_are_whole_numbers(name):
    with pytest.raises(TypeError, match=rf"{name} must be a whole number, got 5\.5"):
        DQNAgent(3, 2, **(SMALL | {name: 5.5}))
    for whole in (5.0, np.int64(5)):
        DQNAgent(3, 2, **(SMALL | {name: whole}))


@pytest.mark.parametrize("changes", [dict(state=-1), dict(next_state=4), dict(state=4)])
def test_states_of_the_table(changes):
    agent, good = QLearningAgent(4, 2), dict(state=0, action=0, reward=1, next_state=1, done=False)
    with pytest.raises(ValueError, match=r"state must be in 0\.\.3, got (-1|4)"):
        agent.update(**(good | changes))
    assert not agent.q.any()


@pytest.mark.parametrize("sizes", [(0, 2), (3, 0)])
def test_sizes_of_the_agent(sizes):
    with pytest.raises(ValueError, match=r"(obs_dim|n_actions) must be at least 1, got 0"):
        DQNAgent(*sizes, **SMALL)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_ends_of_a_range_are_allowed(value):
    agent = DQNAgent(3, 2, gamma=value, epsilon=value, **SMALL)
    assert agent.gamma == agent.epsilon == value


def test_a_buffer_too_small_ever_to_learn_from():
    for settings in (SMALL | dict(batch_size=51), dict(replay=ReplayBuffer(50), batch_size=51)):
        with pytest.raises(ValueError, match="holds 50 transitions and batch_size=51"):
            DQNAgent(3, 2, **settings)
    DQNAgent(3, 2, **(SMALL | dict(batch_size=50, learning_starts=1_000)))


def fingerprint(agent):
    """All that an update may change."""
    held = agent.replay.gather(np.arange(len(agent.replay)))
    return [
        agent.n_env_steps,
        agent.n_updates,
        agent.epsilon,
        len(agent.replay),
        [field.tolist() for field in held],
        str(agent._n_step.state_dict()),
        [p.tolist() for p in agent.online.parameters()],
        [p.tolist() for p in agent.target.parameters()],
        agent._rng.bit_generator.state,
        agent.replay._rng.bit_generator.state,
    ]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("action", 2, r"0\.\.1, got 2"),
        ("action", -1, r"0\.\.1, got -1"),
        ("state", np.zeros(4), r"state must have shape \(3,\), got \(4,\)"),
        ("state", np.zeros((1, 3)), r"got \(1, 3\)"),
        ("state", 0.0, r"got \(\)"),
        ("next_state", np.zeros(2), r"next_state must have shape \(3,\), got \(2,\)"),
        ("state", np.array([0, np.nan, 0]), "state must be finite.*nan"),
        ("next_state", np.array([0, 0, np.inf]), "next_state must be finite.*inf"),
        ("reward", np.nan, "reward must be finite, .*got nan"),
        ("truncated", 2, "truncated must be True or False .*got 2"),
        ("action", 0.5, r"0\.\.1, got 0.5"),
        ("reward", np.inf, "reward must be finite, .*got inf"),
    ],
)
@pytest.mark.parametrize("n_step", [1, 3])
def test_a_bad_update_changes_nothing(name, value, says, n_step):
    agent = DQNAgent(3, 2, **SMALL, epsilon_decay_steps=100, n_step=n_step)
    for _ in range(4):
        agent.update(**GOOD)
    before = fingerprint(agent)
    with pytest.raises(ValueError, match=says):
        agent.update(**(GOOD | {name: value}))
    assert fingerprint(agent) == before
    assert agent.update(**GOOD)  # and the agent goes on


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("state", [np.zeros(4), [0.0, np.nan, 0.0]], ids=["shape", "NaN"])
def test_a_bad_state_is_refused_whether_or_not_the_action_is_random(epsilon, training, state):
    agent = DQNAgent(3, 2, **SMALL, epsilon=epsilon)
    with pytest.raises(ValueError, match=r"got (\(4,\)|.*nan)"):
        agent.select_action(state, training=training)


def test_a_loss_that_is_not_finite_leaves_the_weights_alone():
    class Nowhere(QLearning):
        def loss(self, online, target, batch):
            losses, *rest = super().loss(online, target, batch)
            return Errors(losses * float("nan"), *rest)

    agent = DQNAgent(3, 2, **SMALL, objective=Nowhere(), lr=0.5, target_update_freq=1)
    before = copy.deepcopy(agent.online.state_dict())
    agent.update(**GOOD)
    with pytest.raises(
        FloatingPointError, match=r"loss became nan .* at update 1; try a smaller lr"
    ):
        agent.update(**GOOD)
    assert agent.n_updates == 0
    assert all(torch.equal(p, before[name]) for name, p in agent.online.state_dict().items())


def test_sample_more_than_is_there():
    buffer = ReplayBuffer(10)
    buffer.push(**{k: v for k, v in GOOD.items() if k != "truncated"})
    with pytest.raises(ValueError, match="1 transitions stored, got 2"):
        buffer.sample(2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_states", 0),
        ("n_actions", 0),
        ("lr", 1.5),
        ("gamma", -0.5),
        ("epsilon", 2),
        ("epsilon_min", -1),
        ("epsilon_decay", 1.1),
    ],
)
def test_settings_of_the_table(name, value):
    with pytest.raises(ValueError, match=rf"{name} must be .*got {value}"):
        QLearningAgent(**(dict(n_states=2, n_actions=2) | {name: value}))


@pytest.mark.parametrize(("action", "reward"), [(2, 0.0), (-1, 0.0), (0, np.nan), (0, np.inf)])
def test_a_bad_update_of_the_table_changes_nothing(action, reward):
    agent = QLearningAgent(2, 2)
    with pytest.raises(ValueError, match=rf"got ({action}|{reward})"):
        agent.update(0, action, reward, 1, False)
    assert not agent.q.any()

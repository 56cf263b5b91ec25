"""Two ways to the same number: a table and a network, an iteration and a formula."""

import numpy as np
import pytest
import torch
from torch import nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.agents.tabular import QLearningAgent
from rl_lab.envs import Chain, Features, make_env, optimal_q
from rl_lab.replay import RecentTransitions
from rl_lab.training import train_dqn

ALPHA, GAMMA = 0.2, 0.9


def linear_agent(n_states, n_actions, **settings):
    """A `DQNAgent` whose weights are Q-values: its network sees one-hot states."""
    network = nn.Linear(n_states, n_actions, bias=False)
    nn.init.zeros_(network.weight)
    settings = dict(gamma=GAMMA, target_update_freq=1, seed=0, device="cpu") | settings
    return DQNAgent(n_states, n_actions, network=network, **settings)


def test_a_linear_one_hot_network_learns_as_the_table_does():
    rng = np.random.default_rng(0)
    table = QLearningAgent(5, 3, lr=ALPHA, gamma=GAMMA)
    # The gradient of (y - w)^2 is -2 delta: half the step size moves w by alpha * delta.
    network = linear_agent(5, 3, batch_size=1, replay=RecentTransitions(1))
    network.optimizer = torch.optim.SGD(network.online.parameters(), lr=ALPHA / 2)
    one_hot = np.eye(5)
    for _ in range(300):
        s, s2 = rng.integers(5, size=2)
        a, r, done = int(rng.integers(3)), float(rng.normal()), bool(rng.random() < 0.3)
        by_table = table.update(s, a, r, s2, done)
        by_network = network.update(one_hot[s], a, r, one_hot[s2], done)
        np.testing.assert_allclose(network.online.weight.detach().T, table.q, atol=1e-5)
        assert by_network["loss"] == pytest.approx(by_table["loss"], abs=1e-4)
        assert by_table["loss"] == pytest.approx(by_table["td_error"] ** 2)
    assert np.abs(table.q).max() > 0.5  # something was learned


def test_the_tabular_update_by_hand():
    agent = QLearningAgent(3, 2, lr=0.5, gamma=0.5)
    agent.q[1] = [2.0, 8.0]
    agent.q[0, 1] = 1.0
    # delta = 3 + 0.5 * 8 - 1 = 6;  1 + 0.5 * 6 = 4
    assert agent.update(0, 1, 3.0, 1, False) == {"loss": 36.0, "td_error": 6.0}
    assert agent.q[0, 1] == 4.0
    # terminal: delta = 3 - 4 = -1;  4 - 0.5 = 3.5.  A time limit is not terminal.
    assert agent.update(0, 1, 3.0, 1, True)["td_error"] == -1.0
    assert agent.q[0, 1] == 3.5
    assert agent.update(0, 1, 3.0, 1, False, truncated=True)["td_error"] == 3.5
    assert agent.q[2].tolist() == [0.0, 0.0] and agent.q[0, 0] == 0.0


def test_the_table_explores_and_breaks_ties_at_random_but_plays_the_first_best():
    agent = QLearningAgent(2, 4, epsilon=0.0, seed=0)
    agent.q[1] = [1.0, 3.0, 3.0, 0.0]
    assert {agent.select_action(1) for _ in range(50)} == {1, 2}
    assert {agent.select_action(1, training=False) for _ in range(50)} == {1}
    agent.epsilon = 1.0
    assert {agent.select_action(1) for _ in range(100)} == {0, 1, 2, 3}
    assert agent.select_action(1, training=False) == 1
    assert np.array_equal(agent.q_values(1), agent.q[1])


def test_the_tables_epsilon_stops_at_its_floor_and_its_seeds_differ():
    agent = QLearningAgent(1, 9, epsilon=1.0, epsilon_decay=0.5, epsilon_min=0.3)
    agent.decay_epsilon()
    assert agent.epsilon == 0.5
    agent.decay_epsilon()
    assert agent.epsilon == 0.3
    agents = [QLearningAgent(1, 9, seed=seed) for seed in (0, 0, 1)]
    walks = [[agent.select_action(0) for _ in range(20)] for agent in agents]
    assert walks[0] == walks[1] != walks[2]


@pytest.mark.parametrize("n", [2, 7])
def test_optimal_values_of_a_chain_are_powers_of_gamma(n):
    q = optimal_q(Chain(n).P, GAMMA)
    right = GAMMA ** np.arange(n - 1, -1, -1)  # n - 1 - s steps before the paying one
    np.testing.assert_allclose(q[:, 1], right, atol=1e-10)
    # A step left costs the way back: gamma * max Q one state further left.
    np.testing.assert_allclose(q[:, 0], GAMMA * np.r_[right[0], right[:-1]], atol=1e-10)


def test_optimal_values_with_slip_and_a_reward_on_the_left():
    # Two states, always slipping: action 0 does what action 1 says, and the reverse.
    straight, crossed = (optimal_q(Chain(2, slip=slip).P, GAMMA) for slip in (0.0, 1.0))
    np.testing.assert_allclose(crossed, straight[:, ::-1], atol=1e-10)
    # Staying at the left wall for ever: 0.3 / (1 - 0.9) = 3, better than one prize of 1.
    assert optimal_q(Chain(2, left_reward=0.3).P, GAMMA)[0, 0] == pytest.approx(3.0)
    # Slip 1/2 makes the actions alike: V0 = g (V0 + V1) / 2, V1 = (1 + g V0) / 2
    # With g = 0.9: V0 = 0.45 V1 / 0.55, V1 = 0.5 + 0.45 V0, so V1 = 0.5 / (1 - 0.2025 / 0.55).
    v1 = 0.5 / (1 - 0.2025 / 0.55)
    q = optimal_q(Chain(2, slip=0.5).P, GAMMA)
    np.testing.assert_allclose(q, [[0.45 * v1 / 0.55] * 2, [v1] * 2], atol=1e-10)


def test_optimal_values_of_frozen_lake():
    q = optimal_q(make_env("FrozenLake-v1").unwrapped.P, 0.99)
    assert q.shape == (16, 4)
    assert not q[[5, 7, 11, 12, 15]].any()  # holes and goal: the episode is over
    assert q[14, 1] == q.max()  # beside the goal, stepping down along the wall
    # On ice without slip the goal is six steps away.
    dry = optimal_q(make_env("FrozenLake-v1", is_slippery=False).unwrapped.P, 0.99)
    assert dry[0].max() == pytest.approx(0.99**5)


@pytest.mark.parametrize("gamma", [1.0, -0.1, 2.0])
def test_value_iteration_refuses_a_gamma_that_may_not_converge(gamma):
    with pytest.raises(ValueError, match=str(gamma)):
        optimal_q(Chain(3).P, gamma)


def test_both_kinds_of_agent_find_the_optimum_of_a_chain():
    exact = optimal_q(Chain(4).P, GAMMA)
    table = QLearningAgent(4, 2, lr=0.5, gamma=GAMMA, epsilon_decay=1.0, seed=0)
    train_dqn(table, Chain(4, start=None), 150, seed=0, print_every=0)
    np.testing.assert_allclose(table.q, exact, atol=0.01)
    network = linear_agent(4, 2, lr=0.05, batch_size=8, epsilon_decay=1.0)
    env = Features(Chain(4, start=None), np.eye(4))
    train_dqn(network, env, 10_000, n_env_steps=1_000, seed=0, print_every=0)
    np.testing.assert_allclose(network.online.weight.detach().T, exact, atol=0.05)

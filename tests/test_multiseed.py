"""A stack of agents does what each of them does alone."""

from functools import partial

import numpy as np
import pytest
import torch
from fakes import ClockEnv, FakeReplay
from torch import nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.envs import make_env
from rl_lab.losses import q_learning_loss
from rl_lab.multiseed import AgentStack, StackedQNetwork, greedy_together, train_together
from rl_lab.networks import QNetwork
from rl_lab.replay import RecentTransitions
from rl_lab.training import greedy_episodes, train_dqn

SETTINGS = dict(
    hidden_dim=8, batch_size=8, buffer_size=60, lr=5e-3, target_update_freq=7, device="cpu"
)
make = partial(make_env, "CartPole-v1")


def agents(seeds, obs_dim=4, **changes):
    return [DQNAgent(obs_dim, 2, **(SETTINGS | changes), seed=seed) for seed in seeds]


def weights(network):
    return nn.utils.parameters_to_vector(network.parameters()).detach()


def same(alone, stacked, history, other):
    """Whether two agents and their histories agree, up to the last digits of float32."""
    for name in ("returns", "lengths", "env_steps", "updates", "epsilons"):
        assert history[name] == other[name]
    np.testing.assert_allclose(history.losses, other.losses, rtol=1e-2)
    assert (alone.n_env_steps, alone.n_updates) == (stacked.n_env_steps, stacked.n_updates)
    assert alone.epsilon == stacked.epsilon
    for network in ("online", "target"):
        one, two = weights(getattr(alone, network)), weights(getattr(stacked, network))
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4)
    for one, two in zip(history.evaluations, other.evaluations, strict=True):
        assert (one.env_steps, one.updates) == (two.env_steps, two.updates)
        np.testing.assert_allclose(one.episodes, two.episodes, rtol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        dict(epsilon_decay=0.8),
        dict(tau=0.1, target_update_freq=1, lr_decay_updates=150, epsilon_decay_steps=100),
        dict(learning_starts=30, update_every=3, loss=partial(q_learning_loss, double=True)),
    ],
    ids=["hard", "soft", "double"],
)
def test_a_seed_in_a_stack_learns_as_it_does_alone(changes):
    seeds, plan = (0, 1, 2), dict(n_env_steps=200, eval_every=80, eval_episodes=2)
    stacked = agents(seeds, **changes)
    histories = train_together(stacked, make, seeds, **plan)
    for agent, seed, history in zip(agents(seeds, **changes), seeds, histories, strict=True):
        alone = train_dqn(agent, make(), **plan, seed=seed, eval_env=make(), print_every=0)
        same(agent, stacked[seed], alone, history)
    assert histories[0].returns != histories[1].returns


def test_arms_that_differ_in_numbers_make_one_stack():
    arms = [
        dict(gamma=0.5, epsilon_decay=0.8),
        dict(lr=5e-4, target_update_freq=1, tau=0.1),
        dict(lr_decay_updates=100, target_update_freq=20),
        dict(epsilon_decay_steps=50, target_update_freq=20, tau=0.5),
    ]
    plan = dict(n_episodes=5, max_steps=25, eval_every=30, eval_episodes=2)
    stacked = [agents([seed], **arm)[0] for seed, arm in enumerate(arms)]
    histories = train_together(stacked, make, range(4), **plan)
    for seed, (arm, history) in enumerate(zip(arms, histories, strict=True)):
        (agent,) = agents([seed], **arm)
        same(
            agent,
            stacked[seed],
            train_dqn(agent, make(), **plan, seed=seed, eval_env=make(), print_every=0),
            history,
        )


def test_agents_leave_the_stack_when_their_episodes_are_over():
    seeds = (3, 4, 5, 6)
    stacked = agents(seeds)
    histories = train_together(stacked, make, seeds, n_episodes=4, max_steps=25)
    assert len({agent.n_env_steps for agent in stacked}) > 1
    for agent, other, seed, history in zip(agents(seeds), stacked, seeds, histories, strict=True):
        alone = train_dqn(agent, make(), 4, max_steps=25, seed=seed, print_every=0)
        same(agent, other, alone, history)


def test_a_time_limit_is_not_stored_as_terminal():
    seeds, stored = (0, 1), []
    stacked = [
        agent
        for seed in seeds
        for agent in agents([seed], obs_dim=1, replay=RecentTransitions(9), batch_size=9)
    ]
    env = partial(ClockEnv, (2, "terminated"), (2, "truncated"), (9, "never"))
    train_together(stacked, env, seeds, n_episodes=3, max_steps=5)
    for agent in stacked:
        stored.append(agent.replay.draw(9).batch.dones.tolist())
    assert stored == [[0, 1, 0, 0, 0, 0, 0, 0, 0]] * 2


def test_stacked_networks_are_the_networks_side_by_side():
    torch.manual_seed(0)
    networks, states = [QNetwork(3, 2, 5) for _ in range(4)], torch.randn(4, 6, 3)
    stack = StackedQNetwork(networks)
    for network, own, values in zip(networks, states, stack(states), strict=True):
        torch.testing.assert_close(network(own), values)
    copy = QNetwork(3, 2, 5)
    stack.write_to(2, copy)
    assert torch.equal(weights(copy), weights(networks[2]))


def test_greedy_episodes_side_by_side_are_those_played_one_by_one():
    players = agents((0, 1))
    stage = [[make() for _ in range(3)] for _ in players]
    stack = StackedQNetwork([player.online for player in players])
    together = greedy_together(stack, stage, 0.9, max_steps=40)
    for player, episodes in zip(players, together, strict=True):
        player.gamma = 0.9
        alone = greedy_episodes(player, make(), 3, max_steps=40)
        np.testing.assert_allclose(alone, episodes, rtol=1e-4)


def test_a_stack_refuses_what_cannot_learn_together():
    with pytest.raises(ValueError, match=r"update_every is 1 and 2"):
        AgentStack([*agents([0]), *agents([1], update_every=2)])
    with pytest.raises(ValueError, match=r"the loss is .*'double': False.*'double': True"):
        AgentStack([*agents([0]), *agents([1], loss=partial(q_learning_loss, double=True))])
    with pytest.raises(ValueError, match="train others with train_dqn"):
        AgentStack(agents([0], loss=lambda *a: q_learning_loss(*a)))
    with pytest.raises(ValueError, match="train others with train_dqn"):
        AgentStack(agents([0], network=nn.Linear(4, 2)))
    trained = agents([0, 1], obs_dim=1, batch_size=1)
    trained[1].update([0.0], 0, 0.0, [0.0], False)
    with pytest.raises(ValueError, match="one has made 1 environment steps and 1 updates"):
        AgentStack(trained)
    with pytest.raises(ValueError, match="hidden_dim is 8 and 9"):
        AgentStack([*agents([0]), *agents([1], hidden_dim=9)])
    with pytest.raises(ValueError, match="not from FakeReplay"):
        AgentStack(agents([0], replay=FakeReplay(8)))
    with pytest.raises(ValueError, match="at least one agent"):
        AgentStack([])
    with pytest.raises(ValueError, match="n_episodes must be at least 1, got 0"):
        train_together(agents([0]), make, (0,), n_episodes=0)
    with pytest.raises(ValueError, match="2 agents need as many seeds, got 3"):
        train_together(agents([0, 1]), make, (0, 1, 2))


def test_a_loss_that_is_not_finite_names_the_agent():
    stacked = agents((0, 1))
    stacked[1].online.values.bias.data[:] = torch.inf
    with pytest.raises(FloatingPointError, match=r"agent 1 of the stack .* at update 1;") as caught:
        train_together(stacked, make, (0, 1), n_env_steps=50)
    assert [history.interrupted for history in caught.value.histories] == [False, False]


def test_an_interrupted_stack_returns_its_histories_and_weights():
    stacked, untrained = agents((0, 1), obs_dim=1), agents((0, 1), obs_dim=1)
    clocks = [
        ClockEnv((2, "terminated")),
        ClockEnv((30, "terminated"), raise_at=45, error=KeyboardInterrupt),
    ]
    envs = iter(clocks)
    histories = train_together(stacked, lambda: next(envs), (0, 1), n_episodes=10)
    assert [history.interrupted for history in histories] == [False, True]
    assert [len(history.returns) for history in histories] == [10, 1]
    assert histories[1].seconds > histories[0].seconds > 0
    for agent, before in zip(stacked, untrained, strict=True):
        assert agent.n_updates > 0
        assert not torch.equal(weights(agent.online), weights(before.online))

"""`DQNAgent`: its clocks, its random streams, and how its four parts are joined."""

import copy
import random

import numpy as np
import pytest
import torch
from fakes import FakeReplay
from torch import nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.networks import QNetwork
from rl_lab.replay import RecentTransitions

SMALL = dict(hidden_dim=8, buffer_size=50, batch_size=4, lr=1e-2, device="cpu", seed=0)


def make_agent(**changes):
    return DQNAgent(3, 2, **(SMALL | changes))


def transitions(n, seed=0, obs_dim=3, n_actions=2):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        state, next_state = rng.normal(size=(2, obs_dim))
        action, done = int(rng.integers(n_actions)), bool(rng.random() < 0.2)
        yield state, action, float(rng.normal()), next_state, done


def feed(agent, n, seed=0):
    return [agent.update(*row) for row in transitions(n, seed, agent.obs_dim, agent.n_actions)]


def weights(network):
    """All parameters as one vector, copied."""
    return nn.utils.parameters_to_vector(network.parameters()).detach().clone()


# Networks


def test_network_is_two_hidden_layers_of_relu():
    # 0.5 -> relu(2 * 0.5 - 3) = 0 and relu(0.5) = 0.5 -> relu(0.5 + 1) = 1.5 twice -> values
    network = QNetwork(1, 2, hidden_dim=2)
    with torch.no_grad():
        network.first.weight.copy_(torch.tensor([[2.0], [1.0]]))
        network.first.bias.copy_(torch.tensor([-3.0, 0.0]))
        network.second.weight.fill_(1)
        network.second.bias.fill_(1)
        network.values.weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, 0.0]]))
        network.values.bias.copy_(torch.tensor([0.0, 0.25]))
        assert network(torch.tensor([0.5])).tolist() == [3.0, -1.25]
        assert network(torch.zeros(5, 4, 1)).shape == (5, 4, 2)


def test_the_default_network_has_the_size_that_was_asked_for():
    # 3 * 8 + 8,  8 * 8 + 8,  8 * 2 + 2
    assert weights(make_agent().online).numel() == 32 + 72 + 18


# Acting


def test_epsilon_greedy_explores_with_probability_epsilon_and_uniformly():
    agent = make_agent(epsilon=0.4)
    state = np.zeros(3)
    greedy = agent.select_action(state, training=False)
    taken = np.array([agent.select_action(state) for _ in range(4_000)])
    # 0.4 / 2 actions = 0.2 of the time the other one; the standard error is 0.0063
    assert (taken != greedy).mean() == pytest.approx(0.2, abs=0.025)


def test_greedy_play_is_the_argmax_and_draws_nothing():
    agent = make_agent(epsilon=1.0)
    before = agent._rng.bit_generator.state
    for state, *_ in transitions(50):
        action = agent.select_action(state, training=False)
        assert type(action) is int
        assert action == agent.q_values(state).argmax()
    assert agent._rng.bit_generator.state == before
    agent.epsilon = 0.0
    assert agent.select_action(state) == agent.select_action(state, training=False)


def test_action_values_are_those_of_the_online_network():
    agent = make_agent()
    agent.target.values.bias.data.add_(100)
    state = np.array([0.1, -2.0, 3.0])
    with torch.no_grad():
        expected = agent.online(torch.tensor(state, dtype=torch.float32))
    np.testing.assert_allclose(agent.q_values(state), expected, rtol=1e-6)


# The clocks: environment steps, updates, episodes


def test_nothing_is_learned_before_a_batch_is_there():
    metrics = feed(make_agent(batch_size=4), 6)
    assert metrics[:3] == [{}] * 3
    for metric in metrics[3:]:
        assert metric.keys() == {"loss"}
        assert type(metric["loss"]) is float


def test_learning_starts_counts_transitions():
    metrics = feed(make_agent(learning_starts=7), 9)
    assert [bool(metric) for metric in metrics] == [False] * 6 + [True] * 3


def test_update_every_counts_environment_steps():
    agent = make_agent(update_every=3)
    learned = [step for step, metric in enumerate(feed(agent, 12), start=1) if metric]
    assert learned == [6, 9, 12]  # at 3 there is no batch of 4 yet
    assert (agent.n_env_steps, agent.n_updates) == (12, 3)


def test_target_is_copied_every_so_many_updates_and_never_between():
    # Every second environment step learns, from step 6: the period counts updates all the same.
    agent = make_agent(target_update_freq=3, update_every=2)
    frozen, copied_at = weights(agent.target), []
    for row in transitions(30):
        agent.update(*row)
        now = weights(agent.target)
        if not torch.equal(now, frozen):
            copied_at.append(agent.n_updates)
            assert torch.equal(now, weights(agent.online))
            frozen = now
    assert copied_at == [3, 6, 9, 12]
    assert agent.n_env_steps == 30


def test_period_one_is_no_target_network():
    agent = make_agent(target_update_freq=1)
    assert torch.equal(weights(agent.target), weights(agent.online))
    for row in transitions(20):
        agent.update(*row)
        assert torch.equal(weights(agent.target), weights(agent.online))


def test_soft_update_takes_the_share_tau_of_the_online_weights():
    agent = make_agent(target_update_freq=1, tau=0.125)
    feed(agent, 3)
    for row in transitions(5, seed=1):
        old = weights(agent.target)
        agent.update(*row)
        blend = 0.875 * old + 0.125 * weights(agent.online)
        torch.testing.assert_close(weights(agent.target), blend)
        assert not torch.equal(weights(agent.target), old)


def test_the_target_is_a_copy_that_learns_nothing_by_itself():
    agent = make_agent(target_update_freq=1_000)
    before, online = weights(agent.target), weights(agent.online)
    feed(agent, 10)
    assert torch.equal(weights(agent.target), before)
    assert not torch.equal(weights(agent.online), online)
    assert all(p.grad is None and not p.requires_grad for p in agent.target.parameters())


def test_epsilon_decays_by_episode_down_to_its_floor():
    agent = make_agent(epsilon=0.8, epsilon_decay=0.5, epsilon_min=0.15)
    feed(agent, 10)
    assert agent.epsilon == 0.8  # environment steps do not matter
    seen = []
    for _ in range(4):
        agent.decay_epsilon()
        seen.append(agent.epsilon)
    assert seen == [0.4, 0.2, 0.15, 0.15]


def test_epsilon_can_fall_by_environment_steps_instead():
    agent = make_agent(epsilon=1.0, epsilon_min=0.2, epsilon_decay_steps=4)
    seen = []
    for row in transitions(6):
        agent.update(*row)
        agent.decay_epsilon()  # which then does nothing
        seen.append(agent.epsilon)
    assert seen == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.2, 0.2])


def test_step_size_falls_linearly_to_zero():
    agent, used = make_agent(lr=0.4, lr_decay_updates=4), []
    step = agent.optimizer.step
    agent.optimizer.step = lambda: used.append(agent.optimizer.param_groups[0]["lr"]) or step()
    feed(agent, 3 + 4)
    assert used == pytest.approx([0.4, 0.3, 0.2, 0.1])
    at_zero = weights(agent.online)
    feed(agent, 3)
    assert used[4:] == [0, 0, 0]
    assert torch.equal(weights(agent.online), at_zero)


def test_without_a_schedule_the_step_size_stays():
    agent = make_agent(lr=0.4)
    feed(agent, 10)
    assert agent.optimizer.param_groups[0]["lr"] == 0.4


# Randomness


def test_the_same_seed_repeats_exactly():
    first, second = (make_agent(seed=5) for _ in range(2))
    assert feed(first, 103) == feed(second, 103)
    assert first.n_updates == 100
    assert torch.equal(weights(first.online), weights(second.online))
    states = [state for state, *_ in transitions(40)]
    assert [*map(first.select_action, states)] == [*map(second.select_action, states)]


def test_seeds_differ_in_weights_exploration_and_sampling():
    first, second = (make_agent(seed=seed) for seed in (0, 1))
    assert not torch.equal(weights(first.online), weights(second.online))
    zeros = [np.zeros(3)] * 40
    assert [*map(first.select_action, zeros)] != [*map(second.select_action, zeros)]
    feed(first, 40), feed(second, 40)
    draws = [agent.replay.draw(4).slots.tolist() for agent in (first, second)]
    assert draws[0] != draws[1]


def test_without_a_seed_agents_differ():
    first, second = (make_agent(seed=None) for _ in range(2))
    assert not torch.equal(weights(first.online), weights(second.online))


def test_exploration_and_sampling_have_streams_of_their_own():
    agent = make_agent()
    streams = [agent._rng, agent.replay._rng]
    assert streams[0].integers(1 << 30, size=4).tolist() != (
        streams[1].integers(1 << 30, size=4).tolist()
    )
    idle, busy = make_agent(learning_starts=40), make_agent()
    for row in transitions(40):
        assert idle.select_action(row[0]) == busy.select_action(row[0])
        idle.update(*row), busy.update(*row)


def test_global_generators_are_neither_used_nor_touched():
    def run():
        agent = make_agent()
        metrics = feed(agent, 20)
        return metrics, [agent.select_action(np.zeros(3)) for _ in range(20)]

    expected = run()
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - it is the global one that is watched
    random.seed(1)
    watched = [torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()]  # noqa: NPY002
    watched.append(random.getstate())
    assert run() == expected
    assert watched == [
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        random.getstate(),
    ]


# The seams


def test_a_given_replay_is_used_even_though_it_is_empty():
    replay = FakeReplay()
    assert not replay  # an empty store is falsy, which `replay or ReplayBuffer()` falls for
    agent = make_agent(replay=replay)
    assert agent.replay is replay
    feed(agent, 5)
    assert len(replay) == 5
    assert len(replay.drawn) == agent.n_updates == 2
    assert [len(draw.slots) for draw in replay.drawn] == [4, 4]


def test_weights_reach_the_loss():
    agent = make_agent(replay=FakeReplay(weight=0.0))
    before = weights(agent.online)
    assert feed(agent, 10)[3:] == [{"loss": 0.0}] * 7
    assert torch.equal(weights(agent.online), before)


def test_the_loss_is_the_weighted_mean_over_the_batch():
    agent = make_agent(replay=FakeReplay(weight=0.25))
    online, target = copy.deepcopy(agent.online), copy.deepcopy(agent.target)
    reported = feed(agent, 4)[-1]["loss"]
    losses, _ = agent.loss(online, target, agent.replay.drawn[0].batch, agent.gamma)
    assert reported == pytest.approx(0.25 * losses.mean().item())


def test_replay_hears_the_slots_and_td_errors_of_its_draw():
    agent = make_agent(replay=FakeReplay())
    online, target = copy.deepcopy(agent.online), copy.deepcopy(agent.target)
    feed(agent, 4)
    [(slots, td_errors)] = agent.replay.fed_back
    assert slots is agent.replay.drawn[0].slots
    _, expected = agent.loss(online, target, agent.replay.drawn[0].batch, agent.gamma)
    assert torch.equal(td_errors, expected)
    assert td_errors.shape == (4,) and not td_errors.requires_grad


def test_a_given_loss_gets_both_networks_the_batch_and_gamma():
    calls = []

    def loss(online, target, batch, gamma):
        calls.append((online, target, len(batch.states), gamma))
        errors = online(batch.states).sum(-1)
        return errors.square(), errors.detach()

    agent = make_agent(loss=loss, gamma=0.75)
    feed(agent, 4)
    assert calls == [(agent.online, agent.target, 4, 0.75)]
    assert agent.online is not agent.target


def test_a_given_network_is_trained():
    network = nn.Linear(3, 2)
    agent = make_agent(network=network)
    assert agent.online is network
    assert isinstance(agent.target, nn.Linear) and agent.target is not network
    before = weights(network)
    feed(agent, 5)
    assert not torch.equal(weights(network), before)


def test_what_is_learned_from_is_what_was_pushed():
    agent = make_agent(replay=RecentTransitions(4))
    rows = list(transitions(4))
    for row in rows:
        agent.update(*row, truncated=True)  # which changes nothing in what is stored
    states, actions, rewards, next_states, dones, horizons = agent.replay.draw(4).batch
    columns = [np.array(column, np.float32) for column in zip(*rows, strict=True)]
    for stored, pushed in zip((states, actions, rewards, next_states, dones), columns, strict=True):
        assert np.array_equal(stored, pushed)
    assert horizons.tolist() == [1] * 4


# Threads


def test_one_thread_unless_asked_otherwise(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    make_agent(threads=None)
    make_agent(threads=8)
    assert asked == []
    make_agent()
    make_agent(threads=2)
    assert asked == [1, 2]
    with pytest.raises(ValueError, match="got 0"):
        make_agent(threads=0)

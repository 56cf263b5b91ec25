"""`DQNAgent`: its clocks, its random streams, and how its four parts are joined."""

import copy
import math
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import FakeReplay
from gymnasium import spaces
from torch import nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.distributional import Categorical
from rl_lab.losses import Errors, QLearning
from rl_lab.networks import DuelingQNetwork, NoisyLinear, QNetwork
from rl_lab.prioritized import PrioritizedReplay
from rl_lab.replay import RecentTransitions, ReplayBuffer

SMALL = dict(hidden_dim=8, buffer_size=50, batch_size=4, lr=1e-2, device="cpu", seed=0)


def make_agent(**changes):
    """A small agent; what is handed to it ready-made has its size already."""
    sizes = {"network": "hidden_dim", "replay": "buffer_size", "optimizer": "lr"}
    made = {sizes[n] for n in changes if n in sizes and (n == "optimizer" or is_made(changes[n]))}
    return DQNAgent(3, 2, **{k: v for k, v in (SMALL | changes).items() if k not in made})


def is_made(part):
    return isinstance(part, nn.Module) or not callable(part)


def transitions(n, seed=0, obs_dim=3, n_actions=2):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        state, next_state = rng.normal(size=(2, obs_dim))
        action, done = int(rng.integers(n_actions)), bool(rng.random() < 0.2)
        yield state, action, float(rng.normal()), next_state, done


def feed(agent, n, seed=0):
    return [agent.update(*row) for row in transitions(n, seed, agent.obs_shape[0], agent.n_actions)]


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
        assert list(metric) == ["loss", "q_mean", "td_error", "grad_norm"]
        assert all(type(number) is float for number in metric.values())


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


def test_the_learning_rate_falls_linearly_to_zero():
    agent, used = make_agent(lr=0.4, lr_decay_updates=4), []
    step = agent.optimizer.step
    agent.optimizer.step = lambda: used.append(agent.optimizer.param_groups[0]["lr"]) or step()
    feed(agent, 3 + 4)
    assert used == pytest.approx([0.4, 0.3, 0.2, 0.1])
    at_zero = weights(agent.online)
    feed(agent, 3)
    assert used[4:] == [0, 0, 0]
    assert torch.equal(weights(agent.online), at_zero)


def test_without_a_schedule_the_learning_rate_stays():
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
    draws = [agent.replay.sample(4).indices.tolist() for agent in (first, second)]
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
    assert len(replay.samples) == agent.n_updates == 2
    assert [len(sample.indices) for sample in replay.samples] == [4, 4]


def test_weights_reach_the_loss():
    agent = make_agent(replay=FakeReplay(weight=0.0))
    before = weights(agent.online)
    assert [(m["loss"], m["grad_norm"]) for m in feed(agent, 10)[3:]] == [(0.0, 0.0)] * 7
    assert torch.equal(weights(agent.online), before)


def test_the_loss_is_the_weighted_mean_over_the_batch():
    weight = torch.tensor([0.1, 0.5, 0.2, 1.0])
    agent = make_agent(replay=FakeReplay(weight))
    online, target = copy.deepcopy(agent.online), copy.deepcopy(agent.target)
    reported = feed(agent, 4)[-1]
    losses, td_errors, q = agent.objective.loss(online, target, agent.replay.samples[0].batch)
    loss = (weight * losses).mean()
    loss.backward()
    assert reported == pytest.approx(
        {
            "loss": loss.item(),
            "q_mean": q.mean().item(),
            "td_error": td_errors.abs().mean().item(),
            "grad_norm": torch.cat([p.grad.reshape(-1) for p in online.parameters()]).norm().item(),
        }
    )


def test_replay_hears_how_large_the_errors_of_its_sample_were():
    agent = make_agent(replay=FakeReplay())
    online, target = copy.deepcopy(agent.online), copy.deepcopy(agent.target)
    feed(agent, 4)
    [(indices, priorities)] = agent.replay.updates
    assert indices is agent.replay.samples[0].indices
    _, td_errors, _ = agent.objective.loss(online, target, agent.replay.samples[0].batch)
    assert (td_errors < 0).any()
    assert np.array_equal(priorities, td_errors.abs())


def test_a_given_objective_gets_both_networks_and_the_batch_with_its_discounts():
    calls = []

    class Sum(QLearning):
        def loss(self, online, target, batch):
            calls.append((online, target, batch.discounts.tolist()))
            errors = online(batch.observations).sum(-1)
            return Errors(errors.square(), errors.detach(), errors.detach())

        def q_values(self, output):
            return -output

    agent = make_agent(objective=Sum(), gamma=0.75, epsilon=0.0)
    feed(agent, 4)
    assert calls == [(agent.online, agent.target, [0.75] * 4)]
    assert agent.online is not agent.target
    state = np.ones(3, np.float32)
    with torch.no_grad():
        worst = agent.online(torch.from_numpy(state)).argmin()
    assert agent.select_action(state) == agent.select_action(state, training=False) == worst


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
    states, actions, rewards, next_states, dones, discounts = agent.replay.sample(4).batch
    columns = [np.array(column, np.float32) for column in zip(*rows, strict=True)]
    for stored, pushed in zip((states, actions, rewards, next_states, dones), columns, strict=True):
        assert np.array_equal(stored, pushed)
    assert discounts.tolist() == pytest.approx([0.99] * 4)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(network=nn.Linear(3, 2), hidden_dim=8), "hidden_dim=8 has no effect beside network"),
        (dict(replay=ReplayBuffer(9), buffer_size=9), "buffer_size=9 has no effect beside replay"),
        (dict(optimizer=torch.optim.SGD, lr=0.1), "lr=0.1 has no effect beside optimizer"),
        (dict(network=nn.Linear(3, 5)), r"must have shape \(1, 2\); the network put out \(1, 5\)"),
        (dict(network=nn.Linear(4, 2)), r"cannot read an observation of shape \(3,\)"),
        (dict(network=partial(QNetwork, n_atoms=3)), r"makes \(1, 2, 3\)"),
        (dict(max_grad_norm=0), "would let nothing be learned"),
    ],
)
def test_what_has_no_effect_or_does_not_fit_is_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        DQNAgent(3, 2, device="cpu", **settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(hidden_dim=[64, 64]), r"hidden_dim must be one number, got \[64, 64\]"),
        (dict(lr=None), "lr must be a number, got None"),
        (dict(gamma="0.9"), "gamma must be one number, got '0.9'"),
        (dict(obs_dim=spaces.Discrete(16)), "rl_lab.envs.Features"),
        (dict(obs_dim=spaces.Dict(a=spaces.Discrete(2))), "FlattenObservation"),
    ],
)
def test_settings_of_another_kind_are_refused(settings, says):
    with pytest.raises(TypeError, match=says):
        DQNAgent(**(dict(obs_dim=3, n_actions=2, device="cpu") | settings))


def test_the_seed_covers_what_is_made_by_factories():
    agents = [
        make_agent(
            network=partial(DuelingQNetwork, linear=NoisyLinear), replay=ReplayBuffer, seed=s
        )
        for s in (0, 0, 1)
    ]
    one, same, other = (feed(agent, 12) for agent in agents)
    assert one == same != other
    assert [agent.online.first.weight.shape for agent in agents] == [(8, 3)] * 3


@pytest.mark.parametrize(
    ("obs_dim", "shape", "kept"),
    [
        (3, (3,), torch.float32),
        ((2, 3), (2, 3), torch.float32),
        (spaces.Box(0, 255, (2, 3), np.uint8), (2, 3), torch.uint8),
        (spaces.Box(-1, 1, (4,), np.float64), (4,), torch.float32),
    ],
)
def test_observations_have_the_shape_and_type_of_the_space(obs_dim, shape, kept):
    class Flat(nn.Linear):
        def forward(self, observations):
            return super().forward(observations.float().flatten(1))

    agent = DQNAgent(obs_dim, 2, network=Flat(math.prod(shape), 2), batch_size=1, device="cpu")
    agent.update(np.ones(shape), 1, 0.0, np.zeros(shape), False)
    assert agent.replay.sample(1).batch.observations.dtype == kept
    assert agent.q_values(np.ones(shape)).shape == (2,)


def test_an_array_that_is_used_again_is_refused():
    state = np.zeros(3)
    with pytest.raises(ValueError, match=r"are one array.*state = next_state.copy\(\)"):
        make_agent().update(state, 0, 0.0, state, False)
    frames = np.arange(4.0)  # overlapping views of a recording are no such thing
    agent = make_agent()
    agent.observe(frames[:3], 0, 0.0, frames[1:], False)
    frames[:] = 9
    assert agent.replay.gather(np.array([0])).next_observations.tolist() == [[1, 2, 3]]


def test_the_seed_covers_lazy_layers_and_leaves_the_global_generator_alone():
    def network(_, n_actions, hidden_dim):
        return nn.Sequential(nn.LazyLinear(hidden_dim), nn.ReLU(), nn.LazyLinear(n_actions))

    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = make_agent(network=network, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    two = make_agent(network=network, seed=3)
    for a, b in zip(one.online.parameters(), two.online.parameters(), strict=True):
        assert torch.equal(a, b)


# What any torch program may do


def test_another_optimizer_trains_and_schedulers_reach_it():
    agent = make_agent()
    feed(agent, 4)
    agent.optimizer = torch.optim.SGD(agent.online.parameters(), lr=0.5)
    schedule = torch.optim.lr_scheduler.StepLR(agent.optimizer, 1, gamma=0.5)
    before = weights(agent.online)
    feed(agent, 1, seed=1)
    moved = weights(agent.online) - before
    torch.testing.assert_close(moved, -0.5 * gradient(agent.online), rtol=1e-3, atol=1e-5)
    schedule.step()
    feed(agent, 1, seed=2)
    assert agent.optimizer.param_groups[0]["lr"] == 0.25


def test_two_hands_on_the_learning_rate_are_refused():
    agent = make_agent(lr_decay_updates=100)
    feed(agent, 5)
    schedule = torch.optim.lr_scheduler.StepLR(agent.optimizer, 1, gamma=0.5)
    feed(agent, 1)
    schedule.step()
    with pytest.raises(ValueError, match="lr_decay_updates=100 and something else"):
        feed(agent, 1)


def gradient(network):
    return torch.cat([p.grad.reshape(-1) for p in network.parameters()])


def test_an_optimizer_is_made_of_the_parameters():
    agent = make_agent(optimizer=partial(torch.optim.RMSprop, lr=0.5, momentum=0.9))
    assert type(agent.optimizer) is torch.optim.RMSprop
    assert agent.optimizer.param_groups[0]["params"] == list(agent.online.parameters())
    before = weights(agent.online)
    feed(agent, 5)
    assert not torch.equal(weights(agent.online), before)


def test_a_long_gradient_is_cut_and_reported_uncut():
    free, cut = make_agent(), make_agent(max_grad_norm=0.01)
    one, other = feed(free, 4)[-1], feed(cut, 4)[-1]
    assert one == other and one["grad_norm"] > 0.1
    assert gradient(free.online).norm() == pytest.approx(one["grad_norm"])
    assert gradient(cut.online).norm() == pytest.approx(0.01, rel=1e-4)


def test_frozen_layers_stay_and_hooks_are_called():
    agent, called = make_agent(), []
    agent.online.first.requires_grad_(False)
    agent.online.values.register_forward_hook(lambda *_: called.append(1))
    before, values = agent.online.first.weight.clone(), agent.online.values.weight.clone()
    feed(agent, 6)
    assert torch.equal(agent.online.first.weight, before)
    assert not torch.equal(agent.online.values.weight, values)
    assert len(called) >= agent.n_updates == 3
    with pytest.raises(AttributeError):
        agent.online = nn.Linear(3, 2)


def test_dropout_and_batch_norm_act_in_play_as_they_should():
    parts = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2)
    agent = make_agent(network=nn.Sequential(*parts), target_update_freq=3)
    feed(agent, 4 + 2)
    state = np.ones(3)
    assert np.array_equal(agent.q_values(state), agent.q_values(state))
    own, frozen = agent.online[1], agent.target[1]
    assert own.num_batches_tracked == 3
    assert torch.equal(own.running_mean, frozen.running_mean) and own.running_mean.any()


def test_a_noisy_network_explores_and_is_silent_in_greedy_play():
    agent = make_agent(network=partial(QNetwork, linear=NoisyLinear), epsilon=0.0)
    with torch.no_grad():
        for name, parameter in agent.online.named_parameters():
            if "sigma" in name:
                parameter.fill_(1.0)
    state = np.ones(3)
    assert {agent.select_action(state) for _ in range(60)} == {0, 1}
    assert len({agent.select_action(state, training=False) for _ in range(20)}) == 1
    assert np.array_equal(agent.q_values(state), agent.q_values(state))
    feed(agent, 4)
    noises = [network.first.noise.clone() for network in (agent.online, agent.target)]
    assert not torch.equal(*noises)  # each draws its own
    feed(agent, 1)
    assert not torch.equal(agent.online.first.noise, noises[0])


def test_n_step_returns_reach_the_buffer():
    agent = make_agent(n_step=3, gamma=0.5, batch_size=50)
    for i in range(4):
        agent.update([i] * 3, 0, 1.0, [i + 1] * 3, False, truncated=i == 3)
    batch = agent.replay.gather(np.arange(4))
    assert batch.rewards.tolist() == [1.75, 1.75, 1.5, 1.0]
    assert batch.discounts.tolist() == [0.125, 0.125, 0.25, 0.5]
    assert batch.dones.tolist() == [0] * 4
    assert batch.next_observations[:, 0].tolist() == [3, 4, 4, 4]


# Saving


RAINBOW = dict(
    network=partial(DuelingQNetwork, n_atoms=11, linear=NoisyLinear),
    objective=Categorical(-3, 3, n_atoms=11, double=True),
    replay=partial(PrioritizedReplay, beta_steps=50),
    n_step=3,
    epsilon=0.0,
    tau=0.5,
    target_update_freq=3,
)


@pytest.mark.parametrize("settings", [dict(lr_decay_updates=90), RAINBOW], ids=["dqn", "rainbow"])
def test_a_loaded_agent_continues_bit_by_bit(settings, tmp_path):
    agent, other = make_agent(**settings), make_agent(**settings, seed=9)
    feed(agent, 40)
    agent.decay_epsilon()
    torch.save(agent.state_dict(replay=True), tmp_path / "agent.pt")
    other.load_state_dict(torch.load(tmp_path / "agent.pt", weights_only=True))
    states = [state for state, *_ in transitions(20)]
    for one in (agent, other):
        one.after = feed(one, 20, seed=3), [one.select_action(state) for state in states]
    assert agent.after == other.after
    assert torch.equal(weights(agent.online), weights(other.online))
    assert torch.equal(weights(agent.target), weights(other.target))


CONTINUE = """
import sys, torch
sys.path.insert(0, sys.argv[2])
from test_dqn import RAINBOW, feed, make_agent, weights
agent = make_agent(**RAINBOW, seed=9)
agent.load_state_dict(torch.load(sys.argv[1], weights_only=True))
print(feed(agent, 5, seed=3), weights(agent.online).sum().item())
"""


def test_a_new_process_continues_bit_by_bit(tmp_path):
    agent = make_agent(**RAINBOW)
    feed(agent, 30)
    torch.save(agent.state_dict(replay=True), tmp_path / "agent.pt")
    command = [sys.executable, "-c", CONTINUE, tmp_path / "agent.pt", Path(__file__).parent]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = feed(agent, 5, seed=3), weights(agent.online).sum().item()
    assert done.stdout.strip() == " ".join(map(str, expected)), done.stderr


def test_without_a_buffer_learning_waits():
    agent, other = make_agent(), make_agent(seed=1)
    feed(agent, 10)
    other.load_state_dict(agent.state_dict())
    assert (other.n_env_steps, other.n_updates, len(other.replay)) == (10, 7, 0)
    assert [bool(m) for m in feed(other, 5)] == [False] * 3 + [True] * 2


def test_a_state_that_does_not_fit_changes_nothing():
    agent, other = make_agent(), make_agent(n_step=2, seed=1)
    feed(agent, 10), feed(other, 12)
    before = weights(other.online)
    with pytest.raises(ValueError, match="n=1"):
        other.load_state_dict(agent.state_dict())
    assert torch.equal(weights(other.online), before) and other.n_updates == 8
    with pytest.raises(ValueError, match="has no priorities"):
        make_agent(replay=PrioritizedReplay).load_state_dict(agent.state_dict(replay=True))


def test_a_discount_that_nobody_gave_is_named():
    agent = make_agent()
    for row in transitions(5):
        agent.replay.push(*row)
    with pytest.raises(ValueError, match="pushed into the buffer without its discount"):
        agent.learn()


def test_a_state_that_is_not_whole_is_refused():
    agent = make_agent()
    state = agent.state_dict()
    del state["target"]
    with pytest.raises(ValueError, match="this one holds online, optimizer"):
        agent.load_state_dict(state)
    with pytest.raises(TypeError, match="FakeReplay has no state_dict"):
        make_agent(replay=FakeReplay()).state_dict(replay=True)


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

"""A stack of agents does what each of them does alone."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from fakes import ClockEnv
from torch import nn

from rl_lab.agents.dqn import DQNAgent
from rl_lab.distributional import Categorical, QuantileRegression
from rl_lab.envs import make_env
from rl_lab.losses import QLearning
from rl_lab.networks import ConvQNetwork, DuelingQNetwork, NoisyLinear, QNetwork
from rl_lab.prioritized import PrioritizedReplay
from rl_lab.replay import RecentTransitions
from rl_lab.stack import AgentStack, StackedNetworks, greedy_together, train_together
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
        dict(learning_starts=30, update_every=3, objective=QLearning(double=True)),
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
        for agent in agents([seed], obs_dim=1, replay=RecentTransitions, batch_size=9)
    ]
    env = partial(ClockEnv, (2, "terminated"), (2, "truncated"), (9, "never"))
    train_together(stacked, env, seeds, n_episodes=3, max_steps=5)
    for agent in stacked:
        stored.append(agent.replay.sample(9).batch.dones.tolist())
    assert stored == [[0, 1, 0, 0, 0, 0, 0, 0, 0]] * 2


def test_stacked_networks_are_the_networks_side_by_side():
    torch.manual_seed(0)
    networks, states = [QNetwork(3, 2, 5) for _ in range(4)], torch.randn(4, 6, 3)
    stack = StackedNetworks(networks)
    for network, own, values in zip(networks, states, stack(states), strict=True):
        torch.testing.assert_close(network(own), values)
    copy = QNetwork(3, 2, 5)
    stack.write_to(2, copy)
    assert torch.equal(weights(copy), weights(networks[2]))


def test_greedy_episodes_side_by_side_are_those_played_one_by_one():
    players = agents((0, 1))
    stage = [[make() for _ in range(3)] for _ in players]
    stack = StackedNetworks([player.online for player in players])
    together = greedy_together(stack, stage, 0.9, max_steps=40)
    for player, episodes in zip(players, together, strict=True):
        player.gamma = 0.9
        alone = greedy_episodes(player, make(), 3, max_steps=40)
        np.testing.assert_allclose(alone, episodes, rtol=1e-4)


def test_a_stack_refuses_what_cannot_learn_together():
    with pytest.raises(ValueError, match=r"update_every is 1 and 2"):
        AgentStack([*agents([0]), *agents([1], update_every=2)])
    with pytest.raises(ValueError, match=r"the objective is .*double=False.*double=True"):
        AgentStack([*agents([0]), *agents([1], objective=QLearning(double=True))])
    used, frozen, hooked, planned = agents([0]), agents([0]), agents([0]), agents([0])
    used[0].optimizer.state[None] = {}
    frozen[0].online.first.requires_grad_(False)
    hooked[0].online.values.register_forward_hook(lambda *_: None)
    torch.optim.lr_scheduler.StepLR(planned[0].optimizer, 1)
    norm = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2))
    given = DQNAgent(4, 2, network=norm, device="cpu")
    says = [("optimiser", used), ("frozen", frozen), ("hooks", hooked), ("scheduler", planned)]
    hooked_optimizer, partly, shared = agents([0]), agents([0]), agents([0]) * 2
    hooked_optimizer[0].optimizer.register_step_pre_hook(lambda *_: None)
    partly[0].optimizer = torch.optim.SGD(partly[0].online.values.parameters(), lr=0.1)
    says += [("optimiser has hooks", hooked_optimizer), ("other weights than its network", partly)]
    with pytest.raises(ValueError, match="must not share one online"):
        AgentStack(shared)
    for problem, refused in [*says, ("running statistics", [given])]:
        with pytest.raises(ValueError, match=rf"{problem}.*train others with train_dqn"):
            AgentStack(refused)
    trained = agents([0, 1], obs_dim=1, batch_size=1)
    trained[1].update([0.0], 0, 0.0, [0.0], False)
    with pytest.raises(ValueError, match="it has made 1 environment steps and 1 updates"):
        AgentStack(trained)
    with pytest.raises(ValueError, match=r"the network is .*out_features=8.* and .*out_features=9"):
        AgentStack([*agents([0]), *agents([1], hidden_dim=9)])
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


def a_removal(line):
    """Take an agent of four out of a stack, with Ctrl-C at a line of `pop`, then the others.

    Returns whether there was such a line, and what each agent has in the end.
    """
    several = agents((0, 1, 2), obs_dim=1) + agents((3,), obs_dim=1, lr_decay_updates=50)
    stack, lines = AgentStack(several), iter(range(line))
    for _ in range(12):
        stack.update([([0.5], 1, 1.0, [0.25], False)] * 4)

    def trace(frame, event, _):
        if frame.f_code is not AgentStack.pop.__code__:
            return None
        if event == "line" and next(lines, None) is None:
            raise KeyboardInterrupt
        return trace

    before, was_interrupted = sys.gettrace(), False
    sys.settrace(trace)
    try:
        stack.pop(1)
    except KeyboardInterrupt:
        was_interrupted = True
    finally:
        sys.settrace(before)
    while stack.agents:
        stack.pop(len(stack.agents) - 1)
    moments = [m["exp_avg"].flatten() for a in several for m in a.optimizer.state.values()]
    return was_interrupted, torch.cat(
        [*moments, *(weights(net) for a in several for net in (a.online, a.target))]
    )


def test_an_interrupt_at_any_line_of_a_removal_loses_nothing():
    _, expected = a_removal(1_000)
    line, was_interrupted = 0, True
    while was_interrupted:
        was_interrupted, found = a_removal(line)
        assert torch.equal(found, expected), line
        line += 1
    assert line > 15


# Every part of the family


class Pictures(gym.Env):
    """Small pictures that say which action pays."""

    observation_space = gym.spaces.Box(0, 255, (2, 4, 4), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def _look(self):
        self.right = int(self.np_random.integers(2))
        picture = self.np_random.integers(50, size=(2, 4, 4)).astype(np.uint8)
        picture[self.right] += 200
        return picture

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.n = 0
        return self._look(), {}

    def step(self, action):
        self.n += 1
        reward = float(action == self.right)
        return self._look(), reward, self.n == 7, False, {}


RAINBOW = dict(
    network=partial(DuelingQNetwork, n_atoms=11, linear=NoisyLinear),
    objective=Categorical(0, 20, n_atoms=11, double=True),
    replay=partial(PrioritizedReplay, beta_steps=60),
    n_step=3,
    epsilon=0.0,
)
PARTS = {
    "n-step": dict(n_step=3),
    "prioritized": dict(replay=PrioritizedReplay),
    "dueling": dict(network=DuelingQNetwork, objective=QLearning(double=True, huber=True)),
    "noisy": dict(network=partial(QNetwork, linear=NoisyLinear), epsilon=0.1),
    "categorical": dict(
        network=partial(QNetwork, n_atoms=11), objective=Categorical(0, 20, n_atoms=11)
    ),
    "quantiles": dict(network=partial(QNetwork, n_atoms=5), objective=QuantileRegression(5)),
    "clipped rmsprop": dict(
        optimizer=partial(torch.optim.RMSprop, lr=1e-3), max_grad_norm=0.5, network=DuelingQNetwork
    ),
    "pixels": dict(obs_dim=Pictures.observation_space, network=ConvQNetwork, make=Pictures),
    "rainbow": RAINBOW,
}


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_family_learns_in_a_stack_as_alone(part):
    settings = SETTINGS | dict(obs_dim=4, make=make) | PARTS[part]
    if "optimizer" in settings:
        del settings["lr"]
    new = settings.pop("make")
    plan, seeds = dict(n_env_steps=8 + 100, eval_every=54, eval_episodes=1), (0, 1)
    stacked, alone = ([DQNAgent(n_actions=2, seed=s, **settings) for s in seeds] for _ in range(2))
    before = [weights(agent.online).clone() for agent in alone]
    histories = train_together(stacked, new, seeds, **plan)
    for i, (one, other) in enumerate(zip(alone, stacked, strict=True)):
        history = train_dqn(one, new(), **plan, seed=i, eval_env=new(), print_every=0)
        assert one.n_updates == other.n_updates >= 98
        assert history.returns == histories[i].returns
        np.testing.assert_allclose(history.losses, histories[i].losses, rtol=1e-3)
        np.testing.assert_allclose(history.grad_norms, histories[i].grad_norms, rtol=1e-2)
        torch.testing.assert_close(weights(one.online), weights(other.online), rtol=0, atol=1e-5)
        torch.testing.assert_close(weights(one.target), weights(other.target), rtol=0, atol=1e-5)
        assert (weights(one.online) - before[i]).abs().max() > 1e-2


def test_n_step_agents_begin_together_whatever_their_episodes():
    """Tails that an episode's end flushes fill one buffer sooner than another."""
    env, seeds, plan = partial(ClockEnv, (8, "truncated")), (0, 1), dict(n_env_steps=30)
    stacked, alone = (agents(seeds, obs_dim=1, n_step=3) for _ in range(2))
    train_together(stacked, env, seeds, **plan)
    for one, other in zip(alone, stacked, strict=True):
        train_dqn(one, env(), **plan, print_every=0)
        assert one.n_updates == other.n_updates == 30 - (8 + 3 - 1) + 1


def test_bytes_are_read_by_a_plain_network_too():
    class Bytes(ClockEnv):
        observation_space = gym.spaces.Box(0, 255, (1,), np.uint8)

        def _observation(self):
            return np.array([self.clock % 255], np.uint8)

    stacked, alone = ([DQNAgent(Bytes.observation_space, 2, seed=0, **SETTINGS)] for _ in range(2))
    env = partial(Bytes, (6, "terminated"))
    (history,) = train_together(stacked, env, [0], n_env_steps=40)
    expected = train_dqn(alone[0], env(), n_env_steps=40, print_every=0)
    np.testing.assert_allclose(history.losses, expected.losses, rtol=1e-4)


def test_what_the_optimizer_has_learned_goes_with_the_agent():
    (stacked,), (alone,) = agents([0]), agents([0])
    train_together([stacked], make, [0], n_env_steps=60)
    train_dqn(alone, make(), n_env_steps=60, seed=0, print_every=0)
    for one, other in zip(alone.online.parameters(), stacked.online.parameters(), strict=True):
        for name, value in alone.optimizer.state[one].items():
            torch.testing.assert_close(
                stacked.optimizer.state[other][name], value, rtol=1e-3, atol=1e-5
            )


@pytest.mark.slow
def test_memory_stays_flat_over_a_long_run():
    # Ten categorical agents need no more after 600 updates than after 200.
    code = """
import sys, psutil, torch
sys.path.insert(0, sys.argv[1])
from test_stack import RAINBOW, agents, make
from rl_lab.stack import AgentStack
torch.set_num_threads(1)
several = agents(range(10), **RAINBOW | dict(batch_size=64, buffer_size=5_000, hidden_dim=128))
stack, envs = AgentStack(several), [make() for _ in several]
states = [env.reset(seed=0)[0] for env in envs]
for step in range(664):
    rows = []
    for i, (env, action) in enumerate(zip(envs, stack.select_actions(states))):
        state, reward, over, cut, _ = env.step(action)
        rows.append((states[i], action, reward, state, over, cut))
        states[i] = env.reset()[0] if over or cut else state
    stack.update(rows)
    if step == 264:
        early = psutil.Process().memory_info().rss
print((psutil.Process().memory_info().rss - early) / 2**20)
"""
    folder = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 60  # MiB; without the cure several hundred

"""Ten unit tests of `short_dqn`, each made for one bug. `dqn` is the program to be tested."""

import gymnasium as gym
import numpy as np
import torch
from torch import nn


def network(*values):
    """A network whose action values in the state e_i, one-hot, are values[i]."""
    layer = nn.Linear(len(values), len(values[0]), bias=False)
    layer.weight.data = torch.tensor(values).T.contiguous()
    return layer


def minibatch(actions=(0, 1), rewards=(1.0, 2.0), dones=(0.0, 0.0)):
    """Two transitions: from state 0 to state 1, and back."""
    states = torch.eye(2)
    return states, torch.tensor(actions), torch.tensor(rewards), states.flip(0), torch.tensor(dones)


class Corridor(gym.Env):
    """The state counts the steps; an episode falls at its third step, the next is cut there."""

    observation_space = gym.spaces.Box(-1, 1, (4,), np.float32)
    action_space = gym.spaces.Discrete(2)
    n_episodes = n_steps = 0

    def reset(self, *, seed=None, options=None):
        """Begin an episode in state 0."""
        self.n_steps = 0
        self.n_episodes += 1
        return np.zeros(4, np.float32), {}

    def step(self, action):
        """Whatever the action, count on."""
        self.n_steps += 1
        over, falls = self.n_steps == 3, self.n_episodes % 2 == 1
        state = np.full(4, self.n_steps / 10, np.float32)
        return state, 1.0, over and falls, over and not falls, {}


def played(dqn):
    """An agent that played two episodes in the corridor and has not learned yet."""
    agent = dqn.Agent(learning_starts=1_000)
    for _ in dqn.train(agent, Corridor(), 6, seed=0):
        pass
    return agent


def learned(dqn):
    """A small agent that has made one update, and the minibatch it was made from."""
    agent = dqn.Agent(n_inputs=2)
    agent.learn(minibatch())
    return agent


def test_mask(dqn):
    """Nothing follows a terminal state: its target is the reward."""
    both = network([5.0, 3.0], [4.0, 6.0])
    y = dqn.targets(both, both, minibatch(dones=(0.0, 1.0)), 0.5)
    assert y[1] == 2.0


def test_limit(dqn):
    """A fall is stored as an end, a time limit is not."""
    dones = played(dqn).buffer.dones[:6]
    assert dones.tolist() == [0, 0, 1, 0, 0, 0]


def test_target_network(dqn):
    """The targets come from the frozen network."""
    online, target = network([9.0, 9.0], [9.0, 9.0]), network([1.0, 1.0], [1.0, 1.0])
    y = dqn.targets(online, target, minibatch(rewards=(0.0, 0.0)), 0.5)
    assert y.tolist() == [0.5, 0.5]


def test_maximum(dqn):
    """The next state is worth its best action."""
    both = network([5.0, 3.0], [4.0, 6.0])
    y = dqn.targets(both, both, minibatch(rewards=(0.0, 0.0)), 0.5)
    assert y.tolist() == [3.0, 2.5]


def test_copy(dqn):
    """The target is the online network after each period, and not before."""
    agent = dqn.Agent(n_inputs=2)
    agent.period = 2
    for update in (1, 2):
        agent.learn(minibatch())
        same = torch.equal(agent.target.values.bias, agent.online.values.bias)
        assert same == (update == 2)


def test_pairs(dqn):
    """Each estimate meets its own target: ((1 - 2)^2 + (2 - 4)^2) / 2."""
    online = target = network([2.0, 0.0], [0.0, 4.0])
    loss = dqn.dqn_loss(online, target, minibatch(dones=(1.0, 1.0)), 0.5)
    assert loss.item() == 2.5


def test_what_moves(dqn):
    """An update moves the network that acts, and only that."""
    new, agent = dqn.Agent(n_inputs=2), learned(dqn)
    assert not torch.equal(agent.online.values.bias, new.online.values.bias)
    assert torch.equal(agent.target.values.bias, new.target.values.bias)


def test_gradient(dqn):
    """The gradient of the second update is that of its own minibatch."""
    agent = learned(dqn)
    loss = dqn.dqn_loss(agent.online, agent.target, minibatch(), agent.gamma)
    (due,) = torch.autograd.grad(loss, [agent.online.values.bias])
    agent.learn(minibatch())
    assert torch.allclose(agent.online.values.bias.grad, due)


def test_states(dqn):
    """A state is stored with the one that follows it."""
    buffer = played(dqn).buffer
    assert np.allclose(buffer.states[:3, 0], [0.0, 0.1, 0.2])
    assert np.allclose(buffer.next_states[:3, 0], [0.1, 0.2, 0.3])


def test_epsilon(dqn):
    """Half of the 3,000 environment steps are half of the way, in any number of episodes."""
    agent = dqn.Agent()
    agent.n_steps, agent.n_episodes = 1_500, 100
    assert agent.epsilon == 0.5


TESTS = {
    "no mask": test_mask,
    "limit is end": test_limit,
    "online target": test_target_network,
    "worst action": test_maximum,
    "lost copy": test_copy,
    "all pairs": test_pairs,
    "wrong weights": test_what_moves,
    "stale gradient": test_gradient,
    "late state": test_states,
    "slow clock": test_epsilon,
}

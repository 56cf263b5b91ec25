"""DQN in one short file, with nothing hidden: the program of the planted-bug lab."""

import copy

import numpy as np
import torch

from rl_lab.networks import QNetwork, seeded


class Buffer:
    """A ring of transitions, drawn from uniformly."""

    def __init__(self, size, n_inputs, seed):
        self.states = np.zeros((size, n_inputs), np.float32)
        self.actions = np.zeros(size, np.int64)
        self.rewards = np.zeros(size, np.float32)
        self.next_states = np.zeros((size, n_inputs), np.float32)
        self.dones = np.zeros(size, np.float32)
        self.size, self.n_pushed, self.rng = size, 0, np.random.default_rng(seed)

    def push(self, state, action, reward, next_state, done):
        """Store one transition, in place of the oldest."""
        slot = self.n_pushed % self.size
        self.states[slot], self.next_states[slot] = state, next_state
        self.actions[slot], self.rewards[slot], self.dones[slot] = action, reward, done
        self.n_pushed += 1

    def sample(self, batch_size):
        """Return a minibatch: states, actions, rewards, next states, dones."""
        n_stored = min(self.n_pushed, self.size)
        slots = self.rng.integers(n_stored, size=batch_size)
        columns = (self.states, self.actions, self.rewards, self.next_states, self.dones)
        return tuple(torch.as_tensor(column[slots]) for column in columns)


def targets(online, target, batch, gamma):
    """What the values of the actions taken should be, [B]."""
    _, _, rewards, next_states, dones = batch
    with torch.no_grad():
        best = target(next_states).amax(1)
        return rewards + gamma * (1 - dones) * best


def dqn_loss(online, target, batch, gamma):
    """The mean squared TD error of a minibatch."""
    states, actions, *_ = batch
    q = online(states).gather(1, actions.unsqueeze(1)).squeeze(1)
    return (targets(online, target, batch, gamma) - q).square().mean()


class Agent:
    """Two networks, a buffer, an optimizer, and the clocks that they go by."""

    def __init__(self, n_inputs=4, n_actions=2, seed=0, learning_starts=500):
        self.online = seeded(lambda: QNetwork(n_inputs, n_actions, 64), seed)
        self.target = copy.deepcopy(self.online)
        self.buffer = Buffer(50_000, n_inputs, seed)
        self.optimizer = torch.optim.Adam(self.online.parameters(), lr=1e-3)
        self.rng = np.random.default_rng(seed)
        self.n_actions, self.gamma, self.period = n_actions, 0.99, 100
        self.learning_starts = learning_starts
        self.n_steps = self.n_episodes = self.n_updates = 0

    @property
    def epsilon(self):
        """From 1 to 0.05 over 3,000 environment steps."""
        return max(0.05, 1 - self.n_steps / 3_000)

    def act(self, state):
        """An epsilon-greedy action."""
        if self.rng.random() < self.epsilon:
            return int(self.rng.integers(self.n_actions))
        with torch.no_grad():
            return int(self.online(torch.as_tensor(state)).argmax())

    def learn(self, batch):
        """One update, and a copy of the weights after every `period` of them."""
        loss = dqn_loss(self.online, self.target, batch, self.gamma)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.n_updates += 1
        if self.n_updates % self.period == 0:
            self.target.load_state_dict(self.online.state_dict())
        return loss.item()


def train(agent, env, n_env_steps, seed):
    """Play, store and learn; yields after each environment step what it brought."""
    state, _ = env.reset(seed=seed)
    for _ in range(n_env_steps):
        action = agent.act(state)
        next_state, reward, terminated, truncated, _ = env.step(action)
        agent.buffer.push(state, action, reward, next_state, terminated)
        agent.n_steps += 1
        state = next_state
        if terminated or truncated:
            agent.n_episodes += 1
            state, _ = env.reset()
        loss = None
        if agent.n_steps >= agent.learning_starts:
            loss = agent.learn(agent.buffer.sample(64))
        yield reward, terminated or truncated, loss

"""The second round of the bug lab: each bug is planted where it says, and only there."""

import inspect
from functools import partial

import numpy as np
import pytest
import torch

from rl_lab import networks, prioritized, training
from rl_lab.agents import dqn
from rl_lab.course.exercises.family_bugs import AGENTS, BUGS, build, diff, library
from rl_lab.envs import make_env

SMALL = dict(hidden_dim=8, batch_size=4, buffer_size=100, learning_starts=10)


@pytest.mark.parametrize("name", BUGS)
def test_each_bug_is_one_line_of_its_module(name):
    bug = BUGS[name]
    assert inspect.getsource(bug.module).count(bug.line) == 1
    assert bug.agent in AGENTS
    assert diff(name) == f"{bug.module.__name__}\n- {bug.line.strip()}\n+ {bug.planted.strip()}"


def test_copies_know_each_other_and_leave_the_library_alone():
    copies = library("loud noise")
    agent_module, nets = copies["rl_lab.agents.dqn"], copies["rl_lab.networks"]
    assert agent_module.NoisyLinear is nets.NoisyLinear is not networks.NoisyLinear
    assert dqn.NoisyLinear is networks.NoisyLinear
    assert nets.NoisyLinear(100, 1).weight_sigma[0, 0].item() == 0.5
    assert networks.NoisyLinear(100, 1).weight_sigma[0, 0].item() == pytest.approx(0.05)
    assert build(copies, "noisy", SMALL, seed=0).is_noisy


def test_a_healthy_copy_learns_what_the_library_does():
    env = make_env("CartPole-v1")
    copies = library()
    twin = build(copies, "prioritized", SMALL, seed=0)
    copies["rl_lab.training"].train_dqn(twin, env, 20, n_env_steps=60, seed=0, print_every=0)
    replay = partial(prioritized.PrioritizedReplay, beta_steps=15_000)
    own = dqn.DQNAgent(4, 2, replay=replay, **SMALL, device="cpu", seed=0)
    training.train_dqn(own, env, 20, n_env_steps=60, seed=0, print_every=0)
    for a, b in zip(twin.online.parameters(), own.online.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_agent_runs_without_a_word(name):
    copies = library(name)
    agent = build(copies, BUGS[name].agent, SMALL, seed=0)
    loop = copies["rl_lab.training"]
    loop.train_dqn(agent, make_env("CartPole-v1"), 20, n_env_steps=40, seed=0, print_every=0)
    assert np.isfinite(agent.q_values(np.zeros(4, np.float32))).all()

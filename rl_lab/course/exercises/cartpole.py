"""Exercises of the chapter on CartPole."""

import numpy as np
import torch

from rl_lab.course.exercises.answers import call, exercise, expect, number, require
from rl_lab.losses import q_learning_loss
from rl_lab.replay import Batch


@exercise("cartpole.epsilon", "after_500", "episodes_needed", "against")
def epsilon(after_500, episodes_needed, against) -> str:
    """How far a schedule gets in 500 episodes."""
    end = 0.995**500
    expect(
        "after_500",
        after_500,
        end,
        [
            (0.01, "That is the floor. Has the schedule reached it?"),
            (1 - 500 * 0.005, "Epsilon is multiplied, so it falls by less and less."),
            (0.995 * 500, "A product of 500 factors is a power."),
        ],
        "One factor of 0.995 for each episode, from 1.",
        rel=0.01,
    )
    expect(
        "episodes_needed",
        episodes_needed,
        919,
        [
            (918, "After that many episodes epsilon is still above 0.01."),
            (918.7, "Episodes are whole, so round: which way?"),
            (198, "Epsilon is multiplied, so it falls by less and less."),
        ],
        "Take logarithms of 0.995**n = 0.01.",
        rel=2e-4,
    )
    expect(
        "against",
        against,
        2 / end,
        [
            (1 / end, "One step in that many is random. Does a random step always disagree?"),
            (0.5 / end, "The other way: disagreeing is rarer than being random."),
            (end / 2, "That is the share. How many steps are there to one of them?"),
        ],
        "Half of the random actions are those that the agent would have taken.",
        rel=0.05,
    )
    return "the floor is never reached, and one step in 25 goes against the agent's judgement."


class _Player:
    """Pushes towards the lean, and at random with its epsilon; counts what it is asked."""

    n_actions, gamma, obs_dim = 2, 0.99, 4

    def __init__(self) -> None:
        self.epsilon, self.rng = 1.0, np.random.default_rng(0)
        self.epsilons, self.greedy_calls, self.updates, self.states = [], 0, 0, []

    def q_values(self, state) -> np.ndarray:
        lean = np.asarray(state, float) @ [0.1, 0.5, 1.0, 1.0]
        return np.array([-lean, lean])

    def select_action(self, state, training=True) -> int:
        self.greedy_calls += not training
        self.epsilons.append(self.epsilon)
        self.states.append(tuple(np.asarray(state, float)))
        if training and self.rng.random() < self.epsilon:
            return int(self.rng.integers(2))
        return int(self.q_values(state).argmax())

    def update(self, *args, **kwargs) -> dict:
        self.updates += 1
        return {}

    def decay_epsilon(self) -> None:
        self.epsilon *= 0.5


@exercise("cartpole.noise", "noisy_return()")
def noise(noisy_return) -> str:
    """The mean return of an agent that explores and does not learn."""
    player = _Player()
    value = number(call(noisy_return, player, 0.5, 8), "noisy_return(agent, 0.5, 8)")
    steps = len(player.epsilons)
    require(player.updates == 0, "`update` was called: the agent is to play, not to learn.")
    require(steps > 0, "The agent was never asked for an action with `select_action`.")
    require(
        player.greedy_calls == 0,
        "The agent was asked with `training=False`: then it acts greedily, whatever epsilon is.",
    )
    require(
        set(player.epsilons) == {0.5},
        "The agent did not play with the epsilon that was given, or not all the time: set "
        "`agent.epsilon` before the first step, and leave `decay_epsilon` alone.",
    )
    expect(
        "noisy_return(agent, 0.5, 8)",
        value,
        steps / 8,
        [(steps, "That is the sum over all episodes.")],
        f"The agent made {steps} steps in 8 episodes, each paid 1.",
        rel=1e-6,
    )
    steady = _Player()
    call(noisy_return, steady, 0.0, 3)
    require(
        len(steady.states) == 3 * 500,
        f"A player that never falls made {len(steady.states):,} steps in 3 episodes. An episode "
        "ends when it is terminated or truncated.",
    )
    starts = {state for state in steady.states[::500]}
    require(len(starts) == 3, "All episodes begin in the same state: give each a seed of its own.")
    return "the agent plays with the noise it was given, and learns nothing."


@exercise("cartpole.mask", "unmasked_loss()")
def mask(unmasked_loss) -> str:
    """The loss of an agent that looks beyond the end."""
    actions, flags = torch.tensor([0, 1]), torch.tensor([0.0, 1.0])
    states, one = torch.eye(2), torch.ones(2)
    batch = Batch(states, actions, one, states.flip(0), flags.clone(), 0.5 * one)
    online, target = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[5.0, 3.0], [4.0, 8.0]])
    made = call(unmasked_loss, lambda s: s @ online, lambda s: s @ target, batch)
    require(
        isinstance(made, tuple) and len(made) == 3,
        "`unmasked_loss` should return losses, TD errors and values, as `q_learning_loss` does.",
    )
    losses = [number(value, "a loss") for value in made[0]]
    masked = q_learning_loss(
        lambda s: s @ online, lambda s: s @ target, batch._replace(dones=flags)
    ).losses
    hint = "Only the flag of the end should change: it counts as 0 for every transition."
    expect("the loss of a transition in mid-episode", losses[0], 16.0, [(0.0, hint)], hint)
    expect(
        "the loss of a transition to the floor",
        losses[1],
        (1 + 0.5 * 5 - 2) ** 2,
        [(float(masked[1]), "That is the loss with the mask: the floor still counts as an end.")],
        hint,
    )
    require(
        torch.equal(batch.dones, flags),
        "The batch was changed in place: whoever uses it next finds no end. Make a copy, for "
        "example with `batch._replace(dones=...)`.",
    )
    return "every fall is now worth what the network dreams up about the floor."

"""Agents and environments that do not fit: one clear error, before anything has happened."""

import random
import warnings
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from fakes import ClockEnv, RecordingAgent
from gymnasium import spaces
from gymnasium.wrappers import (
    FlattenObservation,
    FrameStackObservation,
    NormalizeObservation,
    NormalizeReward,
    TimeLimit,
    TransformAction,
)

from rl_lab.agents.tabular import QLearningAgent
from rl_lab.envs import Chain, Features, make_env
from rl_lab.training import evaluate, greedy_episodes, run_training, train_dqn


class Reader(RecordingAgent):
    """Says what it was built for, as an agent with a network does."""

    def __init__(self, *shape, n_actions=2):
        super().__init__()
        self.obs_shape, self.n_actions = shape, n_actions


class SpacesEnv(ClockEnv):
    """Has the spaces it is given, and observes what it is given, or a sample."""

    def __init__(self, observations=None, actions=None, *, shows=None):
        super().__init__((3, "terminated"))
        self.observation_space = observations or ClockEnv.observation_space
        self.action_space = actions or ClockEnv.action_space
        self.shows = shows

    def _observation(self):
        return self.observation_space.sample() if self.shows is None else self.shows


def box(*shape):
    return spaces.Box(-1.0, 1.0, shape, np.float32)


TWO_PARTS = spaces.Dict(a=box(2), b=spaces.Discrete(3))
# What is wrong, who meets it, the error, and what its message must hold: the value, and a remedy.
MISFITS = {
    "continuous actions": (Reader(1), SpacesEnv(actions=box(1)), TypeError, r"Box\(-1.*Discrete"),
    "several actions": (
        Reader(1),
        SpacesEnv(actions=spaces.MultiDiscrete([2, 3])),
        TypeError,
        r"MultiDiscrete\(\[2 3\]\)",
    ),
    "actions from 1": (
        Reader(1, n_actions=3),
        SpacesEnv(actions=spaces.Discrete(3, start=1)),
        ValueError,
        r"from 1; wrap it: .*TransformAction.*action \+ 1.*Discrete\(3\)",
    ),
    "too few actions": (
        Reader(1),
        SpacesEnv(actions=spaces.Discrete(3)),
        ValueError,
        "2 actions and the environment 3; .*n_actions=3",
    ),
    "too many actions": (Reader(1, n_actions=5), SpacesEnv(), ValueError, "5 .* n_actions=2"),
    "actions of a table": (
        QLearningAgent(4, 3),
        Chain(4),
        ValueError,
        "3 actions and the environment 2",
    ),
    "another length": (
        Reader(4),
        SpacesEnv(box(2)),
        ValueError,
        r"shape \(4,\).* shape \(2,\); .*obs_dim=2$",
    ),
    "an image": (Reader(4), SpacesEnv(box(8, 8, 3)), ValueError, r"obs_dim=\(8, 8, 3\)"),
    "frames": (
        Reader(1),
        FrameStackObservation(SpacesEnv(), 4),
        ValueError,
        r"shape \(4, 1\)",
    ),
    "integers for a network": (
        Reader(16),
        gym.make("FrozenLake-v1"),
        ValueError,
        "n_actions=4",
    ),
    "more integers for a network": (
        Reader(16, n_actions=4),
        gym.make("FrozenLake-v1"),
        TypeError,
        r"Discrete\(16\).*Features\(env, np.eye\(16\)\).*QLearningAgent",
    ),
    "parts": (Reader(5), SpacesEnv(TWO_PARTS), TypeError, r"Dict.*FlattenObservation\(env\)"),
    "a pair": (
        Reader(5),
        SpacesEnv(spaces.Tuple([box(2), box(3)])),
        TypeError,
        r"FlattenObservation\(env\)",
    ),
    "text": (Reader(5), SpacesEnv(spaces.Text(5)), TypeError, "Text.*ObservationWrapper"),
    "numbers for a table": (
        QLearningAgent(100, 2),
        make_env("CartPole-v1"),
        TypeError,
        "100 states.*Box.*bins.*DQNAgent",
    ),
    "parts for a table": (QLearningAgent(3, 2), SpacesEnv(TWO_PARTS), TypeError, "Dict.*bins"),
    "more states": (QLearningAgent(4, 2), Chain(5), ValueError, r"0 \.\. 3.*0 \.\. 4; .*states=5"),
    "fewer states": (QLearningAgent(9, 2), Chain(5), ValueError, r"n_states=5"),
    "states from 1": (
        QLearningAgent(5, 2),
        SpacesEnv(spaces.Discrete(5, start=1)),
        ValueError,
        r"1 \.\. 5.*subtract",
    ),
    "a name": (RecordingAgent(), "CartPole-v1", TypeError, r"make_env.*'CartPole-v1'"),
    "a class": (RecordingAgent(), ClockEnv, TypeError, "ClockEnv.*call it"),
    "no environment": (RecordingAgent(), None, TypeError, "must be a Gymnasium env.*None"),
    "a vector": (
        RecordingAgent(),
        gym.make_vec("CartPole-v1", 2),
        TypeError,
        "not in a vector.*gymnasium.make",
    ),
    "the wrong way round": (ClockEnv(), ClockEnv(), TypeError, "no select_action.*first argument"),
}


def together(agent, env):
    """One of many: its neighbour fits."""

    class Learner:
        agents = [RecordingAgent(), agent]  # noqa: RUF012 - used once

    run_training(Learner(), [ClockEnv(), env], [0, 1], n_episodes=1, max_steps=5)


PLAYS = {
    "training": partial(train_dqn, n_episodes=1, print_every=0),
    "together": together,
    "evaluation": partial(evaluate, n_episodes=1),
}


@pytest.mark.parametrize("play", PLAYS.values(), ids=PLAYS)
@pytest.mark.parametrize("misfit", MISFITS)
def test_what_does_not_fit_is_one_clear_error_before_the_first_step(misfit, play):
    agent, env, error, says = MISFITS[misfit]
    with pytest.raises(error, match=says):
        play(agent, env)
    if isinstance(env, ClockEnv):
        assert not env.reset_seeds
    assert not getattr(agent, "heard", [])


def test_what_an_evaluation_environment_must_share():
    settings = dict(n_episodes=1, eval_every=2, print_every=0)
    with pytest.raises(ValueError, match=r"obs_dim=2$"):
        train_dqn(Reader(1), ClockEnv(), eval_env=SpacesEnv(box(2)), **settings)
    env = ClockEnv()
    for eval_env in (env, TimeLimit(env, 5)):
        with pytest.raises(ValueError, match="eval_env must be an environment of its own"):
            train_dqn(RecordingAgent(), env, eval_env=eval_env, **settings)
    with pytest.raises(ValueError, match="eval_env must be an environment of its own"):
        train_dqn(RecordingAgent(), TimeLimit(env, 5), eval_env=env, **settings)
    assert not env.reset_seeds

    one, other = NormalizeObservation(ClockEnv()), NormalizeObservation(ClockEnv())
    for pair in ((one, other), (one, ClockEnv()), (ClockEnv(), other)):
        with pytest.raises(ValueError, match=r'set_wrapper_attr\("obs_rms"'):
            train_dqn(RecordingAgent(), pair[0], eval_env=pair[1], **settings)
    with pytest.raises(ValueError, match="leave NormalizeReward out"):
        train_dqn(
            RecordingAgent(),
            NormalizeReward(ClockEnv()),
            eval_env=NormalizeReward(ClockEnv()),
            **settings,
        )
    # The remedies of these messages.
    other.set_wrapper_attr("obs_rms", one.get_wrapper_attr("obs_rms"))
    train_dqn(RecordingAgent(), one, eval_env=other, **settings)
    train_dqn(RecordingAgent(), NormalizeReward(ClockEnv()), eval_env=ClockEnv(), **settings)


def test_environments_of_many_agents_are_their_own():
    class Learner:
        agents = [RecordingAgent(), RecordingAgent()]  # noqa: RUF012 - used once

    env = ClockEnv()
    for other in (env, TimeLimit(env, 5)):
        with pytest.raises(ValueError, match="make must return a new environment each time"):
            run_training(Learner(), [env, other], [0, 1], n_episodes=1, max_steps=5)
    assert not env.reset_seeds


def counted_from_0(env):
    """The remedy that a message names."""
    return TransformAction(env, lambda action: action + 1, spaces.Discrete(3))


@pytest.mark.parametrize(
    ("agent", "env"),
    [
        (Reader(1), ClockEnv()),
        (Reader(1, n_actions=np.int64(2)), ClockEnv()),
        (Reader(1, n_actions=3), counted_from_0(SpacesEnv(actions=spaces.Discrete(3, start=1)))),
        (Reader(10), Features(Chain(), np.eye(10))),
        (Reader(5), FlattenObservation(SpacesEnv(TWO_PARTS))),
        (Reader(2), SpacesEnv(spaces.MultiDiscrete([3, 4]))),
        (Reader(3), SpacesEnv(spaces.MultiBinary(3))),
        (Reader(4, 1), FrameStackObservation(SpacesEnv(), 4)),
        (QLearningAgent(10, 2), Chain()),
        # An agent of a learner's own that does not say what it was built for.
        (RecordingAgent(), SpacesEnv(box(2, 2), spaces.Discrete(7))),
    ],
)  # fmt: skip
def test_what_fits_is_played(agent, env):
    class First(type(agent)):  # observations of several shapes: only the first number is kept
        def select_action(self, state, training=True):
            return 1

        def update(self, *args, **kwargs):
            return {}

    agent.__class__ = First
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert len(train_dqn(agent, env, 1, print_every=0).returns) == 1
        greedy_episodes(agent, env, 1)


def answering(**answers):
    """A `ClockEnv` whose `reset` or `step` answers with something else."""

    class Env(ClockEnv):
        def reset(self, **kwargs):
            return answers["reset"] if "reset" in answers else super().reset(**kwargs)

        def step(self, action):
            observation, reward, terminated, truncated, info = super().step(action)
            if "step" in answers:
                return answers["step"]
            return (
                answers.get("observation", observation),
                answers.get("reward", reward),
                answers.get("terminated", terminated),
                truncated,
                info,
            )

    return Env((3, "terminated"))


HERE = np.zeros(1, np.float32)
ANSWERS = {
    "reset of old Gym": (dict(reset=HERE), TypeError, r"\(observation, info\).*old Gym"),
    "reset of two numbers": (dict(reset=np.zeros(2)), TypeError, r"\(observation, info\)"),
    "reset to something else": (dict(reset=(np.zeros(3), {})), ValueError, r"\(3,\).*Box"),
    "step of old Gym": (dict(step=(HERE, 1.0, False, {})), TypeError, "got 4 values; old Gym"),
    "no step": (dict(step=None), TypeError, "five|5|info.*got None"),
    "parts": (dict(observation={"a": HERE}), ValueError, "type dict.*observation_space is Box"),
    "another shape": (dict(observation=np.zeros((1, 1))), ValueError, r"shape \(1, 1\)"),
    "words": (dict(observation=["left"]), ValueError, "list, as an array <U4"),
    "rewards": (dict(reward=np.array([1.0])), TypeError, r"\[1\.\].*only element"),
    "two rewards": (dict(reward=[1.0, 2.0]), TypeError, r"one number, got \[1.0, 2.0\]"),
    "no reward": (dict(reward=None), TypeError, "one number, got None"),
    "a word for a reward": (dict(reward="1"), TypeError, "one number, got '1'"),
    "ended twice": (dict(terminated=2), TypeError, "terminated must be True or False, got 2"),
    "ended by a list": (dict(terminated=[True]), TypeError, r"True or False, got \[True\]"),
}


@pytest.mark.parametrize("play", ["training", "evaluation"])
@pytest.mark.parametrize("case", ANSWERS)
def test_what_only_play_shows_is_said_at_once(case, play):
    answers, error, says = ANSWERS[case]
    env = answering(**answers)
    with pytest.raises(error, match=says):
        PLAYS[play](RecordingAgent(), env)
    assert len(env.actions) <= 1


def test_reset_without_a_seed():
    class Old(ClockEnv):
        def reset(self):
            return super().reset()

    with pytest.raises(TypeError, match=r"Old.reset takes no seed.*seed=None"):
        train_dqn(RecordingAgent(), Old(), 1)


@pytest.mark.parametrize(
    "answers",
    [
        dict(reward=np.float32(2)),
        dict(reward=np.array(2.0)),
        dict(reward=2),
        dict(reward=True, terminated=np.True_),
        dict(terminated=1, observation=[0.5]),
        dict(observation=np.zeros(1, np.int64)),
    ],
    ids=str,
)
def test_numbers_of_any_kind_are_numbers(answers):
    agent = RecordingAgent()
    train_dqn(agent, answering(**answers), 1, print_every=0)
    assert all(type(heard.reward) is float and type(heard.done) is bool for heard in agent.heard)


def test_an_update_that_reports_nothing():
    class Silent(RecordingAgent):
        def update(self, *args, **kwargs):
            return None

    with pytest.raises(TypeError, match=r"must return a dictionary.*got None"):
        train_dqn(Silent(), ClockEnv(), 1)


@pytest.mark.parametrize("name", ["select_action", "update", "decay_epsilon", "epsilon"])
def test_agents_that_lack_something_are_told_what(name):
    class Part:
        pass

    agent = Part()
    for other in {"select_action", "update", "decay_epsilon", "epsilon"} - {name}:
        setattr(agent, other, 0)
    with pytest.raises(TypeError, match=rf"has no {name}\."):
        train_dqn(agent, ClockEnv(), 1)


def test_statistics_of_nothing_are_warned_of():
    env = NormalizeObservation(ClockEnv())
    with pytest.warns(UserWarning, match="has seen nothing in this environment yet"):
        evaluate(RecordingAgent(), env, 1)
    train_dqn(RecordingAgent(), env, 1, print_every=0)
    before = env.obs_rms.mean.copy(), env.obs_rms.count
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(RecordingAgent(), env, 1)
    assert (env.obs_rms.mean, env.obs_rms.count) == before
    assert env.update_running_mean


def test_evaluation_leaves_generators_of_the_environments_own_alone():
    class Own(ClockEnv):
        def __init__(self):
            super().__init__((2, "terminated"))
            self.rng, self.old = np.random.default_rng(0), random.Random(0)

        def reset(self, *, seed=None, options=None):
            if seed is not None:
                self.rng, self.old = np.random.default_rng(seed), random.Random(seed)
            return super().reset(seed=seed)

    env, twin = Own(), Own()
    evaluate(RecordingAgent(), env, 3)
    assert (env.rng.random(), env.old.random()) == (twin.rng.random(), twin.old.random())

"""The loop and its record, watched by fakes."""

import math
import re
import sys
import warnings
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from fakes import ClockEnv, Heard, RecordingAgent

from rl_lab import training
from rl_lab.agents.tabular import QLearningAgent
from rl_lab.envs import Chain, make_env
from rl_lab.training import (
    EVALUATION_SEED,
    GreedyEpisode,
    History,
    _attach,
    _note,
    _wind_up,
    evaluate,
    greedy_episodes,
    run_training,
    train_dqn,
)

NAN = math.nan


def run(env, agent=None, n_episodes=1, **settings):
    agent = agent or RecordingAgent()
    return agent, train_dqn(agent, env, n_episodes, **(dict(print_every=0) | settings))


# What the agent hears


def test_every_transition_arrives_as_it_happened():
    agent, _ = run(ClockEnv((3, "terminated")))
    assert agent.heard == [
        Heard(0, 1, 1.0, 1, False, False),
        Heard(1, 1, 2.0, 2, False, False),
        Heard(2, 1, 3.0, 3, True, False),
    ]
    assert agent.seen == [0, 1, 2]


def test_a_time_limit_is_not_passed_as_terminal():
    agent, _ = run(ClockEnv((2, "terminated"), (2, "truncated")), n_episodes=2)
    ends = [(heard.done, heard.truncated) for heard in agent.heard]
    assert ends == [(False, False), (True, False), (False, False), (False, True)]
    assert all(type(heard.done) is bool for heard in agent.heard)


def test_a_cut_by_max_steps_is_truncation_too():
    agent, history = run(ClockEnv((99, "never")), n_episodes=2, max_steps=3)
    ends = [(heard.done, heard.truncated) for heard in agent.heard]
    assert ends == [(False, False), (False, False), (False, True)] * 2
    assert history.lengths == [3, 3]
    # The second episode starts from its own reset: the clock stands at 3 by then.
    assert [heard.state for heard in agent.heard] == [0, 1, 2, 3, 4, 5]


def test_a_terminal_state_at_max_steps_stays_terminal():
    agent, _ = run(ClockEnv((3, "terminated")), max_steps=3)
    assert agent.heard[-1].done


def test_actions_reach_the_environment():
    env = ClockEnv((3, "terminated"))
    run(env)
    assert env.actions == [1, 1, 1]


def test_the_environment_is_seeded_once_and_then_left_alone():
    env = ClockEnv((2, "terminated"))
    run(env, n_episodes=3, seed=7)
    assert env.reset_seeds == [7, None, None]
    env = ClockEnv((2, "terminated"))
    run(env, n_episodes=2)
    assert env.reset_seeds == [None, None]


def test_epsilon_decays_once_an_episode():
    agent, history = run(ClockEnv((2, "terminated"), (5, "truncated")), n_episodes=3)
    assert agent.decays == 3
    assert history.epsilons == [1.0, 0.5, 0.25]  # as they were during the episode


# What is recorded


def test_history_has_one_entry_an_episode():
    agent = RecordingAgent(losses=[None, None, None, 0.5, 1.5])
    env = ClockEnv((2, "terminated"), (3, "truncated"), (1, "terminated"))
    _, history = run(env, agent, n_episodes=3)
    assert history.returns == [1 + 2, 3 + 4 + 5, 6]
    assert history.lengths == [2, 3, 1]
    assert history.env_steps == [2, 5, 6]
    assert history.updates == [0, 2, 2]
    assert history.losses == pytest.approx([NAN, 1.0, NAN], nan_ok=True)
    assert np.isnan([history.q_means, history.td_errors, history.grad_norms]).all()
    assert history.seconds > 0
    assert not history.interrupted
    assert history.evaluations == []


def test_what_updates_report_is_averaged_over_the_episode():
    class Telling(RecordingAgent):
        def update(self, *args, **kwargs):
            learned = super().update(*args, **kwargs)
            n = len(self.heard)
            return learned and learned | {"q_mean": n, "td_error": -n, "grad_norm": 10.0 * n}

    agent = Telling(losses=[None, 0.5, 1.5, None, 2.0])
    _, history = run(ClockEnv((3, "terminated"), (1, "terminated")), agent, n_episodes=3)
    assert history.q_means == pytest.approx([2.5, NAN, 5], nan_ok=True)
    assert history.td_errors == pytest.approx([-2.5, NAN, -5], nan_ok=True)
    assert history.grad_norms == pytest.approx([25, NAN, 50], nan_ok=True)


def test_history_reads_as_a_mapping():
    _, history = run(ClockEnv(), n_episodes=2)
    assert history["rewards"] is history.returns
    for name in ("returns", "lengths", "losses", "epsilons", "env_steps", "updates", "seconds"):
        assert history[name] is getattr(history, name)
    assert set(history) == {"rewards", *vars(history)}
    assert len(history) == len(list(history)) == len(dict(history))
    assert "rewards" in history and "scores" not in history
    with pytest.raises(KeyError, match=r"scores.*rewards"):
        history["scores"]


def test_a_limit_of_environment_steps_may_end_an_episode_that_is_not_recorded():
    agent, history = run(ClockEnv((4, "terminated")), n_episodes=9, n_env_steps=6)
    assert len(agent.heard) == 6
    assert history.env_steps == [4]
    assert agent.decays == 1
    # An agent that sums rewards over steps must not join this episode to the next.
    assert agent.heard[-1].truncated and not agent.heard[-1].done
    _, history = run(ClockEnv((4, "terminated")), n_episodes=9, n_env_steps=8)
    assert history.env_steps == [4, 8]


def test_the_mean_return_is_printed_every_so_many_episodes(capsys):
    run(ClockEnv((1, "terminated")), n_episodes=7, print_every=3)
    assert capsys.readouterr() == (
        "episodes       1-3 : mean return     2.0\nepisodes       4-6 : mean return     5.0\n",
        "",
    )
    run(ClockEnv((1, "terminated")), n_episodes=50, print_every=50)
    printed = capsys.readouterr().out
    assert printed == "episodes      1-50 : mean return    25.5\n"
    assert re.search(r"mean return +[-+]?\d+\.\d", printed)  # what nbval is told to ignore


def test_every_50_episodes_unless_asked_otherwise(capsys):
    train_dqn(RecordingAgent(), ClockEnv((1, "terminated")), n_episodes=149)
    assert [line[:18] for line in capsys.readouterr().out.splitlines()] == [
        "episodes      1-50",
        "episodes    51-100",
    ]


def test_the_bar_is_drawn_on_request_and_on_standard_error(capsys):
    run(ClockEnv(), n_episodes=2)
    assert capsys.readouterr() == ("", "")
    run(ClockEnv(), n_episodes=2, progress=True)
    printed = capsys.readouterr()
    assert printed.out == "" and "2/2" in printed.err


def test_the_bar_can_be_switched_off_from_outside(capsys, monkeypatch):
    # This is what tqdm makes of itself where TQDM_DISABLE=1 is set when it is imported.
    monkeypatch.setattr(training, "tqdm", partial(training.tqdm, disable=True))
    run(ClockEnv(), n_episodes=2, progress=True)
    assert capsys.readouterr() == ("", "")


# Greedy evaluation


def test_greedy_episodes_by_hand():
    agent, env = RecordingAgent(), ClockEnv((3, "terminated"), (2, "truncated"))
    # gamma 0.5: 1 + 0.5 * 2 + 0.25 * 3 = 2.75, then 4 + 0.5 * 5 = 6.5; max Q is 7
    assert greedy_episodes(agent, env, 2) == [
        GreedyEpisode(6.0, 2.75, 7.0, 3),
        GreedyEpisode(9.0, 6.5, 7.0, 2),
    ]
    assert (agent.heard, agent.seen, agent.decays) == ([], [], 0)  # no learning, no exploration
    assert agent.greedy == [0, 1, 2, 3, 4]


def test_evaluate_returns_one_return_an_episode():
    returns = evaluate(RecordingAgent(), ClockEnv((2, "terminated")), 3)
    assert isinstance(returns, np.ndarray)
    assert returns.tolist() == [1 + 2, 3 + 4, 5 + 6]
    assert evaluate(RecordingAgent(), ClockEnv((99, "never")), 1, max_steps=4).tolist() == [10]


def test_every_evaluation_episode_has_a_start_of_its_own():
    env = ClockEnv((1, "terminated"))
    evaluate(RecordingAgent(), env)
    assert len(set(env.reset_seeds)) == 100
    assert min(env.reset_seeds) == EVALUATION_SEED > 100_000  # far from any training seed
    env = ClockEnv((1, "terminated"))
    evaluate(RecordingAgent(), env, 3, seed=20)
    assert env.reset_seeds == [20, 21, 22]


def test_evaluations_happen_at_exact_environment_steps():
    agent = RecordingAgent(losses=[1.0] * 99)
    env, eval_env = ClockEnv((5, "terminated")), ClockEnv((2, "terminated"))
    _, history = run(
        env, agent, n_episodes=3, seed=7, eval_env=eval_env, eval_every=4, eval_episodes=2
    )
    assert [e.env_steps for e in history.evaluations] == [4, 8, 12]
    assert [e.updates for e in history.evaluations] == [4, 8, 12]
    assert [len(e.episodes) for e in history.evaluations] == [2, 2, 2]
    assert 7 not in eval_env.reset_seeds
    assert eval_env.reset_seeds == [EVALUATION_SEED, EVALUATION_SEED + 1] * 3
    # Training went on as if nothing had happened.
    assert history.returns == [15, 40, 65]
    assert len(agent.heard) == 15 and len(agent.greedy) == 3 * 2 * 2


def test_evaluating_does_not_change_what_is_learned():
    def train(**settings):
        agent = QLearningAgent(10, 2, seed=0)
        history = train_dqn(agent, Chain(), 20, seed=0, print_every=0, **settings)
        return agent.q.tolist(), history.returns

    assert train() == train(eval_env=Chain(), eval_every=7, eval_episodes=2)


@pytest.mark.parametrize(
    "wrap", [lambda env: env, gym.wrappers.NormalizeObservation], ids=["bare", "normalised"]
)
def test_evaluating_between_chunks_leaves_the_training_environment_as_it_was(wrap):
    def starts(evaluates):
        agent, env = Walker(), wrap(make_env("CartPole-v1"))
        env.action_space.seed(0)
        for chunk in range(3):
            train_dqn(agent, env, 2, seed=None if chunk else 0, print_every=0)
            env.action_space.sample()
            if evaluates:
                evaluate(agent, env, 2)
        return [state.tolist() for state in agent.states], env.action_space.sample()

    assert starts(False) == starts(True)


class Walker(RecordingAgent):
    """Keeps what it is shown in training."""

    def __init__(self):
        super().__init__()
        self.states = []

    def select_action(self, state, training=True):
        if training:
            self.states.append(state)
        return 1


def test_an_evaluation_that_nothing_ends_says_what_to_do():
    with pytest.warns(UserWarning, match=r"did not end within 10,000 steps.*TimeLimit"):
        evaluate(RecordingAgent(), ClockEnv((10_001, "never")), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(RecordingAgent(), ClockEnv((10_000, "truncated")), 1)
        evaluate(RecordingAgent(), ClockEnv((99, "never")), 1, max_steps=4)  # as was asked


# Arrays that the environment goes on using


class ReusedEnv(ClockEnv):
    """Writes every observation into the same array."""

    def __init__(self, *endings):
        super().__init__(*endings)
        self.array = np.zeros(1, np.float32)

    def _observation(self):
        self.array[0] = self.clock
        return self.array


def test_an_environment_may_reuse_its_array():
    agent, _ = run(ReusedEnv((3, "terminated"), (2, "truncated")), n_episodes=2)
    assert [(heard.state, heard.next_state) for heard in agent.heard] == [
        (i, i + 1) for i in range(5)
    ]
    agent = Walker()
    run(ReusedEnv((3, "terminated")), agent)
    assert [state.tolist() for state in agent.states] == [[0], [1], [2]]


def test_integers_stay_integers():
    class Table(RecordingAgent):
        def select_action(self, state, training=True):
            assert type(state) is int
            return 1

        def update(self, state, action, reward, next_state, done, *, truncated=False):
            assert type(state) is type(next_state) is int
            return {}

    class Numpy(gym.ObservationWrapper):
        def observation(self, state):
            return np.int64(state)

    for env in (Chain(), Numpy(Chain())):
        run(env, Table())
        evaluate(Table(), env, 1)


# Many agents


class Chorus:
    """A `Learner` of several agents; `broken` is raised where one of them leaves."""

    def __init__(self, agents, broken=None):
        self.agents, self.broken = list(agents), broken
        self.left, self.sizes = [], []

    def select_actions(self, states):
        self.sizes.append(len(states))
        return [a.select_action(s) for a, s in zip(self.agents, states, strict=True)]

    def update(self, steps):
        return [
            agent.update(*step[:5], truncated=step.truncated)
            for agent, step in zip(self.agents, steps, strict=True)
        ]

    def pop(self, index):
        broken, self.broken = self.broken, None
        if broken is not None:
            raise broken
        self.left.append(self.agents.pop(index))


def chorus(*envs, broken=None, n_episodes=2, agents=None, **settings):
    learner = Chorus(agents or [RecordingAgent() for _ in envs], broken)
    plan = dict(n_episodes=n_episodes, max_steps=99) | settings
    return learner, lambda: run_training(learner, envs, range(len(envs)), **plan)


def test_an_interrupt_while_agents_are_handed_back_loses_none():
    envs = [ClockEnv((9, "never")), ClockEnv((9, "never"), raise_at=3, error=ValueError)]
    learner, play = chorus(*envs, broken=KeyboardInterrupt())
    with pytest.raises(ValueError, match="stopped by the test") as caught:
        play()
    assert len(learner.left) == 2 and len(caught.value.histories) == 2


def test_episodes_are_limited_to_500_only_where_nothing_else_limits_them():
    history = train_dqn(RecordingAgent(), ClockEnv((1, "terminated")), print_every=None)
    assert len(history.returns) == 500
    env = ClockEnv((1, "terminated"))
    assert len(train_dqn(RecordingAgent(), env, n_env_steps=600, print_every=0).returns) == 600


@pytest.mark.parametrize("name", ["max_steps", "eval_episodes"])
def test_a_count_that_is_needed_cannot_be_none(name):
    with pytest.raises(TypeError, match=f"{name} must be a whole number, got None"):
        train_dqn(RecordingAgent(), ClockEnv((1, "terminated")), **{name: None})


def test_each_agent_of_many_lives_as_it_would_alone():
    endings = [[(3, "terminated")], [(1, "terminated"), (2, "truncated")], [(7, "never")]]
    plan = dict(n_episodes=3, max_steps=4, n_env_steps=11)
    agents = [RecordingAgent([1.0, None, 0.5]) for _ in endings]
    envs = [ClockEnv(*each) for each in endings]
    learner, play = chorus(*envs, agents=agents, **plan)
    histories = play()
    assert learner.sizes == [3] * 5 + [2] * 4 + [1] * 2
    assert learner.left == [agents[1], agents[0], agents[2]] and learner.agents == []
    for seed, (each, agent, history) in enumerate(zip(endings, agents, histories, strict=True)):
        alone, other = run(ClockEnv(*each), RecordingAgent([1.0, None, 0.5]), **plan, seed=seed)
        assert (agent.heard, agent.decays) == (alone.heard, alone.decays)
        np.testing.assert_equal(dict(history) | {"seconds": 0}, dict(other) | {"seconds": 0})
    # Seeded once, and no episode begins that nobody plays: the next training would miss it.
    assert [env.reset_seeds for env in envs] == [[0, None, None], [1, None, None], [2, None, None]]


def test_evaluation_is_told_who_still_trains():
    asked = []

    def play(live):
        asked.append(live)
        return [[GreedyEpisode(0.0, 0.0, 0.0, number)] for number in live]

    envs = [ClockEnv((length, "terminated")) for length in (9, 2, 5)]
    _, train = chorus(*envs, n_episodes=1, eval_every=2, play_greedily=play)
    histories = train()
    assert asked == [[0, 1, 2], [0, 2], [0], [0]]
    for number, history in enumerate(histories):
        assert {episode.length for e in history.evaluations for episode in e.episodes} <= {number}
    assert [[e.env_steps for e in h.evaluations] for h in histories] == [[2, 4, 6, 8], [2], [2, 4]]


# When it goes wrong


def test_an_interrupted_run_returns_what_it_has():
    env = ClockEnv((2, "terminated"), raise_at=6, error=KeyboardInterrupt)
    agent, history = run(env, n_episodes=10)
    assert history.interrupted
    assert history.returns == [3, 7]
    assert history.env_steps == [2, 4]
    assert history.seconds > 0
    assert len(agent.heard) == 5


def test_an_episode_half_recorded_is_dropped():
    history = History()
    history.add_episode(**{name: 1.0 for name, v in vars(history).items() if isinstance(v, list)})
    history.add_episode(returns=2.0, lengths=3)
    history.drop_unfinished()
    assert (history.returns, history.lengths, history.updates) == ([1.0], [1.0], [1.0])


def bad_loss(env, agent):
    agent.losses = [0.5, 1.5, 2.5, FloatingPointError("the loss became nan")]


def lost_connection(env, agent):
    env.raise_at, env.error = 4, ConnectionError


def bad_observation(env, agent):
    def refuse(state, training=True):
        if state[0] == 3:
            raise ValueError("state must be finite")
        return 1

    agent.select_action = refuse


def bad_reset(env, agent):
    begin = env.reset

    def reset(*, seed=None, options=None):
        if len(env.reset_seeds) == 1:
            raise OSError("the simulator is gone")
        return begin(seed=seed)

    env.reset = reset


@pytest.mark.parametrize("fault", [bad_loss, lost_connection, bad_observation, bad_reset])
def test_whatever_goes_wrong_brings_the_history(fault):
    agent, env = RecordingAgent([0.5, 1.5]), ClockEnv((2, "terminated"))
    fault(env, agent)
    with pytest.raises((FloatingPointError, OSError, ValueError)) as caught:
        run(env, agent, n_episodes=10)
    history = caught.value.history
    assert history.returns[0] == 3
    assert history.losses[0] == 1.0
    assert history.seconds > 0 and not history.interrupted
    assert "`history`" in caught.value.__notes__[0]


def test_an_agent_goes_on_after_a_fault():
    agent, env = RecordingAgent(), ClockEnv((2, "terminated"))
    lost_connection(env, agent)
    with pytest.raises(ConnectionError):
        run(env, agent, n_episodes=10)
    env.raise_at = None
    assert run(env, agent, n_episodes=2)[1].lengths == [2, 2]


def test_a_fault_among_many_brings_all_histories_and_hands_all_agents_back():
    envs = ClockEnv((1, "terminated")), ClockEnv((2, "terminated"), raise_at=5, error=OSError)
    learner, train = chorus(*envs, n_episodes=3)
    with pytest.raises(OSError, match="stopped by the test") as caught:
        train()
    assert [history.returns for history in caught.value.histories] == [[1, 2, 3], [3, 7]]
    assert "`histories`" in caught.value.__notes__[0]
    assert len(learner.left) == 2


def test_an_interrupt_while_an_agent_leaves_loses_nothing():
    learner, train = chorus(ClockEnv((1, "terminated")), ClockEnv(), broken=KeyboardInterrupt())
    histories = train()
    assert [history.returns for history in histories] == [[1, 2], []]
    assert histories[1].interrupted
    assert len(learner.left) == 2


def an_interrupted_training(line):
    """Interrupt a training of two agents, and once more at a line of what follows.

    Returns whether there was such a line, and what is left of the training.
    """
    envs = ClockEnv((1, "terminated")), ClockEnv((2, "terminated"), raise_at=5)
    learner, train = chorus(*envs, n_episodes=3)
    follows = {f.__code__ for f in (_wind_up, _attach, _note, History.drop_unfinished)}
    lines, again = iter(range(line)), False

    def trace(frame, event, _):
        nonlocal again
        if frame.f_code not in follows:
            return None
        if event == "line" and not again and next(lines, None) is None:
            again = True
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        histories = train()
    finally:
        sys.settrace(before)
    return again, [h.returns for h in histories], histories[1].interrupted, len(learner.left)


def test_a_second_interrupt_at_any_line_of_the_end_loses_nothing():
    line, again = 0, True
    while again:
        again, *left = an_interrupted_training(line)
        assert left == [[[1, 2, 3], [3, 7]], True, 2], line
        line += 1
    assert line > 15


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"n_episodes": 0}, ValueError),
        ({"n_episodes": "5"}, TypeError),
        ({"max_steps": 0}, ValueError),
        ({"max_steps": 2.5}, TypeError),
        ({"n_env_steps": -1}, ValueError),
        ({"n_env_steps": math.inf}, TypeError),
        ({"eval_every": 0, "eval_env": ClockEnv()}, ValueError),
        ({"eval_episodes": 0}, ValueError),
        ({"eval_every": 5}, ValueError),
        ({"print_every": -1}, ValueError),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else value.__name__,
)
def test_bad_counts_are_named(bad, error):
    env, agent = ClockEnv(), RecordingAgent()
    name, value = next(iter(bad.items()))
    with pytest.raises(error, match=rf"{name}.*{value}"):
        run(env, agent, **bad)
    assert env.reset_seeds == agent.heard == []


@pytest.mark.parametrize("bad", [{"n_episodes": 0}, {"max_steps": 0}], ids=str)
def test_evaluate_names_bad_counts(bad):
    with pytest.raises(ValueError, match=r"at least 1, got 0"):
        evaluate(RecordingAgent(), ClockEnv(), **bad)


def test_counts_may_be_whole_floats():
    _, history = run(ClockEnv((2, "terminated")), n_episodes=1e3, n_env_steps=6.0)
    assert history.env_steps == [2, 4, 6]


def test_agents_that_cannot_be_handed_back_do_not_cost_the_histories():
    envs = ClockEnv((1, "terminated")), ClockEnv((2, "terminated"), raise_at=5, error=OSError)
    learner, train = chorus(*envs, n_episodes=3)

    def pop(index):
        raise RuntimeError("torn")

    learner.pop = pop
    with pytest.raises(RuntimeError, match="torn") as caught:
        train()
    assert [history.returns for history in caught.value.histories] == [[1, 2, 3], [3]]
    assert "RuntimeError('torn')" in caught.value.__notes__[-1]

"""The loop and its record, watched by fakes."""

import math
import re

import numpy as np
import pytest
from fakes import ClockEnv, Heard, RecordingAgent
from gymnasium import spaces

from rl_lab.agents.dqn import DQNAgent
from rl_lab.agents.tabular import QLearningAgent
from rl_lab.envs import Chain
from rl_lab.training import EVALUATION_SEED, GreedyEpisode, evaluate, greedy_episodes, train_dqn

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
    assert history.seconds > 0
    assert not history.interrupted
    assert history.evaluations == []


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
    assert not agent.heard[-1].truncated
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


# When it goes wrong


def test_an_interrupted_run_returns_what_it_has():
    env = ClockEnv((2, "terminated"), raise_at=6, error=KeyboardInterrupt)
    agent, history = run(env, n_episodes=10)
    assert history.interrupted
    assert history.returns == [3, 7]
    assert history.env_steps == [2, 4]
    assert history.seconds > 0
    assert len(agent.heard) == 5


def test_a_loss_that_is_not_finite_stops_and_brings_the_history():
    agent = RecordingAgent(losses=[1.0, 2.0, 3.0, FloatingPointError("the loss became nan")])
    with pytest.raises(FloatingPointError, match="nan") as caught:
        run(ClockEnv((2, "terminated")), agent, n_episodes=10)
    assert caught.value.history.returns == [3]
    assert caught.value.history.losses == [1.5]
    assert not caught.value.history.interrupted


def test_a_diverging_agent_stops_with_advice():
    agent = DQNAgent(1, 2, lr=1e18, hidden_dim=8, batch_size=6, seed=0, device="cpu")
    with pytest.raises(FloatingPointError, match=r"smaller lr \(now 1e\+18\)") as caught:
        train_dqn(agent, ClockEnv((5, "terminated")), n_episodes=100, print_every=0)
    assert f"at update {agent.n_updates + 1};" in str(caught.value)
    assert caught.value.history.returns[0] == 15


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="stopped by the test"):
        run(ClockEnv(raise_at=2, error=RuntimeError), n_episodes=3)


@pytest.mark.parametrize(
    "bad",
    [
        {"n_episodes": 0},
        {"max_steps": 0},
        {"n_env_steps": -1},
        {"eval_every": 0, "eval_env": ClockEnv()},
        {"eval_episodes": 0},
        {"eval_every": 5},
    ],
    ids=lambda bad: " ".join(bad),
)
def test_bad_counts_are_named(bad):
    env, agent = ClockEnv(), RecordingAgent()
    name, value = next(iter(bad.items()))
    with pytest.raises(ValueError, match=rf"{name}.*{value}"):
        run(env, agent, **bad)
    assert env.reset_seeds == agent.heard == []


def test_training_and_evaluating_in_one_environment_is_refused():
    env = ClockEnv()
    with pytest.raises(ValueError, match="eval_env"):
        run(env, eval_env=env, eval_every=5)


@pytest.mark.parametrize("play", [train_dqn, evaluate])
def test_actions_must_be_a_list_of_choices(play):
    env = ClockEnv()
    env.action_space = spaces.Box(-2.0, 2.0, (1,))
    with pytest.raises(TypeError, match=r"Box\(-2.0, 2.0"):
        play(RecordingAgent(), env)
    assert env.reset_seeds == []


@pytest.mark.parametrize("bad", [{"n_episodes": 0}, {"max_steps": 0}], ids=str)
def test_evaluate_names_bad_counts(bad):
    with pytest.raises(ValueError, match=r"at least 1, got 0"):
        evaluate(RecordingAgent(), ClockEnv(), **bad)

"""Films: so many frames, one greedy episode, one player."""

import base64
import re

import imageio.v3 as iio
import pytest
from fakes import RecordingAgent

from rl_lab.envs import make_env
from rl_lab.films import record, show


def test_a_film_of_one_greedy_episode(tmp_path):
    agent, path = RecordingAgent(), tmp_path / "tiny.mp4"
    env = make_env("CartPole-v1", render_mode="rgb_array")
    # Pushing right all the time drops the pole within some ten steps.
    episode_return = record(agent, env, path, seed=0, every=3)
    steps = len(agent.greedy)
    assert episode_return == steps and 5 < steps < 15
    assert agent.seen == agent.heard == []
    frames = iio.imread(path)
    # the start, every third step, the last one, and 12 more of it
    assert len(frames) == 1 + steps // 3 + bool(steps % 3) + 12
    assert frames.shape[1:] == env.render().shape
    assert record(agent, env, path, seed=0, max_steps=4) == 4


def test_a_player_holds_the_whole_film(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"not really a film")
    html = show(path, "a pole falls", width=320).data
    assert 'aria-label="a pole falls"' in html and 'width="320"' in html
    source = re.search(r'src="data:video/mp4;base64,([^"]+)"', html)[1]
    assert base64.b64decode(source) == b"not really a film"


def test_an_environment_that_cannot_draw_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not None"):
        record(RecordingAgent(), make_env("CartPole-v1"), tmp_path / "no.mp4", seed=0)
    assert not list(tmp_path.iterdir())

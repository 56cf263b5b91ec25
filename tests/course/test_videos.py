"""Videos: so many frames, one greedy episode, one poster, one player; and those that are stored."""

import base64
import json
import re
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from bs4 import BeautifulSoup
from fakes import RecordingAgent

from rl_lab.course import videos
from rl_lab.course.videos import MOST_BYTES, record, show
from rl_lab.envs import make_env

STORED = Path(__file__).parents[2] / "book" / "videos"
MANIFEST = json.loads((STORED / "videos.json").read_text(encoding="utf-8"))


@pytest.fixture
def camera():
    return make_env("CartPole-v1", render_mode="rgb_array")


def test_a_video_of_one_greedy_episode(tmp_path, camera):
    agent, path = RecordingAgent(), tmp_path / "tiny.mp4"
    # Pushing right all the time drops the pole within some ten steps.
    episode_return = record(agent, camera, path, seed=0, every=3)
    steps = len(agent.greedy)
    assert episode_return == steps and 5 < steps < 15
    assert agent.seen == agent.heard == []
    frames = iio.imread(path)
    # the start, every third step, the last one, and 12 more of it
    assert len(frames) == 1 + steps // 3 + bool(steps % 3) + 12
    assert frames.shape[1:] == camera.render().shape
    assert b"avc1" in path.read_bytes()  # H.264
    assert record(agent, camera, path, seed=0, max_steps=4) == 4


def test_the_poster_is_the_last_frame(tmp_path, camera):
    record(RecordingAgent(), camera, tmp_path / "tiny.mp4", seed=0)
    np.testing.assert_array_equal(iio.imread(tmp_path / "tiny.png"), camera.render())


def test_a_player_holds_video_and_poster(tmp_path, camera):
    path = tmp_path / "video.mp4"
    record(RecordingAgent(), camera, path, seed=0)
    shown = show(path, 'a pole "falls"', width=300, caption="Watch the cart <here>.").data
    video = BeautifulSoup(shown, "html.parser").figure.video
    assert video["aria-label"] == 'a pole "falls"'
    assert (video["width"], video["height"], video["preload"]) == ("300", "200", "none")
    for name, kind in [("src", "video/mp4"), ("poster", "image/png")]:
        coded = re.fullmatch(f"data:{kind};base64,(.+)", video[name])[1]
        held = base64.b64decode(coded)
        assert held == path.with_suffix({"src": ".mp4", "poster": ".png"}[name]).read_bytes()
    assert "<figcaption>Watch the cart &lt;here&gt;.</figcaption>" in shown
    assert "figcaption" not in show(path, "a pole falls").data


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no .*video\.mp4"):
        show(tmp_path / "video.mp4", "a pole falls")
    (tmp_path / "video.mp4").touch()
    with pytest.raises(FileNotFoundError, match=r"no .*video\.png: rl_lab\.course\.videos\.record"):
        show(tmp_path / "video.mp4", "a pole falls")


def test_what_cannot_be_recorded_is_refused(tmp_path, camera, monkeypatch):
    with pytest.raises(ValueError, match="not None"):
        record(RecordingAgent(), make_env("CartPole-v1"), tmp_path / "no.mp4", seed=0)
    with pytest.raises(ValueError, match=r"not as 'no\.gif' does"):
        record(RecordingAgent(), camera, tmp_path / "no.gif", seed=0)
    monkeypatch.setattr(videos, "MOST_BYTES", 1_000)
    with pytest.raises(ValueError, match=r"no\.mp4 would weigh .* lower max_steps=500"):
        record(RecordingAgent(), camera, tmp_path / "no.mp4", seed=0)
    assert not list(tmp_path.iterdir())


def test_every_stored_video_is_in_the_manifest():
    assert {path.stem for path in STORED.glob("*.mp4")} == set(MANIFEST["videos"])


@pytest.mark.parametrize("name", MANIFEST["videos"])
def test_a_stored_video_is_what_the_manifest_says(name):
    entry = MANIFEST["videos"][name]
    path = STORED / f"{name}.mp4"
    assert path.stat().st_size == entry["bytes"] <= MOST_BYTES
    assert b"avc1" in path.read_bytes()
    frames, poster = iio.imread(path), iio.imread(path.with_suffix(".png"))
    steps, every = entry["length"], entry["every"]
    assert len(frames) == 1 + steps // every + bool(steps % every) + 12
    assert frames.shape[1:] == poster.shape == (400, 600, 3)
    # H.264 loses little: the poster is the video's own last frame.
    assert np.abs(frames[-1].astype(float) - poster).mean() < 5
    assert path.with_suffix(".safetensors").is_file()
    if name.startswith("cartpole"):
        assert entry["return"] == entry["length"]
    assert entry["agent"] in MANIFEST["agents"]

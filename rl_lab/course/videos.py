"""Short videos of an agent, recorded without a screen and shown in a page."""

import base64
import html
from pathlib import Path

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
from IPython.display import HTML

from rl_lab.course.stored import verify_checksum

MOST_BYTES = 300_000  # of a video that is small enough to travel within a page


def record(
    agent,
    env: gym.Env,
    path: Path | str,
    *,
    seed: int,
    max_steps: int = 500,
    every: int = 2,
) -> float:
    """Play one greedy episode, write it as an H.264 video and return its return.

    Beside ``NAME.mp4`` stands its poster, ``NAME.png``: the last frame, since how an episode
    ends tells more about it than how it begins.

    Args:
        agent: an agent with `select_action`.
        env: made with ``render_mode="rgb_array"``.
        path: file to write, ending in ``.mp4``.
        seed: of the episode's start.
        max_steps: environment steps after which the video ends.
        every: environment steps between two frames.

    Raises:
        ValueError: if the environment does not render to arrays, if `path` does not end in
            ``.mp4``, or if the video would weigh more than `MOST_BYTES`; nothing is written then.
    """
    path = Path(path)
    if env.render_mode != "rgb_array":
        raise ValueError(f"make the env with render_mode='rgb_array', not {env.render_mode!r}")
    if path.suffix != ".mp4":
        raise ValueError(f"a video's path ends in .mp4, not as {path.name!r} does")
    state, _ = env.reset(seed=seed)
    frames, episode_return, steps = [env.render()], 0.0, 0
    terminated = truncated = False
    while not (terminated or truncated) and steps < max_steps:
        action = agent.select_action(state, training=False)
        state, reward, terminated, truncated, _ = env.step(action)
        episode_return, steps = episode_return + float(reward), steps + 1
        if steps % every == 0 or terminated or truncated:
            frames.append(env.render())
    frames += [frames[-1]] * 12  # let the last frame stand for a moment
    video = iio.imwrite(
        "<bytes>",
        np.stack(frames),
        extension=".mp4",
        plugin="FFMPEG",
        fps=env.metadata.get("render_fps", 50) / every,
        codec="libx264",
        output_params=["-crf", "30", "-movflags", "+faststart"],
        macro_block_size=2,
    )
    if len(video) > MOST_BYTES:
        raise ValueError(
            f"{path.name} would weigh {len(video):,} bytes, more than {MOST_BYTES:,}: "
            f"lower max_steps={max_steps} or raise every={every}"
        )
    path.write_bytes(video)
    iio.imwrite(path.with_suffix(".png"), frames[-1])
    return episode_return


def show(path: Path | str, description: str, width: int = 480, *, caption: str = "") -> HTML:
    """Return the video at `path` as a player that needs no other file.

    Until it is played, it shows its poster, and nothing of the video is decoded.

    Args:
        path: an ``.mp4`` file, with its poster beside it, as `record` leaves them.
        description: what the video shows, for readers who cannot see it.
        width: of the player, in pixels; the height follows.
        caption: below the video: whose it is, and what to look for.

    Raises:
        FileNotFoundError: if the video or its poster is missing.
        ValueError: if one of them is not the file that was stored; the message names it.
    """
    video = Path(path)
    poster = video.with_suffix(".png")
    for file in (video, poster):
        if not file.is_file():
            raise FileNotFoundError(
                f"no {file}: rl_lab.course.videos.record writes video and poster"
            )
        verify_checksum(file)
    tall, wide = iio.imread(poster).shape[:2]

    def data(file: Path, kind: str) -> str:
        return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"

    player = (
        f'<video controls muted playsinline loop width="{width}" '
        f'height="{round(width * tall / wide)}" preload="none" '
        f'aria-label="{html.escape(description)}" poster="{data(poster, "image/png")}" '
        f'src="{data(video, "video/mp4")}"></video>'
    )
    words = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return HTML(f'<figure class="rl-video">{player}{words}</figure>')

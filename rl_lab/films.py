"""Short films of an agent, recorded without a screen and shown in a page."""

import base64
import html
from pathlib import Path

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
from IPython.display import HTML


def record(
    agent,
    env: gym.Env,
    path: Path | str,
    *,
    seed: int,
    max_steps: int = 500,
    every: int = 2,
) -> float:
    """Play one greedy episode, write it as an H.264 film and return its return.

    Args:
        agent: an agent with `select_action`.
        env: made with ``render_mode="rgb_array"``.
        path: file to write, ending in ``.mp4``.
        seed: of the episode's start.
        max_steps: environment steps after which the film ends.
        every: environment steps between two frames.

    Raises:
        ValueError: if the environment does not render to arrays.
    """
    if env.render_mode != "rgb_array":
        raise ValueError(f"make the env with render_mode='rgb_array', not {env.render_mode!r}")
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
    iio.imwrite(
        path,
        np.stack(frames),
        plugin="FFMPEG",
        fps=env.metadata.get("render_fps", 50) / every,
        codec="libx264",
        output_params=["-crf", "30", "-movflags", "+faststart"],
        macro_block_size=2,
    )
    return episode_return


def show(path: Path | str, description: str, width: int = 480) -> HTML:
    """Return the film at `path` as a player that needs no other file.

    Args:
        path: an ``.mp4`` file.
        description: what the film shows, for readers who cannot see it.
        width: of the player, in pixels.
    """
    data = base64.b64encode(Path(path).read_bytes()).decode()
    return HTML(
        f'<video controls muted playsinline loop width="{width}" preload="metadata" '
        f'aria-label="{html.escape(description)}" src="data:video/mp4;base64,{data}"></video>'
    )

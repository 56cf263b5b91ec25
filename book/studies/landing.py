"""What the lander observed and valued while it was recorded, for the experiment in the page.

Each video of `videos.py` is played again without a camera: the same weights, the same start.
Every environment step is kept, with the four action values.
"""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.numpy import save_file

from rl_lab.course.stored import write_checksums
from rl_lab.envs import make_env

DATA = Path(__file__).parents[1] / "data"
videos = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("videos.py"))))
TASK = videos.TASKS["lunar_lander"]
LEGS_BELOW = 18 / 30  # metres from the lander's centre to its feet, as Gymnasium has it


def fly(
    start: int, read: Callable[[np.ndarray], np.ndarray], limit: int | None = None
) -> tuple[dict[str, list], np.ndarray, bool]:
    """Play one greedy flight.

    Args:
        start: seed of the environment.
        read: returns the four action values of an observation; it may keep what else it saw.
        limit: environment steps after which nobody looks any more.

    Returns:
        ``steps`` ``[n_env_steps + 1, 14]``: the observation (8), the action values (4), the
        greedy action, and the reward of that action (0 in the last row, where the flight ends);
        ``terrain`` ``[n, 2]``: the ground, in units of the observation. The last observation.
        And whether the episode is over.
    """
    env = make_env(TASK.env_name)
    state, _ = env.reset(seed=start)
    moon = env.unwrapped
    points = [moon.sky_polys[0][0], *(poly[1] for poly in moon.sky_polys)]
    terrain = [(x / 10 - 1, (y - moon.helipad_y - LEGS_BELOW) / (20 / 3)) for x, y in points]
    rows, over = [], False
    while True:
        values = read(state)
        action = int(values.argmax())
        row = [*state, *values, action]
        if over or len(rows) == limit:
            break
        state, reward, terminated, truncated, _ = env.step(action)
        rows.append([*row, reward])
        over = terminated or truncated
    return {"steps": [*rows, [*row, 0.0]], "terrain": terrain}, state, over


def trace(moment: str) -> tuple[dict[str, np.ndarray], dict]:
    """Play the video of a moment again: the arrays of `fly`, and an entry for the manifest."""
    agent, start = videos.trained("lunar_lander", moment)

    def read(state: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return agent.online(torch.as_tensor(state)).numpy()

    arrays, _, over = fly(start, read, TASK.video_steps)
    entry = dict(
        env_steps=TASK.moments[moment],
        start=start,
        length=len(arrays["steps"]) - 1,
        over=over,
        video_return=float(sum(row[-1] for row in arrays["steps"])),
    )
    print(moment, entry, flush=True)
    return {f"{moment}.{k}": np.array(v, np.float32) for k, v in arrays.items()}, entry


def main() -> None:
    """Play all videos again and write ``landing.safetensors``; its metadata hold the returns."""
    tensors, entries = {}, {}
    for moment in TASK.moments:
        more, entries[moment] = trace(moment)
        tensors |= more
    manifest = dict(environment=TASK.env_name, seed=videos.SEED, moments=entries)
    save_file(tensors, DATA / "landing.safetensors", {"manifest": json.dumps(manifest)})
    write_checksums(DATA)


if __name__ == "__main__":
    main()

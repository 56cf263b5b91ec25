"""What the lander observed and valued while it was filmed, for the experiment in the page.

Each film of `films.py` is played again without a camera: the same weights, the same start.
Every environment step is kept, with the four action values.
"""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.numpy import save_file

from rl_lab.envs import make_env
from rl_lab.utils.stored import seal

DATA = Path(__file__).parents[1] / "data"
films = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("films.py"))))
TASK = films.TASKS["lunar_lander"]
LEGS_BELOW = 18 / 30  # metres from the lander's centre to its feet, as Gymnasium has it


def trace(moment: str) -> tuple[dict[str, np.ndarray], dict]:
    """Play the film of a moment again.

    Returns:
        ``MOMENT.steps`` ``[n_env_steps + 1, 14]``: the observation (8), the action values
        (4), the greedy action, and the reward of that action (0 in the last row, where the
        film ends); ``MOMENT.terrain`` ``[n, 2]``: the ground, in units of the observation.
        And an entry for the manifest.
    """
    agent, start = films.trained("lunar_lander", moment)
    env = make_env(TASK.env_name)
    state, _ = env.reset(seed=start)
    moon = env.unwrapped
    points = [moon.sky_polys[0][0], *(poly[1] for poly in moon.sky_polys)]
    terrain = [(x / 10 - 1, (y - moon.helipad_y - LEGS_BELOW) / (20 / 3)) for x, y in points]
    rows, over = [], False
    while True:
        with torch.no_grad():
            values = agent.online(torch.as_tensor(state)).numpy()
        action = int(values.argmax())
        row = [*state, *values, action]
        if over or len(rows) == TASK.film_steps:
            break
        state, reward, terminated, truncated, _ = env.step(action)
        rows.append([*row, reward])
        over = terminated or truncated
    rows.append([*row, 0.0])
    tensors = {"steps": rows, "terrain": terrain}
    entry = dict(
        env_steps=TASK.moments[moment],
        start=start,
        length=len(rows) - 1,
        over=over,
        film_return=float(sum(row[-1] for row in rows)),
    )
    print(moment, entry, flush=True)
    return {f"{moment}.{k}": np.array(v, np.float32) for k, v in tensors.items()}, entry


def main() -> None:
    """Play all films again and write ``landing.safetensors``; its metadata hold the returns."""
    tensors, entries = {}, {}
    for moment in TASK.moments:
        more, entries[moment] = trace(moment)
        tensors |= more
    manifest = dict(environment=TASK.env_name, seed=films.SEED, moments=entries)
    save_file(tensors, DATA / "landing.safetensors", {"manifest": json.dumps(manifest)})
    seal(DATA)


if __name__ == "__main__":
    main()

"""Draws ``atari.png``: a picture of Breakout on its way to an observation, from left to right.

It needs ale-py, gymnasium and pillow, best in an environment of their own: nothing else of the
course does.
"""

from pathlib import Path

import ale_py
import gymnasium as gym
import numpy as np
from PIL import Image

HEIGHT, GAP = 420, 24


def main() -> None:
    """Play a few environment steps, then draw the picture, its grey form, 84 x 84, and a stack."""
    gym.register_envs(ale_py)
    env = gym.make("ALE/Breakout-v5", frameskip=4, repeat_action_probability=0.0)
    picture, _ = env.reset(seed=0)
    pictures = [picture]
    for action in [1, *[3] * 8, *[0] * 5]:  # serve, right, stay
        picture, *_ = env.step(action)
        pictures.append(picture)
    grey = [Image.fromarray(picture).convert("L") for picture in pictures[-4:]]
    small = [image.resize((84, 84), Image.Resampling.BOX) for image in grey]
    first, second, third, last = map(np.asarray, small)
    stack = Image.fromarray(np.block([[first, second], [third, last]]))
    panels = [Image.fromarray(pictures[-1]), grey[-1], small[-1], stack]
    shown = [
        panel.resize((panel.width * HEIGHT // panel.height, HEIGHT), Image.Resampling.NEAREST)
        for panel in panels
    ]
    width = sum(panel.width for panel in shown) + GAP * (len(shown) - 1)
    sheet, left = Image.new("RGB", (width, HEIGHT), "white"), 0
    for panel in shown:
        sheet.paste(panel, (left, 0))
        left += panel.width + GAP
    sheet.quantize(64).save(Path(__file__).with_name("atari.png"), optimize=True)


if __name__ == "__main__":
    main()

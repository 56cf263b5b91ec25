"""A small game of a ball, a paddle and bricks, seen as a picture of 10 x 10 cells."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

SIZE = 10
BRICK_ROWS = slice(1, 4)
PLANES = {"one": 3, "two": 6, "trail": 4}  # of each view


class Bricks(gym.Env):
    """Keep the ball in play with a paddle two cells wide; each brick that it breaks pays 1.

    A step moves the paddle (0 stay, 1 left, 2 right), then the ball, one cell diagonally. At a
    side or at the top the ball turns and keeps its column or its row for that step. A brick that
    it enters breaks and turns it. The left cell of the paddle sends it up to the left, the right
    one up to the right. The episode ends when the ball passes the paddle or no brick is left.

    An observation is a stack of planes ``[planes, 10, 10]``, 255 where something is and 0
    elsewhere: the paddle, the ball, the bricks, and what `view` adds.

    Args:
        view: ``"one"`` shows the current frame, ``"two"`` the current and the last one, and
            ``"trail"`` the current one and a plane with the ball's last cell.
        sticky: probability that a step repeats the action of the one before.
        max_steps: environment steps after which an episode is truncated.

    Raises:
        ValueError: if there is no such view, `sticky` is outside [0, 1), or no step is allowed.
    """

    def __init__(self, view: str = "trail", sticky: float = 0.0, max_steps: int = 500) -> None:
        if view not in PLANES:
            raise ValueError(f"view must be one of {', '.join(PLANES)}, got {view!r}")
        if not 0 <= sticky < 1:
            raise ValueError(f"sticky is a probability below 1, got {sticky}")
        if max_steps < 1:
            raise ValueError(f"max_steps must be at least 1, got {max_steps}")
        self.view, self.sticky, self.max_steps = view, sticky, max_steps
        self.over = True  # until `reset` begins an episode
        self.observation_space = spaces.Box(0, 255, (PLANES[view], SIZE, SIZE), np.uint8)
        self.action_space = spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Start an episode; returns ``(observation, {})``."""
        super().reset(seed=seed)
        self.x, self.y = int(self.np_random.integers(SIZE)), 4
        self.dx, self.dy = 2 * int(self.np_random.integers(2)) - 1, 1
        self.paddle = 4  # its left cell
        self.bricks = np.zeros((SIZE, SIZE), np.uint8)
        self.bricks[BRICK_ROWS] = 255
        self.n_steps, self.n_left, self.action = 0, int((self.bricks > 0).sum()), 0
        self.over = False
        self.last_cell, self.last_frame = (self.y, self.x), self._frame()
        return self._observation(), {}

    def step(self, action: int):
        """Return ``(observation, reward, terminated, truncated, {})``.

        Raises:
            ValueError: if there is no such action.
            ResetNeeded: if no episode has begun, or it is over.
        """
        if action not in (0, 1, 2):
            raise ValueError(f"action must be 0, 1 or 2, got {action!r}")
        if self.over:
            raise gym.error.ResetNeeded("an episode of Bricks begins with reset()")
        if not self.sticky or self.np_random.random() >= self.sticky:
            self.action = int(action)
        self.last_cell = self.y, self.x
        if self.view == "two":
            self.last_frame = self._frame()
        self.paddle = min(max(self.paddle + (0, -1, 1)[self.action], 0), SIZE - 2)
        reward, lost = self._move_ball()
        self.n_steps += 1
        terminated, truncated = lost or self.n_left == 0, self.n_steps >= self.max_steps
        self.over = terminated or truncated
        return self._observation(), reward, terminated, truncated, {}

    def _move_ball(self) -> tuple[float, bool]:
        """Move the ball by one cell; returns the reward, and whether the ball is lost."""
        if 0 <= self.x + self.dx < SIZE:
            self.x += self.dx
        else:
            self.dx = -self.dx
        if self.y + self.dy >= 0:
            self.y += self.dy
        else:
            self.dy = 1
        if self.bricks[self.y, self.x]:
            self.bricks[self.y, self.x] = 0
            self.n_left -= 1
            self.dy = -self.dy
            return 1.0, False
        if self.y < SIZE - 1:
            return 0.0, False
        if self.x not in (self.paddle, self.paddle + 1):
            return 0.0, True
        self.dx, self.dy = (-1 if self.x == self.paddle else 1), -1
        return 0.0, False

    def _frame(self) -> np.ndarray:
        frame = np.zeros((3, SIZE, SIZE), np.uint8)
        frame[0, -1, self.paddle : self.paddle + 2] = 255
        frame[1, self.y, self.x] = 255
        frame[2] = self.bricks
        return frame

    def _observation(self) -> np.ndarray:
        if self.view == "one":
            return self._frame()
        if self.view == "two":
            return np.concatenate([self._frame(), self.last_frame])
        trail = np.zeros((1, SIZE, SIZE), np.uint8)
        trail[0][self.last_cell] = 255
        return np.concatenate([self._frame(), trail])

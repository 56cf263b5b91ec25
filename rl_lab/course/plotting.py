"""Figures of the book. Functions draw on the axes they are given and compute no results.

The look is a style sheet: ``plt.style.use("rl_lab.course.book")``.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from rl_lab.stats import bootstrap_ci, iqm, performance_profile
from rl_lab.training import History

ENDINGS = {"landed": "0.2", "sat": "0.45", "hovered": "0.65", "left": "0.8", "crashed": "0.92"}
ARROWS = {0: (-1, 0), 1: (0, 1), 2: (1, 0), 3: (0, -1)}  # FrozenLake: left, down, right, up


def learning_curves(
    ax: Axes,
    curves: Mapping[str, np.ndarray | pd.DataFrame],
    *,
    steps: ArrayLike | None = None,
    statistic: Callable = iqm,
    level: float = 0.95,
) -> None:
    """Draw one line (a statistic over the seeds) and one band (its bootstrap) per label.

    Args:
        ax: axes to draw on.
        curves: label to scores: an array ``[n_seeds, n_points]``, or a table with a
            column per seed and the environment steps as its index, as
            `rl_lab.course.results.curves` returns.
        steps: environment steps at each point; needed for arrays only.
        statistic: of line and band; takes an `axis`, as `iqm` and `np.mean` do.
        level: coverage of the band.

    Raises:
        ValueError: if a curve has fewer than three seeds, or misses values.
    """
    for label, scores in curves.items():
        x = scores.index if isinstance(scores, pd.DataFrame) else steps
        values = scores.to_numpy().T if isinstance(scores, pd.DataFrame) else np.asarray(scores)
        low, high = bootstrap_ci(values, statistic, level=level)
        (line,) = ax.plot(x, statistic(values, axis=0), label=f"{label} (n={len(values)})")
        ax.fill_between(x, low, high, alpha=0.18, color=line.get_color(), linewidth=0)
    ax.legend()


def seed_dots(ax: Axes, groups: Mapping[str, ArrayLike], *, level: float = 0.95) -> None:
    """Draw every seed as a dot, and the interquartile mean with its interval beside them.

    Args:
        ax: axes to draw on; labels go on the vertical axis.
        groups: label to one score per seed.
        level: coverage of the interval.
    """
    for row, scores in enumerate(groups.values()):
        scores = np.asarray(scores, float)
        jitter = np.random.default_rng(0).uniform(-0.16, 0.16, len(scores))
        ax.scatter(scores, row + jitter, s=16, alpha=0.55, linewidth=0, zorder=2)
        low, high = bootstrap_ci(scores, level=level)
        middle = iqm(scores)
        ax.errorbar(
            middle,
            row,
            xerr=np.maximum(0, [[middle - low], [high - middle]]),  # rounding may give -1e-14
            fmt="D",
            color="black",
            linestyle="none",
            markersize=5,
            capsize=4,
            zorder=3,
        )
    ax.set_yticks(range(len(groups)), [f"{k} (n={len(v)})" for k, v in groups.items()])
    ax.invert_yaxis()


def performance_profiles(
    ax: Axes, groups: Mapping[str, ArrayLike], taus: ArrayLike, *, level: float = 0.95
) -> None:
    """Draw one performance profile (line) and its pointwise band (bootstrap) per label.

    Args:
        ax: axes to draw on.
        groups: label to one score per seed.
        taus: thresholds in increasing order ``[n_taus]``, for the horizontal axis.
        level: coverage of the band at each tau.
    """
    for label, scores in groups.items():
        low, high = bootstrap_ci(scores, partial(performance_profile, taus=taus), level=level)
        shares = performance_profile(scores, taus)
        (line,) = ax.step(taus, shares, where="post", label=f"{label} (n={len(scores)})")
        ax.fill_between(
            taus, low, high, step="post", alpha=0.18, color=line.get_color(), linewidth=0
        )
    ax.set_ylim(-0.02, 1.02)
    ax.legend()


def ending_bars(ax: Axes, flights: pd.DataFrame) -> None:
    """Draw how the episodes of landers end, as one bar per variant, the first on top.

    Args:
        ax: axes to draw on.
        flights: per cent of the episodes by variant (rows) and by ending (columns).
    """
    shares = flights[list(ENDINGS)].iloc[::-1]
    shares.plot.barh(stacked=True, ax=ax, color=[*ENDINGS.values()], width=0.7, edgecolor="0.3")
    ax.set(xlabel="episodes of the final agents, %", ylabel="", xlim=(0, 100))
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.42, 1), ncols=5, columnspacing=0.8)


def moving_average(values: ArrayLike, window: int) -> np.ndarray:
    """Return the mean of the last `window` values at each index, NaN until there are so many.

    The mean stands at the index of the *last* value in it, so that a curve is never
    shown ahead of its data.
    """
    return pd.Series(np.asarray(values, float)).rolling(window).mean().to_numpy()


def training_panels(axes: ArrayLike, history: History, *, window: int = 50) -> None:
    """Draw one run as three panels: return, loss and epsilon, by environment steps.

    Args:
        axes: three axes.
        history: the run.
        window: episodes in the moving average of the return.
    """
    top, middle, bottom = axes
    steps = np.array(history.env_steps)
    top.plot(steps, history.returns, ".", markersize=3, alpha=0.4, label="one episode")
    smooth = moving_average(history.returns, window)
    top.plot(steps, smooth, linestyle="-", label=f"mean of the last {window}")
    top.set_ylabel("return")
    top.legend()
    middle.plot(steps, history.losses)
    middle.set_ylabel("loss")
    middle.set_yscale("log")
    bottom.plot(steps, history.epsilons)
    bottom.set_ylabel("epsilon")
    bottom.set_ylim(0, None)
    bottom.set_xlabel("environment steps")


def value_map(ax: Axes, q: np.ndarray, layout: list[str], *, label: str = "") -> None:
    """Draw max_a Q as colours on a FrozenLake map, with an arrow for the best action.

    Args:
        ax: axes to draw on.
        q: ``[n_states, 4]``, states row by row.
        layout: the map's rows, of the letters S, F, H and G.
        label: title.
    """
    rows, columns = len(layout), len(layout[0])
    values = q.max(1).reshape(rows, columns)
    image = ax.imshow(values, vmin=0, vmax=max(1e-9, float(values.max())))
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="value of the best action")
    for s in range(rows * columns):
        y, x = divmod(s, columns)
        cell = layout[y][x]
        dark = values[y, x] < 0.6 * values.max()
        colour = "white" if dark else "black"
        if cell in "HG":
            name = {"H": "hole", "G": "goal"}[cell]
            ax.text(x, y, name, color=colour, ha="center", va="center")
        elif np.ptp(q[s]) > 0:
            dx, dy = ARROWS[int(q[s].argmax())]
            ax.annotate(
                "",
                (x + 0.3 * dx, y + 0.3 * dy),
                (x - 0.3 * dx, y - 0.3 * dy),
                arrowprops=dict(arrowstyle="->", color=colour, linewidth=1.6),
            )
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.set_title(label)

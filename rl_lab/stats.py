"""Statistics over seeds, by scipy. The seed axis comes first, always.

Source of the choices: Agarwal et al. (2021), "Deep reinforcement learning at the
edge of the statistical precipice".
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def iqm(scores: ArrayLike, axis: int = 0) -> np.ndarray:
    """Return the inter-quartile mean: the mean of the middle half of the seeds.

    A quarter of the values is cut at each end (rounded down, so that fewer than four
    seeds give the plain mean). One lucky or broken seed moves it little, and unlike
    the median it uses half of the data.
    """
    return stats.trim_mean(np.asarray(scores, float), 0.25, axis=axis)


def bootstrap_ci(
    scores: ArrayLike,
    statistic: Callable = iqm,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile bootstrap interval of `statistic` over seeds.

    Args:
        scores: ``[n_seeds]`` or ``[n_seeds, n_points]``, an interval for each point.
        statistic: function of ``(scores, axis)``.
        level: coverage.
        n_resamples: resamples of the seeds, with replacement.
        seed: of the resampling.

    Returns:
        ``(low, high)``, each a number or ``[n_points]``.

    Raises:
        ValueError: if there are fewer than three seeds, which support no interval,
            or if a score is not finite.
    """
    scores = np.asarray(scores, float)
    if len(scores) < 3:
        raise ValueError(f"an interval needs at least 3 seeds, got {len(scores)}")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite; drop or fill what is missing first")
    result = stats.bootstrap(
        (scores,),
        statistic,
        axis=0,
        confidence_level=level,
        n_resamples=n_resamples,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return result.confidence_interval.low, result.confidence_interval.high


def probability_of_improvement(x: ArrayLike, y: ArrayLike) -> float:
    r"""Return the probability that a seed of x beats a seed of y, ties counting half.

    .. math::

        P(X > Y) + \tfrac12 P(X = Y)

    It is the Mann-Whitney statistic over the number of pairs: 0.5 says that neither
    arm is better.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    return float(stats.mannwhitneyu(x, y).statistic / (len(x) * len(y)))


def improvement_ci(
    x: ArrayLike, y: ArrayLike, *, level: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return the bootstrap interval of `probability_of_improvement`, both arms resampled.

    Raises:
        ValueError: if either arm has fewer than three seeds.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if min(len(x), len(y)) < 3:
        raise ValueError(f"an interval needs at least 3 seeds an arm, got {len(x)} and {len(y)}")
    rng = np.random.default_rng(seed)
    wins = np.sign(x[:, None] - y[None, :]) / 2 + 0.5
    rows = rng.integers(len(x), size=(n_resamples, len(x), 1))
    columns = rng.integers(len(y), size=(n_resamples, 1, len(y)))
    low, high = np.quantile(wins[rows, columns].mean((1, 2)), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

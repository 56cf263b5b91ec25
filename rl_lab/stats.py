"""Statistics over seeds, by scipy. The seed axis comes first, always.

Source of the choices: Agarwal et al. (2021), "Deep reinforcement learning at the
edge of the statistical precipice".
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def iqm(scores: ArrayLike, axis: int | None = 0) -> np.ndarray:
    """Return the interquartile mean: the mean of the middle half of the seeds.

    A quarter of the values is cut at each end (rounded down, so that fewer than four
    seeds give the plain mean). One lucky or broken seed moves it little, and unlike
    the median it uses half of the data.

    On the seeds of one task this is the interquartile mean of the package rliable. On
    several tasks that one pools all runs before it cuts: here ``axis=None`` of a matrix.
    """
    return stats.trim_mean(np.asarray(scores, float), 0.25, axis=axis)


def _finite(scores: ArrayLike, name: str) -> np.ndarray:
    """Return scores as an array of floats; refuse what is empty or not finite."""
    scores = np.atleast_1d(np.asarray(scores, float))
    if not scores.size:
        raise ValueError(f"{name} must hold at least one number, got none")
    if missing := np.count_nonzero(~np.isfinite(scores)):
        raise ValueError(f"{name} must be finite, {missing} of {scores.size} are not; drop them")
    return scores


def _percentile_bootstrap(
    strata: Mapping[str, ArrayLike],
    statistic: Callable,
    level: float,
    n_resamples: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Resample each stratum on its own; `statistic` takes all of them, and an axis."""
    samples = [_finite(scores, name) for name, scores in strata.items()]
    for name, sample in zip(strata, samples, strict=True):
        if len(sample) < 3:
            raise ValueError(f"an interval needs at least 3 seeds, got {len(sample)} in {name}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, as 0.95 does, got {level}")
    result = stats.bootstrap(
        samples,
        statistic,
        axis=0,
        vectorized=True,
        confidence_level=level,
        n_resamples=n_resamples,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return result.confidence_interval.low, result.confidence_interval.high


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
    return _percentile_bootstrap({"scores": scores}, statistic, level, n_resamples, seed)


def stratified_ci(
    strata: Mapping[str, ArrayLike] | Sequence[ArrayLike],
    statistic: Callable,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile bootstrap interval of a statistic of several arms or tasks.

    The seeds of each are resampled among themselves, so that every resample has as many
    seeds of each as the study. A difference of two arms, and all runs of several tasks::

        stratified_ci([both, neither], lambda a, b: iqm(a) - iqm(b))
        stratified_ci(tasks, lambda *runs: iqm(np.concatenate(runs)))

    Where each seed was run several times, on several processors say, its scores are not
    independent. Passed as ``[n_seeds, n_repeats]`` they are drawn together (a cluster
    bootstrap), and `statistic` is given all of them in one axis.

    Args:
        strata: scores ``[n_seeds]`` or ``[n_seeds, n_repeats]`` of each, as a mapping or a
            list; the numbers of seeds may differ.
        statistic: function of as many arrays as there are strata, in their order. Each
            array is ``[n_scores, n_resamples]``; it returns ``[n_resamples]``, or
            ``[n_numbers, n_resamples]`` for several numbers at once.
        level: coverage.
        n_resamples: resamples of each stratum, with replacement.
        seed: of the resampling.

    Returns:
        ``(low, high)``, each a number or ``[n_numbers]``.

    Raises:
        TypeError: if `strata` is neither a mapping nor a list.
        ValueError: if a stratum has fewer than three seeds or a score that is not
            finite, if they differ in the number of repeats, or if the statistic loses the
            axis of the resamples.
    """
    if isinstance(strata, list | tuple):
        strata = {f"stratum {place}": scores for place, scores in enumerate(strata)}
    if not isinstance(strata, Mapping):
        raise TypeError(
            "strata must be a mapping or a list of the seeds of each arm or task, got "
            f"{type(strata).__name__}; for a matrix [n_seeds, n_tasks] pass list(matrix.T)"
        )

    if len(repeats := {np.shape(scores)[1:] for scores in strata.values()}) > 1:
        raise ValueError(f"all strata need the same number of repeats a seed, got {repeats}")

    def scores_first(*samples: np.ndarray, axis: int) -> np.ndarray:
        pooled = (np.moveaxis(sample, axis, 0).reshape(-1, n_resamples) for sample in samples)
        values = np.asarray(statistic(*pooled))
        if values.shape[-1:] != (n_resamples,):
            raise ValueError(
                "the statistic must reduce the first axis and keep the last, that of the "
                f"{n_resamples} resamples; it returned shape {values.shape}"
            )
        return values

    return _percentile_bootstrap(strata, scores_first, level, n_resamples, seed)


def probability_of_improvement(x: ArrayLike, y: ArrayLike) -> float:
    r"""Return the probability that a seed of x beats a seed of y, ties counting half.

    .. math::

        P(X > Y) + \tfrac12 P(X = Y)

    It is the Mann-Whitney statistic over the number of pairs: 0.5 says that neither
    arm is better. Scores ``[n_seeds, n_repeats]`` are pooled.

    Raises:
        ValueError: if an arm has no score, or one that is not finite.
    """
    x, y = _finite(x, "x").ravel(), _finite(y, "y").ravel()
    return float(stats.mannwhitneyu(x, y).statistic / (len(x) * len(y)))


def improvement_ci(
    x: ArrayLike, y: ArrayLike, *, level: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return the bootstrap interval of `probability_of_improvement`, both arms resampled.

    Seeds that were run several times are passed as ``[n_seeds, n_repeats]``: all scores of
    a seed are drawn together, as in `stratified_ci`.

    Raises:
        ValueError: if either arm has fewer than three seeds, if they differ in the number of
            repeats, or if a score is not finite.
    """

    def share_won(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (np.sign(x[:, None] - y) / 2 + 0.5).mean((0, 1))

    arms = {"x": x, "y": y}
    low, high = stratified_ci(arms, share_won, level=level, n_resamples=n_resamples, seed=seed)
    return float(low), float(high)


def share_ci(reached: ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of the share of seeds that reached something.

    Unlike a bootstrap it has a width where all seeds did, or none.

    Args:
        reached: whether each seed did, ``[n_seeds]``, e.g. ``returns >= 475``.
        level: coverage.

    Raises:
        TypeError: if `reached` holds anything but True and False.
    """
    reached = np.asarray(reached)
    if reached.dtype != bool:
        raise TypeError(f"reached must hold True or False for each seed, got {reached.dtype}")
    test = stats.binomtest(int(reached.sum()), reached.size)
    interval = test.proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def performance_profile(scores: ArrayLike, taus: ArrayLike, axis: int | None = 0) -> np.ndarray:
    """Return the share of seeds with a score above each tau; a tie is not above.

    An arm whose profile is nowhere lower than another's is at least as good at every
    level. The band is for each tau by itself, and has no width where all seeds lie on
    one side of tau, which promises nothing about further seeds::

        low, high = bootstrap_ci(scores, partial(performance_profile, taus=taus))

    Args:
        scores: ``[n_seeds]``, or with further axes.
        taus: thresholds ``[n_taus]``, in the units of the scores.
        axis: that of the seeds; None pools all, as for the runs of several tasks.

    Returns:
        ``[n_taus]``, or ``[n_taus, ...]`` with the further axes.

    Raises:
        ValueError: if a score or a tau is not finite, or if there are none.
    """
    scores, taus = _finite(scores, "scores"), _finite(taus, "taus")
    return np.stack([(scores > tau).mean(axis) for tau in taus])

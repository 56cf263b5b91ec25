"""Statistics over seeds, by hand where a hand can do it, and claims."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from rl_lab.course.claims import ClaimFailed, check
from rl_lab.stats import (
    bootstrap_ci,
    improvement_ci,
    iqm,
    performance_profile,
    probability_of_improvement,
    share_ci,
    stratified_ci,
)

# Two arms of 10 and 12 runs on three tasks, by a formula that any package can be given.
RUNS, TASKS = np.ogrid[:12, :3]
X = ((7 * RUNS[:10] ** 2 + 5 * TASKS) % 23) / 20
Y = ((11 * RUNS**2 + 3 * TASKS) % 19) / 20
TAUS = np.array([0, 0.25, 0.5, 0.75, 1])

# What rliable 1.2.0 returns for them, called as the keys say, with arch 7.2.0, numpy 2.4.6
# and scipy 1.17.1. It cannot be imported beside pandas 3, so it is not run here.
RLIABLE = {
    "metrics.aggregate_iqm(X)": 0.55625,
    "metrics.aggregate_iqm(Y)": 0.3583333333333333,
    "metrics.aggregate_iqm(X[:, [0]])": 0.7,
    "metrics.probability_of_improvement(X, Y)": 0.638888888888889,
    "library.score_distributions(X, TAUS)": [29 / 30, 0.7, 0.5, 1 / 3, 4 / 30],
}
# Means over random seeds 0 to 19 (0 to 3 for the probability) of the intervals of
# library.get_interval_estimates({"": ...}, ..., reps=5000): low, high. The standard
# deviation of one interval's end was 0.004 at most, and 0.012 for the profile at 0.25.
RLIABLE_95 = {
    "X, lambda x: np.array([aggregate_iqm(x)])": (0.3856, 0.7366),
    "[X, Y], lambda x, y: np.array([aggregate_iqm(x) - aggregate_iqm(y)])": (-0.0045, 0.4014),
    "[X, Y], lambda x, y: np.array([probability_of_improvement(x, y)])": (0.4976, 0.7719),
    "X, lambda x: score_distributions(x, TAUS)": (
        [0.9, 0.5333, 0.3333, 0.1667, 0.0333],
        [1, 0.8617, 0.6667, 0.5, 0.2667],
    ),
}

scores_of_seeds = st.lists(st.integers(0, 20), min_size=3, max_size=12)


def iqm_of_all(*tasks):
    return iqm(np.concatenate(tasks))


def test_iqm_is_the_mean_of_the_middle_half():
    assert iqm([100, 1, 2, 3, 4, 5, 6, -100]) == 3.5  # of 2, 3, 4, 5
    assert iqm([0, 1, 2, 3, 4, 5, 6, 7, 8, 99]) == pytest.approx(4.5)  # ten seeds: cuts 2 and 2
    assert iqm([1, 2, 6]) == 3  # three seeds: the plain mean


def test_iqm_takes_the_seed_axis_first():
    scores = np.array([[0, 10], [1, 20], [2, 30], [99, 40]])
    assert iqm(scores).tolist() == [1.5, 25]
    assert iqm(scores.T, axis=1).tolist() == [1.5, 25]


def test_bootstrap_interval_against_scipys_t_interval():
    scores = np.random.default_rng(0).normal(10, 2, size=200)
    low, high = bootstrap_ci(scores, np.mean)
    spread = 1.96 * scores.std() / np.sqrt(200)
    assert low == pytest.approx(scores.mean() - spread, abs=0.05)
    assert high == pytest.approx(scores.mean() + spread, abs=0.05)
    assert low < iqm(scores) < high


def test_bootstrap_resamples_seeds_and_keeps_points_apart():
    rng = np.random.default_rng(0)
    scores = np.stack([rng.normal(0, 1, 12), rng.normal(50, 5, 12), np.full(12, 7.0)], axis=1)
    low, high = bootstrap_ci(scores)
    assert low.shape == high.shape == (3,)
    for point in range(2):
        assert low[point] < iqm(scores)[point] < high[point]
    assert low[2] == high[2] == 7
    assert high[0] < low[1]


def test_bootstrap_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for data in rng.normal(size=(150, 20)):
        low, high = bootstrap_ci(data, np.mean, level=0.9, n_resamples=300)
        hits += low <= 0 <= high
    # 0.9 by construction, a little less with 20 seeds; 0.8 is 4 standard errors away
    assert 0.8 < hits / 150 <= 0.97


def test_a_higher_level_is_wider_and_a_seed_repeats():
    scores = np.random.default_rng(0).normal(size=10)
    narrow, wide = bootstrap_ci(scores, level=0.5), bootstrap_ci(scores, level=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    assert bootstrap_ci(scores) == bootstrap_ci(scores) != bootstrap_ci(scores, seed=1)


def test_bootstrap_refuses_what_supports_no_interval():
    with pytest.raises(ValueError, match="at least 3 seeds, got 2"):
        bootstrap_ci([1.0, 2.0])
    with pytest.raises(ValueError, match="scores must be finite, 1 of 3 are not"):
        bootstrap_ci([1.0, np.nan, 2.0])
    with pytest.raises(ValueError, match="scores must hold at least one number"):
        bootstrap_ci([])
    with pytest.raises(ValueError, match="got 2 in y"):
        improvement_ci([1, 2, 3], [1, 2])
    for level in (0, 1, 95, np.nan):
        with pytest.raises(ValueError, match=f"between 0 and 1, .* got {level}"):
            bootstrap_ci([1, 2, 3], level=level)


def test_a_score_that_is_missing_is_never_a_loss():
    with pytest.raises(ValueError, match="y must be finite, 2 of 3 are not"):
        probability_of_improvement([1, 2], [1, np.nan, np.inf])
    with pytest.raises(ValueError, match="x must hold at least one number"):
        probability_of_improvement([], [1])
    with pytest.raises(ValueError, match="scores must be finite"):
        performance_profile([1, np.nan], [0])
    with pytest.raises(ValueError, match="taus must be finite"):
        performance_profile([1, 2], [0, np.nan])
    with pytest.raises(ValueError, match="taus must hold at least one number"):
        performance_profile([1, 2], [])


def test_probability_of_improvement_counts_pairs_and_half_of_ties():
    # 3 beats 1 and 2, ties with 3; 1 ties with 1: (1 + 1 + 0.5 + 0.5) / 6
    assert probability_of_improvement([3, 1], [1, 2, 3]) == pytest.approx(3 / 6)
    assert probability_of_improvement([1], [1, 2, 3]) == pytest.approx(0.5 / 3)
    assert probability_of_improvement([5, 6], [1, 2, 3]) == 1
    assert probability_of_improvement([1, 2, 3], [5, 6]) == 0
    assert probability_of_improvement([500, 500], [500] * 4) == 0.5
    # 2 > 1; 4 > 1, 4 > 3
    assert probability_of_improvement([2, 4], [1, 3]) == 0.75


def test_improvement_interval_holds_the_estimate():
    rng = np.random.default_rng(0)
    x, y = rng.normal(1, 1, 15), rng.normal(0, 1, 12)
    low, high = improvement_ci(x, y)
    assert 0 <= low < probability_of_improvement(x, y) < high <= 1
    flipped = improvement_ci(y, x, seed=1)
    assert flipped == pytest.approx((1 - high, 1 - low), abs=0.05)
    assert improvement_ci([2, 3, 4], [1, 1, 1]) == (1.0, 1.0)
    assert improvement_ci([1, 1, 1], [1, 1, 1]) == (0.5, 0.5)
    # Close to the large-sample interval of the Mann-Whitney statistic
    share = probability_of_improvement(x, y)
    half = scipy_stats.norm.ppf(0.975) * np.sqrt((15 + 12 + 1) / (12 * 15 * 12))
    assert (high - low) / 2 == pytest.approx(half * 2 * np.sqrt(share * (1 - share)), rel=0.35)


def test_the_repeats_of_a_seed_are_drawn_together():
    # Each seed of x wins one of its two games against any seed of y: so does every resample
    x, y = [[1, 3]] * 4, [[2, 2]] * 3
    assert probability_of_improvement(x, y) == 0.5
    assert improvement_ci(x, y) == (0.5, 0.5)
    # A seed that repeats itself exactly counts once: the interval is that of the seeds
    a, b = np.arange(8.0), np.array([1.0, 2, 9, 4, 3])
    twice = [np.stack([scores, scores], 1) for scores in (a, b)]
    assert improvement_ci(*twice) == improvement_ci(a, b)
    assert probability_of_improvement(*twice) == probability_of_improvement(a, b)
    # The seeds' means are 1, 1 and 2: of 27 resamples 8 have a mean of 1, and one of 2
    low, high = stratified_ci([[[0, 2], [1, 1], [-1, 5]]], lambda a: a.mean(0), level=0.98)
    assert (low, high) == (1, 2)
    # Quarters are cut from all twelve scores at once, in whatever column they stand
    middle = stratified_ci([[[0, 3, 9]] * 4, [[3, 9, 0]] * 4], lambda a, b: iqm(a) - iqm(b))
    assert middle == (0, 0)
    with pytest.raises(ValueError, match=r"same number of repeats a seed, got \{.*\}"):
        improvement_ci(a, twice[1])


def test_the_interval_of_a_share_by_hand():
    # Wilson: z = 1.959964; (p + z^2 / 2n -+ z sqrt(p q / n + z^2 / 4 n^2)) / (1 + z^2 / n)
    reached = np.arange(10) < 8  # (0.8 + 0.192073 -+ 0.313617) / 1.384146
    assert share_ci(reached) == pytest.approx((0.490162, 0.943318), abs=1e-5)
    low, high = share_ci([True] * 10)
    assert high == 1 and low == pytest.approx(1 / 1.384146, abs=1e-5)
    wide, narrow = share_ci(reached, level=0.99), share_ci(reached, level=0.5)
    assert wide[0] < 0.49 < narrow[0] < 0.8 < narrow[1] < 0.94 < wide[1]
    for numbers in ([0.3, 1.0], [3, 4], []):
        with pytest.raises(TypeError, match="True or False for each seed"):
            share_ci(numbers)


def test_one_stratum_is_the_plain_bootstrap():
    scores = np.random.default_rng(0).normal(size=11)
    assert stratified_ci([scores], iqm) == pytest.approx(bootstrap_ci(scores), rel=1e-12)
    narrow = stratified_ci([scores], iqm, level=0.5, n_resamples=300, seed=4)
    assert narrow == pytest.approx(
        bootstrap_ci(scores, level=0.5, n_resamples=300, seed=4), rel=1e-12
    )


def test_strata_do_not_lend_each_other_seeds():
    # Were all seven seeds drawn from one heap, their mean would range from 1 to 5
    tasks = {"easy": [5, 5, 5, 5], "hard": [1, 1, 1]}
    low, high = stratified_ci(tasks, iqm_of_all)
    assert low == high == 3.4  # of 1, 1, 5, 5, 5
    low, high = stratified_ci(tasks, lambda easy, hard: iqm(easy) - iqm(hard))
    assert low == high == 4


def test_strata_are_resampled_independently():
    # Of the same scores twice: were the rows drawn together, the difference would be 0
    scores = np.arange(20.0)
    low, high = stratified_ci([scores, scores], lambda a, b: a.mean(0) - b.mean(0))
    half = 1.96 * np.sqrt(2 * scores.var() / 20)
    assert (low, high) == pytest.approx((-half, half), rel=0.1)


def test_interval_of_a_difference_of_unequal_arms_against_the_normal_one():
    rng = np.random.default_rng(0)
    a, b = rng.normal(3, 2, 60), rng.normal(1, 0.5, 150)
    low, high = stratified_ci({"a": a, "b": b}, lambda a, b: a.mean(0) - b.mean(0))
    spread = 1.96 * np.sqrt(a.var() / 60 + b.var() / 150)
    middle = a.mean() - b.mean()
    assert (low, high) == pytest.approx((middle - spread, middle + spread), abs=0.06)


def test_effects_of_two_switches_in_one_call():
    def effects(both, one, other, neither):
        return np.stack([(both + one - other - neither) / 2, (both - one) - (other - neither)])

    arms = {"both": [9, 10, 11], "one": [6, 6, 6], "other": [4, 4, 4], "neither": [1, 1, 1]}
    low, high = stratified_ci(arms, lambda *seeds: effects(*map(iqm, seeds)), level=0.98)
    # The mean of three draws of 9, 10 and 11 is 9, or 11, once in 27: all else is constant
    np.testing.assert_allclose(effects(10, 6, 4, 1), [5.5, 1])
    np.testing.assert_allclose(low, [5, 0])
    np.testing.assert_allclose(high, [6, 2])


def test_the_order_of_seeds_and_of_strata_changes_little():
    a, b = X[:, 0], Y[:, 0]
    pair = stratified_ci([a, b], lambda a, b: iqm(a) - iqm(b), n_resamples=20_000)
    for other in (
        stratified_ci([a[::-1], np.roll(b, 5)], lambda a, b: iqm(a) - iqm(b), n_resamples=20_000),
        stratified_ci([b, a], lambda b, a: iqm(a) - iqm(b), n_resamples=20_000),
    ):
        assert pair == pytest.approx(other, abs=0.02)


def test_strata_refuse_what_supports_no_interval():
    def difference(a, b):
        return iqm(a) - iqm(b)

    with pytest.raises(ValueError, match="at least 3 seeds, got 2 in few"):
        stratified_ci({"many": [1, 2, 3], "few": [1, 2]}, difference)
    with pytest.raises(ValueError, match="stratum 1 must be finite, 1 of 3"):
        stratified_ci([[1, 2, 3], [1, np.inf, 2]], difference)
    with pytest.raises(ValueError, match="got 1 in stratum 0"):
        stratified_ci([1, 2, 3], difference)  # seeds of one arm, not a list of arms
    with pytest.raises(TypeError, match=r"got ndarray; .* list\(matrix\.T\)"):
        stratified_ci(X, difference)
    for wrong in (lambda a, b: a.mean() - b.mean(), lambda a, b: a.mean(1) - b.mean(1)):
        with pytest.raises(ValueError, match="keep the last, that of the 2000 resamples"):
            stratified_ci([[1, 2, 3], [4, 5, 6]], wrong)


def test_a_profile_by_hand():
    scores = [500, 120, 500, 9]
    shares = performance_profile(scores, [-1, 0, 9, 100, 120, 499.9, 500])
    assert shares.tolist() == [1, 1, 0.75, 0.75, 0.5, 0.5, 0]  # a tie is not above
    table = np.array([[1, 10], [2, 20], [3, 30]])
    third = 1 / 3
    np.testing.assert_allclose(performance_profile(table, [2, 10]), [[third, 1], [0, 2 * third]])
    np.testing.assert_allclose(performance_profile(table.T, [2], axis=1), [[third, 1]])
    np.testing.assert_allclose(performance_profile(table, [2, 10], axis=None), [4 / 6, 2 / 6])


@given(scores_of_seeds, st.lists(st.integers(-3, 23), min_size=1), st.randoms())
def test_a_profile_falls_from_one_to_zero(scores, taus, random):
    shares = performance_profile(scores, sorted(taus))
    assert (np.diff(shares) <= 0).all() and 0 <= shares.min() <= shares.max() <= 1
    assert performance_profile(scores, [-1, 20]).tolist() == [1, 0]
    shuffled = random.sample(scores, len(scores))
    assert performance_profile(shuffled, sorted(taus)).tolist() == shares.tolist()
    # The shares above 0, 1, 2 ... of whole numbers add up to their mean
    assert performance_profile(scores, range(20)).sum() == pytest.approx(np.mean(scores))


def test_the_band_of_a_profile_is_binomial():
    # A resample's number of seeds above tau is binomial; its quantiles are whole seeds
    scores = np.repeat([10, 20, 30, 40, 50], [2, 8, 10, 6, 4])
    taus = [5, 10, 20, 30, 40, 50]
    low, high = bootstrap_ci(scores, partial(performance_profile, taus=taus), n_resamples=20_000)
    share = np.array([30, 28, 20, 10, 4, 0]) / 30
    np.testing.assert_allclose(performance_profile(scores, taus), share)
    np.testing.assert_allclose(low, scipy_stats.binom.ppf(0.025, 30, share) / 30, atol=1e-9)
    np.testing.assert_allclose(high, scipy_stats.binom.ppf(0.975, 30, share) / 30, atol=1e-9)


@settings(max_examples=30)
@given(scores_of_seeds, scores_of_seeds)
def test_intervals_of_any_scores_hold_what_symmetry_says(x, y):
    mirrored = np.array([*x, *(40 - np.array(x))])  # symmetrical about 20
    for statistic in (iqm, np.mean):
        low, high = bootstrap_ci(mirrored, statistic, n_resamples=200)
        assert low <= 20 <= high and mirrored.min() <= low and high <= mirrored.max()
    low, high = stratified_ci([x, y], lambda a, b: a.mean(0) - b.mean(0), n_resamples=200)
    assert min(x) - max(y) <= low <= high <= max(x) - min(y)


def test_point_estimates_against_rliable():
    ours = {
        "metrics.aggregate_iqm(X)": iqm(X, axis=None),
        "metrics.aggregate_iqm(Y)": iqm(np.concatenate(Y.T)),
        "metrics.aggregate_iqm(X[:, [0]])": iqm(X[:, 0]),
        "metrics.probability_of_improvement(X, Y)": np.mean(
            [probability_of_improvement(x, y) for x, y in zip(X.T, Y.T, strict=True)]
        ),
        "library.score_distributions(X, TAUS)": performance_profile(X, TAUS, axis=None),
    }
    assert ours.keys() == RLIABLE.keys()
    for call, value in ours.items():
        np.testing.assert_allclose(value, RLIABLE[call], rtol=1e-12, err_msg=call)
    assert abs(iqm(X).mean() - iqm(X, axis=None)) > 0.005  # to pool is not to average


def test_intervals_against_rliable():
    def gain(*runs):
        return iqm_of_all(*runs[:3]) - iqm_of_all(*runs[3:])

    def won(*runs):
        pairs = zip(runs[:3], runs[3:], strict=True)
        return np.mean([(np.sign(x[:, None] - y) / 2 + 0.5).mean((0, 1)) for x, y in pairs], 0)

    def profile(*runs):
        return performance_profile(np.concatenate(runs), TAUS)

    x, both = list(X.T), [*X.T, *Y.T]
    ours = [(x, iqm_of_all), (both, gain), (both, won), (x, profile)]
    for (strata, statistic), (call, ends) in zip(ours, RLIABLE_95.items(), strict=True):
        found = stratified_ci(strata, statistic, n_resamples=20_000)
        # Five standard deviations of 20,000 resamples; a profile moves by whole runs of 30
        room = 0.034 if statistic is profile else 0.01
        np.testing.assert_allclose(found, ends, atol=room, err_msg=call)


def test_a_claim_that_holds_is_printed(capsys):
    check("Two and two are four.", 2 + 2 == 4, total=4)
    check("So says numpy.", np.bool_(True))
    assert capsys.readouterr().out == "Checked: Two and two are four.\nChecked: So says numpy.\n"


def test_a_claim_that_does_not_hold_raises_with_what_was_measured(capsys):
    with pytest.raises(ClaimFailed, match=r"All are tall\. Measured: lowest = 3; n = 9"):
        check("All are tall.", False, lowest=3, n=9)
    with pytest.raises(AssertionError, match="nothing was passed"):
        check("No data.", False)
    with pytest.raises(ClaimFailed, match=r"No\. Measured: least = 1"):
        check("No.", np.False_, least=1)
    assert capsys.readouterr().out == ""


def test_a_claim_needs_one_truth_value():
    with pytest.raises(TypeError, match=r"\.all\(\)"):
        check("Each is big.", np.array([True, False]))
    for number in (3, 0.5, np.float64(1), "yes", None):
        with pytest.raises(TypeError, match="needs True or False, got"):
            check("It is enough.", number)

"""Statistics over seeds, by hand where a hand can do it, and claims."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from rl_lab.claims import ClaimFailed, check
from rl_lab.stats import bootstrap_ci, improvement_ci, iqm, probability_of_improvement


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
    with pytest.raises(ValueError, match="finite"):
        bootstrap_ci([1.0, np.nan, 2.0])
    with pytest.raises(ValueError, match="got 3 and 2"):
        improvement_ci([1, 2, 3], [1, 2])


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


def test_a_claim_that_holds_is_printed(capsys):
    check("Two and two are four.", 2 + 2 == 4, total=4)
    check("So says numpy.", np.bool_(True))
    assert capsys.readouterr().out == "Checked: Two and two are four.\nChecked: So says numpy.\n"


def test_a_claim_that_does_not_hold_raises_with_what_was_measured(capsys):
    with pytest.raises(ClaimFailed, match=r"All are tall\. Measured: lowest = 3; n = 9"):
        check("All are tall.", False, lowest=3, n=9)
    with pytest.raises(AssertionError, match="nothing was passed"):
        check("No data.", False)
    assert capsys.readouterr().out == ""


def test_a_claim_needs_one_truth_value():
    with pytest.raises(TypeError, match=r"\.all\(\)"):
        check("Each is big.", np.array([True, False]))
    for number in (3, 0.5, np.float64(1), "yes", None):
        with pytest.raises(TypeError, match="needs True or False, got"):
            check("It is enough.", number)

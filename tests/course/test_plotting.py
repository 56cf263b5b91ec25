"""Figures show what they say."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt

from rl_lab.course.plotting import (
    ending_bars,
    learning_curves,
    moving_average,
    performance_profiles,
    seed_dots,
    training_panels,
    value_map,
)
from rl_lab.stats import bootstrap_ci, iqm, performance_profile
from rl_lab.training import History

SCORES = np.random.default_rng(0).normal(size=(6, 4)).cumsum(1)
STEPS = np.array([10, 20, 30, 40])


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize("table", [False, True], ids=["array", "table"])
def test_a_learning_curve_is_a_line_a_band_and_its_number_of_seeds(axes, table):
    ax = axes[0]
    other = SCORES[:3] + 9
    curves = {"DQN": SCORES, "other": other}
    statistic, given = iqm, {"steps": STEPS}
    if table:
        curves = {label: pd.DataFrame(v.T, index=STEPS) for label, v in curves.items()}
        statistic, given = np.mean, {"statistic": np.mean}
    learning_curves(ax, curves, **given)
    assert texts(ax.get_legend()) == ["DQN (n=6)", "other (n=3)"]
    assert len(ax.lines) == len(ax.collections) == 2
    for line, band, scores in zip(ax.lines, ax.collections, (SCORES, other), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), STEPS)
        np.testing.assert_allclose(line.get_ydata(), statistic(scores, axis=0))
        low, high = bootstrap_ci(scores, statistic)
        corners = band.get_paths()[0].vertices
        for x, bottom, top in zip(STEPS, low, high, strict=True):
            assert (np.isclose(corners, (x, bottom)).all(1)).any()
            assert (np.isclose(corners, (x, top)).all(1)).any()
        assert colors.same_color(band.get_facecolor()[0][:3], line.get_color())


def test_a_learning_curve_of_two_seeds_is_refused(axes):
    with pytest.raises(ValueError, match="at least 3 seeds, got 2"):
        learning_curves(axes[0], {"few": SCORES[:2]}, steps=STEPS)


def test_seed_dots_draw_every_seed_and_an_interval(axes):
    ax = axes[0]
    groups = {"one": SCORES[:, 0], "two": SCORES[:4, 1]}
    seed_dots(ax, groups)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one (n=6)", "two (n=4)"]
    dots = [c for c in ax.collections if len(c.get_offsets()) > 1]
    for row, (found, scores) in enumerate(zip(dots, groups.values(), strict=True)):
        np.testing.assert_allclose(found.get_offsets()[:, 0], scores)
        assert (abs(found.get_offsets()[:, 1] - row) < 0.5).all()
    for row, (bar, scores) in enumerate(zip(ax.containers, groups.values(), strict=True)):
        assert bar.lines[0].get_xydata().tolist() == [[pytest.approx(iqm(scores)), row]]
        ends = bar.lines[2][0].get_segments()[0][:, 0]
        np.testing.assert_allclose(ends, bootstrap_ci(scores))


def test_performance_profiles_are_steps_with_a_band(axes):
    ax, taus = axes[0], np.array([0, 10, 20, 30])
    groups = {"one": [5, 10, 25, 25], "two": [0, 15, 40]}
    performance_profiles(ax, groups, taus, level=0.8)
    assert texts(ax.get_legend()) == ["one (n=4)", "two (n=3)"]
    assert len(ax.lines) == len(ax.collections) == 2
    for line, band, scores in zip(ax.lines, ax.collections, groups.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), taus)
        np.testing.assert_allclose(line.get_ydata(), performance_profile(scores, taus))
        assert line.get_drawstyle() == "steps-post"
        profile = partial(performance_profile, taus=taus)
        low, high = bootstrap_ci(scores, profile, level=0.8)
        corners = band.get_paths()[0].vertices
        for left, right, bottom, top in zip(taus, taus[1:], low, high, strict=False):
            for x, y in ((left, bottom), (right, bottom), (left, top), (right, top)):
                assert np.isclose(corners, (x, y)).all(1).any()
        assert colors.same_color(band.get_facecolor()[0][:3], line.get_color())
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1, 0.5, 0.5, 0])
    bottom, top = ax.get_ylim()
    assert bottom < 0 and top > 1  # a line at 0 or at 1 is in sight


def test_bars_of_endings_add_up_and_keep_their_order(axes):
    columns = {"crashed": [10, 60], "landed": [70, 0], "left": 0, "sat": 0, "hovered": [20, 40]}
    ax = axes[0]
    ending_bars(ax, pd.DataFrame(columns, ["good", "poor"]))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["poor", "good"]  # from below
    assert [bar.get_x() + bar.get_width() for bar in ax.containers[-1]] == [100, 100]
    assert ax.get_legend().get_texts()[0].get_text() == "landed"


def test_a_moving_average_stands_where_its_last_value_is():
    smooth = moving_average([1, 2, 3, 7], 3)
    np.testing.assert_allclose(smooth, [np.nan, np.nan, 2, 4])
    np.testing.assert_allclose(moving_average([1, 2], 1), [1, 2])
    assert np.isnan(moving_average([1, 2], 3)).all()


def test_training_panels(axes):
    history = History(
        returns=[1.0, 3.0, 5.0],
        lengths=[1, 3, 5],
        losses=[np.nan, 0.5, 0.25],
        epsilons=[1.0, 0.5, 0.25],
        env_steps=[1, 4, 9],
        updates=[0, 2, 7],
    )
    training_panels(axes, history, window=2)
    top, middle, bottom = axes
    for line in [*top.lines, *middle.lines, *bottom.lines]:
        assert line.get_xdata().tolist() == [1, 4, 9]
    assert texts(top.get_legend()) == ["one episode", "mean of the last 2"]
    np.testing.assert_array_equal(top.lines[0].get_ydata(), history.returns)
    np.testing.assert_array_equal(top.lines[1].get_ydata(), [np.nan, 2, 4])
    np.testing.assert_array_equal(middle.lines[0].get_ydata(), history.losses)  # a gap, not zero
    np.testing.assert_array_equal(bottom.lines[0].get_ydata(), history.epsilons)
    labels = [ax.get_ylabel() for ax in axes]
    assert labels == ["return", "loss", "epsilon"]
    assert bottom.get_xlabel() == "environment steps"


def test_a_value_map_has_arrows_where_there_is_a_choice(axes):
    q = np.zeros((4, 4))
    q[0] = [0, 0.1, 0.9, 0]  # right is best
    q[2] = [0, 0, 0, 0.5]  # up is best
    value_map(axes[0], q, ["SH", "FG"], label="a map")
    shown = axes[0].images[0].get_array()
    np.testing.assert_allclose(shown, [[0.9, 0], [0.5, 0]])
    arrows = [(t.xy, t.xyann) for t in axes[0].texts if hasattr(t, "xyann")]
    (tip, tail), (tip2, tail2) = arrows
    assert tip[0] > tail[0] and tip[1] == tail[1] == 0
    assert tip2[1] < tail2[1] and tip2[0] == tail2[0] == 0  # rows grow downwards
    assert [t.get_text() for t in axes[0].texts if t.get_text()] == ["hole", "goal"]
    assert axes[0].get_title(loc="center") == "a map"


def test_the_style_sheet_loads_without_a_word(recwarn):
    with plt.style.context("rl_lab.course.book"):
        assert len(plt.rcParams["axes.prop_cycle"]) == 7
    assert not recwarn.list

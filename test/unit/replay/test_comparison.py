import numpy as np
import pytest

from liquid_control.replay.comparison import AXES, compare, correlation, pair
from liquid_control.replay.tracks import Series
from liquid_control.replay.worst_frames import spread_moments, worst_moments

pytestmark = pytest.mark.unit

FRAME_NS = 50_000_000


def series(stamps, values):
    stamps = np.asarray(stamps, np.int64)
    return Series(stamps, np.asarray(values, np.float64).reshape(len(stamps), 4), stamps)


def test_errors_of_each_axis():
    rng = np.random.default_rng(4)
    stamps = np.arange(200) * FRAME_NS
    ours, theirs = rng.normal(0.0, 1.0, (2, 200, 4))
    found = compare("policy", series(stamps, ours), series(stamps, theirs))
    difference = ours - theirs
    for column, name in enumerate(AXES):
        error = found.axes[name]
        one, other = ours[:, column], theirs[:, column]
        assert error.mae == pytest.approx(np.mean(np.abs(one - other)))
        assert error.rmse == pytest.approx(np.sqrt(np.mean((one - other) ** 2)))
        assert error.bias == pytest.approx(np.mean(one - other))
        assert error.correlation == pytest.approx(np.corrcoef(one, other)[0, 1])
        worst = np.abs(difference[:, column]).argmax()
        assert error.maximum == abs(difference[worst, column])
        assert error.maximum_stamp_ns == stamps[worst]
    assert (found.pairing.by_stamp, found.pairing.by_time, found.pairing.without) == (200, 0, 0)


def test_a_constant_correlates_with_nothing():
    ramp = np.linspace(0.0, 1.0, 9)
    assert correlation(ramp, np.full(9, 0.3)) is None
    assert correlation(np.full(9, 0.1), ramp) is None
    assert correlation(ramp, 2.0 - 3.0 * ramp) == pytest.approx(-1.0)


def test_pairs_are_of_one_stamp_else_nearest_within_half_a_frame():
    ours = np.array([0, 50, 100, 150, 200, 250]) * 1_000_000
    theirs = np.array([0, 74, 101, 160, 249, 400]) * 1_000_000
    found = pair(ours, theirs)
    assert list(found.ours) == [0, 1, 2, 3, 5]
    assert list(found.theirs) == [0, 1, 2, 3, 4]
    assert (found.by_stamp, found.by_time, found.without) == (1, 4, 1)
    apart = pair(ours, theirs + 26_000_000 * np.array([0, 1, 1, 1, 1, 1]))
    assert 1 not in apart.theirs[apart.ours == 1]


def test_a_row_is_used_once_and_the_first_of_a_stamp_counts():
    ours = np.array([0, 50, 100]) * 1_000_000
    theirs = np.array([50, 50, 50, 62]) * 1_000_000
    found = pair(ours, theirs)
    assert list(found.ours) == [1]
    assert list(found.theirs) == [0]
    assert found.without == 2


def test_pairs_of_stamps_that_go_back():
    ours = np.array([500, 550, 600, 0, 50, 100]) * 1_000_000
    found = pair(ours, ours[::-1].copy())
    np.testing.assert_array_equal(found.ours, np.arange(6))
    np.testing.assert_array_equal(found.theirs, np.arange(6)[::-1])


def test_rows_that_are_not_finite_are_no_rows():
    values = np.ones((3, 4))
    values[1, 2] = np.nan
    found = compare("policy", series([0, 1, 2], np.zeros((3, 4))), series([0, 1, 2], values))
    assert found.axes["up"].rmse == 1.0
    assert len(found.stamp_ns) == 2


def test_no_pairs_give_no_errors():
    found = compare("policy", series([0, 1], np.zeros((2, 4))), series([], []))
    assert found.axes == {}
    assert found.pairing.without == 2


def test_worst_moments_are_apart_and_judged_by_the_range_of_their_axis():
    stamps = np.arange(100) * FRAME_NS
    theirs = np.zeros((100, 4))
    ours = theirs.copy()
    ours[10, 0], ours[11, 0], ours[60, 2], ours[90, 3] = 1.0, 0.9, -0.8, 0.1
    found = compare("policy", series(stamps, ours), series(stamps, theirs))
    moments = worst_moments(found, (1.5, 1.5, 0.8, 1.5))
    assert [(m.stamp_ns // FRAME_NS, m.axis) for m in moments] == [
        (60, "up"),
        (10, "forward"),
        (90, "yaw"),
    ]
    assert moments[0].difference == -0.8
    assert moments[0].theirs == (0.0, 0.0, 0.0, 0.0)
    assert len(worst_moments(found, (1.0,) * 4, count=1)) == 1


def test_where_nothing_differs_no_moment_is_worst():
    stamps = np.arange(10) * FRAME_NS
    rows = np.ones((10, 4))
    found = compare("policy", series(stamps, rows), series(stamps, rows))
    assert worst_moments(found, (1.0,) * 4) == ()
    spread = spread_moments(series(stamps, rows), 4)
    assert [moment.stamp_ns // FRAME_NS for moment in spread] == [0, 3, 6, 9]
    assert spread[1].ours == (1.0, 1.0, 1.0, 1.0)
    assert spread_moments(series([], [])) == ()

from dataclasses import replace

import numpy as np
import pytest

from liquid_control.replay.comparison import (
    AXES,
    compare,
    correlation,
    identity,
    pair,
    spread_frames,
    worst_frames,
)
from liquid_control.replay.tracks import Series, Track

pytestmark = pytest.mark.unit

FRAME_NS = 50_000_000


def series(stamps, values):
    stamps = np.asarray(stamps, np.int64)
    return Series(stamps, np.asarray(values, np.float64).reshape(len(stamps), 4), stamps)


def test_errors_of_each_axis():
    rng = np.random.default_rng(4)
    stamps = np.arange(200) * FRAME_NS
    replayed, others = rng.normal(0.0, 1.0, (2, 200, 4))
    found = compare("policy", series(stamps, replayed), series(stamps, others))
    difference = replayed - others
    for column, name in enumerate(AXES):
        error = found.axes[name]
        one, other = replayed[:, column], others[:, column]
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


def test_pairs_have_equal_stamps_else_nearest_times_within_half_a_frame():
    replayed = np.array([0, 50, 100, 150, 200, 250]) * 1_000_000
    others = np.array([0, 74, 101, 160, 249, 400]) * 1_000_000
    found = pair(replayed, others)
    assert list(found.replayed) == [0, 1, 2, 3, 5]
    assert list(found.other) == [0, 1, 2, 3, 4]
    assert (found.by_stamp, found.by_time, found.without) == (1, 4, 1)
    apart = pair(replayed, others + 26_000_000 * np.array([0, 1, 1, 1, 1, 1]))
    assert 1 not in apart.other[apart.replayed == 1]


def test_a_row_is_used_once_and_the_first_of_a_stamp_counts():
    replayed = np.array([0, 50, 100]) * 1_000_000
    others = np.array([50, 50, 50, 62]) * 1_000_000
    found = pair(replayed, others)
    assert list(found.replayed) == [1]
    assert list(found.other) == [0]
    assert found.without == 2


def test_pairs_of_stamps_that_go_back():
    replayed = np.array([500, 550, 600, 0, 50, 100]) * 1_000_000
    found = pair(replayed, replayed[::-1].copy())
    np.testing.assert_array_equal(found.replayed, np.arange(6))
    np.testing.assert_array_equal(found.other, np.arange(6)[::-1])


def test_rows_that_are_not_finite_are_dropped():
    values = np.ones((3, 4))
    values[1, 2] = np.nan
    found = compare("policy", series([0, 1, 2], np.zeros((3, 4))), series([0, 1, 2], values))
    assert found.axes["up"].rmse == 1.0
    assert len(found.stamp_ns) == 2


def test_no_pairs_give_no_errors():
    found = compare("policy", series([0, 1], np.zeros((2, 4))), series([], []))
    assert found.axes == {}
    assert found.pairing.without == 2


def test_worst_frames_are_apart_and_weighted_by_the_range_of_their_axis():
    stamps = np.arange(100) * FRAME_NS
    others = np.zeros((100, 4))
    replayed = others.copy()
    replayed[10, 0], replayed[11, 0], replayed[60, 2], replayed[90, 3] = 1.0, 0.9, -0.8, 0.1
    found = compare("policy", series(stamps, replayed), series(stamps, others))
    frames = worst_frames(found, (1.5, 1.5, 0.8, 1.5))
    assert [(m.stamp_ns // FRAME_NS, m.axis) for m in frames] == [
        (60, "up"),
        (10, "forward"),
        (90, "yaw"),
    ]
    assert frames[0].difference == -0.8
    assert frames[0].other == (0.0, 0.0, 0.0, 0.0)
    assert len(worst_frames(found, (1.0,) * 4, count=1)) == 1


def test_without_a_difference_frames_are_an_even_selection():
    stamps = np.arange(10) * FRAME_NS
    rows = np.ones((10, 4))
    found = compare("policy", series(stamps, rows), series(stamps, rows))
    assert worst_frames(found, (1.0,) * 4) == ()
    spread = spread_frames(series(stamps, rows), 4)
    assert [frame.stamp_ns // FRAME_NS for frame in spread] == [0, 3, 6, 9]
    assert spread[1].replayed == (1.0, 1.0, 1.0, 1.0)
    assert spread_frames(series([], [])) == ()


STAMPS = np.arange(5, dtype=np.int64)
NOTHING = Series(STAMPS[:0], np.empty((0, 0)), STAMPS[:0])


def random_series(dtype=np.float64, width=4):
    values = np.random.default_rng(3).normal(0, 1, (5, width)).astype(np.float32).astype(dtype)
    return Series(STAMPS, values, STAMPS)


def track(**parts):
    base = Track("x", NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, ())
    return replace(base, **parts)


def test_equal_numbers_are_identical_in_any_type():
    replayed = track(
        policy=random_series(),
        states=random_series(np.float32, 19),
        gates=random_series(np.float32, 19),
    )
    others = track(policy=random_series(), states=random_series(np.float64, 19))
    found = identity(replayed, others)
    assert found.identical is True
    assert found.compared == ("policy", "states")


@pytest.mark.parametrize("part", ["policy", "features"])
def test_a_difference_of_one_bit_is_reported(part):
    values = random_series().values.copy()
    values[3, 1] = np.nextafter(values[3, 1], np.inf)
    replayed = track(policy=random_series(), features=random_series())
    found = identity(replace(replayed, **{part: Series(STAMPS, values, STAMPS)}), replayed)
    assert found.identical is False
    assert found.first.startswith(f"{part}: 1 rows differ, first at 3 ns")


def test_zeros_of_different_sign_differ():
    zeros = Series(STAMPS, np.zeros((5, 4)), STAMPS)
    minus = Series(STAMPS, -np.zeros((5, 4)), STAMPS)
    assert identity(track(policy=zeros), track(policy=minus)).identical is False


def test_nan_equals_nan():
    empty = Series(STAMPS, np.full((5, 4), np.nan), STAMPS)
    assert identity(track(policy=empty), track(policy=empty)).identical is True


def test_a_row_more_or_fewer_is_a_difference():
    whole = random_series()
    cut = Series(STAMPS[:4], whole.values[:4], STAMPS[:4])
    found = identity(track(policy=cut), track(policy=whole))
    assert found.first == "policy: 1 stamps on one side only, first 4 ns, recorded"
    assert identity(track(policy=whole), track(policy=cut)).first.endswith("4 ns, replayed")


def test_another_network_is_a_difference():
    replayed = track(policy=random_series(), states=random_series(width=19))
    found = identity(replayed, track(policy=random_series(), states=random_series(width=34)))
    assert found.first == "states: rows of 19 against 34 values"


def test_without_commands_there_is_no_result():
    found = identity(track(policy=random_series()), track(features=random_series()))
    assert found.identical is None

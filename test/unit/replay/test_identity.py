from dataclasses import replace

import numpy as np
import pytest

from liquid_control.replay.comparison import identity
from liquid_control.replay.tracks import Series, Track

pytestmark = pytest.mark.unit

STAMPS = np.arange(5, dtype=np.int64)
NOTHING = Series(STAMPS[:0], np.empty((0, 0)), STAMPS[:0])


def series(dtype=np.float64, width=4):
    values = np.random.default_rng(3).normal(0, 1, (5, width)).astype(np.float32).astype(dtype)
    return Series(STAMPS, values, STAMPS)


def track(**parts):
    base = Track("x", NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, ())
    return replace(base, **parts)


def test_the_same_numbers_are_identical_in_whatever_type_they_are_kept():
    ours = track(policy=series(), states=series(np.float32, 19), gates=series(np.float32, 19))
    theirs = track(policy=series(), states=series(np.float64, 19))
    found = identity(ours, theirs)
    assert found.identical is True
    assert found.compared == ("policy", "states")


@pytest.mark.parametrize("part", ["policy", "features"])
def test_one_bit_is_found_and_told(part):
    values = series().values.copy()
    values[3, 1] = np.nextafter(values[3, 1], np.inf)
    ours = track(policy=series(), features=series())
    found = identity(replace(ours, **{part: Series(STAMPS, values, STAMPS)}), ours)
    assert found.identical is False
    assert found.first.startswith(f"{part}: 1 rows differ, first at 3 ns")


def test_a_zero_of_the_other_sign_is_another_number():
    zeros = Series(STAMPS, np.zeros((5, 4)), STAMPS)
    minus = Series(STAMPS, -np.zeros((5, 4)), STAMPS)
    assert identity(track(policy=zeros), track(policy=minus)).identical is False


def test_nan_is_itself():
    empty = Series(STAMPS, np.full((5, 4), np.nan), STAMPS)
    assert identity(track(policy=empty), track(policy=empty)).identical is True


def test_a_row_more_or_fewer_is_a_difference():
    whole = series()
    cut = Series(STAMPS[:4], whole.values[:4], STAMPS[:4])
    found = identity(track(policy=cut), track(policy=whole))
    assert found.first == "policy: 1 stamps on one side only, first 4 ns, recorded"
    assert identity(track(policy=whole), track(policy=cut)).first.endswith("4 ns, replayed")


def test_another_network_is_a_difference():
    ours = track(policy=series(), states=series(width=19))
    found = identity(ours, track(policy=series(), states=series(width=34)))
    assert found.first == "states: rows of 19 against 34 values"


def test_without_commands_there_is_no_verdict():
    found = identity(track(policy=series()), track(features=series()))
    assert found.identical is None

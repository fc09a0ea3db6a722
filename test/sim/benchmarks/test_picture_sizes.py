"""Times of pictures and encoders by picture size."""

import pytest

from benchmarks.picture_sizes import time_pictures, times_table

pytestmark = pytest.mark.sim


def test_sizes_are_timed_in_turn():
    found = time_pictures("models/trail_cfc19", 3, 3, [(64, 36), (96, 54)])
    assert [(one.width, one.height) for one in found] == [(64, 36), (96, 54)]
    assert found[0].weights < found[1].weights
    for one in found:
        assert 0.0 < one.picture_low_ms <= one.picture_ms
        assert 0.0 < one.encoder_low_ms <= one.encoder_ms
    assert times_table(found).row_count == 2

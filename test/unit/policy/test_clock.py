import pytest

from liquid_control.errors import ObservationError
from liquid_control.policy import Elapsed, FrameClock

pytestmark = pytest.mark.unit

CLOCK = FrameClock(nominal_dt_s=0.05, max_gap_s=1.0)


def test_first_frame_takes_the_nominal_dt_and_a_fresh_state():
    assert CLOCK.elapsed(123, None) == Elapsed(0.05, True, 123)


def test_later_frames_take_the_difference():
    elapsed = CLOCK.elapsed(5_033_333_333, 5_000_000_000)
    assert elapsed == Elapsed(0.033333333, False, 5_033_333_333)


def test_a_lost_frame_makes_dt_longer():
    assert CLOCK.elapsed(200_000_000, 100_000_000).dt_s == 0.1


def test_the_longest_gap_still_counts():
    assert CLOCK.elapsed(1_000_000_000, 0) == Elapsed(1.0, False, 1_000_000_000)


def test_a_jump_starts_afresh():
    assert CLOCK.elapsed(1_000_000_001, 0) == Elapsed(0.05, True, 1_000_000_001)


@pytest.mark.parametrize("stamp_ns", [100, 99, -5])
def test_rejects_stamps_that_do_not_advance(stamp_ns):
    with pytest.raises(ObservationError, match=f"a frame stamped after 100 ns, got {stamp_ns} ns"):
        CLOCK.elapsed(stamp_ns, 100)

"""Messages that measured nothing and only say how far the IMU has come."""

import numpy as np
import pytest
from recordings import cdr, imu

from liquid_control.bags.decoding.frame_imu_sync import FrameImuSync
from liquid_control.bags.decoding.sensors import read_imu
from liquid_control.bags.events import FrameEvent
from liquid_control.bags.losses import Losses
from liquid_control.message_types import IMU

pytestmark = pytest.mark.unit

MS = 1_000_000
ZERO = (0.0, 0.0, 0.0)
IMAGE = np.zeros((2, 2, 3), np.uint8)


def unmeasured(*names: str):
    message = imu(5 * MS)
    for name in names:
        covariance = np.zeros(9)
        covariance[0] = -1.0
        setattr(message, f"{name}_covariance", covariance)
    return read_imu(IMU, cdr(message))


def test_only_what_measured_neither_is_no_reading():
    assert unmeasured("angular_velocity", "linear_acceleration") is None
    assert unmeasured("angular_velocity") == (ZERO, (0.0, 0.0, 9.81))
    assert unmeasured("linear_acceleration", "orientation") == (ZERO, (0.0, 0.0, 9.81))


def test_a_frame_is_complete_once_the_mark_of_its_stamp_is_there():
    losses = Losses()
    pairing = FrameImuSync(True, losses)
    events = [*pairing.add_sample(8 * MS, ZERO, ZERO, 9 * MS)]
    events += pairing.add_frame(10 * MS, IMAGE, 11 * MS)
    assert events == []
    (seen,) = pairing.reach(10 * MS, 12 * MS)
    assert isinstance(seen, FrameEvent)
    assert seen.observation.imu.stamps_ns.tolist() == [8 * MS]
    assert not losses.counts

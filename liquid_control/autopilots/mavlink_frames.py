"""MAVLink messages in the frames and units of this package, and set-points in MAVLink's.

MAVLink's local frame is NED, its body frame FRD; those of this package are ENU and FLU. Both body
frames have x forward, so heading frames differ in the signs of y, z and yaw rate only. ENU and NED
exchange x and y, and differ in the sign of z.
"""

from math import isfinite
from typing import Any

import numpy as np

from liquid_control import frames
from liquid_control.autopilots.interface import ImuSample, OdometrySample
from liquid_control.types import NANOSECONDS, Command, Floats, VehicleState

BODY_NED = 8
"""MAV_FRAME_BODY_NED: velocities along the heading, turned by yaw only. ArduPilot and PX4 both
accept it. PX4 rejects frames 9 and 12, and 12 stops ArduPilot without a message."""
VELOCITY_AND_YAW_RATE = 0b0000_0101_1100_0111
"""Type mask 1479: position, acceleration and yaw are ignored."""
STANDARD_GRAVITY_MPS2 = 9.80665
ATTITUDE_AGE_NS = 100_000_000
"""An attitude is joined to readings that are at most so much later."""
MILLI = 1e-3


def frd_setpoint(command: Command) -> tuple[float, float, float, float]:
    """Return (vx, vy, vz) in m/s and yaw rate in rad/s of a command, FRD, yaw clockwise."""
    forward, left, up, yaw_rate = command.values
    return forward, -left, -up, -yaw_rate


class TelemetryReader:
    """Joins an autopilot's messages into samples of IMU and odometry.

    `stamp_ns` is always the time of the message in our steady clock.

    Attributes:
        unused: IMU samples that are not finite, or not later than the one before.
    """

    def __init__(self) -> None:
        self._attitude: tuple[int, Floats, Floats] | None = None
        self._imu_ns = -1
        self._has_highres = False
        self.unused = 0

    def attitude_quaternion(self, message: Any, stamp_ns: int) -> None:
        """Keep the attitude and rates of ATTITUDE_QUATERNION (w, x, y, z), FRD to NED."""
        ned_frd = np.array([message.q1, message.q2, message.q3, message.q4], np.float64)
        norm = float(np.linalg.norm(ned_frd))
        rates = np.array([message.rollspeed, message.pitchspeed, message.yawspeed], np.float64)
        if not (np.isfinite(ned_frd).all() and np.isfinite(rates).all() and norm > 0.5):
            return
        quaternion = frames.quaternion_from_ned_frd(ned_frd / norm)
        self._attitude = (stamp_ns, quaternion, frames.flu_from_frd(rates))

    def imu(self, message: Any, stamp_ns: int) -> ImuSample | None:
        """Return the sample of HIGHRES_IMU or SCALED_IMU, FRD; None if it is not used.

        HIGHRES_IMU has SI units, SCALED_IMU mrad/s and thousandths of standard gravity; where both
        arrive, SCALED_IMU is not used.
        """
        highres = message.get_type() == "HIGHRES_IMU"
        self._has_highres = self._has_highres or highres
        if self._has_highres and not highres:
            return None
        rate_unit, force_unit = (1.0, 1.0) if highres else (MILLI, MILLI * STANDARD_GRAVITY_MPS2)
        x, y, z = (rate_unit * v for v in (message.xgyro, message.ygyro, message.zgyro))
        fx, fy, fz = (force_unit * v for v in (message.xacc, message.yacc, message.zacc))
        if stamp_ns <= self._imu_ns or not all(map(isfinite, (x, y, z, fx, fy, fz))):
            self.unused += 1
            return None
        self._imu_ns = stamp_ns
        recent = self._recent_attitude(stamp_ns)
        orientation = None if recent is None else recent[1]
        return ImuSample(stamp_ns, (x, -y, -z), (fx, -fy, -fz), orientation)

    def local_position(self, message: Any, stamp_ns: int) -> OdometrySample | None:
        """Return the odometry of LOCAL_POSITION_NED; None without a recent attitude."""
        position = np.array([message.x, message.y, message.z], np.float64)
        velocity = np.array([message.vx, message.vy, message.vz], np.float64)
        recent = self._recent_attitude(stamp_ns)
        if recent is None or not np.isfinite([position, velocity]).all():
            return None
        _, quaternion, rates = recent
        ned = frames.enu_from_ned
        state = VehicleState(ned(position), quaternion, ned(velocity), rates)
        return OdometrySample(stamp_ns, state)

    def _recent_attitude(self, stamp_ns: int) -> tuple[int, Floats, Floats] | None:
        if self._attitude is None or abs(stamp_ns - self._attitude[0]) > ATTITUDE_AGE_NS:
            return None
        return self._attitude


def boot_ms(elapsed_ns: int) -> int:
    """Return a time since start as MAVLink's `time_boot_ms`, which wraps around at 2^32."""
    return (elapsed_ns * 1000 // NANOSECONDS) % (1 << 32)

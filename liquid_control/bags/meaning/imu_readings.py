"""IMU samples from serialised messages, fast: an IMU is most of a bag's messages."""

from math import isfinite
from struct import Struct

from liquid_control.bags.meaning.stamps import ENCAPSULATION, is_little
from liquid_control.bags.topics import roles
from liquid_control.bags.topics.roles import Axes
from liquid_control.errors import BagError, ObservationError

Vector = tuple[float, float, float]

NAME_AT = ENCAPSULATION + 8
"""Where the length of the header's frame name stands, after its time."""
_LENGTH = {True: Struct("<I"), False: Struct(">I")}
_READINGS = "104x3dd64x3dd64x"
"""`sensor_msgs/Imu` after its header: orientation (4) and its covariance (9), angular velocity (3)
and its covariance, linear acceleration (3) and its covariance, all float64."""
_NOT_MEASURED = -1.0
"""First element of a covariance where the message does not tell what it belongs to."""
_IMU = {True: Struct(f"<{_READINGS}"), False: Struct(f">{_READINGS}")}
_COMBINED_FIELDS = "8x3f4x4x3f"
"""`px4_msgs/SensorCombined`: time, rates, two times of them, accelerations; 1.13 to 1.18."""
_COMBINED = {True: Struct(f"<{_COMBINED_FIELDS}"), False: Struct(f">{_COMBINED_FIELDS}")}


def read_imu(kind: str, data: bytes, axes: Axes = Axes.FLU) -> tuple[Vector, Vector] | None:
    """Return angular velocity, rad/s, and specific force, m/s^2, in `base_link`.

    None for a message that says it measured neither: a live replay sends such ones, to tell that
    no sample up to their stamp is still to come.

    Args:
        kind: `sensor_msgs/msg/Imu` or `px4_msgs/msg/SensorCombined`, which is always FRD.
        data: the serialised message.
        axes: of a `sensor_msgs/Imu`. Optical axes are those of a camera that looks straight ahead.

    Raises:
        BagError: the bytes do not fit the type.
        ObservationError: a reading is not finite.
    """
    if kind == roles.SENSOR_COMBINED:
        values, axes = _sensor_combined(data), Axes.FRD
    else:
        *rate, rate_known, fx, fy, fz, force_known = _imu(data)
        if rate_known == force_known == _NOT_MEASURED:
            return None
        values = (*rate, fx, fy, fz)
    if not all(map(isfinite, values)):
        raise ObservationError(f"expected finite IMU readings, got {values}")
    wx, wy, wz, ax, ay, az = values
    if axes is Axes.FLU:
        return (wx, wy, wz), (ax, ay, az)
    if axes is Axes.FRD:
        return (wx, -wy, -wz), (ax, -ay, -az)
    return (wz, -wx, -wy), (az, -ax, -ay)


def _imu(data: bytes) -> tuple[float, ...]:
    little = is_little(data)
    if len(data) < NAME_AT + 4:
        raise BagError(f"expected {roles.IMU}, got {len(data)} bytes")
    (length,) = _LENGTH[little].unpack_from(data, NAME_AT)
    end = NAME_AT + 4 + length
    start = end + (ENCAPSULATION - end) % 8
    return _unpack(_IMU[little], data, start, roles.IMU)


def _sensor_combined(data: bytes) -> tuple[float, ...]:
    fields = _COMBINED[is_little(data)]
    return _unpack(fields, data, ENCAPSULATION, roles.SENSOR_COMBINED)


def _unpack(fields: Struct, data: bytes, start: int, kind: str) -> tuple[float, ...]:
    if len(data) < start + fields.size:
        raise BagError(f"expected {start + fields.size} bytes of {kind}, got {len(data)}")
    return fields.unpack_from(data, start)

"""Decode IMU samples, images, camera intrinsics, features and neurons from messages.

IMU samples and images are read directly at their byte offsets: they are most of a bag's messages
and bytes.
"""

import struct
from math import isfinite, nan
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control import message_types
from liquid_control.bags.decoding.stamps import ENCAPSULATION, is_little
from liquid_control.bags.events import CameraInfoEvent
from liquid_control.bags.topics import Axes
from liquid_control.errors import BagError, ObservationError
from liquid_control.perception.camera_model import CameraModel, CameraModelError
from liquid_control.plausibility import NOT_MEASURED, measured_orientation, measured_range
from liquid_control.types import Floats

Vector = tuple[float, float, float]

AFTER_STAMP = ENCAPSULATION + 8
"""Offset of the frame name's length in a message with a header, after the stamp."""
_UINT32 = {True: Struct("<I"), False: Struct(">I")}
_UINT32_PAIR = {True: Struct("<II"), False: Struct(">II")}
_READINGS = "104x3dd64x3dd64x"
"""`sensor_msgs/Imu` after its header: orientation (4) and its covariance (9), angular velocity (3)
and its covariance, linear acceleration (3) and its covariance, all float64."""
_IMU = {True: Struct(f"<{_READINGS}"), False: Struct(f">{_READINGS}")}
_COMBINED_FIELDS = "8x3f4x4x3f"
"""`px4_msgs/SensorCombined`: time, rates, two times of them, accelerations; 1.13 to 1.18."""
_COMBINED = {True: Struct(f"<{_COMBINED_FIELDS}"), False: Struct(f">{_COMBINED_FIELDS}")}


def read_imu(kind: str, data: bytes, axes: Axes = Axes.FLU) -> tuple[Vector, Vector] | None:
    """Decode an IMU sample.

    Args:
        kind: `sensor_msgs/msg/Imu` or `px4_msgs/msg/SensorCombined`, which is always FRD.
        data: the serialised message.
        axes: axes of a `sensor_msgs/Imu`; optical axes are those of a forward-looking camera.

    Returns:
        angular velocity, rad/s, and specific force, m/s^2, in `base_link`. None for a message
        without measurements: a live replay publishes one to mark the IMU stream as complete up
        to its stamp.

    Raises:
        BagError: the bytes do not fit the type.
        NotMeasuredError: the message has only rates, only accelerations, or only an orientation.
        ObservationError: a value is not finite.
    """
    if kind == message_types.SENSOR_COMBINED:
        values, axes = _sensor_combined(data), Axes.FRD
    else:
        *rate, rate_known, fx, fy, fz, force_known = _imu(data)
        if rate_known == NOT_MEASURED or force_known == NOT_MEASURED:
            if rate_known == force_known and not any((*rate, fx, fy, fz)) and _is_mark(data):
                return None
            names = (("angular velocity", rate_known), ("linear acceleration", force_known))
            missing = " and ".join(name for name, known in names if known == NOT_MEASURED)
            raise NotMeasuredError(f"its {missing} is not measured (covariance -1)")
        values = (*rate, fx, fy, fz)
    if not all(map(isfinite, values)):
        raise ObservationError(f"expected finite IMU readings, got {values}")
    wx, wy, wz, ax, ay, az = values
    if axes is Axes.FLU:
        return (wx, wy, wz), (ax, ay, az)
    if axes is Axes.FRD:
        return (wx, -wy, -wz), (ax, -ay, -az)
    return (wz, -wx, -wy), (az, -ax, -ay)


class NotMeasuredError(ObservationError):
    """A message lacks readings that an IMU sample needs."""


RATE, FORCE = 0, 4
"""Offsets of the angular velocity and of the acceleration in `imu_values`."""


def read_half(data: bytes, axes: Axes, half: int) -> Vector:
    """Decode the angular velocity or the acceleration of a `sensor_msgs/Imu` in `base_link`.

    Args:
        data: the serialised message.
        axes: axes of the message.
        half: `RATE` or `FORCE`; the other half is not used.

    Raises:
        BagError: the bytes do not fit the type.
        NotMeasuredError: the message does not measure this half.
        ObservationError: a value is not finite.
    """
    x, y, z, known = _imu(data)[half : half + 4]
    if known == NOT_MEASURED:
        name = "angular velocity" if half == RATE else "linear acceleration"
        raise NotMeasuredError(f"its {name} is not measured (covariance -1)")
    if not (isfinite(x) and isfinite(y) and isfinite(z)):
        raise ObservationError(f"expected finite IMU readings, got {(x, y, z)}")
    if axes is Axes.FLU:
        return x, y, z
    return (x, -y, -z) if axes is Axes.FRD else (z, -x, -y)


def imu_values(data: bytes) -> tuple[float, ...] | None:
    """Return rate, its covariance's first element, force, and that of it; None if damaged."""
    try:
        return _imu(data)
    except BagError:
        return None


def orientation_of(data: bytes) -> Floats | None:
    """Return the orientation of a `sensor_msgs/Imu`, float64 [4], (x, y, z, w).

    None if it is not measured: the first element of its covariance is -1, or it is not a unit
    quaternion.
    """
    try:
        *values, covariance = _ORIENTED[is_little(data)].unpack_from(data, _imu_start(data))
    except struct.error:
        return None
    return measured_orientation(values, covariance)


def range_of(content: Any) -> float | None:
    """Return the distance of a `sensor_msgs/Range`, m; None outside of its sensor's limits."""
    return measured_range(float(content.range), float(content.min_range), float(content.max_range))


def readings_of(content: Any) -> dict[str, float]:
    """Return the readings by name that a policy was given, from a `sensor_msgs/JointState`.

    Raises:
        ObservationError: the numbers of names and values differ.
    """
    names, values = [str(name) for name in content.name], [float(v) for v in content.position]
    if len(names) != len(values):
        raise ObservationError(f"expected {len(names)} values of {names}, got {len(values)}")
    return dict(zip(names, values, strict=True))


_ORIENTED = {True: Struct("<5d"), False: Struct(">5d")}
_ORIENTATION = {True: Struct("<4d"), False: Struct(">4d")}
_UNTURNED = (0.0, 0.0, 0.0, 1.0)


def _is_mark(data: bytes) -> bool:
    """Return whether a message without measurements has no orientation either."""
    little = is_little(data)
    return _ORIENTATION[little].unpack_from(data, _imu_start(data)) == _UNTURNED


def _imu_start(data: bytes) -> int:
    """Return the offset of the first field after the header."""
    end = AFTER_STAMP + 4 + _UINT32[is_little(data)].unpack_from(data, AFTER_STAMP)[0]
    return int(end + (ENCAPSULATION - end) % 8)


def _imu(data: bytes) -> tuple[float, ...]:
    if len(data) < AFTER_STAMP + 4:
        raise BagError(f"expected {message_types.IMU}, got {len(data)} bytes")
    return _unpack(_IMU[is_little(data)], data, _imu_start(data), message_types.IMU)


def _sensor_combined(data: bytes) -> tuple[float, ...]:
    fields = _COMBINED[is_little(data)]
    return _unpack(fields, data, ENCAPSULATION, message_types.SENSOR_COMBINED)


def _unpack(fields: Struct, data: bytes, start: int, kind: str) -> tuple[float, ...]:
    if len(data) < start + fields.size:
        raise BagError(f"expected {start + fields.size} bytes of {kind}, got {len(data)}")
    return fields.unpack_from(data, start)


def camera_info_of(content: Any) -> CameraInfoEvent:
    """Return the intrinsics of a `sensor_msgs/CameraInfo`.

    Raises:
        ObservationError: the camera is not calibrated (no focal length).
    """
    roi = content.roi
    distortion = np.array(content.d, np.float64)
    size = int(content.width), int(content.height)
    try:
        model = CameraModel.of(
            size,
            content.k,
            content.distortion_model,
            distortion.tolist(),
            (int(content.binning_x), int(content.binning_y)),
            (int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)),
        )
        fov_deg = model.horizontal_fov_deg
    except CameraModelError as error:
        return CameraInfoEvent(*size, nan, distortion, problem=str(error))
    return CameraInfoEvent(model.width, model.height, fov_deg, distortion, model)


def features_of(content: Any) -> NDArray[np.float32]:
    """Return features, float32 [F]; NaN where perception rejected the frame.

    Raises:
        ObservationError: the image is not one row of 32FC1.
    """
    expected = ("32FC1", 1, 4 * int(content.width))
    received = (content.encoding, int(content.height), len(content.data))
    if received != expected:
        raise ObservationError(
            f"expected features as (encoding, rows, bytes) {expected}, got {received}"
        )
    order = ">f4" if content.is_bigendian else "<f4"
    features: NDArray[np.float32] = content.data.view(order).astype(np.float32)
    return features


def neurons_of(content: Any) -> tuple[tuple[str, ...], Floats, Floats]:
    """Return names and states, float64 [N], of neurons, and their time gates: [N] or none, [0].

    Raises:
        ObservationError: the numbers of names, states and gates differ.
    """
    names, states, gates = tuple(content.name), content.position, content.velocity
    if len(names) != len(states) or len(gates) not in (0, len(names)):
        raise ObservationError(
            f"expected a state and a gate per neuron, got {len(states)} and {len(gates)} for "
            f"{len(names)}"
        )
    return names, states, gates


def adaptation_of(content: Any) -> tuple[tuple[str, ...], Floats]:
    """Return names and values, float64 [N, 3], of the state of an online adaptation.

    Raises:
        ObservationError: the numbers of names and values differ.
    """
    names, columns = tuple(content.name), (content.position, content.velocity, content.effort)
    counts = [len(column) for column in columns]
    if counts != [len(names)] * len(columns):
        raise ObservationError(f"expected three values for each of {len(names)}, got {counts}")
    return names, np.stack(columns, axis=1)


class RawImage(NamedTuple):
    """Fields of a `sensor_msgs/Image`; `data` is a view into the serialised message."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: NDArray[np.uint8]


def image_of(message: bytes) -> RawImage:
    """Decode a serialised `sensor_msgs/Image`.

    Raises:
        BagError: the bytes do not fit the type.
    """
    little = is_little(message)
    number = _UINT32[little]
    try:
        _, at = _text(message, number, AFTER_STAMP)
        height, width = _UINT32_PAIR[little].unpack_from(message, _aligned(at))
        encoding, at = _text(message, number, _aligned(at) + _UINT32_PAIR[little].size)
        step, length = _UINT32_PAIR[little].unpack_from(message, _aligned(at + 1))
        data_at = _aligned(at + 1) + _UINT32_PAIR[little].size
        data = np.frombuffer(message, np.uint8, length, data_at)
        return RawImage(height, width, encoding.decode(), message[at], step, data)
    except (struct.error, IndexError, ValueError) as error:
        raise BagError(
            f"expected {message_types.IMAGE}, got {len(message)} bytes ({error})"
        ) from error


def compressed_image_of(message: bytes) -> tuple[str, NDArray[np.uint8]]:
    """Decode a serialised `sensor_msgs/CompressedImage`; return its format and a view of its file.

    Raises:
        BagError: the bytes do not fit the type.
    """
    little = is_little(message)
    number = _UINT32[little]
    try:
        _, at = _text(message, number, AFTER_STAMP)
        image_format, at = _text(message, number, _aligned(at))
        (length,) = number.unpack_from(message, _aligned(at))
        data = np.frombuffer(message, np.uint8, length, _aligned(at) + number.size)
        return image_format.decode(), data
    except (struct.error, IndexError, ValueError) as error:
        raise BagError(
            f"expected {message_types.COMPRESSED_IMAGE}, got {len(message)} bytes ({error})"
        ) from error


def _text(message: bytes, number: Struct, at: int) -> tuple[bytes, int]:
    """Return a string without its final zero, and the offset of its end."""
    (length,) = number.unpack_from(message, at)
    start = at + number.size
    return message[start : start + max(0, length - 1)], start + length


def _aligned(at: int) -> int:
    return at + (ENCAPSULATION - at) % 4

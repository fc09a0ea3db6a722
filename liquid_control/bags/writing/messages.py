"""Serialise the types of this package as ROS 2 messages, without ROS.

Fields, frames and conventions equal those of the nodes' messages: pictures as `rgb8`, commands as
twists in the heading frame, features as one row of `32FC1`, neurons as joint states (position is
the state, velocity the time gate).
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from liquid_control import frames, message_types, topics
from liquid_control.command import GuardChange
from liquid_control.config import CameraSettings
from liquid_control.errors import OutputError
from liquid_control.types import (
    NANOSECONDS,
    SIMULATED_REACH_M,
    TRUTH_VARIANCE,
    Command,
    Floats,
    Pixels,
    VehicleState,
)


@lru_cache(maxsize=1)
def types() -> Typestore:
    """Return the type store of ROS 2's common interfaces."""
    return get_typestore(Stores.ROS2_JAZZY)


def is_common(kind: str) -> bool:
    """Return whether a type is one of the common interfaces."""
    return kind in types().fielddefs


def definition_of(kind: str) -> str:
    """Return the definition of a type and its nested types, in the format `ros2msg`.

    Raises:
        OutputError: the type is not one of the common interfaces.
    """
    try:
        return types().generate_msgdef(kind, ros_version=2)[0]
    except (KeyError, TypesysError) as error:
        raise OutputError(
            f"{kind}: is not one of ROS 2's common interfaces; pass its definition"
        ) from error


def type_hash(kind: str, definition: str) -> str:
    """Return the type hash of ROS 2, `RIHS01_...`.

    Raises:
        OutputError: the definition is invalid.
    """
    store = types()
    if is_common(kind):
        return store.hash_rihs01(kind)
    store = get_typestore(Stores.EMPTY)
    try:
        store.register(get_types_from_msg(definition, kind))
        return store.hash_rihs01(kind)
    except (KeyError, TypesysError) as error:
        raise OutputError(f"{kind}: its definition cannot be read ({error})") from error


FLIGHT_TOPICS = {name: kind for name, kind in topics.TYPES.items() if name != topics.DIAGNOSTICS}
"""Types of the topics in the bag of a simulated flight, by topic."""


def image_cdr(image: Pixels, stamp_ns: int) -> bytes:
    """Serialise an RGB picture, uint8 [H, W, 3]."""
    height, width = image.shape[:2]
    data = np.ascontiguousarray(image).reshape(-1)
    header = _header(stamp_ns, frames.CAMERA_OPTICAL)
    return _cdr(message_types.IMAGE, header, height, width, "rgb8", 0, 3 * width, data)


def compressed_image_cdr(data: bytes, image_format: str, stamp_ns: int) -> bytes:
    """Serialise a compressed picture.

    Args:
        data: content of a PNG or JPEG file.
        image_format: format in the notation of image transports, such as
            `rgb8; png compressed bgr8`.
        stamp_ns: stamp of the picture.
    """
    header = _header(stamp_ns, frames.CAMERA_OPTICAL)
    return _cdr(
        message_types.COMPRESSED_IMAGE, header, image_format, np.frombuffer(data, np.uint8)
    )


def camera_info_cdr(camera: CameraSettings, stamp_ns: int) -> bytes:
    """Serialise the intrinsics of an undistorted pinhole camera; pixel centres are integers."""
    f, cx, cy = camera.focal_px, 0.5 * (camera.width - 1), 0.5 * (camera.height - 1)
    return _cdr(
        message_types.CAMERA_INFO,
        _header(stamp_ns, frames.CAMERA_OPTICAL),
        camera.height,
        camera.width,
        "plumb_bob",
        np.zeros(5),
        np.array([f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0]),
        np.eye(3).reshape(-1),
        np.array([f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0]),
        0,
        0,
        types().types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
    )


def imu_cdr(
    rate: Floats, force: Floats, stamp_ns: int, orientation: Floats | None = None
) -> bytes:
    """Serialise one IMU sample in base_link.

    Args:
        rate: float64 [3], angular velocity, rad/s.
        force: float64 [3], specific force, m/s^2.
        stamp_ns: stamp of the sample.
        orientation: float64 [4], (x, y, z, w), base_link to map; None is marked as unknown
            (REP 145).
    """
    unknown = np.zeros(9)
    not_measured = np.array([-1.0] + [0.0] * 8)
    return _cdr(
        message_types.IMU,
        _header(stamp_ns, frames.BASE_LINK),
        _quaternion((0.0, 0.0, 0.0, 1.0) if orientation is None else orientation),
        not_measured if orientation is None else unknown,
        _vector(rate),
        unknown,
        _vector(force),
        unknown,
    )


def range_cdr(range_m: float | None, stamp_ns: int) -> bytes:
    """Serialise the distance to the ground, m; None as infinite, which is no detection."""
    infrared, field_of_view_rad, reach = 1, 0.0, (0.0, SIMULATED_REACH_M)
    distance = np.inf if range_m is None else range_m
    beam = infrared, field_of_view_rad, *reach, distance
    no_variance = 0.0
    return _cdr(message_types.RANGE, _header(stamp_ns, frames.RANGE_BEAM), *beam, no_variance)


def odometry_cdr(state: VehicleState, stamp_ns: int) -> bytes:
    """Serialise the state of a simulated vehicle: pose in the map frame, twist in base_link."""
    make = types().types
    covariance = TRUTH_VARIANCE * np.eye(6).reshape(36)
    body = frames.rotation_from_quaternion(state.quaternion).T @ state.velocity
    position = make["geometry_msgs/msg/Point"](*map(float, state.position))
    pose = make["geometry_msgs/msg/Pose"](position, _quaternion(state.quaternion))
    return _cdr(
        message_types.ODOMETRY,
        _header(stamp_ns, frames.MAP),
        frames.BASE_LINK,
        make["geometry_msgs/msg/PoseWithCovariance"](pose, covariance),
        make["geometry_msgs/msg/TwistWithCovariance"](
            _twist(body, state.angular_velocity), covariance
        ),
    )


def features_cdr(features: NDArray[np.float32], stamp_ns: int) -> bytes:
    """Serialise features, float32 [F], as an image of one row with the stamp of the frame."""
    data = np.ascontiguousarray(features, np.float32).view(np.uint8)
    header, count = _header(stamp_ns, frames.CAMERA_OPTICAL), len(features)
    return _cdr(message_types.IMAGE, header, 1, count, "32FC1", 0, 4 * count, data)


def neurons_cdr(names: Sequence[str], states: Floats, gates: Floats, stamp_ns: int) -> bytes:
    """Serialise the state of a network: names, states float64 [N], time gates float64 [N]."""
    values = (np.asarray(states, np.float64), np.asarray(gates, np.float64))
    return _cdr(
        message_types.JOINT_STATE, _header(stamp_ns, ""), list(names), *values, np.empty(0)
    )


def inputs_cdr(readings: Mapping[str, float], stamp_ns: int) -> bytes:
    """Serialise the readings by name that a policy was given for a frame."""
    values = np.array(list(readings.values()), np.float64)
    header, none = _header(stamp_ns, ""), np.empty(0)
    return _cdr(message_types.JOINT_STATE, header, list(readings), values, none, none)


def adaptation_cdr(rows: Mapping[str, Sequence[float]], stamp_ns: int) -> bytes:
    """Serialise the state of an online adaptation: three values by name."""
    values = (np.array(column, np.float64) for column in zip(*rows.values(), strict=True))
    return _cdr(message_types.JOINT_STATE, _header(stamp_ns, ""), list(rows), *values)


def guard_cdr(change: GuardChange) -> bytes:
    """Serialise the rules of the guard that act: names of their events, numbers of actions."""
    names = [one.event.value for one in change.acting]
    actions = np.array([float(one.action) for one in change.acting], np.float64)
    header, none = _header(change.stamp_ns, ""), np.empty(0)
    return _cdr(message_types.JOINT_STATE, header, names, actions, none, none)


def command_cdr(command: Command, stamp_ns: int) -> bytes:
    """Serialise a command in the heading frame as a twist."""
    linear, turn = command.values[:3], (0.0, 0.0, command.yaw_rate_radps)
    return _cdr(
        message_types.TWIST_STAMPED, _header(stamp_ns, frames.BASE_LINK), _twist(linear, turn)
    )


def clock_cdr(stamp_ns: int) -> bytes:
    """Serialise simulated time."""
    return _cdr(message_types.CLOCK, _time(stamp_ns))


def _cdr(kind: str, *fields: Any) -> bytes:
    store = types()
    return bytes(store.serialize_cdr(store.types[kind](*fields), kind))


def _time(stamp_ns: int) -> Any:
    return types().types["builtin_interfaces/msg/Time"](
        stamp_ns // NANOSECONDS, stamp_ns % NANOSECONDS
    )


def _header(stamp_ns: int, frame: str) -> Any:
    return types().types["std_msgs/msg/Header"](_time(stamp_ns), frame)


def _vector(values: Sequence[float] | Floats) -> Any:
    return types().types["geometry_msgs/msg/Vector3"](*map(float, values))


def _quaternion(values: Sequence[float] | Floats) -> Any:
    return types().types["geometry_msgs/msg/Quaternion"](*map(float, values))


def _twist(linear: Sequence[float] | Floats, angular: Sequence[float] | Floats) -> Any:
    return types().types["geometry_msgs/msg/Twist"](_vector(linear), _vector(angular))

"""Decode PX4 messages, also from bags that do not define their types.

A bag defines its own types, except sqlite3 bags recorded by distributions before Iron. For those,
`LAYOUTS` lists the offsets of the needed fields in `px4_msgs` 1.14 to 1.18 (later fields of a
message differ between versions). World axes are north-east-down, body axes forward-right-down.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Any, NamedTuple

import numpy as np

from liquid_control import frames, message_types
from liquid_control.bags.bag import MessageSource
from liquid_control.bags.decoding.stamps import ENCAPSULATION, is_little
from liquid_control.bags.storage.part import RawMessage
from liquid_control.errors import BagError, ObservationError
from liquid_control.types import Floats, VehicleState

NED = 1
"""Value of `pose_frame` and `velocity_frame` of `VehicleOdometry` for north-east-down."""
BODY_FRD = 3
"""Value of `velocity_frame` of `VehicleOdometry` for body axes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Binary layout of the first fields of a message.

    Attributes:
        fields: name and number of elements of each field.
        code: format for `struct`, without the byte order.
        max_bytes: largest size of the message in these versions; None if it varies.
    """

    fields: tuple[tuple[str, int], ...]
    code: str
    max_bytes: int | None = None


LAYOUTS: dict[str, Layout] = {
    message_types.TRAJECTORY_SETPOINT: Layout(
        (("position", 3), ("velocity", 3), ("yaw", 1), ("yawspeed", 1)),
        "8x 3f 3f 12x 12x f f",
        max_bytes=64,
    ),
    message_types.VEHICLE_ODOMETRY: Layout(
        (
            ("pose_frame", 1),
            ("position", 3),
            ("q", 4),
            ("velocity_frame", 1),
            ("velocity", 3),
            ("angular_velocity", 3),
        ),
        "8x 8x B3x 3f 4f B3x 3f 3f",
        max_bytes=116,
    ),
    message_types.VEHICLE_LOCAL_POSITION: Layout(
        tuple((name, 1) for name in ("x", "y", "z", "vx", "vy", "vz", "heading")),
        "8x 8x 4x 3f 8x 4x 4x 4x 3f 4x 8x 4x 4x 4x 12x f",
    ),
}
"""Layouts by message type; the formats skip padding and fields that are not needed."""


class Velocity(NamedTuple):
    """A velocity set-point: float64 [3], m/s, NED, and yaw rate, rad/s, clockwise from above.

    `unset` names the axes that the set-point leaves to another controller; they are 0.
    """

    linear: Floats
    yaw_rate: float
    unset: tuple[str, ...] = ()


def fields_of(bag: MessageSource, message: RawMessage) -> Any:
    """Return the fields of a message as attributes, by the bag's definition or by `LAYOUTS`.

    Raises:
        BagError: the bytes do not fit.
    """
    info = bag.topics.get(message.topic)
    if info is not None and info.definition:
        return bag.decode(message)
    return _by_layout(message)


def _by_layout(message: RawMessage) -> Any:
    layout = LAYOUTS[message.type]
    struct = Struct(("<" if is_little(message.data) else ">") + layout.code)
    size = len(message.data) - ENCAPSULATION
    if size < struct.size or size > (layout.max_bytes or size):
        expected = f"{struct.size} to {layout.max_bytes}" if layout.max_bytes else f"{struct.size}"
        raise BagError(
            f"expected {expected} bytes of {message.type} as of 1.14 or later, got {size}; the "
            f"bag does not define the type"
        )
    numbers = struct.unpack_from(message.data, ENCAPSULATION)
    values: dict[str, Any] = {}
    start = 0
    for name, count in layout.fields:
        values[name] = numbers[start] if count == 1 else numbers[start : start + count]
        start += count
    return _Fields(values)


class _Fields:
    """Holds decoded values as attributes."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def setpoint(fields: Any) -> Velocity:
    """Return the velocity of a `TrajectorySetpoint`, including the layout of PX4 1.13.

    NaN marks an unset field: PX4 then holds a position, such as the height, or an angle. An unset
    axis of the velocity, and an unset yaw rate, are 0. A set-point without any velocity is an
    error.

    Raises:
        ObservationError: the set-point has only a position or an acceleration, or is infinite.
    """
    v1_13 = not hasattr(fields, "velocity")
    velocity = (fields.vx, fields.vy, fields.vz) if v1_13 else fields.velocity
    position = (fields.x, fields.y, fields.z) if v1_13 else fields.position
    linear = np.array([float(value) for value in velocity])
    if np.isnan(linear).all():
        held = np.isfinite(np.array([float(value) for value in position])).any()
        kind = "position" if held else "acceleration or attitude"
        raise ObservationError(
            f"expected a set-point of velocity, got one of {kind} (velocity NaN in all axes)"
        )
    rate = float(fields.yawspeed)
    is_unset = np.isnan(linear)
    unset = [axis for axis, skip in zip(("vx", "vy", "vz"), is_unset, strict=True) if skip]
    if np.isnan(rate) and np.isfinite(float(fields.yaw)):
        unset.append("yaw rate")
    linear = np.where(is_unset, 0.0, linear)
    return Velocity(linear, 0.0 if np.isnan(rate) else rate, tuple(unset))


def vehicle_odometry(fields: Any) -> VehicleState:
    """Return the state of a `VehicleOdometry`, in ENU and FLU.

    A velocity in an unknown frame is NaN.

    Raises:
        ObservationError: the pose is not in NED.
    """
    if hasattr(fields, "local_frame"):
        return _odometry_of_1_13(fields)
    if fields.pose_frame != NED:
        raise ObservationError(f"expected a pose in NED (1), got pose_frame {fields.pose_frame}")
    return _state(
        fields.position, fields.q, fields.velocity, fields.velocity_frame, fields.angular_velocity
    )


def vehicle_local_position(fields: Any) -> VehicleState:
    """Return the state of a `VehicleLocalPosition`.

    The message has a heading but no roll, pitch or angular rates; these are 0.
    """
    heading = float(fields.heading)
    level = (np.cos(heading / 2), 0.0, 0.0, np.sin(heading / 2))
    position, velocity = (fields.x, fields.y, fields.z), (fields.vx, fields.vy, fields.vz)
    return _state(position, level, velocity, NED, (0.0, 0.0, 0.0))


def _odometry_of_1_13(fields: Any) -> VehicleState:
    """Decode the layout of 1.13, where NED is 0 for poses and velocities; body axes are 3."""
    if fields.local_frame != 0:
        raise ObservationError(f"expected a pose in NED (0), got local_frame {fields.local_frame}")
    frame = {0: NED, 3: BODY_FRD}.get(fields.velocity_frame, 0)
    rates = (fields.rollspeed, fields.pitchspeed, fields.yawspeed)
    position, velocity = (fields.x, fields.y, fields.z), (fields.vx, fields.vy, fields.vz)
    return _state(position, fields.q, velocity, frame, rates)


def _state(position: Any, q: Any, velocity: Any, velocity_frame: int, rates: Any) -> VehicleState:
    quaternion = frames.quaternion_from_ned_frd(np.array([float(value) for value in q]))
    vector = np.array([float(value) for value in velocity])
    if velocity_frame == NED:
        velocity_enu = frames.enu_from_ned(vector)
    elif velocity_frame == BODY_FRD:
        velocity_enu = frames.rotation_from_quaternion(quaternion) @ frames.flu_from_frd(vector)
    else:
        velocity_enu = np.full(3, np.nan)
    return VehicleState(
        position=frames.enu_from_ned(np.array([float(value) for value in position])),
        quaternion=quaternion,
        velocity=velocity_enu,
        angular_velocity=frames.flu_from_frd(np.array([float(value) for value in rates])),
    )

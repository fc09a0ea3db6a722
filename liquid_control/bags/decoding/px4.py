"""PX4's messages by their fields, also from bags that do not define them.

A bag says itself what its types are made of, unless it was recorded to sqlite3 by a distribution
before Iron. For those the layouts stand here: the fields that are needed, at the places where
they are in `px4_msgs` 1.14 to 1.18 (a message's later fields differ from version to version).
Everything is north-east-down in the world and forward-right-down in the body.
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
"""`VehicleOdometry`'s `pose_frame` and `velocity_frame` for north-east-down."""
BODY_FRD = 3
"""`VehicleOdometry`'s `velocity_frame` for the body's axes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a message's first fields lie.

    Attributes:
        fields: names, and how many numbers each has.
        code: for `struct`, without the order of bytes.
        at_most: bytes of the whole message in these versions; None where they differ.
    """

    fields: tuple[tuple[str, int], ...]
    code: str
    at_most: int | None = None


LAYOUTS: dict[str, Layout] = {
    message_types.TRAJECTORY_SETPOINT: Layout(
        (("velocity", 3), ("yawspeed", 1)), "8x 12x 3f 12x 12x 4x f", at_most=64
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
        at_most=116,
    ),
    message_types.VEHICLE_LOCAL_POSITION: Layout(
        tuple((name, 1) for name in ("x", "y", "z", "vx", "vy", "vz", "heading")),
        "8x 8x 4x 3f 8x 4x 4x 4x 3f 4x 8x 4x 4x 4x 12x f",
    ),
}
"""After time and padding; booleans and counters that are not needed are skipped."""


class Velocity(NamedTuple):
    """A set-point: float64 [3], m/s, NED, and the yaw rate in rad/s, clockwise from above."""

    linear: Floats
    yaw_rate: float


def fields_of(bag: MessageSource, message: RawMessage) -> Any:
    """Return a message's fields as attributes: as the bag defines them, or by our layout.

    Raises:
        BagError: its bytes do not fit.
    """
    info = bag.topics.get(message.topic)
    if info is not None and info.definition:
        return bag.decode(message)
    return _by_layout(message)


def _by_layout(message: RawMessage) -> Any:
    layout = LAYOUTS[message.type]
    struct = Struct(("<" if is_little(message.data) else ">") + layout.code)
    size = len(message.data) - ENCAPSULATION
    if size < struct.size or size > (layout.at_most or size):
        expected = f"{struct.size} to {layout.at_most}" if layout.at_most else f"{struct.size}"
        raise BagError(
            f"expected {expected} bytes of {message.type} as of 1.14 or later, got {size}; the "
            f"bag does not define the type"
        )
    numbers = struct.unpack_from(message.data, ENCAPSULATION)
    values: dict[str, Any] = {}
    at = 0
    for name, count in layout.fields:
        values[name] = numbers[at] if count == 1 else numbers[at : at + count]
        at += count
    return _Fields(values)


class _Fields:
    """Attributes that were read from bytes."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def setpoint(fields: Any) -> Velocity:
    """Return what a `TrajectorySetpoint` asks for, also in 1.13's layout.

    NaN stands for what is not asked for: without a velocity it is no command of ours, without a
    yaw rate (PX4 then holds or turns to an angle) the rate is taken to be 0.

    Raises:
        ObservationError: it asks for a position or for an acceleration only.
    """
    told = fields.velocity if hasattr(fields, "velocity") else (fields.vx, fields.vy, fields.vz)
    linear = np.array([float(value) for value in told])
    if not np.isfinite(linear).all():
        raise ObservationError(f"expected a set-point of velocity, got {linear.tolist()}")
    rate = float(fields.yawspeed)
    return Velocity(linear, 0.0 if np.isnan(rate) else rate)


def vehicle_odometry(fields: Any) -> VehicleState:
    """Return the state that a `VehicleOdometry` tells, ENU and FLU.

    Raises:
        ObservationError: its pose is not told in NED, or its velocity in a frame of its own.
    """
    if hasattr(fields, "local_frame"):
        return _odometry_of_1_13(fields)
    if fields.pose_frame != NED:
        raise ObservationError(f"expected a pose in NED (1), got pose_frame {fields.pose_frame}")
    return _state(
        fields.position, fields.q, fields.velocity, fields.velocity_frame, fields.angular_velocity
    )


def vehicle_local_position(fields: Any) -> VehicleState:
    """Return the state that a `VehicleLocalPosition` tells: level, at its heading.

    It knows neither roll and pitch nor the rates of turning, which are taken to be 0.
    """
    heading = float(fields.heading)
    level = (np.cos(heading / 2), 0.0, 0.0, np.sin(heading / 2))
    position, velocity = (fields.x, fields.y, fields.z), (fields.vx, fields.vy, fields.vz)
    return _state(position, level, velocity, NED, (0.0, 0.0, 0.0))


def _odometry_of_1_13(fields: Any) -> VehicleState:
    """In 1.13, NED is 0 for poses and velocities; the body's axes are 3, as they are today."""
    if fields.local_frame != 0:
        raise ObservationError(f"expected a pose in NED (0), got local_frame {fields.local_frame}")
    frame = {0: NED, 3: BODY_FRD}.get(fields.velocity_frame, 0)
    rates = (fields.rollspeed, fields.pitchspeed, fields.yawspeed)
    position, velocity = (fields.x, fields.y, fields.z), (fields.vx, fields.vy, fields.vz)
    return _state(position, fields.q, velocity, frame, rates)


def _state(position: Any, q: Any, velocity: Any, velocity_frame: int, rates: Any) -> VehicleState:
    quaternion = frames.quaternion_from_ned_frd(np.array([float(value) for value in q]))
    told = np.array([float(value) for value in velocity])
    if velocity_frame == NED:
        moving = frames.enu_from_ned(told)
    elif velocity_frame == BODY_FRD:
        moving = frames.rotation_from_quaternion(quaternion) @ frames.flu_from_frd(told)
    else:
        raise ObservationError(
            f"expected a velocity in NED (1) or in the body (3), got frame {velocity_frame}"
        )
    return VehicleState(
        position=frames.enu_from_ned(np.array([float(value) for value in position])),
        quaternion=quaternion,
        velocity=moving,
        angular_velocity=frames.flu_from_frd(np.array([float(value) for value in rates])),
    )

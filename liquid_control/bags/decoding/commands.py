"""Convert velocity commands of any message type to the heading frame.

A velocity in map, NED or body axes needs the attitude of the vehicle at that time, which comes
from the odometry of the bag. Angular rates of the body are rotated as a vector: the yaw rate is
their vertical component.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from liquid_control import frames, message_types, types
from liquid_control.bags.bag import MessageSource
from liquid_control.bags.decoding import px4
from liquid_control.bags.decoding.odometry import state_of, xyz
from liquid_control.bags.events import CommandEvent, CommandSource
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics import Source, VelocityFrame
from liquid_control.bags.topics.sources import Convention
from liquid_control.errors import BagError, ObservationError
from liquid_control.types import Command, Floats

ATTITUDES_KEPT = 2048
MAX_ATTITUDE_AGE_NS = types.NANOSECONDS
"""Largest age of an attitude relative to the stamp of a command."""


@dataclass(frozen=True, slots=True)
class RecordedVelocity:
    """A velocity in the frame of its message.

    Attributes:
        frame: frame of both vectors.
        linear: float64 [3], m/s.
        angular: float64 [3], rad/s.
        quaternion: attitude (x, y, z, w) if the message contains it.
        unset: axes that the message does not set; they are 0.
    """

    frame: VelocityFrame
    linear: Floats
    angular: Floats
    quaternion: Floats | None = None
    unset: tuple[str, ...] = ()

    @property
    def needs_attitude(self) -> bool:
        """Whether conversion to the heading frame needs an attitude from another message."""
        return self.frame is not VelocityFrame.HEADING and self.quaternion is None


def read_velocity(bag: MessageSource, message: RawMessage, source: Source) -> RecordedVelocity:
    """Read the velocity of a command message.

    Raises:
        BagError: the bytes do not fit the type.
        ObservationError: the velocity is not finite, or the message does not command a velocity.
    """
    velocity = _decode(bag, message, source)
    angular = velocity.angular if velocity.frame in _BODIES else velocity.angular[2:]
    if not (np.isfinite(velocity.linear).all() and np.isfinite(angular).all()):
        received = f"{velocity.linear.tolist()}, {velocity.angular.tolist()}"
        raise ObservationError(f"expected a finite velocity, got {received}")
    return velocity


WORLDS = (VelocityFrame.MAP, VelocityFrame.NED)
_BODIES = (VelocityFrame.BODY, VelocityFrame.FRD)
"""Frames whose yaw rate needs all angular rates, not only the one about the vertical."""


def command_of(velocity: RecordedVelocity, quaternion: Floats | None) -> Command:
    """Convert a velocity to the heading frame.

    Args:
        velocity: the recorded velocity.
        quaternion: attitude of the vehicle, (x, y, z, w); None if the frame is already heading.

    Raises:
        ObservationError: the conversion needs an attitude and `quaternion` is None.
    """
    linear, angular = velocity.linear, velocity.angular
    if velocity.frame is not VelocityFrame.HEADING:
        if quaternion is None:
            raise ObservationError(f"a velocity in {velocity.frame.value} needs the attitude")
        if velocity.frame is VelocityFrame.NED:
            linear, angular = frames.enu_from_ned(linear), frames.enu_from_ned(angular)
        elif velocity.frame in _BODIES:
            if velocity.frame is VelocityFrame.FRD:
                linear, angular = frames.flu_from_frd(linear), frames.flu_from_frd(angular)
            rotation = frames.rotation_from_quaternion(quaternion)
            linear, angular = rotation @ linear, rotation @ angular
        linear = frames.heading_from_world(linear, frames.heading_of(quaternion))
    forward, left, up = linear.tolist()
    return Command(forward, left, up, float(angular[2]))


@dataclass
class Attitudes:
    """Latest attitudes of the vehicle by stamp."""

    _stamps: deque[int] = field(default_factory=lambda: deque(maxlen=ATTITUDES_KEPT))
    _quaternions: deque[Floats] = field(default_factory=lambda: deque(maxlen=ATTITUDES_KEPT))

    def add(self, stamp_ns: int, quaternion: Floats) -> None:
        """Add an attitude; a stamp that goes back clears all earlier ones."""
        if self._stamps and stamp_ns < self._stamps[-1]:
            self._stamps.clear()
            self._quaternions.clear()
        self._stamps.append(stamp_ns)
        self._quaternions.append(quaternion)

    def reach(self, stamp_ns: int) -> bool:
        """Return whether the newest attitude is at or after a stamp."""
        return bool(self._stamps) and self._stamps[-1] >= stamp_ns

    def at(self, stamp_ns: int) -> Floats | None:
        """Return the newest attitude at or before a stamp; None if missing or too old."""
        index = bisect_right(self._stamps, stamp_ns) - 1
        if index < 0 or stamp_ns - self._stamps[index] > MAX_ATTITUDE_AGE_NS:
            return None
        return self._quaternions[index]


def _decode(bag: MessageSource, message: RawMessage, source: Source) -> RecordedVelocity:
    kind = message.type
    if kind == message_types.TRAJECTORY_SETPOINT:
        setpoint = px4.setpoint(px4.fields_of(bag, message))
        rates = np.array([0.0, 0.0, setpoint.yaw_rate])
        return RecordedVelocity(VelocityFrame.NED, setpoint.linear, rates, unset=setpoint.unset)
    if kind in (message_types.VEHICLE_ODOMETRY, message_types.VEHICLE_LOCAL_POSITION):
        return _measured(bag, message)
    if kind == message_types.POSITION_TARGET:
        return position_target(bag, message)
    content = bag.decode(message)
    if kind == message_types.ODOMETRY:
        if source.convention is not Convention.FLAG:
            return _measured(bag, message)
        twist = content.twist.twist
        attitude = state_of(bag, message).quaternion
        return RecordedVelocity(source.frame, xyz(twist.linear), xyz(twist.angular), attitude)
    twist = content.twist if kind == message_types.TWIST_STAMPED else content
    return RecordedVelocity(source.frame, xyz(twist.linear), xyz(twist.angular))


def _measured(bag: MessageSource, message: RawMessage) -> RecordedVelocity:
    """Return a measured velocity; the angular part is rotated from body to map axes."""
    state: Any = state_of(bag, message)
    if message.type == message_types.VEHICLE_ODOMETRY and not np.isfinite(state.velocity).all():
        raise ObservationError(
            "expected a finite velocity in NED (1) or body axes (3), got "
            f"{[float(v) for v in state.velocity]} of velocity_frame "
            f"{px4.fields_of(bag, message).velocity_frame}"
        )
    rates = frames.rotation_from_quaternion(state.quaternion) @ state.angular_velocity
    return RecordedVelocity(VelocityFrame.MAP, state.velocity, rates, state.quaternion)


ATTITUDE_TIMEOUT_NS = 200_000_000
"""Log time for which a command waits for odometry at its stamp."""


class HeadingFrameTransform:
    """Converts commands to the heading frame; some wait for the attitude at their stamp.

    Attributes:
        attitudes: attitudes of the vehicle; the caller adds to them.
    """

    def __init__(self, has_odometry: bool, losses: Losses) -> None:
        self.attitudes = Attitudes()
        self._has_odometry = has_odometry
        self._losses = losses
        self._waiting: deque[tuple[CommandSource, RecordedVelocity, int, int]] = deque()

    @property
    def is_waiting(self) -> bool:
        """Whether a command is waiting."""
        return bool(self._waiting)

    def add(
        self, source: CommandSource, velocity: RecordedVelocity, stamp_ns: int, log_ns: int
    ) -> list[CommandEvent]:
        """Add a command; return all commands that are complete."""
        if not velocity.needs_attitude:
            return self._event(source, velocity, velocity.quaternion, stamp_ns, log_ns)
        if not self._has_odometry:
            self._lose(velocity, "the bag has no odometry")
            return []
        self._waiting.append((source, velocity, stamp_ns, log_ns))
        return self.advance(log_ns)

    def advance(self, log_ns: int) -> list[CommandEvent]:
        """Advance log time; return the commands with a known attitude or an expired wait."""
        events: list[CommandEvent] = []
        while self._waiting:
            _, _, stamp_ns, command_log_ns = self._waiting[0]
            waited_ns = log_ns - command_log_ns
            if not self.attitudes.reach(stamp_ns) and waited_ns <= ATTITUDE_TIMEOUT_NS:
                break
            events += self._transform(*self._waiting.popleft())
        return events

    def finish(self) -> list[CommandEvent]:
        """Return the commands that still wait."""
        events: list[CommandEvent] = []
        while self._waiting:
            events += self._transform(*self._waiting.popleft())
        return events

    def _transform(
        self, source: CommandSource, velocity: RecordedVelocity, stamp_ns: int, log_ns: int
    ) -> list[CommandEvent]:
        quaternion = self.attitudes.at(stamp_ns)
        if quaternion is None:
            self._lose(velocity, f"no odometry within a second before {stamp_ns} ns")
            return []
        return self._event(source, velocity, quaternion, stamp_ns, log_ns)

    def _event(
        self,
        source: CommandSource,
        velocity: RecordedVelocity,
        attitude: Floats | None,
        stamp_ns: int,
        log_ns: int,
    ) -> list[CommandEvent]:
        with np.errstate(over="ignore", invalid="ignore"):
            command = command_of(velocity, attitude)
        if command.is_finite:
            return [CommandEvent(source, command, stamp_ns, log_ns)]
        self._losses.count(Loss.BAD_VALUE, f"expected a finite velocity, got {command.values}")
        return []

    def _lose(self, velocity: RecordedVelocity, reason: str) -> None:
        self._losses.count(
            Loss.NO_HEADING, f"a velocity in {velocity.frame.value} needs an attitude; {reason}"
        )


IGNORE_VELOCITY = {"vx": 8, "vy": 16, "vz": 32}
IGNORE_YAW = 1024
IGNORE_YAW_RATE = 2048
HEADING_FRAMES = (8, 9)
"""`coordinate_frame` BODY_NED and BODY_OFFSET_NED: MAVLink's names for the heading frame."""

POSITION_TARGET_DEFINITION = """
std_msgs/Header header
uint8 coordinate_frame
uint16 type_mask
geometry_msgs/Point position
geometry_msgs/Vector3 velocity
geometry_msgs/Vector3 acceleration_or_force
float32 yaw
float32 yaw_rate
"""


def position_target(bag: MessageSource, message: RawMessage) -> RecordedVelocity:
    """Decode a MAVROS set-point, also if the bag does not define its type.

    MAVROS uses ENU where MAVLink has NED, and FLU where MAVLink has body axes. An axis of the
    velocity, or a yaw rate, that the type mask ignores is 0.

    Raises:
        BagError: the bytes do not fit the type.
        ObservationError: the type mask ignores all axes of the velocity.
    """
    content = _position_target_content(bag, message)
    mask, velocity = content.type_mask, xyz(content.velocity).astype(np.float64)
    ignored = [bool(mask & bit) for bit in IGNORE_VELOCITY.values()] | np.isnan(velocity)
    unset = [axis for axis, skip in zip(IGNORE_VELOCITY, ignored, strict=True) if skip]
    if len(unset) == len(IGNORE_VELOCITY):
        raise ObservationError(
            f"expected a set-point of velocity, got one that sets no axis, type_mask {mask}"
        )
    linear = np.where(ignored, 0.0, velocity)
    if mask & IGNORE_YAW_RATE and not mask & IGNORE_YAW:
        unset.append("yaw rate")
    rate = 0.0 if mask & IGNORE_YAW_RATE else float(content.yaw_rate)
    in_body = content.coordinate_frame in HEADING_FRAMES
    frame = VelocityFrame.HEADING if in_body else VelocityFrame.MAP
    return RecordedVelocity(frame, linear, np.array([0.0, 0.0, rate]), unset=tuple(unset))


def _position_target_content(bag: MessageSource, message: RawMessage) -> Any:
    info = bag.topics.get(message.topic)
    if info is not None and info.definition:
        return bag.decode(message)
    try:
        return _mavros_types().deserialize_cdr(message.data, message.type)
    except Exception as error:  # rosbags raises arbitrary exceptions on damaged bytes
        raise BagError(f"{message.topic}: expected {message.type} ({error})") from error


@lru_cache(maxsize=1)
def _mavros_types() -> Typestore:
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(POSITION_TARGET_DEFINITION, message_types.POSITION_TARGET))
    return store

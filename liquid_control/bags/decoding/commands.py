"""Velocity commands of any source in the heading frame.

What is told in the map's axes or the body's needs the vehicle's attitude at that time, which the
bag's odometry knows. The body's rates count as a whole: the yaw rate is their part about the
vertical.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from liquid_control import frames, message_types, types
from liquid_control.bags.bag import MessageSource
from liquid_control.bags.decoding import px4
from liquid_control.bags.decoding.mavros import position_target
from liquid_control.bags.decoding.odometry import state_of, xyz
from liquid_control.bags.events import CommandEvent, CommandSource
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics import Source
from liquid_control.bags.topics.roles import VelocityFrame
from liquid_control.errors import ObservationError
from liquid_control.types import Command, Floats

ATTITUDES_KEPT = 2048
OLD_NS = types.NANOSECONDS
"""An attitude from longer before is not the command's."""


@dataclass(frozen=True, slots=True)
class Told:
    """A velocity as its recorder told it.

    Attributes:
        frame: of both vectors.
        linear: float64 [3], m/s.
        angular: float64 [3], rad/s.
        quaternion: the attitude, (x, y, z, w), where the message tells it too.
    """

    frame: VelocityFrame
    linear: Floats
    angular: Floats
    quaternion: Floats | None = None

    @property
    def needs_attitude(self) -> bool:
        """Whether it takes an attitude from elsewhere to understand it."""
        return self.frame is not VelocityFrame.HEADING and self.quaternion is None


def told_by(bag: MessageSource, message: RawMessage, source: Source) -> Told:
    """Read a command.

    Raises:
        BagError: the bytes do not fit the type.
        ObservationError: it is not finite, or no command of velocity.
    """
    told = _told(bag, message, source)
    if not (np.isfinite(told.linear).all() and np.isfinite(told.angular).all()):
        raise ObservationError(
            f"expected a finite velocity, got {told.linear.tolist()}, {told.angular.tolist()}"
        )
    return told


def command_of(told: Told, quaternion: Floats | None) -> Command:
    """Return a velocity in the heading frame.

    Args:
        told: the velocity.
        quaternion: the vehicle's attitude, (x, y, z, w); None where nothing is to be turned.
    """
    linear, angular = told.linear, told.angular
    if told.frame is not VelocityFrame.HEADING:
        if quaternion is None:
            raise ObservationError(f"a velocity in {told.frame.value} needs the attitude")
        if told.frame is VelocityFrame.NED:
            linear, angular = frames.enu_from_ned(linear), frames.enu_from_ned(angular)
        elif told.frame is VelocityFrame.BODY:
            rotation = frames.rotation_from_quaternion(quaternion)
            linear, angular = rotation @ linear, rotation @ angular
        linear = frames.heading_from_world(linear, frames.heading_of(quaternion))
    forward, left, up = linear.tolist()
    return Command(forward, left, up, float(angular[2]))


@dataclass
class Attitudes:
    """The vehicle's latest attitudes by stamp."""

    _stamps: deque[int] = field(default_factory=lambda: deque(maxlen=ATTITUDES_KEPT))
    _quaternions: deque[Floats] = field(default_factory=lambda: deque(maxlen=ATTITUDES_KEPT))

    def add(self, stamp_ns: int, quaternion: Floats) -> None:
        """Take one; if its stamp goes back, the ones before are of another time."""
        if self._stamps and stamp_ns < self._stamps[-1]:
            self._stamps.clear()
            self._quaternions.clear()
        self._stamps.append(stamp_ns)
        self._quaternions.append(quaternion)

    def reach(self, stamp_ns: int) -> bool:
        """Return whether nothing newer can come for a stamp."""
        return bool(self._stamps) and self._stamps[-1] >= stamp_ns

    def at(self, stamp_ns: int) -> Floats | None:
        """Return the newest attitude at or before a stamp; None if it is too old or missing."""
        index = bisect_right(self._stamps, stamp_ns) - 1
        if index < 0 or stamp_ns - self._stamps[index] > OLD_NS:
            return None
        return self._quaternions[index]


def _told(bag: MessageSource, message: RawMessage, source: Source) -> Told:
    kind = message.type
    if kind == message_types.TRAJECTORY_SETPOINT:
        asked = px4.setpoint(px4.fields_of(bag, message))
        return Told(VelocityFrame.NED, asked.linear, np.array([0.0, 0.0, asked.yaw_rate]))
    if kind in (message_types.VEHICLE_ODOMETRY, message_types.VEHICLE_LOCAL_POSITION):
        return _measured(bag, message)
    if kind == message_types.POSITION_TARGET:
        frame, linear, yaw_rate = position_target(bag, message)
        return Told(frame, linear, np.array([0.0, 0.0, yaw_rate]))
    content = bag.decode(message)
    if kind == message_types.ODOMETRY:
        twist = content.twist.twist
        attitude = state_of(bag, message).quaternion
        return Told(source.frame, xyz(twist.linear), xyz(twist.angular), attitude)
    twist = content.twist if kind == message_types.TWIST_STAMPED else content
    return Told(source.frame, xyz(twist.linear), xyz(twist.angular))


def _measured(bag: MessageSource, message: RawMessage) -> Told:
    """Return a measured velocity; the angular one is turned from the body's axes."""
    state: Any = state_of(bag, message)
    rates = frames.rotation_from_quaternion(state.quaternion) @ state.angular_velocity
    return Told(VelocityFrame.MAP, state.velocity, rates, state.quaternion)


ATTITUDE_TIMEOUT_NS = 200_000_000
"""Of log time that a command waits for the odometry of its stamp."""


class HeadingFrameTransform:
    """Commands, of which some wait for the attitude that turns them into the heading frame.

    Attributes:
        attitudes: the vehicle's, to be added to.
    """

    def __init__(self, has_odometry: bool, losses: Losses) -> None:
        self.attitudes = Attitudes()
        self._has_odometry = has_odometry
        self._losses = losses
        self._waiting: deque[tuple[CommandSource, Told, int, int]] = deque()

    def add(
        self, speaker: CommandSource, told: Told, stamp_ns: int, log_ns: int
    ) -> list[CommandEvent]:
        """Take a command; return it if nothing lacks, with what waited before it."""
        if not told.needs_attitude:
            return self._said(speaker, told, told.quaternion, stamp_ns, log_ns)
        if not self._has_odometry:
            self._lose(told, "the bag has no odometry")
            return []
        self._waiting.append((speaker, told, stamp_ns, log_ns))
        return self.heard(log_ns)

    def heard(self, log_ns: int) -> list[CommandEvent]:
        """Return the commands whose attitude is known, or for which it was waited too long."""
        turned: list[CommandEvent] = []
        while self._waiting:
            _, _, stamp_ns, filed_ns = self._waiting[0]
            if not self.attitudes.reach(stamp_ns) and log_ns - filed_ns <= ATTITUDE_TIMEOUT_NS:
                break
            turned += self._turn(*self._waiting.popleft())
        return turned

    def finish(self) -> list[CommandEvent]:
        """Return what still waits."""
        turned: list[CommandEvent] = []
        while self._waiting:
            turned += self._turn(*self._waiting.popleft())
        return turned

    def _turn(
        self, speaker: CommandSource, told: Told, stamp_ns: int, log_ns: int
    ) -> list[CommandEvent]:
        quaternion = self.attitudes.at(stamp_ns)
        if quaternion is None:
            self._lose(told, f"no odometry within a second before {stamp_ns} ns")
            return []
        return self._said(speaker, told, quaternion, stamp_ns, log_ns)

    def _said(
        self,
        speaker: CommandSource,
        told: Told,
        attitude: Floats | None,
        stamp_ns: int,
        log_ns: int,
    ) -> list[CommandEvent]:
        with np.errstate(over="ignore", invalid="ignore"):
            command = command_of(told, attitude)
        if command.is_finite:
            return [CommandEvent(speaker, command, stamp_ns, log_ns)]
        self._losses.count(Loss.BAD_VALUE, f"expected a finite velocity, got {command.values}")
        return []

    def _lose(self, told: Told, reason: str) -> None:
        self._losses.count(
            Loss.NO_HEADING, f"a velocity in {told.frame.value} takes an attitude; {reason}"
        )

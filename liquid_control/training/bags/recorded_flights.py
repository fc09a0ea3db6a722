"""Converts the events of a bag to fitted frames, labels and speeds by flight.

A clock that is set back begins another flight.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from liquid_control import frames
from liquid_control.bags import Loss, Losses
from liquid_control.bags.events import (
    CameraInfoEvent,
    CommandEvent,
    CommandSource,
    Event,
    FrameEvent,
    OdometryEvent,
)
from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception import RESTART_NS, CameraView, Viewfinder, fit
from liquid_control.training.training_settings import BagLabel
from liquid_control.types import Command, Floats, ImuWindow, Pixels, VehicleState

COMMAND_SOURCES = {
    BagLabel.POLICY_COMMAND: CommandSource.POLICY,
    BagLabel.COMMAND: CommandSource.GUARD,
}

Row = tuple[int, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame at the size of the model's view.

    Attributes:
        stamp_ns: of the frame.
        image: uint8 [H, W, 3], RGB.
        imu: the samples since the frame before.
    """

    stamp_ns: int
    image: Pixels
    imu: ImuWindow


@dataclass(slots=True)
class RecordedFlight:
    """Data of a bag over a period in which its clock does not go back.

    Attributes:
        frames: in order of their stamps.
        labels: (stamp, (forward, left, up in m/s, yaw rate in rad/s)), in recorded order.
        speeds: (stamp, (m/s,)), measured.
        velocities: (stamp, values as of `measured`).
    """

    frames: list[Frame] = field(default_factory=list)
    labels: list[Row] = field(default_factory=list)
    speeds: list[Row] = field(default_factory=list)
    velocities: list[Row] = field(default_factory=list)


def recorded_flights(
    events: Iterable[Event], view: CameraView, label: BagLabel, losses: Losses
) -> Iterator[RecordedFlight]:
    """Yield the flights in a sequence of events.

    Args:
        events: of one bag, from `bags.flight.read_flight`.
        view: camera view of the model; larger and wider pictures are cropped and averaged.
        label: quantity to learn.
        losses: counts the pictures that do not fit the view.
    """
    finder, flight = Viewfinder(view), RecordedFlight()
    for event in events:
        if isinstance(event, FrameEvent):
            if flight.frames and event.observation.stamp_ns <= flight.frames[-1].stamp_ns:
                following = _split_at_clock_reset(flight)
                yield flight
                flight = following
            _add_frame(flight, event, finder, view, losses)
        elif isinstance(event, CameraInfoEvent):
            finder.set_camera(
                event.width, event.height, event.horizontal_fov_deg, event.model, event.problem
            )
        elif isinstance(event, OdometryEvent):
            _add_odometry(flight, event, label)
        elif isinstance(event, CommandEvent) and event.source == COMMAND_SOURCES.get(label):
            _add_command(flight, event.stamp_ns, event.command, losses)
    yield flight


def _split_at_clock_reset(flight: RecordedFlight) -> RecordedFlight:
    """Move rows after a clock reset to a new flight: a frame event waits for its IMU samples."""
    rows = (flight.labels, flight.speeds, flight.velocities)
    return RecordedFlight([], *(_rows_after_reset(values) for values in rows))


def _rows_after_reset(rows: list[Row]) -> list[Row]:
    for index in range(len(rows) - 1, 0, -1):
        if rows[index - 1][0] - rows[index][0] >= RESTART_NS:
            later = rows[index:]
            del rows[index:]
            return later
    return []


def _add_frame(
    flight: RecordedFlight, event: FrameEvent, finder: Viewfinder, view: CameraView, losses: Losses
) -> None:
    observation = event.observation
    try:
        fitted = fit(finder.frame(observation.image), view)
    except (ObservationError, ModelError) as error:
        losses.count(Loss.BAD_PICTURE, str(error))
        return
    flight.frames.append(Frame(observation.stamp_ns, fitted.copy(), observation.imu))


def _add_odometry(flight: RecordedFlight, event: OdometryEvent, label: BagLabel) -> None:
    speed = float(np.linalg.norm(event.state.velocity))
    flight.speeds.append((event.stamp_ns, (speed,)))
    flight.velocities.append((event.stamp_ns, measured(event.state)))
    if label is BagLabel.ODOMETRY:
        flight.labels.append(flight.velocities[-1])


def _add_command(flight: RecordedFlight, stamp_ns: int, command: Command, losses: Losses) -> None:
    if command.is_finite:
        flight.labels.append((stamp_ns, command.values))
    else:
        losses.count(Loss.BAD_VALUE, f"a command at {stamp_ns} ns is not finite")


def measured(state: VehicleState) -> tuple[float, ...]:
    """Return the velocity and yaw rate of a state in the form of `Command.values`.

    The velocity is in the heading frame. The yaw rate is the rotation rate about the map's
    vertical axis, (R w)_z for the body rates w.
    """
    heading = frames.heading_of(state.quaternion)
    velocity = frames.heading_from_world(state.velocity, heading)
    rates = frames.rotation_from_quaternion(state.quaternion) @ state.angular_velocity
    return (*(float(value) for value in velocity), float(rates[2]))


@dataclass(frozen=True, slots=True)
class TimedValues:
    """Values by stamp.

    Attributes:
        stamps_ns: int64 [N], increasing.
        values: float64 [N, C].
    """

    stamps_ns: NDArray[np.int64]
    values: Floats

    @classmethod
    def of(cls, rows: list[tuple[int, tuple[float, ...]]], columns: int) -> "TimedValues":
        """Return rows of (stamp, values) sorted by stamp; of equal stamps the last is kept."""
        newest = dict(rows)
        stamps = np.array(sorted(newest), np.int64)
        values = np.array([newest[stamp] for stamp in stamps.tolist()], np.float64)
        return cls(stamps, values.reshape(len(stamps), columns))

    def at(self, stamps_ns: NDArray[np.int64], max_age_ns: int) -> Floats:
        """Return the values at some stamps, float64 [M, C]; rows of NaN where no value is near.

        A row with the same stamp is used as it is. Otherwise the value is interpolated linearly
        between the rows before and after if both are within `max_age_ns`. If only one is, it is
        used.
        """
        found = np.full((len(stamps_ns), self.values.shape[1]), np.nan)
        if not len(self.stamps_ns):
            return found
        after = np.searchsorted(self.stamps_ns, stamps_ns)
        before = np.maximum(after - 1, 0)
        after = np.minimum(after, len(self.stamps_ns) - 1)
        since = stamps_ns - self.stamps_ns[before]
        until = self.stamps_ns[after] - stamps_ns
        has_before = (since >= 0) & (since <= max_age_ns)
        has_after = (until >= 0) & (until <= max_age_ns)
        span = np.maximum(since + until, 1)
        ratio = (since / span)[:, None]
        between = self.values[before] + ratio * (self.values[after] - self.values[before])
        both, exact = has_before & has_after, until == 0
        found[has_before] = self.values[before[has_before]]
        found[has_after] = self.values[after[has_after]]
        found[both] = between[both]
        found[exact] = self.values[after[exact]]
        return found

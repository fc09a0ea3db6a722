"""What a replay answers and what a bag recorded, in the same terms, so that they compare."""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from liquid_control.bags.events import (
    CameraInfoEvent,
    ClockEvent,
    CommandEvent,
    CommandSource,
    Event,
    FeaturesEvent,
    FrameEvent,
    NeuronsEvent,
    OdometryEvent,
)
from liquid_control.command import GuardEvent
from liquid_control.errors import BagError
from liquid_control.frames import heading_of

Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Rows by stamp.

    Attributes:
        stamp_ns: int64 [N], in the order in which they came.
        values: [N, W].
        log_ns: int64 [N], when each was filed; for what was replayed, the stamps.
    """

    stamp_ns: Stamps
    values: NDArray[Any]
    log_ns: Stamps

    def __len__(self) -> int:
        return len(self.stamp_ns)

    def none(self) -> "Series":
        """Return a series of the same kind without rows."""
        return Series(self.stamp_ns[:0], self.values[:0], self.log_ns[:0])


class Rows:
    """A series that grows: as compact as its numbers, however long the bag.

    Args:
        what: is collected, for the message when the width changes.
        dtype: of the values.
        width: of a row; None for that of the first.
    """

    def __init__(self, what: str, dtype: DTypeLike, width: int | None = None) -> None:
        self._what = what
        self._dtype = np.dtype(dtype)
        self._width = width
        self._stamps, self._logs = array("q"), array("q")
        self._bytes = bytearray()

    def add(self, stamp_ns: int, values: ArrayLike, log_ns: int | None = None) -> None:
        """Append a row.

        Raises:
            BagError: it has another width than the rows before.
        """
        row = np.asarray(values, self._dtype)
        if self._width is None:
            self._width = row.size
        if row.size != self._width:
            raise BagError(
                f"expected {self._width} {self._what} at each frame, got {row.size} at {stamp_ns} "
                "ns: two networks in one bag cannot be compared"
            )
        self._stamps.append(stamp_ns)
        self._logs.append(stamp_ns if log_ns is None else log_ns)
        self._bytes += row.tobytes()

    def series(self) -> Series:
        """Return what came so far."""
        stamps, logs = (np.array(column, np.int64) for column in (self._stamps, self._logs))
        shape = len(stamps), self._width or 0
        return Series(stamps, np.frombuffer(bytes(self._bytes), self._dtype).reshape(shape), logs)


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What a policy and its guard did over a flight; empty series where nothing is known.

    Attributes:
        label: whose it is.
        policy: float64 [F, 4], as `Command.values`, a row a frame.
        guarded: float64 [T, 4], what the autopilot was, or would have been, told.
        features: float32 [F, I].
        states: [F, N], the neurons.
        gates: [F, N], their time gates.
        neuron_names: N.
    """

    label: str
    policy: Series
    guarded: Series
    features: Series
    states: Series
    gates: Series
    neuron_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """A flight as a policy would have flown it.

    Attributes:
        track: what it answered; features, states and gates of the frames it could use.
        frames: how many it was given.
        refused: how many of them it could not use and answered with hover, by reason.
        withheld: how many a change of pictures did not deliver.
        fresh: how often it began from a fresh state after the first.
        guard_events: what its guard had to mend.
        lockstep: whether the guard went by `/clock`.
    """

    track: Track
    frames: int
    refused: Counter[str]
    withheld: int
    fresh: int
    guard_events: Counter[GuardEvent]
    lockstep: bool


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A flight as it was recorded.

    Attributes:
        track: commands, features and neurons.
        frames: a row a frame, of no values: stamps, and when they were filed.
        poses: float64 [M, 4], x, y, z in m, map, and heading in rad.
        calibration: the camera's, as told last; None where it was not.
        clocks: number of `/clock` messages.
    """

    track: Track
    frames: Series
    poses: Series
    calibration: CameraInfoEvent | None = None
    clocks: int = field(default=0)


class RecordingCollector:
    """Hears a bag's events and remembers their numbers."""

    def __init__(self) -> None:
        self._frames = Rows("values", np.float64, 0)
        self._commands = {
            CommandSource.POLICY: Rows("values", np.float64, 4),
            CommandSource.GUARD: Rows("values", np.float64, 4),
        }
        self._poses = Rows("values", np.float64, 4)
        self._features = Rows("features", np.float32)
        self._states = Rows("neurons", np.float64)
        self._gates = Rows("time gates", np.float64)
        self._names: tuple[str, ...] = ()
        self._calibration: CameraInfoEvent | None = None
        self._clocks = 0

    def consume(self, event: Event) -> None:
        """Remember an event.

        Raises:
            BagError: the number of features or neurons changes.
        """
        match event:
            case FrameEvent(observation, log_ns):
                self._frames.add(observation.stamp_ns, (), log_ns)
            case CommandEvent(speaker, command, stamp_ns, log_ns):
                self._commands[speaker].add(stamp_ns, command.values, log_ns)
            case OdometryEvent(stamp_ns, state):
                self._poses.add(stamp_ns, (*state.position, heading_of(state.quaternion)))
            case FeaturesEvent(stamp_ns, features):
                self._features.add(stamp_ns, features)
            case NeuronsEvent(stamp_ns, names, states, gates):
                self._names = names
                self._states.add(stamp_ns, states)
                self._gates.add(stamp_ns, gates)
            case CameraInfoEvent():
                self._calibration = event
            case ClockEvent():
                self._clocks += 1

    def recorded(self) -> Recorded:
        """Return what was heard so far."""
        track = Track(
            "recorded",
            self._commands[CommandSource.POLICY].series(),
            self._commands[CommandSource.GUARD].series(),
            self._features.series(),
            self._states.series(),
            self._gates.series(),
            self._names,
        )
        return Recorded(
            track, self._frames.series(), self._poses.series(), self._calibration, self._clocks
        )

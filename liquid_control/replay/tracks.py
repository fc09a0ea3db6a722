"""Tracks of replayed and recorded flights in one form, so that they can be compared."""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from liquid_control.bags import events
from liquid_control.command import GuardChange, GuardEvent
from liquid_control.errors import BagError
from liquid_control.frames import heading_of

Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Rows of values with stamps.

    Attributes:
        stamp_ns: int64 [N], in order of arrival.
        values: [N, W].
        log_ns: int64 [N], log times; for replayed rows the stamps.
    """

    stamp_ns: Stamps
    values: NDArray[Any]
    log_ns: Stamps

    def __len__(self) -> int:
        return len(self.stamp_ns)

    def empty(self) -> "Series":
        """Return a series of the same width and type without rows."""
        return Series(self.stamp_ns[:0], self.values[:0], self.log_ns[:0])


class Rows:
    """A growing series, stored compactly for long bags.

    Args:
        what: name of the values, for error messages.
        dtype: of the values.
        width: of a row; None for the width of the first row.
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
            BagError: its width differs from that of the rows before.
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
        """Return the rows so far."""
        stamps, logs = (np.array(column, np.int64) for column in (self._stamps, self._logs))
        shape = len(stamps), self._width or 0
        return Series(stamps, np.frombuffer(bytes(self._bytes), self._dtype).reshape(shape), logs)


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Outputs of a policy and its guard over a flight; a part that is not known is empty.

    Attributes:
        label: name of the track in reports.
        policy: float64 [F, 4], as `Command.values`, one row a frame.
        guarded: float64 [T, 4], the commands after the guard.
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
        track: the policy's outputs; features, states and gates of the answered frames.
        frames: number of frames.
        refused: number of refused frames, answered with hover, by reason.
        withheld: number of frames that a change of pictures did not deliver.
        fresh: number of fresh starts after the first.
        guard_events: number of the guard's interventions by kind.
        lockstep: whether the guard followed `/clock`.
        guard: changes of the rules of the guard that act.
    """

    track: Track
    frames: int
    refused: Counter[str]
    withheld: int
    fresh: int
    guard_events: Counter[GuardEvent]
    lockstep: bool
    guard: tuple[GuardChange, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A flight as it was recorded.

    Attributes:
        track: commands, features and neurons.
        frames: stamps and log times of the frames, without values.
        poses: float64 [M, 4], x, y, z in m, map, and heading in rad.
        calibration: the camera's last calibration; None without one.
        clocks: number of `/clock` messages.
        guard: changes of the rules of the guard that act; empty where they were not recorded.
    """

    track: Track
    frames: Series
    poses: Series
    calibration: events.CameraInfoEvent | None = None
    clocks: int = field(default=0)
    guard: tuple[GuardChange, ...] = ()


class RecordingCollector:
    """Collects the recorded commands, features, neurons, poses and frame times of a bag."""

    def __init__(self) -> None:
        self._frames = Rows("values", np.float64, 0)
        self._commands = {
            events.CommandSource.POLICY: Rows("values", np.float64, 4),
            events.CommandSource.GUARD: Rows("values", np.float64, 4),
        }
        self._poses = Rows("values", np.float64, 4)
        self._features = Rows("features", np.float32)
        self._states = Rows("neurons", np.float64)
        self._gates = Rows("time gates", np.float64)
        self._names: tuple[str, ...] = ()
        self._calibration: events.CameraInfoEvent | None = None
        self._clocks = 0
        self._guard: list[GuardChange] = []

    def consume(self, event: events.Event) -> None:
        """Collect an event.

        Raises:
            BagError: the number of features or neurons changes.
        """
        match event:
            case events.FrameEvent(observation, log_ns):
                self._frames.add(observation.stamp_ns, (), log_ns)
            case events.CommandEvent(source, command, stamp_ns, log_ns):
                self._commands[source].add(stamp_ns, command.values, log_ns)
            case events.OdometryEvent(stamp_ns, state):
                if np.isfinite(state.position).all():
                    self._poses.add(stamp_ns, (*state.position, heading_of(state.quaternion)))
            case events.FeaturesEvent(stamp_ns, features):
                self._features.add(stamp_ns, features)
            case events.NeuronsEvent(stamp_ns, names, states, gates):
                self._names = names
                self._states.add(stamp_ns, states)
                self._gates.add(stamp_ns, gates)
            case events.GuardChangeEvent(stamp_ns, acting):
                self._guard.append(GuardChange(stamp_ns, acting))
            case events.CameraInfoEvent():
                self._calibration = event
            case events.ClockEvent():
                self._clocks += 1

    def recorded(self) -> Recorded:
        """Return the flight so far."""
        track = Track(
            "recorded",
            self._commands[events.CommandSource.POLICY].series(),
            self._commands[events.CommandSource.GUARD].series(),
            self._features.series(),
            self._states.series(),
            self._gates.series(),
            self._names,
        )
        return Recorded(
            track,
            self._frames.series(),
            self._poses.series(),
            self._calibration,
            self._clocks,
            tuple(self._guard),
        )

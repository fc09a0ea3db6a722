"""Keeps what a bag recorded of a flight, save its pictures."""

import numpy as np

from liquid_control.bags.events import (
    Calibrated,
    Clocked,
    Commanded,
    Event,
    Featured,
    Fired,
    Moved,
    Seen,
    Speaker,
)
from liquid_control.frames import heading_of
from liquid_control.replay.track import Recorded, Rows, Track


class RecordedTape:
    """Hears a bag's events and remembers their numbers."""

    def __init__(self) -> None:
        self._frames = Rows("values", np.float64, 0)
        self._commands = {
            Speaker.POLICY: Rows("values", np.float64, 4),
            Speaker.GUARD: Rows("values", np.float64, 4),
        }
        self._poses = Rows("values", np.float64, 4)
        self._features = Rows("features", np.float32)
        self._states = Rows("neurons", np.float64)
        self._gates = Rows("time gates", np.float64)
        self._names: tuple[str, ...] = ()
        self._calibration: Calibrated | None = None
        self._clocks = 0

    def hear(self, event: Event) -> None:
        """Remember an event.

        Raises:
            BagError: the number of features or neurons changes.
        """
        match event:
            case Seen(observation, log_ns):
                self._frames.add(observation.stamp_ns, (), log_ns)
            case Commanded(speaker, command, stamp_ns, log_ns):
                self._commands[speaker].add(stamp_ns, command.values, log_ns)
            case Moved(stamp_ns, state):
                self._poses.add(stamp_ns, (*state.position, heading_of(state.quaternion)))
            case Featured(stamp_ns, features):
                self._features.add(stamp_ns, features)
            case Fired(stamp_ns, names, states, gates):
                self._names = names
                self._states.add(stamp_ns, states)
                self._gates.add(stamp_ns, gates)
            case Calibrated():
                self._calibration = event
            case Clocked():
                self._clocks += 1

    def recorded(self) -> Recorded:
        """Return what was heard so far."""
        track = Track(
            "recorded",
            self._commands[Speaker.POLICY].series(),
            self._commands[Speaker.GUARD].series(),
            self._features.series(),
            self._states.series(),
            self._gates.series(),
            self._names,
        )
        return Recorded(
            track, self._frames.series(), self._poses.series(), self._calibration, self._clocks
        )

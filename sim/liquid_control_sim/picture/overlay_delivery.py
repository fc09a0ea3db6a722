"""Which recorded frames a disturbed camera delivers, and how old what they show is."""

from collections import deque
from math import floor

from liquid_control.config.scenario import CameraSettings, Scenario
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS, Pixels

_DUE_EARLY_S = 1.0 / 240.0
"""A frame that is early by less is on time: stamps lie on ticks of the simulator, or jitter."""


class Delivery:
    """Decides which recorded frames are taken, and which of those arrive.

    Losses are drawn frame by frame from the stream "camera.drops", as in flight; the first frame
    always arrives.
    """

    def __init__(self, camera: CameraSettings, seed: int) -> None:
        usual_hz = Scenario().camera.rate_hz
        self._rate_hz = camera.rate_hz if camera.rate_hz < usual_hz else None
        self._drop_rate = camera.drop_rate
        self._losses = stream(seed, "camera.drops")
        self._due = -1

    def delivers(self, time_s: float) -> bool:
        """Return whether the frame at a time since the first one arrives."""
        first = self._due < 0
        due = self._due + 1
        if self._rate_hz is not None:
            due = floor((time_s + _DUE_EARLY_S) * self._rate_hz)
        if due == self._due:
            return False
        self._due = due
        return first or bool(self._losses.random() >= self._drop_rate)


class Past:
    """Keeps as many recorded frames as the latency spans."""

    def __init__(self, latency_s: float) -> None:
        self._late_ns = round(latency_s * NANOSECONDS)
        self._kept: deque[tuple[int, Pixels]] = deque()

    def see(self, image: Pixels, stamp_ns: int) -> tuple[Pixels, int]:
        """Take a frame; return the one nearest to `latency_s` ago, and its stamp.

        In the beginning that is the first, as in flight.
        """
        self._kept.append((stamp_ns, image))
        wanted_ns = stamp_ns - self._late_ns
        while len(self._kept) > 1 and (
            abs(self._kept[1][0] - wanted_ns) < abs(self._kept[0][0] - wanted_ns)
        ):
            self._kept.popleft()
        shown_ns, shown = self._kept[0]
        return shown, shown_ns

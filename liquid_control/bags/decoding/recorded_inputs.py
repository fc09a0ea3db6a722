"""Give recorded frames the readings that a policy was given for them in flight."""

from collections import deque
from collections.abc import Sequence

from liquid_control.bags.decoding.frame_imu_sync import HELD_BYTES, SILENCE_NS
from liquid_control.bags.events import Event, FrameEvent
from liquid_control.perception.inputs import with_readings
from liquid_control.perception.sensor_sync import RESTART_NS

READINGS_KEPT = 256


class RecordedInputs:
    """Joins frames with the messages of `policy/inputs`, which have their stamps.

    A frame waits for its message, which perception publishes after it. In a lockstep recording,
    whose log times are stamps, it waits while log time stands still, so that its place among the
    guard's ticks is kept; in others for `SILENCE_NS` at most. A frame without a message stays as
    it is.

    Args:
        waits: whether there are such messages.

    Attributes:
        waits: whether frames wait.
    """

    def __init__(self, waits: bool) -> None:
        self.waits = waits
        self._readings: dict[int, dict[str, float]] = {}
        self._frames: deque[FrameEvent] = deque()
        self._last_ns: int | None = None

    def add(self, stamp_ns: int, readings: dict[str, float]) -> None:
        """Add the readings of a frame."""
        self.waits, self._last_ns = True, stamp_ns
        self._readings[stamp_ns] = readings
        if len(self._readings) > READINGS_KEPT:
            del self._readings[next(iter(self._readings))]

    def join(self, events: Sequence[Event], log_ns: int | None) -> list[Event]:
        """Return events in their order; frames that wait are returned by a later call.

        Args:
            events: new events.
            log_ns: log time; None at the end, when no frame waits any longer.
        """
        joined: list[Event] = []
        for event in events:
            if isinstance(event, FrameEvent):
                self._frames.append(event)
            else:
                joined.append(event)
            joined += self._complete(log_ns)
        return joined if events else self._complete(log_ns)

    def _complete(self, log_ns: int | None) -> list[Event]:
        complete: list[Event] = []
        while self._frames:
            frame = self._frames[0]
            readings = self._readings.pop(frame.observation.stamp_ns, None)
            if readings is None and self._must_wait(frame, log_ns):
                break
            self._frames.popleft()
            if readings is not None:
                observation = with_readings(frame.observation, readings)
                frame = FrameEvent(observation, frame.log_ns)
            complete.append(frame)
        return complete

    def _must_wait(self, frame: FrameEvent, log_ns: int | None) -> bool:
        stamp_ns = frame.observation.stamp_ns
        if log_ns is None or not self.waits:
            return False
        if self._last_ns is not None and 0 < self._last_ns - stamp_ns < RESTART_NS:
            return False
        held = len(self._frames) * frame.observation.image.nbytes
        wait_ns = 0 if frame.log_ns == stamp_ns else SILENCE_NS
        return held <= HELD_BYTES and log_ns - frame.log_ns <= wait_ns

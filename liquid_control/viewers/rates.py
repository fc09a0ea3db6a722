"""Rates of a viewer's streams, and of the topics that they are made from."""

from typing import NamedTuple

import numpy as np

EARLY = 0.25
"""Of its period that a message may come early: a reader with a timer is not exact."""


class FeedRates(NamedTuple):
    """Largest rates of streams, 1/s.

    Attributes:
        camera: pictures.
        saliency: maps.
        numbers: messages of each topic that is passed on; diagnostics have no limit.
        scene: path, pose and transforms.
        wiring: pictures of the wiring.
    """

    camera: float = 10.0
    saliency: float = 4.0
    numbers: float = 50.0
    scene: float = 10.0
    wiring: float = 4.0


DEFAULT_RATES = FeedRates()


class TopicReading(NamedTuple):
    """How a topic of the graph is read.

    Attributes:
        rate_hz: how often.
        every: whether every message is needed; else the newest one is enough.
    """

    rate_hz: float
    every: bool = False


class Pacer:
    """Says when a stream is due.

    A message that comes a little early or late does not shift those after it, so that the rate is
    kept over time.

    Args:
        rate_hz: its largest rate.
    """

    def __init__(self, rate_hz: float) -> None:
        self.period_s = 1.0 / rate_hz
        self._due_s = -np.inf

    def due(self, now_s: float) -> bool:
        """Return whether a message may be sent now, and count it as sent if so."""
        late_s = now_s - self._due_s
        if late_s < -EARLY * self.period_s:
            return False
        self._due_s = now_s + self.period_s - (late_s if late_s < self.period_s else 0.0)
        return True

    def wait(self, now_s: float, seconds: float) -> None:
        """Let the stream rest for at least so long from now."""
        self._due_s = max(self._due_s, now_s + seconds + EARLY * self.period_s)

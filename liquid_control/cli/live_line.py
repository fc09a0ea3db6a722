"""One line that tells how a flight goes, rewritten in place on a terminal."""

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TextIO

PLAIN_PERIOD_S = 5.0
"""Where the line cannot be rewritten, another one is printed this often."""

_CLEAR = "\r\x1b[2K"


class LiveLine:
    """Shows the progress of one flight; as a context it leaves a clean line behind.

    Args:
        title: what the flight is called.
        stream: where to; stderr unless named.
        text: says a progress event in words; `progress_text`, of a flight, unless given.
    """

    def __init__(
        self,
        title: str,
        stream: TextIO | None = None,
        text: Callable[[Mapping[str, Any]], str] | None = None,
    ) -> None:
        self._title = title
        self._text = text or progress_text
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._told_s = float("-inf")

    def __enter__(self) -> "LiveLine":
        self.say("starting the graph")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._terminal:
            self._stream.write(_CLEAR)
            self._stream.flush()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show a progress event of the simulator; others are not for this line."""
        if event.get("event") != "progress":
            return
        now_s = time.monotonic()
        if self._terminal or now_s - self._told_s >= PLAIN_PERIOD_S:
            self._told_s = now_s
            self.say(self._text(event))

    def say(self, text: str) -> None:
        """Show what happens now."""
        line = f"{self._title}: {text}"
        self._stream.write(f"{_CLEAR}{line}" if self._terminal else f"{line}\n")
        self._stream.flush()


def progress_text(event: Mapping[str, Any]) -> str:
    """Return distance, speed, wind and real-time factor of a progress event, in words."""
    distance_m = max(event["distance_m"], 0.0)
    return (
        f"{distance_m:5.1f} of {event['length_m']:g} m, {event['speed_mps']:.1f} m/s, "
        f"wind {event['wind_mps']:.1f} m/s, {event['rtf']:.1f} x real time"
    )

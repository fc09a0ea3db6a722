"""What plays a tape over topics has in common; `replay_lockstep` and `replay_realtime` do it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from liquid_control.nodes.answer_times import AnswerTimes
from liquid_control.nodes.replay_ticks import BagTick


class Output(Protocol):
    """Publishes ticks."""

    def publish(self, tick: BagTick) -> None:
        """Publish everything of a tick but its time."""
        ...

    def publish_clock(self, stamp_ns: int) -> None:
        """Publish ROS time."""
        ...


@dataclass(frozen=True)
class Play:
    """What a pace plays, and who hears of it.

    Attributes:
        advance: gives the next tick; None at the end.
        output: publishes it.
        times: notes frames and answers.
        ended: is called at the end.
    """

    advance: Callable[[], BagTick | None]
    output: Output
    times: AnswerTimes
    ended: Callable[[], None]

    def publish(self, tick: BagTick) -> None:
        """Publish a tick; a frame's time runs from just before its picture goes out."""
        if tick.frame is not None:
            self.times.sent(tick.stamp_ns, time.monotonic_ns())
        self.output.publish(tick)


class Pace(Protocol):
    """Plays a tape from start to end; can be paused, stepped, and told that the tape was wound."""

    def start(self) -> None:
        """Begin: everybody is there."""
        ...

    def pause(self, paused: bool) -> None:
        """Stop after the tick that is being played, or go on."""
        ...

    def step(self) -> None:
        """Play up to the next frame, and be paused after it."""
        ...

    def wound(self) -> None:
        """Take note that the tape was wound."""
        ...

    def set_rate(self, rate: float) -> None:
        """Go on at a rate, recorded seconds in a second."""
        ...

    def on_command(self, stamp_ns: int) -> None:
        """Take note of the guard's command."""
        ...

    def stuck_for_s(self) -> float:
        """Return for how long an answer has been awaited, s of wall time; 0 if none is."""
        ...

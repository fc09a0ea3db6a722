"""What plays a tape over topics has in common; `replay_lockstep` and `replay_realtime` do it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from liquid_control.nodes.pace import AnswerTimes
from liquid_control.nodes.replay.timeline import FILLED_NS, BagTick
from liquid_control.types import NANOSECONDS


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


class ReplayPace(Protocol):
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


class Lockstep:
    """Plays on only when the command stamped with the last tick is there."""

    def __init__(self, play: Play, paused: bool) -> None:
        self._play = play
        self._paused = paused
        self._begun = False
        self._steps = 0
        self._tick: BagTick | None = None
        self._since_s = 0.0

    def start(self) -> None:
        """Begin: everybody is there."""
        self._begun = True
        self._go_on()

    def pause(self, paused: bool) -> None:
        """Stop once the awaited answer is there, or go on."""
        self._paused, self._steps = paused, 0
        self._go_on()

    def step(self) -> None:
        """Play up to the next frame, and be paused after its answer."""
        self._paused = True
        self._steps += 1
        self._go_on()

    def wound(self) -> None:
        """Do nothing: an answer that is awaited still comes, and the next tick is the new one."""

    def set_rate(self, rate: float) -> None:
        """Do nothing: answers set the pace."""

    def stuck_for_s(self) -> float:
        """Return for how long an answer has been awaited, s of wall time."""
        return 0.0 if self._tick is None else time.monotonic() - self._since_s

    def on_command(self, stamp_ns: int) -> None:
        """Go on once the awaited answer is there; anything else is not for this tick."""
        tick = self._tick
        if tick is None or stamp_ns != tick.stamp_ns:
            return
        self._tick = None
        self._play.times.answered(stamp_ns, time.monotonic_ns())
        if tick.frame is not None:
            self._play.output.publish_clock(stamp_ns)
        self._go_on()

    def _go_on(self) -> None:
        if not self._begun or self._tick is not None or (self._paused and not self._steps):
            return
        self._tick = tick = self._play.advance()
        if tick is None:
            self._play.ended()
            return
        self._since_s = time.monotonic()
        self._play.publish(tick)
        if tick.frame is not None:
            self._steps = max(0, self._steps - 1)
        else:
            self._play.output.publish_clock(tick.stamp_ns)


STEADY = Clock(clock_type=ClockType.STEADY_TIME)
GRACE_S = 0.3
"""After the last tick: answers that are on their way still count."""


class RealTime:
    """Plays by the wall clock, `rate` recorded seconds in a second; nobody is waited for.

    A tick is read ahead and published when it is due. The gap of a jump, or one too long for
    anybody to sit through, is not waited for.
    """

    def __init__(self, node: Node, play: Play, paused: bool, rate: float) -> None:
        self._play = play
        self._paused = paused
        self._rate = rate
        self._begun = self._ended = False
        self._steps = 0
        self._tick: BagTick | None = None
        self._due: tuple[int, float] | None = None
        self._timer = node.create_timer(GRACE_S, self._on_timer, clock=STEADY, autostart=False)

    def start(self) -> None:
        """Begin: everybody is there."""
        self._begun = True
        self._go_on()

    def pause(self, paused: bool) -> None:
        """Stop, or go on."""
        self._paused, self._steps = paused, 0
        self._due = None
        self._go_on()

    def step(self) -> None:
        """Play up to the next frame, at once, and be paused after it."""
        self._paused = True
        self._steps += 1
        self._due = None
        self._go_on()

    def wound(self) -> None:
        """Forget the tick that was read ahead."""
        self._tick = None
        self._go_on()

    def set_rate(self, rate: float) -> None:
        """Go on at a rate from the tick played last."""
        self._rate = rate
        if self._due is not None:
            self._due = self._due[0], time.monotonic()
        self._go_on()

    def stuck_for_s(self) -> float:
        """Return 0: nobody is waited for."""
        return 0.0

    def on_command(self, stamp_ns: int) -> None:
        """Note when an answer came."""
        self._play.times.answered(stamp_ns, time.monotonic_ns())

    def _go_on(self) -> None:
        if self._ended:
            return
        self._timer.cancel()
        if not self._begun or (self._paused and not self._steps):
            return
        if self._tick is None:
            self._tick = self._play.advance()
        self._ended = self._tick is None
        self._wait(GRACE_S if self._tick is None else self._due_s(self._tick) - time.monotonic())

    def _due_s(self, tick: BagTick) -> float:
        """Return when a tick is due, s of the monotonic clock."""
        if self._due is None or self._steps or tick.jumped:
            return time.monotonic()
        stamp_ns, wall_s = self._due
        if tick.stamp_ns - stamp_ns > FILLED_NS:
            return time.monotonic()
        return wall_s + (tick.stamp_ns - stamp_ns) / NANOSECONDS / self._rate

    def _on_timer(self) -> None:
        self._timer.cancel()
        tick, self._tick = self._tick, None
        if tick is None:
            self._play.ended()
            return
        self._due = tick.stamp_ns, self._due_s(tick)
        if tick.frame is not None:
            self._steps = max(0, self._steps - 1)
        self._play.publish(tick)
        self._play.output.publish_clock(tick.stamp_ns)
        self._go_on()

    def _wait(self, seconds: float) -> None:
        self._timer.timer_period_ns = max(1000, round(seconds * 1e9))
        self._timer.reset()

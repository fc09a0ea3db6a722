"""Two ways to run a simulated or recorded flight over topics: in lockstep or in real time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Generic, Protocol, TypeVar

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from liquid_control.types import HOVER, NANOSECONDS, Command


@dataclass
class AnswerTimes:
    """Times of published frames and of their answers.

    Attributes:
        sent_ns: wall time by a frame's stamp.
        latency_ns: from frame to answer, by a frame's stamp.
        late: number of answers that arrived after the next frame was published.
    """

    sent_ns: dict[int, int] = field(default_factory=dict)
    latency_ns: dict[int, int] = field(default_factory=dict)
    late: int = 0
    _newest_ns: int = -1

    def sent(self, stamp_ns: int, wall_ns: int) -> None:
        """Note that a frame's picture is published now."""
        self.sent_ns[stamp_ns] = wall_ns
        self._newest_ns = stamp_ns

    def answered(self, stamp_ns: int, wall_ns: int) -> None:
        """Note an answer; only the first to a frame counts, others are repetitions."""
        if stamp_ns not in self.sent_ns or stamp_ns in self.latency_ns:
            return
        self.latency_ns[stamp_ns] = wall_ns - self.sent_ns[stamp_ns]
        self.late += stamp_ns < self._newest_ns

    def summary(self) -> dict[str, object]:
        """Return counts and percentiles; latencies are None without an answer.

        A late answer arrived after the next frame was published; a lost frame had none.
        """
        latency_ms = np.array(list(self.latency_ns.values())) * 1e-6
        measures = {"p50": 50.0, "p99": 99.0, "max": 100.0}
        return {
            "frames": len(self.sent_ns),
            "frames_lost": len(self.sent_ns) - len(self.latency_ns),
            "frames_late": self.late,
            "latency_ms": {
                name: float(np.percentile(latency_ms, percent)) if latency_ms.size else None
                for name, percent in measures.items()
            },
        }


STEADY = Clock(clock_type=ClockType.STEADY_TIME)
GRACE_S = 0.3
"""After the last tick in real time: answers that are on their way still count."""


class PacedTick(Protocol):
    """One instant of a flight."""

    @property
    def stamp_ns(self) -> int:
        """ROS time."""
        ...

    @property
    def framed(self) -> bool:
        """Whether it has a camera frame."""
        ...


T = TypeVar("T", bound=PacedTick)
T_contra = TypeVar("T_contra", bound=PacedTick, contravariant=True)


class TickOutput(Protocol[T_contra]):
    """Publishes ticks."""

    def publish_samples(self, tick: T_contra) -> None:
        """Publish everything that precedes the picture."""
        ...

    def publish_picture(self, tick: T_contra) -> None:
        """Publish the camera frame, if the tick has one."""
        ...

    def publish_clock(self, stamp_ns: int) -> None:
        """Publish ROS time."""
        ...


@dataclass(frozen=True)
class TickSource(Generic[T]):
    """A flight, tick by tick.

    Attributes:
        advance: returns the next tick; None at the end.
        output: publishes it.
        end: called once, at the end.
        apply_command: receives the command in force at a tick; a recorded flight ignores it.
        jumped: returns whether time jumped just before a tick.
        times: of frames and answers.
    """

    advance: Callable[[], T | None]
    output: TickOutput[T]
    end: Callable[[], None]
    apply_command: Callable[[Command], None] = lambda command: None
    jumped: Callable[[T], bool] = lambda tick: False
    times: AnswerTimes = field(default_factory=AnswerTimes)

    def publish(self, tick: T) -> None:
        """Publish a tick without its time; latency counts from just before the picture."""
        self.output.publish_samples(tick)
        if tick.framed:
            self.times.sent(tick.stamp_ns, time.monotonic_ns())
        self.output.publish_picture(tick)


class Pace(Protocol):
    """Runs a flight from start to end; a replay can also be paused, stepped and sought."""

    @property
    def awaited_ns(self) -> int | None:
        """Stamp of the tick whose answer is awaited; None if no answer is."""
        ...

    def start(self) -> None:
        """Begin: the graph is complete."""
        ...

    def pause(self, paused: bool) -> None:
        """Stop after the current tick, or continue."""
        ...

    def step(self) -> None:
        """Run up to the next frame, then pause."""
        ...

    def reposition(self) -> None:
        """Handle that the source continues at another position."""
        ...

    def set_rate(self, rate: float) -> None:
        """Continue at a rate, flight seconds per second."""
        ...

    def on_command(self, command: Command, stamp_ns: int) -> None:
        """Handle a command of the guard."""
        ...


class Lockstep(Generic[T]):
    """Advances only when the command with the last tick's stamp has arrived.

    The time of a tick with a frame is published after its answer, otherwise the guard would answer
    the time before the frame.

    Args:
        source: the flight.
        paused: whether to begin paused.
    """

    def __init__(self, source: TickSource[T], paused: bool = False) -> None:
        self._source = source
        self._paused = paused
        self._started = False
        self._steps = 0
        self._tick: T | None = None

    @property
    def awaited_ns(self) -> int | None:
        """Stamp of the tick whose answer is awaited; None if no answer is."""
        return None if self._tick is None else self._tick.stamp_ns

    def start(self) -> None:
        """Begin: the graph is complete."""
        self._started = True
        self._continue()

    def pause(self, paused: bool) -> None:
        """Stop once the awaited answer has arrived, or continue."""
        self._paused, self._steps = paused, 0
        self._continue()

    def step(self) -> None:
        """Run up to the next frame, then pause after its answer."""
        self._paused = True
        self._steps += 1
        self._continue()

    def reposition(self) -> None:
        """Do nothing: an awaited answer still arrives; the next tick is at the new position."""

    def set_rate(self, rate: float) -> None:
        """Do nothing: answers set the pace."""

    def on_command(self, command: Command, stamp_ns: int) -> None:
        """Obey the awaited answer and continue; ignore any other command."""
        tick = self._tick
        if tick is None or stamp_ns != tick.stamp_ns:
            return
        self._tick = None
        self._source.times.answered(stamp_ns, time.monotonic_ns())
        if tick.framed:
            self._source.output.publish_clock(stamp_ns)
        self._source.apply_command(command)
        self._continue()

    def _continue(self) -> None:
        if not self._started or self._tick is not None or (self._paused and not self._steps):
            return
        self._tick = tick = self._source.advance()
        if tick is None:
            self._source.end()
            return
        self._source.publish(tick)
        if tick.framed:
            self._steps = max(0, self._steps - 1)
        else:
            self._source.output.publish_clock(tick.stamp_ns)


class RealTime(Generic[T]):
    """Runs by the wall clock; the newest command at a tick is obeyed, and none is awaited.

    A tick is made ahead and published when it is due, so that the time it takes to make it does
    not shift stamps against the wall clock. A jump of time, or a long gap, is not waited for.

    Args:
        node: owner of the timer.
        source: the flight.
        rate: flight seconds per second.
        paused: whether to begin paused.
        listen_s: after a frame, do not make the next tick for so long or until the answer has
            arrived. While a simulator computes it receives nothing, and would date the answer
            later than it arrived. None: make the next tick at once.
        max_gap_s: longest time between two ticks that is waited for, s of the flight.
        command_timeout_s: hover so long after the last command arrived, s of wall time, as an
            autopilot does whose set-points stop.
    """

    def __init__(
        self,
        node: Node,
        source: TickSource[T],
        rate: float,
        paused: bool = False,
        listen_s: float | None = None,
        max_gap_s: float = inf,
        command_timeout_s: float = inf,
    ) -> None:
        self._source = source
        self._rate = rate
        self._paused = paused
        self._listen_s = listen_s
        self._max_gap_s = max_gap_s
        self._command_timeout_s = command_timeout_s
        self._arrived_s = inf
        self._started = self._ended = False
        self._steps = 0
        self._command = HOVER
        self._tick: T | None = None
        self._listening_ns: int | None = None
        self._due: tuple[int, float] | None = None
        self._timer = node.create_timer(GRACE_S, self._on_timer, clock=STEADY, autostart=False)

    @property
    def awaited_ns(self) -> int | None:
        """None: no answer is awaited."""
        return None

    def start(self) -> None:
        """Begin: the graph is complete."""
        self._started = True
        self._continue()

    def pause(self, paused: bool) -> None:
        """Stop, or continue."""
        self._paused, self._steps = paused, 0
        self._due = None
        self._continue()

    def step(self) -> None:
        """Run up to the next frame, at once, then pause."""
        self._paused = True
        self._steps += 1
        self._due = None
        self._continue()

    def reposition(self) -> None:
        """Discard the tick that was made ahead."""
        self._tick = None
        self._continue()

    def set_rate(self, rate: float) -> None:
        """Continue at a rate from the last published tick on."""
        self._rate = rate
        if self._due is not None:
            self._due = self._due[0], time.monotonic()
        self._continue()

    def on_command(self, command: Command, stamp_ns: int) -> None:
        """Keep the newest command for the next tick."""
        self._command, self._arrived_s = command, time.monotonic()
        self._source.times.answered(stamp_ns, time.monotonic_ns())
        if stamp_ns == self._listening_ns:
            self._listening_ns = None
            self._continue()

    def _continue(self) -> None:
        if self._ended or self._listening_ns is not None:
            return
        self._timer.cancel()
        if not self._started or (self._paused and not self._steps):
            return
        if self._tick is None:
            self._tick = self._source.advance()
        self._ended = self._tick is None
        self._wait(GRACE_S if self._tick is None else self._due_s(self._tick) - time.monotonic())

    def _due_s(self, tick: T) -> float:
        """Return when a tick is due, s of the monotonic clock."""
        if self._due is None or self._steps or self._source.jumped(tick):
            return time.monotonic()
        stamp_ns, wall_s = self._due
        elapsed_s = (tick.stamp_ns - stamp_ns) / NANOSECONDS
        return time.monotonic() if elapsed_s > self._max_gap_s else wall_s + elapsed_s / self._rate

    def _on_timer(self) -> None:
        self._timer.cancel()
        if self._listening_ns is not None:
            self._listening_ns = None
            self._continue()
            return
        tick, self._tick = self._tick, None
        if tick is None:
            self._source.end()
            return
        self._publish(tick)
        if self._listen_s is None:
            self._continue()
        else:
            self._listening_ns = tick.stamp_ns
            self._wait(self._listen_s if tick.framed else 0.0)

    def _publish(self, tick: T) -> None:
        self._due = tick.stamp_ns, self._due_s(tick)
        if tick.framed:
            self._steps = max(0, self._steps - 1)
        self._source.publish(tick)
        self._source.output.publish_clock(tick.stamp_ns)
        silent = time.monotonic() - self._arrived_s > self._command_timeout_s
        self._source.apply_command(HOVER if silent else self._command)

    def _wait(self, seconds: float) -> None:
        self._timer.timer_period_ns = max(1000, round(seconds * 1e9))
        self._timer.reset()

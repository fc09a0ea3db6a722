"""Two ways to run a flight over topics: step by step with its answers, or by the wall clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from liquid_control.nodes.sensor_output import SensorOutput
from liquid_control.types import HOVER, Command
from liquid_control_sim.flight import Flight, Tick


@dataclass
class AnswerTimes:
    """Frames that were sent and answers that came."""

    sent_ns: dict[int, int] = field(default_factory=dict)
    took_ns: dict[int, int] = field(default_factory=dict)
    late: int = 0
    _newest_ns: int = -1

    def sent(self, stamp_ns: int, wall_ns: int) -> None:
        """Note that a frame's picture goes out now."""
        self.sent_ns[stamp_ns] = wall_ns
        self._newest_ns = stamp_ns

    def answered(self, stamp_ns: int, wall_ns: int) -> None:
        """Note an answer; only the first to a frame counts, others are repetitions."""
        if stamp_ns not in self.sent_ns or stamp_ns in self.took_ns:
            return
        self.took_ns[stamp_ns] = wall_ns - self.sent_ns[stamp_ns]
        self.late += stamp_ns < self._newest_ns

    def summary(self) -> dict[str, object]:
        """Return counts and percentiles; latencies are None where nothing was answered.

        A late answer came after the next frame had gone out; a lost frame got none.
        """
        took_ms = np.array(list(self.took_ns.values())) * 1e-6
        measures = {"p50": 50.0, "p99": 99.0, "max": 100.0}
        return {
            "frames": len(self.sent_ns),
            "frames_lost": len(self.sent_ns) - len(self.took_ns),
            "frames_late": self.late,
            "latency_ms": {
                name: float(np.percentile(took_ms, share)) if took_ms.size else None
                for name, share in measures.items()
            },
        }


STEADY = Clock(clock_type=ClockType.STEADY_TIME)
LISTEN_S = 0.01
GRACE_S = 0.3
"""After the last tick in real time: answers that are on their way still count."""


class Pace(Protocol):
    """Runs a flight from start to end."""

    def start(self) -> None:
        """Begin."""
        ...

    def on_command(self, command: Command, stamp_ns: int) -> None:
        """Take the guard's command."""
        ...

    def stuck_for_s(self) -> float:
        """Return for how long an answer has been awaited, s of wall time; 0 if none is."""
        ...


Told = Callable[[Tick | None], None]
"""Hears each tick once its command is in force, and None when the flight has ended."""


class Lockstep:
    """Simulates on only when the command stamped with the last tick is there."""

    def __init__(
        self, node: Node, flight: Flight, output: SensorOutput, times: AnswerTimes, told: Told
    ) -> None:
        self._flight, self._output, self._times, self._told = flight, output, times, told
        self._tick: Tick | None = None
        self._since_s = 0.0

    def start(self) -> None:
        """Begin."""
        self._next()

    def stuck_for_s(self) -> float:
        """Return for how long an answer has been awaited, s of wall time."""
        return 0.0 if self._tick is None else time.monotonic() - self._since_s

    def on_command(self, command: Command, stamp_ns: int) -> None:
        """Obey the awaited answer and go on; anything else is not for this tick."""
        if self._tick is None or stamp_ns != self._tick.stamp_ns:
            return
        self._times.answered(stamp_ns, time.monotonic_ns())
        if self._tick.framed:
            self._output.publish_clock(stamp_ns)
        self._told(self._flight.obey(command))
        self._next()

    def _next(self) -> None:
        self._tick = tick = self._flight.advance()
        if tick is None:
            self._told(None)
            return
        self._since_s = time.monotonic()
        _publish(tick, self._output, self._times)
        if not tick.framed:
            self._output.publish_clock(tick.stamp_ns)


class RealTime:
    """Paces itself by the wall clock; the command obeyed is the newest that is there at a tick.

    A tick is simulated ahead and published when it is due, so that the time it takes to simulate
    does not shift stamps against the wall clock. After a frame it first listens for the answer, a
    few milliseconds at most: while it simulates it is deaf, and would take the answer for later
    than it came.
    """

    def __init__(
        self,
        node: Node,
        flight: Flight,
        output: SensorOutput,
        times: AnswerTimes,
        told: Told,
        rate: float,
    ) -> None:
        self._flight, self._output, self._times, self._told = flight, output, times, told
        self._rate = rate
        self._command = HOVER
        self._tick: Tick | None = None
        self._listening_ns: int | None = None
        self._start_s = 0.0
        self._timer = node.create_timer(GRACE_S, self._on_timer, clock=STEADY, autostart=False)

    def start(self) -> None:
        """Begin."""
        self._tick = self._flight.advance()
        self._start_s = time.monotonic()
        self._wait(0.0)

    def stuck_for_s(self) -> float:
        """Return 0: nobody is waited for."""
        return 0.0

    def on_command(self, command: Command, stamp_ns: int) -> None:
        """Keep the newest command for the next tick."""
        self._command = command
        self._times.answered(stamp_ns, time.monotonic_ns())
        if stamp_ns == self._listening_ns:
            self._simulate()

    def _on_timer(self) -> None:
        self._timer.cancel()
        if self._listening_ns is not None:
            self._simulate()
        elif self._tick is None:
            self._told(None)
        else:
            self._sense(self._tick)

    def _sense(self, tick: Tick) -> None:
        _publish(tick, self._output, self._times)
        self._output.publish_clock(tick.stamp_ns)
        self._told(self._flight.obey(self._command))
        self._listening_ns = tick.stamp_ns
        self._wait(LISTEN_S if tick.framed else 0.0)

    def _simulate(self) -> None:
        self._listening_ns = None
        self._tick = tick = self._flight.advance()
        self._wait(GRACE_S if tick is None else self._until(tick.stamp_ns))

    def _until(self, stamp_ns: int) -> float:
        return self._start_s + stamp_ns * 1e-9 / self._rate - time.monotonic()

    def _wait(self, seconds: float) -> None:
        self._timer.timer_period_ns = max(1000, round(seconds * 1e9))
        self._timer.reset()


def _publish(tick: Tick, output: SensorOutput, times: AnswerTimes) -> None:
    """Publish a tick; a frame's time runs from just before its picture goes out."""
    output.publish_samples(tick)
    if tick.framed:
        times.sent(tick.stamp_ns, time.monotonic_ns())
    output.publish_picture(tick)

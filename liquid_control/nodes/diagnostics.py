"""What a node says about itself once a second: counted events, and a warning when they go on."""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TextIO

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from liquid_control import topics
from liquid_control.nodes.qos import profile

PERIOD_S = 1.0
"""Of wall time: a simulation that stands still must still be able to say so."""


class Diagnostics:
    """Counts a node's events, logs each kind once a second at most, and publishes the counts.

    Args:
        node: whose diagnostics.
        mode: lockstep or realtime.
        extra: counts that are kept elsewhere, as the guard's.

    Attributes:
        standing: a trouble that lasts, in words; empty for none. It makes the level ERROR.
    """

    def __init__(
        self, node: Node, mode: str, extra: Callable[[], Mapping[str, int]] = dict
    ) -> None:
        self.problem = ""
        self.counts: Counter[str] = Counter()
        self._node = node
        self._extra = extra
        self._said: Mapping[str, int] = {}
        self._detail = ""
        self._publisher = node.create_publisher(
            DiagnosticArray, topics.DIAGNOSTICS, profile(topics.DIAGNOSTICS, mode)
        )
        self._timer = node.create_timer(
            PERIOD_S, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._logged_ns: dict[str, int] = {}

    def count(self, event: str, detail: str) -> None:
        """Count an event; log its detail, once a second at most for one kind of event."""
        self.counts[event] += 1
        self._detail = f"{event}: {' '.join(detail.split())}"
        now_ns = Clock(clock_type=ClockType.STEADY_TIME).now().nanoseconds
        if now_ns - self._logged_ns.get(event, -(10**18)) >= PERIOD_S * 1e9:
            self._logged_ns[event] = now_ns
            self._node.get_logger().warning(f"{self._detail} (number {self.counts[event]})")

    def publish(self) -> None:
        """Publish the counts: WARN when events were counted since the last time."""
        values = {**self.counts, **self._extra()}
        grown = sorted(key for key, value in values.items() if value > self._said.get(key, 0))
        self._said = values
        status = DiagnosticStatus(
            level=self._level(grown),
            name=self._node.get_name(),
            message=self.problem or (self._detail or ", ".join(grown) if grown else "ok"),
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _level(self, grown: list[str]) -> bytes:
        if self.problem:
            return DiagnosticStatus.ERROR
        return DiagnosticStatus.WARN if grown else DiagnosticStatus.OK


class ProgressLines:
    """Events as JSON, one a line.

    PyBullet's window writes about its graphics card to stdout, from C; from here on that goes to
    stderr, and stdout is for events alone.

    Args:
        wanted: whether to write at all.
    """

    def __init__(self, wanted: bool) -> None:
        self._stream: TextIO | None = None
        if wanted:
            self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
            os.dup2(2, 1)

    def tell(self, event: str, **values: object) -> None:
        """Write an event."""
        if self._stream is not None:
            print(json.dumps({"event": event, **values}), file=self._stream, flush=True)

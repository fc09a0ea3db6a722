"""Diagnostics of a node, once a second, and its progress as lines of JSON."""

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
"""Of wall time: a simulation that has stopped still publishes diagnostics."""


class Diagnostics:
    """Counts a node's events, logs each kind once a second at most, and publishes the counts.

    Args:
        node: whose diagnostics.
        mode: lockstep or realtime.
        extra: returns counts that are kept elsewhere, such as the guard's.

    Attributes:
        problem: description of a lasting problem; empty for none. It makes the level ERROR.
        refusal: reason why messages are refused at present; like `problem`, and named before it.
        state: named instead of `ok` while there is nothing to report.
        counts: events by kind.
    """

    def __init__(
        self, node: Node, mode: str, extra: Callable[[], Mapping[str, int]] = dict
    ) -> None:
        self.problem = self.refusal = ""
        self.state = "ok"
        self.counts: Counter[str] = Counter()
        self._node = node
        self._extra = extra
        self._published: Mapping[str, int] = {}
        self._detail = ""
        self._publisher = node.create_publisher(
            DiagnosticArray, topics.DIAGNOSTICS, profile(topics.DIAGNOSTICS, mode)
        )
        self._timer = node.create_timer(
            PERIOD_S, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._logged_ns: dict[str, int] = {}

    def count(self, event: str, detail: str) -> None:
        """Count an event and log it.

        Args:
            event: key of its count in diagnostics.
            detail: sentence about it, without a full stop.
        """
        self.counts[event] += 1
        self.log(event, detail, self.counts[event])

    def log(self, event: str, detail: str, number: int, error: bool = False) -> None:
        """Log an event that has been counted, once a second at most for one kind.

        Args:
            event: its kind.
            detail: sentence about it, without a full stop.
            number: how often it has been counted.
            error: whether to log an error; else a warning.
        """
        self._detail = " ".join(detail.split())
        now_ns = Clock(clock_type=ClockType.STEADY_TIME).now().nanoseconds
        if now_ns - self._logged_ns.get(event, -(10**18)) < PERIOD_S * 1e9:
            return
        self._logged_ns[event] = now_ns
        text = f"{self._detail} ({'once' if number == 1 else f'{number} times'})"
        if error:
            self._node.get_logger().error(text)
        else:
            self._node.get_logger().warning(text)

    def publish(self) -> None:
        """Publish the counts: WARN when events were counted since the last time."""
        values = {**self.counts, **self._extra()}
        grown = sorted(key for key, value in values.items() if value > self._published.get(key, 0))
        self._published = values
        status = DiagnosticStatus(
            level=self._level(grown),
            name=self._node.get_name(),
            message=self.refusal or self.problem or self._message(grown),
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _message(self, grown: list[str]) -> str:
        return (self._detail or ", ".join(grown)) if grown else self.state

    def _level(self, grown: list[str]) -> bytes:
        if self.problem or self.refusal:
            return DiagnosticStatus.ERROR
        return DiagnosticStatus.WARN if grown else DiagnosticStatus.OK


class ProgressLines:
    """Writes events to stdout, each as one line of JSON.

    PyBullet's window writes information about the graphics card to stdout, from C. All other
    output of the process is redirected to stderr.

    Args:
        enabled: whether to write at all.
    """

    def __init__(self, enabled: bool) -> None:
        self._stream: TextIO | None = None
        if enabled:
            self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
            os.dup2(2, 1)

    def write(self, event: str, **values: object) -> None:
        """Write an event."""
        if self._stream is not None:
            print(json.dumps({"event": event, **values}), file=self._stream, flush=True)

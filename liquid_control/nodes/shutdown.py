"""From start to clean end of a process: build nodes, spin, end on a signal with status 0.

The C++ loop of `EventsExecutor` runs no Python signal handlers while it spins, and spins for ever
once the context was shut down under it. So our own handlers only resolve a future, and the loop is
left every `LATENCY_S` to let them run; the context is shut down last.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from liquid_control.errors import LiquidControlError

LATENCY_S = 0.2
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """How the process is asked to end: by a signal, or by one of its nodes."""

    def __init__(self) -> None:
        self.future = Future()
        self.status = 0
        self.error: LiquidControlError | None = None

    def request(self, status: int = 0) -> None:
        """End with a status once the current callback is done; the first request counts."""
        if not self.future.done():
            self.status = status
            self.future.set_result(status)

    def fail(self, error: LiquidControlError) -> None:
        """End with an error: one line, and status 2."""
        if not self.future.done():
            self.error = error
            self.request(2)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Handle SIGTERM or SIGINT."""
        self.request(0)


Build = Callable[[Shutdown], Sequence[Node]]


def main_of(build: Build, linger_s: float = 0.0) -> NoReturn:
    """Be a program: run nodes, then leave at once.

    Python's own teardown of the libraries that were loaded takes longer than closing the nodes,
    and on a busy machine too long for an end within 3 s. Nothing is open any more that needs it.
    """
    status = run(build, linger_s)
    rclpy.get_default_context().destroy()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run(build: Build, linger_s: float = 0.0) -> int:
    """Run nodes in this process until they or a signal end it; return the exit status.

    Args:
        build: makes the nodes; a `LiquidControlError` that it raises becomes one line and status
            2. A node with a `close` method is closed before its context ends.
        linger_s: go on this long after the request to end, for messages on their way.
    """
    shutdown = Shutdown()
    for number in SIGNALS:
        signal.signal(number, shutdown.on_signal)
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    nodes: list[Node] = []
    try:
        nodes.extend(build(shutdown))
        _spin(nodes, shutdown, linger_s)
        if shutdown.error is not None:
            return _refuse(shutdown.error, nodes)
    except LiquidControlError as error:
        return _refuse(error, nodes)
    finally:
        _close(nodes)
    return shutdown.status


def _spin(nodes: Sequence[Node], shutdown: Shutdown, linger_s: float) -> None:
    executor = EventsExecutor()
    for node in nodes:
        executor.add_node(node)
    while not shutdown.future.done():
        executor.spin_until_future_complete(shutdown.future, LATENCY_S)
    if linger_s > 0.0:
        executor.spin_until_future_complete(Future(), linger_s)
    executor.shutdown(0)


def _close(nodes: Sequence[Node]) -> None:
    for node in nodes:
        if hasattr(node, "close"):
            node.close()
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()


def _refuse(error: LiquidControlError, nodes: Sequence[Node]) -> int:
    name = nodes[0].get_name() if nodes else os.path.basename(sys.argv[0])
    rclpy.logging.get_logger(name).error(" ".join(str(error).split()))
    return 2

"""Life of a node's process: build nodes, spin, end on a signal with status 0.

The C++ loop of `EventsExecutor` runs no Python signal handlers while it spins, and it does not
return once the context was shut down. The handlers here only resolve a future. The loop is left
every `LATENCY_S` so that they run, and the context is shut down last.
"""

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

import rclpy
from rclpy.executors import Executor
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from liquid_control.errors import LiquidControlError
from liquid_control.nodes.log_folder import ensure_log_folder
from liquid_control.nodes.systemd_notify import notifier

LATENCY_S = 0.2
MAX_LINGERS = 10
SIGNALS = (signal.SIGTERM, signal.SIGINT)
OWN_CLOCK = ("--ros-args", "--remap", "/clock:=clock")
"""rclpy reads simulated time from `/clock`; in a namespace each graph has its own."""


class Shutdown:
    """Request to end the process, by a signal or by one of its nodes."""

    def __init__(self) -> None:
        self.future = Future()
        self.status = 0
        self.error: LiquidControlError | None = None

    def request(self, status: int = 0) -> None:
        """End with a status once the current callback has returned; the first request counts."""
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
MakeExecutor = Callable[[], Executor]


def main_of(
    build: Build, linger_s: float = 0.0, executor: MakeExecutor = EventsExecutor
) -> NoReturn:
    """Run nodes as a program, then exit without Python's teardown.

    The teardown of the loaded libraries takes longer than closing the nodes, on a busy machine
    too long for an end within 3 s. No open resource needs it.
    """
    status = run(build, linger_s, executor)
    rclpy.get_default_context().destroy()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run(build: Build, linger_s: float = 0.0, executor: MakeExecutor = EventsExecutor) -> int:
    """Run nodes in this process until they or a signal end it; return the exit status.

    Args:
        build: makes the nodes; a `LiquidControlError` that it raises is logged in one line, with
            status 2. A node with a `close` method is closed before its context ends.
        linger_s: continue for so long after the request to end, for messages on their way, s;
            `MAX_LINGERS` times at most while the attribute `linger_state` of a node changes.
        executor: makes the executor; `EventsExecutor` runs no coroutines.
    """
    shutdown = Shutdown()
    for number in SIGNALS:
        signal.signal(number, shutdown.on_signal)
    ensure_log_folder()
    rclpy.init(args=[*sys.argv, *OWN_CLOCK], signal_handler_options=SignalHandlerOptions.NO)
    nodes: list[Node] = []
    try:
        nodes.extend(build(shutdown))
        gc.freeze()  # a full collection would go through all modules, for tens of milliseconds
        _spin(executor(), nodes, shutdown, linger_s)
        if shutdown.error is not None:
            return _refuse(shutdown.error, nodes)
    except LiquidControlError as error:
        return _refuse(error, nodes)
    finally:
        _close(nodes)
    return shutdown.status


def _spin(executor: Executor, nodes: Sequence[Node], shutdown: Shutdown, linger_s: float) -> None:
    for node in nodes:
        executor.add_node(node)
    systemd = notifier()
    systemd.ready()
    while not shutdown.future.done():
        executor.spin_until_future_complete(shutdown.future, LATENCY_S)
        systemd.alive()
    systemd.stopping()
    if linger_s > 0.0:
        _linger(executor, nodes, linger_s)
    executor.shutdown(0)


def _linger(executor: Executor, nodes: Sequence[Node], linger_s: float) -> None:
    """Receive messages on their way; a busy machine needs more than one period for them."""
    for _ in range(MAX_LINGERS):
        before = [getattr(node, "linger_state", None) for node in nodes]
        executor.spin_until_future_complete(Future(), linger_s)
        if before == [getattr(node, "linger_state", None) for node in nodes]:
            return


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

"""Foxglove node's program: a process of low priority with one numerical thread."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from liquid_control.nodes.program import end_process
from liquid_control.process_pool import limit_threads

NICENESS = 10
AUTOGROUP = Path("/proc/self/autogroup")


def yield_processor() -> None:
    """Let every other process of the flight run first.

    A process of Linux's idle class leaves the processor as soon as another one can run; a
    nice one finishes its share before. Elsewhere the node is nice.

    The system compares the priorities of processes within a session only, where it groups them by
    session; the group of a session that begins with this process gets the same niceness.
    """
    with suppress(OSError):
        os.nice(NICENESS)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            AUTOGROUP.write_text(str(NICENESS))


def main() -> None:
    """Run foxglove_node.

    The library of NumPy's matrix products has a thread for each core, and after each product they
    wait for the next one without leaving the core. It reads its limit when it is imported.

    On a busy machine this process may still import when the flight has ended.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_process)
    yield_processor()
    limit_threads()
    from liquid_control.nodes.shutdown import main_of
    from liquid_control.nodes.viewer_node import FoxgloveNode

    main_of(lambda shutdown: [FoxgloveNode(shutdown)])


if __name__ == "__main__":
    main()

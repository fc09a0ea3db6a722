"""Interrupts by Ctrl-C that are not lost.

Python ignores an exception in a callback of a weak reference or in `__del__`, also a
`KeyboardInterrupt` that happens to be raised there, for example during an import. The handler of
this module remembers the interrupt, and loops of long commands raise it again.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_received = threading.Event()


@contextmanager
def interrupts_remembered() -> Iterator[None]:
    """Remember SIGINT in the block; without effect where it is ignored or handled otherwise."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _received.clear()
    signal.signal(signal.SIGINT, _remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _received.clear()


def _remember(number: int, frame: FrameType | None) -> NoReturn:
    _received.set()
    raise KeyboardInterrupt


def check_interrupt() -> None:
    """Raise KeyboardInterrupt if an earlier one was lost.

    Raises:
        KeyboardInterrupt: SIGINT was received, and the code that it interrupted went on.
    """
    if _received.is_set():
        _received.clear()
        raise KeyboardInterrupt

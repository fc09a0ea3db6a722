"""Ctrl-C and SIGTERM while workers start: held back, so that none is left half-started."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

ENDINGS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Act on signals only after the block.

    Processes started inside inherit that both are blocked: Ctrl-C, which a terminal sends to all
    of them, stays with the parent; `let_terminate` lets SIGTERM through in the child.
    """
    resource_tracker.ensure_running()  # on its own start it would unblock both
    with _held_back():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_terminate() -> None:
    """Let SIGTERM through again, in a process that was started undisturbed."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))


@contextmanager
def _held_back() -> Iterator[None]:
    """Keep signals for later: masks are a thread's, and another thread may be hit by them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in ENDINGS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, signal.SIG_DFL if handler is None else handler)
        for number in came:
            signal.raise_signal(number)

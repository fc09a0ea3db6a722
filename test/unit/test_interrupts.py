"""A lost Ctrl-C is raised again."""

import signal
import time
import weakref

import pytest

from liquid_control.interrupts import check_interrupt, interrupts_remembered
from liquid_control.process_pool import run_tasks

pytestmark = [
    pytest.mark.unit,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Thing:
    """Something to refer to weakly."""


def lose_an_interrupt():
    """Receive SIGINT in a callback of a weak reference, where Python ignores it."""

    def callback(_):
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.05)

    thing = Thing()
    reference = weakref.ref(thing, callback)
    del thing
    assert reference() is None


def test_python_loses_an_interrupt_in_a_callback_and_it_is_raised_again():
    with interrupts_remembered():
        lose_an_interrupt()
        with pytest.raises(KeyboardInterrupt):
            check_interrupt()
        check_interrupt()


def test_an_interrupt_that_was_not_lost_ends_the_block_at_once():
    def interrupted():
        with interrupts_remembered():
            signal.raise_signal(signal.SIGINT)
            time.sleep(1.0)
            pytest.fail("not interrupted")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    check_interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_remembered():
            signal.raise_signal(signal.SIGINT)
            check_interrupt()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_pool_ends_after_a_lost_interrupt():
    with interrupts_remembered():
        lose_an_interrupt()
        with pytest.raises(KeyboardInterrupt):
            run_tasks([1], lambda: pytest.fail("no worker starts"), 1)

import os
import signal
import threading

import pytest

from liquid_control.process_pool import ENDINGS, undisturbed

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_waits_until_the_block_is_done(number):
    steps = []
    before = signal.signal(number, lambda *_: steps.append("signal"))
    try:
        with undisturbed():
            os.kill(os.getpid(), number)
            steps.append("block")
        assert steps == ["block", "signal"]
        os.kill(os.getpid(), number)
        assert steps == ["block", "signal", "signal"]
    finally:
        signal.signal(number, before)


def test_a_signal_that_hits_another_thread_waits_too():
    steps, stop = [], threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()

    def interrupted():
        with undisturbed():
            signal.pthread_kill(thread.ident, signal.SIGINT)
            stop.wait(0.2)
            steps.append("block")

    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert steps == ["block"]
    finally:
        stop.set()
        thread.join()


def test_the_mask_is_as_it_was():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with undisturbed():
        assert set(ENDINGS) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before

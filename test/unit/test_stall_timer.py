"""Timeouts that count only while nothing progresses, with a clock and CPU times by hand."""

import os
import subprocess
import sys
import time

import pytest

from liquid_control.stall_timer import MAX_STEP_S, MAX_WORK, StallTimer, cpu_time_s, siblings

pytestmark = pytest.mark.unit

LIMIT_S = 10.0


class Machine:
    """A clock, and awaited processes that use a fraction of a core."""

    def __init__(self, load: float = 0.0) -> None:
        self.now_s = 100.0
        self.cpu_s = 5.0
        self.load = load
        self.timer = StallTimer(LIMIT_S, lambda: self.cpu_s, lambda: self.now_s)

    def expires_after(self, state=lambda now_s: None, limit_s: float = 1000.0) -> float | None:
        """Return the time after which the timer has expired; None within a limit."""
        for tenth in range(1, round(limit_s * 10)):
            self.now_s += 0.1
            self.cpu_s += 0.1 * self.load
            if self.timer.expired(state(0.1 * tenth)):
                return 0.1 * tenth
        return None


def test_without_progress_the_limit_is_a_wall_time():
    assert Machine().expires_after() == pytest.approx(LIMIT_S, abs=0.2)


def test_a_changed_state_restarts_the_limit():
    assert Machine().expires_after(lambda now_s: min(now_s // 3, 5)) == pytest.approx(
        15.0 + LIMIT_S, abs=0.2
    )


def test_processes_that_work_restart_the_limit_whatever_the_wall_time():
    assert Machine(load=0.05).expires_after() is None


def test_idle_processes_do_not_restart_the_limit():
    assert Machine(load=0.013).expires_after() == pytest.approx(LIMIT_S, abs=0.2)


def test_work_without_a_result_has_a_limit_of_cpu_time():
    expected_s = MAX_WORK * LIMIT_S
    assert Machine(load=1.0).expires_after() == pytest.approx(expected_s, abs=2.1 * LIMIT_S)
    assert Machine(load=0.5).expires_after() == pytest.approx(2 * expected_s, abs=2.1 * LIMIT_S)


def test_time_in_which_the_waiting_process_did_not_run_does_not_count():
    machine = Machine()
    machine.now_s += 1000.0
    assert not machine.timer.expired()
    assert machine.expires_after() == pytest.approx(LIMIT_S - MAX_STEP_S, abs=0.2)


def test_a_restart_begins_a_new_wait():
    machine = Machine()
    machine.now_s += 0.9 * LIMIT_S
    machine.timer.expired()
    machine.timer.restart()
    assert machine.expires_after() == pytest.approx(LIMIT_S, abs=0.2)


def test_cpu_time_is_that_of_the_processes():
    before_s = cpu_time_s([os.getpid()])
    end_s = time.process_time() + 0.2
    while time.process_time() < end_s:
        pass
    assert 0.1 < cpu_time_s([os.getpid()]) - before_s < 1.0
    assert cpu_time_s([2**22 + 1]) == 0.0


def test_siblings_run_one_of_the_programs_and_have_the_same_parent():
    observer = (
        "import sys, time; from liquid_control.stall_timer import siblings\n"
        "while not (found := siblings(['some_node'])): time.sleep(0.01)\n"
        "print(*found)"
    )
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    node = subprocess.Popen([*sleep, "package.some_node", "--ros-args"])
    other = subprocess.Popen([*sleep, "package.other_node", "--ros-args"])
    try:
        found = subprocess.run(
            [sys.executable, "-c", observer], capture_output=True, text=True, check=True
        )
        assert found.stdout.split() == [str(node.pid)]
        assert node.pid not in siblings(["some_node"])
    finally:
        for process in (node, other):
            process.kill()
            process.wait()

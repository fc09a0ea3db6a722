import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from liquid_control.errors import ConfigError, OutputError
from liquid_control.process_pool import (
    TERMINATION_SIGNALS,
    THREAD_LIMITS,
    WorkerError,
    one_thread_each,
    run_tasks,
    signals_deferred,
)

pytestmark = pytest.mark.unit


def test_child_processes_inherit_one_thread_and_the_parents_limits_are_restored(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_thread_each():
        assert {os.environ[name] for name in THREAD_LIMITS} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


TASKS = """
import os, signal, time
from liquid_control.errors import ConfigError
from liquid_control.process_pool import run_tasks

def prepare():
    made = os.getpid()
    return lambda task: run(task, made)

def run(task, made):
    if task == "pid":
        return made, os.environ["OMP_NUM_THREADS"]
    if task == "wait":
        time.sleep(60)
    if task == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "error":
        raise ConfigError("jobs: expected 1, got 2")
    if task == "full":
        raise OSError(28, "No space left on device", "/d")
    if task == "bug":
        raise ZeroDivisionError("a bug")
    return task
"""


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Return the function that prepares workers, in a module that they can import."""
    (tmp_path / "pool_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pool_tasks", raising=False)
    import pool_tasks

    return pool_tasks.prepare


def test_results_have_the_order_of_the_tasks_and_workers_are_replaced(prepare):
    received = {}
    tasks = ["pid", "pid", "pid"]
    results = run_tasks(tasks, prepare, 1, received.__setitem__, tasks_per_worker=2)
    assert received == dict(enumerate(results))
    pids = [pid for pid, _ in results]
    assert pids[0] == pids[1] != pids[2]
    assert os.getpid() not in pids
    assert {limit for _, limit in results} == {"1"}


def test_without_tasks_no_process_starts(prepare):
    assert run_tasks([], prepare, 2) == []


def test_a_full_disk_in_a_worker_is_one_clear_error(prepare):
    with pytest.raises(OutputError, match=r"^/d: cannot be written \(No space left on device\)$"):
        run_tasks(["full"], prepare, 1)


def test_a_task_without_limit_keeps_its_worker_and_both_workers_run(prepare):
    results = run_tasks(["a", "b", "c", "d"], prepare, 2)
    assert results == ["a", "b", "c", "d"]


def test_an_error_of_a_task_is_raised_with_its_type_and_message(prepare):
    with pytest.raises(ConfigError, match=r"^jobs: expected 1, got 2$"):
        run_tasks(["a", "error", "b"], prepare, 1)


@pytest.mark.parametrize(("task", "status"), [("kill", -signal.SIGKILL), ("bug", 1)])
def test_a_worker_that_ends_is_one_clear_error(prepare, capfd, task, status):
    with pytest.raises(WorkerError, match=f"ended with status {status} .* task 1;") as raised:
        run_tasks(["a", task], prepare, 1)
    assert (raised.value.index, raised.value.status) == (1, status)
    assert ("ZeroDivisionError: a bug" in capfd.readouterr().err) == (task == "bug")


PARENT = """
if __name__ == "__main__":
    def report(index, result):
        print(result[0], flush=True)
        {action}
    run_tasks(["pid", "wait"], prepare, 1, report)
"""


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT),
        ("raise SystemExit(3)", 3),
    ],
)
def test_workers_end_with_the_process_that_started_them(tmp_path, action, status):
    path = tmp_path / "parent.py"
    path.write_text(TASKS + PARENT.format(action=action))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=60, env=environment
    )
    assert done.returncode == status
    orphan = int(done.stdout)
    deadline = time.monotonic() + 20.0
    while Path(f"/proc/{orphan}").exists() and not is_zombie(orphan):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.05)


def is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


@pytest.mark.parametrize("number", TERMINATION_SIGNALS)
def test_a_signal_waits_until_the_block_is_done(number):
    steps = []
    before = signal.signal(number, lambda *_: steps.append("signal"))
    try:
        with signals_deferred():
            signal.raise_signal(number)
            steps.append("block")
        assert steps == ["block", "signal"]
        signal.raise_signal(number)
        assert steps == ["block", "signal", "signal"]
    finally:
        signal.signal(number, before)


def test_a_signal_to_another_thread_waits_too():
    steps, stop = [], threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()

    def interrupted():
        with signals_deferred():
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


def test_the_signal_mask_is_restored():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with signals_deferred():
        assert set(TERMINATION_SIGNALS) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_limited_process_has_one_numerical_thread_unless_the_user_set_another_number():
    program = (
        "from liquid_control.process_pool import limit_threads; limit_threads(); "
        "import os, numpy; numpy.ones((400, 400)) @ numpy.ones((400, 400)); "
        "print(len(os.listdir('/proc/self/task')), os.environ['MKL_NUM_THREADS'])"
    )
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_LIMITS}
    path = os.pathsep.join(filter(None, sys.path))
    environment |= {"PYTHONPATH": path, "MKL_NUM_THREADS": "3"}
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1", "3"]

"""Parallel tasks in spawned worker processes: results as they come, in a list by task order."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from liquid_control.errors import LiquidControlError
from liquid_control.files import full_disk_error
from liquid_control.interrupts import check_interrupt

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerError(LiquidControlError):
    """A worker process ended before it returned the result of its task.

    Attributes:
        index: of the task.
        status: exit status of the process; negative for a signal; None on another machine.
        how: how the worker ended, in words that follow "a worker".
    """

    def __init__(self, index: int, status: int | None, how: str = "") -> None:
        self.index, self.status = index, status
        self.how = how or f"ended with status {status}"
        super().__init__(
            f"a worker {self.how} while it ran task {index}; its own message, if any, stands above"
        )


def run_tasks(
    tasks: Sequence[Task],
    prepare: Callable[[], Callable[[Task], Result]],
    workers: int,
    on_result: Callable[[int, Result], None] | None = None,
    tasks_per_worker: int | None = None,
    nested: bool = False,
) -> list[Result]:
    """Run tasks in worker processes with one numerical thread each.

    A worker receives its next task when it has returned the result of the last one. It is
    replaced after `tasks_per_worker` tasks: PyBullet leaks about 4 MB a forest. Workers end with
    this process, however it ends, and when this function returns or raises.

    Args:
        tasks: inputs, each picklable.
        prepare: called once in each worker; returns the function that runs a task. Picklable.
        workers: number of processes at a time.
        on_result: receives the index and the result of each task as it comes, in any order.
        tasks_per_worker: tasks after which a worker is replaced; None for no limit.
        nested: whether a task may start worker processes of its own.

    Returns:
        The results in the order of the tasks.

    Raises:
        WorkerError: a worker process ended before it returned a result: a crash, or an error
            other than a `LiquidControlError`, whose traceback the worker prints to stderr.
        LiquidControlError: the error that `prepare` or a task raised, as it was raised.
    """
    waiting = deque(enumerate(tasks))
    results: dict[int, Result] = {}
    active: list[_Worker[Task, Result]] = []
    try:
        while waiting or active:
            check_interrupt()
            while waiting and len(active) < workers:
                with signals_deferred():
                    active.append(_Worker(prepare, tasks_per_worker, nested))
                active[-1].give(waiting)
            for worker in _ready(active):
                answer = worker.receive()
                if answer is None:
                    active.remove(worker)
                    continue
                results[answer[0]] = answer[1]
                worker.give(waiting)
                if on_result is not None:
                    on_result(*answer)
    finally:
        _terminate(active)
    return [results[index] for index in range(len(tasks))]


class _Worker(Generic[Task, Result]):
    """A worker process, its pipe, and the index of its task."""

    def __init__(
        self,
        prepare: Callable[[], Callable[[Task], Result]],
        limit: int | None,
        nested: bool = False,
    ) -> None:
        context = get_context("spawn")
        self.pipe, remote = context.Pipe()
        self.process = context.Process(target=_work, args=(remote,), daemon=not nested)
        self._index, self._left = -1, limit
        with one_thread_each():
            self.process.start()
        remote.close()
        self._send(prepare)

    def give(self, waiting: "deque[tuple[int, Task]]") -> None:
        """Send the next task; end the worker if no task waits or its limit is reached."""
        if not waiting or self._left == 0:
            self._index = -1
            self._send(None)
            return
        task = waiting.popleft()
        self._index = task[0]
        self._left = None if self._left is None else self._left - 1
        self._send(task)

    def _send(self, value: object) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # `receive` reports a dead process
            self.pipe.send(value)

    def receive(self) -> tuple[int, Result] | None:
        """Return the index and result of the task; None if the process ended after its last."""
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.pipe.close()
            if self._index >= 0:
                raise WorkerError(self._index, self.process.exitcode) from None
            return None
        if isinstance(answer, LiquidControlError):
            raise answer
        index, result = answer
        return index, result


def _ready(active: "Sequence[_Worker[Task, Result]]") -> "list[_Worker[Task, Result]]":
    ready = wait([worker.pipe for worker in active])
    return [worker for worker in active if worker.pipe in ready]


def _terminate(active: "Sequence[_Worker[Any, Any]]") -> None:
    for worker in active:
        worker.process.terminate()
    for worker in active:
        worker.process.join(timeout=5)
        if worker.process.exitcode is None:
            worker.process.kill()
        with suppress(OSError):
            worker.pipe.close()


def _work(pipe: "Connection[Any, Any]") -> None:
    """Run tasks from the pipe until it sends None."""
    unblock_sigterm()
    _exit_with_parent()
    try:
        run = pipe.recv()()
        while (item := pipe.recv()) is not None:
            index, task = item
            pipe.send((index, run(task)))
    except LiquidControlError as error:
        pipe.send(error)
    except Exception as error:
        if (full := full_disk_error(error)) is None:
            raise
        pipe.send(full)
    finally:
        pipe.close()


def _exit_with_parent() -> None:
    """End this process when its parent is gone, however the parent ended."""
    parent = parent_process()

    def join_parent() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=join_parent, daemon=True).start()


THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
    "NUMBA_NUM_THREADS",
)
"""Environment variables that limit the threads of numerical libraries."""


def limit_threads() -> None:
    """Limit this process to one numerical thread, unless the user has set another number.

    It has an effect on a library that is not imported yet. Small matrix products gain nothing from
    threads, and threads that wait for work take a core from those that decode pictures.
    """
    for name in THREAD_LIMITS:
        os.environ.setdefault(name, "1")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Limit processes that are started in the block to one numerical thread each."""
    before = {name: os.environ.get(name) for name in THREAD_LIMITS}
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


TERMINATION_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Act on SIGINT and SIGTERM only after the block.

    Processes that are started in the block inherit that both are blocked. Ctrl-C, which a
    terminal sends to all of them, is left to the parent; `unblock_sigterm` unblocks SIGTERM in
    the child.
    """
    resource_tracker.ensure_running()  # its own start would unblock both
    with _handlers_deferred():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINATION_SIGNALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock_sigterm() -> None:
    """Unblock SIGTERM in a process that was started with signals deferred."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))


@contextmanager
def _handlers_deferred() -> Iterator[None]:
    """Queue signals that another thread receives; signal masks apply to one thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda received_number, _: received.append(received_number))
        for number in TERMINATION_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for late in received:
            signal.raise_signal(late)

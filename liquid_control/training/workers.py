"""Flights in parallel processes, each job leaving one file: what has a file is not flown again.

Workers never import torch and use one thread each. They are renewed often, since PyBullet leaks a
few megabytes a forest, and they end when the process that started them dies, however it dies.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Protocol

from liquid_control.errors import OutputError
from liquid_control.process_pool import one_thread_each, start_pool


class Job(Protocol):
    """Work that ends by putting one file in its place; sent to a worker by pickling."""

    @property
    def path(self) -> Path:
        """The file that the work leaves."""
        ...

    def run(self) -> None:
        """Do the work."""
        ...


def run_jobs(
    jobs: Sequence[Job], workers: int, restart_every: int, on_done: Callable[[Job], None]
) -> None:
    """Run the jobs that have no file yet, in parallel.

    Args:
        jobs: all jobs; those whose file exists count as done at once.
        workers: processes at a time.
        restart_every: jobs after which a process is replaced.
        on_done: told of each job whose file is there, in any order.

    Raises:
        LiquidControlError: what a job raised, or `OutputError` where a process died.
    """
    waiting = []
    for job in jobs:
        if job.path.exists():
            on_done(job)
        else:
            waiting.append(job)
    batch = workers * restart_every
    for start in range(0, len(waiting), batch):
        _run_batch(waiting[start : start + batch], workers, on_done)


def _run_batch(jobs: Sequence[Job], workers: int, on_done: Callable[[Job], None]) -> None:
    with one_thread_each():
        executor = start_pool(min(workers, len(jobs)))
        futures = {executor.submit(_run, job): job for job in jobs}
    try:
        for future in as_completed(futures):
            _check(future, futures[future])
            on_done(futures[future])
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _run(job: Job) -> None:
    job.run()


def _check(future: "Future[None]", job: Job) -> None:
    try:
        future.result()
    except BrokenProcessPool as error:
        raise OutputError(
            f"a worker died while flying {job.path.stem} or a flight beside it; "
            "its own message, if any, stands above; --resume goes on"
        ) from error

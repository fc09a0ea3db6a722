"""Parallel jobs that each leave one file: a job whose file exists is not run again.

Workers never import torch.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from liquid_control.errors import OutputError
from liquid_control.executors import Executor, run_tasks
from liquid_control.process_pool import WorkerError


class Job(Protocol):
    """Work that ends by writing one file; picklable."""

    @property
    def path(self) -> Path:
        """The file that the job writes."""
        ...

    def run(self) -> None:
        """Do the work and write the file."""
        ...


def run_jobs(
    jobs: Sequence[Job],
    workers: int | Executor,
    restart_every: int,
    on_done: Callable[[Job], None],
) -> None:
    """Run the jobs whose file does not exist yet, in parallel.

    Args:
        jobs: all jobs; those whose file exists count as done at once.
        workers: processes at a time, or an `Executor`; all jobs then write below one folder.
        restart_every: jobs after which a process is replaced.
        on_done: receives each job whose file exists, in any order.

    Raises:
        LiquidControlError: the error that a job raised, or `OutputError` where a process died.
    """
    waiting = []
    for job in jobs:
        if job.path.exists():
            on_done(job)
        else:
            waiting.append(job)
    folders = [job.path.parent.absolute() for job in waiting]
    writes = Path(os.path.commonpath(folders)) if folders else None

    def report(index: int, _: None) -> None:
        on_done(waiting[index])

    try:
        run_tasks(waiting, _runner, workers, report, restart_every, writes=writes)
    except WorkerError as error:
        raise OutputError(
            f"a worker died while flying {waiting[error.index].path.stem} (it {error.how}); "
            f"its own message, if any, stands above; --resume goes on"
        ) from error


def _runner() -> Callable[[Job], None]:
    return _run


def _run(job: Job) -> None:
    job.run()

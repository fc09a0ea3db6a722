"""Parallel jobs that each leave one file: a job whose file exists is not run again.

Workers never import torch.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from liquid_control.errors import OutputError
from liquid_control.process_pool import WorkerError, run_tasks


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
    jobs: Sequence[Job], workers: int, restart_every: int, on_done: Callable[[Job], None]
) -> None:
    """Run the jobs whose file does not exist yet, in parallel.

    Args:
        jobs: all jobs; those whose file exists count as done at once.
        workers: processes at a time.
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
    try:
        run_tasks(waiting, _runner, workers, lambda i, _: on_done(waiting[i]), restart_every)
    except WorkerError as error:
        raise OutputError(
            f"a worker died while flying {waiting[error.index].path.stem} (status "
            f"{error.status}); its own message, if any, stands above; --resume goes on"
        ) from error


def _runner() -> Callable[[Job], None]:
    return _run


def _run(job: Job) -> None:
    job.run()

"""Where parallel tasks run: in processes of this machine, or on a Ray cluster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from liquid_control.dependencies import check_installed
from liquid_control.errors import ConfigError
from liquid_control.process_pool import Result, Task
from liquid_control.process_pool import run_tasks as run_locally
from liquid_control.ray_pool import run_on_ray

LOCAL, RAY = "local", "ray"


@dataclass(frozen=True, slots=True)
class Executor:
    """Where tasks run.

    Attributes:
        workers: tasks at a time.
        kind: `local` for processes of this machine, `ray` for those of a Ray cluster.
        address: of the cluster, HOST:PORT; None for the cluster that `ray.init` finds, by
            `RAY_ADDRESS` or `ray start` on this machine, or else a new one on this machine.
    """

    workers: int = 2
    kind: str = LOCAL
    address: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"jobs: expected at least 1 worker, got {self.workers}")
        if self.kind not in (LOCAL, RAY):
            raise ConfigError(f"executor: expected {LOCAL} or {RAY}, got {self.kind!r}")
        if self.address is None:
            return
        if self.kind != RAY:
            raise ConfigError(f"address {self.address}: expected executor {RAY}, got {self.kind}")
        if "://" in self.address:
            raise ConfigError(
                f"address: expected HOST:PORT of a Ray cluster that this machine is a node of, "
                f"got {self.address}"
            )

    def check(self) -> None:
        """Check that the package that this executor needs is installed.

        Raises:
            DependencyError: it is not.
        """
        if self.kind == RAY:
            check_installed("ray", "ray", "run tasks on a Ray cluster (--executor ray)")


def executor_of(workers: int | Executor) -> Executor:
    """Return an executor as it is; for a number, that many processes of this machine."""
    return workers if isinstance(workers, Executor) else Executor(workers)


def run_tasks(
    tasks: Sequence[Task],
    prepare: Callable[[], Callable[[Task], Result]],
    workers: int | Executor,
    on_result: Callable[[int, Result], None] | None = None,
    tasks_per_worker: int | None = None,
    writes: Path | None = None,
) -> list[Result]:
    """Run tasks where an executor runs them; see `process_pool.run_tasks`.

    On a Ray cluster, results are the same. The task of a worker that is lost is run again
    elsewhere. A `Path` in a task or in `prepare` that names a folder stands for its content, which
    is sent along, and files that a task writes below `writes` are sent back and written there.

    Args:
        tasks: inputs, each picklable.
        prepare: called once in each worker; returns the function that runs a task. Picklable.
        workers: number of processes at a time on this machine, or an executor.
        on_result: receives the index and the result of each task as it comes, in any order.
        tasks_per_worker: tasks after which a worker is replaced; None for no limit.
        writes: folder that tasks write files into; None if they write none.

    Returns:
        The results in the order of the tasks.

    Raises:
        WorkerError: a worker ended, on a Ray cluster several in turn, before it returned a result.
        ConfigError: a worker of the cluster has other versions than this process.
        LiquidControlError: the error that `prepare` or a task raised, as it was raised; or the
            cluster cannot be reached.
    """
    executor = executor_of(workers)
    if executor.kind == RAY:
        where = executor.workers, executor.address
        return run_on_ray(tasks, prepare, *where, on_result, tasks_per_worker, writes)
    return run_locally(tasks, prepare, executor.workers, on_result, tasks_per_worker)

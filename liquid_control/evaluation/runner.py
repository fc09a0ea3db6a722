"""Many flights in parallel processes, with rows in the order of the jobs.

PyBullet leaks about 4 MB a forest, so a worker flies a short batch and is replaced. A worker that
dies (a crash in native code, no memory) is one clear error, never a run that hangs.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TypeAlias

from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.evaluation.bag_recorder import RecordingOptions
from liquid_control.evaluation.campaign import FlightJob
from liquid_control.evaluation.results import FlightRow
from liquid_control.interfaces import Flyer, Pilot
from liquid_control.process_pool import let_terminate, one_thread_each, undisturbed
from liquid_control.progress import progress_bar

FLIGHTS_A_LOG_LINE = 25
"""From one line to the next, where stderr is no terminal."""

FlyerFactory: TypeAlias = Callable[[], Flyer]
"""Makes the flyer inside the worker; must be picklable, so that a simulator need not be."""

PilotFactory: TypeAlias = Callable[[], Pilot]
"""Makes a pilot inside the worker; must be picklable."""

Answer: TypeAlias = "tuple[int, FlightRow] | str"
"""The index of a job and its row, or one line that says why the worker gave up."""


def fly_batch(
    batch: Sequence[tuple[int, FlightJob]],
    flyer: FlyerFactory,
    pilots: Mapping[str, PilotFactory],
    pipe: "Connection[Answer, None]",
    recording: RecordingOptions | None = None,
) -> None:
    """Fly the batch and send each row as it comes; an error of ours is sent as its line."""
    let_terminate()
    try:
        fly = flyer()
        made: dict[str, Pilot] = {}
        for index, job in batch:
            if job.model not in made:
                made[job.model] = pilots[job.model]()
            pipe.send((index, _flown(fly, job, made[job.model], recording)))
    except LiquidControlError as error:
        pipe.send(str(error))
    finally:
        pipe.close()


def _flown(
    fly: Flyer, job: FlightJob, pilot: Pilot, recording: RecordingOptions | None
) -> FlightRow:
    """Fly a job; what failed is flown again for its bag: the same seed gives the same flight."""
    if recording is None or recording.failures_only:
        result = fly(job.scenario, job.seed, pilot).result
        if recording is None or result.success:
            return FlightRow.of(job, result)
    from liquid_control.evaluation.bag_recorder import fly_and_record

    record = fly_and_record(fly, job, pilot, recording.path(job), recording.image)
    return FlightRow.of(job, record.result, recording.name(job))


BATCH = 25
"""Flights a worker flies before it is replaced."""

_Batch = Sequence[tuple[int, FlightJob]]


@dataclass(frozen=True, slots=True)
class _Worker:
    process: SpawnProcess
    pipe: "Connection[None, Answer]"
    batch: _Batch


def run_flights(
    jobs: Sequence[FlightJob],
    flyer: FlyerFactory,
    pilots: Mapping[str, PilotFactory],
    workers: int = 1,
    on_row: Callable[[FlightRow], None] | None = None,
    batch_size: int = BATCH,
    recording: RecordingOptions | None = None,
) -> list[FlightRow]:
    """Fly all jobs and return their rows in the order of the jobs.

    Args:
        jobs: what to fly.
        flyer: makes the flyer inside each worker.
        pilots: makes the pilots, by the jobs' model label.
        workers: how many processes fly at a time.
        on_row: told of each row as it comes, in any order.
        batch_size: flights after which a worker is replaced.
        recording: which flights become bags; none of them if None.

    Raises:
        ConfigError: `workers` is below one, or two flights would write one bag.
        OutputError: a bag exists already.
        LiquidControlError: a worker died, or met an error that it could name.
    """
    if workers < 1:
        raise ConfigError(f"jobs: expected at least 1 worker, got {workers}")
    if recording is not None:
        recording.check(jobs)
    rows: dict[int, FlightRow] = {}
    waiting = _batches(jobs, workers, batch_size)
    active: list[_Worker] = []
    try:
        while waiting or active:
            while waiting and len(active) < workers:
                with undisturbed():
                    active.append(_start(waiting.pop(0), flyer, pilots, recording))
            for worker in _ready(active):
                if not _receive(worker, rows, on_row):
                    active.remove(worker)
    finally:
        _end(active)
    return [rows[index] for index in range(len(jobs))]


def _batches(jobs: Sequence[FlightJob], workers: int, batch_size: int) -> list[_Batch]:
    size = max(1, min(batch_size, -(-len(jobs) // workers)))
    indexed = list(enumerate(jobs))
    return [indexed[start : start + size] for start in range(0, len(indexed), size)]


def _start(
    batch: _Batch,
    flyer: FlyerFactory,
    pilots: Mapping[str, PilotFactory],
    recording: RecordingOptions | None,
) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=fly_batch, args=(batch, flyer, pilots, theirs, recording), daemon=True
    )
    with one_thread_each():
        process.start()
    theirs.close()
    return _Worker(process, ours, batch)


def _ready(active: Sequence[_Worker]) -> list[_Worker]:
    ready = wait([worker.pipe for worker in active])
    return [worker for worker in active if worker.pipe in ready]


def _receive(
    worker: _Worker, rows: dict[int, FlightRow], on_row: Callable[[FlightRow], None] | None
) -> bool:
    """Take one answer; return whether the worker may send more."""
    try:
        answer = worker.pipe.recv()
    except (EOFError, OSError):
        _check_complete(worker, rows)
        return False
    if isinstance(answer, str):
        raise LiquidControlError(answer)
    index, row = answer
    rows[index] = row
    if on_row is not None:
        on_row(row)
    return True


def _check_complete(worker: _Worker, rows: Mapping[int, FlightRow]) -> None:
    worker.process.join()
    worker.pipe.close()
    missing = [job for index, job in worker.batch if index not in rows]
    if missing:
        job = missing[0]
        raise LiquidControlError(
            f"a worker ended with status {worker.process.exitcode} while flying {job.model} "
            f"through {job.entry!r}, seed {job.seed}; its own message, if any, stands above"
        )


def _end(active: Sequence[_Worker]) -> None:
    for worker in active:
        worker.process.terminate()
    for worker in active:
        worker.process.join(timeout=5)
        if worker.process.exitcode is None:
            worker.process.kill()
        with suppress(OSError):
            worker.pipe.close()


@contextmanager
def flight_progress(total: int) -> Iterator[Callable[[FlightRow], None]]:
    """Show the progress of a campaign on stderr; yields the function to call with each row."""
    succeeded = 0
    with progress_bar("flying", total, log_step=FLIGHTS_A_LOG_LINE) as bar:

        def on_row(row: FlightRow) -> None:
            nonlocal succeeded
            succeeded += row.success
            rate = f"{succeeded}/{bar.completed + 1:.0f} succeed"
            bar.advance(f"{rate} ({row.model}, {row.entry})")

        yield on_row

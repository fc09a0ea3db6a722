"""Campaigns in parallel processes, with rows in the order of the flights."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeVar

from liquid_control.errors import LiquidControlError
from liquid_control.evaluation.bag_recorder import RecordingOptions, fly_and_record
from liquid_control.evaluation.campaign import Campaign, FlightJob, plan_flights, scenario_campaign
from liquid_control.evaluation.flight_log import FlightLog, campaign_plan
from liquid_control.evaluation.preflight import PilotFactory, check_pilots
from liquid_control.evaluation.results import FlightRow, SummaryRow, summarise
from liquid_control.executors import Executor, executor_of, run_tasks
from liquid_control.interfaces import Flyer, Pilot
from liquid_control.journal import Journal
from liquid_control.process_pool import WorkerError
from liquid_control.process_pool import run_tasks as run_local
from liquid_control.progress import progress_bar, stderr_console

FLIGHTS_PER_WORKER = 25
"""Flights after which a worker process is replaced, since PyBullet leaks memory."""

FLIGHTS_PER_LOG_LINE = 25
"""From one progress line to the next, where stderr is no terminal."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results of a campaign.

    Attributes:
        campaign: what was flown.
        jobs: its flights, by model, entry and seed.
        rows: one per flight, in the same order.
        summary: one row per model and entry, with Wilson's 95 % interval.
    """

    campaign: Campaign
    jobs: list[FlightJob]
    rows: list[FlightRow]
    summary: list[SummaryRow]


def evaluate(
    flyer: Flyer,
    pilots: Mapping[str, PilotFactory],
    campaign: Campaign | str,
    *,
    seeds: str | None = None,
    workers: int | Executor = 2,
    overrides: dict[str, Any] | None = None,
    disturb: Mapping[str, int] | None = None,
    recording: RecordingOptions | None = None,
    rows_file: Path | str | None = None,
) -> Evaluation:
    """Fly a campaign with each pilot in worker processes; show the progress on stderr.

    Call it from a notebook, or in a script below `if __name__ == "__main__":`. The worker
    processes import the modules of `flyer` and `pilots`.

    Args:
        flyer: flies a scenario, such as `liquid_control_sim.fly`; picklable.
        pilots: makes the pilots, by the label that names them in the rows.
        campaign: from `load_campaign`, or the name or YAML file of one scenario.
        seeds: such as `7`, `0:100` or `1,5,20:25`; replaces the campaign's own.
        workers: flights at a time, or an `Executor`, which may be a Ray cluster.
        overrides: dotted scenario keys that win over everything else.
        disturb: names of `config/disturbances.yaml` and severities, 0 to 5.
        recording: which flights become bags; none by default.
        rows_file: receives each row when it is flown, a JSON line each; None for no file. The
            same call with the same file flies only the flights that it lacks.

    Returns:
        The rows and their summary.

    Raises:
        ConfigError: a scenario, an override, a disturbance or a seed range does not fit, or
            `rows_file` is of another campaign.
        ModelError: a model cannot fly an entry.
        OutputError: a bag exists already, or `rows_file` cannot be written.
        LiquidControlError: a worker process died, or a flight raised an error.
    """
    if isinstance(campaign, str):
        campaign = scenario_campaign(campaign, {} if disturb else overrides or {})
    if seeds is not None:
        campaign = campaign.with_seeds(seeds)
    jobs = plan_flights(campaign.entries, list(pilots), overrides, disturb)
    plan = campaign_plan(jobs, check_pilots(jobs, pilots), recording)
    if rows_file is None:
        rows = fly_missing(jobs, flyer, pilots, workers, recording=recording)
        return Evaluation(campaign, jobs, rows, summarise(rows))
    config = {"title": campaign.name, "set": overrides or {}, "disturb": disturb or {}}
    with FlightLog.open(
        Path(rows_file), jobs, plan, config=config, command="evaluate", resume=True
    ) as log:
        rows = fly_missing(jobs, flyer, pilots, workers, recording=recording, log=log)
    return Evaluation(campaign, jobs, rows, summarise(rows))


def fly_missing(
    jobs: Sequence[FlightJob],
    flyer: Flyer,
    pilots: Mapping[str, PilotFactory],
    workers: int | Executor,
    *,
    recording: RecordingOptions | None = None,
    log: FlightLog | None = None,
) -> list[FlightRow]:
    """Fly the jobs that a log lacks; show the progress on stderr; return the rows of all jobs.

    Flights are flown in the order of `flight_order`; those whose pilot is not in `pilots` are not
    flown and have no row.

    Args:
        jobs: all flights.
        flyer: flies a scenario; picklable.
        pilots: makes the pilots inside each worker, by the jobs' pilot key.
        workers: how many processes fly at a time, or an `Executor`.
        recording: which flights become bags; None for no bags.
        log: receives each row as it comes; None without one.

    Raises:
        ConfigError: `workers` is below one, or two flights would write one bag.
        OutputError: a bag exists already, or the log cannot be written.
        LiquidControlError: a worker process died, or a flight raised an error.
    """
    known = {} if log is None else dict(log.rows)
    wanted = [index for index in flight_order(jobs) if jobs[index].pilot_key in pilots]
    missing = [index for index in wanted if index not in known]
    if recording is not None:
        recording.check_names(jobs)
        if log is not None and log.resumed:
            recording.discard([jobs[index] for index in missing])
    with flight_progress(len(wanted), list(known.values())) as show:

        def on_result(position: int, row: FlightRow) -> None:
            known[missing[position]] = row
            if log is not None:
                log.add(missing[position], row)
            show(row)

        waiting = [jobs[index] for index in missing]
        _fly_all(waiting, flyer, pilots, workers, on_result, recording=recording)
    return [known[index] for index in sorted(known)]


def flight_order(jobs: Sequence[FlightJob]) -> list[int]:
    """Return the order in which flights are flown: indices of the jobs.

    Every entry advances through its seeds at the same pace, and all models fly a seed one after
    the other. So a campaign that ends early has the same forests for every model.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault((job.model, job.entry), []).append(index)
    entries = {entry: rank for rank, entry in enumerate(dict.fromkeys(job.entry for job in jobs))}
    keys = {
        index: ((place + 0.5) / len(group), entries[entry], index)
        for (_, entry), group in groups.items()
        for place, index in enumerate(group)
    }
    return sorted(keys, key=keys.__getitem__)


def run_flights(
    jobs: Sequence[FlightJob],
    flyer: Flyer,
    pilots: Mapping[str, PilotFactory],
    workers: int | Executor = 1,
    on_row: Callable[[FlightRow], None] | None = None,
    flights_per_worker: int = FLIGHTS_PER_WORKER,
    recording: RecordingOptions | None = None,
) -> list[FlightRow]:
    """Fly all jobs and return their rows in the order of the jobs.

    Args:
        jobs: flights to fly.
        flyer: flies a scenario; picklable.
        pilots: makes the pilots inside each worker, by the jobs' pilot key.
        workers: how many processes fly at a time, or an `Executor`.
        on_row: receives each row as it comes, in any order.
        flights_per_worker: flights after which a worker is replaced.
        recording: which flights become bags; None for no bags.

    Raises:
        ConfigError: `workers` is below one, or two flights would write one bag.
        OutputError: a bag exists already.
        LiquidControlError: a worker process died, or a flight raised an error.
    """
    on_result = None if on_row is None else lambda _, row: on_row(row)
    return _fly_all(jobs, flyer, pilots, workers, on_result, flights_per_worker, recording)


def _fly_all(
    jobs: Sequence[FlightJob],
    flyer: Flyer,
    pilots: Mapping[str, PilotFactory],
    workers: int | Executor,
    on_result: Callable[[int, FlightRow], None] | None,
    flights_per_worker: int = FLIGHTS_PER_WORKER,
    recording: RecordingOptions | None = None,
) -> list[FlightRow]:
    executor = executor_of(workers)
    if recording is not None:
        recording.check(jobs)
    prepare = partial(_flight_function, flyer, pilots, recording)
    try:
        folder = None if recording is None else recording.folder
        return run_tasks(jobs, prepare, executor, on_result, flights_per_worker, writes=folder)
    except WorkerError as error:
        job = jobs[error.index]
        raise LiquidControlError(
            f"a worker {error.how} while flying {job.model} "
            f"through {job.entry!r}, seed {job.seed}; its own message, if any, stands above"
        ) from error


def _flight_function(
    flyer: Flyer, pilots: Mapping[str, PilotFactory], recording: RecordingOptions | None
) -> Callable[[FlightJob], FlightRow]:
    """Return the function that flies a job in a worker; it makes each pilot once."""
    made: dict[str, Pilot] = {}

    def fly(job: FlightJob) -> FlightRow:
        try:
            if job.pilot_key not in made:
                made[job.pilot_key] = pilots[job.pilot_key]()
            return _fly_job(flyer, job, made[job.pilot_key], recording)
        except LiquidControlError as error:
            where = f"{job.model} through {job.entry!r}, seed {job.seed}"
            raise type(error)(f"{where}: {error}") from error

    return fly


def _fly_job(
    flyer: Flyer, job: FlightJob, pilot: Pilot, recording: RecordingOptions | None
) -> FlightRow:
    """Fly a job; fly a failed one again to record it: the same seed gives the same flight."""
    if recording is None or recording.failures_only:
        result = flyer(job.scenario, job.seed, pilot).result
        if recording is None or result.success:
            return FlightRow.of(job, result)
    path, options = recording.path(job), (recording.image, recording.rules)
    record = fly_and_record(flyer, job, pilot, path, *options)
    return FlightRow.of(job, record.result, recording.name(job))


@contextmanager
def flight_progress(
    total: int, flown: Sequence[FlightRow] = ()
) -> Iterator[Callable[[FlightRow], None]]:
    """Show the progress of a campaign on stderr; yields the function to call with each row.

    Args:
        total: number of flights.
        flown: rows of an earlier run of the campaign.
    """
    succeeded, done = sum(row.success for row in flown), len(flown)
    begun_s, in_log = time.monotonic(), not stderr_console().is_terminal
    with progress_bar("flying", total, done=done, log_step=FLIGHTS_PER_LOG_LINE) as bar:

        def on_row(row: FlightRow) -> None:
            nonlocal succeeded
            succeeded += row.success
            number = bar.completed + 1
            rate = f"{succeeded}/{number:.0f} succeed"
            each_s = (time.monotonic() - begun_s) / (number - done)
            left = (
                f", {_minutes(each_s * (total - number))} left"
                if in_log and number < total
                else ""
            )
            bar.advance(f"{rate} ({row.model}, {row.entry}){left}")

        yield on_row


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"


@dataclass(frozen=True, slots=True)
class Cost:
    """Measured cost of a campaign.

    Attributes:
        flights: of the campaign.
        measured: how many of them were flown to measure it.
        mean_s: CPU time of a flight, s.
        error_s: standard error of `mean_s`, s.
    """

    flights: int
    measured: int
    mean_s: float
    error_s: float

    @property
    def core_hours(self) -> float:
        """CPU time of all flights, hours of one core."""
        return self.flights * self.mean_s / 3600

    def __str__(self) -> str:
        error = self.flights * self.error_s / 3600
        return (
            f"{self.flights} flights of {self.mean_s:.2f} s of CPU time (standard error "
            f"{self.error_s:.2f} s over {self.measured} flights of it): {self.core_hours:.1f} "
            f"core-hours (standard error {error:.1f})"
        )


def measure_cost(
    jobs: Sequence[FlightJob], flyer: Flyer, pilots: Mapping[str, PilotFactory], count: int
) -> Cost:
    """Measure the CPU time of flights that are spread evenly over a campaign.

    Args:
        jobs: all flights.
        flyer: flies a scenario.
        pilots: makes the pilots, by the jobs' pilot key; other flights are not measured.
        count: flights to measure, at least two. One more is flown before, which loads libraries.
    """
    flown = [job for job in jobs if job.pilot_key in pilots]
    number = min(max(count, 2), len(flown))
    chosen = [flown[(2 * place + 1) * len(flown) // (2 * number)] for place in range(number)]
    made = {key: pilots[key]() for key in dict.fromkeys(job.pilot_key for job in chosen)}
    flyer(chosen[0].scenario, chosen[0].seed, made[chosen[0].pilot_key])
    seconds = []
    with progress_bar("measuring", number) as bar:
        for job in chosen:
            begun_s = time.process_time()
            flyer(job.scenario, job.seed, made[job.pilot_key])
            seconds.append(time.process_time() - begun_s)
            bar.advance(job.entry)
    error_s = stdev(seconds) / sqrt(number) if number > 1 else 0.0
    return Cost(len(jobs), number, fmean(seconds), error_s)


Job = TypeVar("Job")
Row = TypeVar("Row")


def fly_study(
    flyer: Flyer,
    jobs: Sequence[Job],
    fly_job: Callable[[Flyer, Job], Row],
    journal: Journal,
    row_of: Callable[[Mapping[str, Any]], Row],
    key: Callable[[Any], object],
    workers: int,
) -> tuple[Row, ...]:
    """Fly the jobs of a study that its journal lacks; return the rows of all of them, in order.

    Args:
        flyer: such as `liquid_control_sim.fly`.
        jobs: of the study.
        fly_job: flies one of them in a worker process; returns a dataclass of plain data.
        journal: each row is appended to it when it is flown.
        row_of: makes a row from its plain data in the journal.
        key: that a job and its row share.
        workers: number of processes.
    """
    known = {key(row): row for row in map(row_of, journal.rows)}
    missing = [job for job in jobs if key(job) not in known]
    with progress_bar("flying", len(jobs), done=len(jobs) - len(missing), log_step=5) as bar:

        def keep(index: int, row: Row) -> None:
            journal.append(asdict(row))  # type: ignore[call-overload]
            known[key(row)] = row
            bar.advance()

        prepare = partial(partial, fly_job, flyer)
        run_local(missing, prepare, workers, keep, FLIGHTS_PER_WORKER)
    return tuple(known[key(job)] for job in jobs)

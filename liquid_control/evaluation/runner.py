"""Campaigns in parallel processes, with rows in the order of the flights."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.evaluation.bag_recorder import RecordingOptions, fly_and_record
from liquid_control.evaluation.campaign import Campaign, FlightJob, plan_flights, scenario_campaign
from liquid_control.evaluation.flight_log import FlightLog, campaign_plan
from liquid_control.evaluation.preflight import PilotFactory, check_pilots
from liquid_control.evaluation.results import FlightRow, SummaryRow, summarise
from liquid_control.interfaces import Flyer, Pilot
from liquid_control.process_pool import WorkerError, run_tasks
from liquid_control.progress import progress_bar

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
    workers: int = 2,
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
        workers: flights at a time.
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
    workers: int,
    *,
    recording: RecordingOptions | None = None,
    log: FlightLog | None = None,
) -> list[FlightRow]:
    """Fly the jobs that a log lacks; show the progress on stderr; return the rows of all jobs.

    Args:
        jobs: all flights.
        flyer: flies a scenario; picklable.
        pilots: makes the pilots inside each worker, by the jobs' model label.
        workers: how many processes fly at a time.
        recording: which flights become bags; None for no bags.
        log: receives each row as it comes; None without one.

    Raises:
        ConfigError: `workers` is below one, or two flights would write one bag.
        OutputError: a bag exists already, or the log cannot be written.
        LiquidControlError: a worker process died, or a flight raised an error.
    """
    known = {} if log is None else dict(log.rows)
    missing = [index for index in range(len(jobs)) if index not in known]
    if recording is not None:
        recording.check_names(jobs)
        if log is not None and log.resumed:
            recording.discard([jobs[index] for index in missing])
    with flight_progress(len(jobs), list(known.values())) as show:

        def on_result(position: int, row: FlightRow) -> None:
            known[missing[position]] = row
            if log is not None:
                log.add(missing[position], row)
            show(row)

        waiting = [jobs[index] for index in missing]
        _fly_all(waiting, flyer, pilots, workers, on_result, recording=recording)
    return [known[index] for index in range(len(jobs))]


def run_flights(
    jobs: Sequence[FlightJob],
    flyer: Flyer,
    pilots: Mapping[str, PilotFactory],
    workers: int = 1,
    on_row: Callable[[FlightRow], None] | None = None,
    flights_per_worker: int = FLIGHTS_PER_WORKER,
    recording: RecordingOptions | None = None,
) -> list[FlightRow]:
    """Fly all jobs and return their rows in the order of the jobs.

    Args:
        jobs: flights to fly.
        flyer: flies a scenario; picklable.
        pilots: makes the pilots inside each worker, by the jobs' model label.
        workers: how many processes fly at a time.
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
    workers: int,
    on_result: Callable[[int, FlightRow], None] | None,
    flights_per_worker: int = FLIGHTS_PER_WORKER,
    recording: RecordingOptions | None = None,
) -> list[FlightRow]:
    if workers < 1:
        raise ConfigError(f"jobs: expected at least 1 worker, got {workers}")
    if recording is not None:
        recording.check(jobs)
    prepare = partial(_flight_function, flyer, pilots, recording)
    try:
        return run_tasks(jobs, prepare, workers, on_result, flights_per_worker)
    except WorkerError as error:
        job = jobs[error.index]
        raise LiquidControlError(
            f"a worker ended with status {error.status} while flying {job.model} "
            f"through {job.entry!r}, seed {job.seed}; its own message, if any, stands above"
        ) from error


def _flight_function(
    flyer: Flyer, pilots: Mapping[str, PilotFactory], recording: RecordingOptions | None
) -> Callable[[FlightJob], FlightRow]:
    """Return the function that flies a job in a worker; it makes each pilot once."""
    made: dict[str, Pilot] = {}

    def fly(job: FlightJob) -> FlightRow:
        try:
            if job.model not in made:
                made[job.model] = pilots[job.model]()
            return _fly_job(flyer, job, made[job.model], recording)
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
    record = fly_and_record(flyer, job, pilot, recording.path(job), recording.image)
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
    with progress_bar("flying", total, done=done, log_step=FLIGHTS_PER_LOG_LINE) as bar:

        def on_row(row: FlightRow) -> None:
            nonlocal succeeded
            succeeded += row.success
            rate = f"{succeeded}/{bar.completed + 1:.0f} succeed"
            bar.advance(f"{rate} ({row.model}, {row.entry})")

        yield on_row

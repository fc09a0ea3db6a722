"""`liquid-control evaluate`: many flights in process, in parallel, with confidence intervals."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liquid_control.cli.completion import complete_campaign, complete_model, complete_scenario
from liquid_control.cli.next_steps import Open
from liquid_control.cli.options import Disturb, Settings, whole_number

if TYPE_CHECKING:
    from liquid_control.evaluation import (
        Campaign,
        FlightJob,
        FlightLog,
        FlightRow,
        PilotFactory,
        RecordingOptions,
    )


class Record(str, Enum):
    """Flights that are written as bags."""

    NONE = "none"
    FAILURES = "failures"
    ALL = "all"


class ImageCodec(str, Enum):
    """Encoding of their pictures."""

    RAW = "raw"
    PNG = "png"
    JPEG = "jpeg"


def evaluate(
    model: Annotated[
        list[str],
        typer.Option(
            help="Model folder, or `expert`, or `expert:pushed`: the expert with smooth random "
            "pushes on its commands, whose bags show recoveries and hold its clean commands as "
            "the policy's. May be given several times.",
            autocompletion=complete_model,
        ),
    ],
    campaign: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of scenarios, perturbations and seeds.",
            autocompletion=complete_campaign,
        ),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            help="Name or YAML file of one scenario, instead of --campaign.",
            autocompletion=complete_scenario,
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            help="7, 0:100 or 1,5,20:25. Replaces the campaign's own; a scenario's default is "
            "10000:10020."
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="INT", help="Flights at a time.")
    ] = 2,
    settings: Settings = None,
    disturb: Disturb = None,
    report: Annotated[
        int,
        typer.Option(
            parser=whole_number(0),
            metavar="INT",
            help="Flights of each row to show in report.html, failed ones first.",
        ),
    ] = 0,
    record: Annotated[
        Record, typer.Option(help="Write flights as bags: none, those that failed, or all.")
    ] = Record.NONE,
    image: Annotated[
        ImageCodec | None,
        typer.Option(
            help="Pictures in the bags of --record: raw, png (exact, smaller) or jpeg (not exact, "
            "smallest).",
            show_default="raw",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted run of the same command: the newest, or the one in "
            "--out. Flights that it has flown are not flown again.",
        ),
    ] = False,
    show: Open = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results.", show_default="runs/<UTC time>-evaluate"),
    ] = None,
) -> None:
    """Fly many seeded flights in parallel; print success rates with Wilson 95 % intervals.

    Example: liquid-control evaluate --model models/trail_cfc19 --model expert
    --campaign config/campaigns/trail.yaml

    Writes results.json, with --report also report.html, and with --record bags/*.mcap, each named
    in its flight's row. The status is 0 when every flight was flown, whether or not it succeeded.

    Each row is also written to rows.jsonl when it is flown. An interrupted run writes results.json
    with `complete: false`; the same command with --resume flies the rest.
    """
    from liquid_control.cli.output import RESULTS, RUNS, output_folder
    from liquid_control.cli.pilots import pilots_of
    from liquid_control.config import parse_settings
    from liquid_control.config.disturbances import parse_disturbances
    from liquid_control.dependencies import require_report
    from liquid_control.errors import ConfigError
    from liquid_control.evaluation import plan_flights
    from liquid_control.journal import JOURNAL_FILE, newest_journal

    if report:
        require_report()
    elif show:
        raise ConfigError("--open: expected --report COUNT too, which writes the report")
    overrides = parse_settings(settings or [])
    disturbed = parse_disturbances(disturb or [])
    chosen = _campaign(campaign, scenario, seeds, {} if disturbed else overrides)
    pilots = pilots_of(model)
    flights = plan_flights(chosen.entries, list(pilots), overrides, disturbed)
    config: dict[str, Any] = {"title": chosen.name, "entries": chosen.entries}
    config |= {"disturb": disturbed, "set": overrides}
    recording = _recording(Path(), record, image)
    if resume and out is None:
        plan = _plan(flights, pilots, recording)
        out = newest_journal(RUNS.glob("*-evaluate"), plan)
    with output_folder(out, "evaluate", (RESULTS, JOURNAL_FILE), resume=resume) as folder:
        recording = _recording(folder, record, image)
        plan = _plan(flights, pilots, recording)
        with _open_log(folder, flights, plan, config, resume) as log:
            _check_simulation(flights, compile_it=report > 0 or not log.complete)
            with _partial_results(folder, log, config):
                rows = _fly(flights, pilots, jobs, recording, log)
                document = _conclude(folder, rows, log, config)
        if report:
            _report(folder, chosen, flights, rows, pilots, document, report)
    _offer(folder, flights, rows, pilots, report > 0, show)


def _offer(
    folder: Path,
    flights: "Sequence[FlightJob]",
    rows: "Sequence[FlightRow]",
    pilots: "Mapping[str, PilotFactory]",
    has_report: bool,
    show: bool,
) -> None:
    """Open the report or print how to; print how to go on.

    Two models are compared with each other. One flight of a model is flown again with report and
    video: the first that failed, or else the first.
    """
    from liquid_control.cli.next_steps import command_of, flight_again, offer_report, suggest
    from liquid_control.cli.output import RESULTS
    from liquid_control.cli.pilots import model_of

    if has_report:
        offer_report(folder / "report.html", show)
    if len(pilots) == 2:
        first, second = pilots
        results, models = folder / RESULTS, ("--first", first, "--second", second)
        suggest(command_of("liquid-control", "compare", results, results, *models))
    flown = [
        (row.success, model, job)
        for job, row in zip(flights, rows, strict=True)
        if (model := model_of(pilots[row.model])) is not None
    ]
    if flown:
        _, model, job = min(flown, key=lambda flight: flight[0])
        suggest(flight_again(model, job.scenario_name, job.seed, job.overrides))


def _plan(
    flights: "Sequence[FlightJob]",
    pilots: "Mapping[str, PilotFactory]",
    recording: "RecordingOptions | None",
) -> dict[str, Any]:
    """Check that the pilots can fly the flights; return what the rows depend on."""
    from liquid_control.evaluation import campaign_plan, check_pilots

    if recording is not None:
        recording.check_names(flights)
    return campaign_plan(flights, check_pilots(flights, pilots), recording)


def _open_log(
    folder: Path,
    flights: "Sequence[FlightJob]",
    plan: dict[str, Any],
    config: dict[str, Any],
    resume: bool,
) -> "FlightLog":
    """Begin rows.jsonl, or go on with it; report what it holds."""
    from liquid_control.cli.output import command_line, note
    from liquid_control.evaluation import FlightLog
    from liquid_control.journal import JOURNAL_FILE

    path = folder / JOURNAL_FILE
    log = FlightLog.open(path, flights, plan, config=config, command=command_line(), resume=resume)
    if resume:
        note(f"--resume: {len(log.rows)} of {len(flights)} flights are in {path}")
    for key, value in log.journal.begun_with.items():
        note(f"warning: {path} was begun with another {key}: {value}")
    return log


def _check_simulation(flights: "Sequence[FlightJob]", compile_it: bool) -> None:
    """Check that the simulator can begin each flight, and compile it."""
    from liquid_control.cli.pilots import prepare_simulator, simulator
    from liquid_control.evaluation import check_scenes

    if not compile_it:
        return
    simulator()
    from liquid_control_sim.preflight import check_flight

    check_scenes(flights, check_flight)
    prepare_simulator()


def _fly(
    flights: "Sequence[FlightJob]",
    pilots: "Mapping[str, PilotFactory]",
    workers: int,
    recording: "RecordingOptions | None",
    log: "FlightLog",
) -> "list[FlightRow]":
    from liquid_control.cli.pilots import simulator
    from liquid_control.evaluation import fly_missing

    return fly_missing(flights, simulator(), pilots, workers, recording=recording, log=log)


@contextmanager
def _partial_results(folder: Path, log: "FlightLog", config: dict[str, Any]) -> Iterator[None]:
    """Write results.json with the flights so far if the block fails or is interrupted."""
    from liquid_control.cli.output import note
    from liquid_control.errors import OutputError

    try:
        yield
    except BaseException:
        if log.rows:
            held = f"{len(log.rows)} of {log.flights} flights are in {folder}"
            with suppress(OutputError):
                _write_results(folder, log.in_order(), log, config)
            note(f"{held}; the same command with --resume --out {folder} flies the rest")
        raise


def _write_results(
    folder: Path, rows: "Sequence[FlightRow]", log: "FlightLog", config: dict[str, Any]
) -> dict[str, Any]:
    from liquid_control.cli.output import write_document
    from liquid_control.evaluation import summarise

    begun_with = log.journal.begun_with
    return write_document(folder, config, rows, summarise(rows), log.complete, begun_with)


def _conclude(
    folder: Path, rows: "Sequence[FlightRow]", log: "FlightLog", config: dict[str, Any]
) -> dict[str, Any]:
    """Print the table; write results.json and print its path."""
    from liquid_control.cli.output import RESULTS, console
    from liquid_control.evaluation import summarise
    from liquid_control.evaluation.result_tables import summary_table

    console().print(summary_table(summarise(rows), config["title"]))
    document = _write_results(folder, rows, log, config)
    print(folder / RESULTS)
    return document


def _report(
    folder: Path,
    campaign: "Campaign",
    flights: "Sequence[FlightJob]",
    rows: "Sequence[FlightRow]",
    pilots: "Mapping[str, PilotFactory]",
    document: dict[str, Any],
    count: int,
) -> None:
    from liquid_control.cli.pilots import simulator
    from liquid_control.evaluation import Evaluation, summarise
    from liquid_control.evaluation.flight_report import fly_and_report

    result = Evaluation(campaign, list(flights), list(rows), summarise(rows))
    path = folder / "report.html"
    print(fly_and_report(path, result, simulator(), pilots, document, count))


def _recording(
    folder: Path, record: Record, image: ImageCodec | None
) -> "RecordingOptions | None":
    from liquid_control.errors import ConfigError
    from liquid_control.evaluation import RecordingOptions

    if record is not Record.NONE:
        codec = image or ImageCodec.RAW
        return RecordingOptions(folder, record is Record.FAILURES, codec.value)
    if image is not None:
        raise ConfigError(
            f"--image {image.value}: expected --record all or --record failures too, got no bags"
        )
    return None


def _campaign(
    campaign: Path | None, scenario: str | None, seeds: str | None, overrides: dict[str, Any]
) -> "Campaign":
    """Return the campaign to fly; `overrides` name the row of a single scenario."""
    from liquid_control.config import shipped
    from liquid_control.errors import ConfigError
    from liquid_control.evaluation import load_campaign, parse_seeds, scenario_campaign

    if seeds is not None:
        parse_seeds(seeds)
    if campaign is not None and scenario is None:
        chosen = load_campaign(shipped(campaign))
    elif scenario is not None and campaign is None:
        chosen = scenario_campaign(scenario, overrides)
    else:
        raise ConfigError("expected one of --campaign FILE and --scenario NAME")
    return chosen if seeds is None else chosen.with_seeds(seeds)

"""`liquid-control evaluate`: many flights in process, in parallel, with confidence intervals."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liquid_control.cli.completion import complete_campaign, complete_model, complete_scenario
from liquid_control.cli.next_steps import Open
from liquid_control.cli.options import (
    Address,
    Disturb,
    ExecutorKind,
    OnlineAdaptation,
    Settings,
    whole_number,
)

if TYPE_CHECKING:
    from liquid_control.command import GuardRules
    from liquid_control.evaluation import (
        Campaign,
        FlightJob,
        FlightLog,
        FlightRow,
        PilotFactory,
        RecordingOptions,
    )
    from liquid_control.interfaces import Flyer


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
        list[str] | None,
        typer.Option(
            help="Model folder, or `expert`, or `hover` (does nothing), or `expert:pushed`: the "
            "expert with smooth random pushes on its commands, whose bags show recoveries and "
            "hold its clean commands as the policy's. May be given several times. TASK=FOLDER is "
            "the model of one task or scenario. Without it the campaign's own arms fly.",
            autocompletion=complete_model,
        ),
    ] = None,
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
    executor: ExecutorKind = "local",
    address: Address = None,
    settings: Settings = None,
    adapt: OnlineAdaptation = "",
    disturb: Disturb = None,
    guard: Annotated[
        Path | None, typer.Option(help="YAML file with rules of the guard, as for fly.")
    ] = None,
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
    skip_missing: Annotated[
        bool,
        typer.Option(
            "--skip-missing",
            help="Fly the arms whose models exist, and state the others in the results. The same "
            "command with --resume flies them once they are trained.",
        ),
    ] = False,
    estimate: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(2),
            metavar="INT",
            help="Only measure the CPU time of so many of the campaign's flights, and print what "
            "all of them cost in core-hours.",
        ),
    ] = None,
    rescore: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Fly nothing: make the tables of benchmark.md, the figures and the CSV file of "
            "all cells from the results.json in FOLDER, in --out or FOLDER.",
        ),
    ] = None,
    show: Open = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results.", show_default="runs/<UTC time>-evaluate"),
    ] = None,
) -> None:
    """Fly many seeded flights in parallel; print success rates with Wilson 95 % intervals.

    Example: liquid-control evaluate --model models/trail_cfc19 --model expert
    --campaign config/campaigns/trail.yaml

    Example: liquid-control evaluate --campaign config/campaigns/benchmark.yaml --estimate 40

    Writes results.json, with --report also report.html, and with --record bags/*.mcap, each named
    in its flight's row. The status is 0 when every flight was flown, whether or not it succeeded.

    Each row is also written to rows.jsonl when it is flown. An interrupted run writes results.json
    with `complete: false`; the same command with --resume flies the rest.

    A campaign with arms or claims is a benchmark, which writes tables, paired tests and figures.
    """
    from liquid_control.cli.next_steps import offer_flights
    from liquid_control.cli.output import RESULTS, RUNS, note, output_folder
    from liquid_control.cli.pilots import PilotOf, guard_rules, simulator
    from liquid_control.config import parse_settings
    from liquid_control.config.disturbances import parse_disturbances
    from liquid_control.dependencies import require_benchmark, require_report
    from liquid_control.errors import ConfigError
    from liquid_control.evaluation import Arms, Evaluation, fly_missing, summarise
    from liquid_control.evaluation.runner import measure_cost
    from liquid_control.executors import Executor
    from liquid_control.journal import JOURNAL_FILE, newest_journal

    if rescore is not None:
        if campaign or scenario or model:
            raise ConfigError("--rescore: flies nothing; expected no --campaign and no --model")
        _rescore(rescore, out or rescore)
        return
    if report:
        require_report()
    elif show:
        raise ConfigError("--open: expected --report COUNT too, which writes the report")
    rules = guard_rules(guard)
    flyer = simulator(rules)
    ruled = {"--guard": rules.model_dump()} if guard else {}
    where = Executor(jobs, executor, address)
    where.check()
    overrides = parse_settings(settings or [])
    disturbed = parse_disturbances(disturb or [])
    chosen = _campaign(campaign, scenario, seeds, {} if disturbed else overrides)
    arms = Arms.choose(chosen, model or [], skip_missing)
    pilots = {key: PilotOf(folder, adapt) for key, folder in arms.folders.items()}
    flights = arms.flights(overrides, disturbed)
    for key, missing in arms.missing.items():
        note(f"--skip-missing: {key} does not fly, {missing} does not exist")
    if estimate is not None:
        _check_simulation(flights, compile_it=True)
        cost = measure_cost(flights, flyer, pilots, estimate)
        print(f"{cost}; {cost.core_hours / jobs:.1f} hours with --jobs {jobs}")
        return
    config = arms.config() | {"disturb": disturbed, "set": overrides, "online_adaptation": adapt}
    config |= ruled
    benchmark = bool(chosen.arms or chosen.claims)
    if benchmark:
        require_benchmark()
    recording = _recording(Path(), record, image, rules)
    if resume and out is None:
        plan, _ = arms.plan(flights, pilots, recording)
        out = newest_journal(RUNS.glob("*-evaluate"), plan | ruled)
    with output_folder(out, "evaluate", (RESULTS, JOURNAL_FILE), resume=resume) as folder:
        recording = _recording(folder, record, image, rules)
        plan, marks = arms.plan(flights, pilots, recording)
        with _open_log(folder, flights, plan | ruled, config, resume, marks) as log:
            _check_simulation(flights, compile_it=report > 0 or not log.complete)
            with _partial_results(folder, log, config):
                options: dict[str, Any] = {"recording": recording, "log": log}
                rows = fly_missing(flights, flyer, pilots, where, **options)
                flights = [flights[index] for index in sorted(log.rows)]
                document = _conclude(folder, flights, rows, flyer, pilots, log, config, benchmark)
        if report:
            from liquid_control.evaluation.flight_report import fly_and_report

            result = Evaluation(chosen, flights, rows, summarise(rows))
            page = folder / "report.html"
            print(fly_and_report(page, result, flyer, pilots, document, report))
    offer_flights(folder, flights, rows, pilots, report > 0, show)


def _rescore(folder: Path, out: Path) -> None:
    """Make tables and figures of a benchmark from its results.json; print their paths."""
    from liquid_control.dependencies import require_benchmark
    from liquid_control.evaluation.benchmark import load_document
    from liquid_control.evaluation.benchmark_page import write_benchmark

    require_benchmark()
    print(*write_benchmark(out, load_document(folder)), sep="\n")


def _open_log(
    folder: Path,
    flights: "Sequence[FlightJob]",
    plan: dict[str, Any],
    config: dict[str, Any],
    resume: bool,
    marks: dict[str, dict[str, str]],
) -> "FlightLog":
    """Begin rows.jsonl, or go on with it; report what it holds."""
    from liquid_control.cli.output import command_line, note
    from liquid_control.evaluation import FlightLog
    from liquid_control.journal import JOURNAL_FILE

    path = folder / JOURNAL_FILE
    opened: dict[str, Any] = {"config": config, "command": command_line(), "marks": marks}
    log = FlightLog.open(path, flights, plan, resume=resume, **opened)
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
    folder: Path,
    flights: "Sequence[FlightJob]",
    rows: "Sequence[FlightRow]",
    flyer: "Flyer",
    pilots: "Mapping[str, PilotFactory]",
    log: "FlightLog",
    config: dict[str, Any],
    benchmark: bool,
) -> dict[str, Any]:
    """Write results.json and print its path; print its table, or write those of a benchmark."""
    from liquid_control.cli.output import RESULTS, console
    from liquid_control.evaluation import summarise
    from liquid_control.evaluation.result_tables import summary_table

    if benchmark:
        from liquid_control.evaluation.worst_flights import photograph_worst

        arms = {arm["label"]: arm["arm"] for arm in config["arms"]}
        config["worst_flights"] = photograph_worst(flights, rows, arms, flyer, pilots)
    else:
        console().print(summary_table(summarise(rows), config["title"]))
    document = _write_results(folder, rows, log, config)
    print(folder / RESULTS)
    if benchmark:
        _rescore(folder, folder)
    return document


def _recording(
    folder: Path, record: Record, image: ImageCodec | None, rules: "GuardRules"
) -> "RecordingOptions | None":
    from liquid_control.errors import ConfigError
    from liquid_control.evaluation import RecordingOptions

    if record is not Record.NONE:
        codec = (image or ImageCodec.RAW).value
        return RecordingOptions(folder, record is Record.FAILURES, codec, rules)
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

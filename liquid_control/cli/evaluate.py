"""`liquid-control evaluate`: many flights in process, in parallel, with confidence intervals."""

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liquid_control.cli.options import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from liquid_control.cli.pilots import PilotOf
    from liquid_control.evaluation import CampaignEntry, FlightJob
    from liquid_control.evaluation.bag_recorder import RecordingOptions


class Record(str, Enum):
    """Which flights become bags."""

    NONE = "none"
    FAILURES = "failures"
    ALL = "all"


class ImageCodec(str, Enum):
    """How their pictures are kept."""

    RAW = "raw"
    PNG = "png"
    JPEG = "jpeg"


def evaluate(
    model: Annotated[
        list[str],
        typer.Option(
            help="Model folder, or `expert`, or `expert:pushed`: the expert with smooth random "
            "pushes on its commands, whose bags show recoveries and hold its clean commands as "
            "the policy's. May be given several times."
        ),
    ],
    campaign: Annotated[
        Path | None, typer.Option(help="YAML file of scenarios, perturbations and seeds.")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Name or YAML file of one scenario, instead of --campaign.")
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
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value of the scenario, such as wind.gust_mps=6."),
    ] = None,
    disturb: Annotated[
        list[str] | None,
        typer.Option(
            help="name=severity, such as fog=3, severities 0 to 5 (`liquid-control worlds` lists "
            "them). May be given several times; --set wins over it."
        ),
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
        ImageCodec,
        typer.Option(
            help="Pictures in the bags: raw, png (exact, smaller) or jpeg (not exact, smallest)."
        ),
    ] = ImageCodec.RAW,
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
    """
    from liquid_control.cli.output import console, output_folder
    from liquid_control.cli.pilots import pilots_of, prepare_simulator, simulator
    from liquid_control.config import parse_settings
    from liquid_control.config.disturbances import parse_disturbances
    from liquid_control.dependencies import require_report
    from liquid_control.evaluation import (
        plan_flights,
        results_document,
        run_flights,
        summarise,
        write_results,
    )
    from liquid_control.evaluation.flight_report import worth_showing
    from liquid_control.evaluation.result_tables import summary_table
    from liquid_control.evaluation.runner import flight_progress

    if report:
        require_report()
    overrides = parse_settings(settings or [])
    disturbed = parse_disturbances(disturb or [])
    entries, title = _entries(campaign, scenario, seeds, {} if disturbed else overrides)
    prepare_simulator()
    pilots = pilots_of(model)
    plan = plan_flights(entries, list(pilots), overrides, disturbed)
    with output_folder(out, "evaluate") as folder:
        with flight_progress(len(plan)) as on_row:
            recording = _recording(folder, record, image)
            rows = run_flights(plan, simulator, pilots, jobs, on_row, recording=recording)
        summary = summarise(rows)
        console().print(summary_table(summary, title))
        config = {"title": title, "entries": entries, "disturb": disturbed, "set": overrides}
        command = ["liquid-control", *sys.argv[1:]]
        document = results_document(command, config, rows, summary)
        print(write_results(folder / "results.json", document))
        if report:
            shown = worth_showing(plan, rows, report)
            print(_write_report(folder, title, shown, pilots, document))


def _recording(folder: Path, record: Record, image: ImageCodec) -> "RecordingOptions | None":
    from liquid_control.evaluation.bag_recorder import RecordingOptions

    if record is Record.NONE:
        return None
    return RecordingOptions(folder, record is Record.FAILURES, image.value)


def _entries(
    campaign: Path | None, scenario: str | None, seeds: str | None, told: dict[str, Any]
) -> "tuple[list[CampaignEntry], str]":
    """Return the entries to fly and what the whole is called; `told` names a single one."""
    from liquid_control.config.locations import shipped
    from liquid_control.errors import ConfigError
    from liquid_control.evaluation import CampaignEntry, load_campaign, parse_seeds

    if seeds is not None:
        parse_seeds(seeds)
    if campaign is not None and scenario is None:
        loaded = load_campaign(shipped(campaign))
        changed = {} if seeds is None else {"seeds": seeds}
        return [entry.model_copy(update=changed) for entry in loaded.entries], loaded.name
    if campaign is not None or scenario is None:
        raise ConfigError("expected one of --campaign FILE and --scenario NAME")
    name = Path(scenario).stem
    values = [str(value) for value in told.values()]
    entry = CampaignEntry(
        name=name,
        scenario=scenario,
        perturbation=", ".join(told) or "none",
        severity=", ".join(values) if values else 0.0,
        seeds=seeds or "10000:10020",
    )
    return [entry], name


def _write_report(
    folder: Path,
    title: str,
    shown: "list[FlightJob]",
    pilots: "Mapping[str, PilotOf]",
    document: dict[str, Any],
) -> Path:
    """Fly what is to be shown once more, on tape: the same seed gives the same flight."""
    from liquid_control.cli.pilots import simulator
    from liquid_control.evaluation.flight_data import fly_and_capture
    from liquid_control.evaluation.flight_report import write_report

    fly = simulator()
    stories = [
        fly_and_capture(
            fly, job.scenario, job.seed, pilots[job.model](), f"{job.entry}, {job.seed}"
        )
        for job in shown
    ]
    return write_report(folder / "report.html", title, stories, document)

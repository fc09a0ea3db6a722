"""`liquid-control evaluate`: many flights in process, in parallel, with confidence intervals."""

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liquid_control.cli.options import whole_number

if TYPE_CHECKING:
    from liquid_control.evaluation import Campaign, RecordingOptions


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
    from liquid_control.evaluation import evaluate as fly_campaign
    from liquid_control.evaluation import results_document, write_results
    from liquid_control.evaluation.result_tables import summary_table

    if report:
        require_report()
    overrides = parse_settings(settings or [])
    disturbed = parse_disturbances(disturb or [])
    chosen = _campaign(campaign, scenario, seeds, {} if disturbed else overrides)
    prepare_simulator()
    flyer, pilots = simulator(), pilots_of(model)
    with output_folder(out, "evaluate") as folder:
        result = fly_campaign(
            flyer,
            pilots,
            chosen,
            workers=jobs,
            overrides=overrides,
            disturb=disturbed,
            recording=_recording(folder, record, image),
        )
        console().print(summary_table(result.summary, chosen.name))
        config: dict[str, Any] = {"title": chosen.name, "entries": chosen.entries}
        config |= {"disturb": disturbed, "set": overrides}
        command = ["liquid-control", *sys.argv[1:]]
        document = results_document(command, config, result.rows, result.summary)
        print(write_results(folder / "results.json", document))
        if report:
            from liquid_control.evaluation.flight_report import fly_and_report

            path = folder / "report.html"
            print(fly_and_report(path, result, flyer, pilots, document, report))


def _recording(folder: Path, record: Record, image: ImageCodec) -> "RecordingOptions | None":
    from liquid_control.evaluation import RecordingOptions

    if record is Record.NONE:
        return None
    return RecordingOptions(folder, record is Record.FAILURES, image.value)


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

"""`liquid-control events`: success of the event-driven form against its operations."""

from pathlib import Path
from typing import Annotated

import typer

from liquid_control.cli.completion import complete_model, complete_scenario
from liquid_control.cli.options import Settings, whole_number


def events(
    model: Annotated[
        str, typer.Option(help="Folder of a wired CfC.", autocompletion=complete_model)
    ] = "models/trail_cfc19",
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ENCODER:CORE",
            help="Largest changes that are not sent; may be given several times.",
            show_default="0.05:0.01, 0.1:0.02, 0.2:0.05, 0.3:0.07, 0.4:0.1",
        ),
    ] = None,
    scenario: Annotated[
        str, typer.Option(help="Name or YAML file.", autocompletion=complete_scenario)
    ] = "trail",
    settings: Settings = None,
    seeds: Annotated[str, typer.Option(help="Forests: 10000:10020 or 1,5,20:25.")] = "10000:10020",
    jobs: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="INT", help="Flights at a time.")
    ] = 2,
    resume: Annotated[bool, typer.Option(help="Continue the sweep in --out.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="runs/<UTC time>-events")
    ] = None,
) -> None:
    """Fly a policy that computes only what moved, with several thresholds; count its operations.

    Example: liquid-control events --set trail.difficulty=1 --threshold 0.1:0.02

    Every forest is flown with every pair of thresholds and with the dense form. Writes events.md,
    .png and .json: success, paired differences, multiply-accumulates and additions of encoder and
    core per second, sparsity and memory.
    """
    from liquid_control.cli.output import command_line, output_folder
    from liquid_control.cli.pilots import prepare_simulator, simulator
    from liquid_control.config import load_scenario, parse_settings
    from liquid_control.dependencies import require_report
    from liquid_control.evaluation.campaign import parse_seeds
    from liquid_control.evaluation.event_page import write_events
    from liquid_control.evaluation.event_sweep import PAIRS, event_sweep, parse_thresholds
    from liquid_control.journal import JOURNAL_FILE

    require_report()
    pairs = parse_thresholds(threshold or PAIRS)
    flown = load_scenario(scenario, parse_settings(settings or []))
    flyer = simulator()
    prepare_simulator()
    with output_folder(out, "events", (JOURNAL_FILE,), resume=resume) as folder:
        result = event_sweep(
            flyer,
            model,
            flown,
            parse_seeds(seeds),
            pairs,
            folder,
            workers=jobs,
            resume=resume,
            command=command_line(),
        )
        print(*write_events(folder, result, command_line()), sep="\n")

"""`liquid-control adapt`: do the time constants of a model adapt, and does success need it?"""

from pathlib import Path
from typing import Annotated

import typer

from liquid_control.cli.completion import complete_model, complete_scenario
from liquid_control.cli.options import Disturb, Settings, whole_number


def adapt(
    model: Annotated[
        str, typer.Option(help="Folder of a wired CfC.", autocompletion=complete_model)
    ] = "models/trail_cfc19",
    scenario: Annotated[
        str, typer.Option(help="Name or YAML file.", autocompletion=complete_scenario)
    ] = "trail",
    disturb: Disturb = None,
    settings: Settings = None,
    seeds: Annotated[str, typer.Option(help="Forests: 10000:10030 or 1,5,20:25.")] = "10000:10030",
    jobs: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="INT", help="Flights at a time.")
    ] = 2,
    resume: Annotated[bool, typer.Option(help="Continue the study in --out.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="runs/<UTC time>-adapt")
    ] = None,
) -> None:
    """Measure how time constants move in disturbed air, and hold them to see whether it matters.

    Example: liquid-control adapt --set trail.difficulty=3 --disturb turbulence=4

    Flies every forest undisturbed and disturbed; then again with time constants, time gates, or
    elapsed time held at their undisturbed means. Writes adaptation.md, .png and .json.
    """
    from liquid_control.cli.output import command_line, output_folder
    from liquid_control.cli.pilots import prepare_simulator, simulator
    from liquid_control.config import load_scenario, parse_settings
    from liquid_control.config.disturbances import joined_overrides, parse_disturbances
    from liquid_control.dependencies import require_benchmark
    from liquid_control.evaluation.adaptation import CALM, DISTURBED, study
    from liquid_control.evaluation.adaptation_page import write_adaptation
    from liquid_control.evaluation.campaign import parse_seeds
    from liquid_control.journal import JOURNAL_FILE

    require_benchmark()
    keys = parse_settings(settings or [])
    disturbed = joined_overrides(parse_disturbances(disturb or ["turbulence=4"]))
    scenarios = {
        CALM: load_scenario(scenario, keys),
        DISTURBED: load_scenario(scenario, {**disturbed, **keys}),
    }
    flyer = simulator()
    prepare_simulator()
    with output_folder(out, "adapt", (JOURNAL_FILE,), resume=resume) as folder:
        result = study(
            flyer,
            model,
            scenarios,
            parse_seeds(seeds),
            folder,
            workers=jobs,
            resume=resume,
            command=command_line(),
        )
        print(*write_adaptation(folder, result, command_line()), sep="\n")

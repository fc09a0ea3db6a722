"""`liquid-control search`: architecture search, NSGA-II against random search."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from liquid_control.cli.options import whole_number


def search(
    config: Annotated[Path, typer.Argument(help="YAML file, such as config/search/trail.yaml.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the file; may be repeated.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="INT", help="Trainings at a time.")
    ] = 1,
    resume: Annotated[bool, typer.Option(help="Continue the search in --out.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="runs/<UTC time>-search")
    ] = None,
) -> None:
    """Search cores, wirings, sizes and encoders for success, latency and number of weights.

    Example: liquid-control search config/search/trail.yaml --jobs 2 --out runs/search

    Every trial is a short training. Writes the front of the best networks, of NSGA-II and of a
    random search with as many trials: search.md, search.json, front.png.
    """
    from liquid_control.cli.output import command_line, output_folder
    from liquid_control.cli.train import training_actors
    from liquid_control.config import parse_settings, shipped
    from liquid_control.dependencies import require_search
    from liquid_control.export import model_graphs

    require_search()
    from liquid_control.training.search import PLAN_FILE, load_search, run_search

    settings = load_search(shipped(config), parse_settings(changes or []))
    actors = partial(training_actors, settings.trial(next(settings.corners()), settings.name))
    with output_folder(out, "search", (PLAN_FILE,), resume=resume) as folder:
        words = command_line()
        print(run_search(settings, folder, model_graphs, actors, jobs, resume, words))

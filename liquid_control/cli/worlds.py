"""`liquid-control worlds`: scenarios and disturbances as lists and as contact sheets."""

from pathlib import Path
from typing import Annotated

import typer

from liquid_control.cli.options import whole_number

SEED = 10_000


def worlds(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Scenarios or disturbances; all by default."),
    ] = None,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Write contact sheets as PNG files.")
    ] = False,
    seed: Annotated[
        int,
        typer.Option(parser=whole_number(0), metavar="INT", help="Seed of all pictures."),
    ] = SEED,
    jobs: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="INT", help="Number of processes.")
    ] = 2,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output folder; implies --sheet.", show_default="runs/<UTC time>-worlds"
        ),
    ] = None,
) -> None:
    """List scenarios and disturbances; with --sheet, write pictures of them.

    Example: liquid-control worlds fog rain --sheet

    A sheet shows scenarios along the expert's flight, and disturbances at severities 0 to 5, two
    seconds after take-off. All pictures use one seed.
    """
    from liquid_control.cli.next_steps import after_worlds, command_of, opening_command, suggest
    from liquid_control.cli.output import console
    from liquid_control.pages.world_tables import disturbance_table, scenario_table, select_names

    scenarios, disturbances = select_names(names or [])
    if scenarios:
        console().print(scenario_table(scenarios))
    if disturbances:
        console().print(disturbance_table(disturbances))
    draws, flies = after_worlds(scenarios, disturbances, bool(names))
    if sheet or out is not None:
        first = _write_sheets(scenarios, disturbances, seed, jobs, out)
        draws = command_of(*opening_command(first))
    suggest(draws, flies)


def _write_sheets(
    scenarios: list[str], disturbances: list[str], seed: int, jobs: int, out: Path | None
) -> Path:
    """Write the contact sheets and results.json; return the first sheet."""
    from liquid_control.cli.output import output_folder, write_document
    from liquid_control.cli.pilots import prepare_simulator
    from liquid_control.dependencies import require
    from liquid_control_sim.contact_sheet import (
        disturbance_sheets,
        scenario_sheet,
        take_pictures,
        write_sheet,
    )

    require("matplotlib", "report", "write contact sheets")
    with output_folder(out, "worlds", ("results.json",)) as folder:
        prepare_simulator()
        sheets = [scenario_sheet(scenarios, seed)] if scenarios else []
        sheets += disturbance_sheets(disturbances, seed)
        cells = [cell for plan in sheets for row in plan.rows for cell in row.cells]
        pictures = take_pictures(cells, jobs)
        paths = [write_sheet(folder / f"{plan.name}.png", plan, pictures) for plan in sheets]
        print(*paths, sep="\n")
        rows = [
            {"scenario": cell.scenario, "set": cell.settings, "seconds": cell.moments_s}
            for cell in cells
        ]
        write_document(folder, {"seed": seed, "pilot": "expert"}, rows)
    return paths[0]

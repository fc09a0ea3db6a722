"""`liquid-control certify`: proofs about the controller of a model, and their check."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.cli.options import whole_number

if TYPE_CHECKING:
    from liquid_control.policy import Model


def certify(
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Model folders, or folders of them, whose other cores are left out.",
            show_default="models",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only check the certificates that are there.")
    ] = False,
    box: Annotated[
        str,
        typer.Option(
            metavar="GAIN,OFFSET",
            help="Also for read-outs that are adapted in flight: gains within 1 ± GAIN, offsets "
            "within ± OFFSET of each command's scale.",
        ),
    ] = "",
    seed: Annotated[
        int, typer.Option(parser=whole_number(0), metavar="N", help="Of the searches.")
    ] = 0,
    closed_loop: Annotated[
        bool, typer.Option("--closed-loop", help="Fly the model, and prove where it can get.")
    ] = False,
    falsify: Annotated[
        str,
        typer.Option(
            metavar="SEEDS",
            help="Fly these seeds, such as 640000:641000, and look for windows of them that leave "
            "the tubes of closed_loop.json. Needs --out.",
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the flights of --falsify. What it holds is not flown again."),
    ] = None,
) -> None:
    """Prove bounds of a model's commands, sensitivity and memory, for a wired CfC.

    Example: liquid-control certify models/trail_cfc19

    Writes certificate.json into the model's folder. The bounds hold for all features, all elapsed
    times from 1 ms to 1 s and all states that can be reached. Each is shown with the largest value
    that a search found. A second program, in exact integers, then checks every claim; --check runs
    it alone. --closed-loop does the same for tubes of trail following, in closed_loop.json;
    --falsify flies against them.
    """
    from liquid_control.errors import ConfigError

    if bool(falsify) != (out is not None):
        raise ConfigError("expected --falsify SEEDS and --out FOLDER together")
    from liquid_control.certification import certified_lines
    from liquid_control.cli.pilots import prepare_simulator, simulator
    from liquid_control.policy import ReadoutBox, find_models

    given = models or [Path("models")]
    found = find_models(given)
    wired = [model for model in found if model.settings.core.wiring or model.path in given]
    boxes = [ReadoutBox.parse(box, one.settings.motors) if box else None for one in wired]
    if out is not None:
        _falsify(wired, falsify, out)
        return
    flyer = simulator() if closed_loop and not check else None
    if flyer is not None:
        prepare_simulator()
    for model, readout in zip(wired, boxes, strict=True):
        for line in certified_lines(model, check, seed, readout, closed_loop, flyer):
            print(line)


def _falsify(models: list["Model"], seeds: str, out: Path) -> None:
    """Fly seeds of one model against its tubes."""
    from liquid_control.certification import falsified_lines
    from liquid_control.cli.pilots import prepare_simulator, simulator
    from liquid_control.errors import ConfigError
    from liquid_control.evaluation import parse_seeds

    if len(models) != 1:
        raise ConfigError(f"expected one model to fly, got {len(models)}")
    chosen, flyer = parse_seeds(seeds), simulator()
    prepare_simulator()
    for line in falsified_lines(models[0], flyer, chosen, out):
        print(line)

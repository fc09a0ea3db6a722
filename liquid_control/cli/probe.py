"""`liquid-control probe`: still pictures through a policy."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from liquid_control.cli.completion import complete_model


def probe(
    pictures: Annotated[list[Path], typer.Argument(help="JPEG or PNG files, or folders of them.")],
    model: Annotated[
        str, typer.Option(help="Model folder.", autocompletion=complete_model)
    ] = "models/trail_cfc19",
    labels: Annotated[
        Path | None, typer.Option(help="CSV file with the columns file and direction (L, C, R).")
    ] = None,
    cut: Annotated[
        Literal["middle", "below"],
        typer.Option(help="Part that is kept of a picture of another shape."),
    ] = "middle",
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="runs/<UTC time>-probe")
    ] = None,
) -> None:
    """Show photographs of your own trail to a policy, before it flies there.

    Example: liquid-control probe photos/*.jpg --labels photos/labels.csv

    Each picture is held for 2 s in front of a vehicle at rest. The answer is the mean command over
    the last second. Writes probe.json and sheet.png, on which an arrow to the left is a turn to
    the left. Stills are no evidence of flight: a policy that turns the wrong way on them should
    not fly there, and one that turns the right way may still fail.
    """
    from liquid_control.cli.output import output_folder
    from liquid_control.evaluation import probe as probing
    from liquid_control.evaluation.probe_sheet import write_sheet
    from liquid_control.files import atomic_write
    from liquid_control.policy import Policy, load_model

    paths = probing.picture_paths(pictures)
    known = probing.load_labels(labels) if labels else None
    policy, kept = Policy(load_model(model)), probing.Cut(cut)
    with output_folder(out, "probe", ("probe.json",)) as folder:
        result = probing.probe(policy, paths, known, kept)
        for answer in (*result.answers, result.grey):
            fits = {None: "", True: "  right", False: "  wrong"}[answer.agrees]
            print(f"{answer.name:30s} yaw rate {answer.command.yaw_rate_radps:+.2f} rad/s{fits}")
        shown = [probing.cut_to_view(probing.read_picture(path), policy, kept) for path in paths]
        print(atomic_write(folder / "probe.json", json.dumps(result.to_dict(), indent=1)))
        print(write_sheet(folder / "sheet.png", result, shown))

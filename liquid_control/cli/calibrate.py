"""`liquid-control calibrate`: field of view, pitch and delay of a camera from a recording."""

from pathlib import Path
from typing import Annotated

import typer

from liquid_control.cli.topic_options import Topic, Topics, rules_of


def calibrate(
    bags: Annotated[list[Path], typer.Argument(metavar="BAG", help="As for replay.")],
    topics: Topics = None,
    topic: Topic = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="runs/<UTC time>-calibrate")
    ] = None,
) -> None:
    """Measure field of view, pitch and delay of a camera that was turned in front of objects.

    Example: liquid-control calibrate turns.mcap

    Compares the motion of points in the pictures with the gyro of the IMU. Prints the options
    that use the result, and writes calibration.json and calibration.png.
    """
    from liquid_control import calibration
    from liquid_control.bags import open_bag
    from liquid_control.cli.bag import reading_progress
    from liquid_control.cli.output import command_line, output_folder

    rules = rules_of(topics, topic)
    with output_folder(out, "calibrate", (calibration.DOCUMENT,)) as folder:
        with reading_progress(open_bag(bags).size_bytes) as bar:
            found = calibration.calibrate(bags, rules, lambda size: bar.advance(steps=size))
        print("\n".join(found.lines))
        print(calibration.write_calibration(folder, found, command_line()))

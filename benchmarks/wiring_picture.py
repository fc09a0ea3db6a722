"""Measure what one live picture of a wiring costs: activity, drawing and JPEG file, of one core.

    python -m benchmarks.wiring_picture [--model models/trail_cfc19]

Moments are random (`default_rng(6)`). The exit status is 1 where a median exceeds its limit.
"""

import argparse
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.programs import one_line_errors
from liquid_control.command import MOTORS
from liquid_control.errors import ModelError
from liquid_control.liquid import fully_connected
from liquid_control.liquid.activity import Activity, step_activity
from liquid_control.policy import load_model
from liquid_control.types import Floats, Pixels
from liquid_control.viewers.wiring_picture import WiringPicture

MOMENTS = 40
LIMIT_MS = {"shipped policy": 10.0, "64 neurons, all joined": 100.0}
"""Largest median, ms of one core."""


def of_model(name: str) -> Callable[[np.random.Generator], Pixels]:
    """Return a function that draws a random moment of a model.

    Raises:
        ModelError: there is no such model, or it has no wired CfC.
    """
    weights = load_model(name).wired_weights
    if weights is None:
        raise ModelError(f"{name}: expected a model with a wired CfC, got another core")
    drawn, inputs, neurons = (
        WiringPicture(weights.wiring, MOTORS),
        weights.wiring.inputs,
        weights.wiring.neurons,
    )

    def draw(rng: np.random.Generator) -> Pixels:
        x, before = rng.uniform(-1.0, 1.0, inputs), rng.uniform(-0.9, 0.9, neurons)
        return drawn.draw(step_activity(weights, x, before, 0.033), x)

    return draw


def of_a_large_wiring() -> Callable[[np.random.Generator], Pixels]:
    """Return a function that draws random activity of 64 neurons that are all joined."""
    wiring = fully_connected(40, 64)
    drawn = WiringPicture(wiring, MOTORS)

    def draw(rng: np.random.Generator) -> Pixels:
        def drawn_values(shape: tuple[int, ...]) -> Floats:
            return rng.uniform(-0.3, 0.3, shape)

        activity = Activity(
            drawn_values((wiring.neurons,)),
            drawn_values(wiring.sensory.shape),
            drawn_values(wiring.recurrent.shape),
        )
        return drawn.draw(activity, drawn_values((wiring.inputs,)))

    return draw


def times_ms(draw: Callable[[np.random.Generator], Pixels], moments: int = MOMENTS) -> Floats:
    """Return the time of each picture and its file, ms of one core, [moments]."""
    rng, spent_s = np.random.default_rng(6), []
    for _ in range(moments):
        begin_s = time.thread_time()
        cv2.imencode(".jpg", draw(rng), [cv2.IMWRITE_JPEG_QUALITY, 80])
        spent_s.append(time.thread_time() - begin_s)
    return 1e3 * np.array(spent_s)


@one_line_errors()
def main() -> None:
    """Print the table, and fail where a limit is exceeded."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="models/trail_cfc19")
    found = dict(
        zip(
            LIMIT_MS,
            (
                times_ms(draw)
                for draw in (of_model(parser.parse_args().model), of_a_large_wiring())
            ),
            strict=True,
        )
    )
    table = Table(title=f"ms of one core, {MOMENTS} pictures")
    for name in ("wiring", "median", "p99", "limit of the median"):
        table.add_column(name, justify="left" if name == "wiring" else "right")
    for name, times in found.items():
        middle, late = np.percentile(times, [50, 99])
        table.add_row(name, f"{middle:.1f}", f"{late:.1f}", f"{LIMIT_MS[name]:g}")
    Console().print(table)
    sys.exit(int(any(np.median(times) > LIMIT_MS[name] for name, times in found.items())))


if __name__ == "__main__":
    main()

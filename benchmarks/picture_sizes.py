"""Time of a picture and of its encoder by picture size: what a camera costs, not how it flies.

    python -m benchmarks.picture_sizes

The expert flies a trail once for each size; every picture is rendered and encoded. The
encoder of each size is that of a model, resized as at the beginning of a training: its layers and
so its time are those of a trained one. Times are CPU time of the thread, which other processes
affect less than the wall clock; sizes alternate, frame by frame of separate flights.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, cast

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.programs import one_line_errors
from liquid_control.command.guard import Guard, GuardState
from liquid_control.config import load_scenario
from liquid_control.export.onnx import perception_graph
from liquid_control.perception import Encoder, input_values, standardise
from liquid_control.training.encoder_files import load_encoder, resized
from liquid_control.types import Observation, Pixels
from liquid_control_sim import Expert, Flight
from liquid_control_sim.world import SimulatedWorld

SIZES = ((64, 36), (96, 54), (128, 72), (160, 90))
_WARM_UP = 5


@dataclass(frozen=True, slots=True)
class PictureTimes:
    """Times of a picture size.

    Attributes:
        width, height: px.
        weights: of the encoder.
        picture_ms: CPU time of rendering and forming a picture, ms: median over frames.
        picture_low_ms: its 10th percentile.
        encoder_ms: CPU time of standardisation and encoder, ms: median over frames.
        encoder_low_ms: its 10th percentile.
    """

    width: int
    height: int
    weights: int
    picture_ms: float
    picture_low_ms: float
    encoder_ms: float
    encoder_low_ms: float


class _TimedCamera:
    """Proxy of a world that times `take_picture`."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self.spent_s = 0.0

    def take_picture(self, index: int) -> Pixels:
        begun = time.thread_time()
        picture = self._world.take_picture(index)
        self.spent_s = time.thread_time() - begun
        return picture

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


def time_pictures(
    model: str, frames: int, seed: int, sizes: Sequence[tuple[int, int]] = SIZES
) -> list[PictureTimes]:
    """Time pictures and encoders of several sizes.

    Args:
        model: folder of the model or encoder whose layers are used.
        frames: number of frames of each size, at 20 Hz.
        seed: of the flights.
        sizes: width and height, px.

    Raises:
        ConfigError: the convolutions leave nothing of a picture of some size.
    """
    encoder = load_encoder(model)
    specs = [resized(encoder, height, width) for width, height in sizes]
    turns = [_frames(one.spec.width, one.spec.height, seed) for one in specs]
    runs = [Encoder(perception_graph(one.spec, one.arrays)) for one in specs]
    rows: list[list[tuple[float, float]]] = [[] for _ in sizes]
    for _ in range(frames + _WARM_UP):
        for row, turn, run in zip(rows, turns, runs, strict=True):
            picture_s, observation = next(turn)
            mount = input_values(("mount",), observation) if run.mounted else None
            begun = time.thread_time()
            run.encode(standardise(observation.image), mount)
            row.append((picture_s, time.thread_time() - begun))
    found = []
    for one, row in zip(specs, rows, strict=True):
        picture, encoding = 1e3 * np.array(row[_WARM_UP:]).T
        low = np.percentile(picture, 10), np.percentile(encoding, 10)
        size = one.spec.width, one.spec.height, sum(array.size for array in one.arrays.values())
        times = median(picture), low[0], median(encoding), low[1]
        found.append(PictureTimes(*size, *map(float, times)))
    return found


def _frames(width: int, height: int, seed: int) -> Iterator[tuple[float, Observation]]:
    """Yield the time of each picture, s, and its observation; flight after flight."""
    keys = {"camera.width": width, "camera.height": height, "camera.rate_hz": 20.0}
    scenario = load_scenario("trail", keys | {"forest.trees": 120})
    while True:
        pilot, guard, state = Expert(), Guard(), GuardState()
        with Flight(scenario, seed) as flight:
            pilot.start(flight.world)
            camera = _TimedCamera(flight.world)
            flight.world = cast(SimulatedWorld, camera)
            while (tick := flight.advance()) is not None:
                if tick.observation is None:
                    state = guard.poll(tick.stamp_ns, state)
                else:
                    yield camera.spent_s, tick.observation
                    command = pilot.command(tick.observation, tick.truth)
                    state = guard.admit(command, tick.stamp_ns, state)
                flight.apply_command(state.output)
        seed += 1


def times_table(found: Sequence[PictureTimes]) -> Table:
    """Return the times as a table."""
    table = Table("picture", "weights", "picture, ms", "10 %", "encoder, ms", "10 %")
    for one in found:
        times = (one.picture_ms, one.picture_low_ms, one.encoder_ms, one.encoder_low_ms)
        cells = (f"{value:.3f}" for value in times)
        table.add_row(f"{one.width}x{one.height}", f"{one.weights:,}", *cells)
    return table


@one_line_errors()
def main() -> None:
    """Parse the options, time the sizes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/trail_cfc19")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--seed", type=int, default=10_000)
    options = parser.parse_args()
    Console().print(times_table(time_pictures(options.model, options.frames, options.seed)))


if __name__ == "__main__":
    main()

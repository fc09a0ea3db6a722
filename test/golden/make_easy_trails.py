"""Write easy_trails.npz: forests up to difficulty 1 and commands of the expert in them.

    python test/golden/make_easy_trails.py

Models that were trained in these forests are evaluated in them, so they must not change. Rewrite
the file only when easy forests change on purpose.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import Scenario, TrailSettings
from liquid_control.frames import quaternion_from_euler
from liquid_control.types import VehicleState
from liquid_control_sim import Expert
from liquid_control_sim.place.forest import Forest, generate_forest

PATH = Path(__file__).parent / "easy_trails.npz"
CASES = ((0.0, 0), (0.3, 10001), (0.7, 5), (1.0, 7))
"""Difficulties and seeds."""


def forest_arrays(forest: Forest) -> dict[str, NDArray[np.float64]]:
    """Return the data of a forest as arrays by name."""
    palette = forest.palette
    colours = (palette.trail, palette.trail_dark, palette.floor, palette.floor_dark)
    more = (palette.floor_light, palette.litter, (palette.litter_fraction,), palette.leaves)
    return {
        "headings": forest.trail.headings,
        "trunks": forest.trunks,
        "half_width_m": forest.half_width_m,
        "palette": np.concatenate([*colours, *more]),
        **{f"tree_{name}": value for name, value in vars(forest.trees).items()},
    }


def poses(forest: Forest) -> NDArray[np.float64]:
    """Return [60, 4]: positions near the trail, m, and headings, rad."""
    rng = np.random.default_rng(1)
    rows = []
    for along in range(60):
        (x, y), heading = forest.trail.point(along), forest.trail.heading(along)
        aside, up, turn, _ = rng.uniform(-1.0, 1.0, 4)
        place = (x - np.sin(heading) * aside, y + np.cos(heading) * aside, 1.5 + 0.5 * up)
        rows.append((*place, heading + 0.6 * turn))
    return np.array(rows)


def expert_commands(forest: Forest, scenario: Scenario, at: NDArray[np.float64]) -> list[tuple]:
    """Return the commands of the expert for a sequence of poses."""
    expert = Expert()
    expert.start(
        SimpleNamespace(
            scenario=scenario,
            trail=forest.trail,
            trunks=forest.trunks,
            obstacles=forest.obstacles,
            ground=forest.terrain,
            targets=(),
        )
    )
    still = np.zeros(3)
    states = [
        VehicleState(row[:3], quaternion_from_euler(0.0, 0.0, row[3]), still, still) for row in at
    ]
    return [expert.command(None, state).values for state in states]


def main() -> None:
    """Generate the forests, compute the commands and write the file."""
    arrays = {}
    for difficulty, seed in CASES:
        scenario = Scenario(trail=TrailSettings(difficulty=difficulty))
        forest = generate_forest(scenario, seed)
        at = poses(forest)
        found = forest_arrays(forest)
        found |= {"poses": at, "commands": np.array(expert_commands(forest, scenario, at))}
        arrays |= {f"{difficulty:g}_{seed}_{name}": value for name, value in found.items()}
    np.savez_compressed(PATH, **arrays)


if __name__ == "__main__":
    main()

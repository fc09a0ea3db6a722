"""Measure how well a policy holds the cruise speed that it is given, on gentle trails.

    python examples/09_hold_a_cruise_speed.py [model folder]

Requires the extra [sim]. The first 3 s, in which the vehicle speeds up, do not count.
"""

import sys
from pathlib import Path

import numpy as np

from liquid_control.config import load_scenario, project_file
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control_sim import fly

SPEEDS_MPS = (1.0, 2.0, 3.0, 4.0)
SETTLED_NS = 3_000_000_000


def main(
    model: Path | None = None, seeds: range = range(10000, 10010), length_m: float = 40.0
) -> dict[float, float]:
    """Return the mean speed flown over the flights, by the speed wanted, m/s."""
    policy = Policy(load_model(model or project_file("models/trail_cfc19")))
    flown = {}
    for wanted in SPEEDS_MPS:
        keys = {"trail.difficulty": 0.0, "trail.length_m": length_m, "speed_mps": wanted}
        means, completed = [], 0
        for seed in seeds:
            record = fly(load_scenario("trail", keys), seed, PolicyPilot(policy))
            settled = record.stamp_ns > record.stamp_ns[0] + SETTLED_NS
            means.append(float(np.hypot(*record.velocity[settled, :2].T).mean()))
            completed += record.result.success
        flown[wanted] = float(np.mean(means))
        change = 100.0 * (flown[wanted] / wanted - 1.0)
        print(f"wanted {wanted:.1f} m/s: flown {flown[wanted]:.2f} m/s, {change:+.0f} %", end="; ")
        print(f"single flights {min(means):.2f} to {max(means):.2f} m/s", end="; ")
        print(f"{completed} of {len(seeds)} completed")
    return flown


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))

"""Fly a trained policy in this process and print the activity of its 19 neurons.

    python examples/02_watch_the_neurons.py [model folder]

Requires the extra [sim], neither PyTorch nor ROS.
"""

import sys
from pathlib import Path

import numpy as np

from liquid_control.config import load_scenario, project_file
from liquid_control.interfaces import FlightProgress
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control_sim import fly


def main(model: Path | None = None, seed: int = 7, length_m: float = 30.0) -> dict[str, float]:
    """Return each neuron's standard deviation over the flight."""
    folder = model or project_file("models/trail_cfc19")
    pilot = PolicyPilot(Policy(load_model(folder)))
    states = []

    def on_progress(progress: FlightProgress) -> None:
        if progress.image is not None and pilot.decision is not None:
            states.append(pilot.decision.state)

    record = fly(load_scenario("trail", {"trail.length_m": length_m}), seed, pilot, on_progress)
    spread = dict(zip(pilot.policy.state_names, np.std(states, axis=0).tolist(), strict=True))
    print(f"{record.result.reason} after {record.result.distance_m:.1f} m")
    for name, value in spread.items():
        print(f"{name:>10} {'#' * round(40 * value)}")
    return spread


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))

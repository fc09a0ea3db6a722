"""Step responses of our cascade and of real firmwares: the table of docs/results.md.

    python docs/step_responses.py --betaflight PATH --ardupilot PATH --px4 PATH [--seeds 3]

Each vehicle hovers in calm air, gets one velocity command for 3 s, and hovers again. Times are
from the command to 10, 63 and 90 % of it, and the overshoot is relative to it, means over the
seeds.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from liquid_control.config import load_scenario
from liquid_control.frames import heading_from_world, heading_of
from liquid_control.graph.firmware_flight import SETUPS
from liquid_control.types import HOVER, Command, VehicleState
from liquid_control_sim.dynamics.quadrotor import Quadrotor, VehicleBase
from liquid_control_sim.dynamics.vectors import ZERO
from liquid_control_sim.firmware import FirmwareFlyer, FirmwareSortie
from liquid_control_sim.firmware.flyer import FirmwareSetup
from liquid_control_sim.place.terrain import FLAT
from liquid_control_sim.quiet_bullet import pybullet
from liquid_control_sim.schedule import PHYSICS_HZ
from liquid_control_sim.world import VehicleSite

STEPS = {
    "forward 1 m/s": (Command(forward_mps=1.0), 0),
    "left 1 m/s": (Command(left_mps=1.0), 1),
    "up 0.5 m/s": (Command(up_mps=0.5), 2),
    "yaw rate 0.5 rad/s": (Command(yaw_rate_radps=0.5), 3),
}
START = (np.array([0.0, 0.0, 3.0]), 0.5)
STEP_S, REST_S, HOVER_S = 3.0, 4.0, 10.0


def measured(state: VehicleState) -> list[float]:
    """Return velocity in the heading frame, m/s, and yaw rate, rad/s."""
    velocity = heading_from_world(state.velocity, heading_of(state.quaternion))
    return [*velocity.tolist(), float(state.angular_velocity[2])]


def fly(vehicle: VehicleBase) -> dict[str, list[float]]:
    """Return times to 10, 63 and 90 %, s, and overshoot, of each step; drift in hover, m."""
    answers = {}
    for name, (command, axis) in STEPS.items():
        rows = []
        for _ in range(round(STEP_S * PHYSICS_HZ)):
            vehicle.step(command, ZERO)
            rows.append(measured(vehicle.state)[axis])
        size = command.values[axis]
        curve = np.array(rows) / size
        times = [float(np.argmax(curve >= part)) / PHYSICS_HZ for part in (0.1, 0.63, 0.9)]
        answers[name] = [*times, float(curve.max() - 1.0)]
        for _ in range(round(REST_S * PHYSICS_HZ)):
            vehicle.step(HOVER, ZERO)
    place = vehicle.position
    worst = 0.0
    for _ in range(round(HOVER_S * PHYSICS_HZ)):
        vehicle.step(HOVER, ZERO)
        worst = max(worst, float(np.linalg.norm(vehicle.position - place)))
    answers["hover"] = [worst]
    return answers


def site(seed: int) -> VehicleSite:
    """Return an empty place in a client of its own."""
    return VehicleSite(pybullet.connect(pybullet.DIRECT), load_scenario("trail"), seed, FLAT)


def own(seed: int) -> dict[str, list[float]]:
    """Fly our cascade."""
    place = site(seed)
    return fly(Quadrotor(place.client, place.vehicle, *START))


def firmware(setup: FirmwareSetup, folder: Path) -> Callable[[int], dict[str, list[float]]]:
    """Return a function that flies a firmware."""
    flyer = FirmwareFlyer(setup, folder)

    def one(seed: int) -> dict[str, list[float]]:
        with flyer.hovering(site(seed), START, FirmwareSortie()) as vehicle:
            return fly(vehicle)

    return one


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in SETUPS:
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print("| step | autopilot | 10 % | 63 % | 90 % | overshoot |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        flights = {"our cascade": own}
        for name, setup_of in SETUPS.items():
            if program := getattr(options, name):
                setup = setup_of(program.resolve())
                flights[setup.name] = firmware(setup, Path(folder) / name)
        means: dict[str, dict[str, list[float]]] = {}
        for name, flight in flights.items():
            flown = [flight(seed) for seed in range(options.seeds)]
            means[name] = {key: list(np.mean([one[key] for one in flown], 0)) for key in flown[0]}
    for step in STEPS:
        for name, answers in means.items():
            ten, most, ninety, over = answers[step]
            times = f"{ten:.2f} s | {most:.2f} s | {ninety:.2f} s"
            print(f"| {step} | {name} | {times} | {100 * over:.0f} % |")
    for name, answers in means.items():
        print(f"hover drift in {HOVER_S:g} s, {name}: {answers['hover'][0]:.3f} m")


if __name__ == "__main__":
    main()

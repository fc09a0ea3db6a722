"""What a firmware does when set-points stop: the table of docs/results.md.

    python docs/setpoint_loss.py --ardupilot PATH --px4 PATH [--seed 0]

The vehicle flies forward at 1 m/s in calm air. Then the link is lost: nothing is sent any more,
not even a heartbeat. Or the policy dies, and the bridge with `on_stale: stop` sends zero velocity
once after 150 ms, then nothing. Each with the parameters that docs/autopilots.md recommends, and
with the defaults of the firmware.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from liquid_control.config import load_scenario
from liquid_control.graph.mavlink_flight import ArduPilotSetup, Px4Setup
from liquid_control.types import Command, Floats, VehicleState
from liquid_control_sim.dynamics.vectors import ZERO
from liquid_control_sim.firmware import FirmwareFlyer, FirmwareSortie, FlightStage
from liquid_control_sim.firmware.flyer import FirmwareSetup
from liquid_control_sim.place.terrain import FLAT
from liquid_control_sim.quiet_bullet import pybullet
from liquid_control_sim.schedule import PHYSICS_HZ
from liquid_control_sim.world import VehicleSite

START = (np.array([0.0, 0.0, 3.0]), 0.5)
FORWARD = Command(forward_mps=1.0)
BEFORE_S, AFTER_S = 4.0, 40.0
STANDS_MPS = 0.1
LOSSES = ("link", "policy")


class DeadCompanion:
    """Sends nothing."""

    is_armed = None

    def step(self, now_ns: int, state: VehicleState, command: Command, stage: FlightStage) -> None:
        """Send nothing."""

    def arming_problem(self) -> str:
        """Return nothing."""
        return ""

    def close(self) -> None:
        """Close nothing."""


class Loss(NamedTuple):
    """What happened after the last set-point.

    Attributes:
        slower_s: until the speed was below 90 % of what it was, s.
        stands_s: until it stood still, s.
        stands_m: from the place of the last set-point to where it stood still, m.
        end_m: horizontal distance from that place at the end, m.
        end_height_m: height above the ground then, m.
        top_m: greatest height above the ground, m.
    """

    slower_s: float
    stands_s: float
    stands_m: float
    end_m: float
    end_height_m: float
    top_m: float


def fly(setup: FirmwareSetup, lost: str, seed: int, folder: Path) -> Loss:
    """Fly until the link is lost or the policy dies, and on."""
    place = VehicleSite(pybullet.connect(pybullet.DIRECT), load_scenario("trail"), seed, FLAT)
    positions: list[Floats] = []
    speeds: list[float] = []
    heights: list[float] = []
    with FirmwareFlyer(setup, folder).hovering(place, START, FirmwareSortie()) as vehicle:
        alive = vehicle.companion
        for _ in range(round(BEFORE_S * PHYSICS_HZ)):
            vehicle.step(FORWARD, ZERO)
        if lost == "link":
            vehicle.companion = DeadCompanion()
        else:
            vehicle.stage = FlightStage.WAIT
        for _ in range(round(AFTER_S * PHYSICS_HZ)):
            vehicle.step(FORWARD, ZERO)
            positions.append(vehicle.position)
            speeds.append(float(np.linalg.norm(vehicle.state.velocity)))
            heights.append(vehicle.height_m)
        vehicle.companion, vehicle.stage = alive, FlightStage.FLY
    speed, path = np.array(speeds), np.array(positions)
    away = np.linalg.norm(path[:, :2] - path[0, :2], axis=1)
    stands = int(np.argmax(speed < STANDS_MPS))
    slower = int(np.argmax(speed < 0.9 * speed[0]))
    return Loss(
        slower / PHYSICS_HZ,
        stands / PHYSICS_HZ,
        float(away[stands]),
        float(away[-1]),
        heights[-1],
        max(heights),
    )


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    parameters: str
    setup: FirmwareSetup


def cases(ardupilot: Path | None, px4: Path | None) -> Iterator[Case]:
    """Yield the rows of the firmwares that are at hand."""
    if ardupilot:
        yield Case("default", ArduPilotSetup(ardupilot, parameters={"GUID_TIMEOUT": 3.0}))
        yield Case("`GUID_TIMEOUT` 0.5", ArduPilotSetup(ardupilot))
    if px4:
        default = {"COM_OF_LOSS_T": 1.0, "COM_OBL_RC_ACT": 0}
        yield Case("default", Px4Setup(px4, parameters=default))
        yield Case("`COM_OF_LOSS_T` 0.5, `COM_OBL_RC_ACT` 5", Px4Setup(px4))


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ardupilot", type=Path)
    parser.add_argument("--px4", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"| autopilot | lost | parameters | brakes | stands | travelled | after {AFTER_S:g} s |")
    print("|---|---|---|---|---|---|---|")
    rows = itertools.product(LOSSES, cases(options.ardupilot, options.px4))
    for lost, case in rows:
        with tempfile.TemporaryDirectory() as folder:
            loss = fly(case.setup, lost, options.seed, Path(folder))
        end = f"{loss.end_m:.1f} m away, {loss.end_height_m:.1f} m high (at most {loss.top_m:.1f})"
        times = f"{loss.slower_s:.2f} s | {loss.stands_s:.2f} s | {loss.stands_m:.2f} m"
        print(f"| {case.setup.name} | {lost} | {case.parameters} | {times} | {end} |", flush=True)


if __name__ == "__main__":
    main()

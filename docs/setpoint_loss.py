"""What a firmware does when set-points stop: the table of docs/results.md.

    python docs/setpoint_loss.py --ardupilot PATH --px4 PATH --betaflight PATH [--seed 0]

The vehicle flies forward at 1 m/s in calm air. Then the link is lost: nothing is sent any more,
not even a heartbeat. Or the policy dies, and the bridge with `on_stale: stop` sends zero velocity
once after 150 ms, then nothing. Each with the parameters that docs/autopilots.md recommends, and
with the defaults of the firmware.

Betaflight gets sticks instead of velocities, over MSP. Its link is lost; or the companion dies and
`RcKeeper`, whose rules are applied to simulated time here, outlives it.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control.autopilots.rc_keeper import KeeperPhase, KeeperRules
from liquid_control.config import load_scenario
from liquid_control.graph.betaflight_flight import RC_EVERY, BetaflightCompanion, BetaflightSetup
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


@dataclass
class DeadBehindKeeper(DeadCompanion):
    """Sends nothing; a keeper of its RC link sends neutral sticks, then releases the link.

    Attributes:
        alive: what it was before.
        rules: of the keeper.
    """

    alive: BetaflightCompanion
    rules: KeeperRules = field(default_factory=KeeperRules)
    _since_ns: int | None = None
    _tick: int = 0

    def step(self, now_ns: int, state: VehicleState, command: Command, stage: FlightStage) -> None:
        """Send the keeper's frame that is due."""
        self._since_ns = now_ns if self._since_ns is None else self._since_ns
        self._tick += 1
        phase = self.rules.phase(self._since_ns, now_ns, ended=False)
        if phase is KeeperPhase.NEUTRAL and self._tick % RC_EVERY == 0:
            self.alive.send(now_ns, self.alive.neutral)


class Loss(NamedTuple):
    """What happened after the last set-point.

    Attributes:
        slower_s: until the speed was below 90 % of what it was, s.
        stands_s: until it stood still, s.
        stands_m: from the place of the last set-point to where it stood still, m.
        end_m: horizontal distance from that place at the end, m.
        end_height_m: height above the ground then, m.
        top_m: greatest height above the ground, m.
        touch_mps: speed of the last tick before it was on the ground; NaN if it never was.
    """

    slower_s: float
    stands_s: float
    stands_m: float
    end_m: float
    end_height_m: float
    top_m: float
    touch_mps: float


def first(happens: NDArray[np.bool_]) -> float:
    """Return the time of the first tick at which something happens, s; NaN if it never does."""
    return int(np.argmax(happens)) / PHYSICS_HZ if happens.any() else float("nan")


def fly(setup: FirmwareSetup, lost: str, seed: int, folder: Path) -> Loss:
    """Fly until the link is lost or the policy dies, and on.

    Args:
        setup: starts the firmware.
        lost: `link`, `policy`, or `companion`: the keeper of an RC link outlives it.
        seed: of the sensors.
        folder: of the firmware's files.
    """
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
        elif isinstance(alive, BetaflightCompanion):
            vehicle.companion = DeadBehindKeeper(alive)
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
    stands = first(speed < STANDS_MPS)
    slower = first(speed < 0.9 * speed[0])
    low = [tick for tick, height in enumerate(heights) if height < 0.005]
    return Loss(
        slower,
        stands,
        float("nan") if stands != stands else float(away[round(stands * PHYSICS_HZ)]),
        float(away[-1]),
        heights[-1],
        max(heights),
        speeds[low[0] - 1] if low else float("nan"),
    )


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    lost: str
    parameters: str
    setup: FirmwareSetup


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Yield the rows of the firmwares that are at hand."""
    for lost in LOSSES:
        if options.ardupilot:
            default = ArduPilotSetup(options.ardupilot, parameters={"GUID_TIMEOUT": 3.0})
            yield Case(lost, "default", default)
            yield Case(lost, "`GUID_TIMEOUT` 0.5", ArduPilotSetup(options.ardupilot))
        if options.px4:
            values = {"COM_OF_LOSS_T": 1.0, "COM_OBL_RC_ACT": 0}
            yield Case(lost, "default", Px4Setup(options.px4, parameters=values))
            yield Case(lost, "`COM_OF_LOSS_T` 0.5, `COM_OBL_RC_ACT` 5", Px4Setup(options.px4))
    if options.betaflight:
        override = BetaflightSetup(options.betaflight, pace=1.0, override=True)
        yield Case("link", "MSP override", override)
        yield Case("companion", "MSP override, `RcKeeper`", override)


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ardupilot", type=Path)
    parser.add_argument("--px4", type=Path)
    parser.add_argument("--betaflight", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    end = f"after {AFTER_S:g} s | on the ground with"
    print(f"| autopilot | lost | parameters | brakes | stands | travelled | {end} |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases(options):
        with tempfile.TemporaryDirectory() as folder:
            loss = fly(case.setup, case.lost, options.seed, Path(folder))
        end = f"{loss.end_m:.1f} m away, {loss.end_height_m:.1f} m high (at most {loss.top_m:.1f})"
        times = f"{loss.slower_s:.2f} s | {loss.stands_s:.2f} s | {loss.stands_m:.2f} m"
        what = f"{case.setup.name} | {case.lost} | {case.parameters}"
        print(f"| {what} | {times} | {end} | {loss.touch_mps:.1f} m/s |", flush=True)


if __name__ == "__main__":
    main()

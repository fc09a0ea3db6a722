"""Small simulator for tests: a straight trail, shown as a bar in the picture.

It implements the `Flyer` protocol; all other parts of these tests are real.
"""

import numpy as np

from liquid_control.config import Scenario
from liquid_control.interfaces import Pilot
from liquid_control.seeding import stream
from liquid_control.types import (
    NANOSECONDS,
    Command,
    FlightRecord,
    FlightResult,
    ImuWindow,
    Observation,
    VehicleState,
)

LIMIT_M = 1.5


class StraightTrail:
    length_m = 1000.0

    def point(self, along_m):
        return along_m, 0.0

    def heading(self, along_m):
        return 0.0

    def project(self, x, y, near_m):
        return x, y


class NoObstacles:
    trunks = np.empty((0, 3))
    capsules = np.empty((0, 7))


class FlatGround:
    def height_at(self, x, y):
        return 0.0


class ToyWorld:
    targets = ()
    picture_range_m = None

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.trail = StraightTrail()
        self.trunks = np.empty((0, 3))
        self.obstacles = NoObstacles()
        self.ground = FlatGround()

    def project(self, point, state):
        return None


class ToyExpert:
    """Steers to the centre; privileged, since it reads the true offset."""

    name = "expert"

    def start(self, world):
        self._speed = world.scenario.cruise_mps

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        offset = float(truth.position[1])
        return Command(self._speed, max(-1.0, min(1.0, -1.5 * offset)), 0.0, -0.4 * offset)


def fly(scenario: Scenario, seed: int, pilot: Pilot, watch=None) -> FlightRecord:
    """Fly along x; the offset follows the sideways command and a seeded drift."""
    rng = stream(seed, "toy")
    pilot.start(ToyWorld(scenario))
    x, y, drift, stamp_ns, rows = 0.0, rng.uniform(-0.5, 0.5), rng.normal(0.0, 0.1), 0, []
    while x < scenario.trail.length_m and abs(y) < LIMIT_M and stamp_ns < 60 * NANOSECONDS:
        truth = VehicleState(
            np.array([x, y, 1.5]), np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3), np.zeros(3)
        )
        observation = Observation(stamp_ns, picture(scenario, y, rng), window(stamp_ns, rng))
        command = pilot.command(observation, truth)
        rows.append((stamp_ns, x, y, command.values))
        step_s = 1.0 / scenario.camera.rate_hz * (2 if rng.uniform() < 0.1 else 1)
        x += max(0.5, command.forward_mps) * step_s
        y += (command.left_mps + drift) * step_s
        stamp_ns += round(step_s * NANOSECONDS)
    return record(rows, x, scenario)


def picture(scenario: Scenario, y: float, rng) -> np.ndarray:
    height, width = scenario.camera.height, scenario.camera.width
    columns = np.arange(width) - width / 2
    bar = 150.0 * np.exp(-0.5 * ((columns - y * width / 4) / 2.0) ** 2)
    noisy = 60.0 + bar[None, :, None] + rng.normal(0.0, 3.0, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def window(stamp_ns: int, rng) -> ImuWindow:
    rates = rng.normal(0.0, 0.01, (2, 3))
    forces = rng.normal([0.0, 0.0, 9.81], 0.05, (2, 3))
    return ImuWindow(np.array([stamp_ns - 1, stamp_ns]), rates, forces)


def record(rows, x: float, scenario: Scenario) -> FlightRecord:
    count = len(rows)
    offsets = np.array([row[2] for row in rows])
    success = x >= scenario.trail.length_m
    return FlightRecord(
        stamp_ns=np.array([row[0] for row in rows], np.int64),
        position=np.stack([[row[1], row[2], 1.5] for row in rows]),
        quaternion=np.tile([0.0, 0.0, 0.0, 1.0], (count, 1)),
        velocity=np.zeros((count, 3)),
        command=np.array([row[3] for row in rows]),
        framed=np.ones(count, bool),
        wind=np.zeros((count, 3)),
        progress_m=np.array([row[1] for row in rows]),
        cross_track_m=offsets,
        clearance_m=np.full(count, 1.0),
        result=FlightResult(
            success=success,
            reason="completed" if success else "left_trail",
            distance_m=min(x, scenario.trail.length_m),
            cross_track_rms_m=float(np.sqrt(np.mean(offsets**2))),
            min_clearance_m=1.0,
            duration_s=rows[-1][0] / NANOSECONDS,
        ),
    )

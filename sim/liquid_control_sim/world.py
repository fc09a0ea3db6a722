"""One seeded world: quadrotor, forest, wind, light and sensors around a PyBullet client."""

from typing import Any

import numpy as np
import pybullet

from liquid_control.config.scenario import Scenario
from liquid_control.frames import heading_of
from liquid_control.seeding import stream
from liquid_control.types import Command, Floats, ImuWindow, Pixels, VehicleState
from liquid_control_sim.camera import Camera
from liquid_control_sim.forest import generate_forest
from liquid_control_sim.imu import Imu
from liquid_control_sim.quadrotor import Quadrotor
from liquid_control_sim.range_sensor import RangeSensor
from liquid_control_sim.scene import Scene
from liquid_control_sim.schedule import PHYSICS_HZ, stamp_of
from liquid_control_sim.vehicle import load_vehicle
from liquid_control_sim.wind import WindField

START_LATERAL_M = 0.3
START_ALTITUDE_M = 0.2
START_HEADING_RAD = 0.15
"""Half ranges of the uniform draw of the start: no flight begins exactly on the trail."""


class SimulatedWorld:
    """The world that one flight takes place in; an `interfaces.World` for experts.

    Args:
        scenario: what it is made of.
        seed: of every random stream.
        gui: show PyBullet's window.
    """

    def __init__(self, scenario: Scenario, seed: int, gui: bool = False) -> None:
        self.scenario = scenario
        self.vehicle = load_vehicle(scenario.vehicle)
        self.forest = generate_forest(scenario.trail, scenario.forest, seed)
        self.trail = self.forest.trail
        self.trunks: Floats = self.forest.trunks
        self.tick = 0
        self._client = pybullet.connect(pybullet.GUI if gui else pybullet.DIRECT)
        self._quadrotor = Quadrotor(self._client, self.vehicle, *self._start(seed))
        self._scene = Scene(self._client, self.forest, scenario.light, seed)
        self._camera = Camera(self._client, self._scene, scenario, seed)
        self._wind = WindField(scenario.wind, seed)
        self._imu = Imu(scenario.imu, seed)
        self._range = RangeSensor(scenario.range, seed)
        self._samples: list[tuple[int, Floats, Floats]] = []
        self._sense()

    def _start(self, seed: int) -> tuple[Floats, float]:
        draw = stream(seed, "start").uniform(-1.0, 1.0, 3)
        x, y = self.trail.point(0.0)
        heading = self.trail.heading(0.0)
        aside = START_LATERAL_M * draw[0]
        position = np.array(
            [
                x - aside * np.sin(heading),
                y + aside * np.cos(heading),
                self.scenario.altitude_m + START_ALTITUDE_M * draw[1],
            ]
        )
        return position, heading + START_HEADING_RAD * float(draw[2])

    def step(self, command: Command) -> None:
        """Advance by one physics tick with a command in force."""
        self._quadrotor.step(command, self.wind)
        self.tick += 1
        self._sense()

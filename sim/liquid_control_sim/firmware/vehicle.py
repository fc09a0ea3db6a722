"""The quadrotor of the simulator with a firmware in the place of our own cascade."""

import math
import time

import numpy as np

from liquid_control.interfaces import Ground
from liquid_control.types import NANOSECONDS, Command, Floats
from liquid_control_sim.dynamics.airframe import BodyForces
from liquid_control_sim.dynamics.autopilot import heading_of_four
from liquid_control_sim.dynamics.quadrotor import Quadrotor
from liquid_control_sim.dynamics.vectors import ZERO, Four, Vector, map_up, to_body
from liquid_control_sim.dynamics.velocity_loop import Estimate
from liquid_control_sim.firmware.backend import (
    Companion,
    FirmwareBackend,
    FlightStage,
    SensorReadings,
    rotor_speed,
)
from liquid_control_sim.quiet_bullet import pybullet as p
from liquid_control_sim.schedule import PHYSICS_HZ
from liquid_control_sim.sensors.imu import Imu
from liquid_control_sim.world import VehicleSite

SUBSTEPS = 4
"""Physics steps in a tick of 1 / 240 s: 960 Hz."""
RATE_HZ = SUBSTEPS * PHYSICS_HZ
REST_M = 0.1
"""Height of base_link above the ground that it rests on."""
ARMED_OUTPUT = 0.01
"""Motors turn above this output; PX4 holds them still while it is armed on the ground."""


class FirmwareQuadrotor(Quadrotor):
    """A vehicle that a firmware flies; it starts at rest on the ground.

    The ground is a rest state: the vehicle stands level until its thrust exceeds its weight, and
    a touch-down ends in it at once.

    Attributes:
        stage: what the firmware shall do.
        ticks: ticks since the firmware was started.
        motors: outputs of the firmware, in [0, 1].
        companion: commands the firmware.
        backend: exchanges readings for motor outputs.
    """

    def __init__(
        self,
        site: VehicleSite,
        start: tuple[Floats, float],
        backend: FirmwareBackend,
        companion: Companion,
        pace: float | None = None,
    ) -> None:
        """Put the vehicle on the ground below the start of a flight.

        Args:
            site: client, scenario, seed and ground.
            start: position, float64 [3], m, map, and heading, rad, of the start.
            backend: exchanges readings for motor outputs.
            companion: commands the firmware.
            pace: simulated seconds per second that are not exceeded; None for no limit.
        """
        (x, y, _), heading = start
        floor = site.ground.height_at(float(x), float(y))
        on_ground = np.array([x, y, floor + REST_M])
        super().__init__(site.client, site.vehicle, on_ground, heading, site.faults, RATE_HZ)
        self.stage = FlightStage.WAIT
        self.ticks = 0
        self.motors: Four = (0.0, 0.0, 0.0, 0.0)
        self._ground: Ground = site.ground
        self._home: Vector = (float(x), float(y), floor + REST_M)
        self.companion = companion
        self.backend, self._pace = backend, pace
        self._every = RATE_HZ // backend.exchange_hz
        self._imu = Imu(site.scenario.imu, site.seed, backend.exchange_hz, "firmware.imu")
        self._steps = 0
        self._begun_s = time.monotonic()
        self._forces = self._forces._replace(speeds=(0.0, 0.0, 0.0, 0.0))

    @property
    def height_m(self) -> float:
        """Height above the rest on the ground below, m."""
        x, y, z = self._estimate.position
        return float(z - REST_M - self._ground.height_at(x, y))

    @property
    def time_s(self) -> float:
        """Simulated time since the firmware was started, s."""
        return self.ticks / PHYSICS_HZ

    @property
    def is_armed(self) -> bool:
        """Whether the firmware is armed; all motors turn, if it does not state it."""
        stated = self.companion.is_armed
        return min(self.motors) > ARMED_OUTPUT if stated is None else stated

    def step(self, command: Command, wind: Floats | Vector, thrust_gain: float = 1.0) -> None:
        """Advance by one tick, 1 / 240 s; the arguments are those of `VehicleBase.step`.

        Raises:
            AutopilotError: the firmware ended, or does not answer.
        """
        now_ns = self.ticks * NANOSECONDS // PHYSICS_HZ
        self.companion.step(now_ns, self.state, command, self.stage)
        top, expo = self.vehicle.rotors.max_speed_radps, self.backend.thrust_expo
        for _ in range(SUBSTEPS):
            if self._steps % self._every == 0:
                self._keep_pace()
                self.motors = self.backend.exchange(self._readings())
            self._steps += 1
            a, b, c, d = (rotor_speed(output, expo, top) for output in self.motors)
            self.drive((a, b, c, d), wind, thrust_gain)
        self.ticks += 1

    def close(self) -> None:
        """Do nothing: `FirmwareFlyer` ends the firmware after the landing."""

    def _readings(self) -> SensorReadings:
        position, quaternion, velocity, rates = self._estimate
        force = self._forces.specific_force
        gyro, accel = self._imu.sample(np.array(rates), np.array(force))
        home = self._home
        return SensorReadings(
            self._steps / RATE_HZ,
            tuple(gyro.tolist()),
            tuple(accel.tolist()),
            quaternion,
            (position[0] - home[0], position[1] - home[1], position[2] - home[2]),
            velocity,
        )

    def _keep_pace(self) -> None:
        """Wait where the simulation is ahead of real time; a delay is not made up for."""
        if self._pace is None:
            return
        due_s = self._begun_s + self._steps / RATE_HZ / self._pace
        ahead_s = due_s - time.monotonic()
        if ahead_s > 0.0:
            time.sleep(ahead_s)
        elif ahead_s < -0.05:
            self._begun_s -= ahead_s

    def _move(self, forces: BodyForces, thrust_gain: float) -> Estimate:
        x, y, z = self._estimate.position
        up = map_up(self._estimate.quaternion)
        lift = up[0] * forces.force[0] + up[1] * forces.force[1] + up[2] * forces.force[2]
        floor = self._ground.height_at(x, y) + REST_M
        if z <= floor + 1e-4 and lift <= self.vehicle.weight_n:
            return self._rest(x, y, floor)
        after = super()._move(forces, thrust_gain)
        floor = self._ground.height_at(*after.position[:2]) + REST_M
        if after.position[2] < floor:
            return self._rest(after.position[0], after.position[1], floor)
        return after

    def _rest(self, x: float, y: float, floor: float) -> Estimate:
        """Stand on the ground, level, with the present heading."""
        half = 0.5 * heading_of_four(self._estimate.quaternion)
        level = (0.0, 0.0, math.sin(half), math.cos(half))
        p.resetBasePositionAndOrientation(self.body, (x, y, floor), level, self._client)
        p.resetBaseVelocity(self.body, ZERO, ZERO, physicsClientId=self._client)
        gravity = to_body(level, (0.0, 0.0, self.vehicle.engine.gravity_mps2))
        self._forces = self._forces._replace(specific_force=gravity)
        return Estimate((x, y, floor), level, ZERO, ZERO)

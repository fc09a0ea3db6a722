"""Seeded world of one flight: quadrotor, forest, wind, light and sensors in a PyBullet client."""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import Scenario
from liquid_control.config.scenario import Backend
from liquid_control.types import Command, Floats, ImuWindow, Pixels, VehicleState
from liquid_control_sim.air.wind import Air
from liquid_control_sim.dynamics.aviary import Aviary
from liquid_control_sim.dynamics.faults import draw_faults
from liquid_control_sim.dynamics.quadrotor import Quadrotor, VehicleBase
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.picture.forward_camera import Camera
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.quiet_bullet import pybullet
from liquid_control_sim.render.scene import Scene
from liquid_control_sim.render.window import show_forest
from liquid_control_sim.schedule import PHYSICS_HZ, stamp_of
from liquid_control_sim.sensors.attitude import AttitudeEstimate
from liquid_control_sim.sensors.imu import Imu
from liquid_control_sim.sensors.range_sensor import RangeSensor
from liquid_control_sim.tasks.start import draw_start


class SimulatedWorld:
    """World of one flight; implements `interfaces.World` for experts.

    Args:
        scenario: scenario of the world.
        seed: seed of all random streams.
        gui: whether to show PyBullet's window.
    """

    def __init__(self, scenario: Scenario, seed: int, gui: bool = False) -> None:
        self.scenario = scenario
        self.seed = seed
        self.vehicle = load_vehicle(scenario.vehicle)
        self.forest = generate_forest(scenario, seed)
        self.trail = self.forest.trail
        self.trunks: Floats = self.forest.trunks
        self.obstacles = self.forest.obstacles
        self.ground = self.forest.terrain
        self.targets = self.forest.targets
        self.tick = 0
        self._client = pybullet.connect(pybullet.GUI if gui else pybullet.DIRECT)
        start = draw_start(self.forest, scenario, self.vehicle.radius_m, seed)
        self._quadrotor = self._build(start, seed)
        self._scene = Scene(self.forest, scenario.light, seed)
        if gui:
            show_forest(self._client, self.forest)
        self._camera = Camera(self._scene, scenario, seed)
        self._air = Air(scenario.wind, seed, scenario.altitude_m, self.forest, self.vehicle)
        self._imu = Imu(scenario.imu, seed)
        self._attitude = AttitudeEstimate(scenario.imu.tilt_noise_deg, seed)
        self._range = RangeSensor(scenario.range, seed, self.ground)
        self._samples: list[tuple[int, Floats, Floats]] = []
        latency = round(scenario.camera.latency_s * PHYSICS_HZ)
        self._history: deque[tuple[VehicleState, int, Floats]] = deque(maxlen=latency + 1)
        self._sample_state()

    def _build(self, start: tuple[Floats, float], seed: int) -> VehicleBase:
        scenario, vehicle = self.scenario, self.vehicle
        faults = draw_faults(scenario.faults, seed, vehicle, scenario.flight_limit_s)
        if scenario.world.backend is Backend.GYM_PYBULLET_DRONES:
            return Aviary(vehicle, *start, faults)
        return Quadrotor(self._client, vehicle, *start, faults)

    def close(self) -> None:
        """Release the physics client."""
        self._quadrotor.close()
        if pybullet.isConnected(self._client):
            pybullet.disconnect(self._client)

    def step(self, command: Command) -> None:
        """Advance by one physics tick under a command."""
        self._quadrotor.step(command, self.wind, self._air.thrust_gain(self.truth.position))
        self.tick += 1
        self._sample_state()

    def take_imu(self) -> ImuWindow:
        """Return the IMU samples since the last call; the first call returns one sample."""
        stamps, rates, forces = zip(*self._samples, strict=True) if self._samples else ((), (), ())
        self._samples = []
        return ImuWindow(
            np.array(stamps, np.int64),
            np.array(rates, np.float64).reshape(-1, 3),
            np.array(forces, np.float64).reshape(-1, 3),
        )

    def take_picture(self, index: int) -> Pixels:
        """Return a frame, uint8 [H, W, 3] RGB, of `camera.latency_s` before now.

        Stamps do not include the latency, like those of a driver that stamps on arrival.

        Args:
            index: number of the frame in the flight, which determines its noise.
        """
        state, tick, wind = self._history[0]
        return self._camera.capture(state, index, tick / PHYSICS_HZ, wind)

    @property
    def picture_range_m(self) -> NDArray[np.float32] | None:
        """Range of every pixel of the last picture, float32 [H, W], m; infinite for the sky."""
        return self._camera.range_m

    def project(
        self, point: tuple[float, float, float], state: VehicleState
    ) -> tuple[int, int] | None:
        """Return row and column of a point of the map in a picture; None outside of it."""
        local = self._camera.mount.pose(state).to_optical(np.array(point))
        if local[2] <= 0.0:
            return None
        u, v = self._camera.intrinsics.project(local)
        row, column = math.floor(v), math.floor(u)
        settings = self.scenario.camera
        inside = 0 <= row < settings.height and 0 <= column < settings.width
        return (row, column) if inside else None

    def take_orientation(self, truth: VehicleState) -> Floats:
        """Return the IMU's estimate of the orientation, float64 [4], (x, y, z, w)."""
        return self._attitude.measure(truth)

    def take_range(self, truth: VehicleState) -> float | None:
        """Return the reading of the range sensor, m; None without a sensor or a reading."""
        return self._range.measure(truth)

    def _sample_state(self) -> None:
        """Sample state, wind and IMU after a physics tick."""
        self.truth: VehicleState = self._quadrotor.state
        self.wind: Floats = self._air.wind(self.tick, self.truth.position)
        self._history.append((self.truth, self.tick, self.wind))
        reading = self._imu.sample(self.truth.angular_velocity, self._quadrotor.specific_force)
        self._samples.append((stamp_of(self.tick), *reading))

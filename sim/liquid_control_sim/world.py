"""Seeded world of one flight: quadrotor, forest, wind, light and sensors in a PyBullet client."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import Scenario
from liquid_control.config.scenario import Backend
from liquid_control.interfaces import Ground
from liquid_control.types import NANOSECONDS, Command, Floats, ImuWindow, Pixels, VehicleState
from liquid_control_sim.air.wind import Air
from liquid_control_sim.dynamics.aviary import Aviary
from liquid_control_sim.dynamics.compiled_quadrotor import CompiledQuadrotor
from liquid_control_sim.dynamics.faults import Faults, draw_faults
from liquid_control_sim.dynamics.quadrotor import Quadrotor, VehicleBase
from liquid_control_sim.dynamics.vectors import ZERO, Vector
from liquid_control_sim.dynamics.vehicle import Vehicle, load_vehicle
from liquid_control_sim.dynamics.velocity_loop import Estimate
from liquid_control_sim.picture.forward_camera import Camera
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.quiet_bullet import pybullet
from liquid_control_sim.render.scene import Scene
from liquid_control_sim.render.window import show_forest
from liquid_control_sim.schedule import PHYSICS_HZ
from liquid_control_sim.sensors.attitude import AttitudeEstimate
from liquid_control_sim.sensors.imu import Imu
from liquid_control_sim.sensors.range_sensor import RangeSensor
from liquid_control_sim.tasks.start import draw_start

Start = tuple[Floats, float]
"""Position, float64 [3], m, map, and heading, rad, of the start of a flight."""


@dataclass(frozen=True)
class VehicleSite:
    """Where a vehicle is made.

    Attributes:
        client: PyBullet's physics client; -1 for a vehicle that needs none.
        scenario: of the flight.
        seed: of the flight.
        ground: below the vehicle.
    """

    client: int
    scenario: Scenario
    seed: int
    ground: Ground

    @property
    def vehicle(self) -> Vehicle:
        """The scenario's vehicle."""
        return load_vehicle(self.scenario.vehicle)

    @property
    def faults(self) -> Faults:
        """Its faults in this flight."""
        scenario = self.scenario
        return draw_faults(scenario.faults, self.seed, self.vehicle, scenario.flight_limit_s)


_NO_CLIENT = -1

MakeVehicle = Callable[[VehicleSite, Start], VehicleBase]


class SimulatedWorld:
    """World of one flight; implements `interfaces.World` for experts.

    Args:
        scenario: scenario of the world.
        seed: seed of all random streams.
        gui: whether to show PyBullet's window.
        make_vehicle: makes a vehicle with another autopilot; None for ours.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        gui: bool = False,
        make_vehicle: MakeVehicle | None = None,
    ) -> None:
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
        self._client = _NO_CLIENT
        if gui or make_vehicle is not None:
            self._client = pybullet.connect(pybullet.GUI if gui else pybullet.DIRECT)
        start = draw_start(self.forest, scenario, self.vehicle.radius_m, seed)
        make = make_vehicle or self._build
        self._quadrotor = make(VehicleSite(self._client, scenario, seed, self.ground), start)
        self._scene = Scene(self.forest, scenario.light, seed)
        if gui:
            show_forest(self._client, self.forest)
        self._camera = Camera(self._scene, scenario, seed)
        self._air = Air(scenario.wind, seed, scenario.altitude_m, self.forest, self.vehicle)
        self._imu = Imu(scenario.imu, seed)
        self._attitude = AttitudeEstimate(scenario.imu.tilt_noise_deg, seed)
        self._range = RangeSensor(scenario.range, seed, self.ground)
        self._samples: list[Floats | tuple[float, ...]] = []
        self._sampled = 0
        self._latency = round(scenario.camera.latency_s * PHYSICS_HZ)
        self._history: deque[tuple[Estimate, int, Vector]] = deque(maxlen=self._latency + 1)
        self._truth: VehicleState | None = None
        self._wind: Vector = ZERO
        self._sample_state()

    @staticmethod
    def _build(site: VehicleSite, start: Start) -> VehicleBase:
        vehicle, faults = site.vehicle, site.faults
        if site.scenario.world.backend is Backend.GYM_PYBULLET_DRONES:
            return Aviary(vehicle, *start, faults)
        if site.client == _NO_CLIENT:
            return CompiledQuadrotor(vehicle, *start, faults)
        return Quadrotor(site.client, vehicle, *start, faults)

    def close(self) -> None:
        """Release the physics client."""
        self._quadrotor.close()
        if self._client != _NO_CLIENT and pybullet.isConnected(self._client):
            pybullet.disconnect(self._client)

    def step(self, command: Command) -> None:
        """Advance by one physics tick under a command."""
        position = self._quadrotor.estimate.position
        self._quadrotor.step(command, self._wind, self._air.thrust_gain(position))
        self.tick += 1
        self._sample_state()

    def advance(self, command: Command, tick: int) -> None:
        """Advance under a command up to a physics tick.

        Steps without lee, rotor wash, latency and battery sag run in one compiled call.
        """
        vehicle, count = self._quadrotor, tick - self.tick
        if isinstance(vehicle, CompiledQuadrotor) and vehicle.flies_blocks and not self._latency:
            air = self._air.block(self.tick + 1, count) if count > 0 else None
            if air is not None:
                rows, self._wind = vehicle.fly(command, self._wind, air, count)
                self.tick, self._truth = tick, None
                self._history.append((vehicle.estimate, tick, self._wind))
                self._samples.append(rows)
        while self.tick < tick:
            self.step(command)

    def take_imu(self) -> ImuWindow:
        """Return the IMU samples since the last call; the first call returns one sample."""
        if not self._samples:
            return ImuWindow.empty()
        rows = np.concatenate([np.reshape(rows, (-1, 6)) for rows in self._samples])
        self._samples = []
        ticks = np.arange(self._sampled, self.tick + 1)
        self._sampled = self.tick + 1
        stamps = ticks * NANOSECONDS // PHYSICS_HZ
        return ImuWindow(stamps, *self._imu.samples(rows[:, :3], rows[:, 3:]))

    def take_picture(self, index: int) -> Pixels:
        """Return a frame, uint8 [H, W, 3] RGB, of `camera.latency_s` before now.

        Stamps do not include the latency, like those of a driver that stamps on arrival.

        Args:
            index: number of the frame in the flight, which determines its noise.
        """
        estimate, tick, wind = self._history[0]
        late = estimate is not self._quadrotor.estimate
        state = VehicleState(*map(np.array, estimate)) if late else self.truth
        return self._camera.capture(state, index, tick / PHYSICS_HZ, np.array(wind))

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

    @property
    def truth(self) -> VehicleState:
        """True state of the vehicle."""
        if self._truth is None:
            self._truth = self._quadrotor.state
        return self._truth

    @property
    def wind(self) -> Floats:
        """Wind at the vehicle, float64 [3], m/s, map."""
        return np.array(self._wind)

    def _sample_state(self) -> None:
        """Sample state, wind and IMU after a physics tick.

        These are tuples here: arrays of three values would take most of the time of a tick.
        """
        estimate = self._quadrotor.estimate
        self._truth = None
        self._wind = self._air.velocity(self.tick, estimate.position)
        self._history.append((estimate, self.tick, self._wind))
        force = self._quadrotor.forces.specific_force
        self._samples.append((*estimate.angular_velocity, *force))

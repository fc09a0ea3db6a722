"""Rigid body of `cf2x` in gym-pybullet-drones, with the autopilot and the air of this package.

The package's `CtrlAviary` (Physics.PYB, physics and control at 240 Hz) steps the vehicle in its
own client. It differs from `Quadrotor` as follows:

- The body comes from the package's URDF and has a collision shape. The plane at z = 0 is removed,
  since the terrain may be lower.
- Rotor speeds are limited to its `MAX_RPM`.
- Physics.PYB has no drag. The drag of this package, which includes the wind, is applied as an
  external force before each step.
- Ground effect and rotor efficiency scale the rotor speeds by the square root of their factor.
"""

import importlib
import math
import warnings
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np

from liquid_control.errors import ConfigError, DependencyError
from liquid_control.types import Floats
from liquid_control_sim.dynamics.airframe import BodyForces
from liquid_control_sim.dynamics.faults import NO_FAULTS, Faults
from liquid_control_sim.dynamics.quadrotor import BASE, VehicleBase, read
from liquid_control_sim.dynamics.vectors import ZERO
from liquid_control_sim.dynamics.vehicle import Vehicle, load_vehicle
from liquid_control_sim.dynamics.velocity_loop import Estimate
from liquid_control_sim.quiet_bullet import pybullet as p
from liquid_control_sim.schedule import PHYSICS_HZ

SOURCE = "git+https://github.com/utiasDSL/gym-pybullet-drones"
RPM = 30.0 / math.pi
"""Revolutions per minute in one rad/s."""


class Aviary(VehicleBase):
    """A `cf2x` in a `CtrlAviary`, with the interface of `Quadrotor`."""

    def __init__(
        self,
        vehicle: Vehicle,
        position: Floats,
        heading_rad: float = 0.0,
        faults: Faults = NO_FAULTS,
    ) -> None:
        """Start a `CtrlAviary` with one vehicle in hover.

        Args:
            vehicle: `cf2x`.
            position: float64 [3], m, map.
            heading_rad: counter-clockwise from east, rad.
            faults: deviations of the actual vehicle.

        Raises:
            ConfigError: the vehicle is not `cf2x`.
            DependencyError: gym-pybullet-drones is not installed, or cannot be imported.
        """
        if vehicle != load_vehicle("cf2x"):
            raise ConfigError(
                f"world.backend gym_pybullet_drones flies cf2x only, got {vehicle.description!r}"
            )
        self._aviary = _aviary(position, heading_rad)
        self._client: int = self._aviary.getPyBulletClient()
        self._body = int(self._aviary.getDroneIds()[0])
        p.removeBody(self._aviary.PLANE_ID, self._client)
        self._gains = np.array(faults.efficiency)
        if faults.mass_scale != 1.0:
            loaded = faults.loaded(vehicle)
            p.changeDynamics(
                self._body,
                BASE,
                mass=loaded.mass_kg,
                localInertiaDiagonal=loaded.inertia_kgm2,
                physicsClientId=self._client,
            )
        super().__init__(vehicle, faults, read(self._client, self._body))

    def close(self) -> None:
        """Release the client of the `CtrlAviary`."""
        if p.isConnected(self._client):
            self._aviary.close()

    def _move(self, forces: BodyForces, thrust_gain: float) -> Estimate:
        p.applyExternalForce(self._body, BASE, forces.drag, ZERO, p.LINK_FRAME, self._client)
        weak = self._faults.is_weak(self._ticks / self._rate_hz)
        gains = self._gains if weak else np.ones(4)
        rpm = RPM * np.array(forces.speeds) * np.sqrt(gains * thrust_gain)
        front_right, rear_left, front_left, rear_right = rpm
        self._aviary.step(np.array([[front_right, rear_right, rear_left, front_left]]))
        return read(self._client, self._body)


def drone_modules() -> tuple[Any, Any]:
    """Import and return the modules of gym-pybullet-drones: aviary and enumerations.

    Raises:
        DependencyError: the package is not installed, or cannot be imported.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            environment = importlib.import_module("gym_pybullet_drones.envs.CtrlAviary")
            enums = importlib.import_module("gym_pybullet_drones.utils.enums")
    except ImportError as error:
        raise DependencyError(
            "world.backend gym_pybullet_drones needs that package, which cannot be imported "
            f"({error}): pip install {SOURCE}"
        ) from error
    return environment, enums


def _aviary(position: Floats, heading_rad: float) -> Any:
    """Create a `CtrlAviary`, without its output."""
    environment, enums = drone_modules()
    with redirect_stdout(StringIO()):
        return environment.CtrlAviary(
            drone_model=enums.DroneModel.CF2X,
            initial_xyzs=np.array([position], dtype=float),
            initial_rpys=np.array([[0.0, 0.0, heading_rad]]),
            physics=enums.Physics.PYB,
            pyb_freq=PHYSICS_HZ,
            ctrl_freq=PHYSICS_HZ,
            gui=False,
            user_debug_gui=False,
        )

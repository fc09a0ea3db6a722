"""A vehicle in flight, whatever moves its body: autopilot, rotors, faults and what was felt."""

from abc import ABC, abstractmethod

import numpy as np

from liquid_control.types import Command, Floats, VehicleState
from liquid_control_sim.dynamics.airframe import Push, airframe_model, pushed
from liquid_control_sim.dynamics.autopilot import Autopilot
from liquid_control_sim.dynamics.faults import Faults
from liquid_control_sim.dynamics.vectors import ZERO, Four, Quaternion
from liquid_control_sim.dynamics.vehicle import Vehicle
from liquid_control_sim.dynamics.velocity_loop import Estimate
from liquid_control_sim.schedule import PHYSICS_HZ


class VehicleBase(ABC):
    """One vehicle with its autopilot; what moves its body is `_move`."""

    def __init__(self, vehicle: Vehicle, faults: Faults, start: Estimate) -> None:
        """Begin hovering, unless faults prevent it.

        Args:
            vehicle: what the autopilot believes that it flies.
            faults: what is wrong with it.
            start: where it is.
        """
        self.vehicle = loaded = faults.loaded(vehicle)
        """What flies, with its payload."""
        self._faults = faults
        self._model = airframe_model(loaded, 1.0 / PHYSICS_HZ, faults.efficiency)
        self._autopilot = Autopilot(vehicle, 1.0 / PHYSICS_HZ)
        self._ticks = 0
        self._estimate = start
        self._axes: Quaternion = start.quaternion
        hover: Four = (loaded.hover_speed_radps,) * 4
        gravity = loaded.engine.gravity_mps2
        self._push = Push(hover, ZERO, ZERO, ZERO, (0.0, 0.0, gravity))
        # An autopilot that hovers has learned what the payload weighs.
        lift = gravity * (loaded.mass_kg / vehicle.mass_kg - 1.0)
        self._memory = self._autopilot.start(start, lift)

    @abstractmethod
    def _move(self, push: Push, thrust_gain: float) -> Estimate:
        """Advance the body by one physics step and return where it is then."""

    @abstractmethod
    def close(self) -> None:
        """Release what the vehicle alone uses."""

    def step(self, command: Command, wind: Floats, thrust_gain: float = 1.0) -> None:
        """Advance by one physics step, 1 / 240 s.

        Args:
            command: what the autopilot obeys.
            wind: velocity of the air at the vehicle, float64 [3], m/s, map.
            thrust_gain: factor on the thrusts by the ground's nearness, 1 far from it.
        """
        targets, self._memory = self._autopilot.step(command, self._believed(), self._memory)
        self.drive(targets, wind, thrust_gain)

    def drive(self, targets: Four, wind: Floats, thrust_gain: float = 1.0) -> None:
        """Advance by one physics step past the autopilot, with the rotor speeds to ask for.

        Args:
            targets: rad/s: front right, rear left, front left, rear right.
            wind: velocity of the air at the vehicle, float64 [3], m/s, map.
            thrust_gain: factor on the thrusts by the ground's nearness, 1 far from it.
        """
        now, asked = self._estimate, self._supplied(targets)
        stands, moves, air = now.quaternion, now.velocity, tuple(wind.tolist())
        axes = self._axes if self.vehicle.engine.thrust_axis_lags else stands
        speeds = self._push.speeds
        self._push = Push(
            *pushed(self._model, speeds, asked, stands, axes, moves, air, float(thrust_gain))
        )
        self._estimate = self._move(self._push, thrust_gain)
        self._axes, self._ticks = stands, self._ticks + 1

    @property
    def state(self) -> VehicleState:
        """True kinematic state."""
        return VehicleState(*(np.array(part) for part in self._estimate))

    @property
    def position(self) -> Floats:
        """float64 [3], m, map."""
        return np.array(self._estimate.position)

    @property
    def angular_velocity(self) -> Floats:
        """float64 [3], rad/s, base_link."""
        return np.array(self._estimate.angular_velocity)

    @property
    def rotor_speeds(self) -> Four:
        """rad/s: front right, rear left, front left, rear right."""
        return self._push.speeds

    @property
    def specific_force(self) -> Floats:
        """What an accelerometer feels over the last step: float64 [3], m/s^2, base_link."""
        return np.array(self._push.specific_force)

    def _believed(self) -> Estimate:
        """Return what the autopilot takes for the state."""
        bias = self._faults.velocity_bias
        if bias is None:
            return self._estimate
        x, y, z = self._estimate.velocity
        return self._estimate._replace(velocity=(x + bias[0], y + bias[1], z + bias[2]))

    def _supplied(self, targets: Four) -> Four:
        """Return the speeds that the battery lets the rotors be asked for."""
        battery = self._faults.battery
        if battery is None:
            return targets
        share = battery.speed_share(self._ticks / PHYSICS_HZ, self._push.speeds)
        a, b, c, d = targets
        return share * a, share * b, share * c, share * d

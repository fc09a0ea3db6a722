"""The air of one flight as its vehicle meets it: wind, and its own wash."""

import math

import numpy as np

from liquid_control.config.scenario import WindSettings
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.air.turbulence import Vector, markov
from liquid_control_sim.air.wind import WindField
from liquid_control_sim.dynamics.airframe import AIR_DENSITY
from liquid_control_sim.dynamics.vehicle import Vehicle
from liquid_control_sim.place.forest import Forest
from liquid_control_sim.schedule import PHYSICS_HZ

INTENSITY = 0.2
"""Root mean square of the eddies on the ground, of the induced velocity."""


class RotorWash:
    """The wash of one vehicle; eddies are drawn from the stream `wind.wash`."""

    def __init__(self, scale: float, vehicle: Vehicle, seed: int) -> None:
        """Work out radius and induced velocity.

        Args:
            scale: of ground effect and eddies, 1 as stated.
            vehicle: whose rotors they are.
            seed: of the flight.
        """
        self._scale = scale
        self._rotor_m = vehicle.rotor_radius_m
        area = 4.0 * math.pi * vehicle.rotor_radius_m**2
        self.induced_mps = math.sqrt(vehicle.weight_n / (2.0 * AIR_DENSITY * area))
        """v_h, m/s."""
        self.radius_m = 2.0 * vehicle.rotor_radius_m
        """R_e, m."""
        rate = self.induced_mps / self.radius_m
        self._more = markov(stream(seed, "wind.wash"), rate, 1.0 / PHYSICS_HZ)
        self._eddies: list[Vector] = []

    def thrust_gain(self, height_m: float) -> float:
        """Return the factor on the thrusts, 1."""
        share = self._rotor_m / (4.0 * max(height_m, self._rotor_m))
        return 1.0 + self._scale * (1.0 / (1.0 - share * share) - 1.0)

    def intensity_mps(self, height_m: float) -> float:
        """Return the root mean square of the eddies along each axis, m/s."""
        near = min(1.0, (self.radius_m / max(height_m, self.radius_m)) ** 2)
        return self._scale * INTENSITY * self.induced_mps * near

    def eddies(self, tick: int, height_m: float) -> Floats:
        """Return the velocity of the returning air, float64 [3], m/s, map.

        Args:
            tick: physics step, >= 0.
            height_m: above ground.
        """
        while tick >= len(self._eddies):
            self._eddies.append(next(self._more))
        return self.intensity_mps(height_m) * np.array(self._eddies[tick])


class Air:
    """Wind and wash, by time and position; each has random streams of its own."""

    def __init__(
        self,
        settings: WindSettings,
        seed: int,
        altitude_m: float,
        forest: Forest,
        vehicle: Vehicle,
    ) -> None:
        """Put the air together.

        Args:
            settings: of the wind.
            seed: of the flight.
            altitude_m: height above ground of the flight, m.
            forest: trees and terrain.
            vehicle: whose wash it is.
        """
        self.field = WindField(settings, seed, altitude_m, forest)
        """What blows in the forest."""
        self._wash = RotorWash(settings.rotor_wash, vehicle, seed) if settings.rotor_wash else None
        self._terrain = forest.terrain

    def wind(self, tick: int, position: Floats) -> Floats:
        """Return the velocity of the air, float64 [3], m/s, map.

        Args:
            tick: physics step, at 240 Hz from the start of the flight, >= 0.
            position: float64 [3], m, map.
        """
        blown = self.field.wind(tick, position)
        if self._wash is None:
            return blown
        return blown + self._wash.eddies(tick, self._height(position))

    def thrust_gain(self, position: Floats) -> float:
        """Return the factor on the thrusts by the ground's nearness, 1 far from it."""
        return 1.0 if self._wash is None else self._wash.thrust_gain(self._height(position))

    def _height(self, position: Floats) -> float:
        x, y, z = position.tolist()
        return float(z - self._terrain.height_at(x, y))

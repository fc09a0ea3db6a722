"""Wind and rotor wash by time and position.

The wind is a mean with a height profile, turbulence and discrete gusts. It has its own random
streams (`wind.direction`, `wind.turbulence`, `wind.gusts`) and is a function of time and position:
the order of queries does not change it.
"""

import math
from collections.abc import Iterator

import numpy as np

from liquid_control.config import WindSettings
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.air.lee import Lee
from liquid_control_sim.air.turbulence import (
    INTENSITY_HEIGHT_M,
    LOWEST_M,
    Vector,
    dryden,
    gust_blocks,
    markov,
)
from liquid_control_sim.dynamics.airframe import AIR_DENSITY
from liquid_control_sim.dynamics.compiled_quadrotor import AirBlock
from liquid_control_sim.dynamics.vectors import ZERO
from liquid_control_sim.dynamics.vehicle import Vehicle
from liquid_control_sim.place.forest import Forest
from liquid_control_sim.place.terrain import FLAT
from liquid_control_sim.schedule import PHYSICS_HZ

SLOWEST_SWEEP_MPS = 1.0
"""The turbulent field is advected past the vehicle at the mean speed, and at least this fast."""
GUST_S = (1.5, 4.0)
"""Shortest and longest discrete gust, s, from rise to end."""
CALM_BETWEEN_GUSTS_S = 5.0
"""Mean of the exponentially distributed time from the end of one gust to the next, s."""


_STILL: Floats = np.zeros(3)
_STILL.flags.writeable = False


class WindField:
    """Wind of one flight, without rotor wash."""

    def __init__(
        self,
        settings: WindSettings,
        seed: int,
        altitude_m: float | None = None,
        forest: Forest | None = None,
    ) -> None:
        """Draw the direction; all else is drawn on demand.

        Args:
            settings: mean, gusts, turbulence and profile.
            seed: seed of the flight.
            altitude_m: height for which the turbulence is computed, m; the reference height if
                None.
            forest: trees that deflect the wind, and the ground from which the profile is
                measured; flat and open if None.
        """
        self._settings = settings
        calm = settings.mean_mps == 0.0 and settings.gust_mps == 0.0
        end_s = 0.0 if calm else settings.end_s
        self._end_tick = math.inf if end_s is None else math.ceil(end_s * PHYSICS_HZ)
        drawn = stream(seed, "wind.direction").uniform(-180.0, 180.0)
        degrees = drawn if settings.direction_deg is None else settings.direction_deg
        self.direction_rad = math.radians(degrees)
        """Direction that the mean wind blows to, counter-clockwise from east."""
        self._cosine, self._sine = math.cos(self.direction_rad), math.sin(self.direction_rad)
        self._profile = 1.0 / math.log1p(settings.reference_height_m / settings.roughness_m)
        height = settings.reference_height_m if altitude_m is None else altitude_m
        self._terrain = FLAT if forest is None else forest.terrain
        self._lee: Lee | None = None
        if forest is not None and settings.lee and len(forest.trunks):
            swept = self.mean_mps(height)
            self._lee = Lee(settings.lee, forest, self.direction_rad, height, swept, seed)
        self._along: Floats = np.empty(0)
        self._turbulence: Floats = np.empty((0, 3))
        self._waves: Floats = self._terrain.rows
        self._gust_samples = _gusts(settings, stream(seed, "wind.gusts"))
        self._turbulence_blocks = gust_blocks(
            dryden(
                height,
                settings.turbulence * self.mean_mps(INTENSITY_HEIGHT_M),
                max(self.mean_mps(max(height, LOWEST_M)), SLOWEST_SWEEP_MPS),
            ),
            stream(seed, "wind.turbulence"),
            1.0 / PHYSICS_HZ,
        )

    def wind(self, tick: int, position: Floats) -> Floats:
        """Return the velocity of the air, float64 [3], m/s, map.

        Turbulence is advected past the vehicle and does not vary in space. Mean and discrete
        gusts follow the height profile and are deflected by trees.

        Args:
            tick: physics step, at 240 Hz from the start of the flight, >= 0.
            position: float64 [3], m, map.
        """
        if tick >= self._end_tick:
            return _STILL
        return np.array(self.velocity(tick, *map(float, position)))

    def velocity(self, tick: int, x: float, y: float, z: float) -> Vector:
        """Return `wind` at a position as three floats."""
        if tick >= self._end_tick:
            return ZERO
        self._draw(tick)
        u, v, w = self._turbulence[tick].tolist()
        gust = float(self._along[tick])
        height = z - self._terrain.height_at(x, y)
        mean = self._profile_factor(height) * (self._settings.mean_mps + gust)
        if self._lee is None:
            u += mean
        else:
            along, across, up = self._lee.deflect(tick, x, y, mean)
            u, v, w = u + along, v + across, w + up
        c, s = self._cosine, self._sine
        return c * u - s * v, s * u + c * v, w

    def block(self, tick: int, count: int) -> AirBlock | None:
        """Return the air of some ticks for compiled steps; None in the lee of trees.

        Args:
            tick: the first of them.
            count: number of ticks.
        """
        if self._lee is not None:
            return None
        windy = min(max(self._end_tick - tick, 0), count)
        if windy:
            self._draw(tick + count - 1)
        return AirBlock(
            int(windy),
            self._cosine,
            self._sine,
            self._settings.mean_mps,
            self._profile,
            self._settings.roughness_m,
            self._waves,
            self._along[tick : tick + count],
            self._turbulence[tick : tick + count],
        )

    def _draw(self, tick: int) -> None:
        """Draw gusts and turbulence up to a tick."""
        while tick >= len(self._along):
            block = next(self._turbulence_blocks)
            gusts = np.fromiter(self._gust_samples, np.float64, len(block))
            self._along = np.concatenate([self._along, gusts])
            self._turbulence = np.concatenate([self._turbulence, block])

    def mean_mps(self, height_m: float) -> float:
        """Return the mean speed at a height above ground, m/s."""
        return self._settings.mean_mps * self._profile_factor(height_m)

    def _profile_factor(self, height_m: float) -> float:
        """Return the log profile ln(1 + h / z0), 1 at the reference height and 0 on the ground."""
        return self._profile * math.log1p(max(height_m, 0.0) / self._settings.roughness_m)


def _gusts(settings: WindSettings, generator: np.random.Generator) -> Iterator[float]:
    """Yield the speed that discrete gusts add to the mean along its direction, m/s, every tick.

    Each gust is A / 2 (1 - cos(2 pi t / T)), the form of MIL-F-8785C section 3.7.2.3 and its
    mirror image for the decay, with A = gust - mean. Each peak reaches `gust_mps` on a tick.
    """
    peak = settings.gust_mps - settings.mean_mps
    while peak <= 0.0:
        yield 0.0
    while True:
        for _ in range(round(generator.exponential(CALM_BETWEEN_GUSTS_S) * PHYSICS_HZ)):
            yield 0.0
        half = round(0.5 * generator.uniform(*GUST_S) * PHYSICS_HZ)
        for tick in range(2 * half):
            yield 0.5 * peak * (1.0 - math.cos(math.pi * tick / half))


INTENSITY = 0.2
"""Root mean square of the eddies on the ground, relative to the induced velocity."""


class RotorWash:
    """Downwash of one vehicle near the ground; eddies are drawn from the stream `wind.wash`.

    - Ground effect: thrust grows by 1 / (1 - (R / 4 z)^2) at constant speed (Cheeseman & Bennett
      1955, R&M 3021), with the rotor radius R and the height z >= R.
    - Recirculation: the wash spreads along the ground and returns as eddies. Their velocity is
      Gauss-Markov noise with root mean square `INTENSITY` v_h min(1, (R_e / z)^2). The induced
      velocity in hover is v_h = sqrt(m g / (2 rho A)) with the area A of the rotors; R_e is the
      radius of one rotor of that area. The correlation time is R_e / v_h. The intensity is
      assumed.
    """

    def __init__(self, scale: float, vehicle: Vehicle, seed: int) -> None:
        """Compute radius and induced velocity.

        Args:
            scale: factor on ground effect and eddies, 1.
            vehicle: vehicle with the rotors.
            seed: seed of the flight.
        """
        self._scale = scale
        self._rotor_m = vehicle.rotor_radius_m
        area = 4.0 * math.pi * vehicle.rotor_radius_m**2
        self.induced_mps = math.sqrt(vehicle.weight_n / (2.0 * AIR_DENSITY * area))
        """v_h, m/s."""
        self.radius_m = 2.0 * vehicle.rotor_radius_m
        """R_e, m."""
        rate = self.induced_mps / self.radius_m
        self._samples = markov(stream(seed, "wind.wash"), rate, 1.0 / PHYSICS_HZ)
        self._eddies: list[Vector] = []

    def thrust_gain(self, height_m: float) -> float:
        """Return the factor on the thrusts in ground effect, 1."""
        ratio = self._rotor_m / (4.0 * max(height_m, self._rotor_m))
        return 1.0 + self._scale * (1.0 / (1.0 - ratio * ratio) - 1.0)

    def intensity_mps(self, height_m: float) -> float:
        """Return the root mean square of the eddies along each axis, m/s."""
        near = min(1.0, (self.radius_m / max(height_m, self.radius_m)) ** 2)
        return self._scale * INTENSITY * self.induced_mps * near

    def eddies(self, tick: int, height_m: float) -> Floats:
        """Return the velocity of the recirculating air, float64 [3], m/s, map.

        Args:
            tick: physics step, >= 0.
            height_m: height above ground.
        """
        return self.intensity_mps(height_m) * np.array(self._eddy(tick))

    def velocity(self, tick: int, height_m: float) -> Vector:
        """Return `eddies` as three floats."""
        size, (x, y, z) = self.intensity_mps(height_m), self._eddy(tick)
        return size * x, size * y, size * z

    def _eddy(self, tick: int) -> Vector:
        while tick >= len(self._eddies):
            self._eddies.append(next(self._samples))
        return self._eddies[tick]


class Air:
    """Wind and rotor wash by time and position, each with its own random streams."""

    def __init__(
        self,
        settings: WindSettings,
        seed: int,
        altitude_m: float,
        forest: Forest,
        vehicle: Vehicle,
    ) -> None:
        """Create the wind and, where the settings ask for it, the wash.

        Args:
            settings: settings of wind and wash.
            seed: seed of the flight.
            altitude_m: flight height above ground, m.
            forest: trees and terrain.
            vehicle: vehicle that causes the wash.
        """
        self.field = WindField(settings, seed, altitude_m, forest)
        """Wind without the rotor wash."""
        self._wash = RotorWash(settings.rotor_wash, vehicle, seed) if settings.rotor_wash else None
        self._terrain = forest.terrain

    def wind(self, tick: int, position: Floats) -> Floats:
        """Return the velocity of the air, float64 [3], m/s, map.

        Args:
            tick: physics step, at 240 Hz from the start of the flight, >= 0.
            position: float64 [3], m, map.
        """
        x, y, z = position.tolist()
        return np.array(self.velocity(tick, (x, y, z)))

    def velocity(self, tick: int, position: Vector) -> Vector:
        """Return `wind` at a position as three floats."""
        wind = self.field.velocity(tick, *position)
        if self._wash is None:
            return wind
        wash = self._wash.velocity(tick, self._height(position))
        return wind[0] + wash[0], wind[1] + wash[1], wind[2] + wash[2]

    def block(self, tick: int, count: int) -> AirBlock | None:
        """Return the air of some ticks for compiled steps; None with lee or rotor wash.

        Args:
            tick: the first of them.
            count: number of ticks.
        """
        return self.field.block(tick, count) if self._wash is None else None

    def thrust_gain(self, position: Vector) -> float:
        """Return the factor on the thrusts by ground effect, 1 far from the ground."""
        return 1.0 if self._wash is None else self._wash.thrust_gain(self._height(position))

    def _height(self, position: Vector) -> float:
        x, y, z = position
        return float(z - self._terrain.height_at(x, y))

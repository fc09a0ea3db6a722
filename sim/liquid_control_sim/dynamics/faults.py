"""Faults of a vehicle: weak rotor, battery sag, payload, biased velocity estimate.

Each fault has its own random stream. Without faults the dynamics are unchanged bit for bit.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from liquid_control.config import FaultSettings
from liquid_control.seeding import stream
from liquid_control_sim.dynamics.airframe import FULL_EFFICIENCY
from liquid_control_sim.dynamics.vectors import Four, Vector
from liquid_control_sim.dynamics.vehicle import Vehicle


class Battery(NamedTuple):
    """Battery with sag, for speed controllers without a speed loop: speed = duty cycle x voltage.

    The voltage is that of a source with an internal resistance, linear in the consumed charge
    (Tremblay & Dessaint 2009, doi 10.3390/wevj3020289, without the exponential zones). Thrust is
    proportional to speed squared. In terms of full thrust, with time t of T and rotor power
    P ~ sum(w^3):

        (V / V_full)^2 = 1 - sag (t / T + P / P_max) / 2.

    At the end of the flight and at full power, the fraction `sag` of full thrust is lost, half of
    it by discharge and half by load.

    Attributes:
        sag: lost fraction of full thrust, 1.
        flight_s: T, s.
        max_speed: highest rotor speed, rad/s.
    """

    sag: float
    flight_s: float
    max_speed: float

    def speed_fraction(self, elapsed_s: float, speeds: Four) -> float:
        """Return the fraction of a commanded speed that is reached, 1."""
        discharged = min(elapsed_s / self.flight_s, 1.0)
        load = sum(speed**3 for speed in speeds) / (4.0 * self.max_speed**3)
        return float((1.0 - 0.5 * self.sag * (discharged + load)) ** 0.5)


@dataclass(frozen=True, slots=True)
class Faults:
    """Deviations from the vehicle that the autopilot is tuned for.

    Attributes:
        efficiency: factor on thrust and torque of each rotor, 1.
        period_s: the efficiency holds in the second half of every such period; 0 for always, s.
        mass_scale: factor on mass and inertia, 1.
        velocity_bias: error of the autopilot's velocity estimate, m/s, map; None without error.
        battery: battery with sag; None without sag.
    """

    efficiency: Four = FULL_EFFICIENCY
    period_s: float = 0.0
    mass_scale: float = 1.0
    velocity_bias: Vector | None = None
    battery: Battery | None = None

    def is_weak(self, elapsed_s: float) -> bool:
        """Return whether `efficiency` holds at a time of the flight; else all rotors are whole."""
        return self.period_s == 0.0 or elapsed_s % self.period_s >= 0.5 * self.period_s

    def loaded(self, vehicle: Vehicle) -> Vehicle:
        """Return the vehicle with its payload, or the vehicle itself without payload."""
        if self.mass_scale == 1.0:
            return vehicle
        scale = self.mass_scale
        x, y, z = vehicle.inertia_kgm2
        changes = {
            "mass_kg": scale * vehicle.mass_kg,
            "inertia_kgm2": (scale * x, scale * y, scale * z),
        }
        return vehicle.model_copy(update=changes)


NO_FAULTS = Faults()


def draw_faults(settings: FaultSettings, seed: int, vehicle: Vehicle, flight_s: float) -> Faults:
    """Return the faults of one flight.

    Args:
        settings: kinds and strengths of the faults.
        seed: seed of the flight; the streams are `faults.rotor` and `faults.velocity`.
        vehicle: vehicle that has the faults.
        flight_s: longest duration of the flight, over which the battery discharges, s.
    """
    top = vehicle.rotors.max_speed_radps
    return Faults(
        efficiency=_efficiency(settings, seed),
        period_s=settings.rotor_period_s,
        mass_scale=settings.mass_scale,
        velocity_bias=_velocity_bias(settings, seed),
        battery=Battery(settings.battery_sag, flight_s, top) if settings.battery_sag else None,
    )


def _efficiency(settings: FaultSettings, seed: int) -> Four:
    drawn = int(stream(seed, "faults.rotor").integers(1, 5))
    weak = settings.rotor or drawn
    first, second, third, fourth = (
        settings.rotor_efficiency if number == weak else 1.0 for number in (1, 2, 3, 4)
    )
    return first, second, third, fourth


def _velocity_bias(settings: FaultSettings, seed: int) -> Vector | None:
    """Return a horizontal vector of the given length in a random direction."""
    if settings.velocity_bias_mps == 0.0:
        return None
    turn = stream(seed, "faults.velocity").uniform(-math.pi, math.pi)
    size = settings.velocity_bias_mps
    return size * math.cos(turn), size * math.sin(turn), 0.0

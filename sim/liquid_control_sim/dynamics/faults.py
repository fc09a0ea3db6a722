"""What is wrong with a vehicle: a weak rotor, an empty battery, a payload, a biased estimate.

Each is drawn from a stream of its own, and a sound vehicle passes through none of them.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from liquid_control.config.scenario import FaultSettings
from liquid_control.seeding import stream
from liquid_control_sim.dynamics.rotors import SOUND
from liquid_control_sim.dynamics.vectors import Four, Vector
from liquid_control_sim.dynamics.vehicle import Vehicle


class Battery(NamedTuple):
    """Speed controllers without a speed loop: a duty cycle asked for gives speed times voltage.

    The voltage is that of a source with an inner resistance, linear in the charge drawn
    (Tremblay & Dessaint 2009, doi 10.3390/wevj3020289, without its knees), and thrust goes with
    speed squared. In terms of full thrust, with time t of T and rotor power P ~ sum(w^3):

        (V / V_full)^2 = 1 - sag (t / T + P / P_max) / 2.

    So at the end of the flight and at full power the share `sag` of full thrust is gone, half of
    it by discharge and half under load.

    Attributes:
        sag: that share, 1.
        flight_s: T, s.
        max_speed: of a rotor, rad/s.
    """

    sag: float
    flight_s: float
    max_speed: float

    def speed_share(self, elapsed_s: float, speeds: Four) -> float:
        """Return what is left of a speed that is asked for, 1."""
        discharged = min(elapsed_s / self.flight_s, 1.0)
        load = sum(speed**3 for speed in speeds) / (4.0 * self.max_speed**3)
        return float((1.0 - 0.5 * self.sag * (discharged + load)) ** 0.5)


@dataclass(frozen=True, slots=True)
class Faults:
    """What differs from the vehicle that the autopilot believes it flies.

    Attributes:
        efficiency: of each rotor, a factor on thrust and torque, 1.
        mass_scale: factor on mass and inertia, 1.
        velocity_bias: error of the autopilot's velocity estimate, m/s, map; None for none.
        battery: that sags; None for one that does not.
    """

    efficiency: Four = SOUND
    mass_scale: float = 1.0
    velocity_bias: Vector | None = None
    battery: Battery | None = None

    def loaded(self, vehicle: Vehicle) -> Vehicle:
        """Return the vehicle with its payload; the vehicle itself without one."""
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
        settings: which, and how bad.
        seed: of the flight; the streams are `faults.rotor` and `faults.velocity`.
        vehicle: that has them.
        flight_s: longest duration of the flight, over which the battery empties, s.
    """
    top = vehicle.rotors.max_speed_radps
    return Faults(
        efficiency=_efficiency(settings, seed),
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
    """Return a horizontal vector of the given size in a drawn direction."""
    if settings.velocity_bias_mps == 0.0:
        return None
    turn = stream(seed, "faults.velocity").uniform(-math.pi, math.pi)
    size = settings.velocity_bias_mps
    return size * math.cos(turn), size * math.sin(turn), 0.0

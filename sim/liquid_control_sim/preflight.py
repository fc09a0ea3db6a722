"""Check that a flight can begin, without its physics and its pictures."""

from liquid_control.config import Scenario
from liquid_control.config.scenario import Backend
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.tasks.start import draw_start


def check_flight(scenario: Scenario, seed: int) -> None:
    """Check vehicle, backend, forest and start of a flight; takes some 20 ms.

    Raises:
        ConfigError: the vehicle is unknown or invalid, what the scenario asks for does not fit
            into the forest, or the start is not free.
        DependencyError: the backend is not installed.
    """
    vehicle = load_vehicle(scenario.vehicle)
    if scenario.world.backend is Backend.GYM_PYBULLET_DRONES:
        from liquid_control_sim.dynamics.aviary import drone_modules

        drone_modules()
    draw_start(generate_forest(scenario, seed), scenario, vehicle.radius_m, seed)

"""The PyBullet world: quadrotor, forest, wind, light; importable and usable without ROS."""

from liquid_control.errors import DependencyError
from liquid_control_sim.quiet_bullet import import_quietly

try:
    import_quietly()
except ImportError as error:
    raise DependencyError(
        "the simulator needs pybullet, which is not installed: pip install 'liquid_control[sim]'"
    ) from error

from liquid_control_sim.flight import Flight, Tick, fly
from liquid_control_sim.tasks.experts import Expert
from liquid_control_sim.tasks.steering import ExpertGains
from liquid_control_sim.world import SimulatedWorld

__all__ = ["Expert", "ExpertGains", "Flight", "SimulatedWorld", "Tick", "fly"]

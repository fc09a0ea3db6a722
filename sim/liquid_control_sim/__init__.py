"""Simulator on PyBullet: quadrotor, forest, wind and light, without ROS.

The exported names are imported when they are first used. `liquid_control_sim.place` therefore
needs neither PyBullet nor Numba.
"""

from typing import TYPE_CHECKING

from liquid_control.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from liquid_control_sim.flight import Flight, Tick, fly
    from liquid_control_sim.tasks.experts import Expert
    from liquid_control_sim.tasks.steering import ExpertGains
    from liquid_control_sim.world import SimulatedWorld

__all__ = ["Expert", "ExpertGains", "Flight", "SimulatedWorld", "Tick", "fly"]

_MODULES = {
    "Expert": "tasks.experts",
    "ExpertGains": "tasks.steering",
    "Flight": "flight",
    "SimulatedWorld": "world",
    "Tick": "flight",
    "fly": "flight",
}

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)

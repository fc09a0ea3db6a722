"""Simulator on PyBullet: quadrotor, forest, wind and light, without ROS.

The exported names are imported when they are first used. `liquid_control_sim.place` therefore
needs neither PyBullet nor Numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING

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


def __getattr__(name: str) -> object:
    """Import the module of an exported name and return the name's value."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Compiles what the simulator compiles ahead of the first flight, or finds it compiled."""

from collections.abc import Callable

from liquid_control.config.scenario import Scenario
from liquid_control.types import HOVER
from liquid_control_sim.dynamics.vectors import compiled as dynamics
from liquid_control_sim.picture.streaks import compiled as picture
from liquid_control_sim.render.kernels.jit import compiled as render
from liquid_control_sim.world import SimulatedWorld

_EVERYTHING = {
    "trail": {"length_m": 6.0},
    "forest": {"trees": 1},
    "light": {"shadow_hardness": 1.0},
    "rain": {"rate_mmph": 10.0},
    "camera": {"width": 16, "height": 16},
}
"""A small world in which every compiled function is called."""


def warm_up(tell: Callable[[str], None] | None = None) -> None:
    """Step through a small world and take a picture of it, so that everything is compiled.

    Args:
        tell: is called with one line before what takes long, and not at all where machine code is
            kept from an earlier run.
    """
    if tell is not None and not all(room.is_kept for room in (dynamics, picture, render)):
        tell("compiling the simulator, about 20 s, once")
    world = SimulatedWorld(Scenario.model_validate(_EVERYTHING), 0)
    try:
        world.step(HOVER)
        world.take_picture(0)
    finally:
        world.close()

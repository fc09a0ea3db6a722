"""Compilation of the simulator ahead of the first flight."""

from collections.abc import Callable

from liquid_control.config import Scenario
from liquid_control.types import HOVER
from liquid_control_sim.air.turbulence import compiled as air
from liquid_control_sim.dynamics.vectors import compiled as dynamics
from liquid_control_sim.picture.shot import compiled as picture
from liquid_control_sim.render.kernels.kernel_types import compiled as render
from liquid_control_sim.world import SimulatedWorld

_SCENARIO = {
    "trail": {"length_m": 6.0},
    "forest": {"trees": 1},
    "wind": {"mean_mps": 1.0},
    "light": {"shadow_hardness": 1.0},
    "rain": {"rate_mmph": 10.0},
    "camera": {"width": 16, "height": 16},
}
"""Scenario of a small world in which every compiled function is called."""


def warm_up(report: Callable[[str], None] | None = None) -> None:
    """Compile all functions of the simulator: step a small world and take a picture of it.

    Args:
        report: called with one line before a compilation; not called if the cache contains the
            machine code.
    """
    parts = (air, dynamics, picture, render)
    if report is not None and not all(part.is_cached for part in parts):
        report("compiling the simulator, about 20 s, once")
    world = SimulatedWorld(Scenario.model_validate(_SCENARIO), 0)
    try:
        world.step(HOVER)
        world.advance(HOVER, 3)
        world.take_picture(0)
    finally:
        world.close()

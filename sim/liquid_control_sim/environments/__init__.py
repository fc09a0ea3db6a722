"""Gymnasium environments of the tasks, registered on import.

    import gymnasium
    import liquid_control_sim.environments

    environment = gymnasium.make("LiquidTrail-v0", disturb={"wind": 3})

`gymnasium.make("liquid_control_sim.environments:LiquidTrail-v0")` imports this package.
"""

from collections.abc import Mapping
from types import MappingProxyType

from liquid_control.errors import DependencyError

try:
    import gymnasium
except ImportError as error:
    raise DependencyError(
        "the environments need gymnasium, which is not installed: "
        "pip install 'liquid_control[sim,gym]'"
    ) from error

from liquid_control_sim.environments.environment import ActionError, FlightEnvironment
from liquid_control_sim.environments.reward import Instant, RewardWeights, Step, reward_terms

SCENARIOS: Mapping[str, str] = MappingProxyType(
    {"LiquidTrail-v0": "trail", "LiquidTarget-v0": "target", "LiquidHike-v0": "hike"}
)
"""Scenario of each environment."""

for _name, _scenario in SCENARIOS.items():
    if _name not in gymnasium.registry:
        gymnasium.register(
            _name,
            entry_point="liquid_control_sim.environments.environment:FlightEnvironment",
            kwargs={"scenario": _scenario},
        )

__all__ = [
    "SCENARIOS",
    "ActionError",
    "FlightEnvironment",
    "Instant",
    "RewardWeights",
    "Step",
    "reward_terms",
]

"""Factories for pilots and simulators, picklable for worker processes."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from liquid_control.config import shipped
from liquid_control.errors import ConfigError
from liquid_control.interfaces import Flyer, Pilot

EXPERT = "expert"
PUSHED = "expert:pushed"


def simulator() -> Flyer:
    """Return the function that flies in PyBullet.

    Raises:
        DependencyError: PyBullet is not installed.
    """
    from liquid_control_sim import fly

    return fly


def prepare_simulator() -> None:
    """Compile the simulator once, before worker processes start; print a line if it takes long.

    Raises:
        DependencyError: PyBullet is not installed.
    """
    simulator()
    from liquid_control_sim.warm_up import warm_up

    warm_up(lambda line: print(line, file=sys.stderr, flush=True))


@dataclass(frozen=True, slots=True)
class PilotOf:
    """Makes the pilot of a model folder, or an expert."""

    model: str

    def __call__(self) -> Pilot:
        """Load the model; raises ModelError where it is missing or damaged."""
        if self.model == EXPERT:
            from liquid_control_sim import Expert

            return Expert()
        if self.model == PUSHED:
            from liquid_control.training.data_pilots import PushedPilot
            from liquid_control.training.training_settings import DisturbanceSettings
            from liquid_control_sim import Expert

            return PushedPilot(Expert(), DisturbanceSettings())
        from liquid_control.policy import Policy, PolicyPilot, load_model

        return PolicyPilot(Policy(load_model(shipped(Path(self.model)))))


def model_of(pilot: object) -> str | None:
    """Return the model folder of a factory; None for an expert."""
    if not isinstance(pilot, PilotOf) or pilot.model in (EXPERT, PUSHED):
        return None
    return pilot.model


def pilots_of(models: Sequence[str]) -> dict[str, PilotOf]:
    """Return factories by label: the folder's name, which must differ between models.

    Raises:
        ConfigError: two models have one name.
    """
    pilots: dict[str, PilotOf] = {}
    for model in models:
        label = model if model in (EXPERT, PUSHED) else Path(model).resolve().name
        if label in pilots:
            raise ConfigError(
                f"--model: expected folders with different names, {label!r} comes twice"
            )
        pilots[label] = PilotOf(model)
    return pilots

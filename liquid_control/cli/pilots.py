"""Factories for pilots and simulators, picklable for worker processes."""

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from liquid_control.config import shipped
from liquid_control.interfaces import Flyer, Pilot

if TYPE_CHECKING:
    from liquid_control.command import GuardRules

EXPERT, HOVER = "expert", "hover"
PUSHED = "expert:pushed"


def simulator(rules: "GuardRules | None" = None) -> Flyer:
    """Return the function that flies in PyBullet, with rules of the guard.

    Raises:
        DependencyError: PyBullet is not installed.
    """
    from liquid_control_sim import fly

    return fly if rules is None else partial(fly, rules=rules)


def guard_rules(file: Path | None) -> "GuardRules":
    """Return the rules of a file; note those that a simulated flight has no readings for."""
    from liquid_control.cli.output import note
    from liquid_control.command import GuardRules, load_guard_rules

    if file is None:
        return GuardRules()
    rules, off = load_guard_rules(shipped(file)).simulated()
    if off:
        note(f"{file}: off in simulation, where there are no readings: {', '.join(off)}")
    return rules


def prepare_simulator() -> None:
    """Compile the simulator once, before worker processes start; print a line if it takes long."""
    simulator()
    from liquid_control_sim.warm_up import warm_up

    warm_up(lambda line: print(line, file=sys.stderr, flush=True))


@dataclass(frozen=True, slots=True)
class PilotOf:
    """Makes the pilot of a model folder, an expert, or the pilot that hovers.

    Attributes:
        model: folder of a model, or the name of a pilot.
        folder: of the model; None for a pilot.
        online_adaptation: `certified` or `GAIN,OFFSET` to adapt the model's read-out; empty: off.
    """

    model: str
    folder: Path | None = field(init=False)
    online_adaptation: str = ""

    def __post_init__(self) -> None:
        is_pilot = self.model in (EXPERT, PUSHED, HOVER)
        object.__setattr__(self, "folder", None if is_pilot else shipped(Path(self.model)))

    def __call__(self) -> Pilot:
        """Load the model; raises ModelError where it is missing or damaged."""
        if self.model == EXPERT:
            from liquid_control_sim import Expert

            return Expert()
        if self.model == HOVER:
            from liquid_control.evaluation.arms import HoverPilot

            return HoverPilot()
        if self.model == PUSHED:
            from liquid_control.training.data_pilots import PushedPilot
            from liquid_control.training.training_settings import DisturbanceSettings
            from liquid_control_sim import Expert

            return PushedPilot(Expert(), DisturbanceSettings())
        from liquid_control.policy import OnlineAdaptation, Policy, PolicyPilot, load_model

        model, wanted = load_model(self.folder or self.model), self.online_adaptation
        adaptation = OnlineAdaptation.for_model(model, wanted) if wanted else None
        return PolicyPilot(Policy(model), adaptation)


def model_of(pilot: object) -> str | None:
    """Return the model folder of a factory; None for an expert or `hover`."""
    return pilot.model if isinstance(pilot, PilotOf) and pilot.folder is not None else None

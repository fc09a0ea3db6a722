"""Lesions in closed loop: the same forests, each time without one neuron or one feature.

The vehicle answers to a lesion, so it shows what a neuron is needed for, where a counterfactual
over a recording shows what it did at one moment. Every flight is one row of a journal, so that an
interrupted study goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from liquid_control.config.suggestions import suggestion
from liquid_control.errors import ConfigError
from liquid_control.evaluation import (
    Campaign,
    FlightLog,
    FlightRow,
    SummaryRow,
    campaign_plan,
    check_pilots,
    fly_missing,
    plan_flights,
    summarise,
)
from liquid_control.inspection.counterfactuals import Clamp, ClampedPolicy
from liquid_control.inspection.flight import feature_names
from liquid_control.interfaces import Flyer, Pilot
from liquid_control.journal import JOURNAL_FILE
from liquid_control.policy import Model, Policy, PolicyPilot, load_model

INTACT = "intact"
NEURONS, FEATURES = "neurons", "features"
OF = {"neurons": "every neuron", "features": "every feature"}
"""Groups that `--of` accepts besides single names."""


@dataclass(frozen=True, slots=True)
class LesionedPilot:
    """Makes the pilot of a model without one neuron or feature, inside a worker process.

    Attributes:
        folder: of the model.
        part: name of the neuron or feature that is held at 0; empty for none.
    """

    folder: Path
    part: str = ""

    def __call__(self) -> Pilot:
        """Load the model and clamp it."""
        model = load_model(self.folder)
        if not self.part:
            return PolicyPilot(Policy(model))
        return PolicyPilot(ClampedPolicy(model, Clamp.parse([self.part], model)))


@dataclass(frozen=True, slots=True)
class Lesions:
    """Result of a study.

    Attributes:
        rows: one for each flight.
        summary: success rate and Wilson's interval of every lesion, the intact model first.
    """

    rows: list[FlightRow]
    summary: list[SummaryRow]

    def needed(self) -> list[SummaryRow]:
        """Return the lesions whose interval lies below that of the intact model, worst first."""
        intact = self.summary[0]
        worse = [row for row in self.summary[1:] if row.ci95_high < intact.ci95_low]
        return sorted(worse, key=lambda row: row.success_rate)


def parts_of(model: Model, wanted: Sequence[str]) -> list[str]:
    """Return the names of neurons and features to lesion, each once.

    Args:
        model: the model.
        wanted: `neurons`, `features`, or names.

    Raises:
        ConfigError: no neuron and no feature has a name.
    """
    groups = {
        NEURONS: model.settings.core.state_names,
        FEATURES: feature_names(model.settings),
    }
    known = [name for names in groups.values() for name in names]
    parts: dict[str, None] = {}
    for word in wanted:
        if word not in groups and word not in known:
            raise ConfigError(f"--of: no neuron or feature {word!r}; {suggestion(word, known)}")
        parts |= dict.fromkeys(groups.get(word, (word,)))
    return list(parts)


def lesion_study(
    flyer: Flyer,
    model: Model,
    campaign: Campaign,
    folder: Path,
    *,
    parts: Sequence[str] = (NEURONS, FEATURES),
    workers: int = 2,
    resume: bool = False,
    command: str = "inspect lesions",
) -> Lesions:
    """Fly a campaign with the intact model and with every lesion; show the progress on stderr.

    Args:
        flyer: such as `liquid_control_sim.fly`; picklable.
        model: the model.
        campaign: its flights.
        folder: for the rows of the flights.
        parts: what is lesioned, as for `parts_of`.
        workers: flights at a time.
        resume: whether to fly only what the folder lacks.
        command: command line, for the record.

    Raises:
        ConfigError: a part does not exist, or the folder is of another study.
        ModelError: the model cannot fly the campaign.
        OutputError: a row cannot be written.
    """
    names = parts_of(model, parts)
    pilots = {INTACT: LesionedPilot(model.path)}
    pilots |= {f"without {name}": LesionedPilot(model.path, name) for name in names}
    jobs = plan_flights(campaign.entries, list(pilots))
    plan = campaign_plan(jobs, check_pilots(jobs, pilots))
    path, config = folder / JOURNAL_FILE, {"model": model.name, "parts": names}
    with FlightLog.open(path, jobs, plan, config=config, command=command, resume=resume) as log:
        rows = fly_missing(jobs, flyer, pilots, workers, log=log)
    return Lesions(rows, summarise(rows))

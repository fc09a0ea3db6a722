"""Lesions in closed loop: the same forests, each time without one neuron, feature or input.

An input is held at its neutral reading (`perception.INPUTS`), the IMU at rest. The network was
trained with it: a lesion shows what this network makes of the input, not what a network trained
without it could do.

The vehicle answers to a lesion, so it shows what a neuron is needed for, where a counterfactual
over a recording shows what it did at one moment. Every flight is one row of a journal, so that an
interrupted study goes on.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.config import shipped
from liquid_control.config.suggestions import suggestion
from liquid_control.errors import ConfigError
from liquid_control.evaluation import (
    Campaign,
    FlightJob,
    FlightLog,
    FlightRow,
    Flights,
    PairedRow,
    SummaryRow,
    campaign_plan,
    check_pilots,
    compare_flights,
    fly_missing,
    load_campaign,
    plan_flights,
    scenario_campaign,
    summarise,
)
from liquid_control.inspection.counterfactuals import Clamp, ClampedPolicy
from liquid_control.inspection.flight import Array, feature_names
from liquid_control.interfaces import Flyer, Pilot
from liquid_control.journal import JOURNAL_FILE
from liquid_control.perception import INPUTS, with_readings
from liquid_control.policy import Model, Policy, PolicyPilot, load_model
from liquid_control.types import ImuWindow, Observation, Pixels

INTACT = "intact"
NEURONS, FEATURES, OPTIONAL_INPUTS = "neurons", "features", "inputs"
"""Groups that `--of` accepts besides single names."""
IMU = "imu"
_AT_REST = ImuWindow(np.empty(0, np.int64), np.empty((0, 3)), np.empty((0, 3)))
"""A window without samples has the features of an IMU at rest."""


class UninformedPolicy(Policy):
    """A policy that is told the neutral reading of one input at every frame.

    Args:
        model: the model.
        name: `imu`, or a key of `perception.INPUTS`.
    """

    def __init__(self, model: Model, name: str) -> None:
        super().__init__(model)
        self._name = name

    def features_of_fitted(self, picture: Pixels, observation: Observation) -> Array:
        """Return the features of a picture and a held input, as `Policy.features_of_fitted`."""
        if self._name == IMU:
            held = replace(observation, imu=_AT_REST)
        else:
            held = with_readings(observation, INPUTS[self._name].neutral_readings)
        return super().features_of_fitted(picture, held)


@dataclass(frozen=True, slots=True)
class LesionedPilot:
    """Makes the pilot of a model without one neuron, feature or input, inside a worker process.

    Attributes:
        folder: of the model.
        part: name of the neuron or feature that is held at 0, or of the input that is held at its
            neutral reading; empty for none.
    """

    folder: Path
    part: str = ""

    def __call__(self) -> Pilot:
        """Load the model and clamp it."""
        model = load_model(self.folder)
        if not self.part:
            return PolicyPilot(Policy(model))
        if self.part in inputs_of(model):
            return PolicyPilot(UninformedPolicy(model, self.part))
        return PolicyPilot(ClampedPolicy(model, Clamp.parse([self.part], model)))


@dataclass(frozen=True, slots=True)
class Lesions:
    """Result of a study.

    Attributes:
        rows: one for each flight.
        summary: success rate and Wilson's interval of every lesion, the intact model first.
        effects: one for each row of the summary that is not intact, in its order: lesioned minus
            intact over the same forests.
    """

    rows: list[FlightRow]
    summary: list[SummaryRow]
    effects: list[PairedRow]
    complete: bool = True

    @classmethod
    def of(cls, rows: Sequence[FlightRow], complete: bool = True) -> "Lesions":
        """Return the result of flights, the same forests for the intact model and every lesion."""
        summary = summarise(rows)
        effects = [_effect(rows, row.model, row.entry) for row in summary if row.model != INTACT]
        return cls(list(rows), summary, effects, complete)

    def needed(self) -> list[SummaryRow]:
        """Return the lesions whose interval lies below that of the intact model, worst first."""
        intact = self.summary[0]
        worse = [row for row in self.summary[1:] if row.ci95_high < intact.ci95_low]
        return sorted(worse, key=lambda row: row.success_rate)


def inputs_of(model: Model) -> tuple[str, ...]:
    """Return the names of a model's inputs besides the picture: the optional ones, then `imu`.

    `mount` is among them where the perception network knows the camera's mount.
    """
    return (*model.settings.needed_inputs, IMU)


def parts_of(model: Model, wanted: Sequence[str]) -> list[str]:
    """Return the names of neurons, features and inputs to lesion, each once.

    Args:
        model: the model.
        wanted: `neurons`, `features`, `inputs`, or names.

    Raises:
        ConfigError: no neuron, feature or input has a name.
    """
    groups = {
        NEURONS: model.settings.core.state_names,
        FEATURES: feature_names(model.settings),
        OPTIONAL_INPUTS: inputs_of(model),
    }
    known = [name for names in groups.values() for name in names]
    parts: dict[str, None] = {}
    for word in wanted:
        if word not in groups and word not in known:
            hint = suggestion(word, known)
            raise ConfigError(f"--of: no neuron, feature or input {word!r}; {hint}")
        parts |= dict.fromkeys(groups.get(word, (word,)))
    return list(parts)


def flights_of(
    scenario: str, keys: dict[str, Any], campaign: Path | None, seeds: str | None
) -> Campaign:
    """Return the flights of a study: those of a campaign's file, or of one scenario.

    Args:
        scenario: name or YAML file, without a campaign.
        keys: dotted keys that are set in the scenario.
        campaign: YAML file; None for the scenario.
        seeds: of every entry; None for the campaign's own, or 10000:10020.

    Raises:
        ConfigError: keys are given beside a campaign, or something does not exist or parse.
    """
    if campaign is not None:
        if keys:
            raise ConfigError("--campaign: its file sets the keys; expected no --set")
        chosen = load_campaign(shipped(campaign))
        return chosen if seeds is None else chosen.with_seeds(seeds)
    chosen = scenario_campaign(scenario, keys).with_seeds(seeds or "10000:10020")
    entries = [entry.model_copy(update={"set": keys}) for entry in chosen.entries]
    return chosen.model_copy(update={"entries": entries})


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
    keep: Callable[[Lesions], object] = lambda result: None,
) -> Lesions:
    """Fly a campaign with the intact model and with every lesion; show the progress on stderr.

    All entries and lesions of a forest are flown before those of the next one, so that a study
    that ends early has the same forests for all lesions.

    Args:
        flyer: such as `liquid_control_sim.fly`; picklable.
        model: the model.
        campaign: its flights.
        folder: for the rows of the flights.
        parts: what is lesioned, as for `parts_of`.
        workers: flights at a time.
        resume: whether to fly only what the folder lacks.
        command: command line, for the record.
        keep: called with the result, also with that of the whole forests so far if the study is
            interrupted after at least one.

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
        try:
            rows = fly_missing(jobs, flyer, pilots, workers, log=log)
        except BaseException:
            whole = _whole_forests(log.in_order(), jobs)
            if whole:
                keep(Lesions.of(whole, complete=False))
            raise
    result = Lesions.of(rows)
    keep(result)
    return result


def _whole_forests(rows: Sequence[FlightRow], jobs: Sequence[FlightJob]) -> list[FlightRow]:
    """Return the rows of the forests of which no flight is missing."""
    planned, flown = Counter(job.seed for job in jobs), Counter(row.seed for row in rows)
    return [row for row in rows if flown[row.seed] == planned[row.seed]]


def _effect(rows: Sequence[FlightRow], lesion: str, entry: str) -> PairedRow:
    """Compare a lesion with the intact model over the forests of an entry."""
    intact, lesioned = (
        Flights(
            Path(name),
            name,
            {
                (row.entry, row.seed): asdict(row)
                for row in rows
                if (row.model, row.entry) == (name, entry)
            },
            {},
        )
        for name in (INTACT, lesion)
    )
    return compare_flights(intact, lesioned)[0]

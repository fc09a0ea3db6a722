"""Adaptation: do the time constants of a wired CfC move in disturbed air, and does that matter?

**Observation.** The same forests are flown undisturbed and disturbed. For every neuron the mean
rate of its time gate (`liquid.time_constants`) over a flight is compared between the two flights
of a forest. The unit is the forest; intervals are Student's over forests, and p values are those
of Wilcoxon's signed-rank test, corrected by Holm's procedure over the neurons.

**Test of cause.** What adapts is held at its undisturbed mean, and the same forests are flown
again: the time constants (time_a), the whole time gates, or the elapsed time that the network
receives. If adaptation causes success in disturbed air, holding it lowers success there, and
lowers it more than in undisturbed air. Success is compared by exact paired tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.config import Scenario
from liquid_control.errors import ConfigError
from liquid_control.evaluation.benchmark_statistics import (
    ArmComparison,
    Outcomes,
    Pair,
    compare,
    holm,
    student_bounds,
)
from liquid_control.evaluation.runner import fly_study
from liquid_control.interfaces import Flyer
from liquid_control.journal import JOURNAL_FILE, Journal
from liquid_control.liquid.time_constants import gate_slopes, with_held_gates, with_held_slopes
from liquid_control.policy import Decision, Model, Policy, PolicyPilot, load_model
from liquid_control.policy.model_settings import WIRED
from liquid_control.types import Command, Floats, Observation, VehicleState

CALM, DISTURBED = "undisturbed", "disturbed"


class Held(str, Enum):
    """What of a policy is held at its mean over the undisturbed flights."""

    NOTHING = "nothing"
    TIME_CONSTANTS = "time constants"
    GATES = "time gates"
    ELAPSED = "elapsed time"


@dataclass(frozen=True, slots=True)
class AdaptationJob:
    """One flight.

    Attributes:
        condition: `CALM` or `DISTURBED`.
        held: what is held.
        scenario: of the flight.
        seed: of the flight.
        model: folder of the model.
        values: what it is held at: one value a neuron, or seconds; empty for `NOTHING`.
    """

    condition: str
    held: Held
    scenario: Scenario
    seed: int
    model: str
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class AdaptationRow:
    """Result of one flight.

    Attributes:
        condition: of the job.
        held: of the job.
        seed: of the job.
        success: whether the flight succeeded.
        reason: why it ended.
        elapsed_s: mean time between answered frames, s.
        slopes: mean |time_a| / time unit of every neuron, 1/s; empty where it is held.
        signed: the same mean with its sign.
        gates: mean time gate of every neuron, [0, 1].
    """

    condition: str
    held: str
    seed: int
    success: bool
    reason: str
    elapsed_s: float
    slopes: tuple[float, ...]
    signed: tuple[float, ...]
    gates: tuple[float, ...]


class _SteadyPolicy(Policy):
    """A policy that receives the same elapsed time at every frame."""

    def __init__(self, model: Model, elapsed_s: float) -> None:
        super().__init__(model)
        self._elapsed_s = elapsed_s

    def act(self, features: Any, state: Any, dt: float) -> Decision:
        return super().act(features, state, self._elapsed_s)


class _MeasuredPilot(PolicyPilot):
    """Flies a policy, and sums the rates and gates of its neurons."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._weights = policy.model.weights
        self._slopes: list[Floats] = []
        self._gates: list[Floats] = []
        self._stamps_ns: list[int] = []

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        before = self.session.state()["state"]
        command = super().command(observation, truth)
        if self.decision is not None and self.features is not None:
            after = self.decision.state
            self._slopes.append(gate_slopes(self._weights, self.features, before, after))
            self._gates.append(np.asarray(self.decision.gates, np.float64))
            self._stamps_ns.append(observation.stamp_ns)
        return command

    def means(self) -> dict[str, Any]:
        """Return the fields of an `AdaptationRow` that are measured in flight."""
        slopes = np.array(self._slopes)
        return {
            "elapsed_s": float(np.diff(self._stamps_ns).mean()) * 1e-9,
            "slopes": tuple(np.abs(slopes).mean(axis=0).tolist()),
            "signed": tuple(slopes.mean(axis=0).tolist()),
            "gates": tuple(np.array(self._gates).mean(axis=0).tolist()),
        }


def fly_job(flyer: Flyer, job: AdaptationJob) -> AdaptationRow:
    """Fly one job and measure its neurons."""
    model = load_model(job.model)
    values = np.array(job.values)
    policy: Policy
    if job.held is Held.ELAPSED:
        policy = _SteadyPolicy(model, job.values[0])
    else:
        weights = model.weights
        if job.held is Held.TIME_CONSTANTS:
            weights = with_held_slopes(weights, values)
        elif job.held is Held.GATES:
            weights = with_held_gates(weights, values)
        policy = Policy(replace(model, arrays={**model.arrays, **weights.arrays()}))
    pilot = _MeasuredPilot(policy)
    result = flyer(job.scenario, job.seed, pilot).result
    return AdaptationRow(
        condition=job.condition,
        held=job.held.value,
        seed=job.seed,
        success=result.success,
        reason=result.reason,
        **pilot.means(),
    )


@dataclass(frozen=True, slots=True)
class NeuronShift:
    """How the rate of one neuron differs between disturbed and undisturbed flights of a forest.

    Attributes:
        name: of the neuron.
        calm_s: effective time constant at the mean rate of the undisturbed flights, s.
        disturbed_s: the same for the disturbed flights.
        log2_ratio: mean over forests of log2(disturbed rate / undisturbed rate); positive is
            faster.
        low, high: its 95 % interval.
        adjusted: p value, corrected over the neurons.
    """

    name: str
    calm_s: float
    disturbed_s: float
    log2_ratio: float
    low: float
    high: float
    adjusted: float


@dataclass(frozen=True)
class Adaptation:
    """Result of a study.

    Attributes:
        model: its name.
        plan: what was flown.
        rows: of all flights.
        shifts: one a neuron.
        effects: of each `Held` on success, undisturbed and disturbed, then its additional effect
            in disturbed air.
    """

    model: str
    plan: Mapping[str, Any]
    rows: tuple[AdaptationRow, ...]
    shifts: tuple[NeuronShift, ...]
    effects: tuple[ArmComparison, ...]

    def rate(self, condition: str, held: Held) -> tuple[int, int]:
        """Return the number of successes and of flights of a condition."""
        chosen = [r.success for r in self.rows if (r.condition, r.held) == (condition, held.value)]
        return sum(chosen), len(chosen)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "model": self.model,
            "plan": dict(self.plan),
            "shifts": [asdict(shift) for shift in self.shifts],
            "effects": [asdict(effect) for effect in self.effects],
            "rows": [asdict(row) for row in self.rows],
        }


def study(
    flyer: Flyer,
    model: str,
    scenarios: Mapping[str, Scenario],
    seeds: Sequence[int],
    folder: Path,
    *,
    workers: int = 2,
    resume: bool = False,
    command: str = "liquid_control.evaluation.adaptation.study",
) -> Adaptation:
    """Fly a study of adaptation; every flight is kept in `rows.jsonl` of a folder.

    Args:
        flyer: flies a scenario; picklable.
        model: folder of a wired CfC.
        scenarios: `CALM` and `DISTURBED`.
        seeds: of the forests, at least two.
        folder: of the results.
        workers: flights at a time.
        resume: continue the study in `folder`.
        command: recorded as provenance.

    Raises:
        ConfigError: the model has another core, or there is one seed.
    """
    loaded = load_model(model)
    if loaded.settings.core.kind != WIRED:
        raise ConfigError(
            f"--model {model}: expected a core of kind {WIRED}, which has time constants, got "
            f"{loaded.settings.core.kind}"
        )
    if len(seeds) < 2:
        raise ConfigError(f"--seeds: expected at least two forests, got {len(seeds)}")
    plan = {
        "model": loaded.name,
        "weights": loaded.settings.sha256,
        "scenarios": {name: scenario.model_dump() for name, scenario in scenarios.items()},
        "seeds": list(seeds),
    }
    path = folder / JOURNAL_FILE
    opened = Journal.resume(path, plan) if resume else Journal.begin(path, plan, {}, command)
    with opened as journal:
        base = _flights(scenarios, seeds, model, Held.NOTHING, ())
        first = fly_study(flyer, base, fly_job, journal, _row, _key, workers)
        calm = [row for row in first if row.condition == CALM]
        held = [
            job
            for kind, values in held_values(calm).items()
            for job in _flights(scenarios, seeds, model, kind, values)
        ]
        rows = (*first, *fly_study(flyer, held, fly_job, journal, _row, _key, workers))
    names = loaded.settings.core.state_names
    return Adaptation(loaded.name, plan, rows, neuron_shifts(first, names), _effects(rows))


def held_values(calm: Sequence[AdaptationRow]) -> dict[Held, tuple[float, ...]]:
    """Return what each intervention holds: means over the undisturbed flights."""
    return {
        Held.TIME_CONSTANTS: tuple(np.mean([row.signed for row in calm], axis=0).tolist()),
        Held.GATES: tuple(
            np.clip(np.mean([row.gates for row in calm], axis=0), 1e-6, 1.0 - 1e-6).tolist()
        ),
        Held.ELAPSED: (float(np.mean([row.elapsed_s for row in calm])),),
    }


def _flights(
    scenarios: Mapping[str, Scenario],
    seeds: Sequence[int],
    model: str,
    held: Held,
    values: tuple[float, ...],
) -> list[AdaptationJob]:
    return [
        AdaptationJob(condition, held, scenario, seed, model, values)
        for seed in seeds
        for condition, scenario in scenarios.items()
    ]


def _key(flown: AdaptationJob | AdaptationRow) -> tuple[str, str, int]:
    held = flown.held.value if isinstance(flown.held, Held) else flown.held
    return flown.condition, held, flown.seed


def _row(content: Mapping[str, Any]) -> AdaptationRow:
    lists = {name: tuple(content[name]) for name in ("slopes", "signed", "gates")}
    return AdaptationRow(**{**content, **lists})


def neuron_shifts(rows: Sequence[AdaptationRow], names: Sequence[str]) -> tuple[NeuronShift, ...]:
    """Compare the rate of every neuron between the two flights of each forest."""
    from scipy import stats

    rates = {
        condition: np.array([row.slopes for row in rows if row.condition == condition])
        for condition in (CALM, DISTURBED)
    }
    ratios = np.log2(rates[DISTURBED] / rates[CALM])
    p_values = holm(
        [float(stats.wilcoxon(column).pvalue) if column.any() else 1.0 for column in ratios.T]
    )
    shifts = []
    for index, name in enumerate(names):
        low, high = student_bounds(ratios[:, index], 0.95, reach=np.inf)
        shifts.append(
            NeuronShift(
                name=name,
                calm_s=1.0 / float(rates[CALM][:, index].mean()),
                disturbed_s=1.0 / float(rates[DISTURBED][:, index].mean()),
                log2_ratio=float(ratios[:, index].mean()),
                low=low,
                high=high,
                adjusted=p_values[index],
            )
        )
    return tuple(shifts)


def _effects(rows: Sequence[AdaptationRow]) -> tuple[ArmComparison, ...]:
    """Compare success with and without each intervention, corrected for their number."""

    def outcomes(condition: str, held: Held) -> Outcomes:
        chosen = {
            row.seed: row.success
            for row in rows
            if (row.condition, row.held) == (condition, held.value)
        }
        seeds = sorted(chosen)
        return Outcomes(tuple(seeds), np.array([[[chosen[seed] for seed in seeds]]]))

    pairs = []
    for held in (Held.TIME_CONSTANTS, Held.GATES, Held.ELAPSED):
        arms = {
            condition: (outcomes(condition, Held.NOTHING), outcomes(condition, held))
            for condition in (CALM, DISTURBED)
        }
        for condition, (free, fixed) in arms.items():
            pairs.append(Pair({"held": held.value, "in": condition}, free, fixed))
        name = {"held": held.value, "in": "disturbed, beyond undisturbed"}
        pairs.append(Pair(name, *arms[DISTURBED], calm=arms[CALM]))
    return tuple(compare(pairs))

"""Study of online adaptation: paired flights with and without it, under faults of the vehicle.

Every arm flies the same forests with the same faults. The tracking error of a flight is the root
mean square difference of the vehicle's velocity from the policy's command through the fitted
first-order lag, the response that the policy learned with. It is computed alike for every arm.

Arms: none, which is the policy with its recurrent state alone; the read-out adapted in its box
(`policy.online_adaptation`); and the last layer adapted after Neural-Fly (`last_layer`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.command.motors import MOTORS
from liquid_control.config import load_scenario
from liquid_control.errors import ConfigError
from liquid_control.evaluation.benchmark_statistics import student_bounds
from liquid_control.evaluation.last_layer import LastLayerAdaptation
from liquid_control.evaluation.paired import difference_interval, mcnemar
from liquid_control.evaluation.runner import fly_study
from liquid_control.interfaces import Flyer
from liquid_control.journal import JOURNAL_FILE, Journal
from liquid_control.policy import (
    AdaptationSettings,
    AdaptationState,
    CommandAdaptation,
    Decision,
    OnlineAdaptation,
    Policy,
    PolicyPilot,
    VelocityReading,
    load_model,
)
from liquid_control.policy.online_adaptation import initial_state
from liquid_control.types import Command, Floats, Observation, VehicleState

NONE, READOUT, LAST_LAYER = "none", "read-out", "last layer"
ARMS = (NONE, READOUT, LAST_LAYER)
UNDISTURBED = "undisturbed"
TILTED = "camera tilted by 6°"
CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    UNDISTURBED: {},
    "one rotor -15 %": {"faults.rotor_efficiency": 0.85},
    "mass +20 %": {"faults.mass_scale": 1.2},
    "velocity estimate biased by 0.5 m/s": {"faults.velocity_bias_mps": 0.5},
    TILTED: {"camera.pitch_down_deg": 21.0},
    "propeller -30 % every other 3 s": {
        "faults.rotor_efficiency": 0.7,
        "faults.rotor_period_s": 6.0,
    },
}
"""Keys of the scenario by condition."""
STATED_PITCH_DEG = 15.0
"""Pitch of the camera that the policy is told where it is tilted, degrees."""
SETTLING_S = 2.0
"""Time after the start of a flight that no tracking error is counted in, s."""


@dataclass
class MeasuredAdaptation:
    """Runs an adaptation, or none, and keeps commands of the policy and motions of the vehicle.

    Attributes:
        inner: the adaptation; None for the policy's commands.
        stamps_ns, commands, motions: of the frames, without the first.
    """

    inner: CommandAdaptation | None
    stamps_ns: list[int] = field(default_factory=list)
    commands: list[tuple[float, ...]] = field(default_factory=list)
    motions: list[tuple[float, ...]] = field(default_factory=list)

    def init_state(self) -> AdaptationState:
        """Return the state of the adaptation at the start of a flight."""
        return initial_state(()) if self.inner is None else self.inner.init_state()

    def step(
        self,
        decision: Decision,
        state: AdaptationState,
        reading: VelocityReading | None,
        stamp_ns: int,
        dt_s: float,
    ) -> tuple[Command, AdaptationState]:
        """Return the command and the new state, as `CommandAdaptation.step` describes."""
        if reading is not None:
            self.stamps_ns.append(stamp_ns)
            self.commands.append(decision.command.values)
            self.motions.append(reading.values)
        if self.inner is None:
            return decision.command, state
        return self.inner.step(decision, state, reading, stamp_ns, dt_s)


def lagged(stamps_ns: Sequence[int], commands: Floats, first: Floats, lag_s: Floats) -> Floats:
    """Return commands [N, 4], each held until the next, through first-order lags [4]: [N, 4]."""
    result = np.empty_like(commands)
    result[0] = first
    for k, dt_s in enumerate(np.diff(stamps_ns) * 1e-9):
        result[k + 1] = commands[k] + np.exp(-dt_s / lag_s) * (result[k] - commands[k])
    return result


def tracking_rms(
    stamps_ns: Sequence[int], commands: Floats, motions: Floats, lag_s: Sequence[float]
) -> Floats:
    """Return the root mean square of velocity minus lagged command, m/s and rad/s, [4]."""
    error = motions - lagged(stamps_ns, commands, motions[0], np.array(lag_s))
    counted = (np.array(stamps_ns) - stamps_ns[0]) * 1e-9 >= SETTLING_S
    return np.asarray(np.sqrt((error[counted if counted.any() else slice(None)] ** 2).mean(0)))


def fit_lag(
    flights: Sequence[tuple[Sequence[int], Floats, Floats]], lags_s: Sequence[float] = ()
) -> tuple[Floats, Floats]:
    """Return the lag of each command with the least squared error, s, and the error's RMS, [4].

    Args:
        flights: stamps, commands [N, 4] and motions [N, 4] of undisturbed flights.
        lags_s: that are tried; 0.02 to 1.5 s by default.
    """
    tried = np.array(lags_s or np.linspace(0.02, 1.5, 75))
    errors = np.zeros((len(tried), len(MOTORS)))
    for stamps_ns, commands, motions in flights:
        for row, lag_s in enumerate(tried):
            every = np.full(len(MOTORS), lag_s)
            errors[row] += tracking_rms(stamps_ns, commands, motions, every.tolist()) ** 2
    best = errors.argmin(axis=0)
    return tried[best], np.sqrt(errors[best, np.arange(len(MOTORS))] / len(flights))


@dataclass(frozen=True, slots=True)
class StudyJob:
    """One flight: its arm, condition and seed, scenario and its keys, and the model's folder."""

    arm: str
    condition: str
    seed: int
    scenario: str
    keys: Mapping[str, Any]
    model: str


@dataclass(frozen=True, slots=True)
class StudyRow:
    """Result of one flight.

    Attributes:
        arm, condition, seed: of the job.
        success, reason, cross_track_rms_m, duration_s: of the flight.
        tracking: root mean square tracking error of each command, m/s and rad/s.
        gain, offset: at the end.
        updates, doubts: numbers of readings that were used and refused.
    """

    arm: str
    condition: str
    seed: int
    success: bool
    reason: str
    cross_track_rms_m: float
    duration_s: float
    tracking: tuple[float, ...]
    gain: tuple[float, ...]
    offset: tuple[float, ...]
    updates: int
    doubts: int


class _MisinformedPilot(PolicyPilot):
    """A pilot that is told another pitch of the camera than it has."""

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        assert observation.mount is not None
        stated = replace(observation, mount=(observation.mount[0], STATED_PITCH_DEG))
        return super().command(stated, truth)


def fly_job(flyer: Flyer, job: StudyJob) -> StudyRow:
    """Fly one job and measure how the vehicle follows the policy's commands."""
    model = load_model(job.model)
    inner: CommandAdaptation | None = None
    if job.arm == READOUT:
        inner = OnlineAdaptation.for_model(model)
    elif job.arm == LAST_LAYER:
        inner = LastLayerAdaptation.for_model(model)
    measured = MeasuredAdaptation(inner)
    kind = _MisinformedPilot if job.condition == TILTED else PolicyPilot
    pilot = kind(Policy(model), measured)
    scenario = load_scenario(job.scenario, {**job.keys, **CONDITIONS[job.condition]})
    result, state = flyer(scenario, job.seed, pilot).result, pilot.session.adapted
    assert state is not None
    found = tracking_rms(
        measured.stamps_ns,
        np.array(measured.commands),
        np.array(measured.motions),
        AdaptationSettings().lag_s,
    )
    return StudyRow(
        job.arm,
        job.condition,
        job.seed,
        result.success,
        result.reason,
        result.cross_track_rms_m,
        result.duration_s,
        tuple(found.tolist()),
        state.gain,
        state.offset,
        state.updates,
        state.doubts,
    )


def study(
    flyer: Flyer,
    model: str,
    seeds: Sequence[int],
    folder: Path,
    *,
    scenario: str = "trail",
    keys: Mapping[str, Any] | None = None,
    arms: Sequence[str] = ARMS,
    conditions: Sequence[str] = tuple(CONDITIONS),
    workers: int = 1,
    resume: bool = False,
    command: str = "liquid_control.evaluation.online_adaptation.study",
) -> tuple[StudyRow, ...]:
    """Fly a study, forest by forest; every flight is kept in `rows.jsonl` of a folder.

    Args:
        flyer: flies a scenario; picklable.
        model: folder of a wired CfC with a certificate that has a box.
        seeds: of the forests.
        folder: of the results.
        scenario: name or file.
        keys: of the scenario, in every condition.
        arms: of `ARMS`; conditions: of `CONDITIONS`.
        conditions: see `arms`.
        workers: flights at a time.
        resume: continue the study in `folder`.
        command: recorded as provenance.

    Raises:
        CertificateError: the certificate is missing, of other weights, or has no box.
        ConfigError: an arm or condition is unknown.
    """
    loaded = load_model(model)
    box = OnlineAdaptation.for_model(loaded).box
    for given, known in ((arms, ARMS), (conditions, tuple(CONDITIONS))):
        if unknown := sorted(set(given) - set(known)):
            raise ConfigError(f"expected names of {', '.join(known)}, got {unknown[0]!r}")
    plan = {
        "model": loaded.name,
        "weights": loaded.settings.sha256,
        "box": box.to_claim(),
        "scenario": scenario,
        "keys": dict(keys or {}),
        "seeds": list(seeds),
        "arms": list(arms),
        "conditions": {name: dict(CONDITIONS[name]) for name in conditions},
        "settings": asdict(AdaptationSettings()),
    }
    jobs = [
        StudyJob(arm, condition, seed, scenario, dict(keys or {}), model)
        for seed in seeds
        for condition in conditions
        for arm in arms
    ]
    path = folder / JOURNAL_FILE
    opened = Journal.resume(path, plan) if resume else Journal.begin(path, plan, {}, command)
    with opened as journal:
        return fly_study(flyer, jobs, fly_job, journal, row_of, _key, workers)


def _key(flown: StudyJob | StudyRow) -> tuple[str, str, int]:
    return flown.arm, flown.condition, flown.seed


def row_of(content: Mapping[str, Any]) -> StudyRow:
    """Return a row of `rows.jsonl`."""
    lists = {name: tuple(content[name]) for name in ("tracking", "gain", "offset")}
    return StudyRow(**{**content, **lists})


@dataclass(frozen=True, slots=True)
class Effect:
    """Effect of one arm in one condition, over the forests that it and `none` flew.

    Attributes:
        condition, arm: that are compared.
        forests: number of pairs.
        successes: of `none` and of the arm.
        success: difference of success rates with its 95 % interval (Newcombe) and McNemar's p.
        before, after: mean tracking error in the horizontal plane of `none` and of the arm, m/s.
        tracking: mean difference, arm minus none, with Student's 95 % interval, m/s.
        cross_track: the same of the cross-track RMS, m.
    """

    condition: str
    arm: str
    forests: int
    successes: tuple[int, int]
    success: tuple[float, float, float, float]
    before: float
    after: float
    tracking: tuple[float, float, float]
    cross_track: tuple[float, float, float]


def effects(rows: Sequence[StudyRow]) -> tuple[Effect, ...]:
    """Compare every arm with `none`, condition by condition."""
    flown = {_key(row): row for row in rows}
    found = []
    for condition in dict.fromkeys(row.condition for row in rows):
        for arm in dict.fromkeys(row.arm for row in rows if row.arm != NONE):
            pairs = [
                (flown[NONE, condition, seed], row)
                for (other, where, seed), row in flown.items()
                if (other, where) == (arm, condition) and (NONE, condition, seed) in flown
            ]
            if pairs:
                found.append(_effect(condition, arm, pairs))
    return tuple(found)


def _effect(condition: str, arm: str, pairs: Sequence[tuple[StudyRow, StudyRow]]) -> Effect:
    won = [(one.success, two.success) for one, two in pairs]
    both, first, second = (won.count(key) for key in ((True, True), (True, False), (False, True)))
    low, high = difference_interval(both, first, second, len(won) - both - first - second)
    errors = np.array(
        [[np.hypot(row.tracking[0], row.tracking[1]) for row in pair] for pair in pairs]
    )
    across = np.array([[row.cross_track_rms_m for row in pair] for pair in pairs])
    return Effect(
        condition,
        arm,
        len(pairs),
        (both + first, both + second),
        ((second - first) / len(won), low, high, mcnemar(first, second)),
        float(errors[:, 0].mean()),
        float(errors[:, 1].mean()),
        _difference(errors),
        _difference(across),
    )


def _difference(values: Floats) -> tuple[float, float, float]:
    changes = values[:, 1] - values[:, 0]
    if len(changes) < 2:
        return float(changes[0]), -np.inf, np.inf
    return (float(changes.mean()), *student_bounds(changes, 0.95, reach=np.inf))

"""Disturbed replay: how far a disturbance of the camera would have moved a policy's commands.

A recorded flight goes once through each model undisturbed, and once for each disturbance and
severity, all in one pass over the bag: decoding costs more than a small policy, and what a variant
has to remember (the policy's state, a few frames, sums) does not grow with the bag. Commands are
compared with the same model's undisturbed ones, not with the recorded ones, so that what is
measured is the disturbance alone. It is an open loop: the vehicle does not go where the moved
commands would have taken it.

Pictures are changed at the model's size and field of view. There a severity is what it is in the
simulator, whose camera has that size; noise on each pixel of a larger picture would be averaged
away by the fitting.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from liquid_control.bags.events import Calibrated, Event, Seen
from liquid_control.interfaces import PictureChange
from liquid_control.perception.image import CameraView
from liquid_control.policy import Policy
from liquid_control.replay.answerer import Answerer
from liquid_control.replay.comparison import AXES
from liquid_control.replay.examples import Example, Examples
from liquid_control.replay.movement import Movement
from liquid_control.replay.perceiver import Perceiver, Percept
from liquid_control.types import HOVER, NANOSECONDS, Command, Floats, Pixels


@dataclass(frozen=True, slots=True)
class Variant:
    """One disturbance at one severity.

    Attributes:
        disturbance: its name.
        severity: from 1.
        strength: the scenario keys that it stands for, and their values.
        make: returns a new change of pictures for a model's view.
    """

    disturbance: str
    severity: int
    strength: Mapping[str, Any]
    make: Callable[[CameraView], PictureChange]


@dataclass(frozen=True, slots=True)
class DisturbedRow:
    """How far one variant moved one model's commands.

    Attributes:
        model: its label.
        disturbance: name.
        severity: from 1.
        strength: scenario keys and their values.
        frames: compared; where a frame was not delivered, with the command still in force.
        lost: frames of these that were not delivered.
        mae: float64 [4], mean absolute difference, as `Command.values`.
        rmse: float64 [4], root of the mean squared difference.
        largest: float64 [4].
        movement: `rmse` as a share of each motor's range, its root mean square over the motors.
        final_position_l1_m: of the integrated final positions, m.
    """

    model: str
    disturbance: str
    severity: int
    strength: Mapping[str, Any]
    frames: int
    lost: int
    mae: Floats
    rmse: Floats
    largest: Floats
    movement: float
    final_position_l1_m: float

    def to_dict(self) -> dict[str, Any]:
        """Return the row of `replay.json`."""
        return {
            "model": self.model,
            "disturbance": self.disturbance,
            "severity": self.severity,
            "strength": dict(self.strength),
            "frames": self.frames,
            "lost": self.lost,
            "mae": dict(zip(AXES, self.mae.tolist(), strict=True)),
            "rmse": dict(zip(AXES, self.rmse.tolist(), strict=True)),
            "max": dict(zip(AXES, self.largest.tolist(), strict=True)),
            "movement": self.movement,
            "final_position_l1_m": self.final_position_l1_m,
        }


class DisturbedReplay:
    """Hears a bag's events and plays its frames to every model in every variant.

    Args:
        perceivers: undisturbed ones by the models' labels; they may be shared with players.
        variants: what to change, in the order of the rows.
    """

    def __init__(self, perceivers: Mapping[str, Perceiver], variants: Sequence[Variant]) -> None:
        self._examples = Examples()
        self._models = [
            _Model(label, perceiver, variants, None if number else self._examples)
            for number, (label, perceiver) in enumerate(perceivers.items())
        ]

    def hear(self, event: Event) -> None:
        """Take an event; only frames and calibrations matter."""
        for model in self._models:
            if isinstance(event, Seen):
                model.see(event)
            elif isinstance(event, Calibrated):
                model.calibrated(event)

    def rows(self) -> list[DisturbedRow]:
        """Return a row for each model and variant, model by model."""
        return [row for model in self._models for row in model.rows()]

    def examples(self) -> list[Example]:
        """Return, for each disturbance, the frame at which it moved the first model most."""
        return self._examples.chosen()


class _Model:
    """One model, undisturbed and in every variant."""

    def __init__(
        self,
        label: str,
        perceiver: Perceiver,
        variants: Sequence[Variant],
        examples: Examples | None,
    ) -> None:
        policy = perceiver.policy
        self._label = label
        self._perceiver = perceiver
        self._answerer = Answerer(policy)
        self._range = 2.0 * policy.model.settings.motors.scales.astype(np.float64)
        self._runs = [_Run(policy, variant) for variant in variants]
        self._examples = examples
        self._stamp_ns: int | None = None

    def calibrated(self, calibration: Calibrated) -> None:
        self._perceiver.calibrated(calibration)

    def see(self, seen: Seen) -> None:
        """Compare all variants at a frame; one that no model could use says nothing."""
        stamp_ns = seen.observation.stamp_ns
        percept = self._perceiver.perceive(seen)
        if percept is None or percept.picture is None:
            return
        decision = self._answerer.answer(percept, stamp_ns)
        if decision is None:
            return
        elapsed_ns = 0 if self._stamp_ns is None else max(stamp_ns - self._stamp_ns, 0)
        self._stamp_ns = stamp_ns
        fitted = replace(seen, observation=replace(seen.observation, image=percept.picture))
        for run in self._runs:
            moved = run.compare(fitted, decision.command, elapsed_ns / NANOSECONDS)
            if self._examples is not None:
                share = self._share(np.abs(moved))
                variant = run.variant
                self._examples.offer(
                    variant.disturbance, variant.severity, share, stamp_ns, run.picture
                )
        if self._examples is not None:
            self._examples.end_of_frame(percept.picture)

    def rows(self) -> list[DisturbedRow]:
        return [run.row(self._label, self._share(run.movement.rmse)) for run in self._runs]

    def _share(self, values: Floats) -> float:
        """Return values [4], each as a share of its motor's range, as root mean square."""
        return float(np.sqrt(np.mean((values / self._range) ** 2)))


@dataclass
class _Run:
    """One model in one variant."""

    policy: Policy
    variant: Variant
    movement: Movement = field(default_factory=Movement)
    picture: Pixels | None = None
    _lost: int = 0
    _command: Command = HOVER

    def __post_init__(self) -> None:
        view = self.policy.model.settings.camera.view
        self._perceiver = Perceiver(self.policy, self.variant.make(view))
        self._answerer = Answerer(self.policy)

    def compare(self, fitted: Seen, undisturbed: Command, dt_s: float) -> Floats:
        """Take a frame at the model's size; return how far the command moved, float64 [4]."""
        percept = self._perceiver.perceive(fitted)
        self.picture = None if percept is None else percept.picture
        if percept is None:
            self._lost += 1
        else:
            self._command = self._answer(percept, fitted.observation.stamp_ns)
        return self.movement.add(undisturbed, self._command, dt_s)

    def _answer(self, percept: Percept, stamp_ns: int) -> Command:
        decision = self._answerer.answer(percept, stamp_ns)
        return HOVER if decision is None else decision.command

    def row(self, label: str, share: float) -> DisturbedRow:
        moved = self.movement
        return DisturbedRow(
            label,
            self.variant.disturbance,
            self.variant.severity,
            self.variant.strength,
            moved.frames,
            self._lost,
            moved.mae,
            moved.rmse,
            moved.largest,
            share,
            moved.final_position_l1_m,
        )

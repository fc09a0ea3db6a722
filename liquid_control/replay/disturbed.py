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
from math import cos, sin
from typing import Any

import numpy as np

from liquid_control.bags.events import CameraInfoEvent, Event, FrameEvent
from liquid_control.config.scenario import DeltaSettings
from liquid_control.interfaces import PictureChange
from liquid_control.perception.camera_view import CameraView
from liquid_control.perception.deltas import published_changes
from liquid_control.policy import Policy
from liquid_control.replay.comparison import AXES
from liquid_control.replay.feature_extractor import FeatureExtractor, FrameFeatures
from liquid_control.replay.open_loop import MAX_HOLD_S, ORIGIN, PlanarPose
from liquid_control.replay.player import Answerer
from liquid_control.types import HOVER, NANOSECONDS, Command, Floats, Pixels


def flown_on(pose: PlanarPose, command: Command, dt_s: float) -> PlanarPose:
    """Return where a held command leads: one step of `path.integrate`.

    Args:
        pose: where it begins.
        command: of the heading frame.
        dt_s: how long it is held, s.
    """
    half = 0.5 * command.yaw_rate_radps * dt_s
    chord_s = dt_s * (sin(half) / half if half != 0.0 else 1.0)
    along, across = cos(pose.heading_rad + half), sin(pose.heading_rad + half)
    return PlanarPose(
        pose.x + chord_s * (command.forward_mps * along - command.left_mps * across),
        pose.y + chord_s * (command.forward_mps * across + command.left_mps * along),
        pose.z + dt_s * command.up_mps,
        pose.heading_rad + 2.0 * half,
    )


def _zeros() -> Floats:
    return np.zeros(4)


@dataclass
class Movement:
    """What is known of two series of commands, compared at each frame.

    Attributes:
        frames: compared.
        largest: float64 [4], largest difference, as `Command.values`.
    """

    frames: int = 0
    largest: Floats = field(default_factory=_zeros)
    _absolute: Floats = field(default_factory=_zeros)
    _squared: Floats = field(default_factory=_zeros)
    _places: tuple[PlanarPose, PlanarPose] = (ORIGIN, ORIGIN)
    _held: tuple[Command, Command] | None = None

    def add(self, one: Command, other: Command, dt_s: float) -> Floats:
        """Take both commands at a frame; return their difference, float64 [4].

        Args:
            one: from this frame on.
            other: likewise.
            dt_s: since the frame before, for which the commands of that frame were in force, s.
        """
        if self._held is not None and dt_s <= MAX_HOLD_S:
            first, second = zip(self._places, self._held, strict=True)
            self._places = flown_on(*first, dt_s), flown_on(*second, dt_s)
        self._held = one, other
        moved = np.subtract(other.values, one.values)
        size = np.abs(moved)
        self.frames += 1
        self._absolute += size
        self._squared += moved * moved
        self.largest = np.maximum(self.largest, size)
        return np.asarray(moved)

    @property
    def mae(self) -> Floats:
        """Mean absolute difference, float64 [4]."""
        return self._absolute / max(self.frames, 1)

    @property
    def rmse(self) -> Floats:
        """Root of the mean squared difference, float64 [4]."""
        return np.asarray(np.sqrt(self._squared / max(self.frames, 1)))

    @property
    def final_position_l1_m(self) -> float:
        """L1 distance of the places that both series of commands lead to, m.

        The published open-loop metric with right rotation, as `path.PathDistance.final_l1_m`.
        """
        one, other = self._places
        return abs(one.x - other.x) + abs(one.y - other.y) + abs(one.z - other.z)


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


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One frame in all severities of a disturbance.

    Attributes:
        disturbance: its name.
        stamp_ns: of the frame.
        movement: how far its worst severity moved the command there, as `DisturbedRow.movement`.
        pictures: by severity from 0, undisturbed; None where the frame was not delivered.
    """

    disturbance: str
    stamp_ns: int
    movement: float
    pictures: dict[int, Pixels | None]


@dataclass
class Examples:
    """Remembers the frame at which each disturbance moved a command most, and no other."""

    _best: dict[str, Example] = field(default_factory=dict)
    _frame: dict[str, Example] = field(default_factory=dict)

    def offer(
        self,
        disturbance: str,
        severity: int,
        movement: float,
        stamp_ns: int,
        picture: Pixels | None,
    ) -> None:
        """Take what a variant made of the frame that goes by."""
        before = self._frame.get(disturbance)
        pictures = before.pictures if before is not None else {}
        pictures[severity] = picture
        most = max(movement, before.movement if before is not None else 0.0)
        self._frame[disturbance] = Example(disturbance, stamp_ns, most, pictures)

    def end_of_frame(self, undisturbed: Pixels) -> None:
        """Keep the frame for the disturbances that it shows better than any before."""
        for name, example in self._frame.items():
            best = self._best.get(name)
            if best is None or example.movement > best.movement:
                shown = {0: undisturbed, **dict(sorted(example.pictures.items()))}
                self._best[name] = Example(name, example.stamp_ns, example.movement, shown)
        self._frame.clear()

    def chosen(self) -> list[Example]:
        """Return the frames that were kept, in the order in which disturbances were offered."""
        return list(self._best.values())


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

    def __init__(
        self, extractors: Mapping[str, FeatureExtractor], variants: Sequence[Variant]
    ) -> None:
        self._examples = Examples()
        self._models = [
            _Model(label, extractor, variants, None if number else self._examples)
            for number, (label, extractor) in enumerate(extractors.items())
        ]

    def consume(self, event: Event) -> None:
        """Take an event; only frames and calibrations matter."""
        for model in self._models:
            if isinstance(event, FrameEvent):
                model.see(event)
            elif isinstance(event, CameraInfoEvent):
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
        extractor: FeatureExtractor,
        variants: Sequence[Variant],
        examples: Examples | None,
    ) -> None:
        policy = extractor.policy
        self._label = label
        self._perceiver = extractor
        self._answerer = Answerer(policy)
        self._range = 2.0 * policy.model.settings.motors.scales.astype(np.float64)
        self._runs = [_Run(policy, variant) for variant in variants]
        self._examples = examples
        self._stamp_ns: int | None = None

    def calibrated(self, calibration: CameraInfoEvent) -> None:
        self._perceiver.calibrated(calibration)

    def see(self, seen: FrameEvent) -> None:
        """Compare all variants at a frame; one that no model could use says nothing."""
        stamp_ns = seen.observation.stamp_ns
        frame_features = self._perceiver.perceive(seen)
        if frame_features is None or frame_features.picture is None:
            return
        decision = self._answerer.answer(frame_features, stamp_ns)
        if decision is None:
            return
        elapsed_ns = 0 if self._stamp_ns is None else max(stamp_ns - self._stamp_ns, 0)
        self._stamp_ns = stamp_ns
        fitted = replace(seen, observation=replace(seen.observation, image=frame_features.picture))
        for run in self._runs:
            moved = run.compare(fitted, decision.command, elapsed_ns / NANOSECONDS)
            if self._examples is not None:
                share = self._share(np.abs(moved))
                variant = run.variant
                self._examples.offer(
                    variant.disturbance, variant.severity, share, stamp_ns, run.picture
                )
        if self._examples is not None:
            self._examples.end_of_frame(frame_features.picture)

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
        self._perceiver = FeatureExtractor(self.policy, self.variant.make(view))
        self._answerer = Answerer(self.policy)

    def compare(self, fitted: FrameEvent, undisturbed: Command, dt_s: float) -> Floats:
        """Take a frame at the model's size; return how far the command moved, float64 [4]."""
        frame_features = self._perceiver.perceive(fitted)
        self.picture = None if frame_features is None else frame_features.picture
        if frame_features is None:
            self._lost += 1
        else:
            self._command = self._answer(frame_features, fitted.observation.stamp_ns)
        return self.movement.add(undisturbed, self._command, dt_s)

    def _answer(self, frame_features: FrameFeatures, stamp_ns: int) -> Command:
        decision = self._answerer.answer(frame_features, stamp_ns)
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


class PublishedChange:
    """A `PictureChange` of brightness, contrast, saturation and noise.

    A frame's noise is drawn from the stream "delta.noise.<number>", as in the simulator.

    Args:
        settings: how strong; at their defaults nothing is changed.
        seed: of the noise.
    """

    def __init__(self, settings: DeltaSettings, seed: int) -> None:
        self._steps = published_changes(settings, seed)

    def __call__(self, image: Pixels, stamp_ns: int, index: int) -> Pixels:
        """Return the changed picture, uint8 [H, W, 3]; every frame is delivered."""
        for step in self._steps:
            image = step(image, index)
        return image

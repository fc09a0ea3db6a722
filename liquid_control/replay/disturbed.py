"""Disturbed replay: how far camera disturbances move a policy's commands.

A recorded flight is replayed through each model undisturbed and once for each disturbance and
severity, in one pass over the bag: decoding costs more than a small policy, and the memory of a
variant (the policy's state, a few frames, sums) does not grow with the bag. The commands are
compared with the same model's undisturbed ones, not with the recorded ones. The difference
measures the disturbance alone. It is an open loop: the vehicle does not follow the moved commands.

Pictures are changed at the model's size and field of view. There a severity equals that of the
simulator, whose camera has that size. Fitting a larger picture would average its noise away.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from liquid_control.bags import CameraInfoEvent, Event, FrameEvent
from liquid_control.config import DeltaSettings
from liquid_control.interfaces import PictureChange
from liquid_control.perception import CameraView
from liquid_control.perception.deltas import published_changes
from liquid_control.policy import Policy, PolicySession
from liquid_control.replay.comparison import AXES
from liquid_control.replay.feature_extractor import FeatureExtractor
from liquid_control.replay.open_loop import Movement
from liquid_control.replay.player import answer
from liquid_control.types import HOVER, NANOSECONDS, Command, Floats, Observation, Pixels

_STRONGEST = 3
"""Number of rows in `DisturbedResult.summary`."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One disturbance at one severity.

    Attributes:
        disturbance: its name.
        severity: from 1.
        strength: the scenario keys of this severity and their values.
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
        movement: the largest movement of the command over the severities, as
            `DisturbedRow.movement`.
        pictures: by severity from 0, undisturbed; None where the frame was not delivered.
    """

    disturbance: str
    stamp_ns: int
    movement: float
    pictures: dict[int, Pixels | None]


@dataclass
class Examples:
    """Keeps, for each disturbance, the frame at which it moved a command most."""

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
        """Add a variant's picture of the current frame."""
        before = self._frame.get(disturbance)
        pictures = before.pictures if before is not None else {}
        pictures[severity] = picture
        most = max(movement, before.movement if before is not None else 0.0)
        self._frame[disturbance] = Example(disturbance, stamp_ns, most, pictures)

    def end_of_frame(self, undisturbed: Pixels) -> None:
        """Keep the current frame for the disturbances that it moved more than any before."""
        for name, example in self._frame.items():
            best = self._best.get(name)
            if best is None or example.movement > best.movement:
                pictures = {0: undisturbed, **dict(sorted(example.pictures.items()))}
                self._best[name] = Example(name, example.stamp_ns, example.movement, pictures)
        self._frame.clear()

    def state(self) -> list[dict[str, Any]]:
        """Return the kept frames between two frames, for `restore`."""
        return [
            {
                **{name: getattr(kept, name) for name in ("disturbance", "stamp_ns", "movement")},
                "pictures": [[severity, picture] for severity, picture in kept.pictures.items()],
            }
            for kept in self._best.values()
        ]

    def restore(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Continue from a state."""
        for kept in state:
            pictures = dict(kept["pictures"])
            example = Example(**{**kept, "pictures": pictures})
            self._best[example.disturbance] = example

    def chosen(self) -> tuple[Example, ...]:
        """Return the kept frames, in the order in which the disturbances were offered."""
        return tuple(self._best.values())


@dataclass(frozen=True, slots=True)
class DisturbedRow:
    """Movement of one model's commands by one variant.

    Attributes:
        model: its label.
        disturbance: name.
        severity: from 1.
        strength: scenario keys and their values.
        frames: number of compared frames; an undelivered frame counts with the command in force.
        lost: number of these frames that were not delivered.
        mae: float64 [4], mean absolute difference, as `Command.values`.
        rmse: float64 [4], root mean squared difference.
        largest: float64 [4].
        movement: root mean square over the motors of `rmse` as a fraction of each motor's range.
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


@dataclass(frozen=True, slots=True, eq=False)
class DisturbedResult:
    """Result of a disturbed replay.

    Attributes:
        rows: one for each model and variant, model by model.
        examples: for each disturbance, the frame at which it moved the first model most.
        left_out: requested disturbances that cannot be applied, with the reason, a line each.
    """

    rows: tuple[DisturbedRow, ...]
    examples: tuple[Example, ...] = ()
    left_out: tuple[str, ...] = ()

    def summary(self) -> str:
        """Return the variants that moved the first model's commands most, in one line."""
        first = [row for row in self.rows if row.model == self.rows[0].model]
        most = sorted(first, key=lambda row: -row.movement)[:_STRONGEST]
        parts = (
            f"{row.disturbance}={row.severity} by {100.0 * row.movement:.1f} %" for row in most
        )
        return f"moved most, of the motors' range: {', '.join(parts)}"


class DisturbedReplay:
    """Replays a bag's frames through every model in every variant.

    Args:
        extractors: undisturbed, by the models' labels; they may be shared with players.
        variants: the changes, in the order of the rows.
        left_out: lines for `DisturbedResult.left_out`.
    """

    def __init__(
        self,
        extractors: Mapping[str, FeatureExtractor],
        variants: Sequence[Variant],
        left_out: Sequence[str] = (),
    ) -> None:
        self._left_out = tuple(left_out)
        self._examples = Examples()
        self._models = [
            _Model(label, extractor, variants, None if number else self._examples)
            for number, (label, extractor) in enumerate(extractors.items())
        ]

    def consume(self, event: Event) -> None:
        """Process an event; only frames and calibrations matter."""
        for model in self._models:
            if isinstance(event, FrameEvent):
                model.compare(event)
            elif isinstance(event, CameraInfoEvent):
                model.set_camera(event)

    def state(self) -> dict[str, Any]:
        """Return the state between two frames, for `restore`."""
        models = [model.state() for model in self._models]
        return {"models": models, "examples": self._examples.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from the state of a replay of the same bag, models and variants."""
        for model, stored in zip(self._models, state["models"], strict=True):
            model.restore(stored)
        self._examples.restore(state["examples"])

    def result(self) -> DisturbedResult:
        """Return the result after the last event."""
        rows = tuple(row for model in self._models for row in model.rows())
        return DisturbedResult(rows, self._examples.chosen(), self._left_out)


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
        self._extractor = extractor
        self._session = PolicySession(policy)
        self._range = 2.0 * policy.model.settings.motors.scales.astype(np.float64)
        self._runs = [_Run(policy, variant) for variant in variants]
        self._examples = examples
        self._stamp_ns: int | None = None

    def set_camera(self, camera: CameraInfoEvent) -> None:
        self._extractor.set_camera(camera)

    def compare(self, frame: FrameEvent) -> None:
        """Compare all variants at a frame, unless the undisturbed model refuses the frame."""
        observation = frame.observation
        frame_features = self._extractor.extract(frame)
        if frame_features is None or frame_features.picture is None:
            return
        decision = answer(self._session, frame_features, observation.stamp_ns)
        if decision is None:
            return
        observation = self._extractor.completed(observation)
        stamp_ns, previous_ns = observation.stamp_ns, self._stamp_ns
        dt_s = 0.0 if previous_ns is None else max(stamp_ns - previous_ns, 0) / NANOSECONDS
        self._stamp_ns = stamp_ns
        for run in self._runs:
            moved = run.compare(frame_features.picture, observation, decision.command, dt_s)
            if self._examples is not None:
                movement = self._of_range(np.abs(moved))
                variant = run.variant
                self._examples.offer(
                    variant.disturbance, variant.severity, movement, stamp_ns, run.picture
                )
        if self._examples is not None:
            self._examples.end_of_frame(frame_features.picture)

    def state(self) -> dict[str, Any]:
        runs = [run.state() for run in self._runs]
        return {"session": self._session.state(), "stamp_ns": self._stamp_ns, "runs": runs}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._session.restore(state["session"])
        self._stamp_ns = state["stamp_ns"]
        for run, stored in zip(self._runs, state["runs"], strict=True):
            run.restore(stored)

    def rows(self) -> list[DisturbedRow]:
        return [run.row(self._label, self._of_range(run.movement.rmse)) for run in self._runs]

    def _of_range(self, values: Floats) -> float:
        """Return the root mean square of values [4] as fractions of the motors' ranges."""
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
        self._extractor = FeatureExtractor(self.policy, self.variant.make(view))
        self._session = PolicySession(self.policy)

    def compare(
        self, picture: Pixels, observation: Observation, undisturbed: Command, dt_s: float
    ) -> Floats:
        """Process a fitted picture; return the movement of the command, float64 [4]."""
        frame_features = self._extractor.extract_fitted(picture, observation)
        self.picture = None if frame_features is None else frame_features.picture
        if frame_features is None:
            self._lost += 1
        else:
            decision = answer(self._session, frame_features, observation.stamp_ns)
            self._command = HOVER if decision is None else decision.command
        return self.movement.add(undisturbed, self._command, dt_s)

    def state(self) -> dict[str, Any]:
        return {
            "movement": self.movement.state(),
            "lost": self._lost,
            "command": list(self._command.values),
            "extractor": self._extractor.state(),
            "session": self._session.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.movement.restore(state["movement"])
        self._lost, self._command = state["lost"], Command(*state["command"])
        self._extractor.restore(state["extractor"])
        self._session.restore(state["session"])

    def row(self, label: str, movement: float) -> DisturbedRow:
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
            movement,
            moved.final_position_l1_m,
        )


class PublishedChange:
    """A `PictureChange` of brightness, contrast, saturation and noise.

    The noise of a frame is drawn from the stream "delta.noise.<number>", as in the simulator.

    Args:
        settings: the strengths; the defaults change nothing.
        seed: of the noise.
    """

    def __init__(self, settings: DeltaSettings, seed: int) -> None:
        self._steps = published_changes(settings, seed)

    def __call__(self, image: Pixels, stamp_ns: int, index: int) -> Pixels:
        """Return the changed picture, uint8 [H, W, 3]; every frame is delivered."""
        for step in self._steps:
            image = step(image, index)
        return image

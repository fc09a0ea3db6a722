"""Learning of the encoder on single frames, resumable at any step."""

import copy
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from liquid_control.errors import ModelError
from liquid_control.perception import MIRRORED_IMU, MIRRORED_INPUTS
from liquid_control.seeding import stream
from liquid_control.training.auxiliary import SCALARS, mirrored
from liquid_control.training.curves import CurvePoint
from liquid_control.training.encoder_network import EncoderNetwork, FrameBatch
from liquid_control.training.frame_store import FrameStore
from liquid_control.training.learner import (
    load_checkpoint,
    load_weights_state,
    lr_scale,
    move_average,
    save_checkpoint,
    weights_state,
)
from liquid_control.training.network_settings import EncoderLearning
from liquid_control.training.ranks import Ranks
from liquid_control.training.tone_curves import apply_curves, draw_curves
from liquid_control.training.windows import MIRRORED_LABELS

_NOTE_EVERY = 20
_SAVE_EVERY_S = 60.0
_MEASURE_ROWS = 512
_CHECKED_ROWS = 64
_CONSTANT = 1e-4
"""Standard deviation over pictures below which a feature, in (-1, 1), is constant."""
COMMANDS = ("forward", "left", "up", "yaw_rate")


@dataclass(frozen=True, slots=True)
class PictureChanges:
    """Random changes of the pictures of a batch of B.

    Attributes:
        flips: bool [B], mirrored left to right, with all that goes with it.
        gains: float32 [B, 3], factors of the colour channels.
        tables: uint8 [B, 256, 3], tone curves.
    """

    flips: NDArray[np.bool_]
    gains: NDArray[np.float32]
    tables: NDArray[np.uint8]

    def rows(self, part: NDArray[np.int64]) -> "PictureChanges":
        """Return the changes of some pictures."""
        return PictureChanges(self.flips[part], self.gains[part], self.tables[part])


@dataclass
class EncoderLearner:
    """An encoder in training and the moving average of its weights, which is kept.

    Attributes:
        network: optimised network.
        settings: of the optimisation.
        seed: of the batches.
        threads: of one core each.
        step: optimiser steps so far.
        curve: losses so far.
        ranks: processes that learn together; only rank 0 writes.
    """

    network: EncoderNetwork
    settings: EncoderLearning
    seed: int
    threads: int = 2
    step: int = 0
    curve: list[CurvePoint] = field(default_factory=list)
    ranks: Ranks = field(default_factory=Ranks)

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self._start()

    def _start(self) -> None:
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.settings.rate,
            weight_decay=self.settings.weight_decay,
        )
        self._pool = ThreadPoolExecutor(
            self.threads, initializer=torch.set_num_threads, initargs=(1,)
        )

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_optimiser": self._optimiser.state_dict()}
        del state["_pool"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()
        self._optimiser.load_state_dict(state["_optimiser"])

    def learn(
        self,
        store: FrameStore,
        rows: NDArray[np.int64],
        folder: Path,
        on_step: Callable[[float], None],
    ) -> None:
        """Continue up to `settings.steps` optimiser steps on some rows of a store."""
        torch.set_num_threads(1)
        losses: list[float] = []
        saved_s = time.monotonic()
        while self.step < self.settings.steps:
            losses.append(self._advance(store, rows))
            on_step(losses[-1])
            if self.step % _NOTE_EVERY == 0:
                self.curve.append(CurvePoint(0, self.step, float(np.mean(losses)), None))
                losses.clear()
                if time.monotonic() - saved_s > _SAVE_EVERY_S:
                    self._check_features(store, rows)
                    self.save(folder)
                    saved_s = time.monotonic()
        self._check_features(store, rows)
        self.save(folder)

    @torch.no_grad()
    def _check_features(self, store: FrameStore, rows: NDArray[np.int64]) -> None:
        """Check that the features still depend on the picture.

        Raises:
            ModelError: they do not: weights that grew too far have saturated all of them.
        """
        some = rows[:: max(1, len(rows) // _CHECKED_ROWS)]
        batch = frame_batch(store, some)
        spread = self.network.features(batch).std(dim=0)
        if len(some) > 1 and float(spread.max()) < _CONSTANT:
            raise ModelError(
                f"the features of the encoder are constant after {self.step} steps: lower "
                f"encoder.rate ({self.settings.rate:g}), or begin with network.encoder"
            )

    def _advance(self, store: FrameStore, rows: NDArray[np.int64]) -> float:
        scale = lr_scale(self.step, self.settings.steps)
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.rate * scale
        generator = stream(self.seed, f"training.frames.{self.step}")
        drawn = np.sort(rows[generator.integers(len(rows), size=self.settings.batch)])
        flips = generator.uniform(size=len(drawn)) < 0.5
        gains = np.exp(self.settings.colour * generator.standard_normal((len(drawn), 3)))
        tables = draw_curves(generator, len(drawn), self.settings.tone_curves)
        changes = PictureChanges(flips, gains.astype(np.float32), tables)
        parts = np.array_split(self.ranks.part(np.arange(len(drawn))), self.threads)
        work = partial(self._gradients, store, drawn, changes)
        results = list(self._pool.map(work, parts))
        parts_of_sum = [gradients for gradients, _ in results]
        total = sum(error for _, error in results)
        gradients, (error,) = self.ranks.add(parts_of_sum, total)
        for parameter, gradient in zip(self.network.parameters(), gradients, strict=True):
            parameter.grad = gradient / len(drawn)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self._optimiser.step()
        self.step += 1
        decay = min(self.settings.average_decay, self.step / (self.step + 10.0))
        move_average(self.average, self.network, decay)
        return error / len(drawn)

    def _gradients(
        self,
        store: FrameStore,
        rows: NDArray[np.int64],
        changes: PictureChanges,
        part: NDArray[np.int64],
    ) -> tuple[tuple[Tensor, ...], float]:
        batch = frame_batch(store, rows[part], changes.rows(part))
        error = self.network.loss(batch)
        return torch.autograd.grad(error, list(self.network.parameters())), float(error.detach())

    @torch.no_grad()
    def explained(self, store: FrameStore, rows: NDArray[np.int64]) -> dict[str, float]:
        """Return the fraction of variance that the averaged weights explain on some rows.

        Keys are the commands, the names of `SCALARS` and `depth`.
        """
        found: list[NDArray[np.float32]] = []
        truth: list[NDArray[np.float32]] = []
        for start in range(0, len(rows), _MEASURE_ROWS):
            part = rows[start : start + _MEASURE_ROWS]
            batch = frame_batch(store, part)
            commands, auxiliary = self.average.predict(batch)
            on_trail = np.isfinite(batch.auxiliary[:, :1])
            flown = np.where(on_trail, commands[:, 0].numpy(), commands[:, 1].numpy())
            flown = self.network.motors.commands(flown)
            found.append(np.concatenate([flown, auxiliary.numpy()], axis=1))
            truth.append(np.concatenate([batch.labels, batch.auxiliary], axis=1))
        return _explained(np.concatenate(found), np.concatenate(truth))

    def save(self, folder: Path) -> None:
        """Write a checkpoint, on rank 0."""
        if self.ranks.rank:
            return
        state: dict[str, Any] = {
            "step": self.step,
            **weights_state(self.network, self.average, self._optimiser),
        }
        save_checkpoint(folder, state, self.curve)

    def restore(self, folder: Path) -> bool:
        """Load the checkpoint in a folder; return whether one exists."""
        loaded = load_checkpoint(folder)
        if loaded is None:
            return False
        state, self.curve = loaded
        self.step = state["step"]
        load_weights_state(state, self.network, self.average, self._optimiser)
        return True


def frame_batch(
    store: FrameStore, rows: NDArray[np.int64], changes: PictureChanges | None = None
) -> FrameBatch:
    """Return some rows of a store, changed or as they are."""
    images, means, scales = store.images[rows], store.means[rows], store.scales[rows]
    imu, labels = store.imu[rows], store.labels[rows]
    inputs, auxiliary = store.inputs[rows], store.auxiliary[rows]
    gains = np.ones((len(rows), 3), np.float32)
    if changes is not None:
        flips, gains = changes.flips, changes.gains
        images[flips] = images[flips, :, ::-1]
        imu[flips] *= MIRRORED_IMU
        labels[flips] *= MIRRORED_LABELS
        inputs[flips] *= MIRRORED_INPUTS
        auxiliary[flips] = mirrored(auxiliary[flips])
        on_trail = np.isfinite(auxiliary[:, 0])
        apply_curves(images, means, scales, changes.tables, on_trail)
    return FrameBatch(images, means, scales, imu, inputs, labels, auxiliary, gains)


def _explained(found: NDArray[np.float32], truth: NDArray[np.float32]) -> dict[str, float]:
    scores = {}
    scalars = len(COMMANDS) + len(SCALARS)
    for index, name in enumerate((*COMMANDS, *SCALARS)):
        known = np.isfinite(truth[:, index])
        if known.any():
            scores[name] = _fraction(found[known, index], truth[known, index])
    scores["depth"] = _fraction(found[:, scalars:], truth[:, scalars:])
    return scores


def _fraction(found: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    centred = truth - truth.mean(axis=0)
    return float(1.0 - ((found - truth) ** 2).sum() / max(float((centred**2).sum()), 1e-12))

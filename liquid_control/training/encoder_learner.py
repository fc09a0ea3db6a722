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
from liquid_control.seeding import stream
from liquid_control.training.auxiliary import SCALARS
from liquid_control.training.curves import CurvePoint
from liquid_control.training.devices import CPU
from liquid_control.training.encoder_network import EncoderNetwork, TargetUnits
from liquid_control.training.frame_batches import FrameChanges, FrameTensors, draw_changes
from liquid_control.training.frame_store import FrameStore, RowsByFlight
from liquid_control.training.learner import (
    load_checkpoint,
    load_weights_state,
    lr_scale,
    move_average,
    save_checkpoint,
    weights_state,
)
from liquid_control.training.network import motor_values
from liquid_control.training.network_settings import EncoderLearning
from liquid_control.training.ranks import Ranks

_NOTE_EVERY = 20
_SAVE_EVERY_S = 60.0
_MEASURE_ROWS = 512
_CHECKED_ROWS = 64
_UNIT_ROWS = 50_000
_CONSTANT = 1e-4
"""Standard deviation over pictures below which a feature, in (-1, 1), is constant."""
COMMANDS = ("forward", "left", "up", "yaw_rate")


@dataclass
class EncoderLearner:
    """An encoder in training and the moving average of its weights, which is kept.

    Attributes:
        network: optimised network.
        settings: of the optimisation.
        seed: of the batches.
        threads: of one core each; a GPU needs one.
        device: where the network learns; a GPU also holds all pictures.
        step: optimiser steps so far.
        curve: losses so far.
        ranks: processes that learn together; only rank 0 writes.
    """

    network: EncoderNetwork
    settings: EncoderLearning
    seed: int
    threads: int = 2
    device: torch.device = CPU
    step: int = 0
    curve: list[CurvePoint] = field(default_factory=list)
    ranks: Ranks = field(default_factory=Ranks)

    def __post_init__(self) -> None:
        self.network.to(self.device)
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
        frames = FrameTensors.of(store, self.device)
        units = self._units(store, rows)
        flights = store.flights_in(rows)
        losses: list[Tensor] = []
        loss = float("nan")
        saved_s = time.monotonic()
        while self.step < self.settings.steps:
            losses.append(self._advance(frames, flights, units))
            # A GPU works ahead of this loop: the loop waits for it only here.
            if self.step % _NOTE_EVERY == 0 or self.device.type == "cpu":
                loss = float(losses[-1])
            on_step(loss)
            if self.step % _NOTE_EVERY == 0:
                mean = float(torch.stack(losses).mean())
                self.curve.append(CurvePoint(0, self.step, mean, None))
                losses.clear()
                if time.monotonic() - saved_s > _SAVE_EVERY_S:
                    self._check_features(frames, rows)
                    self.save(folder)
                    saved_s = time.monotonic()
        self._check_features(frames, rows)
        self.save(folder)

    def _units(self, store: FrameStore, rows: NDArray[np.int64]) -> TargetUnits:
        some = rows[:: max(1, len(rows) // _UNIT_ROWS)]
        commands = motor_values(self.network.motors, torch.from_numpy(store.labels[some]))
        units = TargetUnits.of(commands, torch.from_numpy(store.auxiliary[some]))
        return units.to(self.device)

    @torch.no_grad()
    def _check_features(self, frames: FrameTensors, rows: NDArray[np.int64]) -> None:
        """Check that the features still depend on the picture.

        Raises:
            ModelError: they do not: weights that grew too far have saturated all of them.
        """
        some = rows[:: max(1, len(rows) // _CHECKED_ROWS)]
        spread = self.network.features(frames.batch(some)).std(dim=0)
        if len(some) > 1 and float(spread.max()) < _CONSTANT:
            raise ModelError(
                f"the features of the encoder are constant after {self.step} steps: lower "
                f"encoder.rate ({self.settings.rate:g}), or begin with network.encoder"
            )

    def _advance(self, frames: FrameTensors, flights: RowsByFlight, units: TargetUnits) -> Tensor:
        """Make one optimiser step; return the loss of a frame."""
        scale = lr_scale(self.step, self.settings.steps)
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.rate * scale
        generator = stream(self.seed, f"training.frames.{self.step}")
        drawn = flights.draw(generator, self.settings.batch)
        changes = draw_changes(
            generator, len(drawn), self.settings.colour, self.settings.tone_curves
        )
        parts = np.array_split(self.ranks.part(np.arange(len(drawn))), self.threads)
        results = list(
            self._pool.map(partial(self._gradients, frames, units, drawn, changes), parts)
        )
        total = torch.stack([error for _, error in results]).sum()
        gradients, (error,) = self.ranks.add([parts for parts, _ in results], total)
        for parameter, gradient in zip(self.network.parameters(), gradients, strict=True):
            parameter.grad = gradient / len(drawn)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self._optimiser.step()
        self.step += 1
        decay = min(self.settings.average_decay, self.step / (self.step + 10.0))
        move_average(self.average, self.network, decay)
        return torch.as_tensor(error / len(drawn))

    def _gradients(
        self,
        frames: FrameTensors,
        units: TargetUnits,
        rows: NDArray[np.int64],
        changes: FrameChanges,
        part: NDArray[np.int64],
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        error = self.network.loss(frames.batch(rows[part], changes.of(part)), units)
        return torch.autograd.grad(error, list(self.network.parameters())), error.detach()

    @torch.no_grad()
    def explained(self, store: FrameStore, rows: NDArray[np.int64]) -> dict[str, float]:
        """Return the fraction of variance that the averaged weights explain on some rows.

        Keys are the commands, the names of `SCALARS` and `depth`.
        """
        found: list[NDArray[np.float32]] = []
        frames = FrameTensors.of(store, self.device)
        for start in range(0, len(rows), _MEASURE_ROWS):
            part = rows[start : start + _MEASURE_ROWS]
            batch = frames.batch(part)
            commands, auxiliary = self.average.predict(batch)
            on_trail = torch.isfinite(batch.auxiliary[:, :1])
            flown = torch.where(on_trail, commands[:, 0], commands[:, 1]).cpu().numpy()
            flown = self.network.motors.commands(flown)
            found.append(np.concatenate([flown, auxiliary.cpu().numpy()], axis=1))
        truth = np.concatenate([store.labels[rows], store.auxiliary[rows]], axis=1)
        return _explained(np.concatenate(found), truth)

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

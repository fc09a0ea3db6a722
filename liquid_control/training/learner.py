"""Behaviour cloning of a recurrent policy on windows, resumable at any step."""

import copy
import math
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from liquid_control.cores import WiredCfC
from liquid_control.errors import OutputError
from liquid_control.files import atomic_write
from liquid_control.training.contraction_penalty import contraction_penalty
from liquid_control.training.curves import CurvePoint
from liquid_control.training.dataset import Dataset
from liquid_control.training.network import PolicyNetwork, motor_values
from liquid_control.training.network_settings import LearnerSettings
from liquid_control.training.ranks import Ranks
from liquid_control.training.windows import Batch, Windows, cut, draw_windows, split_flights

_NOTE_EVERY = 10
_WARM_UP = 0.05
_LAST_RATE = 0.02
_MEASURE_STEPS = 256


@dataclass
class Learner:
    """A network in training and the moving average of its weights, which flies.

    Attributes:
        network: optimised network.
        average: network with the exponential moving average of the weights.
        settings: of the optimisation.
        seed: of the batches.
        round: the last round begun; -1 before the first.
        step: optimiser steps in that round.
        total: optimiser steps in all rounds.
        curve: losses so far.
        ranks: processes that learn together; only rank 0 writes.
    """

    network: PolicyNetwork
    settings: LearnerSettings
    seed: int
    round: int = -1
    step: int = 0
    total: int = 0
    curve: list[CurvePoint] = field(default_factory=list)
    ranks: Ranks = field(default_factory=Ranks)

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self._optimiser = self._new_optimiser()
        self._start_threads()

    def _start_threads(self) -> None:
        # Each thread runs a part of the windows: torch's own threads synchronise in every small
        # operation and stall as soon as another process uses a core.
        self._threads = ThreadPoolExecutor(
            self.settings.threads, initializer=torch.set_num_threads, initargs=(1,)
        )

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_optimiser": self._optimiser.state_dict()}
        del state["_threads"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._optimiser = self._new_optimiser()
        self._optimiser.load_state_dict(state["_optimiser"])
        self._start_threads()

    def _new_optimiser(self) -> torch.optim.AdamW:
        rates = self.settings.encoder_rate, self.settings.cell_rate
        parts = self.network.encoder, self.network.core
        groups = [
            {"params": trained, "lr": rate, "peak": rate}
            for part, rate in zip(parts, rates, strict=True)
            if (trained := [p for p in part.parameters() if p.requires_grad])
        ]
        return torch.optim.AdamW(groups, weight_decay=self.settings.weight_decay)

    def begin(self, round_: int) -> None:
        """Start a round from the current weights, unless it was begun before."""
        if self.round == round_:
            return
        self.round, self.step = round_, 0
        self._optimiser = self._new_optimiser()

    def learn(
        self, dataset: Dataset, steps: int, folder: Path, on_step: Callable[[float], None]
    ) -> None:
        """Continue the round up to `steps` optimiser steps, then measure the validation loss.

        Args:
            dataset: all flights so far.
            steps: optimiser steps of the round.
            folder: of checkpoints.
            on_step: receives the loss of each step.
        """
        torch.set_num_threads(1)
        train = split_flights(dataset.origins, self.settings.held_out).train
        losses: list[float] = []
        saved_s = time.monotonic()
        while self.step < steps:
            windows = draw_windows(dataset, train, self.settings, self.seed, self.total)
            losses.append(self._advance(dataset, windows, lr_scale(self.step, steps)))
            on_step(losses[-1])
            if self.step % _NOTE_EVERY == 0 or self.step == steps:
                last = self.step == steps and self.ranks.rank == 0
                validation = self.validation_loss(dataset) if last else None
                point = CurvePoint(self.round, self.total, float(np.mean(losses)), validation)
                self.curve.append(point)
                losses.clear()
            if time.monotonic() - saved_s > self.settings.save_every_s and not losses:
                self.save(folder)
                saved_s = time.monotonic()
        self.save(folder)

    def _advance(self, dataset: Dataset, windows: Windows, scale: float) -> float:
        """Make one optimiser step; the windows are split over ranks and threads of one core."""
        for group in self._optimiser.param_groups:
            group["lr"] = group["peak"] * scale
        own = windows.parts(self.ranks.size)[self.ranks.rank]
        parts = own.parts(self.settings.threads)
        results = list(self._threads.map(partial(self._gradients, dataset), parts))
        gradients, (error, counted) = self.ranks.add(
            [result.gradients for result in results],
            sum(result.error for result in results),
            sum(result.counted for result in results),
        )
        counted = max(1, counted)
        for parameter, gradient in zip(self._trained(), gradients, strict=True):
            parameter.grad = gradient / counted
        self._add_penalty()
        nn.utils.clip_grad_norm_(self._trained(), self.settings.clip)
        self._optimiser.step()
        self.step += 1
        self.total += 1
        self._update_average()
        return float(error / counted)

    def _gradients(self, dataset: Dataset, windows: Windows) -> "_Gradients":
        settings = self.settings
        batch = cut(
            dataset, windows, settings.window_steps, settings.burn_in_steps, settings.burn_in_s
        )
        outputs, _ = self.network.sequence(batch, self.network.core.init_state(len(batch.labels)))
        error = self._error(self.network, outputs, batch)
        gradients = torch.autograd.grad(error, self._trained())
        return _Gradients(gradients, float(error.detach()), int(batch.counted.sum()))

    def _add_penalty(self) -> None:
        """Add the gradient of the contraction penalty, which does not depend on data."""
        settings, core = self.settings.contraction, self.network.core
        if settings.weight == 0.0 or not isinstance(core, WiredCfC):
            return
        penalty = settings.weight * contraction_penalty(core, settings.rate, settings.dt_s)
        torch.autograd.backward(penalty)

    def _trained(self) -> list[nn.Parameter]:
        return [p for p in self.network.parameters() if p.requires_grad]

    def _update_average(self) -> None:
        """Update the average; its decay is smaller early on, to forget the initial weights."""
        decay = min(self.settings.average_decay, self.total / (self.total + 10.0))
        move_average(self.average, self.network, decay)

    def _error(self, network: PolicyNetwork, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the weighted Huber loss of motor values, summed over the counted steps."""
        targets = motor_values(network.motors, torch.from_numpy(batch.labels))
        errors = nn.functional.huber_loss(
            outputs, targets, reduction="none", delta=self.settings.huber_delta
        )
        weights = torch.tensor(self.settings.weights)
        per_step = (errors * weights).sum(-1) / weights.sum()
        return per_step[torch.from_numpy(batch.counted)].sum()

    @torch.no_grad()
    def validation_loss(self, dataset: Dataset) -> float:
        """Return the loss of the averaged weights over the flights held out for validation."""
        flights = split_flights(dataset.origins, self.settings.held_out).validation
        total = frames = 0.0
        for flight in flights:
            state = self.average.core.init_state(1)
            first, end = (int(dataset.starts[flight + shift]) for shift in (0, 1))
            for row in range(first, end, _MEASURE_STEPS):
                steps = min(_MEASURE_STEPS, end - row)
                window = Windows(np.array([row]), np.array([end]), np.array([False]))
                batch = cut(dataset, window, steps, 0)
                outputs, state = self.average.sequence(batch, state)
                total += float(self._error(self.average, outputs, batch))
                frames += steps
        return total / frames

    def save(self, folder: Path) -> None:
        """Write a checkpoint, on rank 0."""
        if self.ranks.rank:
            return
        state: dict[str, Any] = {
            "round": self.round,
            "step": self.step,
            "total": self.total,
            **weights_state(self.network, self.average, self._optimiser),
        }
        save_checkpoint(folder, state, self.curve)

    def restore(self, folder: Path) -> bool:
        """Load the checkpoint in a folder; return whether one exists."""
        loaded = load_checkpoint(folder)
        if loaded is None:
            return False
        state, self.curve = loaded
        self.round, self.step, self.total = state["round"], state["step"], state["total"]
        load_weights_state(state, self.network, self.average, self._optimiser)
        return True


@dataclass(frozen=True, slots=True)
class _Gradients:
    """Result of one thread: gradients of the summed error, the sum, and its number of steps."""

    gradients: tuple[Tensor, ...]
    error: float
    counted: int


def lr_scale(step: int, steps: int) -> float:
    """Return the fraction of the peak learning rate: a linear warm-up, then half a cosine."""
    rise = max(1, round(_WARM_UP * steps))
    if step < rise:
        return (step + 1) / rise
    fallen = (step - rise) / max(1, steps - rise)
    return _LAST_RATE + (1.0 - _LAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * fallen))


@torch.no_grad()
def move_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged weights towards those of a network by the fraction 1 - decay."""
    for slow, live in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(live, 1.0 - decay)


def weights_state(
    network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> dict[str, Any]:
    """Return the part of a checkpoint that holds weights and optimiser."""
    return {
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
    }


def load_weights_state(
    state: dict[str, Any],
    network: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> None:
    """Load what `weights_state` returned."""
    network.load_state_dict(state["network"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])


CHECKPOINT_FILE = "learner.pt"


def save_checkpoint(folder: Path, state: dict[str, Any], curve: list[CurvePoint]) -> None:
    """Write the learner's state, atomically."""
    content = {**state, "curve": [astuple(point) for point in curve]}
    atomic_write(
        folder / CHECKPOINT_FILE, lambda partial: torch.save(content, partial), parents=True
    )


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], list[CurvePoint]] | None:
    """Read what `save_checkpoint` wrote; None if there is no checkpoint.

    Raises:
        OutputError: the file is damaged.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return content, [CurvePoint(*point) for point in content.pop("curve")]
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.PickleError) as error:
        raise OutputError(f"{path}: is not a checkpoint that training wrote ({error})") from error

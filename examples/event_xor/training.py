"""Training of one core to classify streams as odd or even; resumable after any epoch."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from event_xor.data import LONGEST, Events
from liquid_control.cores import Core, make_core
from liquid_control.errors import OutputError
from liquid_control.files import atomic_write
from liquid_control.seeding import stream

SORTED_BATCHES = 50
"""Number of batches that are drawn together and sorted by number of events, to reduce padding."""

FIRST_LONGEST = 4
"""Bits of the longest stream in the first epoch."""

LONG_RUN = 6
"""Bits of a long run: one stream in six has one."""

OPTIMISERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = MappingProxyType(
    {"adam": torch.optim.Adam, "rmsprop": partial(torch.optim.RMSprop, alpha=0.9, eps=1e-7)}
)
"""RMSprop with the smoothing and the epsilon of Keras, as published."""

LAST_RATE = 0.03
"""Ratio of the learning rate after the last epoch to the initial one."""


@dataclass(frozen=True)
class Recipe:
    """Training settings of a core.

    Attributes:
        core: its name in `CORES`.
        size: "small" or "base".
        options: keyword arguments of the core that override those of the size.
        epochs: passes over the training set.
        batch: streams per gradient step.
        optimiser: a key of `OPTIMISERS`.
        learning_rate: in the first epoch; decreases exponentially.
        ramp: fraction of the epochs in which the longest stream grows from `FIRST_LONGEST` to
            `LONGEST`: parity is learnt from short streams.
        repeats: number of times an epoch contains a stream with a run of `LONG_RUN` bits or more.
            One stream in six has one; they cause most errors once short runs are classified
            correctly.
        clip: largest norm of a gradient.
        outputs: number of outputs of the core, before the linear map to one logit.
        seed: of weights and batches.
    """

    core: str
    size: str = "base"
    options: dict[str, Any] = field(default_factory=dict)
    epochs: int = 60
    batch: int = 128
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    ramp: float = 0.4
    repeats: int = 4
    clip: float = 1.0
    outputs: int = 16
    seed: int = 0

    def longest(self, epoch: int) -> int:
        """Return the largest number of bits of a stream in an epoch, counted from 0."""
        ramp = self.ramp * self.epochs
        fraction = min(1.0, epoch / ramp) if ramp else 1.0
        return round(FIRST_LONGEST + fraction * (LONGEST - FIRST_LONGEST))

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        return float(self.learning_rate * LAST_RATE ** (epoch / self.epochs))


class Classifier(nn.Module):
    """Core with a linear map from its output at the last event to the logit of "odd"."""

    def __init__(self, core: Core) -> None:
        super().__init__()
        self.core = core
        self.head = nn.Linear(core.output_size, 1)
        nn.init.zeros_(self.head.bias)

    def forward(self, events: Events) -> Tensor:
        """Return logits [N]; outputs of the core after the last event are ignored."""
        count = torch.from_numpy(events.count)
        outputs, _ = self.core(torch.from_numpy(events.value), torch.from_numpy(events.dt_s))
        last = outputs[torch.arange(len(count)), count - 1]
        return self.head(last).squeeze(1)


@dataclass
class Run:
    """State of a training run.

    Attributes:
        recipe: its settings.
        model: the classifier.
        optimiser: the optimiser of the recipe.
        losses: mean training loss of each completed epoch.
        accuracies: fraction of test streams classified correctly after each of them.
        seconds: duration of each.
    """

    recipe: Recipe
    model: Classifier
    optimiser: torch.optim.Optimizer
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def begin(cls, recipe: Recipe) -> "Run":
        """Return a run with a new model."""
        core = make_core(
            recipe.core, 1, recipe.outputs, size=recipe.size, seed=recipe.seed, **recipe.options
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            model = Classifier(core)
        make = OPTIMISERS[recipe.optimiser]
        return cls(recipe, model, make(model.parameters(), lr=recipe.learning_rate))

    def epoch(self, train: Events, test: Events) -> None:
        """Train one epoch, then evaluate on the test set."""
        start = time.perf_counter()
        losses = [self._step(train.take(rows)) for rows in self._batches(train)]
        self.losses.append(float(np.mean(losses)))
        self.seconds.append(time.perf_counter() - start)
        self.accuracies.append(accuracy(self.model, test))

    def save(self, path: Path) -> None:
        """Write a checkpoint for `restore`; an interruption leaves the previous file intact."""
        checkpoint = {
            "recipe": asdict(self.recipe),
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "curves": (self.losses, self.accuracies, self.seconds),
        }
        atomic_write(path, lambda partial: torch.save(checkpoint, partial))

    def restore(self, path: Path) -> None:
        """Load the checkpoint of a run with the same recipe.

        Raises:
            OutputError: the checkpoint has another recipe.
        """
        checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
        if checkpoint["recipe"] != asdict(self.recipe):
            raise OutputError(
                f"{path}: expected a checkpoint of {asdict(self.recipe)}, "
                f"got one of {checkpoint['recipe']}"
            )
        self.model.load_state_dict(checkpoint["model"])
        self.optimiser.load_state_dict(checkpoint["optimiser"])
        self.losses, self.accuracies, self.seconds = checkpoint["curves"]

    def _batches(self, train: Events) -> Iterator[NDArray[np.int64]]:
        epoch, batch = len(self.losses), self.recipe.batch
        rng = stream(self.recipe.seed, f"event_xor.epoch.{epoch}")
        shown = np.flatnonzero(train.length <= self.recipe.longest(epoch))
        times = np.where(train.longest_run[shown] >= LONG_RUN, self.recipe.repeats, 1)
        order = rng.permutation(shown.repeat(times))
        rows = []
        for start in range(0, len(order), batch * SORTED_BATCHES):
            part = order[start : start + batch * SORTED_BATCHES]
            part = part[np.argsort(train.count[part], kind="stable")]
            rows += np.split(part, range(batch, len(part), batch))
        return (rows[index] for index in rng.permutation(len(rows)))

    def _step(self, events: Events) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate(len(self.losses))
        self.optimiser.zero_grad()
        odd = torch.from_numpy(events.odd).float()
        loss = functional.binary_cross_entropy_with_logits(self.model(events), odd)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        return loss.item()


@torch.no_grad()
def accuracy(model: Classifier, events: Events, batch: int = 1000) -> float:
    """Return the fraction of streams that a classifier classifies correctly."""
    order = np.argsort(events.count, kind="stable")
    right = 0
    for rows in np.split(order, range(batch, len(order), batch)):
        part = events.take(rows)
        right += int(((model(part) > 0.0).numpy() == part.odd).sum())
    return right / len(order)

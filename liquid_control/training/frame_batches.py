"""Batches of single frames on a CPU or a GPU, with random changes of their pictures."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liquid_control.perception import MIRRORED_IMU, MIRRORED_INPUTS
from liquid_control.training.auxiliary import MIRRORED_ORDER, MIRRORED_SIGNS
from liquid_control.training.devices import CPU
from liquid_control.training.frame_store import FrameStore
from liquid_control.training.tone_curves import ToneCurves, apply_curves, draw_curves
from liquid_control.training.windows import MIRRORED_LABELS


@dataclass(frozen=True, slots=True)
class FrameChanges:
    """Random changes of the pictures of a batch of B.

    Attributes:
        flips: bool [B], mirrored left to right, with all that goes with it.
        gains: float32 [B, 3], factors of the colour channels.
        curves: tone curves.
    """

    flips: NDArray[np.bool_]
    gains: NDArray[np.float32]
    curves: ToneCurves

    def of(self, part: NDArray[np.int64]) -> "FrameChanges":
        """Return the changes of some pictures, increasing."""
        return FrameChanges(self.flips[part], self.gains[part], self.curves.of(part))


def draw_changes(
    generator: np.random.Generator, count: int, colour: float, tone_curves: float
) -> FrameChanges:
    """Draw the changes of a batch.

    Args:
        generator: of random numbers.
        count: pictures in the batch, B.
        colour: standard deviation of the logarithm of each channel's factor.
        tone_curves: share of the pictures that have a tone curve.
    """
    flips = generator.uniform(size=count) < 0.5
    gains = np.exp(colour * generator.standard_normal((count, 3))).astype(np.float32)
    return FrameChanges(flips, gains, draw_curves(generator, count, tone_curves))


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Single frames, B of them, on one device.

    Attributes:
        images: uint8 [B, H, W, 3].
        means: float32 [B].
        scales: float32 [B].
        imu: float32 [B, 6].
        inputs: float32 [B, K], all optional inputs.
        labels: float32 [B, 4], commands of the expert.
        auxiliary: float32 [B, A]; NaN where unknown.
        gains: float32 [B, 3], factors of the colour channels.
    """

    images: Tensor
    means: Tensor
    scales: Tensor
    imu: Tensor
    inputs: Tensor
    labels: Tensor
    auxiliary: Tensor
    gains: Tensor

    def to(self, device: torch.device) -> "FrameBatch":
        """Return the batch on a device."""
        return FrameBatch(*(getattr(self, name).to(device) for name in _COLUMNS))


_COLUMNS = tuple(column.name for column in fields(FrameBatch))


@dataclass(frozen=True, slots=True)
class FrameTensors:
    """The frames of a store as tensors: mapped from its files, or on a GPU that they fit into.

    Attributes:
        device: of the batches.
        frames: all rows, as they are.
        on_trail: bool [N], whether the world of a frame has a trail, and no targets.
    """

    device: torch.device
    frames: FrameBatch
    on_trail: NDArray[np.bool_]

    @classmethod
    def of(cls, store: FrameStore, device: torch.device) -> "FrameTensors":
        """Return the frames of a store for batches on a device."""
        held = device if device.type == "cpu" or _fits(store, device) else CPU

        def moved(column: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(column).to(held)

        frames = FrameBatch(
            images=moved(store.images),
            means=moved(store.means),
            scales=moved(store.scales),
            imu=moved(store.imu),
            inputs=moved(store.inputs),
            labels=moved(store.labels),
            auxiliary=moved(store.auxiliary),
            gains=torch.ones(1, 3, device=held).expand(store.frames, 3),
        )
        return cls(device, frames, np.isfinite(store.auxiliary[:, 0]))

    def batch(self, rows: NDArray[np.int64], changes: FrameChanges | None = None) -> FrameBatch:
        """Return some rows, changed or as they are.

        Tone curves leave pictures with targets alone: a target is known by its colour.
        """
        held = self.frames.images.device
        index = torch.from_numpy(rows).to(held)
        batch = FrameBatch(
            *(getattr(self.frames, name).index_select(0, index) for name in _COLUMNS)
        )
        if changes is None:
            return batch.to(self.device)
        _mirror(batch, torch.from_numpy(np.flatnonzero(changes.flips)).to(held))
        batch.gains.copy_(torch.from_numpy(changes.gains))
        curves = changes.curves.where(self.on_trail[rows])
        apply_curves(batch.images, batch.means, batch.scales, curves)
        return batch.to(self.device)


def _fits(store: FrameStore, device: torch.device) -> bool:
    """Return whether the pictures take at most 80 % of the free memory of a GPU."""
    free, _ = torch.cuda.mem_get_info(device)
    return store.images.nbytes <= 0.8 * free


def _mirror(batch: FrameBatch, rows: Tensor) -> None:
    """Mirror some frames of a batch left to right, in place."""
    batch.images[rows] = batch.images[rows].flip(2)
    for column, signs in (
        (batch.imu, MIRRORED_IMU),
        (batch.labels, MIRRORED_LABELS),
        (batch.inputs, MIRRORED_INPUTS),
    ):
        column[rows] *= torch.from_numpy(signs).to(column.device)
    batch.auxiliary[rows] = mirrored_auxiliary(batch.auxiliary[rows])


def mirrored_auxiliary(auxiliary: Tensor) -> Tensor:
    """Return the auxiliary targets [B, A] of the mirrored pictures."""
    order = torch.from_numpy(MIRRORED_ORDER).to(auxiliary.device)
    return auxiliary.index_select(1, order) * torch.from_numpy(MIRRORED_SIGNS).to(auxiliary.device)

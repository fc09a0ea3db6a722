"""Random tone curves: pictures of one scene with other brightnesses of ground, trunks and sky.

A curve maps the values of a channel. It is piecewise linear between knots and need not rise, so a
dark ground may become lighter than the sky, as snow is. What an encoder then still can use are
edges and shapes. The idea is domain randomisation (Tobin et al. 2017, arXiv:1703.06907), here on
the values alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liquid_control.perception.camera_view import CONTRAST_FLOOR

KNOTS = np.array([0.0, 48.0, 96.0, 144.0, 192.0, 255.0])
"""Values between which a curve is linear."""
CHANNEL_DEVIATION = 0.15
"""Difference of the three channels' curves, standard deviation as a part of the range."""
LEAST_CONTRAST = 8.0
"""Standard deviation of a picture below which its curve is not used."""

_VALUES = np.arange(256.0)
_HATS = np.stack([np.interp(_VALUES, KNOTS, unit) for unit in np.eye(len(KNOTS))])
"""Value of each knot's hat function at each value, [knots, 256]: a curve is their sum."""


@dataclass(frozen=True, slots=True)
class ToneCurves:
    """Curves of some pictures of a batch.

    Attributes:
        rows: int64 [C], increasing, the pictures that have a curve.
        tables: uint8 [C, 256, 3], new value of each value and channel.
    """

    rows: NDArray[np.int64]
    tables: NDArray[np.uint8]

    def of(self, pictures: NDArray[np.int64]) -> "ToneCurves":
        """Return the curves of some pictures, increasing, counted from the first of them."""
        found = np.isin(self.rows, pictures)
        return ToneCurves(np.searchsorted(pictures, self.rows[found]), self.tables[found])

    def where(self, allowed: NDArray[np.bool_]) -> "ToneCurves":
        """Return the curves of the pictures for which `allowed` [B] is true."""
        kept = allowed[self.rows]
        return ToneCurves(self.rows[kept], self.tables[kept])


def draw_curves(generator: np.random.Generator, count: int, share: float) -> ToneCurves:
    """Return curves of `count` pictures, of which each has one with the probability `share`."""
    knots = generator.uniform(0.0, 1.0, (count, len(KNOTS), 1))
    knots = knots + CHANNEL_DEVIATION * generator.standard_normal((count, len(KNOTS), 3))
    rows = np.flatnonzero(generator.uniform(size=count) < share)
    curves = np.einsum("ckn,kv->cvn", knots[rows], _HATS)
    return ToneCurves(rows, np.clip(255.0 * curves, 0.0, 255.0).astype(np.uint8))


def apply_curves(images: Tensor, means: Tensor, scales: Tensor, curves: ToneCurves) -> None:
    """Apply curves to pictures [B, H, W, 3] in place, and update their moments [B].

    A curve that leaves less than `LEAST_CONTRAST` is not used.
    """
    if not len(curves.rows):
        return
    rows = torch.from_numpy(curves.rows).to(images.device)
    tables = torch.from_numpy(curves.tables).to(images.device)
    shown = images[rows]
    changed = tables.gather(1, shown.flatten(1, 2).long()).view_as(shown)
    variances, mean = torch.var_mean(changed.flatten(1).to(torch.float32), dim=1, correction=0)
    deviations = variances.sqrt()
    used = deviations >= LEAST_CONTRAST
    images[rows] = torch.where(used[:, None, None, None], changed, shown)
    means[rows] = torch.where(used, mean, means[rows])
    scales[rows] = torch.where(used, 1.0 / deviations.clamp_min(CONTRAST_FLOOR), scales[rows])

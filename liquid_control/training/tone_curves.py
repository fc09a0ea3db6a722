"""Random tone curves: pictures of one scene with other brightnesses of ground, trunks and sky.

A curve maps the values of a channel. It is piecewise linear between knots and need not rise, so a
dark ground may become lighter than the sky, as snow is. What an encoder then still can use are
edges and shapes. The idea is domain randomisation (Tobin et al. 2017, arXiv:1703.06907), here on
the values alone.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.perception.camera_view import CONTRAST_FLOOR, moments

KNOTS = np.array([0.0, 48.0, 96.0, 144.0, 192.0, 255.0])
"""Values between which a curve is linear."""
CHANNEL_DEVIATION = 0.15
"""Difference of the three channels' curves, standard deviation as a part of the range."""
LEAST_CONTRAST = 8.0
"""Standard deviation of a picture below which its curve is not used."""


def draw_curves(generator: np.random.Generator, count: int, share: float) -> NDArray[np.uint8]:
    """Return tables [count, 256, 3]: each random with the probability `share`, else identity."""
    knots = generator.uniform(0.0, 1.0, (count, len(KNOTS), 1))
    knots = knots + CHANNEL_DEVIATION * generator.standard_normal((count, len(KNOTS), 3))
    random = generator.uniform(size=count) < share
    values = np.arange(256.0)
    tables = np.repeat(values[None, :, None], count, axis=0).repeat(3, axis=2)
    for row in np.flatnonzero(random):
        for channel in range(3):
            curve = np.interp(values, KNOTS, 255.0 * knots[row, :, channel])
            tables[row, :, channel] = np.clip(curve, 0.0, 255.0)
    return tables.astype(np.uint8)


def apply_curves(
    images: NDArray[np.uint8],
    means: NDArray[np.float32],
    scales: NDArray[np.float32],
    tables: NDArray[np.uint8],
    where: NDArray[np.bool_],
) -> None:
    """Apply tables [B, 256, 3] to pictures [B, H, W, 3] in place, and update their moments [B].

    A target is known by its colour: `where` [B] leaves pictures with targets out.
    """
    for row in np.flatnonzero(where):
        table = tables[row]
        if np.array_equal(table[:, 0], _IDENTITY):
            continue
        changed = cv2.LUT(images[row], table[None])
        mean, deviation = moments(changed)
        if deviation < LEAST_CONTRAST:
            continue
        images[row], means[row] = changed, mean
        scales[row] = 1.0 / max(deviation, CONTRAST_FLOOR)


_IDENTITY = np.arange(256, dtype=np.uint8)

"""Health of a camera's pictures: repeated, dark, bright, or unlike those of training."""

from typing import NamedTuple

import numpy as np

from liquid_control.perception.picture_distribution import (
    STATISTICS,
    PictureDistribution,
    picture_statistics,
)
from liquid_control.types import PictureHealth, Pixels

_BRIGHTNESS, _CONTRAST = STATISTICS.index("brightness"), STATISTICS.index("contrast")


class PictureMemory(NamedTuple):
    """State between two pictures: the last one, uint8 [H, W, 3], and how often it was repeated."""

    picture: Pixels | None = None
    repeats: int = 0


def picture_health(
    picture: Pixels,
    stamp_ns: int,
    memory: PictureMemory,
    learned: PictureDistribution | None = None,
) -> tuple[PictureHealth, PictureMemory]:
    """Return the health of a picture, and the state for the next one.

    A camera's noise makes two pictures differ, so equal ones come from a driver or a camera that
    repeats them. A simulated camera without noise repeats them while the vehicle stands still.

    Args:
        picture: uint8 [H, W, 3], RGB, at the model's size.
        stamp_ns: of the frame.
        memory: state after the picture before.
        learned: distribution of the training pictures; None where it is not known.
    """
    last = memory.picture
    same = last is not None and np.array_equal(last, picture)
    repeats = memory.repeats + 1 if same else 0
    statistics = picture_statistics(picture)
    score = 0.0 if learned is None else learned.score(statistics)
    brightness, contrast = float(statistics[_BRIGHTNESS]), float(statistics[_CONTRAST])
    health = PictureHealth(stamp_ns, repeats, brightness, contrast, score)
    return health, PictureMemory(picture, repeats)

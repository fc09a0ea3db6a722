"""The colours of speed, the same on the map and in the video."""

from math import ceil, floor

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from liquid_control.types import Floats, Pixels

SPEED_COLOURS = LinearSegmentedColormap.from_list(
    "speed", ["#3b6fd4", "#2a9d8f", "#e9b44c", "#e05a47"]
)


def speed_limits(speed_mps: Floats) -> tuple[float, float]:
    """Return whole m/s below the slowest and above the fastest, at least 1 m/s apart."""
    low = float(floor(float(speed_mps.min())))
    return low, max(low + 1.0, float(ceil(float(speed_mps.max()))))


def speed_colours(speed_mps: Floats) -> Pixels:
    """Return the RGB colour of each speed, uint8 [T, 3]."""
    low, high = speed_limits(speed_mps)
    return np.asarray(SPEED_COLOURS((speed_mps - low) / (high - low), bytes=True))[:, :3]

"""The statistics of all pictures that a model learned from, for its folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from liquid_control.perception.picture_statistics import PictureDistribution, picture_statistics
from liquid_control.training.flight_file import read_flight


def picture_distribution(paths: Sequence[Path], source: str) -> PictureDistribution:
    """Return the distribution over the pictures of some flights.

    Args:
        paths: of the flights' files, at least one.
        source: where they come from, in a line.

    Raises:
        OutputError: a file is damaged.
    """
    values = [
        np.stack([picture_statistics(image) for image in read_flight(path)[0].images])
        for path in paths
    ]
    return PictureDistribution.of(np.concatenate(values), source)

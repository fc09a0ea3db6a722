"""Distribution shift: statistics of a flight's pictures against those of the training data."""

from dataclasses import dataclass

import numpy as np

from liquid_control.bags import Event, FrameEvent
from liquid_control.perception import PictureDistribution, picture_statistics
from liquid_control.perception.picture_distribution import DESCRIPTIONS, STATISTICS
from liquid_control.replay.feature_extractor import FeatureExtractor
from liquid_control.replay.tracks import Rows, Series
from liquid_control.types import Floats


class PictureStatisticsCollector:
    """Collects the statistics of the pictures that the network receives.

    Args:
        extractor: the player's; it fits each frame once.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self._rows = Rows("statistics", np.float64, len(STATISTICS))

    def consume(self, event: Event) -> None:
        """Process an event; only frames matter."""
        if not isinstance(event, FrameEvent):
            return
        frame_features = self._extractor.extract(event)
        if frame_features is not None and frame_features.picture is not None:
            statistics = picture_statistics(frame_features.picture)
            self._rows.add(event.observation.stamp_ns, statistics)

    def series(self) -> Series:
        """Return the statistics, float64 [F, S]."""
        return self._rows.series()


@dataclass(frozen=True, slots=True)
class DistributionShift:
    """One statistic of a flight's pictures against the training data.

    Attributes:
        name: of the statistic.
        description: meaning and unit.
        learned_mean: mean over the training pictures.
        learned_deviation: their standard deviation.
        learned_p1: their 1st percentile; learned_p99 likewise.
        mean: mean over this flight.
        shift: mean minus learned mean, in learned standard deviations.
        outside: fraction of this flight's frames beyond the 1st or 99th percentile.
        distance: 1-Wasserstein distance of the two distributions, in learned deviations.
    """

    name: str
    description: str
    learned_mean: float
    learned_deviation: float
    learned_p1: float
    learned_p99: float
    mean: float
    shift: float
    outside: float
    distance: float


def picture_shift(values: Floats, learned: PictureDistribution) -> tuple[DistributionShift, ...]:
    """Compare a flight's statistics, float64 [F, S], F at least 1, with the training data's."""
    low, high = learned.quantiles[1], learned.quantiles[-2]
    outside = ((values < low) | (values > high)).mean(axis=0)
    deviation = np.maximum(learned.deviation, 1e-6)
    shift = (values.mean(axis=0) - learned.mean) / deviation
    distance = learned.distance(values)
    return tuple(
        DistributionShift(
            name=name,
            description=DESCRIPTIONS[index],
            learned_mean=float(learned.mean[index]),
            learned_deviation=float(learned.deviation[index]),
            learned_p1=float(low[index]),
            learned_p99=float(high[index]),
            mean=float(values[:, index].mean()),
            shift=float(shift[index]),
            outside=float(outside[index]),
            distance=float(distance[index]),
        )
        for index, name in enumerate(STATISTICS)
    )

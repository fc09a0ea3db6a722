"""How far a flight's pictures are from those that the model learned from."""

from dataclasses import dataclass

import numpy as np

from liquid_control.bags.events import Event, FrameEvent
from liquid_control.perception.picture_statistics import (
    DESCRIPTIONS,
    STATISTICS,
    PictureDistribution,
    picture_statistics,
)
from liquid_control.replay.feature_extractor import FeatureExtractor
from liquid_control.replay.tracks import Rows, Series
from liquid_control.types import Floats


class PictureStatisticsCollector:
    """Hears frames and keeps the statistics of what the network was shown.

    Args:
        perceiver: the player's; it looks at each frame once.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._perceiver = extractor
        self._rows = Rows("statistics", np.float64, len(STATISTICS))

    def consume(self, event: Event) -> None:
        """Take a frame."""
        if isinstance(event, FrameEvent):
            frame_features = self._perceiver.perceive(event)
            if frame_features is not None and frame_features.picture is not None:
                stamp_ns = event.observation.stamp_ns
                self._rows.add(stamp_ns, picture_statistics(frame_features.picture))

    def series(self) -> Series:
        """Return the statistics, float64 [F, S]."""
        return self._rows.series()


@dataclass(frozen=True, slots=True)
class DistributionShift:
    """One statistic of a flight's pictures against those learned from.

    Attributes:
        name: of the statistic.
        description: what it is, with its unit.
        learned_mean: over the pictures learned from.
        learned_deviation: their standard deviation.
        learned_p1: 1 % of them are below; learned_p99 likewise.
        mean: over this flight.
        shift: mean less learned mean, in learned standard deviations.
        outside: share of this flight's frames beyond the 1st or 99th percentile.
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
    """Compare a flight's statistics, float64 [F, S], F at least 1, with those learned from."""
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

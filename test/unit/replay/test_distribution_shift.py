import numpy as np
import pytest

from liquid_control.perception import PictureDistribution, picture_statistics
from liquid_control.replay import FeatureExtractor, replay
from liquid_control.replay.distribution_shift import PictureStatisticsCollector, picture_shift

pytestmark = pytest.mark.unit


def test_picture_shift_is_in_deviations_of_the_training_pictures(policy, frames, altered):
    learned_from = [s.observation.image // 2 for s in frames(60, seed=6)]
    values = np.array([picture_statistics(image) for image in learned_from])
    learned = PictureDistribution.of(values, "a test")
    unchanged = PictureStatisticsCollector(FeatureExtractor(policy))
    replay([altered(s, image=s.observation.image // 2) for s in frames(60, seed=6)], [unchanged])
    same = {row.name: row for row in picture_shift(unchanged.series().values, learned)}
    assert same["brightness"].shift == pytest.approx(0.0, abs=1e-9)
    assert same["brightness"].outside <= 0.04
    brighter = PictureStatisticsCollector(FeatureExtractor(policy))
    replay(
        [altered(s, image=s.observation.image // 2 + 60) for s in frames(60, seed=6)], [brighter]
    )
    rows = {row.name: row for row in picture_shift(brighter.series().values, learned)}
    moved = 60.0 / values[:, 0].std()
    assert rows["brightness"].shift == pytest.approx(moved, rel=1e-6)
    assert rows["brightness"].outside == 1.0
    assert rows["sharpness"].shift == pytest.approx(0.0, abs=1e-6)

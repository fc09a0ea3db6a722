import numpy as np
import pytest

from liquid_control.perception import (
    PictureDistribution,
    PictureMemory,
    picture_health,
    picture_statistics,
)
from liquid_control.perception.picture_distribution import STATISTICS
from liquid_control.seeding import stream

pytestmark = pytest.mark.unit

DRAW = stream(3, "pictures")
PICTURES = [DRAW.integers(60, 180, (54, 96, 3), dtype=np.uint8) for _ in range(40)]
LEARNED = PictureDistribution.of(np.array([picture_statistics(one) for one in PICTURES]), "noise")


def test_equal_pictures_in_succession_are_counted_until_one_differs():
    memory, repeats = PictureMemory(), []
    changed = PICTURES[0].copy()
    changed[53, 95, 2] ^= 1
    for number, picture in enumerate([PICTURES[0], PICTURES[0].copy(), PICTURES[0], changed]):
        health, memory = picture_health(picture, number, memory)
        repeats.append(health.repeats)
    assert repeats == [0, 1, 2, 0]


def test_another_size_is_another_picture():
    first, memory = picture_health(PICTURES[0], 0, PictureMemory())
    second, _ = picture_health(PICTURES[0][:27], 1, memory)
    assert (first.repeats, second.repeats) == (0, 0)


def test_brightness_and_contrast_are_those_of_all_values():
    half = np.zeros((54, 96, 3), np.uint8)
    half[:, 48:] = 100
    health, _ = picture_health(half, 5, PictureMemory())
    assert health == (5, 0, 50.0, 50.0, 0.0)


def test_the_score_is_the_largest_distance_beyond_the_percentiles_in_deviations():
    statistics = LEARNED.quantiles[50].copy()
    assert LEARNED.score(statistics) == 0.0
    index = STATISTICS.index("saturation")
    statistics[index] = LEARNED.quantiles[-2, index] + 2.5 * LEARNED.deviation[index]
    assert LEARNED.score(statistics) == pytest.approx(2.5)
    other = STATISTICS.index("sharpness")
    statistics[other] = LEARNED.quantiles[1, other] - 4.0 * LEARNED.deviation[other]
    assert LEARNED.score(statistics) == pytest.approx(4.0)


def test_a_black_picture_is_far_from_all_of_training():
    health, _ = picture_health(np.zeros((54, 96, 3), np.uint8), 0, PictureMemory(), LEARNED)
    assert health.brightness == 0.0
    assert health.score > 10.0

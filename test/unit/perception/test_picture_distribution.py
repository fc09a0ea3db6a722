"""Picture statistics and their distribution, in memory and on disk."""

import json

import numpy as np
import pytest

from liquid_control.errors import ModelError
from liquid_control.perception import PictureDistribution, moments, picture_statistics
from liquid_control.perception.picture_distribution import DESCRIPTIONS, PICTURES_FILE, STATISTICS

pytestmark = pytest.mark.unit


def test_uniform_picture():
    image = np.full((54, 96, 3), (200, 100, 50), np.uint8)
    values = dict(zip(STATISTICS, picture_statistics(image), strict=True))
    assert values["brightness"] == pytest.approx(350 / 3)
    assert values["contrast"] == pytest.approx(np.std([200, 100, 50]))
    assert (values["red"], values["green"], values["blue"]) == (200.0, 100.0, 50.0)
    assert values["saturation"] == pytest.approx(150 / 200, abs=1 / 255)
    assert (values["sharpness"], values["clipped"]) == (0.0, 0.0)


def test_brightness_and_contrast_equal_the_moments():
    image = np.random.default_rng(3).integers(0, 256, (54, 96, 3), dtype=np.uint8)
    assert tuple(picture_statistics(image)[:2]) == moments(image)


def test_clipped_values_are_counted_at_both_ends():
    image = np.full((10, 10, 3), 128, np.uint8)
    image[0, 0] = (0, 255, 128)
    assert picture_statistics(image)[STATISTICS.index("clipped")] == pytest.approx(2 / 300)


def test_sharpness_is_the_deviation_of_the_laplacian():
    image = np.zeros((6, 6, 3), np.uint8)
    image[2, 3] = 10  # the Laplacian: -40 there, 10 at its four neighbours
    expected = np.std([-40.0] + 4 * [10.0] + 31 * [0.0])
    assert picture_statistics(image)[STATISTICS.index("sharpness")] == pytest.approx(expected)


def test_grey_picture_has_no_saturation():
    image = np.repeat(np.random.default_rng(0).integers(1, 256, (8, 8, 1), dtype=np.uint8), 3, 2)
    assert picture_statistics(image)[STATISTICS.index("saturation")] == 0.0


def _distribution(frames: int = 1001) -> PictureDistribution:
    ramp = np.linspace(0.0, 100.0, frames)
    return PictureDistribution.of(np.tile(ramp[:, None], (1, len(STATISTICS))), "a ramp")


def test_quantiles_ranks_and_outside_fraction():
    known = _distribution()
    np.testing.assert_allclose(known.quantiles[:, 0], np.arange(101.0))
    values = np.array([[-5.0], [25.0], [50.0], [110.0]]) * np.ones(len(STATISTICS))
    np.testing.assert_allclose(known.ranks(values)[:, 0], [0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(known.outside(values), 0.5)


def test_distance_of_a_shifted_ramp_is_its_shift_in_deviations():
    known = _distribution()
    shifted = known.quantiles + 7.0
    np.testing.assert_allclose(known.distance(shifted), 7.0 / known.deviation)
    np.testing.assert_allclose(known.distance(known.quantiles), 0.0, atol=1e-12)


def test_save_and_load_round_trip(tmp_path):
    assert PictureDistribution.load(tmp_path) is None
    known = PictureDistribution.of(
        np.random.default_rng(1).uniform(0.0, 255.0, (500, len(STATISTICS))), "noise"
    )
    assert known.save(tmp_path) == tmp_path / PICTURES_FILE
    loaded = PictureDistribution.load(tmp_path)
    assert loaded is not None
    assert (loaded.frames, loaded.source) == (500, "noise")
    np.testing.assert_allclose(loaded.quantiles, known.quantiles, rtol=1e-5)
    np.testing.assert_allclose(loaded.deviation, known.deviation, rtol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == [PICTURES_FILE]


@pytest.mark.parametrize("text", ["", "[]", '{"statistics": {}}'])
def test_damaged_file_is_rejected(tmp_path, text):
    (tmp_path / PICTURES_FILE).write_text(text)
    with pytest.raises(ModelError, match="is not what training wrote"):
        PictureDistribution.load(tmp_path)


def test_quantiles_of_another_number_are_rejected(tmp_path):
    _distribution().save(tmp_path)
    content = json.loads((tmp_path / PICTURES_FILE).read_text())
    for row in content["statistics"].values():
        row["quantiles"].pop()
    (tmp_path / PICTURES_FILE).write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"quantiles must be finite and of shape \(101, 8\)"):
        PictureDistribution.load(tmp_path)


def test_distribution_needs_a_picture():
    with pytest.raises(ModelError, match="at least one picture"):
        PictureDistribution.of(np.empty((0, len(STATISTICS))), "nothing")


def test_every_statistic_is_described():
    assert len(DESCRIPTIONS) == len(STATISTICS) == len(set(STATISTICS))

"""Random tone curves of training pictures."""

import numpy as np
import pytest

from liquid_control.perception.camera_view import moments
from liquid_control.training.tone_curves import LEAST_CONTRAST, apply_curves, draw_curves

pytestmark = pytest.mark.unit


def pictures(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images = np.random.default_rng(5).integers(0, 256, (count, 9, 16, 3)).astype(np.uint8)
    return images, np.full(count, -1.0, np.float32), np.full(count, -2.0, np.float32)


def test_without_a_share_every_curve_is_the_identity() -> None:
    tables = draw_curves(np.random.default_rng(1), 6, 0.0)
    assert (tables == np.arange(256)[None, :, None]).all()
    images, means, scales = pictures(6)
    before = images.copy()
    apply_curves(images, means, scales, tables, np.ones(len(images), bool))
    assert (images == before).all()
    assert (means == -1.0).all()
    assert (scales == -2.0).all()


def test_the_share_of_random_curves_is_as_asked() -> None:
    tables = draw_curves(np.random.default_rng(2), 2000, 0.3)
    changed = (tables != np.arange(256)[None, :, None]).any(axis=(1, 2)).mean()
    # Binomial: outside of 4 standard deviations with a probability below 1e-4.
    assert abs(changed - 0.3) < 4.0 * np.sqrt(0.3 * 0.7 / 2000)


def test_a_changed_picture_has_its_own_moments_and_keeps_its_edges() -> None:
    images, means, scales = pictures(3)
    before = images.copy()
    tables = draw_curves(np.random.default_rng(3), 3, 1.0)
    apply_curves(images, means, scales, tables, np.ones(len(images), bool))
    for row in range(3):
        expected = np.stack([tables[row, before[row, :, :, c], c] for c in range(3)], axis=2)
        assert (images[row] == expected).all()
        mean, deviation = moments(expected)
        assert means[row] == pytest.approx(mean)
        assert scales[row] == pytest.approx(1.0 / deviation)


def test_a_curve_that_leaves_no_contrast_is_not_used() -> None:
    images, means, scales = pictures(1)
    before = images.copy()
    flat = np.full((1, 256, 3), 100, np.uint8)
    apply_curves(images, means, scales, flat, np.ones(len(images), bool))
    assert LEAST_CONTRAST > 0.0
    assert (images == before).all()
    assert means[0] == -1.0


def test_some_curves_fall_and_the_same_seed_gives_the_same_curves() -> None:
    tables = draw_curves(np.random.default_rng(4), 50, 1.0).astype(int)
    assert (np.diff(tables, axis=1).min(axis=(1, 2)) < 0).all()
    assert (tables == draw_curves(np.random.default_rng(4), 50, 1.0)).all()


def test_pictures_with_targets_are_left_alone() -> None:
    images, means, scales = pictures(2)
    before = images.copy()
    tables = draw_curves(np.random.default_rng(6), 2, 1.0)
    apply_curves(images, means, scales, tables, np.array([False, True]))
    assert (images[0] == before[0]).all()
    assert (images[1] != before[1]).any()

"""Random tone curves of training pictures."""

import numpy as np
import pytest
import torch
from torch import Tensor

from liquid_control.perception.camera_view import moments
from liquid_control.training.tone_curves import (
    LEAST_CONTRAST,
    ToneCurves,
    apply_curves,
    draw_curves,
)

pytestmark = pytest.mark.unit


def pictures(count: int) -> tuple[Tensor, Tensor, Tensor]:
    images = np.random.default_rng(5).integers(0, 256, (count, 9, 16, 3)).astype(np.uint8)
    return torch.from_numpy(images), torch.full((count,), -1.0), torch.full((count,), -2.0)


def test_without_a_share_no_picture_has_a_curve() -> None:
    curves = draw_curves(np.random.default_rng(1), 6, 0.0)
    assert len(curves.rows) == 0
    images, means, scales = pictures(6)
    before = images.clone()
    apply_curves(images, means, scales, curves)
    assert torch.equal(images, before)
    assert (means == -1.0).all()
    assert (scales == -2.0).all()


def test_the_share_of_random_curves_is_as_asked() -> None:
    curves = draw_curves(np.random.default_rng(2), 2000, 0.3)
    # Binomial: outside of 4 standard deviations with a probability below 1e-4.
    assert abs(len(curves.rows) / 2000 - 0.3) < 4.0 * np.sqrt(0.3 * 0.7 / 2000)


def test_a_changed_picture_has_its_own_moments_and_keeps_its_edges() -> None:
    images, means, scales = pictures(3)
    before = images.numpy().copy()
    curves = draw_curves(np.random.default_rng(3), 3, 1.0)
    apply_curves(images, means, scales, curves)
    for row in range(3):
        expected = np.stack(
            [curves.tables[row, before[row, :, :, c], c] for c in range(3)], axis=2
        )
        assert (images[row].numpy() == expected).all()
        mean, deviation = moments(expected)
        assert means[row] == pytest.approx(mean)
        assert scales[row] == pytest.approx(1.0 / deviation)


def test_a_curve_is_linear_between_its_knots() -> None:
    tables = draw_curves(np.random.default_rng(3), 40, 1.0).tables.astype(int)
    between = tables[:, 24] - (tables[:, 0] + tables[:, 48]) / 2.0
    inside = (tables[:, [0, 24, 48]] > 0).all(axis=1) & (tables[:, [0, 24, 48]] < 255).all(axis=1)
    assert inside.any()
    assert np.abs(between[inside]).max() <= 1.0


def test_a_curve_that_leaves_no_contrast_is_not_used() -> None:
    images, means, scales = pictures(1)
    before = images.clone()
    flat = ToneCurves(np.array([0]), np.full((1, 256, 3), 100, np.uint8))
    apply_curves(images, means, scales, flat)
    assert LEAST_CONTRAST > 0.0
    assert torch.equal(images, before)
    assert means[0] == -1.0


def test_some_curves_fall_and_the_same_seed_gives_the_same_curves() -> None:
    tables = draw_curves(np.random.default_rng(4), 50, 1.0).tables
    assert (np.diff(tables.astype(int), axis=1).min(axis=(1, 2)) < 0).all()
    assert (tables == draw_curves(np.random.default_rng(4), 50, 1.0).tables).all()


def test_the_curves_of_a_part_of_a_batch_stay_with_their_pictures() -> None:
    curves = draw_curves(np.random.default_rng(6), 20, 0.5)
    part = curves.of(np.arange(8, 15))
    expected = [row for row in curves.rows.tolist() if 8 <= row < 15]
    assert len(expected) > 1
    assert (part.rows + 8).tolist() == expected
    for row, table in zip(expected, part.tables, strict=True):
        assert (table == curves.tables[curves.rows.tolist().index(row)]).all()
    assert len(curves.of(np.arange(0)).rows) == 0

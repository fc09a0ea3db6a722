"""Defocus, dirt, water drops, vignetting and glare."""

import numpy as np
import pytest

from liquid_control_sim.picture.lens import (
    Defocus,
    Dirt,
    Glare,
    LensDrops,
    Vignetting,
    dirt_mask,
    disc_kernel,
)

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("diameter", [0.5, 1.0, 2.4, 5.0, 9.6])
def test_disc_kernel_has_unit_sum_and_the_second_moment_of_a_disc(diameter):
    kernel = disc_kernel(diameter).astype(float)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    assert np.allclose(kernel, kernel[::-1])
    assert np.allclose(kernel, kernel.T)
    reach = len(kernel) // 2
    offsets = np.arange(-reach, reach + 1)
    spread = float(kernel.sum(axis=0) @ offsets**2)
    # A disc has the variance d^2 / 16 along an axis, to which splitting an offset t between two
    # pixels adds |t| (1 - |t|) modulo whole pixels: at most a quarter.
    assert diameter**2 / 16.0 * 0.98 <= spread <= diameter**2 / 16.0 + 0.25


def test_disc_of_zero_diameter_is_the_identity(pattern, make_shot):
    assert disc_kernel(1e-9).max() == pytest.approx(1.0, abs=1e-8)
    assert Defocus(1e-9)(pattern, make_shot()) == pytest.approx(pattern, abs=1e-6)


def test_defocus_spreads_a_point_and_preserves_its_light(make_shot):
    point = np.zeros((54, 96, 3), np.float32)
    point[20, 40] = 1.0
    spread = Defocus(6.0)(point, make_shot())
    assert spread.sum(axis=(0, 1)) == pytest.approx([1.0] * 3, abs=1e-5)
    assert spread[20, 40, 0] == pytest.approx(1.0 / (np.pi * 9.0), rel=0.02)
    assert not spread[20, 44:].any()


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.7, 1.0])
def test_dirt_covers_the_given_fraction(fraction):
    mask = dirt_mask(fraction, (54, 96), 5)
    assert mask.mean() == pytest.approx(fraction, abs=1e-4)
    assert mask.min() >= 0.0
    assert mask.max() <= 1.0


def test_more_dirt_extends_existing_spots_and_depends_on_the_seed():
    little, more = dirt_mask(0.1, (54, 96), 5), dirt_mask(0.3, (54, 96), 5)
    assert (more >= little).all()
    assert np.array_equal(little, dirt_mask(0.1, (54, 96), 5))
    assert not np.array_equal(little, dirt_mask(0.1, (54, 96), 6))


def test_dirt_lowers_the_contrast_of_its_spots(pattern, make_shot):
    mask = dirt_mask(0.3, (54, 96), 5)
    result = Dirt(0.3, (54, 96), 5)(pattern, make_shot())
    assert result[mask == 0.0] == pytest.approx(pattern[mask == 0.0])
    assert result[mask > 0.95].std() < 0.3 * pattern[mask > 0.95].std()


def test_more_drops_leave_the_first_ones_unchanged(make_shot, pattern):
    few, many = (LensDrops(count, (54, 96), 2) for count in (3, 12))
    assert (many._cover >= few._cover).all()
    assert many._cover.mean() > few._cover.mean() > 0.0
    clear = many._cover == 0.0
    result = many(pattern, make_shot())
    assert result[clear] == pytest.approx(pattern[clear])
    assert np.abs(result - pattern)[~clear].mean() > 0.05
    assert np.array_equal(LensDrops(3, (54, 96), 2)._cover, few._cover)
    assert not np.array_equal(LensDrops(3, (54, 96), 3)._cover, few._cover)


def test_drop_shows_the_scene_upside_down(make_shot):
    drops = LensDrops(1, (270, 480), 2)
    rows, columns = np.nonzero(drops._cover > 0.9)
    top, bottom = rows.argmin(), rows.argmax()
    assert drops._rows[rows[top], columns[top]] > drops._rows[rows[bottom], columns[bottom]]


def test_vignetting_loses_the_given_fraction_in_the_corner_and_follows_cos4(view, make_shot):
    white = np.ones((54, 96, 3), np.float32)
    result = Vignetting(0.6, view)(white, make_shot())
    assert result[0, 0] == pytest.approx([0.4] * 3, abs=1e-6)
    assert result[27, 48] == pytest.approx([1.0] * 3, abs=1e-3)
    cos4 = view.rays[:, 2].reshape(54, 96).astype(float) ** 4
    expected = 1.0 - 0.6 * (1.0 - cos4) / (1.0 - cos4.min())
    assert result[..., 1] == pytest.approx(expected, abs=1e-6)


def sunlit(view, make_shot, direction, strength=1.0, is_sky=True):
    direction = np.array(direction) / np.linalg.norm(direction)
    glare = Glare(strength, direction, np.array([1.0, 0.9, 0.8]), view)
    return glare(np.zeros((*view.shape, 3), np.float32), make_shot(is_sky=is_sky))


def test_glare_is_brightest_at_the_sun_and_has_its_colour(view, make_shot):
    # Looking east, a sun to the left and up is at u = 48 - 48 / 2, v = 27 - 48 / 4.
    veil = sunlit(view, make_shot, (1.0, 0.5, 0.25))
    row, column = np.unravel_index(veil[..., 0].argmax(), view.shape)
    assert (column + 0.5, row + 0.5) == pytest.approx((24.0, 15.0), abs=1.0)
    assert veil[0, -1, 2] / veil[0, -1, 0] == pytest.approx(0.8, rel=1e-4)
    half = sunlit(view, make_shot, (1.0, 0.5, 0.25), strength=0.5)
    assert half == pytest.approx(0.5 * veil, rel=1e-5)


def test_glare_falls_with_the_square_of_the_angle(view, make_shot):
    # The sun and all ghosts are at row 27; row 3 has no ghosts.
    veil = sunlit(view, make_shot, (1.0, 0.95, 0.0))[3, :, 0].astype(float)
    sun = np.array([-0.95, 0.0, 1.0]) / np.hypot(1.0, 0.95)
    squared = 2.0 - 2.0 * (view.rays.reshape(54, 96, 3)[3] @ sun)
    law = np.stack([1.0 / (squared + 0.06**2), np.ones(96)], axis=1)
    parts, *_ = np.linalg.lstsq(law, veil, rcond=None)
    assert law @ parts == pytest.approx(veil, rel=1e-4)
    # The sun is at 43.5 degrees from the axis, within the picture's corner.
    assert parts == pytest.approx(np.array([0.12, 0.20]) / np.hypot(1.0, 0.95), rel=1e-3)


def test_no_glare_with_the_sun_behind_and_little_through_trees(view, make_shot):
    assert not sunlit(view, make_shot, (-1.0, 0.2, 0.3)).any()
    clear = sunlit(view, make_shot, (1.0, 0.1, 0.2))
    hidden = sunlit(view, make_shot, (1.0, 0.1, 0.2), is_sky=False)
    assert hidden == pytest.approx(0.15 * clear, rel=1e-4)

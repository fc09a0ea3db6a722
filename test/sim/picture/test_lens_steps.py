"""Defocus, motion blur, dirt, drops and vignetting."""

import numpy as np
import pytest

from liquid_control_sim.picture.lens import (
    Defocus,
    Dirt,
    LensDrops,
    Vignetting,
    dirt_mask,
    disc_kernel,
)
from liquid_control_sim.picture.motion_blur import MotionBlur

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("diameter", [0.5, 1.0, 2.4, 5.0, 9.6])
def test_the_disc_sums_to_one_and_has_its_second_moment(diameter):
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


def test_a_disc_without_diameter_changes_nothing(pattern, make_shot):
    assert disc_kernel(1e-9).max() == pytest.approx(1.0, abs=1e-8)
    assert Defocus(1e-9)(pattern, make_shot()) == pytest.approx(pattern, abs=1e-6)


def test_defocus_spreads_a_point_and_keeps_its_light(make_shot):
    point = np.zeros((54, 96, 3), np.float32)
    point[20, 40] = 1.0
    spread = Defocus(6.0)(point, make_shot())
    assert spread.sum(axis=(0, 1)) == pytest.approx([1.0] * 3, abs=1e-5)
    assert spread[20, 40, 0] == pytest.approx(1.0 / (np.pi * 9.0), rel=0.02)
    assert not spread[20, 44:].any()


def test_motion_is_the_projected_motion_of_a_still_scene(view, make_shot):
    shutter = 1e-4
    shot = make_shot(
        range_m=6.0,
        velocity=np.array([2.0, -0.5, 0.3]),
        angular_velocity=np.array([0.4, -0.9, 0.6]),
    )
    u, v = MotionBlur(shutter, view).motion_px(shot)
    rays = view.rays.reshape(54, 96, 3).astype(float)
    moving = shot.rotation.T.astype(float) @ shot.velocity
    before, after = (
        rays * 6.0 + sign * 0.5 * shutter * (-moving - np.cross(shot.angular_velocity, rays * 6.0))
        for sign in (-1.0, 1.0)
    )
    expected = 48.0 * (after[..., :2] / after[..., 2:] - before[..., :2] / before[..., 2:])
    assert np.stack([u, v], axis=2) == pytest.approx(expected, abs=2e-6)


def test_a_still_camera_does_not_blur(view, pattern, make_shot):
    assert MotionBlur(0.05, view)(pattern, make_shot()) is pattern


def test_turning_smears_along_the_row(view, make_shot):
    line = np.zeros((54, 96, 3), np.float32)
    line[:, 48] = 1.0
    # Yaw at w smears the middle by f w T = 48 * 1 * 0.1 = 4.8 pixels.
    shot = make_shot(angular_velocity=np.array([0.0, 1.0, 0.0]))
    smeared = MotionBlur(0.1, view)(line, shot)
    touched = np.flatnonzero(smeared[27, :, 0] > 0.02)
    assert 4 <= touched[-1] - touched[0] <= 7
    assert smeared[27, :, 0].sum() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 1.0])
def test_dirt_covers_its_share(share):
    mask = dirt_mask(share, (54, 96), 5)
    assert mask.mean() == pytest.approx(share, abs=1e-4)
    assert mask.min() >= 0.0
    assert mask.max() <= 1.0


def test_more_dirt_grows_out_of_less_and_is_drawn_by_seed():
    little, more = dirt_mask(0.1, (54, 96), 5), dirt_mask(0.3, (54, 96), 5)
    assert (more >= little).all()
    assert np.array_equal(little, dirt_mask(0.1, (54, 96), 5))
    assert not np.array_equal(little, dirt_mask(0.1, (54, 96), 6))


def test_dirt_lowers_contrast_where_it_is(pattern, make_shot):
    mask = dirt_mask(0.3, (54, 96), 5)
    seen = Dirt(0.3, (54, 96), 5)(pattern, make_shot())
    assert seen[mask == 0.0] == pytest.approx(pattern[mask == 0.0])
    assert seen[mask > 0.95].std() < 0.3 * pattern[mask > 0.95].std()


def test_more_drops_leave_the_first_where_they_were(make_shot, pattern):
    few, many = (LensDrops(count, (54, 96), 2) for count in (3, 12))
    assert (many._cover >= few._cover).all()
    assert many._cover.mean() > few._cover.mean() > 0.0
    clear = many._cover == 0.0
    seen = many(pattern, make_shot())
    assert seen[clear] == pytest.approx(pattern[clear])
    assert np.abs(seen - pattern)[~clear].mean() > 0.05
    assert np.array_equal(LensDrops(3, (54, 96), 2)._cover, few._cover)
    assert not np.array_equal(LensDrops(3, (54, 96), 3)._cover, few._cover)


def test_a_drop_shows_the_scene_upside_down(make_shot):
    drops = LensDrops(1, (270, 480), 2)
    rows, columns = np.nonzero(drops._cover > 0.9)
    top, bottom = rows.argmin(), rows.argmax()
    assert drops._rows[rows[top], columns[top]] > drops._rows[rows[bottom], columns[bottom]]


def test_vignetting_takes_its_share_in_the_corner_and_follows_cos4(view, make_shot):
    white = np.ones((54, 96, 3), np.float32)
    seen = Vignetting(0.6, view)(white, make_shot())
    assert seen[0, 0] == pytest.approx([0.4] * 3, abs=1e-6)
    assert seen[27, 48] == pytest.approx([1.0] * 3, abs=1e-3)
    cos4 = view.rays[:, 2].reshape(54, 96).astype(float) ** 4
    expected = 1.0 - 0.6 * (1.0 - cos4) / (1.0 - cos4.min())
    assert seen[..., 1] == pytest.approx(expected, abs=1e-6)

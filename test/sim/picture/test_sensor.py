"""Motion blur, noise, exposure, JPEG, frozen frames, blackouts and published changes."""

import cv2
import numpy as np
import pytest

from liquid_control.config import CameraSettings, DeltaSettings
from liquid_control.perception import deltas
from liquid_control.perception.deltas import published_changes
from liquid_control.seeding import stream
from liquid_control_sim.picture.light import Exposure
from liquid_control_sim.picture.pipeline import quantise
from liquid_control_sim.picture.sensor import (
    Blackout,
    Freezer,
    Jpeg,
    MotionBlur,
    SensorNoise,
    compression,
    normal_quantiles,
    standard_normals,
)
from liquid_control_sim.picture.shot import Shot

pytestmark = pytest.mark.sim


@pytest.fixture
def pixels(pattern) -> np.ndarray:
    return (255.0 * cv2.GaussianBlur(pattern, (0, 0), 2.0)).astype(np.uint8)


@pytest.mark.parametrize("quality", [5, 20, 60])
def test_jpeg_equals_opencv(pixels, quality):
    arrived = Jpeg(quality)(pixels, 0)
    _, coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert np.array_equal(arrived, cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def test_jpeg_loses_more_at_lower_quality(pixels):
    lost = [np.abs(Jpeg(q)(pixels, 0).astype(int) - pixels).mean() for q in (90, 40, 5)]
    assert lost[0] < lost[1] < lost[2]
    assert compression(CameraSettings()) == ()


def test_frames_freeze_at_the_given_rate_by_seed():
    freezer = Freezer(0.3, 4)
    frozen = [freezer.freezes(index) for index in range(4000)]
    assert not frozen[0]
    # 4,000 draws: the standard error is 0.72 %; five of them fail with 6e-7.
    assert np.mean(frozen) == pytest.approx(0.3, abs=0.036)
    assert frozen[:50] == [Freezer(0.3, 4).freezes(index) for index in range(50)]
    assert frozen[:50] != [Freezer(0.3, 5).freezes(index) for index in range(50)]
    # A higher rate freezes the same frames and more.
    assert all(Freezer(0.6, 4).freezes(i) for i in range(4000) if frozen[i])


def test_blackout_covers_its_period():
    blackout = Blackout(2.0, 0.5, 0)
    assert [blackout.covers(t) for t in (1.999, 2.0, 2.499, 2.5)] == [False, True, True, False]


def test_blackout_without_a_time_starts_in_the_first_20_s():
    begins = [Blackout(None, 1.0, seed).from_s for seed in range(300)]
    assert begins[7] == Blackout(None, 4.0, 7).from_s
    assert 0.0 <= min(begins) < 2.0
    assert 18.0 < max(begins) <= 20.0


def test_published_changes_are_applied_in_order_if_set(pixels):
    assert published_changes(DeltaSettings(), 1) == ()
    steps = published_changes(DeltaSettings(contrast=1.75, brightness=-0.2, saturation=2.5), 1)
    changed = pixels
    for step in steps:
        changed = step(changed, 0)
    expected = deltas.brightness(pixels, -0.2)
    expected = deltas.saturation(deltas.contrast(expected, 1.75), 2.5)
    assert np.array_equal(changed, expected)


def test_published_noise_has_its_own_stream(pixels):
    (step,) = published_changes(DeltaSettings(noise=30.0), 6)
    expected = deltas.noisy_pixels(pixels, 30.0, stream(6, "delta.noise.9"))
    assert np.array_equal(step(pixels, 9), expected)
    assert not np.array_equal(step(pixels, 10), expected)


def test_motion_field_is_that_of_a_static_scene(view, make_shot):
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


def test_static_camera_does_not_blur(view, pattern, make_shot):
    assert MotionBlur(0.05, view)(pattern, make_shot()) is pattern


def test_yaw_blurs_along_the_row(view, make_shot):
    line = np.zeros((54, 96, 3), np.float32)
    line[:, 48] = 1.0
    # Yaw at w smears the middle by f w T = 48 * 1 * 0.1 = 4.8 pixels.
    shot = make_shot(angular_velocity=np.array([0.0, 1.0, 0.0]))
    smeared = MotionBlur(0.1, view)(line, shot)
    touched = np.flatnonzero(smeared[27, :, 0] > 0.02)
    assert 4 <= touched[-1] - touched[0] <= 7
    assert smeared[27, :, 0].sum() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01])
def test_shot_noise_variance_grows_as_light_fades(level, make_shot):
    noise = SensorNoise(0.01, 0.0, 3, level)
    flat = np.full((54, 96, 3), 0.5, np.float32)
    sample = np.concatenate([noise(flat, make_shot(frame_index=i)) for i in range(4)])
    # 62,208 normals: the standard error of the variance is 0.57 %. At five of them a correct
    # step fails by chance with probability 6e-7.
    assert sample.var() == pytest.approx(1e-4 * 0.5 / level, rel=0.029)


HEIGHT, WIDTH = 60, 100


def shot(range_m=10.0, frame_index=0, is_sky=False) -> Shot:
    return Shot(
        range_m=np.full((HEIGHT, WIDTH), range_m, np.float32),
        is_sky=np.full((HEIGHT, WIDTH), is_sky),
        rays=np.tile(np.float32([0.0, 0.0, 1.0]), (HEIGHT * WIDTH, 1)),
        rotation=np.eye(3, dtype=np.float32),
        frame_index=frame_index,
    )


def picture(value=0.5) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), value, np.float32)


def test_exposure_and_quantise_equal_opencv_in_every_bit():
    rng = np.random.default_rng(4)
    light = rng.uniform(-0.2, 1.4, (54, 96, 3)).astype(np.float32)
    light[0, :, 0] = (np.arange(96) + 0.5) / 255.0
    exposed, _ = Exposure(1.37)(light, 0.0, None)
    assert np.array_equal(exposed, cv2.multiply(light, np.full(4, 1.37)))
    for picture in (light, exposed):
        expected = cv2.multiply(picture, np.full(4, 255.0), dtype=cv2.CV_8U)
        assert np.array_equal(quantise(picture), expected)


def test_exposure_multiplies_and_quantise_clips_and_rounds():
    exposed = Exposure(1.6)(picture(0.5), 0.0, None)[0]
    assert exposed == pytest.approx(0.8)
    assert (quantise(exposed) == 204).all()
    assert (quantise(Exposure(3.0)(picture(0.5), 0.0, None)[0]) == 255).all()
    assert (quantise(picture(-0.2)) == 0).all()
    assert (quantise(picture(100.6 / 255.0)) == 101).all()


@pytest.mark.parametrize(
    ("shot_noise", "read_sigma", "value"), [(0.0, 0.05, 0.5), (0.02, 0.0, 0.25), (0.03, 0.04, 0.8)]
)
def test_noise_has_the_given_standard_deviation(shot_noise, read_sigma, value):
    noise = SensorNoise(shot_noise, read_sigma, seed=3)
    sample = np.concatenate([noise(picture(value), shot(frame_index=i)) for i in range(5)]) - value
    expected = np.sqrt(shot_noise**2 * value + read_sigma**2)
    # 90,000 normals: the standard error of sigma is 0.24 %, of the mean 0.0033 sigma. At five
    # of them a correct step fails by chance with probability 6e-7 each; the seed is also fixed.
    assert sample.std() == pytest.approx(expected, rel=0.012)
    assert abs(sample.mean()) < 0.017 * expected


def test_noise_depends_on_seed_and_frame_only():
    first = SensorNoise(0.01, 0.05, seed=3)
    again = SensorNoise(0.01, 0.05, seed=3)
    other = SensorNoise(0.01, 0.05, seed=4)
    again(picture(), shot(frame_index=6))
    base = first(picture(), shot(frame_index=7))
    assert np.array_equal(base, again(picture(), shot(frame_index=7)))
    assert not np.array_equal(base, first(picture(), shot(frame_index=8)))
    assert not np.array_equal(base, other(picture(), shot(frame_index=7)))


def test_noise_has_the_moments_and_the_quantiles_of_a_normal_distribution():
    drawn = standard_normals(stream(1, "noise"), 400_001).astype(float)
    # Deviations of 400,001 draws: mean 0.0016, variance 0.0022, fourth moment 0.0155, share
    # within one deviation 0.00074; five of them fail with 6e-7.
    assert drawn.shape == (400_001,)
    assert drawn.mean() == pytest.approx(0.0, abs=0.008)
    assert drawn.var() == pytest.approx(1.0, abs=0.011)
    assert (drawn**4).mean() == pytest.approx(3.0, abs=0.08)
    assert (abs(drawn) < 1.0).mean() == pytest.approx(0.682689, abs=0.0037)
    assert abs((drawn[1:] * drawn[:-1]).mean()) < 0.008
    table = normal_quantiles()
    assert (len(table), len(set(table.tolist()))) == (16_384, 16_384)
    assert np.array_equal(table, -table[::-1])
    assert float(table[-1]) == pytest.approx(4.0088, abs=1e-4)


def test_noise_of_a_picture_depends_on_seed_and_frame_only():
    first, again = (standard_normals(stream(3, "camera.noise.7"), 10) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, standard_normals(stream(3, "camera.noise.8"), 10))
    assert np.array_equal(first[:5], standard_normals(stream(3, "camera.noise.7"), 5))

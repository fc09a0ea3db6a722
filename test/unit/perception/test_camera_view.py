"""Resizing and standardising of pictures, and the checks of cameras."""

import numpy as np
import pytest

from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception import CameraView, fit, moments, standardise

pytestmark = pytest.mark.unit

VIEW = CameraView(96, 54, 90.0, 15.0)


def scene(height=54, width=96, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.linspace(0, 1, height)[:, None, None]
    columns = np.linspace(0, 1, width)[None, :, None]
    smooth = 60 + 90 * rows + 60 * np.sin(6 * columns + np.arange(3))
    return np.clip(smooth + rng.normal(0, 8, (height, width, 3)), 0, 255).astype(np.uint8)


def test_picture_of_the_models_size_is_returned_unchanged():
    image = scene()
    assert fit(image, VIEW) is image


def test_larger_pictures_are_averaged():
    small = scene()
    large = small.repeat(3, axis=0).repeat(3, axis=1)
    np.testing.assert_array_equal(fit(large, VIEW), small)


def test_averaging_reduces_noise():
    rng = np.random.default_rng(0)
    noisy = (128 + rng.normal(0, 20, (540, 960, 3))).clip(0, 255).astype(np.uint8)
    fitted = fit(noisy, VIEW)
    assert fitted.shape == (54, 96, 3)
    assert fitted.std() < 3.0


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((54, 96, 3)), "an image of uint8, got float64"),
        (np.zeros((54, 96), np.uint8), r"shape \(height, width, 3\), got \(54, 96\)"),
        (np.zeros((54, 96, 4), np.uint8), r"shape \(height, width, 3\), got \(54, 96, 4\)"),
        ([[1]], "an image of uint8, got list"),
        (
            np.zeros((48, 85, 3), np.uint8),
            "at least 96x54 of that shape, got a smaller image, 85x48",
        ),
        (np.zeros((480, 640, 3), np.uint8), "got another aspect ratio, 640x480"),
        (np.zeros((0, 96, 3), np.uint8), "got a smaller image, 96x0"),
    ],
)
def test_rejects_pictures(image, message):
    with pytest.raises(ObservationError, match=message):
        fit(image, VIEW)


@pytest.mark.parametrize(
    ("width", "height", "fov"), [(96, 54, 90.0), (640, 360, 89.2), (128, 72, 91)]
)
def test_accepts_cameras(width, height, fov):
    VIEW.check_camera(width, height, fov, "rgb8", 16.0)


@pytest.mark.parametrize(
    ("camera", "error", "message"),
    [
        ((96, 54, 70.0), ModelError, "field of view of 90 [+]- 1 degrees, got 70"),
        ((96, 54, float("nan")), ModelError, "field of view of 90 [+]- 1 degrees, got nan"),
        ((640, 480, 90.0), ModelError, "got another aspect ratio, 640x480"),
        ((80, 45, 90.0), ModelError, "got a smaller image, 80x45"),
        ((96, 54, 90.0, "bgr8"), ObservationError, "encoding rgb8, got 'bgr8'"),
        ((96, 54, 90.0, "rgb8", 0.0), ModelError, "pitched down by 15 [+]- 3 degrees, got 0"),
    ],
)
def test_rejects_cameras(camera, error, message):
    with pytest.raises(error, match=message):
        VIEW.check_camera(*camera)


def test_standardised_pictures_have_mean_zero_and_deviation_one():
    picture = standardise(scene())
    assert picture.shape == (3, 54, 96)
    assert picture.dtype == np.float32
    assert picture.mean() == pytest.approx(0.0, abs=1e-5)
    assert picture.std() == pytest.approx(1.0, abs=1e-5)


def test_moments_are_exact():
    image = scene()
    assert moments(image) == pytest.approx((image.mean(), image.std()), abs=1e-9)


def test_standardising_removes_exposure():
    image = scene()
    darker = np.round(image * 0.3).astype(np.uint8)
    assert np.abs(standardise(darker) - standardise(image)).max() < 0.05
    shifted = (image // 2 + 60).astype(np.uint8)
    assert np.abs(standardise(shifted) - standardise(image)).max() < 0.05


def test_standardising_keeps_colour():
    red = np.zeros((54, 96, 3), np.uint8)
    red[..., 0] = 200
    picture = standardise(red)
    assert (picture[0] > 1).all()
    assert (picture[1:] < -0.5).all()


@pytest.mark.parametrize("value", [0, 7, 255])
def test_constant_pictures_give_zeros(value):
    assert not standardise(np.full((54, 96, 3), value, np.uint8)).any()


def test_noise_of_a_dark_picture_is_not_amplified():
    noise = np.random.default_rng(0).integers(0, 2, (54, 96, 3)).astype(np.uint8)
    assert np.abs(standardise(noise)).max() < 0.3

"""The part of a camera's picture that shows what a model's camera shows."""

from math import atan, degrees, radians, tan

import numpy as np
import pytest

from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception.camera_view import CameraView, fit
from liquid_control.perception.viewfinder import Framing

pytestmark = pytest.mark.unit

VIEW = CameraView(96, 54, 90.0)


def part(width, height, fov_deg, view=VIEW):
    framing = Framing.of(view, width, height, fov_deg)
    return framing.left, framing.top, framing.part_width, framing.part_height


@pytest.mark.parametrize("fov_deg", [90.0, 89.2, 90.9, None])
def test_the_models_own_camera_is_taken_whole(fov_deg):
    assert part(96, 54, fov_deg) == (0, 0, 96, 54)
    assert part(1920, 1080, fov_deg) == (0, 0, 1920, 1080)


@pytest.mark.parametrize("fov_deg", [90.0, None])
def test_of_a_higher_picture_the_middle_rows_are_taken(fov_deg):
    assert part(640, 480, fov_deg) == (0, 60, 640, 360)


def test_of_a_wider_view_the_middle_is_taken():
    """120 degrees across: tan 45 / tan 60 of the columns."""
    left, top, width, height = part(640, 480, 120.0)
    assert width == round(640 / tan(radians(60)))
    assert height == round(width * 54 / 96)
    assert (left, top) == ((640 - width) // 2, (480 - height) // 2)


def test_the_part_shows_the_models_field_of_view():
    """What a pinhole camera paints by its columns' angles, found again at the part's edges."""
    width, height, fov_deg = 1280, 960, 110.0
    focal_px = width / 2 / tan(radians(fov_deg / 2))
    framing = Framing.of(VIEW, width, height, fov_deg)
    edges = (framing.left - width / 2, framing.left + framing.part_width - width / 2)
    seen = [degrees(atan(edge / focal_px)) for edge in edges]
    assert seen == pytest.approx([-45.0, 45.0], abs=0.1)
    rows = (framing.top - height / 2) / focal_px
    assert rows == pytest.approx(-54 / 96, abs=2 / focal_px)


def test_of_a_wider_picture_without_a_known_view_the_middle_columns_are_taken():
    assert part(1280, 480, None) == ((1280 - 853) // 2, 0, 853, 480)


def test_the_part_is_a_view_and_fits_the_model():
    framing = Framing.of(VIEW, 640, 480, 90.0)
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    cut = framing.crop(image)
    assert np.shares_memory(cut, image)
    np.testing.assert_array_equal(cut, image[60:420])
    assert fit(cut, VIEW).shape == (54, 96, 3)


@pytest.mark.parametrize("size", [(640, 480), (848, 480), (1280, 720), (752, 480), (1440, 1080)])
@pytest.mark.parametrize("fov_deg", [91.5, 100.0, 120.0, 150.0, None])
def test_every_part_fits_the_model(size, fov_deg):
    width, height = size
    framing = Framing.of(VIEW, width, height, fov_deg)
    image = np.zeros((height, width, 3), np.uint8)
    assert fit(framing.crop(image), VIEW).shape == (54, 96, 3)


@pytest.mark.parametrize(
    ("size", "fov_deg", "error", "message"),
    [
        ((640, 480), 69.0, ModelError, r"field of view of 90 \+- 1 degrees or more, got 69"),
        ((1280, 400), 100.0, ModelError, "expects 604 rows .* got a 1280x400 camera"),
        ((64, 48), 90.0, ObservationError, "at least 96x54 pixels of its view, got 64x36 of a"),
        ((200, 150), 150.0, ObservationError, "got 54x30 of a 200x150 picture"),
        ((0, 480), 90.0, ObservationError, "expected a picture with pixels, got 0x480"),
        ((640, 480), 200.0, ObservationError, "between 0 and 180 degrees, got 200"),
        ((640, 480), float("nan"), ObservationError, "between 0 and 180 degrees, got nan"),
    ],
)
def test_cameras_that_see_too_little_are_one_line(size, fov_deg, error, message):
    with pytest.raises(error, match=message) as refused:
        Framing.of(VIEW, *size, fov_deg)
    assert "\n" not in str(refused.value)


def test_a_picture_of_another_size_is_refused():
    framing = Framing.of(VIEW, 640, 480, None)
    with pytest.raises(ObservationError, match="expected 640x480 pixels, got 320x240"):
        framing.crop(np.zeros((240, 320, 3), np.uint8))

"""Cropping of camera pictures to the view of a model."""

from math import atan, degrees, radians, tan

import numpy as np
import pytest

from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception import CameraModel, CameraView, Framing, Viewfinder, fit

pytestmark = pytest.mark.unit

VIEW = CameraView(width=96, height=54, horizontal_fov_deg=90.0)
TWICE_DEG = degrees(2.0 * atan(2.0))
"""Field of view of a camera that is twice as wide as the model's."""


def picture(width: int, height: int):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_picture_of_the_models_size_is_not_cropped():
    image = picture(96, 54)
    finder = Viewfinder(VIEW)
    assert finder.frame(image).base is image
    np.testing.assert_array_equal(finder.frame(image), image)
    finder.set_camera(96, 54, 90.5)
    np.testing.assert_array_equal(finder.frame(image), image)


def test_larger_picture_of_the_same_view_is_not_cropped():
    image = picture(192, 108)
    np.testing.assert_array_equal(Viewfinder(VIEW).frame(image), image)


def test_wider_camera_is_cropped_to_the_models_view():
    image = picture(384, 288)
    finder = Viewfinder(VIEW)
    finder.set_camera(384, 288, TWICE_DEG)
    np.testing.assert_array_equal(finder.frame(image), image[90:198, 96:288])
    with_fov = Viewfinder(VIEW, horizontal_fov_deg=TWICE_DEG)
    np.testing.assert_array_equal(with_fov.frame(image), image[90:198, 96:288])


def test_resized_pictures_keep_their_field_of_view():
    image = picture(192, 144)
    finder = Viewfinder(VIEW)
    finder.set_camera(384, 288, TWICE_DEG)
    np.testing.assert_array_equal(finder.frame(image), image[45:99, 48:144])


def test_camera_can_change():
    finder = Viewfinder(VIEW)
    assert finder.frame(picture(96, 54)).shape == (54, 96, 3)
    finder.set_camera(384, 288, TWICE_DEG)
    assert finder.frame(picture(384, 288)).shape == (108, 192, 3)
    finder.set_camera(384, 288, 90.0)
    assert finder.frame(picture(384, 288)).shape == (216, 384, 3)


def test_other_shape_is_not_cropped_while_the_field_of_view_is_unknown():
    with pytest.raises(ObservationError, match=r"got 640x480; cropping needs camera_info"):
        Viewfinder(VIEW).frame(picture(640, 480))


def test_camera_info_of_another_shape_is_rejected():
    finder = Viewfinder(VIEW)
    finder.set_camera(640, 480, 100.0)
    with pytest.raises(ObservationError, match="640x480 pixels, got pictures of another shape"):
        finder.frame(picture(192, 108))


def test_camera_with_a_smaller_view_is_rejected():
    finder = Viewfinder(VIEW)
    finder.set_camera(96, 54, 40.0)
    with pytest.raises(ModelError, match=r"field of view of 90 .* got 40"):
        finder.frame(picture(96, 54))


def test_only_the_models_view_is_accepted_without_cropping():
    finder = Viewfinder(VIEW, crop=False)
    image = picture(192, 108)
    np.testing.assert_array_equal(finder.frame(image), image)
    with pytest.raises(ModelError, match="another aspect ratio, 640x480"):
        finder.frame(picture(640, 480))
    finder.set_camera(192, 108, TWICE_DEG)
    with pytest.raises(ModelError, match="field of view of 90"):
        finder.frame(image)


def test_picture_without_pixels_is_rejected():
    with pytest.raises(ObservationError, match="got 0x0"):
        Viewfinder(VIEW).frame(np.zeros((0, 0, 3), np.uint8))


def part(width, height, fov_deg, view=VIEW):
    framing = Framing.of(view, width, height, fov_deg)
    return framing.left, framing.top, framing.part_width, framing.part_height


@pytest.mark.parametrize("fov_deg", [90.0, 89.2, 90.9, None])
def test_camera_equal_to_the_models_is_not_cropped(fov_deg):
    assert part(96, 54, fov_deg) == (0, 0, 96, 54)
    assert part(1920, 1080, fov_deg) == (0, 0, 1920, 1080)


@pytest.mark.parametrize("fov_deg", [90.0, None])
def test_taller_picture_is_cropped_to_its_middle_rows(fov_deg):
    assert part(640, 480, fov_deg) == (0, 60, 640, 360)


def test_wider_view_is_cropped_to_its_middle():
    """120 degrees across: tan 45 / tan 60 of the columns."""
    left, top, width, height = part(640, 480, 120.0)
    assert width == round(640 / tan(radians(60)))
    assert height == round(width * 54 / 96)
    assert (left, top) == ((640 - width) // 2, (480 - height) // 2)


def test_part_covers_the_models_field_of_view():
    """The edges of the part are at the angles of a pinhole camera."""
    width, height, fov_deg = 1280, 960, 110.0
    focal_px = width / 2 / tan(radians(fov_deg / 2))
    framing = Framing.of(VIEW, width, height, fov_deg)
    edges = (framing.left - width / 2, framing.left + framing.part_width - width / 2)
    angles_deg = [degrees(atan(edge / focal_px)) for edge in edges]
    assert angles_deg == pytest.approx([-45.0, 45.0], abs=0.1)
    rows = (framing.top - height / 2) / focal_px
    assert rows == pytest.approx(-54 / 96, abs=2 / focal_px)


def test_wider_picture_of_unknown_view_is_cropped_to_its_middle_columns():
    assert part(1280, 480, None) == ((1280 - 853) // 2, 0, 853, 480)


def test_part_is_an_array_view_and_fits_the_model():
    framing = Framing.of(VIEW, 640, 480, 90.0)
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    cropped = framing.crop(image)
    assert np.shares_memory(cropped, image)
    np.testing.assert_array_equal(cropped, image[60:420])
    assert fit(cropped, VIEW).shape == (54, 96, 3)


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
def test_cameras_with_too_small_a_view_raise_one_line_errors(size, fov_deg, error, message):
    with pytest.raises(error, match=message) as caught:
        Framing.of(VIEW, *size, fov_deg)
    assert "\n" not in str(caught.value)


def test_picture_of_another_size_is_rejected():
    framing = Framing.of(VIEW, 640, 480, None)
    with pytest.raises(ObservationError, match="expected 640x480 pixels, got 320x240"):
        framing.crop(np.zeros((240, 320, 3), np.uint8))


RANGED = CameraView(width=96, height=54, horizontal_fov_deg=90.0, fov_range_deg=(75.0, 105.0))


@pytest.mark.parametrize("fov_deg", [74.2, 75.0, 83.4, 90.0, 105.0, 105.9])
def test_a_camera_in_the_range_of_the_model_is_not_cropped(fov_deg):
    framing = Framing.of(RANGED, 640, 360, fov_deg)
    assert (framing.part_width, framing.part_height, framing.fov_deg) == (640, 360, fov_deg)
    assert part(640, 480, fov_deg, RANGED) == (0, 60, 640, 360)


def test_a_camera_wider_than_the_range_is_cropped_to_its_widest_view():
    framing = Framing.of(RANGED, 1280, 720, 120.0)
    assert framing.part_width == round(1280 * tan(radians(52.5)) / tan(radians(60.0)))
    assert framing.fov_deg == 105.0


@pytest.mark.parametrize("fov_deg", [73.9, 40.0])
def test_only_a_camera_narrower_than_the_range_is_refused(fov_deg):
    with pytest.raises(ModelError, match=r"field of view of 75 \+- 1 degrees or more, got"):
        Framing.of(RANGED, 640, 360, fov_deg)


def test_a_camera_with_few_rows_is_cropped_to_a_narrower_view_in_the_range():
    framing = Framing.of(RANGED, 1280, 600, 104.0)
    expected = degrees(2.0 * atan(1067 / 1280 * tan(radians(52.0))))
    assert (framing.part_width, framing.part_height) == (1067, 600)
    assert framing.fov_deg == pytest.approx(expected)
    focal_px = 640 / tan(radians(52.0))
    pinhole = CameraModel(1280, 600, focal_px, focal_px, 639.5, 299.5)
    assert Framing.of(RANGED, 1280, 600, 104.0, pinhole).fov_deg == pytest.approx(expected)
    with pytest.raises(ModelError, match="expects 720 rows"):
        Framing.of(RANGED, 1280, 400, 104.0)
    with pytest.raises(ModelError, match="rows"):
        Framing.of(VIEW, 1280, 540, 104.0)


def test_the_field_of_view_of_the_part_is_known_with_that_of_the_camera():
    finder = Viewfinder(RANGED)
    assert finder.fov_deg is None
    finder.frame(picture(192, 108))
    assert finder.fov_deg is None
    finder.set_camera(192, 108, 81.5)
    finder.frame(picture(192, 108))
    assert finder.fov_deg == 81.5
    exact = Viewfinder(RANGED, crop=False, horizontal_fov_deg=100.0)
    exact.frame(picture(192, 108))
    assert exact.fov_deg == 100.0

from math import atan, degrees

import numpy as np
import pytest

from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception.camera_view import CameraView
from liquid_control.perception.viewfinder import Viewfinder

pytestmark = pytest.mark.unit

VIEW = CameraView(width=96, height=54, horizontal_fov_deg=90.0)
TWICE_DEG = degrees(2.0 * atan(2.0))
"""The field of view of a camera that is twice as wide as the model's."""


def picture(width: int, height: int):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_picture_of_the_models_size_is_handed_on_as_it_is():
    image = picture(96, 54)
    finder = Viewfinder(VIEW)
    assert finder.frame(image).base is image
    np.testing.assert_array_equal(finder.frame(image), image)
    finder.calibrated(96, 54, 90.5)
    np.testing.assert_array_equal(finder.frame(image), image)


def test_a_larger_picture_of_the_same_view_is_left_whole():
    image = picture(192, 108)
    np.testing.assert_array_equal(Viewfinder(VIEW).frame(image), image)


def test_the_models_view_is_cut_out_of_a_wider_camera():
    image = picture(384, 288)
    finder = Viewfinder(VIEW)
    finder.calibrated(384, 288, TWICE_DEG)
    np.testing.assert_array_equal(finder.frame(image), image[90:198, 96:288])
    told = Viewfinder(VIEW, horizontal_fov_deg=TWICE_DEG)
    np.testing.assert_array_equal(told.frame(image), image[90:198, 96:288])


def test_pictures_that_were_made_smaller_keep_their_field_of_view():
    image = picture(192, 144)
    finder = Viewfinder(VIEW)
    finder.calibrated(384, 288, TWICE_DEG)
    np.testing.assert_array_equal(finder.frame(image), image[45:99, 48:144])


def test_a_camera_may_change():
    finder = Viewfinder(VIEW)
    assert finder.frame(picture(96, 54)).shape == (54, 96, 3)
    finder.calibrated(384, 288, TWICE_DEG)
    assert finder.frame(picture(384, 288)).shape == (108, 192, 3)
    finder.calibrated(384, 288, 90.0)
    assert finder.frame(picture(384, 288)).shape == (216, 384, 3)


def test_another_shape_is_not_cut_while_the_field_of_view_is_unknown():
    with pytest.raises(ObservationError, match=r"got 640x480; to cut them needs camera_info"):
        Viewfinder(VIEW).frame(picture(640, 480))


def test_camera_info_of_another_shape_is_refused():
    finder = Viewfinder(VIEW)
    finder.calibrated(640, 480, 100.0)
    with pytest.raises(ObservationError, match="640x480 pixels, got pictures of another shape"):
        finder.frame(picture(192, 108))


def test_a_camera_that_sees_less_is_refused():
    finder = Viewfinder(VIEW)
    finder.calibrated(96, 54, 40.0)
    with pytest.raises(ModelError, match=r"field of view of 90 .* got 40"):
        finder.frame(picture(96, 54))


def test_without_cropping_only_the_models_own_view_passes():
    finder = Viewfinder(VIEW, crop=False)
    image = picture(192, 108)
    np.testing.assert_array_equal(finder.frame(image), image)
    with pytest.raises(ModelError, match="another aspect ratio, 640x480"):
        finder.frame(picture(640, 480))
    finder.calibrated(192, 108, TWICE_DEG)
    with pytest.raises(ModelError, match="field of view of 90"):
        finder.frame(image)


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ObservationError, match="got 0x0"):
        Viewfinder(VIEW).frame(np.zeros((0, 0, 3), np.uint8))

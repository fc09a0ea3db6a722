"""Camera models against exact synthetic cameras, OpenCV and calibrations of real cameras."""

from math import atan, degrees, radians, tan
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception import (
    CameraModel,
    CameraModelError,
    CameraView,
    Framing,
    Viewfinder,
)

pytestmark = pytest.mark.unit

VIEW = CameraView(width=96, height=54, horizontal_fov_deg=90.0)
CALIBRATIONS = Path(__file__).parents[4] / "shared" / "real" / "calib"
SIZE = 640, 480


def matrix(focal_px, cx=319.5, cy=239.5):
    return [focal_px, 0.0, cx, 0.0, focal_px, cy, 0.0, 0.0, 1.0]


def test_a_pinhole_has_the_angles_of_its_edges():
    assert CameraModel.of(SIZE, matrix(320.0)).horizontal_fov_deg == pytest.approx(90.0, rel=1e-12)
    aside = CameraModel.of(SIZE, matrix(320.0, cx=399.5))
    assert aside.angle_deg(0.0) == pytest.approx(-degrees(atan(400 / 320)))
    assert aside.angle_deg(640.0) == pytest.approx(degrees(atan(240 / 320)))
    assert aside.column(45.0) == pytest.approx(720.0)


@pytest.mark.parametrize("fov_deg", [90.0, 150.0, 190.0, 220.0])
def test_an_equidistant_camera_has_equal_pixels_for_equal_angles(fov_deg):
    focal_px = 320.0 / radians(fov_deg / 2)
    model = CameraModel.of(SIZE, matrix(focal_px), "equidistant", [0.0] * 4)
    assert model.horizontal_fov_deg == pytest.approx(fov_deg, rel=1e-12)
    assert model.column(fov_deg / 4) == pytest.approx(480.0)
    pinhole_deg = 2 * degrees(atan(320.0 / focal_px))
    assert abs(pinhole_deg - fov_deg) > 10.0


def projected(angle_deg, k, coefficients):
    """Return the position of a point at an angle to the right of the axis, by OpenCV."""
    point = np.array([[[tan(radians(angle_deg)), 0.0, 1.0]]])
    still = np.zeros(3)
    k, d = np.reshape(k, (3, 3)).astype(float), np.array(coefficients, float)
    return float(cv2.projectPoints(point, still, still, k, d)[0].reshape(-1)[0]) + 0.5


DISTORTIONS = {
    "plumb_bob": (-0.28, 0.08, 0.002, -0.003, -0.01),
    "rational_polynomial": (0.3, 0.1, 0.001, -0.001, 0.02, 0.6, 0.2, 0.01),
}


@pytest.mark.parametrize("name", DISTORTIONS)
def test_edges_of_a_distorted_camera_are_those_of_opencv(name):
    model = CameraModel.of(SIZE, matrix(400.0, 300.0, 250.0), name, DISTORTIONS[name])
    for column in (0.0, 100.0, 500.0, 640.0):
        angle_deg = model.angle_deg(column)
        found = projected(angle_deg, matrix(400.0, 300.0, 250.0), DISTORTIONS[name])
        assert found == pytest.approx(column, abs=1e-6)
        assert model.column(angle_deg) == pytest.approx(column, abs=1e-6)


def test_edges_of_a_fisheye_are_those_of_opencv():
    coefficients = (0.05, -0.01, 0.002, -0.0005)
    model = CameraModel.of(SIZE, matrix(250.0), "equidistant", coefficients)
    angle = np.radians([[[40.0]], [[-70.0]]])
    points = np.concatenate([np.tan(angle), np.zeros_like(angle)], axis=2)
    k = np.array(matrix(250.0)).reshape(3, 3)
    found = cv2.fisheye.distortPoints(points, k, np.array(coefficients))
    assert model.column(40.0) == pytest.approx(found[0, 0, 0] + 0.5)
    assert model.angle_deg(found[1, 0, 0] + 0.5) == pytest.approx(-70.0)


def test_binning_and_region_of_interest_follow_the_pixels():
    full = CameraModel.of((1280, 960), matrix(640.0, 639.5, 479.5))
    binned = CameraModel.of((1280, 960), matrix(640.0, 639.5, 479.5), binning=(2, 2))
    assert (binned.width, binned.height) == SIZE
    assert binned.horizontal_fov_deg == pytest.approx(full.horizontal_fov_deg)
    assert binned.cx == 319.5
    roi = (320, 240, 640, 480)
    part = CameraModel.of((1280, 960), matrix(640.0, 639.5, 479.5), roi=roi)
    assert (part.width, part.height, part.cx) == (640, 480, 319.5)
    assert part.horizontal_fov_deg == pytest.approx(2 * degrees(atan(0.5)))
    left = CameraModel.of(
        (1280, 960), matrix(640.0, 639.5, 479.5), roi=(0, 0, 640, 960), binning=(2, 2)
    )
    assert (left.width, left.height, left.cx) == (320, 480, 319.5)
    assert left.horizontal_fov_deg == pytest.approx(45.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"distortion": "omni", "coefficients": [0.1] * 4}, r"got 'omni' with 4: \[0.1, "),
        ({"distortion": "equidistant", "coefficients": []}, "got 'equidistant' with 0"),
        ({"distortion": "", "coefficients": [0.1] * 5}, "got 'no model' with 5"),
        ({"distortion": "plumb_bob", "coefficients": [0.1] * 7}, "with 7"),
        ({"distortion": "plumb_bob", "coefficients": [float("nan")] * 5}, "nan"),
        ({"roi": (1, 0, 640, 480)}, r"region of interest in 640x480 .* 640x480 at 1,0"),
        ({"distortion": "plumb_bob", "coefficients": [-1.5, 0, 0, 0, 0]}, "ends 25 degrees"),
    ],
)
def test_a_calibration_without_a_field_of_view_asks_for_degrees(fields, message):
    with pytest.raises(CameraModelError, match=message) as caught:
        assert CameraModel.of(SIZE, matrix(320.0), **fields).horizontal_fov_deg
    assert "--topic camera=/name,DEGREES" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("focal_px", [0.0, -1.0, float("nan"), float("inf")])
def test_a_camera_without_a_focal_length_is_not_calibrated(focal_px):
    with pytest.raises(ObservationError, match="expected a calibrated camera, got 640x480"):
        CameraModel.of(SIZE, matrix(focal_px))


@pytest.mark.parametrize("name", ["", "none", "plumb_bob", "rational_polynomial"])
@pytest.mark.parametrize("zeros", [0, 5, 8])
def test_no_distortion_is_a_pinhole(name, zeros):
    model = CameraModel.of(SIZE, matrix(320.0), name, [0.0] * zeros)
    assert model.horizontal_fov_deg == pytest.approx(90.0)


def test_a_crop_has_the_models_angles_at_its_edges():
    for distortion, values in (("equidistant", (0.0,) * 4), ("plumb_bob", (-0.1, 0, 0, 0, 0))):
        model = CameraModel.of(SIZE, matrix(240.0, 330.0, 250.0), distortion, values)
        framing = Framing.of(VIEW, *SIZE, model.horizontal_fov_deg, model)
        edges = framing.left, framing.left + framing.part_width
        angles = [model.angle_deg(edge) for edge in edges]
        assert angles == pytest.approx([-45.0, 45.0], abs=0.3)
        middle = framing.top + framing.part_height / 2
        assert middle == pytest.approx(250.5, abs=1.0)


def test_a_crop_of_a_centred_pinhole_is_the_same_with_and_without_a_model():
    for focal_px in (100.0, 200.0, 300.0, 320.0):
        model = CameraModel.of(SIZE, matrix(focal_px))
        fov_deg = model.horizontal_fov_deg
        assert Framing.of(VIEW, *SIZE, fov_deg, model) == Framing.of(VIEW, *SIZE, fov_deg)


def test_a_picture_that_ends_near_the_axis_is_refused():
    """It is 90 degrees wide, but 20 degrees less on the right than on the left."""
    model = CameraModel.of(SIZE, matrix(310.0, 430.0))
    assert model.horizontal_fov_deg > 88.0
    with pytest.raises(ModelError, match=r"ends \d+\.\d degrees too early at the right"):
        Framing.of(VIEW, *SIZE, 91.5, model)


def test_resized_pictures_keep_the_model():
    model = CameraModel.of((1280, 960), matrix(400.0, 660.0, 480.0))
    finder = Viewfinder(VIEW)
    finder.set_camera(1280, 960, model.horizontal_fov_deg, model)
    image = np.zeros((480, 640, 3), np.uint8)
    image[:, 330] = 255
    part = finder.frame(image)
    bright = int(np.argmax(part[0, :, 0]))
    assert bright == pytest.approx(part.shape[1] / 2, abs=1.0)
    half = model.resized(640, 480)
    assert half.horizontal_fov_deg == pytest.approx(model.horizontal_fov_deg)
    assert part.shape[1] == round(2 * half.fx * tan(radians(45.0)))


def test_a_camera_with_a_problem_is_refused_also_in_the_models_shape():
    finder = Viewfinder(VIEW)
    finder.set_camera(96, 54, float("nan"), problem="give degrees")
    with pytest.raises(ObservationError, match="give degrees"):
        finder.frame(np.zeros((54, 96, 3), np.uint8))
    finder.set_camera(96, 54, 90.0)
    assert finder.frame(np.zeros((54, 96, 3), np.uint8)).shape == (54, 96, 3)


REAL = {
    "bebop2_camera_calib": 77.0,
    "oakd_rgb": 65.0,
    "raspicam_v2_1280x720": 52.5,
    "raspicam_v2_410x308": 63.0,
    "tello_camera_info": 55.0,
}


@pytest.mark.skipif(not CALIBRATIONS.is_dir(), reason="the calibrations are not on this machine")
@pytest.mark.parametrize("name", REAL)
def test_calibrations_of_real_cameras(name):
    content = yaml.safe_load((CALIBRATIONS / f"{name}.yaml").read_text())
    k = content["camera_matrix"]["data"]
    d = content["distortion_coefficients"]["data"]
    size = content["image_width"], content["image_height"]
    model = CameraModel.of(size, k, content["distortion_model"], d)
    for column in (0.0, size[0]):
        assert projected(model.angle_deg(column), k, d) == pytest.approx(column, abs=1e-6)
    assert model.horizontal_fov_deg == pytest.approx(REAL[name], abs=1.5)
    image = np.zeros((size[1], size[0], 3), np.uint8)
    finder = Viewfinder(VIEW)
    finder.set_camera(*size, model.horizontal_fov_deg, model)
    with pytest.raises(ModelError, match=r"field of view of 90 \+- 1 degrees or more, got"):
        finder.frame(image)
    half = CameraView(96, 54, model.horizontal_fov_deg - 12.0)
    narrower = Viewfinder(half)
    narrower.set_camera(*size, model.horizontal_fov_deg, model)
    assert narrower.frame(image).shape[1] < size[0]

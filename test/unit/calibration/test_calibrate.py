"""Calibration of bags whose pictures are views of a distant panorama by a turning camera."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from liquid_control import message_types
from liquid_control.bags import BagWriter, load_rules
from liquid_control.bags.writing import messages
from liquid_control.calibration import calibrate, solver
from liquid_control.calibration.rotation import GyroRotation
from liquid_control.cli.main import main
from liquid_control.config.sections import CameraSettings
from liquid_control.errors import BagError
from liquid_control.seeding import stream

pytestmark = pytest.mark.unit

CAMERA = CameraSettings(width=320, height=180, horizontal_fov_deg=80.0)
PITCH_DEG, DELAY_S = 20.0, 0.05
SECONDS, FRAME_HZ, GYRO_HZ = 10.0, 20, 200
IMAGE, INFO, IMU = "camera/image_raw", "camera/camera_info", "imu/data"
TYPES = {
    IMAGE: message_types.IMAGE,
    INFO: message_types.CAMERA_INFO,
    IMU: message_types.IMU,
}


def panorama():
    """Return a texture with corners of several sizes."""
    generator = stream(1, "panorama")
    texture = np.zeros((1400, 1400), np.float32)
    for size in (12, 40, 140):
        noise = generator.normal(0.0, 1.0, (size * 5, size * 5)).astype(np.float32)
        texture += cv2.resize(noise, (1400, 1400), interpolation=cv2.INTER_CUBIC)
    grey = np.clip(128 + 40 * texture, 0, 255).astype(np.uint8)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def rates_of(times, turn):
    phases = np.outer(times, [0.45, 0.6, 0.5]) * 2 * np.pi
    return turn * np.array([0.1, 0.25, 0.9]) * np.sin(phases + np.array([0.0, 1.0, 0.5]))


def write_bag(path, turn=1.0, left_out=(), imu_axes=((1, 0, 0), (0, 1, 0), (0, 0, 1))):
    """Write a bag; the camera's stamps are late by `DELAY_S`."""
    texture, focal = panorama(), CAMERA.focal_px
    times = np.arange(-1.0, SECONDS + 1.0, 1 / GYRO_HZ)
    body = GyroRotation(times, rates_of(times, turn)).integrated(np.zeros(3))
    start = body.at(np.array([0.0]))[0]
    mount = solver.mount_rotation(np.radians(PITCH_DEG), 0.0, 0.0)
    inner = np.array([[focal, 0, 159.5], [0, focal, 89.5], [0, 0, 1.0]])
    outer = np.array([[focal, 0, 700.0], [0, focal, 700.0], [0, 0, 1.0]])
    messages_by_stamp = []
    for time_s in np.arange(0.0, SECONDS, 1 / GYRO_HZ):
        stamp = int((time_s + 1.0) * 1e9)
        rate = np.array(imu_axes, float) @ rates_of(np.array([time_s]), turn)[0]
        sample = messages.imu_cdr(rate, np.array([0.0, 0.0, 9.81]), stamp, None)
        messages_by_stamp.append((stamp, IMU, sample))
    for time_s in np.arange(0.1, SECONDS - 0.1, 1 / FRAME_HZ):
        now = body.at(np.array([time_s]))[0]
        view = outer @ mount.T @ start.T @ now @ mount @ np.linalg.inv(inner)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        picture = cv2.warpPerspective(texture, view, (320, 180), flags=flags)
        stamp = int((time_s + DELAY_S + 1.0) * 1e9)
        messages_by_stamp.append((stamp, IMAGE, messages.image_cdr(picture, stamp)))
        messages_by_stamp.append((stamp, INFO, messages.camera_info_cdr(CAMERA, stamp)))
    types = {topic: kind for topic, kind in TYPES.items() if topic not in left_out}
    with BagWriter(path, types, flush_s=None) as bag:
        for stamp, topic, data in sorted(messages_by_stamp, key=lambda one: one[0]):
            if topic in types:
                bag.write(topic, data, stamp)
    return path


@pytest.fixture(scope="module")
def turns(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp("bags") / "turns.mcap")


@pytest.mark.slow
def test_a_turning_camera_is_calibrated(turns):
    found = calibrate(turns)
    assert found.horizontal_fov_deg.value == pytest.approx(80.0, abs=0.6)
    assert found.pitch_down_deg.value == pytest.approx(PITCH_DEG, abs=0.3)
    assert found.delay_s.value == pytest.approx(DELAY_S, abs=0.002)
    assert found.roll_deg.value == pytest.approx(0.0, abs=0.3)
    assert found.yaw_deg.value == pytest.approx(0.0, abs=0.6)
    assert found.stated_fov_deg == pytest.approx(80.0)
    assert (found.size, found.bag, found.topic) == ((320, 180), "turns.mcap", f"/{IMAGE}")
    assert found.sheet.shape == (540 + 240, 960, 3)
    for estimate in (found.horizontal_fov_deg, found.pitch_down_deg, found.delay_s):
        assert 0.0 < estimate.sigma < 1.0


@pytest.mark.slow
def test_the_command_prints_options_that_the_other_commands_accept(turns, tmp_path, capfd):
    assert main(["calibrate", str(turns), "--out", str(tmp_path / "out")]) == 0
    text = capfd.readouterr().out
    assert text.startswith("field of view")
    document = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert document["estimates"]["pitch_down_deg"]["value"] == pytest.approx(20.0, abs=0.3)
    assert cv2.imread(str(tmp_path / "out" / "calibration.png")) is not None
    flag = document["flags"]["liquid-control replay"].split()
    assert flag[0] == "--topic"
    rules = load_rules((), {"camera": flag[1].removeprefix("camera=")})
    assert rules.flags
    assert main(["calibrate", str(turns), "--out", str(tmp_path / "out")]) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"turn": 0.02}, "not enough motion: expected turns of more than 4 degrees"),
        ({"left_out": (IMU,)}, "imu"),
        ({"left_out": (IMAGE, INFO)}, "camera"),
        ({"imu_axes": ((1, 0, 0), (0, -1, 0), (0, 0, -1))}, "axes of the IMU"),
        ({"imu_axes": ((0, 0, 1), (1, 0, 0), (0, 1, 0))}, "the gyro does not explain"),
    ],
    ids=["still", "no imu", "no camera", "frd", "axes exchanged"],
)
def test_what_cannot_be_calibrated_is_refused_in_one_line(tmp_path, change, reason):
    with pytest.raises(BagError, match=reason) as caught:
        calibrate(write_bag(tmp_path / "bag.mcap", **change))
    assert "\n" not in str(caught.value)


def test_a_missing_bag_is_an_error(tmp_path):
    with pytest.raises(BagError):
        calibrate(tmp_path / "none.mcap")


REAL = Path(__file__).resolve().parents[4] / "shared" / "real" / "bags"


def test_a_real_bag_without_an_imu_is_refused():
    found = sorted(REAL.glob("*.mcap")) if REAL.is_dir() else []
    if not found:
        pytest.skip("shared/real, recordings of other people, is not here")
    with pytest.raises(BagError):
        calibrate(found[0])

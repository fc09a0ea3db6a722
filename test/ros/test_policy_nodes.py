"""Perception and controller, composed, with a camera and an IMU that misbehave."""

import math
import time

import cv2
import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from sensor_msgs.msg import CompressedImage

from liquid_control import topics
from liquid_control.config.scenario import CameraSettings
from liquid_control.nodes import conversions
from liquid_control.nodes.qos import profile
from liquid_control.policy import Policy, load_model
from liquid_control.types import HOVER, ImuWindow, Observation

from .conftest import ends

pytestmark = pytest.mark.ros

MODE = "realtime"
PERIOD_S = 0.05
REST = ((0.0, 0.0, 0.0), (0.0, 0.0, 9.81))


class Sensors:
    """A camera and an IMU on the wall clock; `picture` and `sample` may be replaced."""

    def __init__(self, probe) -> None:
        self.probe = probe
        self.image = np.random.default_rng(0).integers(0, 256, (54, 96, 3), dtype=np.uint8)
        self.encoding = "rgb8"
        self.force = REST[1]
        for topic in (topics.IMU, topics.IMAGE, topics.CAMERA_INFO):
            probe.advertise(topic, MODE)

    def sense(self, stamp_ns: int | None = None, imu_ns: int | None = None) -> int:
        """Publish IMU samples up to a stamp, then a frame with it; return the stamp."""
        now_ns = time.time_ns() if stamp_ns is None else stamp_ns
        self.sense_imu(now_ns if imu_ns is None else imu_ns)
        image = conversions.image_message(self.image, now_ns)
        image.encoding = self.encoding
        self.probe.publish(topics.IMAGE, image)
        return now_ns

    def sense_imu(self, until_ns: int | None = None) -> int:
        """Publish IMU samples up to a stamp; return it."""
        until_ns = time.time_ns() if until_ns is None else until_ns
        for back in range(9, -1, -1):
            sample = conversions.imu_message(REST[0], self.force, until_ns - back * 5_000_000)
            self.probe.publish(topics.IMU, sample)
        return until_ns


def test_compressed_pictures_give_the_features_of_what_they_show(probe, launch, model):
    sensors = Sensors(probe)
    heard = probe.listen(topics.FEATURES, MODE)
    compressed = probe.node.create_publisher(
        CompressedImage, topics.COMPRESSED, profile(topics.IMAGE, MODE)
    )
    launch("perception_node", mode=MODE, model=str(model), autostart=True, transport="compressed")
    _, png = cv2.imencode(".png", sensors.image[:, :, ::-1])
    message = CompressedImage(format="rgb8; png compressed bgr8", data=png.tobytes())

    def sense() -> bool:
        stamp_ns = sensors.sense_imu()
        message.header.stamp = conversions.time_message(stamp_ns)
        compressed.publish(message)
        probe.spin(PERIOD_S)
        return bool(heard)

    probe.until(sense, "features")
    observation = Observation(0, sensors.image, ImuWindow.empty())
    picture = Policy(load_model(model)).features(observation)[:28]
    np.testing.assert_array_equal(conversions.features_from(heard[-1][1])[:28], picture)


@pytest.fixture
def flown(probe, launch, model):
    """Return sensors, the commands and the diagnostics of an active pair of nodes."""
    sensors = Sensors(probe)
    commands = probe.listen(topics.POLICY_COMMAND, MODE)
    diagnostics = probe.listen(topics.DIAGNOSTICS, MODE)
    launch("policy_node", mode=MODE, model=str(model), autostart=True)
    probe.until(probe.matched, "perception")
    probe.until(lambda: (sensors.sense() and probe.spin(PERIOD_S)) or commands, "a command")
    return sensors, commands, diagnostics


def answer(probe, commands, stamp_ns):
    def find():
        found = [conversions.command_from(message) for _, message in commands]
        return [command for command, answered_ns in found if answered_ns == stamp_ns]

    return probe.until(find, f"an answer to {stamp_ns}")[0]


def counted(probe, diagnostics, node: str, event: str) -> int:
    return probe.until(lambda: probe.events(diagnostics, node).get(event, 0), f"{event} of {node}")


def test_a_good_frame_is_answered_with_its_stamp(probe, flown):
    sensors, commands, _ = flown
    command = answer(probe, commands, sensors.sense())
    assert command != HOVER
    assert command.is_finite


def test_an_unknown_encoding_brings_hover_and_is_counted(probe, flown):
    sensors, commands, diagnostics = flown
    sensors.encoding = "8SC3"
    assert answer(probe, commands, sensors.sense()) == HOVER
    assert counted(probe, diagnostics, "perception_node", "image_refused") >= 1
    assert counted(probe, diagnostics, "controller_node", "features_refused") >= 1
    sensors.encoding = "rgb8"
    assert answer(probe, commands, sensors.sense()) != HOVER


def features_of(probe, heard, stamp_ns):
    def find():
        return [m for _, m in heard if conversions.stamp_of(m.header.stamp) == stamp_ns]

    return conversions.features_from(probe.until(find, f"features of {stamp_ns}")[0])


def test_pictures_of_other_encodings_give_the_same_features(probe, flown):
    sensors, _, _ = flown
    heard = probe.listen(topics.FEATURES, MODE)
    probe.until(lambda: (sensors.sense() and probe.spin(PERIOD_S)) or heard, "features")
    before = features_of(probe, heard, sensors.sense())
    sensors.image, sensors.encoding = sensors.image[:, :, ::-1], "bgr8"
    np.testing.assert_array_equal(features_of(probe, heard, sensors.sense()), before)


def test_a_wider_and_higher_camera_is_cut_to_the_view_once_its_own_is_known(probe, flown):
    sensors, commands, diagnostics = flown
    heard = probe.listen(topics.FEATURES, MODE)
    probe.until(lambda: (sensors.sense() and probe.spin(PERIOD_S)) or heard, "features")
    before = features_of(probe, heard, sensors.sense())
    large = np.zeros((80, 128, 3), np.uint8)
    large[13:67, 16:112] = sensors.image
    sensors.image = large
    assert answer(probe, commands, sensors.sense()) == HOVER
    assert counted(probe, diagnostics, "perception_node", "observation_refused") >= 1
    wide = CameraSettings(
        width=128, height=80, horizontal_fov_deg=2.0 * math.degrees(math.atan(128 / 96))
    )
    probe.publish(topics.CAMERA_INFO, conversions.camera_info_message(wide, time.time_ns()))
    probe.spin(0.3)
    np.testing.assert_array_equal(features_of(probe, heard, sensors.sense()), before)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_imu_samples_that_are_not_finite_bring_hover_and_are_counted(probe, flown, value):
    sensors, commands, diagnostics = flown
    sensors.force = (0.0, value, 9.81)
    assert answer(probe, commands, sensors.sense()) == HOVER
    assert counted(probe, diagnostics, "perception_node", "observation_refused") >= 1


def test_a_camera_with_another_view_brings_hover_and_is_counted(probe, flown):
    sensors, commands, diagnostics = flown
    narrow = CameraSettings(width=96, height=54, horizontal_fov_deg=40.0)
    info = conversions.camera_info_message(narrow, time.time_ns())
    probe.publish(topics.CAMERA_INFO, info)
    probe.spin(0.3)
    assert answer(probe, commands, sensors.sense()) == HOVER
    assert counted(probe, diagnostics, "perception_node", "observation_refused") >= 1


def test_a_frame_that_goes_back_is_dropped_and_counted(probe, flown):
    sensors, commands, diagnostics = flown
    stamp_ns = sensors.sense()
    answer(probe, commands, stamp_ns)
    sensors.sense(stamp_ns - 30_000_000)
    assert counted(probe, diagnostics, "perception_node", "frame_stamp_backwards") == 1
    answers = [conversions.command_from(message)[1] for _, message in commands]
    assert stamp_ns - 30_000_000 not in answers


def test_a_frame_that_jumps_ahead_of_the_imu_waits_and_then_starts_from_a_fresh_state(
    probe, flown
):
    sensors, commands, diagnostics = flown
    now_ns = time.time_ns()
    far_ns = sensors.sense(now_ns + 3_600_000_000_000, imu_ns=now_ns)
    answer(probe, commands, far_ns)
    assert counted(probe, diagnostics, "perception_node", "imu_late") >= 1
    assert counted(probe, diagnostics, "controller_node", "fresh_state") >= 1


def test_a_camera_that_stops_is_an_error_until_it_comes_back(probe, flown):
    sensors, _, diagnostics = flown
    assert counted(probe, diagnostics, "perception_node", "camera_stopped") >= 1

    def level():
        mine = [m for _, m in diagnostics if m.status[0].name == "perception_node"]
        return (mine[-1].status[0].level, mine[-1].status[0].message) if mine else None

    probe.until(lambda: level() == (b"\x02", "the camera stopped"), "an error")
    probe.until(
        lambda: (sensors.sense() and probe.spin(PERIOD_S)) or level()[0] != b"\x02", "an end"
    )


def test_nodes_start_unconfigured_and_refuse_a_bad_model_with_one_line(probe, launch, tmp_path):
    process = launch("controller_node", mode=MODE, model=str(tmp_path / "nothing"))
    service = "/controller_node/get_state"
    state = probe.call(GetState, service, GetState.Request())
    assert state.current_state.label == "unconfigured"
    change = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not probe.call(ChangeState, "/controller_node/change_state", change).success
    state = probe.call(GetState, service, GetState.Request())
    assert state.current_state.label == "unconfigured"
    lines = process.log.read_text().strip().splitlines()
    assert len(lines) == 1
    assert f"model folder {tmp_path / 'nothing'} does not exist" in lines[0]
    assert process.child.poll() is None


def test_a_node_goes_through_its_lifecycle_and_back(probe, launch, model):
    launch("perception_node", mode=MODE, model=str(model))
    for transition, label in (
        (Transition.TRANSITION_CONFIGURE, "inactive"),
        (Transition.TRANSITION_ACTIVATE, "active"),
        (Transition.TRANSITION_DEACTIVATE, "inactive"),
        (Transition.TRANSITION_CLEANUP, "unconfigured"),
        (Transition.TRANSITION_CONFIGURE, "inactive"),
    ):
        change = ChangeState.Request(transition=Transition(id=transition))
        assert probe.call(ChangeState, "/perception_node/change_state", change).success
        state = probe.call(GetState, "/perception_node/get_state", GetState.Request())
        assert state.current_state.label == label


@pytest.mark.parametrize("name", ["perception_node", "controller_node"])
def test_with_autostart_a_bad_model_ends_the_process_with_status_2(launch, tmp_path, name):
    process = launch(name, mode=MODE, model=str(tmp_path / "nothing"), autostart=True)
    assert ends(process) == 2
    lines = process.log.read_text().strip().splitlines()
    assert len(lines) == 1
    assert f"model folder {tmp_path / 'nothing'} does not exist" in lines[0]

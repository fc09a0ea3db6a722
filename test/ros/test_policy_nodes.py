"""Perception and controller in one process, with a camera and an IMU that misbehave."""

import math
import re
import time

import cv2
import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from sensor_msgs.msg import CompressedImage

from liquid_control import topics
from liquid_control.config import CameraSettings
from liquid_control.nodes import conversions
from liquid_control.nodes.qos import profile
from liquid_control.policy import Policy, load_model
from liquid_control.types import HOVER, ImuWindow, Observation

from .conftest import exit_status

pytestmark = pytest.mark.ros

MODE = "realtime"
PERIOD_S = 0.05
REST = ((0.0, 0.0, 0.0), (0.0, 0.0, 9.81))


class Sensors:
    """A camera and an IMU on the wall clock; a test may replace image, encoding and force."""

    def __init__(self, probe) -> None:
        self.probe = probe
        self.image = np.random.default_rng(0).integers(0, 256, (54, 96, 3), dtype=np.uint8)
        self.encoding = "rgb8"
        self.force = REST[1]

    def publish(self, stamp_ns: int | None = None, imu_ns: int | None = None) -> int:
        """Publish IMU samples up to a stamp, then a frame with it; return the stamp."""
        now_ns = time.time_ns() if stamp_ns is None else stamp_ns
        self.publish_imu(now_ns if imu_ns is None else imu_ns)
        image = conversions.image_message(self.image, now_ns)
        image.encoding = self.encoding
        self.probe.publish(topics.IMAGE, image)
        return now_ns

    def publish_imu(self, until_ns: int | None = None) -> int:
        """Publish IMU samples up to a stamp; return it."""
        until_ns = time.time_ns() if until_ns is None else until_ns
        for back in range(9, -1, -1):
            sample = conversions.imu_message(REST[0], self.force, until_ns - back * 5_000_000)
            self.probe.publish(topics.IMU, sample)
        return until_ns


def advertise(probe) -> None:
    for topic in (topics.IMU, topics.IMAGE, topics.CAMERA_INFO):
        probe.advertise(topic, MODE)


def test_compressed_pictures_give_the_features_of_their_pixels(probe, launch, model):
    advertise(probe)
    sensors = Sensors(probe)
    received = probe.listen(topics.FEATURES, MODE)
    compressed = probe.node.create_publisher(
        CompressedImage, topics.COMPRESSED, profile(topics.IMAGE, MODE)
    )
    launch("perception_node", mode=MODE, model=str(model), autostart=True, transport="compressed")
    _, png = cv2.imencode(".png", sensors.image[:, :, ::-1])
    message = CompressedImage(format="rgb8; png compressed bgr8", data=png.tobytes())

    def publish() -> bool:
        stamp_ns = sensors.publish_imu()
        message.header.stamp = conversions.time_message(stamp_ns)
        compressed.publish(message)
        probe.spin(PERIOD_S)
        return bool(received)

    probe.until(publish, "features")
    observation = Observation(0, sensors.image, ImuWindow.empty())
    picture = Policy(load_model(model)).features(observation)[:28]
    np.testing.assert_array_equal(conversions.features_from(received[-1][1])[:28], picture)


class Nodes:
    """The shared pair of nodes with their commands, features and diagnostics."""

    def __init__(self, probe) -> None:
        self.probe = probe
        advertise(probe)
        self.commands = probe.listen(topics.POLICY_COMMAND, MODE)
        self.features = probe.listen(topics.FEATURES, MODE)
        self.diagnostics = probe.listen(topics.DIAGNOSTICS, MODE)
        self._before: dict[str, dict[str, int]] = {}

    def reset(self) -> None:
        """Reset both nodes by deactivating and activating them, and clear their messages."""
        for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE):
            for name in (topics.PERCEPTION, topics.CONTROLLER):
                change_state(self.probe, name, transition)
        for messages in (self.commands, self.features, self.diagnostics):
            messages.clear()
        names = {topics.PERCEPTION, topics.CONTROLLER}
        self.probe.until(
            lambda: names <= {m.status[0].name for _, m in self.diagnostics}, "diagnostics"
        )
        self._before = {name: self.probe.events(self.diagnostics, name) for name in names}

    def count(self, name: str, event: str) -> int:
        """Wait until a node has counted an event since the reset; return the count."""

        def since() -> int:
            now = self.probe.events(self.diagnostics, name).get(event, 0)
            return now - self._before[name].get(event, 0)

        return self.probe.until(since, f"{event} of {name}")

    def answer(self, stamp_ns: int):
        def find():
            found = [conversions.command_from(message) for _, message in self.commands]
            return [command for command, answered_ns in found if answered_ns == stamp_ns]

        return self.probe.until(find, f"an answer to {stamp_ns}")[0]

    def features_of(self, stamp_ns: int):
        def find():
            stamped = ((conversions.stamp_of(m.header.stamp), m) for _, m in self.features)
            return [message for stamp, message in stamped if stamp == stamp_ns]

        return conversions.features_from(self.probe.until(find, f"features of {stamp_ns}")[0])


def change_state(probe, name: str, transition: int) -> None:
    request = ChangeState.Request(transition=Transition(id=transition))
    assert probe.call(ChangeState, f"/{name}/change_state", request).success


def state_of(probe, name: str) -> str:
    return probe.call(GetState, f"/{name}/get_state", GetState.Request()).current_state.label


@pytest.fixture(scope="module")
def nodes(shared, model):
    launch, probe = shared
    nodes = Nodes(probe)
    launch("policy_node", mode=MODE, model=str(model), autostart=True)
    for name in (topics.PERCEPTION, topics.CONTROLLER):
        probe.until(lambda name=name: state_of(probe, name) == "active", name)
    probe.until(probe.matched, "perception")
    return nodes


@pytest.fixture
def active(nodes):
    """Return sensors and the freshly activated nodes, which have answered a frame."""
    nodes.reset()
    sensors = Sensors(nodes.probe)
    nodes.probe.until(
        lambda: (sensors.publish() and nodes.probe.spin(PERIOD_S)) or nodes.commands, "a command"
    )
    return sensors, nodes


def test_a_good_frame_is_answered_with_its_stamp(active):
    sensors, nodes = active
    command = nodes.answer(sensors.publish())
    assert command != HOVER
    assert command.is_finite


def test_the_controller_of_one_process_gets_features_by_a_call_only(active):
    """They are published too; those of another node reach nobody."""
    sensors, nodes = active
    stamp_ns = sensors.publish()
    assert np.isfinite(nodes.features_of(stamp_ns)).all()
    assert nodes.answer(stamp_ns) != HOVER
    infos = nodes.probe.node.get_subscriptions_info_by_topic(f"/{topics.FEATURES}")
    assert topics.CONTROLLER not in {info.node_name for info in infos}


def test_an_unknown_encoding_is_answered_with_hover_and_counted(active):
    sensors, nodes = active
    sensors.encoding = "8SC3"
    assert nodes.answer(sensors.publish()) == HOVER
    assert nodes.count("perception_node", "image_refused") >= 1
    assert nodes.count("controller_node", "features_refused") >= 1
    sensors.encoding = "rgb8"
    assert nodes.answer(sensors.publish()) != HOVER


def test_pictures_of_other_encodings_give_the_same_features(active):
    sensors, nodes = active
    before = nodes.features_of(sensors.publish())
    sensors.image, sensors.encoding = sensors.image[:, :, ::-1], "bgr8"
    np.testing.assert_array_equal(nodes.features_of(sensors.publish()), before)


def test_a_larger_and_wider_camera_is_cropped_once_its_calibration_is_known(active):
    sensors, nodes = active
    before = nodes.features_of(sensors.publish())
    large = np.zeros((80, 128, 3), np.uint8)
    large[13:67, 16:112] = sensors.image
    sensors.image = large
    assert nodes.answer(sensors.publish()) == HOVER
    assert nodes.count("perception_node", "observation_refused") >= 1
    wide = CameraSettings(
        width=128, height=80, horizontal_fov_deg=2.0 * math.degrees(math.atan(128 / 96))
    )
    nodes.probe.publish(topics.CAMERA_INFO, conversions.camera_info_message(wide, time.time_ns()))
    nodes.probe.spin(0.3)
    np.testing.assert_array_equal(nodes.features_of(sensors.publish()), before)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_imu_samples_that_are_not_finite_are_answered_with_hover_and_counted(active, value):
    sensors, nodes = active
    sensors.force = (0.0, value, 9.81)
    assert nodes.answer(sensors.publish()) == HOVER
    assert nodes.count("perception_node", "observation_refused") >= 1


def test_a_camera_with_another_view_is_answered_with_hover_and_counted(active):
    sensors, nodes = active
    narrow = CameraSettings(width=96, height=54, horizontal_fov_deg=40.0)
    info = conversions.camera_info_message(narrow, time.time_ns())
    nodes.probe.publish(topics.CAMERA_INFO, info)
    nodes.probe.spin(0.3)
    assert nodes.answer(sensors.publish()) == HOVER
    assert nodes.count("perception_node", "observation_refused") >= 1


def test_a_frame_with_an_earlier_stamp_is_dropped_and_counted(active):
    sensors, nodes = active
    stamp_ns = sensors.publish()
    nodes.answer(stamp_ns)
    sensors.publish(stamp_ns - 30_000_000)
    assert nodes.count("perception_node", "frame_stamp_backwards") == 1
    answers = [conversions.command_from(message)[1] for _, message in nodes.commands]
    assert stamp_ns - 30_000_000 not in answers


def test_a_frame_that_jumps_ahead_of_the_imu_waits_and_then_starts_from_a_fresh_state(active):
    sensors, nodes = active
    now_ns = time.time_ns()
    far_ns = sensors.publish(now_ns + 3_600_000_000_000, imu_ns=now_ns)
    nodes.answer(far_ns)
    assert nodes.count("perception_node", "imu_late") >= 1
    assert nodes.count("controller_node", "fresh_state") >= 1


def test_a_camera_that_stops_is_an_error_until_it_continues(active):
    sensors, nodes = active
    assert nodes.count("perception_node", "camera_stopped") >= 1

    def level():
        messages = [m for _, m in nodes.diagnostics if m.status[0].name == "perception_node"]
        status = messages[-1].status[0] if messages else None
        return (status.level, status.message) if status else None

    nodes.probe.until(lambda: level() == (b"\x02", "the camera stopped"), "an error")
    nodes.probe.until(
        lambda: (sensors.publish() and nodes.probe.spin(PERIOD_S)) or level()[0] != b"\x02",
        "the end of the error",
    )


def without_lost_responses(log: str) -> list[str]:
    """Return the lines of a log without rclpy's warning, two lines, of a response it lost."""
    lost = re.compile(r"^.*RuntimeWarning: failed to send response.*\n.*\n", re.MULTILINE)
    return lost.sub("", log.strip() + "\n").splitlines()


def test_nodes_start_unconfigured_and_refuse_a_bad_model_with_one_line(probe, launch, tmp_path):
    process = launch("controller_node", mode=MODE, model=str(tmp_path / "nothing"))
    assert state_of(probe, "controller_node") == "unconfigured"
    change = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not probe.call(ChangeState, "/controller_node/change_state", change).success
    assert state_of(probe, "controller_node") == "unconfigured"
    lines = without_lost_responses(process.log.read_text())
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
        change_state(probe, "perception_node", transition)
        assert state_of(probe, "perception_node") == label


@pytest.mark.parametrize("name", ["perception_node", "controller_node"])
def test_with_autostart_a_bad_model_ends_the_process_with_status_2(launch, tmp_path, name):
    process = launch(name, mode=MODE, model=str(tmp_path / "nothing"), autostart=True)
    assert exit_status(process) == 2
    lines = process.log.read_text().strip().splitlines()
    assert len(lines) == 1
    assert f"model folder {tmp_path / 'nothing'} does not exist" in lines[0]

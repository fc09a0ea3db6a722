"""The recorder in a real graph: messages, metadata and losses, and readers of its bags."""

import json
import signal
import time
from array import array
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import Twist
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Parameter, ParameterEvent, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CompressedImage

from liquid_control import topics
from liquid_control.bags import BagWriter, Losses, open_bag
from liquid_control.bags.flight_result import recorded_result
from liquid_control.bags.writing import messages
from liquid_control.config import CameraSettings
from liquid_control.nodes import conversions, recorder_node
from liquid_control.nodes.message_classes import message_class, name_of
from liquid_control.nodes.shutdown import Shutdown
from liquid_control.provenance import model_fingerprint
from liquid_control.publishers import UNKNOWN, Endpoint
from liquid_control.types import Command, VehicleState

from .conftest import PLAIN, SEED, exit_status

pytestmark = pytest.mark.ros

STORE = get_typestore(Stores.ROS2_JAZZY)
RANDOM = np.random.default_rng(5)
PICTURE = RANDOM.integers(0, 256, (48, 64, 3), dtype=np.uint8)
STAMP_NS = 1_234_567_890_123_456_789


def plain(value):
    """Return a decoded message as mappings, lists, numbers and strings, for any decoder."""
    if isinstance(value, bytes) and len(value) == 1:
        return value[0]
    if isinstance(value, (str, bool, int, float, np.generic)):
        return value.item() if isinstance(value, np.generic) else value
    if hasattr(value, "get_fields_and_field_types"):
        return {name: plain(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if hasattr(value, "__dataclass_fields__"):
        names = [field.name for field in fields(value)]  # constants among them, in capitals
        names = [name for name in names if name.islower() and name != "__msgtype__"]
        return {name: plain(getattr(value, name)) for name in names}
    if hasattr(value, "__slots__"):
        return {name: plain(getattr(value, name)) for name in value.__slots__}
    if isinstance(value, (bytes, bytearray)):
        return list(value)
    if isinstance(value, (array, np.ndarray)):
        return value.tolist()
    return [plain(one) for one in value]


def decoders_agree(path: Path) -> dict[str, int]:
    """Check that three decoders agree on every message; return the number of messages by topic.

    rclpy also reads the same from what rosbags serialises again, which may differ in padding.
    """
    counts: dict[str, int] = {}
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        for schema, channel, message, decoded in reader.iter_decoded_messages():
            there = plain(decoded)
            assert plain(STORE.deserialize_cdr(message.data, schema.name)) == there
            kind = message_class(schema.name)
            assert plain(deserialize_message(message.data, kind)) == there
            again = STORE.serialize_cdr(
                STORE.deserialize_cdr(message.data, schema.name), schema.name
            )
            assert plain(deserialize_message(bytes(again), kind)) == there
            counts[channel.topic] = counts.get(channel.topic, 0) + 1
    return counts


def metadata(path: Path) -> dict[str, dict[str, str]]:
    with path.open("rb") as file:
        return {record.name: record.metadata for record in make_reader(file).iter_metadata()}


def test_a_flight_is_read_alike_by_mcap_rosbags_and_rclpy_and_has_its_parameters(model, flown):
    flight = flown("plain").flight
    counts = decoders_agree(flight.bag)
    frames = flight.statistics["frames"]
    for topic in ("camera/image_raw", "camera/camera_info", "perception/features"):
        assert counts[f"/{topic}"] == frames, topic
    for topic in ("policy/cmd_vel", "policy/neurons"):
        assert counts[f"/{topic}"] == frames, topic
    assert counts["/cmd_vel"] == counts["/odom"] == counts["/clock"] > frames
    assert counts["/imu/data"] > 2 * counts["/odom"]
    assert counts["/diagnostics"] > 0

    records = metadata(flight.bag)
    assert records["model"] == model_fingerprint(model)
    assert records["liquid_control"]["mode"] == "lockstep"
    assert set(records["liquid_control"]) == {"version", "revision", "mode", "utc"}
    assert records["losses"] == {}
    assert recorded_result(records["result"]) == flight.result
    simulator = records["parameters/simulator_node"]
    assert (simulator["scenario"], simulator["seed"]) == ("trail", str(SEED))
    assert json.loads(simulator["set"]) == list(PLAIN)
    assert records["parameters/guard_node"]["timeout_s"] == "0.15"
    for node in (topics.PERCEPTION, topics.CONTROLLER):
        assert records[f"parameters/{node}"]["model"] == str(model.resolve())
    assert records["parameters/recorder_node"]["image"] == "raw"
    assert records["parameters/recorder_node"]["topics"] == "null"


@pytest.mark.slow
def test_png_keeps_every_pixel_of_a_flight(flown):
    raw, png = flown("hard").flight.bag, flown("hard, PNG").flight.bag
    pictures = list(decoded(raw, "/camera/image_raw"))
    files = list(decoded(png, "/camera/image_raw/compressed"))
    assert len(files) == len(pictures) > 20
    assert not list(decoded(png, "/camera/image_raw"))
    for picture, file in zip(pictures, files, strict=True):
        assert plain(file.header) == plain(picture.header)
        assert file.format == "rgb8; png compressed bgr8"
        pixels = cv2.imdecode(np.frombuffer(file.data, np.uint8), cv2.IMREAD_COLOR)
        seen = np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.width, 3)
        np.testing.assert_array_equal(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), seen)
    assert decoders_agree(png)["/camera/image_raw/compressed"] == len(files)
    commands = [[plain(m) for m in decoded(bag, "/cmd_vel")] for bag in (raw, png)]
    assert commands[0] == commands[1]


def decoded(path: Path, topic: str):
    with path.open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        for _, _, _, message in reader.iter_decoded_messages(topics=[topic]):
            yield message


def started(launch, probe, tmp_path, *advertised: str, **parameters):
    """Start a recorder in real time; return it and its bag's path once it is subscribed."""
    path = tmp_path / "flight.mcap"
    recorder = launch("recorder_node", path=str(path), mode="realtime", **parameters)
    for topic in advertised:
        probe.advertise(topic, "realtime")
    probe.until(probe.matched, "the recorder")
    probe.spin(0.5)
    return recorder, path


def finished(recorder, path: Path) -> Path:
    recorder.child.send_signal(signal.SIGTERM)
    assert exit_status(recorder) == 0, recorder.log.read_text()
    return path


def test_pictures_that_cannot_be_compressed_are_recorded_raw(launch, probe, tmp_path):
    recorder, path = started(launch, probe, tmp_path, topics.IMAGE, image="png")
    bayer = conversions.image_message(PICTURE, STAMP_NS)
    bayer.encoding = "bayer_rggb8"
    probe.publish(topics.IMAGE, conversions.image_message(PICTURE, STAMP_NS))
    probe.publish(topics.IMAGE, bayer)
    probe.spin(0.5)
    counts = decoders_agree(finished(recorder, path))
    assert counts["/camera/image_raw"] == counts["/camera/image_raw/compressed"] == 1
    (kept,) = decoded(path, "/camera/image_raw")
    assert kept.encoding == "bayer_rggb8"
    assert metadata(path)["losses"] == {"pictures_not_compressed": "1"}


def publish_compressed(probe) -> CompressedImage:
    """Publish one picture as a camera driver that compresses does; return the message."""
    publisher = probe.node.create_publisher(
        CompressedImage, "camera/image_raw/compressed", QoSProfile(depth=5)
    )
    message = CompressedImage(format="jpeg", data=b"\xff\xd8 a file")
    message.header.stamp = conversions.time_message(STAMP_NS)
    probe.until(lambda: publisher.get_subscription_count() > 0, "the recorder")
    probe.spin(0.5)
    publisher.publish(message)
    return message


def test_with_compressed_pictures_the_drivers_files_are_recorded_unchanged(
    launch, probe, tmp_path
):
    recorder, path = started(launch, probe, tmp_path, topics.IMU, image="compressed")
    message = publish_compressed(probe)
    probe.spin(0.5)
    finished(recorder, path)
    (found,) = decoded(path, "/camera/image_raw/compressed")
    assert plain(found) == plain(message)


class Recording(NamedTuple):
    """A bag of one message of each kind, the published messages, and the recorder's log."""

    path: Path
    picture: CompressedImage
    log: str


@pytest.fixture(scope="module")
def recording(shared, tmp_path_factory) -> Recording:
    """Record other topics, profiles and types, and a parameter that changes, in one bag."""
    launch, probe = shared
    launch("guard_node", mode="realtime")
    recorder, path = started(
        launch,
        probe,
        tmp_path_factory.mktemp("recording"),
        topics.IMU,
        topics=["/height", "/never", "/imu/data"],
        compression="lz4",
    )
    height = probe.node.create_publisher(ParameterValue, "/height", QoSProfile(depth=5))
    odometry = probe.node.create_publisher(Odometry, topics.ODOM, qos_profile_sensor_data)
    probe.node.create_publisher(Twist, topics.COMMAND, QoSProfile(depth=5))
    for publisher in (height, odometry):
        probe.until(lambda one=publisher: one.get_subscription_count() > 0, "the recorder")
    picture = publish_compressed(probe)
    height.publish(ParameterValue(type=3, double_value=2.5, string_array_value=["a", "bc"]))
    probe.publish(topics.IMU, conversions.imu_message(np.zeros(3), np.ones(3), STAMP_NS))
    value = ParameterValue(type=3, double_value=1.5)
    request = SetParameters.Request(parameters=[Parameter(name="max_forward_mps", value=value)])
    response = probe.call(SetParameters, "/guard_node/set_parameters", request)
    assert response.results[0].successful
    probe.spin(1.5)
    odometry.publish(Odometry())
    probe.spin(1.0)
    return Recording(finished(recorder, path), picture, recorder.log.read_text())


def test_raw_pictures_of_a_driver_that_compresses_are_recorded_unchanged(recording):
    (found,) = decoded(recording.path, "/camera/image_raw/compressed")
    assert plain(found) == plain(recording.picture)


def test_other_topics_are_recorded_by_name_with_their_published_type(recording):
    (found,) = decoded(recording.path, "/height")
    assert (found.double_value, found.string_array_value) == (2.5, ["a", "bc"])
    assert name_of(ParameterEvent) == "rcl_interfaces/msg/ParameterEvent"


def test_a_topic_of_the_graph_that_is_listed_again_is_recorded_once(recording):
    assert recorded(recording.path)["/imu/data"] == 1
    with recording.path.open("rb") as file:
        channels = make_reader(file).get_summary().channels.values()
    assert [channel.topic for channel in channels].count("/imu/data") == 1


def test_a_best_effort_publisher_is_recorded_too(recording):
    """Odometry of MAVROS and of PX4 is best effort."""
    assert recorded(recording.path)["/odom"] == 1


def test_a_topic_of_another_type_is_counted_as_a_loss(recording):
    assert metadata(recording.path)["losses"] == {"topic_of_another_type": "1"}
    reason = "/cmd_vel: expected geometry_msgs/msg/TwistStamped, got geometry_msgs/msg/Twist"
    assert reason in recording.log


def test_parameters_that_change_in_flight_are_recorded(recording):
    records = metadata(recording.path)
    assert records["parameters/guard_node"]["max_forward_mps"] in ("4.0", "1.5")
    if records["parameters/guard_node"]["max_forward_mps"] == "4.0":
        change = records["parameters_changed/1"]
        assert (change["node"], change["max_forward_mps"]) == ("guard_node", "1.5")
        assert int(change["stamp_ns"]) > 0


def test_a_flight_waits_until_the_node_of_its_clock_is_known(probe, tmp_path, monkeypatch):
    """DDS finds a publisher before it knows its node, whose parameters would be missing."""
    clocks = [Endpoint(UNKNOWN, b"1")]
    monkeypatch.setattr(recorder_node, "endpoints_of", lambda node, topic: clocks)
    path = tmp_path / "flight.mcap"
    rclpy.init(args=["--ros-args", "-p", f"path:={path}", "-p", "use_sim_time:=true"])
    recorder = recorder_node.RecorderNode(Shutdown())

    def spin(condition) -> bool:
        rclpy.spin_once(recorder, timeout_sec=0.02)
        return condition()

    def waits() -> bool:
        return probe.node.count_subscribers(topics.CAMERA_INFO) == 0

    try:
        known = recorder._parameter_recorder.known
        probe.until(lambda: spin(lambda: {"probe", "recorder_node"} <= known()), "parameters")
        for _ in range(20):
            spin(waits)
        assert waits()
        clocks[:] = [Endpoint("/probe", b"1")]
        probe.until(lambda: spin(lambda: not waits()), "the subscription")
    finally:
        recorder.close()
        recorder.destroy_node()
        rclpy.shutdown()


def test_messages_that_the_middleware_loses_are_counted(launch, tmp_path):
    """Without the profile for large pictures, Fast DDS's shared memory holds less than one."""
    profiles = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    path = tmp_path / "flight.mcap"
    recorder = launch("recorder_node", path=str(path), without=profiles)
    load = launch("benchmarks.recording_load", pipe_stdout=True, without=profiles, seconds=2.0)
    assert json.loads(load.child.stdout.readline()) == {"seconds": 2.0}
    published = json.loads(load.child.stdout.readline())
    assert exit_status(load) == 0
    counts = recorded(finished(recorder, path))
    missing = sum(count - counts[f"/{topic}"] for topic, count in published.items())
    lost = int(metadata(path)["losses"].get("message_lost", 0))
    assert (lost > 0) == (missing > 0)
    assert lost <= missing


def recorded(path: Path) -> dict[str, int]:
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    counts = summary.statistics.channel_message_counts
    return {channel.topic: counts.get(key, 0) for key, channel in summary.channels.items()}


def test_a_rosbag2_folder_is_recorded_for_a_name_without_suffix(launch, probe, tmp_path):
    path = tmp_path / "flight"
    recorder = launch("recorder_node", path=str(path), mode="realtime", compression="zstd")
    probe.advertise(topics.COMMAND, "realtime")
    probe.until(probe.matched, "the recorder")
    probe.spin(0.5)
    probe.publish(topics.COMMAND, conversions.command_message(Command(1.0), STAMP_NS))
    probe.spin(0.5)
    finished(recorder, path)
    with AnyReader([path]) as reader:
        ((connection, _, raw),) = reader.messages(
            [c for c in reader.connections if c.topic == "/cmd_vel"]
        )
        assert reader.deserialize(raw, connection.msgtype).twist.linear.x == 1.0


def test_a_bag_that_cannot_be_moved_into_place_ends_the_recorder_with_one_line(
    launch, probe, tmp_path
):
    """The bag's folder is removed while it is written."""
    home = tmp_path / "card"
    home.mkdir()
    recorder = launch("recorder_node", path=str(home / "flight.mcap"))
    probe.advertise(topics.IMU, "realtime")
    probe.until(probe.matched, "the recorder")
    (home / "flight.mcap.partial").unlink()
    home.rmdir()
    recorder.child.send_signal(signal.SIGTERM)
    assert exit_status(recorder) == 2
    errors = [line for line in recorder.log.read_text().splitlines() if "[ERROR]" in line]
    assert len(errors) == 1
    assert "flight.mcap: cannot be written (No such file or directory)" in errors[0]


def test_a_recorder_that_is_killed_leaves_all_but_the_last_second(launch, probe, tmp_path):
    recorder, path = started(launch, probe, tmp_path, topics.COMMAND)
    published_s: list[float] = []
    while not published_s or published_s[-1] < published_s[0] + 2.0:
        message = conversions.command_message(Command(float(len(published_s))), STAMP_NS)
        probe.publish(topics.COMMAND, message)
        published_s.append(time.monotonic())
        probe.spin(0.02)
    recorder.child.kill()
    killed_s = time.monotonic()
    recorder.child.wait()
    synced = sum(one < killed_s - 1.0 for one in published_s)
    assert synced > 10
    assert not path.exists()
    bag = open_bag(path.with_name("flight.mcap.partial"))
    raw = bag.messages({"/cmd_vel"}, Losses())
    numbers = [bag.decode(one).twist.linear.x for one in raw]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= synced
    assert bag.metadata["liquid_control"]["mode"] == "realtime"


def cdr_and_messages():
    camera = CameraSettings()
    rate, force = RANDOM.standard_normal(3), RANDOM.standard_normal(3)
    quaternion = RANDOM.standard_normal(4)
    state = VehicleState(
        RANDOM.standard_normal(3), quaternion / np.linalg.norm(quaternion), rate, force
    )
    features = RANDOM.standard_normal(34).astype(np.float32)
    states, gates = RANDOM.standard_normal(19), RANDOM.random(19)
    names = [f"neuron_{index}" for index in range(19)]
    command = Command(*RANDOM.standard_normal(4).tolist())
    yield messages.image_cdr(PICTURE, STAMP_NS), conversions.image_message(PICTURE, STAMP_NS)
    yield (
        messages.camera_info_cdr(camera, STAMP_NS),
        conversions.camera_info_message(camera, STAMP_NS),
    )
    yield messages.imu_cdr(rate, force, STAMP_NS), conversions.imu_message(rate, force, STAMP_NS)
    turned = state.quaternion
    yield (
        messages.imu_cdr(rate, force, STAMP_NS, turned),
        conversions.imu_message(rate, force, STAMP_NS, turned),
    )
    for range_m in (1.375, None):
        yield (
            messages.range_cdr(range_m, STAMP_NS),
            conversions.range_message(range_m, STAMP_NS),
        )
    readings = {"cruise_mps": 2.3, "range_m": 1.0 / 3.0}
    yield (
        messages.inputs_cdr(readings, STAMP_NS),
        conversions.inputs_message(readings, STAMP_NS),
    )
    yield messages.odometry_cdr(state, STAMP_NS), conversions.odometry_message(state, STAMP_NS)
    yield (
        messages.features_cdr(features, STAMP_NS),
        conversions.features_message(features, STAMP_NS),
    )
    yield (
        messages.neurons_cdr(names, states, gates, STAMP_NS),
        conversions.neurons_message(names, states, gates, STAMP_NS),
    )
    yield messages.command_cdr(command, STAMP_NS), conversions.command_message(command, STAMP_NS)
    yield messages.clock_cdr(STAMP_NS), conversions.clock_message(STAMP_NS)


@pytest.mark.parametrize(
    ("cdr", "message"), list(cdr_and_messages()), ids=lambda m: type(m).__name__
)
def test_messages_serialised_without_ros_equal_the_nodes(tmp_path, cdr, message):
    kind = name_of(type(message))
    assert plain(deserialize_message(cdr, type(message))) == plain(message)
    with BagWriter(tmp_path / "one.mcap", {"x": kind}) as bag:
        bag.write("x", cdr, STAMP_NS)
    assert decoders_agree(tmp_path / "one.mcap") == {"/x": 1}

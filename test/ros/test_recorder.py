"""The recorder among real nodes: what it files, what it tells, and who can read it."""

import json
import signal
import time
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rosbags.typesys import Stores, get_typestore

from liquid_control import topics
from liquid_control.bags import BagWriter, Losses
from liquid_control.bags.bag import open_bag
from liquid_control.bags.writing import messages
from liquid_control.bags.writing.messages import definition_of, type_hash
from liquid_control.config.scenario import CameraSettings
from liquid_control.graph.flight_graph import fly_through_graph
from liquid_control.nodes import conversions
from liquid_control.nodes.message_classes import (
    begins_with_stamp,
    message_class,
    name_of,
    type_definition,
)
from liquid_control.provenance import model_fingerprint
from liquid_control.types import Command, VehicleState

from .conftest import ends

pytestmark = pytest.mark.ros

SHORT = ["time_limit_s=2"]
STORE = get_typestore(Stores.ROS2_JAZZY)
RANDOM = np.random.default_rng(5)
PICTURE = RANDOM.integers(0, 256, (48, 64, 3), dtype=np.uint8)
STAMP_NS = 1_234_567_890_123_456_789


def plain(value):
    """Return a message as what every decoder agrees on: mappings, lists, numbers, strings."""
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
    return [plain(one) for one in value]


def agree(path: Path) -> dict[str, int]:
    """Check that three decoders see the same in every message; return messages by topic.

    What rosbags writes of it again, which may differ in padding, rclpy reads alike too.
    """
    counts: dict[str, int] = {}
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        for schema, channel, message, decoded in reader.iter_decoded_messages():
            there = plain(decoded)
            assert plain(STORE.deserialize_cdr(message.data, schema.name)) == there
            kind = message_class(schema.name)
            ours = deserialize_message(message.data, kind)
            assert plain(ours) == there
            again = STORE.serialize_cdr(
                STORE.deserialize_cdr(message.data, schema.name), schema.name
            )
            assert plain(deserialize_message(bytes(again), kind)) == there
            counts[channel.topic] = counts.get(channel.topic, 0) + 1
    return counts


def metadata(path: Path) -> dict[str, dict[str, str]]:
    with path.open("rb") as file:
        return {record.name: record.metadata for record in make_reader(file).iter_metadata()}


def test_a_flight_is_read_alike_by_mcap_rosbags_and_rclpy_and_tells_its_parameters(
    model, tmp_path
):
    outcome = fly_through_graph("trail", 3, SHORT, model, tmp_path)
    counts = agree(outcome["bag"])
    frames = outcome["statistics"]["frames"]
    for topic in ("camera/image_raw", "camera/camera_info", "perception/features"):
        assert counts[f"/{topic}"] == frames, topic
    for topic in ("policy/cmd_vel", "policy/neurons"):
        assert counts[f"/{topic}"] == frames, topic
    assert counts["/cmd_vel"] == counts["/odom"] == counts["/clock"] > frames
    assert counts["/imu/data"] > 2 * counts["/odom"]
    assert counts["/diagnostics"] > 0

    told = metadata(outcome["bag"])
    assert told["model"] == model_fingerprint(model)
    assert told["liquid_control"]["mode"] == "lockstep"
    assert set(told["liquid_control"]) == {"version", "revision", "mode", "utc"}
    assert told["losses"] == {}
    simulator = told["parameters/simulator_node"]
    assert (simulator["scenario"], simulator["seed"]) == ("trail", "3")
    assert json.loads(simulator["set"]) == SHORT
    assert told["parameters/guard_node"]["timeout_s"] == "0.15"
    for node in (topics.PERCEPTION, topics.CONTROLLER):
        assert told[f"parameters/{node}"]["model"] == str(model.resolve())
    assert told["parameters/recorder_node"]["image"] == "raw"
    assert told["parameters/recorder_node"]["topics"] == "null"


@pytest.mark.slow
def test_png_keeps_every_pixel_of_a_flight(model, tmp_path):
    raw = fly_through_graph("trail", 3, SHORT, model, tmp_path / "raw")["bag"]
    png = fly_through_graph(
        "trail", 3, SHORT, model, tmp_path / "png", image="png", compression="zstd"
    )["bag"]
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
    assert agree(png)["/camera/image_raw/compressed"] == len(files)
    commands = [[plain(m) for m in decoded(bag, "/cmd_vel")] for bag in (raw, png)]
    assert commands[0] == commands[1]


def decoded(path: Path, topic: str):
    with path.open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        for _, _, _, message in reader.iter_decoded_messages(topics=[topic]):
            yield message


def started(launch, probe, tmp_path, *advertised: str, **parameters):
    """Start a recorder in real time; return it, once it hears us, with its bag's path."""
    path = tmp_path / "flight.mcap"
    recorder = launch("recorder_node", path=str(path), mode="realtime", **parameters)
    for topic in advertised:
        probe.advertise(topic, "realtime")
    probe.until(probe.matched, "the recorder")
    probe.spin(0.5)
    return recorder, path


def finished(recorder, path: Path) -> Path:
    recorder.child.send_signal(signal.SIGTERM)
    assert ends(recorder) == 0, recorder.log.read_text()
    return path


def test_pictures_that_cannot_be_compressed_stay_as_they_are(launch, probe, tmp_path):
    recorder, path = started(launch, probe, tmp_path, topics.IMAGE, image="png")
    strange = conversions.image_message(PICTURE, STAMP_NS)
    strange.encoding = "bayer_rggb8"
    probe.publish(topics.IMAGE, conversions.image_message(PICTURE, STAMP_NS))
    probe.publish(topics.IMAGE, strange)
    probe.spin(0.5)
    counts = agree(finished(recorder, path))
    assert counts["/camera/image_raw"] == counts["/camera/image_raw/compressed"] == 1
    (kept,) = decoded(path, "/camera/image_raw")
    assert kept.encoding == "bayer_rggb8"
    assert metadata(path)["losses"] == {"pictures_not_compressed": "1"}


@pytest.mark.parametrize("image", ["raw", "compressed"])
def test_what_a_driver_compressed_goes_straight_through(launch, probe, tmp_path, image):
    from sensor_msgs.msg import CompressedImage

    recorder, path = started(launch, probe, tmp_path, topics.IMU, image=image)
    publisher = probe.node.create_publisher(
        CompressedImage, "camera/image_raw/compressed", QoSProfile(depth=5)
    )
    message = CompressedImage(format="jpeg", data=b"\xff\xd8 a file")
    message.header.stamp = conversions.time_message(STAMP_NS)
    probe.until(lambda: publisher.get_subscription_count() > 0, "the recorder")
    probe.spin(0.5)
    publisher.publish(message)
    probe.spin(0.5)
    finished(recorder, path)
    (found,) = decoded(path, "/camera/image_raw/compressed")
    assert plain(found) == plain(message)


def test_other_topics_are_recorded_by_name_with_the_type_that_is_found(launch, probe, tmp_path):
    from rcl_interfaces.msg import ParameterEvent, ParameterValue

    recorder, path = started(
        launch, probe, tmp_path, topics.IMU, topics=["/height", "/never"], compression="lz4"
    )
    publisher = probe.node.create_publisher(ParameterValue, "/height", QoSProfile(depth=5))
    probe.until(lambda: publisher.get_subscription_count() > 0, "the recorder")
    probe.spin(0.5)
    publisher.publish(ParameterValue(type=3, double_value=2.5, string_array_value=["a", "bc"]))
    probe.spin(0.5)
    finished(recorder, path)
    (found,) = decoded(path, "/height")
    assert (found.double_value, found.string_array_value) == (2.5, ["a", "bc"])
    assert name_of(ParameterEvent) == "rcl_interfaces/msg/ParameterEvent"


def test_a_topic_of_the_graph_asked_for_again_is_recorded_once(launch, probe, tmp_path):
    recorder, path = started(launch, probe, tmp_path, topics.IMU, topics=["/imu/data"])
    probe.publish(topics.IMU, conversions.imu_message(np.zeros(3), np.ones(3), STAMP_NS))
    probe.spin(0.5)
    assert recorded(finished(recorder, path))["/imu/data"] == 1
    with path.open("rb") as file:
        channels = make_reader(file).get_summary().channels.values()
    assert [channel.topic for channel in channels].count("/imu/data") == 1


def test_who_promises_less_than_is_usual_is_heard_too(launch, probe, tmp_path):
    """Odometry of MAVROS and of PX4 is best effort."""
    from nav_msgs.msg import Odometry
    from rclpy.qos import qos_profile_sensor_data

    recorder, path = started(launch, probe, tmp_path, topics.IMU)
    publisher = probe.node.create_publisher(Odometry, topics.ODOM, qos_profile_sensor_data)
    probe.until(lambda: publisher.get_subscription_count() > 0, "the recorder")
    probe.spin(1.5)
    publisher.publish(Odometry())
    probe.spin(0.5)
    assert recorded(finished(recorder, path))["/odom"] == 1


def test_a_topic_of_another_type_is_told(launch, probe, tmp_path):
    from geometry_msgs.msg import Twist

    recorder, path = started(launch, probe, tmp_path, topics.IMU)
    probe.node.create_publisher(Twist, topics.COMMAND, QoSProfile(depth=5))
    probe.spin(2.5)
    assert metadata(finished(recorder, path))["losses"] == {"topic_of_another_type": "1"}
    reason = "/cmd_vel: expected geometry_msgs/msg/TwistStamped, got geometry_msgs/msg/Twist"
    assert reason in recorder.log.read_text()


def test_parameters_that_change_in_flight_are_told(launch, probe, tmp_path):
    from rcl_interfaces.msg import Parameter, ParameterValue
    from rcl_interfaces.srv import SetParameters

    launch("guard_node", mode="realtime")
    recorder, path = started(launch, probe, tmp_path, topics.IMU)
    value = ParameterValue(type=3, double_value=1.5)
    request = SetParameters.Request(parameters=[Parameter(name="max_forward_mps", value=value)])
    answer = probe.call(SetParameters, "/guard_node/set_parameters", request)
    assert answer.results[0].successful
    probe.spin(1.0)
    told = metadata(finished(recorder, path))
    assert told["parameters/guard_node"]["max_forward_mps"] in ("4.0", "1.5")
    if told["parameters/guard_node"]["max_forward_mps"] == "4.0":
        change = told["parameters_changed/1"]
        assert (change["node"], change["max_forward_mps"]) == ("guard_node", "1.5")
        assert int(change["stamp_ns"]) > 0


def test_what_the_middleware_loses_is_counted(launch, probe, tmp_path, monkeypatch):
    """Without the profile for large pictures, Fast DDS's shared memory holds less than one."""
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name)
    path = tmp_path / "flight.mcap"
    recorder = launch("recorder_node", path=str(path))
    load = launch("recording_load", heard=True, seconds=2.0)
    assert json.loads(load.child.stdout.readline()) == {"seconds": 2.0}
    published = json.loads(load.child.stdout.readline())
    assert ends(load) == 0
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
    from rosbags.highlevel import AnyReader

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


def test_a_disk_that_refuses_ends_the_recorder_with_one_line(launch, probe, tmp_path):
    """The bag's folder goes away while it is written: it cannot be put in its place."""
    home = tmp_path / "card"
    home.mkdir()
    recorder = launch("recorder_node", path=str(home / "flight.mcap"))
    probe.advertise(topics.IMU, "realtime")
    probe.until(probe.matched, "the recorder")
    (home / "flight.mcap.partial").unlink()
    home.rmdir()
    recorder.child.send_signal(signal.SIGTERM)
    assert ends(recorder) == 2
    errors = [line for line in recorder.log.read_text().splitlines() if "[ERROR]" in line]
    assert len(errors) == 1
    assert "flight.mcap: cannot be written (No such file or directory)" in errors[0]


def test_a_recorder_that_is_killed_leaves_all_but_the_last_second(launch, probe, tmp_path):
    recorder, path = started(launch, probe, tmp_path, topics.COMMAND)
    sent_s: list[float] = []
    while not sent_s or sent_s[-1] < sent_s[0] + 2.0:
        message = conversions.command_message(Command(float(len(sent_s))), STAMP_NS)
        probe.publish(topics.COMMAND, message)
        sent_s.append(time.monotonic())
        probe.spin(0.02)
    recorder.child.kill()
    killed_s = time.monotonic()
    recorder.child.wait()
    safe = sum(one < killed_s - 1.0 for one in sent_s)
    assert safe > 10
    assert not path.exists()
    bag = open_bag(path.with_name("flight.mcap.partial"))
    raw = bag.messages({"/cmd_vel"}, Losses())
    numbers = [bag.decode(one).twist.linear.x for one in raw]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= safe
    assert bag.metadata["liquid_control"]["mode"] == "realtime"


def ours_and_theirs():
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
    ("cdr", "message"), list(ours_and_theirs()), ids=lambda m: type(m).__name__
)
def test_messages_made_without_ros_equal_the_nodes(tmp_path, cdr, message):
    kind = name_of(type(message))
    assert plain(deserialize_message(cdr, type(message))) == plain(message)
    with BagWriter(tmp_path / "one.mcap", {"x": kind}) as bag:
        bag.write("x", cdr, STAMP_NS)
    assert agree(tmp_path / "one.mcap") == {"/x": 1}


def test_topics_without_ros_are_the_graphs():
    own = {topic: name_of(kind) for topic, kind in topics.TYPES.items()}
    del own[topics.DIAGNOSTICS]
    assert own == messages.FLIGHT_TOPICS


@pytest.mark.parametrize(
    "kind",
    [
        "sensor_msgs/msg/Imu",
        "sensor_msgs/msg/JointState",
        "sensor_msgs/msg/CompressedImage",
        "rcl_interfaces/msg/ParameterDescriptor",
        "rcl_interfaces/msg/ParameterEvent",
        "shape_msgs/msg/SolidPrimitive",
    ],
)
def test_a_definition_from_a_class_is_the_types(kind):
    """The hash that ROS 2 knows a type by covers names, types, bounds and parts of all fields."""
    text = type_definition(message_class(kind))
    strange = text.replace("rcl_interfaces", "my_msgs").replace("sensor_msgs", "my_msgs")
    expected = definition_of(kind).replace("rcl_interfaces", "my_msgs")
    name = kind.split("/")[-1]
    assert type_hash(f"my_msgs/msg/{name}", strange) == type_hash(
        f"my_msgs/msg/{name}", expected.replace("sensor_msgs", "my_msgs")
    )


def test_a_type_that_is_not_installed_is_named():
    from liquid_control.errors import OutputError

    with pytest.raises(OutputError, match="source the workspace that has px4_msgs"):
        message_class("px4_msgs/msg/VehicleOdometry")
    assert begins_with_stamp(message_class("sensor_msgs/msg/Imu"))
    assert begins_with_stamp(message_class("rosgraph_msgs/msg/Clock"))
    assert not begins_with_stamp(message_class("geometry_msgs/msg/Twist"))

"""The feed of viewers: what is decoded, computed and sent, and at which rate."""

import base64
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from liquid_control import message_types, topics
from liquid_control.bags.decoding.sensors import compressed_image_of
from liquid_control.bags.decoding.stamps import own_stamp
from liquid_control.bags.writing import messages
from liquid_control.config import CameraSettings
from liquid_control.frames import quaternion_from_euler, rotation_from_quaternion
from liquid_control.perception import standardise
from liquid_control.perception.visual_backprop import visual_backprop
from liquid_control.policy import load_model
from liquid_control.types import Command, VehicleState
from liquid_control.viewers import feed as feeds
from liquid_control.viewers.feed import ViewerFeed
from liquid_control.viewers.rates import FeedRates, Pacer, TopicReading
from liquid_control.viewers.scene import PATH_POINTS, FlightScene
from test.unit.viewers.conftest import Clock, Sent

pytestmark = pytest.mark.unit


def with_sdk():
    pytest.importorskip("foxglove", reason="foxglove-sdk is not installed (extra foxglove)")
    from benchmarks.viewer_load import decoded

    offered = feeds.channels(None)

    def decode(topic, data):
        channel = offered[topic]
        schema = base64.b64encode(channel.definition).decode()
        advertised = {"schemaName": channel.schema, "encoding": channel.encoding}
        return decoded(advertised | {"schema": schema}, data)

    return decode


@pytest.fixture(scope="module")
def model():
    return load_model("trail_cfc19")


@pytest.fixture(scope="module")
def picture(model):
    view = model.settings.camera.view
    shape = view.height, view.width, 3
    noise = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    return cv2.GaussianBlur(noise, (9, 9), 3.0)


def state_at(x: float, yaw: float = 0.0) -> VehicleState:
    attitude = quaternion_from_euler(0.0, 0.0, yaw)
    return VehicleState(np.array([x, 2.0, 3.0]), attitude, np.zeros(3), np.zeros(3))


@pytest.mark.parametrize("topic", [name for name in feeds.PASSED if name != topics.DIAGNOSTICS])
def test_numbers_are_passed_on_unchanged_at_their_largest_rate(topic):
    sent, clock = Sent(f"/{topic}"), Clock()
    made = ViewerFeed(sent, rates=FeedRates(numbers=10.0), clock=clock)
    assert made.sources() == {topic: TopicReading(10.0, every=topic == topics.NEURONS)}
    # Frames of 30 Hz: every third is sent.
    for number in range(30):
        clock.now_s = 100.0 + number / 30.0 + 1e-6
        made.receive(topic, bytes([number]), number)
    assert [stamp for _, _, stamp in sent.messages] == list(range(0, 30, 3))
    assert all(message == bytes([stamp]) for _, message, stamp in sent.messages)


def test_only_what_a_viewer_looks_at_is_needed_and_nothing_without_one(picture):
    sent = Sent()
    made = ViewerFeed(sent)
    assert made.sources() == {}
    made.receive(topics.IMAGE, messages.image_cdr(picture, 1), 1)
    made.receive(topics.ODOM, b"damaged", 1)
    assert not sent.messages
    assert not made.counts
    sent.looked_at = {feeds.SCENE}
    assert made.sources().keys() == {topics.ODOM, topics.COMMAND, topics.WIND}
    sent.looked_at = {feeds.SALIENCY, "/imu/data"}
    assert made.sources().keys() == {topics.IMAGE, topics.CAMERA_INFO, topics.IMU}


def test_a_picture_is_compressed_with_the_stamp_of_its_frame(picture):
    sent = Sent(feeds.CAMERA)
    made = ViewerFeed(sent, jpeg_quality=95)
    made.receive(topics.IMAGE, messages.image_cdr(picture, 1_500_000_000), 2_000_000_000)
    ((topic, message, stamp_ns),) = sent.messages
    assert (topic, stamp_ns) == (feeds.CAMERA, 2_000_000_000)
    assert own_stamp(message_types.COMPRESSED_IMAGE, message) == 1_500_000_000
    image_format, file = compressed_image_of(message)
    shown = cv2.cvtColor(cv2.imdecode(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert image_format == "jpeg"
    assert np.abs(shown.astype(int) - picture).mean() < 3.0


def test_compressed_pictures_of_a_driver_are_passed_on_as_they_are(picture):
    _, file = cv2.imencode(".jpg", picture)
    message = messages.compressed_image_cdr(file.tobytes(), "jpeg", 7)
    sent = Sent(feeds.CAMERA)
    made = ViewerFeed(sent, camera=topics.COMPRESSED)
    assert made.sources() == {topics.COMPRESSED: TopicReading(10.0)}
    made.receive(topics.COMPRESSED, message, 9)
    assert sent.messages == [(feeds.CAMERA, message, 9)]


def test_saliency_is_the_mask_of_the_models_picture(model, picture, monkeypatch):
    shown = []
    overlay = feeds.saliency_overlay
    monkeypatch.setattr(
        feeds, "saliency_overlay", lambda *args: shown.append(args) or overlay(*args)
    )
    sent = Sent(feeds.SALIENCY)
    made = ViewerFeed(sent, model)
    camera = model.settings.camera.view
    settings = CameraSettings(
        width=camera.width, height=camera.height, horizontal_fov_deg=camera.horizontal_fov_deg
    )
    made.receive(topics.CAMERA_INFO, messages.camera_info_cdr(settings, 1), 1)
    made.receive(topics.IMAGE, messages.image_cdr(picture, 2), 2)
    ((topic, message, _),) = sent.messages
    ((fitted, mask, scale),) = shown
    expected = visual_backprop(model.settings.perception, model.arrays, standardise(picture))
    assert topic == feeds.SALIENCY
    np.testing.assert_array_equal(fitted, picture)
    np.testing.assert_array_equal(mask, expected)
    assert mask.max() == 1.0
    _, file = compressed_image_of(message)
    height, width = cv2.imdecode(file, cv2.IMREAD_COLOR).shape[:2]
    assert (height, width) == (picture.shape[0] * scale, picture.shape[1] * scale)


def test_saliency_takes_a_fifth_of_a_core_at_most(model, picture, monkeypatch):
    clock = Clock()
    made_maps = []

    def slow(*_):
        made_maps.append(clock.now_s)
        clock.now_s += 0.5
        return np.ones(picture.shape[:2], np.float32)

    monkeypatch.setattr(feeds, "visual_backprop", slow)
    made = ViewerFeed(Sent(feeds.SALIENCY), model, FeedRates(saliency=4.0), clock=clock)
    message = messages.image_cdr(picture, 1)
    for number in range(100):
        clock.now_s = max(clock.now_s, 100.0 + 0.1 * number)
        made.receive(topics.IMAGE, message, number)
    assert np.diff(made_maps).min() >= 2.5
    assert len(made_maps) == 4


def test_a_damaged_message_is_counted_and_the_next_one_is_sent(picture):
    sent = Sent(feeds.CAMERA)
    made = ViewerFeed(sent, rates=FeedRates(camera=1e6))
    whole = messages.image_cdr(picture, 1)
    made.receive(topics.IMAGE, whole[: len(whole) // 2], 1)
    assert made.counts == {"message_refused": 1}
    assert made.problem.startswith("camera/image_raw: expected sensor_msgs/msg/Image, got")
    made.receive(topics.IMAGE, whole, 2)
    assert sent.topics() == [feeds.CAMERA]


def test_a_topic_is_read_as_often_as_its_fastest_stream_and_after_what_it_needs(model):
    sent = Sent(feeds.POSE, feeds.SCENE, "/odom", feeds.CAMERA, feeds.SALIENCY, feeds.WIRING)
    made = ViewerFeed(sent, model, FeedRates(camera=12.0, saliency=3.0, numbers=40.0, scene=8.0))
    found = made.sources()
    assert found == {
        topics.ODOM: TopicReading(40.0),
        topics.COMMAND: TopicReading(8.0),
        topics.WIND: TopicReading(8.0),
        topics.IMAGE: TopicReading(12.0),
        topics.CAMERA_INFO: TopicReading(3.0),
        topics.FEATURES: TopicReading(40.0, every=True),
        topics.NEURONS: TopicReading(40.0, every=True),
    }
    order = list(found)
    for first, last in (
        (topics.FEATURES, topics.NEURONS),
        (topics.CAMERA_INFO, topics.IMAGE),
        (topics.COMMAND, topics.ODOM),
        (topics.WIND, topics.ODOM),
    ):
        assert order.index(first) < order.index(last)


def test_a_late_message_does_not_delay_those_after_it():
    pacer = Pacer(10.0)
    due = [now for now in (0.0, 0.07, 0.13, 0.2, 0.26, 0.31, 1.0, 1.05, 1.11) if pacer.due(now)]
    assert due == [0.0, 0.13, 0.2, 0.31, 1.0, 1.11]


def test_the_rate_is_kept_by_a_timer_that_is_not_exact():
    rng = np.random.default_rng(5)
    pacer, times = Pacer(50.0), 0.02 * np.arange(500) + rng.uniform(0.0, 0.004, 500)
    assert sum(pacer.due(now) for now in times.tolist()) == 500
    fast = Pacer(50.0)
    assert sum(fast.due(0.001 * now) for now in range(10_000)) == pytest.approx(500, abs=1)


def test_the_scene_has_path_command_and_wind_in_the_map():
    decode = with_sdk()
    sent = Sent(feeds.SCENE)
    made = ViewerFeed(sent, rates=FeedRates(scene=1e6))
    wind = messages._cdr(
        message_types.VECTOR_STAMPED,
        messages._header(1, "map"),
        messages._vector((0.0, -3.0, 4.0)),
    )
    made.receive(topics.WIND, wind, 1)
    made.receive(topics.COMMAND, messages.command_cdr(Command(2.0, 0.0, 0.0, 0.1), 1), 1)
    for x in (0.0, 0.1, 0.25):
        made.receive(topics.ODOM, messages.odometry_cdr(state_at(x, np.pi / 2), 5), 8)
    scene = decode(feeds.SCENE, sent.messages[-1][1])
    path, command, air = scene.entities
    assert [one.id for one in scene.entities] == ["path", "command", "wind"]
    assert {one.frame_id for one in scene.entities} == {"map"}
    points = [(p.x, p.y, p.z) for p in path.lines[0].points]
    assert points == [(0.0, 2.0, 3.0), (0.25, 2.0, 3.0), (0.25, 2.0, 3.0)]
    # The vehicle heads north: 2 m/s forward point along y, 1 m long.
    assert arrow(command) == pytest.approx((0.0, 1.0, 0.0), abs=1e-12)
    assert arrow(air) == pytest.approx((0.0, -1.5, 2.0), abs=1e-12)
    assert path.timestamp.nanos == 5


def test_odometry_and_camera_info_are_decoded_only_where_they_change_what_is_sent(monkeypatch):
    with_sdk()
    decoded = []
    sent, clock = Sent(feeds.POSE, "/odom"), Clock()
    made = ViewerFeed(sent, rates=FeedRates(scene=10.0, numbers=1e3), clock=clock)
    decode = made._decode
    monkeypatch.setattr(made, "_decode", lambda *args: decoded.append(args[0]) or decode(*args))
    for number in range(30):
        clock.now_s = 100.0 + number / 30.0 + 1e-6
        made.receive(topics.ODOM, messages.odometry_cdr(state_at(0.1 * number), number), number)
    assert sent.topics().count("/odom") == 30
    assert sent.topics().count(feeds.POSE) == len(decoded) == 10


def test_a_camera_is_known_until_its_camera_info_differs_in_more_than_the_stamp(model):
    made = ViewerFeed(Sent(feeds.SALIENCY), model)
    decode, decoded = made._decode, []
    made._decode = lambda *args: decoded.append(args) or decode(*args)
    wide = CameraSettings(width=128, height=72, horizontal_fov_deg=100.0)
    for stamp_ns, camera in ((1, CameraSettings()), (2, CameraSettings()), (3, wide), (4, wide)):
        made.receive(topics.CAMERA_INFO, messages.camera_info_cdr(camera, stamp_ns), 0)
    assert len(decoded) == 2
    assert made._finder._camera[:3] == (128, 72, pytest.approx(100.0))


def arrow(entity) -> tuple[float, ...]:
    (one,) = entity.arrows
    q = one.pose.orientation
    turn = rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w]))
    return tuple(turn @ [one.shaft_length + one.head_length, 0.0, 0.0])


def test_pose_and_transforms_are_the_tree_of_rep_105():
    decode = with_sdk()
    sent = Sent(feeds.POSE, feeds.TRANSFORMS)
    made = ViewerFeed(sent, pitch_down_deg=30.0)
    stamp_ns = 3_000_000_007
    made.receive(topics.ODOM, messages.odometry_cdr(state_at(1.0, 0.5), stamp_ns), 4)
    contents = {topic: decode(topic, message) for topic, message, _ in sent.messages}
    pose = contents[feeds.POSE]
    assert (pose.frame_id, pose.timestamp.seconds, pose.timestamp.nanos) == ("map", 3, 7)
    assert (pose.pose.position.x, pose.pose.position.y, pose.pose.position.z) == (1.0, 2.0, 3.0)
    assert pose.pose.orientation.z == pytest.approx(np.sin(0.25))
    transforms = contents[feeds.TRANSFORMS].transforms
    pairs = [(one.parent_frame_id, one.child_frame_id) for one in transforms]
    assert pairs == [
        ("map", "odom"),
        ("odom", "base_link"),
        ("base_link", "camera_optical_frame"),
    ]
    assert transforms[1].translation.z == 3.0
    q = transforms[2].rotation
    ahead = rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w])) @ [0.0, 0.0, 1.0]
    assert ahead == pytest.approx([np.cos(np.pi / 6), 0.0, -0.5])


def test_a_path_is_bounded_and_begins_anew_after_a_jump():
    scene = FlightScene()
    assert scene.message(0) is None
    for number in range(PATH_POINTS + 10):
        scene.add_state(state_at(0.5 * number))
    assert scene.path.shape == (PATH_POINTS, 3)
    assert scene.path[0, 0] == 5.0
    scene.add_state(state_at(-100.0))
    np.testing.assert_array_equal(scene.path, [[-100.0, 2.0, 3.0]])


def test_the_line_is_the_whole_path_however_often_it_is_sent():
    decode = with_sdk()
    scene = FlightScene()

    def shown() -> list[float]:
        path = decode(feeds.SCENE, scene.message(1)).entities[0].lines[0]
        return [point.x for point in path.points]

    for number in range(PATH_POINTS + 10):
        scene.add_state(state_at(0.5 * number))
        if number in (0, 7, PATH_POINTS - 1):
            assert shown() == [0.5 * one for one in (*range(number + 1), number)]
    last = PATH_POINTS + 9
    assert shown() == [0.5 * one for one in (*range(10, last + 1), last)]
    scene.add_state(state_at(-100.0))
    assert shown() == [-100.0, -100.0]


def diagnostics(node: str, level: int, text: str, **values: int) -> bytes:
    make = messages.types().types
    pairs = [
        make["diagnostic_msgs/msg/KeyValue"](key, str(value)) for key, value in values.items()
    ]
    status = make["diagnostic_msgs/msg/DiagnosticStatus"](level, node, text, "", pairs)
    return messages._cdr(message_types.DIAGNOSTICS, messages._header(1, ""), [status])


def test_new_events_of_the_guard_are_logs_with_their_numbers():
    decode = with_sdk()
    sent = Sent(feeds.EVENTS)
    made = ViewerFeed(sent)
    guard = topics.GUARD
    made.receive(topics.DIAGNOSTICS, diagnostics(guard, 0, "ok", clamped=4, action=0), 1)
    made.receive(topics.DIAGNOSTICS, diagnostics(guard, 0, "ok", clamped=4, action=0), 2)
    assert not sent.messages
    hover = "no command for 0.15 s: hovering"
    made.receive(topics.DIAGNOSTICS, diagnostics(guard, 2, hover, clamped=7, action=3), 3)
    made.receive(topics.DIAGNOSTICS, diagnostics(guard, 0, "ok", clamped=7, action=0), 4)
    made.receive(topics.DIAGNOSTICS, diagnostics("camera", 1, "warm", temperature=80), 5)
    logs = [decode(feeds.EVENTS, message) for _, message, _ in sent.messages]
    assert [(log.name, log.level, log.message) for log in logs] == [
        (guard, 4, f"{hover} (clamped +3, action hover)"),
        (guard, 2, "ok (action none)"),
        ("camera", 3, "warm"),
    ]


def test_what_is_offered_has_a_schema_that_can_be_read(model):
    pytest.importorskip("foxglove", reason="foxglove-sdk is not installed (extra foxglove)")
    offered = feeds.channels(model)
    assert offered.keys() == {
        *(f"/{name}" for name in feeds.PASSED),
        *(feeds.CAMERA, feeds.SALIENCY, feeds.SCENE, feeds.POSE),
        *(feeds.TRANSFORMS, feeds.EVENTS, feeds.TIME_CONSTANTS, feeds.WIRING),
    }
    pictures = {topic for topic, channel in offered.items() if channel.picture}
    assert pictures == {feeds.CAMERA, feeds.SALIENCY, feeds.WIRING}
    assert offered[feeds.TIME_CONSTANTS].schema == message_types.JOINT_STATE
    assert feeds.SALIENCY not in feeds.channels(None)
    assert offered[feeds.SCENE].schema == "foxglove.SceneUpdate"
    assert b"float64 x" in offered["/wind"].definition
    assert SimpleNamespace(**offered["/odom"]._asdict()).schema == "nav_msgs/msg/Odometry"

"""The Foxglove node in a running graph, with real viewers over its WebSocket server."""

import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Vector3Stamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from liquid_control import topics
from liquid_control.config import CameraSettings
from liquid_control.frames import quaternion_from_euler
from liquid_control.liquid.time_constants import gate_slopes
from liquid_control.nodes import conversions
from liquid_control.nodes.qos import profile
from liquid_control.policy import Policy, PolicySession, load_model
from liquid_control.types import Command, VehicleState
from liquid_control.viewers import feed as feeds
from test.ros.conftest import error_line

pytest.importorskip("foxglove", reason="foxglove-sdk is not installed (extra foxglove)")
pytest.importorskip("websockets", reason="websockets is not installed (extra test)")

from benchmarks.viewer_load import ViewerClient, decoded

pytestmark = pytest.mark.ros

NAMES = ["inter_0", "motor_3"]
STATE = VehicleState(
    np.array([4.0, 5.0, 6.0]), quaternion_from_euler(0.0, 0.0, 0.0), np.zeros(3), np.zeros(3)
)
CAMERA = CameraSettings(width=128, height=72)
PUBLISHED = (
    topics.IMAGE,
    topics.CAMERA_INFO,
    topics.ODOM,
    topics.COMMAND,
    topics.POLICY_COMMAND,
    topics.NEURONS,
    topics.DIAGNOSTICS,
)
STAMP_NS = 5_000_000_001


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def flight(probe):
    """Return a function that publishes one moment of a flight."""
    for topic in PUBLISHED:
        probe.advertise(topic, "realtime")
    wind = probe.node.create_publisher(
        Vector3Stamped, topics.WIND, profile(topics.WIND, "realtime")
    )
    pixels = np.random.default_rng(1).integers(0, 256, (CAMERA.height, CAMERA.width, 3))
    picture = cv2.GaussianBlur(pixels.astype(np.uint8), (9, 9), 3.0)
    guard = DiagnosticStatus(name=topics.GUARD, message="a command is clamped to the envelope")
    guard.level, count = DiagnosticStatus.WARN, 0

    def publish() -> np.ndarray:
        nonlocal count
        count += 1
        guard.values = [KeyValue(key="clamped", value=str(count))]
        command = conversions.command_message(Command(1.5, -0.25, 0.5, 0.75), STAMP_NS)
        probe.publish(topics.CAMERA_INFO, conversions.camera_info_message(CAMERA, STAMP_NS))
        probe.publish(topics.IMAGE, conversions.image_message(picture, STAMP_NS))
        probe.publish(topics.ODOM, conversions.odometry_message(STATE, STAMP_NS))
        probe.publish(topics.COMMAND, command)
        probe.publish(topics.POLICY_COMMAND, command)
        neurons = np.array([0.125, -0.5]), np.array([0.25, 0.75])
        probe.publish(topics.NEURONS, conversions.neurons_message(NAMES, *neurons, STAMP_NS))
        probe.publish(topics.DIAGNOSTICS, DiagnosticArray(status=[guard]))
        wind.publish(conversions.wind_message(np.array([1.0, -2.0, 0.5]), STAMP_NS))
        return picture

    return publish


def test_a_viewer_gets_every_channel_with_the_values_of_the_graph(launch, probe, flight, port):
    model = load_model("trail_cfc19")
    launch(topics.FOXGLOVE, model=str(model.path.resolve()), port=port, autostart=True)
    with ViewerClient(port) as client:
        assert client.channels.keys() == feeds.channels(model).keys()
        assert client.info["name"].startswith("liquid_control")
        shown = {
            "/cmd_vel",
            "/policy/cmd_vel",
            "/policy/neurons",
            "/odom",
            "/wind",
            "/diagnostics",
        }
        shown |= {feeds.CAMERA, feeds.SALIENCY, feeds.SCENE, feeds.POSE, feeds.TRANSFORMS}
        client.subscribe({*shown, feeds.EVENTS})
        found: dict[str, object] = {}

        def all_found() -> bool:
            picture[0] = flight()
            while (message := client.receive(0.1)) is not None:
                content = decoded(client.channels[message.topic], message.data)
                if message.topic == feeds.SCENE and len(content.entities) != 3:
                    continue
                if message.topic == feeds.EVENTS and content.name != topics.GUARD:
                    continue
                found[message.topic] = content
            return found.keys() >= shown | {feeds.EVENTS}

        picture = [None]
        probe.until(all_found, "a message of each channel")
    for topic in ("/cmd_vel", "/policy/cmd_vel"):
        twist = found[topic].twist
        assert (twist.linear.x, twist.linear.y, twist.linear.z) == (1.5, -0.25, 0.5)
        assert twist.angular.z == 0.75
        assert (found[topic].header.stamp.sec, found[topic].header.stamp.nanosec) == (5, 1)
    neurons = found["/policy/neurons"]
    assert neurons.name == NAMES
    assert (list(neurons.position), list(neurons.velocity)) == ([0.125, -0.5], [0.25, 0.75])
    assert found["/odom"].pose.pose.position.z == 6.0
    vector = found["/wind"].vector
    assert (vector.x, vector.y, vector.z) == (1.0, -2.0, 0.5)
    shown = cv2.cvtColor(
        cv2.imdecode(np.array(found[feeds.CAMERA].data), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
    )
    assert np.abs(shown.astype(int) - picture[0]).mean() < 6.0
    saliency = cv2.imdecode(np.array(found[feeds.SALIENCY].data), cv2.IMREAD_COLOR)
    scale = feeds.SALIENCY_SCALE
    assert saliency.shape == (CAMERA.height * scale, CAMERA.width * scale, 3)
    position = found[feeds.POSE].pose.position
    assert (position.x, position.y, position.z) == (4.0, 5.0, 6.0)
    entities = {one.id: one for one in found[feeds.SCENE].entities}
    assert entities.keys() == {"path", "command", "wind"}
    assert entities["path"].lines[0].points[0].y == 5.0
    pairs = [(t.parent_frame_id, t.child_frame_id) for t in found[feeds.TRANSFORMS].transforms]
    assert pairs[:2] == [("map", "odom"), ("odom", "base_link")]
    event = found[feeds.EVENTS]
    assert event.name == topics.GUARD
    assert event.message.startswith("a command is clamped to the envelope")


def test_a_viewer_gets_time_constants_and_wiring_of_the_policy_that_flies(launch, probe, port):
    policy = Policy(load_model("trail_cfc19"))
    for topic in (topics.FEATURES, topics.NEURONS):
        probe.advertise(topic, "realtime")
    rng = np.random.default_rng(4)
    session, sent = PolicySession(policy), {}

    def fly() -> None:
        features = rng.normal(0.0, 0.5, policy.model.settings.features.total).astype(np.float32)
        stamp_ns = STAMP_NS + 33_000_000 * len(sent)
        state = session.state()["state"]
        decision = session.answer(features, stamp_ns)
        sent[stamp_ns] = features, state, decision.state
        probe.publish(topics.FEATURES, conversions.features_message(features, stamp_ns))
        values = decision.state, decision.gates, stamp_ns
        probe.publish(topics.NEURONS, conversions.neurons_message(policy.state_names, *values))

    launch(topics.FOXGLOVE, model=str(policy.model.path.resolve()), port=port, autostart=True)
    with ViewerClient(port) as client:
        client.subscribe([feeds.TIME_CONSTANTS, feeds.WIRING])
        found: dict[str, object] = {}

        def both_found() -> bool:
            fly()
            while (message := client.receive(0.05)) is not None:
                found[message.topic] = decoded(client.channels[message.topic], message.data)
            return len(found) == 2

        probe.until(both_found, "time constants and wiring")
    constants = found[feeds.TIME_CONSTANTS]
    stamp = constants.header.stamp
    rates = gate_slopes(policy.model.weights, *sent[stamp.sec * 10**9 + stamp.nanosec])
    assert tuple(constants.name) == policy.state_names
    np.testing.assert_allclose(constants.velocity, rates, rtol=1e-9)
    np.testing.assert_allclose(constants.position, np.minimum(1 / np.abs(rates), 10.0), rtol=1e-9)
    picture = cv2.imdecode(np.array(found[feeds.WIRING].data), cv2.IMREAD_COLOR)
    assert picture.shape == (360, 640, 3)
    assert picture.std() > 10.0


def test_the_graph_is_subscribed_to_only_while_a_viewer_looks(launch, probe, flight, port):
    node = launch(topics.FOXGLOVE, port=port, autostart=True)

    def readers(topic: str) -> int:
        return probe.node.count_subscribers(topic)

    with ViewerClient(port) as client:
        probe.spin(0.5)
        assert readers(topics.ODOM) == readers(topics.IMAGE) == 0
        client.subscribe([feeds.POSE])
        probe.until(lambda: readers(topics.ODOM) == 1, "the subscription")
        assert readers(topics.IMAGE) == 0
        client.unsubscribe()
        probe.until(lambda: readers(topics.ODOM) == 0, "its end")
        client.subscribe([feeds.POSE])
        probe.until(lambda: readers(topics.ODOM) == 1, "the subscription")
        transition(probe, Transition.TRANSITION_DEACTIVATE)
        probe.until(lambda: readers(topics.ODOM) == 0, "its end")
    transition(probe, Transition.TRANSITION_CLEANUP)
    with socket.create_server(("127.0.0.1", port)):
        pass
    assert node.child.poll() is None


def transition(probe, number: int) -> None:
    request = ChangeState.Request(transition=Transition(id=number))
    assert probe.call(ChangeState, f"/{topics.FOXGLOVE}/change_state", request).success


def test_a_viewer_that_never_reads_costs_pictures_and_no_memory(launch, probe, flight, port):
    node = launch(
        topics.FOXGLOVE,
        port=port,
        autostart=True,
        camera_rate_hz=120.0,
        queue_kib=16,
        jpeg_quality=100,
    )
    diagnostics = probe.listen(topics.DIAGNOSTICS, "realtime")
    events = partial(probe.events, diagnostics, topics.FOXGLOVE)
    with ExitStack() as stack:
        slow = stack.enter_context(ViewerClient(port, receive_bytes=4096))
        slow.subscribe([feeds.CAMERA])
        probe.until(lambda: events().get("viewers") == 1, "the viewer")
        fast = stack.enter_context(ViewerClient(port))
        fast.subscribe([feeds.POSE])
        probe.until(lambda: events().get("viewers") == 2, "both viewers")
        before_kib = memory_kib(node)

        def dropped() -> bool:
            flight()
            while fast.receive(0.01) is not None:
                received[0] += 1
            return events().get("dropped_pictures", 0) > 5

        received = [0]
        probe.until(dropped, "dropped pictures")
        assert received[0] > 5
        assert events()["slow_viewers"] == 1
        assert memory_kib(node) < before_kib + 64 * 1024


def memory_kib(process) -> int:
    status = Path(f"/proc/{process.child.pid}/status").read_text("ascii")
    return int(status.split("VmRSS:")[1].split()[0])


def test_a_taken_port_is_one_line(launch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        node = launch(topics.FOXGLOVE, port=port, autostart=True)
        line = error_line(node)
    assert f"port {port} of 127.0.0.1 is taken by another program" in line

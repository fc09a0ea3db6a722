"""px4_node, mavros_setpoint_node and betaflight_node with real rclpy and real messages.

px4_msgs and mavros_msgs are no wheels: a sourced workspace has them. Rules of time are exact in
`test/unit/autopilots`.
"""

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from geometry_msgs.msg import TwistStamped
from msp_peer import ANGLE, ARM, OVERRIDE, MspPeer, PortPeer
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data

from liquid_control import message_types, topics
from liquid_control.autopilots import px4_topics as px4
from liquid_control.errors import OutputError
from liquid_control.nodes import conversions
from liquid_control.nodes.guard_inputs import autopilot_from
from liquid_control.nodes.message_classes import message_class, type_definition
from liquid_control.types import Command, VehicleState

from .conftest import failed_starts

pytestmark = pytest.mark.ros

FLY = Command(1.0, 0.5, 0.25, 0.125)
NORTH = np.array([0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5)])


def installed(kind: str) -> type:
    """Return a message class, or skip the test."""
    try:
        return message_class(kind)
    except OutputError as error:
        pytest.skip(str(error))


def message(command: Command) -> TwistStamped:
    return conversions.command_message(command, time.time_ns())


class Px4Peer:
    """PX4's side of its topics: it states its status and odometry, and answers about formats."""

    def __init__(self, probe, status_version: int | None = None, system: int = 1) -> None:
        self.node, self.system = probe.node, system
        self.classes = {topic: installed(topic.kind) for topic in (*px4.USED, px4.RESPONSE)}
        version = self.classes[px4.STATUS].MESSAGE_VERSION
        self.status_name = px4.STATUS.named(version if status_version is None else status_version)
        self.mode, self.wrong_format = 14, ""
        self.setpoints: list = []
        self.modes: list = []
        self.requested: list[str] = []
        kinds = self.classes
        self.status = self.node.create_publisher(kinds[px4.STATUS], self.status_name, 1)
        self.odometry = self.node.create_publisher(kinds[px4.ODOMETRY], px4.ODOMETRY.name, 1)
        self.answer = self.node.create_publisher(kinds[px4.RESPONSE], px4.RESPONSE.name, 10)
        for topic, received in ((px4.SETPOINT, self.setpoints), (px4.MODE, self.modes)):
            self.node.create_subscription(kinds[topic], topic.name, received.append, 10)
        request = installed(px4.REQUEST.kind)
        self.node.create_subscription(request, px4.REQUEST.name, self.on_request, 10)
        self.node.create_timer(0.05, self.publish)

    def publish(self) -> None:
        """State that the vehicle is armed, level, with its nose to the north."""
        self.status.publish(
            self.classes[px4.STATUS](
                nav_state=self.mode,
                arming_state=2,
                system_id=self.system,
                pre_flight_checks_pass=True,
            )
        )
        odometry = self.classes[px4.ODOMETRY](pose_frame=1, velocity_frame=1)
        odometry.timestamp = time.time_ns() // 1000
        odometry.q, odometry.position = [1.0, 0.0, 0.0, 0.0], [1.0, 2.0, -3.0]
        odometry.velocity = [0.5, 0.25, 0.0]
        self.odometry.publish(odometry)

    def on_request(self, request) -> None:
        name = bytes(request.topic_name).split(b"\0")[0].decode()
        self.requested.append(name)
        topic = next(one for one in px4.USED if one.name == name)
        value = px4.format_hash(type_definition(self.classes[topic]))
        reply = self.classes[px4.RESPONSE](protocol_version=1, success=True)
        reply.topic_name = request.topic_name
        reply.message_hash = value ^ (name == self.wrong_format)
        self.answer.publish(reply)


def flies(probe, arrived: Callable[[], object]) -> Callable[[], object]:
    """Return a function that publishes a command and tells whether something has arrived."""

    def attempt() -> object:
        probe.publish(topics.COMMAND, message(FLY))
        return arrived()

    return attempt


def test_px4_over_ros_2(probe, launch):
    """Forward is north; the mode accompanies every set-point; both end with the commands."""
    peer = Px4Peer(probe)
    probe.advertise(topics.COMMAND, "realtime")
    odometry = probe.listen(topics.ODOM, "realtime")
    status = probe.listen(topics.AUTOPILOT, "realtime")
    launch("px4_node", guards=["probe"], on_stale="stop")
    probe.until(probe.matched, "the subscription")
    setpoints = peer.setpoints
    probe.until(flies(probe, lambda: setpoints and setpoints[-1].velocity[0] != 0), "set-points")
    last = setpoints[-1]
    # nose north: forward 1 is north, left 0.5 is west, up 0.25
    assert last.velocity == pytest.approx([1.0, -0.5, -0.25], abs=1e-6)
    assert last.yawspeed == -0.125
    unused = [*last.position, *last.acceleration, *last.jerk, last.yaw]
    assert all(math.isnan(value) for value in unused)
    assert last.timestamp == 0
    modes = peer.modes
    probe.until(flies(probe, lambda: modes), "modes")
    assert (modes[-1].velocity, modes[-1].position) == (True, False)
    probe.until(lambda: setpoints[-1].velocity[0] == 0.0, "zero velocity")
    probe.spin(0.3)
    count = len(setpoints), len(modes)
    probe.spin(0.5)
    assert (len(setpoints), len(modes)) == count
    pose, twist = odometry[-1][1].pose.pose, odometry[-1][1].twist.twist
    assert (pose.position.x, pose.position.y, pose.position.z) == (2.0, 1.0, 3.0)
    # north 0.5 and east 0.25 with the nose north: forward 0.5, right 0.25
    assert (twist.linear.x, twist.linear.y) == pytest.approx((0.5, -0.25), abs=1e-6)
    probe.until(
        lambda: status and autopilot_from(status[-1][1])[1:] == (True, True, True), "the status"
    )
    probe.until(lambda: len(set(peer.requested)) == len(px4.USED), "questions about all formats")
    peer.mode = 2
    probe.until(lambda: not autopilot_from(status[-1][1]).obeys, "the pilot's mode")


def test_with_another_format_nothing_is_sent(probe, launch):
    peer = Px4Peer(probe)
    peer.wrong_format = px4.STATUS.name
    probe.advertise(topics.COMMAND, "realtime")
    node = launch("px4_node", guards=["probe"])
    line = "/fmu/out/vehicle_status has other fields in PX4 than in px4_msgs"
    probe.until(flies(probe, lambda: line in node.log.read_text()), "the line")
    probe.spin(0.5)
    count = len(peer.setpoints)
    probe.until(flies(probe, lambda: len(peer.requested) >= len(px4.USED)), "all questions")
    for _ in range(20):
        probe.publish(topics.COMMAND, message(FLY))
        probe.spin(0.05)
    assert len(peer.setpoints) == count


@pytest.mark.parametrize("version", [1, 0])
def test_another_version_of_a_message_is_refused_with_one_line(probe, launch, version):
    peer = Px4Peer(probe, status_version=version)
    node = launch("px4_node", connect_timeout_s=4.0)
    probe.until(lambda: node.child.poll() is not None, "the end")
    (line,) = [one for one in node.log.read_text().splitlines() if "[ERROR]" in one]
    assert f"PX4 has /{peer.status_name}, px4_msgs has version" in line
    assert node.child.returncode == 2


def test_px4_that_is_absent_or_another_one(probe, launch):
    installed(message_types.VEHICLE_STATUS)
    absent = launch("px4_node", connect_timeout_s=0.5)
    probe.until(lambda: absent.child.poll() is not None, "the end")
    assert "is the uXRCE-DDS agent running, and PX4 connected to it?" in absent.log.read_text()
    Px4Peer(probe, system=7)
    other = launch("px4_node", connect_timeout_s=6.0, target_system=1)
    probe.until(lambda: other.child.poll() is not None, "the end")
    line = "expected the autopilot with system id 1, found system 7"
    assert line in other.log.read_text()
    assert (absent.child.returncode, other.child.returncode) == (2, 2)


def test_without_px4_msgs_the_node_says_so():
    try:
        message_class(message_types.VEHICLE_STATUS)
    except OutputError:
        ((status, (line,)),) = failed_starts("px4_node", [{}])
        assert status == 2
        assert "is not installed: source the workspace that has px4_msgs" in line
    else:
        pytest.skip("px4_msgs is installed")


class MavrosPeer:
    """MAVROS: its state, and the plugin's node with the parameter `mav_frame`."""

    def __init__(self, probe, frame: str) -> None:
        import rclpy

        self.kind = installed(message_types.MAVROS_STATE)
        self.plugin = rclpy.create_node(
            "setpoint_velocity", namespace="/mavros", context=probe.context
        )
        self.plugin.declare_parameter("mav_frame", frame)
        probe._executor.add_node(self.plugin)
        self.setpoints: list[TwistStamped] = []
        self.plugin.create_subscription(
            TwistStamped, "setpoint_velocity/cmd_vel", self.setpoints.append, 10
        )
        self.state = self.plugin.create_publisher(self.kind, "state", 10)
        self.plugin.create_timer(0.05, self.publish)

    def publish(self) -> None:
        self.state.publish(self.kind(connected=True, armed=True, mode="GUIDED"))

    def moving(self) -> list[TwistStamped]:
        return [one for one in self.setpoints if one.twist.linear.x or one.twist.linear.y]


@pytest.mark.parametrize("frame", ["BODY_NED", "LOCAL_NED"])
def test_mavros(probe, launch, frame):
    peer = MavrosPeer(probe, frame)
    probe.advertise(topics.COMMAND, "realtime")
    odometry = probe.node.create_publisher(Odometry, topics.ODOM, qos_profile_sensor_data)
    node = launch("mavros_setpoint_node", guards=["probe"], mav_frame=frame)
    state = VehicleState(np.zeros(3), NORTH, np.zeros(3), np.zeros(3))

    def moves() -> bool:
        odometry.publish(conversions.odometry_message(state, time.time_ns()))
        return bool(peer.moving())

    probe.until(flies(probe, moves), "set-points")
    last = peer.moving()[-1]
    linear, rate = last.twist.linear, last.twist.angular.z
    body = (1.0, 0.5, 0.25) if frame == "BODY_NED" else (-0.5, 1.0, 0.25)  # east, north, up
    assert (linear.x, linear.y, linear.z) == pytest.approx(body)
    assert rate == 0.125
    assert last.header.frame_id == ("base_link" if frame == "BODY_NED" else "map")
    from rclpy.parameter import Parameter

    other = "LOCAL_NED" if frame == "BODY_NED" else "BODY_NED"
    peer.plugin.set_parameters([Parameter("mav_frame", value=other)])
    line = f"mav_frame of /mavros/setpoint_velocity is {other}, expected {frame}"
    probe.until(flies(probe, lambda: moves() and line in node.log.read_text()), "the line")
    del peer.setpoints[:]
    probe.until(flies(probe, lambda: len(peer.setpoints) > 5), "set-points")
    assert peer.moving() == []


def test_mavros_that_is_absent_is_one_line(probe, launch):
    installed(message_types.MAVROS_STATE)
    node = launch("mavros_setpoint_node", connect_timeout_s=0.5)
    probe.until(lambda: node.child.poll() is not None, "the end")
    assert "no /mavros/state with a connected autopilot arrived" in node.log.read_text()


def test_betaflight(probe, launch):
    """Over a pseudo-terminal; after the node is killed, the keeper sends level sticks and ends."""
    port = PortPeer(MspPeer(active={ARM, ANGLE, OVERRIDE}))
    probe.advertise(topics.COMMAND, "realtime")
    odometry = probe.node.create_publisher(Odometry, topics.ODOM, qos_profile_sensor_data)
    status = probe.listen(topics.AUTOPILOT, "realtime")
    node = launch("betaflight_node", link=port.link, guards=["probe"], neutral_s=0.5)
    state = VehicleState(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3), np.zeros(3))
    rc = port.peer.rc

    def moves() -> bool:
        odometry.publish(conversions.odometry_message(state, time.time_ns()))
        return bool(rc) and rc[-1][1][1] > 1520

    probe.until(flies(probe, moves), "a stick that is pushed forward")
    roll, pitch, throttle, yaw = rc[-1][1]
    assert roll < 1500 < pitch  # left, forward
    assert yaw < 1500  # counter-clockwise
    assert throttle > 1500
    probe.until(
        lambda: status and autopilot_from(status[-1][1])[1:] == (True, True, True), "the status"
    )
    node.child.kill()
    probe.until(lambda: time.monotonic() - rc[-1][0] > 1.0, "the release")
    assert [rc[-1][1][stick] for stick in (0, 1, 3)] == [1500] * 3
    port.close()


def test_betaflight_bad_input_is_one_line():
    cases: list[tuple[dict[str, object], str]] = [
        ({"link": "udpin://0.0.0.0:14550"}, "which carry MSP, got udpin://0.0.0.0:14550"),
        ({"link": "/dev/ttyACM0"}, "link: expected udpin"),
        ({"link": "tcp://127.0.0.1:1", "connect_timeout_s": 3.0}, "tcp://127.0.0.1:1"),
        ({"tilt_deg": 60.0}, "tilt_deg: expected more than 0 and at most angle_limit_deg"),
    ]
    results = failed_starts("betaflight_node", [parameters for parameters, _ in cases])
    assert [status for status, _ in results] == [2] * len(cases)
    for (_, lines), (_, expected) in zip(results, cases, strict=True):
        assert len(lines) == 1
        assert expected in lines[0]

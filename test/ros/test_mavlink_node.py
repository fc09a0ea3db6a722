"""mavlink_node with real rclpy, and a protocol peer over real sockets.

Bounds of time are exact in `test/unit/autopilots`; here processes must run in time too.
"""

import math
import socket
import time

import pytest
from mavlink_peer import (
    ARDUPILOT,
    MS,
    PX4,
    AutopilotPeer,
    Received,
    SocketPeer,
    free_udp_port,
    udp_peer,
)

from liquid_control import topics
from liquid_control.nodes import conversions
from liquid_control.nodes.guard_inputs import autopilot_from
from liquid_control.types import Command

from .conftest import failed_starts

pytestmark = pytest.mark.ros

FLY = Command(1.0, 0.5, 0.25, 0.125)
TIMEOUT_S = 0.15
TOLERANCE_S = 0.2
"""Two processes must run for a set-point to arrive, and a busy machine delays them."""
READINGS = {
    "ATTITUDE_QUATERNION": {"q1": 0.7071068, "q4": 0.7071068},  # level, nose east
    "HIGHRES_IMU": {"xacc": 0.25, "yacc": 0.5, "zacc": -9.75, "zgyro": 0.125},
    "LOCAL_POSITION_NED": {"x": 1.0, "y": 2.0, "z": -3.0, "vx": 0.5, "vy": 0.25},
}


@pytest.fixture
def connected(probe, launch):
    """Return a function that starts a node and a peer; it returns the peer once both talk."""
    peers: list[SocketPeer] = []

    def make(autopilot: int, **parameters) -> SocketPeer:
        port = free_udp_port()
        peers.append(udp_peer(AutopilotPeer(autopilot, readings=READINGS), port))
        link = f"udpin://127.0.0.1:{port}"
        launch("mavlink_node", link=link, imu_rate_hz=50.0, **parameters)
        probe.until(lambda: peers[0].named("TIMESYNC"), "the node to find the peer")
        return peers[0]

    yield make
    for peer in peers:
        peer.close()


def setpoints(peer: SocketPeer) -> list[Received]:
    return peer.named("SET_POSITION_TARGET_LOCAL_NED")


def moving(peer: SocketPeer) -> list[Received]:
    return [one for one in setpoints(peer) if one.values["vx"] != 0.0]


def message(command: Command, frame_id: str = "base_link"):
    made = conversions.command_message(command, time.time_ns())
    made.header.frame_id = frame_id
    return made


def fly(probe, topic: str, peer: SocketPeer, number: int = 10) -> int:
    """Publish commands until so many moving set-points arrived; return the last stamp, ns."""
    before, stamps = len(moving(peer)), []

    def arrived() -> bool:
        made = message(FLY)
        stamps.append(conversions.stamp_of(made.header.stamp))
        probe.publish(topic, made)
        return len(moving(peer)) >= before + number

    probe.until(arrived, "set-points")
    return stamps[-1]


def status_of(probe, diagnostics: list) -> str:
    found = [one.status[0] for _, one in diagnostics if one.status[0].name == topics.MAVLINK]
    return found[-1].message if found else ""


@pytest.mark.parametrize("autopilot", [ARDUPILOT, PX4])
def test_commands_become_setpoints(probe, connected, autopilot):
    probe.advertise(topics.COMMAND, "realtime")
    peer = connected(autopilot, guards=["probe"])
    probe.until(probe.matched, "the subscription")
    fly(probe, topics.COMMAND, peer)
    values = moving(peer)[-1].values
    axes = {"vx": 1.0, "vy": -0.5, "vz": -0.25, "yaw_rate": -0.125}
    assert {name: values[name] for name in axes} == axes
    assert (values["coordinate_frame"], values["type_mask"]) == (8, 1479)
    assert {one.values["command"] for one in peer.named("COMMAND_LONG")} == {511}


def test_imu_odometry_and_state_are_published(probe, connected):
    imu, odometry = probe.listen(topics.IMU, "realtime"), probe.listen(topics.ODOM, "realtime")
    diagnostics = probe.listen(topics.DIAGNOSTICS, "realtime")
    status = probe.listen(topics.AUTOPILOT, "realtime")
    battery = probe.listen(topics.BATTERY, "realtime")
    connected(PX4)
    probe.until(lambda: len(imu) > 50 and len(odometry) > 10, "IMU samples and odometry")
    arrival_s, sample = imu[-1]
    _, rate, force = conversions.imu_from(sample)
    assert rate == (0.0, 0.0, -0.125)
    assert force == (0.25, -0.5, 9.75)
    assert conversions.orientation_from(sample) == pytest.approx([0, 0, 0, 1], abs=1e-6)
    assert sample.header.frame_id == "base_link"
    stamps = [conversions.stamp_of(one.header.stamp) for _, one in imu]
    assert stamps == sorted(set(stamps))
    assert abs(stamps[-1] * 1e-9 - arrival_s) < 1.0
    pose, twist = odometry[-1][1].pose.pose, odometry[-1][1].twist.twist
    assert (pose.position.x, pose.position.y, pose.position.z) == (2.0, 1.0, 3.0)
    # north 0.5 and east 0.25 m/s, with the nose east: forward 0.25, left 0.5
    assert (twist.linear.x, twist.linear.y) == pytest.approx((0.25, 0.5), abs=1e-6)
    state = "PX4 (system 1), mode 0, disarmed; waiting for the first command"
    probe.until(lambda: status_of(probe, diagnostics) == state, "the state in diagnostics")
    probe.until(lambda: battery, "the battery")
    assert math.isnan(battery[-1][1].percentage)
    _, connected_, obeys, armed = autopilot_from(status[-1][1])
    assert (connected_, obeys, armed) == (True, False, False)


def test_death_of_the_policy_and_then_of_the_guard(probe, connected, launch):
    """The guard's hover is sent on; without any guard the node hovers by itself."""
    probe.advertise(topics.POLICY_COMMAND, "realtime")
    guard = launch("guard_node")
    peer = connected(PX4)
    probe.until(probe.matched, "the guard")
    offset_ns = time.time_ns() - time.monotonic_ns()

    def ends_in_time(stamp_ns: int) -> None:
        probe.until(lambda: setpoints(peer)[-1].values["vx"] == 0.0, "zero velocity")
        late_s = (moving(peer)[-1].time_ns + offset_ns - stamp_ns) / 1e9
        assert late_s <= TIMEOUT_S + TOLERANCE_S

    ends_in_time(fly(probe, topics.POLICY_COMMAND, peer))
    stamp_ns = fly(probe, topics.POLICY_COMMAND, peer)
    guard.child.kill()
    ends_in_time(stamp_ns)
    count = len(setpoints(peer))
    probe.until(lambda: len(setpoints(peer)) > count + 20, "hover that goes on")
    assert setpoints(peer)[-1].values["vx"] == 0.0


def test_stop_ends_the_stream(probe, connected):
    probe.advertise(topics.COMMAND, "realtime")
    diagnostics = probe.listen(topics.DIAGNOSTICS, "realtime")
    peer = connected(ARDUPILOT, guards=["probe"], on_stale="stop")
    probe.until(probe.matched, "the subscription")
    fly(probe, topics.COMMAND, peer)
    probe.until(lambda: setpoints(peer)[-1].values["vx"] == 0.0, "zero velocity")
    del diagnostics[:]
    probe.until(lambda: "stopped" in status_of(probe, diagnostics), "the state")
    count = len(setpoints(peer))
    probe.spin(1.0)
    assert len(setpoints(peer)) == count


def test_another_publisher_than_the_guards_means_hover(probe, connected):
    probe.advertise(topics.COMMAND, "realtime")
    diagnostics = probe.listen(topics.DIAGNOSTICS, "realtime")
    peer = connected(PX4)
    problem = "/cmd_vel is published by /probe besides /guard_node"
    probe.until(lambda: problem in status_of(probe, diagnostics), "the diagnostics")
    sent: list[int] = []

    def hovers() -> bool:
        probe.publish(topics.COMMAND, message(FLY))
        sent.append(len(setpoints(peer)))
        return sent[-1] > 10

    probe.until(hovers, "set-points")
    assert moving(peer) == []


def test_commands_in_another_frame_are_not_used(probe, connected):
    probe.advertise(topics.COMMAND, "realtime")
    diagnostics = probe.listen(topics.DIAGNOSTICS, "realtime")
    peer = connected(PX4, guards=["probe"])
    probe.until(probe.matched, "the subscription")

    def is_refused() -> bool:
        probe.publish(topics.COMMAND, message(FLY, "map"))
        return probe.events(diagnostics, topics.MAVLINK).get("frame_refused", 0) > 0

    probe.until(is_refused, "the count of refused commands")
    assert setpoints(peer) == []


def test_bad_input_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    empty, other, double, plane = (free_udp_port() for _ in range(4))
    peers = [
        udp_peer(AutopilotPeer(PX4, system=7), other),
        udp_peer(AutopilotPeer(PX4, system=1), double),
        udp_peer(AutopilotPeer(ARDUPILOT, system=2), double),
        udp_peer(AutopilotPeer(ARDUPILOT, kind=1), plane),
    ]
    udp = "udpin://127.0.0.1"
    limit = {"connect_timeout_s": 6.0}
    cases: list[tuple[dict[str, object], str]] = [
        ({"link": f"tcp://127.0.0.1:{closed}"}, f"tcp://127.0.0.1:{closed}: Connection refused"),
        ({"link": "serial:///dev/no_such_port:57600"}, "there is no device /dev/no_such_port"),
        ({"link": "/dev/ttyACM0"}, "link: expected udpin://ADDRESS:PORT"),
        ({"link": "serial:///dev/ttyACM0:57600", "allow_arm": True}, "for simulation only"),
        ({"timeout_s": 0.5}, "timeout_s"),
        (
            {"link": f"{udp}:{empty}", "connect_timeout_s": 0.5},
            f"{udp}:{empty}: no autopilot answers, nothing arrived in 0.5 s",
        ),
        (
            {"link": f"{udp}:{other}", "target_system": 1, **limit},
            "expected the autopilot with system id 1, found system 7 at 127.0.0.1:",
        ),
        ({"link": f"{udp}:{double}", **limit}, "2 autopilots on the link, system 1 at 127.0.0.1:"),
        ({"link": f"{udp}:{plane}", **limit}, "is not a multirotor: it states MAV_TYPE 1"),
    ]
    results = failed_starts("mavlink_node", [parameters for parameters, _ in cases])
    for peer in peers:
        peer.close()
    assert [status for status, _ in results] == [2] * len(cases)
    for (_, lines), (_, expected) in zip(results, cases, strict=True):
        assert len(lines) == 1
        assert expected in lines[0]


def test_mode_refused_and_never_armed_are_logged(probe, launch):
    port = free_udp_port()
    reason = "PreArm: Compass not calibrated"
    peer = udp_peer(AutopilotPeer(ARDUPILOT, refuse_arming=reason), port)
    probe.advertise(topics.COMMAND, "realtime")
    node = launch(
        "mavlink_node",
        link=f"udpin://127.0.0.1:{port}",
        guards=["probe"],
        allow_arm=True,
        target_system=1,
    )
    with peer.lock:
        peer.peer.refuse_mode = True

    def logs(text: str) -> bool:
        probe.publish(topics.COMMAND, message(FLY))
        return text in node.log.read_text()

    assert probe.until(lambda: logs("for simulation only"), "the warning about arming")
    probe.until(lambda: logs("the autopilot refused mode GUIDED: TEMPORARILY_REJECTED"), "mode")
    with peer.lock:
        peer.peer.refuse_mode = False
    probe.until(lambda: logs("the autopilot refused arming: DENIED"), "arming")
    peer.close()


def test_the_node_ends_at_rest(probe, connected, launch):
    probe.advertise(topics.COMMAND, "realtime")
    peer = connected(PX4, guards=["probe"])
    probe.until(probe.matched, "the subscription")
    fly(probe, topics.COMMAND, peer)
    node = launch.processes[-1].child
    node.terminate()
    probe.until(lambda: node.poll() is not None, "the end of the node")
    assert node.returncode == 0
    assert setpoints(peer)[-1].values["vx"] == 0.0
    last_ns = setpoints(peer)[-1].time_ns
    time.sleep(0.2)
    assert setpoints(peer)[-1].time_ns == last_ns
    assert time.monotonic_ns() - last_ns >= 200 * MS

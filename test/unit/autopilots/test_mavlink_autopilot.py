"""The bridge against a protocol peer over real sockets; waits are on conditions."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from mavlink_peer import (
    ARDUPILOT,
    PX4,
    AutopilotPeer,
    Received,
    SocketPeer,
    TcpServer,
    free_udp_port,
    udp_peer,
)

from liquid_control.autopilots import (
    AutopilotBridge,
    ImuSample,
    LinkEvent,
    MavlinkAutopilot,
    MavlinkOptions,
    MavlinkSettings,
    OdometrySample,
    StreamPhase,
)
from liquid_control.errors import AutopilotError
from liquid_control.types import Command

pytestmark = pytest.mark.unit

LIMIT_S = 60.0
FLY = Command(1.0, 0.5, 0.25, 0.125)
FRD = {"vx": 1.0, "vy": -0.5, "vz": -0.25, "yaw_rate": -0.125}
READINGS = {
    "ATTITUDE_QUATERNION": {"q1": 1.0},
    "HIGHRES_IMU": {"zacc": -9.75},
    "SCALED_IMU": {"zacc": -994},
    "LOCAL_POSITION_NED": {"x": 1.0, "y": 2.0, "z": -3.0},
}


def until(condition: Callable[[], object], description: str) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s, f"waited {LIMIT_S:g} s for {description}"
        time.sleep(0.01)


def moving(peer: SocketPeer) -> list[Received]:
    setpoints = peer.named("SET_POSITION_TARGET_LOCAL_NED")
    return [one for one in setpoints if one.values["vx"] != 0.0]


class Flight:
    """A bridge and its peer over one kind of socket."""

    def __init__(self, transport: str, autopilot: int) -> None:
        self.samples: list = []
        self.stamp_ns = 0
        peer = AutopilotPeer(autopilot, readings=READINGS)
        self.server = TcpServer(peer) if transport == "tcp" else None
        if self.server is not None:
            self.link = f"tcp://127.0.0.1:{self.server.port}"
            self.peer = self.server.runner
        else:
            port = free_udp_port()
            self.link = f"udpin://127.0.0.1:{port}"
            self.peer = udp_peer(peer, port)
        options = MavlinkOptions(imu_rate_hz=50.0)
        self.autopilot = MavlinkAutopilot(
            MavlinkSettings(self.link, options), on_sample=self.samples.append
        )

    def command(self, age_ns: int = 0) -> None:
        self.stamp_ns += 1
        self.autopilot.command(FLY, self.stamp_ns, age_ns)

    def close(self) -> None:
        self.autopilot.close()
        (self.server or self.peer).close()


@pytest.fixture(params=[("udp", ARDUPILOT), ("udp", PX4), ("tcp", ARDUPILOT), ("tcp", PX4)])
def flight(request) -> Iterator[Flight]:
    one = Flight(*request.param)
    yield one
    one.close()


def test_the_bridge_is_an_autopilot():
    bridge: AutopilotBridge = MavlinkAutopilot(MavlinkSettings("tcp://127.0.0.1:1"))
    members = {name for name in vars(AutopilotBridge) if not name.startswith("_")}
    assert len(members) >= 9
    assert members <= set(dir(bridge))
    assert (bridge.state, bridge.arm_check().ready) == (None, None)
    bridge.close()


def test_commands_out_samples_in_and_an_end_at_rest(flight):
    state = flight.autopilot.connect(LIMIT_S)
    assert state.system_id == 1
    for kind in (ImuSample, OdometrySample):
        until(lambda kind=kind: any(isinstance(s, kind) for s in flight.samples), kind.__name__)
    odometry = [one for one in flight.samples if isinstance(one, OdometrySample)][-1]
    assert odometry.state.position.tolist() == [2.0, 1.0, 3.0]
    assert abs(time.monotonic_ns() - odometry.stamp_ns) < LIMIT_S * 1e9
    until(lambda: flight.autopilot.health().round_trip_s is not None, "a round trip")
    flight.command()
    until(lambda: moving(flight.peer), "a set-point")
    values = moving(flight.peer)[0].values
    assert {name: values[name] for name in FRD} == FRD
    until(lambda: flight.autopilot.phase is StreamPhase.HOVERING, "hover after the only command")
    count = len(moving(flight.peer))
    flight.command()
    flight.autopilot.close()
    until(lambda: len(moving(flight.peer)) > count, "the second set-point")

    def last_is_at_rest() -> bool:
        return flight.peer.named("SET_POSITION_TARGET_LOCAL_NED")[-1].values["vx"] == 0.0

    until(last_is_at_rest, "zero velocity at the end")


def test_a_late_command_leaves_no_setpoint(flight):
    flight.autopilot.connect(LIMIT_S)
    flight.command(age_ns=151_000_000)
    events: list[LinkEvent] = []

    def is_counted() -> bool:
        events.extend(notice.event for notice in flight.autopilot.notices())
        return LinkEvent.LATE in events

    until(is_counted, "the event of a late command")
    assert moving(flight.peer) == []


def test_a_dropped_tcp_connection_is_opened_again():
    flight = Flight("tcp", PX4)
    assert flight.server is not None
    flight.autopilot.connect(LIMIT_S)
    flight.command()
    until(lambda: moving(flight.peer), "a set-point")
    count = len(moving(flight.peer))
    flight.server.drop()
    texts: list[str] = []

    def failed() -> bool:
        texts.extend(
            one.text for one in flight.autopilot.notices() if one.event is LinkEvent.LINK_FAILED
        )
        return bool(texts)

    until(failed, "the failure of the link")
    assert texts[0].startswith(flight.link)

    def flies_again() -> bool:
        flight.command()
        return len(moving(flight.peer)) > count and flight.autopilot.refusal == ""

    until(flies_again, "set-points over the new connection")
    assert flight.autopilot.health().connected
    flight.close()


def test_nothing_at_the_other_end():
    link = f"udpin://127.0.0.1:{free_udp_port()}"
    bridge = MavlinkAutopilot(MavlinkSettings(link))
    with pytest.raises(AutopilotError) as caught:
        bridge.connect(0.3)
    assert str(caught.value) == f"{link}: no autopilot answers, nothing arrived in 0.3 s"


def test_bytes_that_are_no_mavlink():
    port = free_udp_port()
    bridge = MavlinkAutopilot(MavlinkSettings(f"udpin://127.0.0.1:{port}"))
    bridge.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        until(
            lambda: (
                other.sendto(b"$GPGGA,", ("127.0.0.1", port))
                and "bytes arrived; check baud rate and protocol" in bridge.absence(1.0)
            ),
            "the line about bytes",
        )
    bridge.close()


def test_another_system_id_is_in_the_error():
    port = free_udp_port()
    peer = udp_peer(AutopilotPeer(system=7), port)
    options = MavlinkOptions(target_system=1)
    bridge = MavlinkAutopilot(MavlinkSettings(f"udpin://127.0.0.1:{port}", options))
    bridge.start()
    until(lambda: "expected the autopilot with system id 1" in bridge.refusal, "the refusal")
    assert "found system 7 at 127.0.0.1:" in bridge.absence(1.0)
    bridge.close()
    peer.close()


def test_a_wrong_port_fails_at_the_start():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    bridge = MavlinkAutopilot(MavlinkSettings(f"tcp://127.0.0.1:{port}"))
    with pytest.raises(AutopilotError, match="Connection refused"):
        bridge.connect(LIMIT_S)
    bridge.close()


def test_an_exception_in_a_receiver_of_samples_is_named_and_the_link_opened_again():
    port = free_udp_port()
    peer = udp_peer(AutopilotPeer(PX4, readings=READINGS), port)
    samples: list = []

    def receive(sample: object) -> None:
        samples.append(sample)
        if len(samples) == 1:
            raise RuntimeError("no room")

    bridge = MavlinkAutopilot(MavlinkSettings(f"udpin://127.0.0.1:{port}"), on_sample=receive)
    bridge.connect(LIMIT_S)
    texts: list[str] = []

    def is_named() -> bool:
        texts.extend(one.text for one in bridge.notices() if "RuntimeError" in one.text)
        return bool(texts)

    until(is_named, "the failure")
    assert texts == [f"udpin://127.0.0.1:{port}: RuntimeError: no room"]
    until(lambda: len(samples) > 10, "samples after the failure")
    bridge.command(FLY, 1, 0)
    until(lambda: moving(peer), "a set-point")
    bridge.close()
    peer.close()

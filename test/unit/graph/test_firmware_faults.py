"""Faults while a firmware flies: kinds, the faulted link, the pilot's station, plans, outcomes."""

import math
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from pymavlink.dialects.v20 import common as mavlink

from liquid_control import topics
from liquid_control.config import project_file
from liquid_control.errors import AutopilotError, ConfigError
from liquid_control.graph.fault_campaign import RULES, FaultCampaign, write_faults
from liquid_control.graph.fault_flight import FaultRow
from liquid_control.graph.fault_kinds import FIRMWARE_KINDS, KINDS, FaultKind, choose_kinds
from liquid_control.graph.firmware_faults import (
    COMPANION_PORT,
    PATH_M,
    STAND_LIMIT_S,
    FirmwareEnd,
    firmware_measured,
    firmware_program,
    with_firmware,
)
from liquid_control.graph.firmware_link import (
    DELAY_S,
    GARBAGE_BYTES,
    HOLD,
    LinkFault,
    LinkFilter,
    LinkRelay,
    PilotStation,
    SecondCompanion,
    frames_of,
    message_number,
)
from liquid_control.types import FlightRecord, FlightResult

pytestmark = pytest.mark.unit

MODEL = project_file("models/trail_cfc19")
TIMEOUT_S = 20.0
OFFBOARD_MODE, HOLD_MODE = 6 << 16, (4 << 16) | (3 << 24)


def encoder(system: int = 1) -> mavlink.MAVLink:
    return mavlink.MAVLink(None, system, 1)


def heartbeat(mode: int = OFFBOARD_MODE) -> bytes:
    message = mavlink.MAVLink_heartbeat_message(2, 12, 128 | 1, mode, 4, 3)
    return bytes(message.pack(encoder()))


def setpoint(forward_mps: float) -> bytes:
    message = mavlink.MAVLink_set_position_target_local_ned_message(
        0, 1, 1, 8, 1479, 0, 0, 0, forward_mps, 0, 0, 0, 0, 0, 0, 0
    )
    return bytes(message.pack(encoder()))


def filtered(fault: LinkFault | None, seed: int = 5) -> LinkFilter:
    made = LinkFilter(seed)
    made.fault = fault
    return made


def test_every_kind_acts_in_one_way_and_has_a_name_of_its_own():
    every = (*KINDS, *FIRMWARE_KINDS)
    assert len({kind.name for kind in every}) == len({kind.text for kind in every}) == len(every)
    assert len(FIRMWARE_KINDS) >= 18
    for kind in FIRMWARE_KINDS:
        ways = [kind.driver, kind.process or None, kind.intruder, kind.load or None]
        ways += [kind.link, kind.pilot, kind.second or None]
        assert sum(way is not None for way in ways) == 1, kind.name
        assert kind.needs_firmware
    assert not any(kind.needs_firmware for kind in KINDS)


def test_kinds_that_need_a_firmware_are_refused_without_one():
    assert choose_kinds([]) == KINDS
    assert choose_kinds([], firmware=True) == (*KINDS, *FIRMWARE_KINDS)
    assert [kind.name for kind in choose_kinds(["link_lost"], firmware=True)] == ["link_lost"]
    with pytest.raises(ConfigError, match="fault pilot_hold: expected --autopilot px4 too"):
        choose_kinds(["pilot_hold"])
    with pytest.raises(ConfigError, match="'link_lots' is not known; nearest: link_lost"):
        choose_kinds(["link_lots"], firmware=True)


def test_what_the_command_line_refuses(tmp_path):
    assert firmware_program("", None) is None
    with pytest.raises(ConfigError, match="--firmware /x: expected --autopilot px4 too"):
        firmware_program("", Path("/x"))
    with pytest.raises(ConfigError, match="--autopilot px4: expected --firmware PATH too"):
        firmware_program("px4", None)
    with pytest.raises(ConfigError, match="--autopilot: expected px4, got 'ardupilot'"):
        firmware_program("ardupilot", Path("/x"))
    with pytest.raises(AutopilotError, match="PX4: there is no firmware at /no/such"):
        firmware_program("px4", Path("/no/such"))
    program = tmp_path / "px4"
    program.write_text("text")
    with pytest.raises(AutopilotError, match="is not a program: it is not executable"):
        firmware_program("px4", program)
    program.chmod(0o755)
    assert firmware_program("px4", program) == program.resolve()


def test_the_graph_of_a_flight_has_the_bridge_and_the_firmware(tmp_path):
    rules = with_firmware(RULES)
    assert (rules.link_timeout_s, rules.mode_action) == (3.0, "hover")
    kinds = choose_kinds(["link_lost", "camera_silent"], firmware=True)
    campaign = FaultCampaign(kinds, [5], MODEL, rules=rules, firmware=Path("/opt/px4"))
    lost, camera = campaign.flights(tmp_path)
    assert list(lost.nodes)[-2:] == [topics.MAVLINK, "simulator_node"]
    assert lost.nodes[topics.MAVLINK]["link"] == f"udpin://127.0.0.1:{COMPANION_PORT}"
    assert lost.nodes[topics.GUARD]["mode_action"] == "hover"
    simulator = lost.nodes["simulator_node"]
    assert (simulator["firmware"], simulator["stand_limit_s"]) == ("/opt/px4", STAND_LIMIT_S)
    assert "driver_faults" not in simulator
    assert "driver_faults" in camera.nodes["simulator_node"]
    (own,) = FaultCampaign([kinds[1]], [5], MODEL).flights(tmp_path)
    assert own.start_s == camera.start_s
    assert "firmware" not in own.nodes["simulator_node"]


def test_frames_of_a_datagram():
    one, two = heartbeat(), setpoint(1.0)
    assert frames_of(one + two) == [one, two]
    assert [message_number(frame) for frame in (one, two, b"\x00abc")] == [0, 84, None]
    signed = one[:2] + b"\x01" + one[3:] + bytes(13)
    assert frames_of(signed + two) == [signed, two]
    assert frames_of(b"noise" + two) == [b"noise" + two]
    assert frames_of(b"") == []


def test_a_link_that_works_passes_every_datagram():
    data = heartbeat() + setpoint(1.0)
    assert filtered(None).passed(data, True) == [(0.0, data)]
    assert filtered(None).passed(b"no mavlink", False) == [(0.0, b"no mavlink")]


def test_what_each_fault_does_to_a_datagram():
    data = heartbeat() + setpoint(1.0)
    assert filtered(LinkFault.CUT).passed(data, True) == []
    assert filtered(LinkFault.CUT).passed(data, False) == []
    assert filtered(LinkFault.TO_AUTOPILOT).passed(data, True) == []
    assert filtered(LinkFault.TO_AUTOPILOT).passed(data, False) == [(0.0, data)]
    assert filtered(LinkFault.DELAYED).passed(data, True) == [(DELAY_S, data)]
    assert filtered(LinkFault.DUPLICATED).passed(data, False) == [(0.0, data)] * 2
    silent = filtered(LinkFault.NO_HEARTBEAT)
    assert silent.passed(data, False) == [(0.0, setpoint(1.0))]
    assert silent.passed(heartbeat(), False) == []
    assert silent.passed(heartbeat(), True) == [(0.0, heartbeat())]


def test_garbage_and_damage_are_functions_of_the_seed():
    data = setpoint(1.0)
    (_, first), (_, noise) = filtered(LinkFault.GARBAGE).passed(data, True)
    assert first == data
    assert len(noise) == GARBAGE_BYTES
    assert filtered(LinkFault.GARBAGE).passed(data, True)[1] == (0.0, noise)
    assert filtered(LinkFault.GARBAGE, seed=6).passed(data, True)[1] != (0.0, noise)
    damaged = filtered(LinkFault.DAMAGED)
    arrived = [damaged.passed(data, True)[0][1] for _ in range(4)]
    wrong = [sum(a != b for a, b in zip(one, data, strict=True)) for one in arrived]
    assert wrong == [0, 1, 0, 1]


def test_a_frozen_link_repeats_the_setpoint_before_the_fault():
    link = LinkFilter(0)
    assert link.passed(setpoint(1.0), True) == [(0.0, setpoint(1.0))]
    link.fault = LinkFault.FROZEN
    assert link.passed(heartbeat() + setpoint(0.0), True) == [(0.0, heartbeat() + setpoint(1.0))]
    link.fault = None
    assert link.passed(setpoint(0.5), True) == [(0.0, setpoint(0.5))]


class Port:
    """A UDP socket of this machine."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(TIMEOUT_S)
        self.number = int(self.socket.getsockname()[1])

    def send(self, data: bytes, port: int) -> None:
        self.socket.sendto(data, ("127.0.0.1", port))

    def receive(self) -> tuple[bytes, int]:
        data, (_, port) = self.socket.recvfrom(4096)
        return data, port

    def message(self, kind: str):
        """Receive until a message of a kind has arrived; its sender's port comes with it."""
        parser = encoder()
        while True:
            data, port = self.receive()
            for message in parser.parse_buffer(data) or ():
                if message.get_type() == kind:
                    return message, port


def free_port() -> int:
    probe = Port()
    probe.socket.close()
    return probe.number


def test_a_relay_passes_both_ways_and_obeys_its_fault():
    autopilot, companion, number = Port(), Port(), free_port()
    relay = LinkRelay(companion.number, 0, number)
    relay.start()
    try:
        autopilot.send(b"up", number)
        data, back = companion.receive()
        assert data == b"up"
        companion.send(b"down", back)
        assert autopilot.receive() == (b"down", number)
        relay.filter.fault = LinkFault.TO_AUTOPILOT
        companion.send(b"lost", back)
        for word in (b"one", b"two"):  # after the second, the relay has read what came before
            autopilot.send(word, number)
            assert companion.receive() == (word, back)
        relay.filter.fault = None
        companion.send(b"kept", back)
        assert autopilot.receive() == (b"kept", number)
    finally:
        relay.close()
    assert relay.passed == [3, 2]  # read after its thread, which counts what it has sent
    with pytest.raises(AutopilotError, match=f"UDP port {companion.number} is in use"):
        LinkRelay(1, 0, companion.number)


def test_the_pilot_selects_a_mode_until_it_is_accepted():
    autopilot, number = Port(), free_port()
    pilot = PilotStation(True, lambda: 7.5, number)
    assert pilot.mode == ""
    pilot.start()
    try:
        autopilot.send(heartbeat(), number)
        assert autopilot.message("HEARTBEAT")[0].get_srcSystem() == 255
        sticks, _ = autopilot.message("MANUAL_CONTROL")
        assert (sticks.x, sticks.y, sticks.z, sticks.r) == (0, 0, 500, 0)
        pilot.select(HOLD)
        for _ in range(2):  # not answered: it is repeated
            request, _ = autopilot.message("COMMAND_LONG")
            assert request.command == 176
            assert (request.param1, request.param2, request.param3) == (1.0, 4.0, 3.0)
        answer = mavlink.MAVLink_command_ack_message(176, 0).pack(encoder())
        autopilot.send(bytes(answer) + heartbeat(HOLD_MODE), number)
        end_s = time.monotonic() + TIMEOUT_S
        while pilot.mode != "AUTO.LOITER":
            assert time.monotonic() < end_s
            time.sleep(0.01)
        assert pilot.modes == [(7.5, "OFFBOARD", True), (7.5, "AUTO.LOITER", True)]
    finally:
        pilot.close()


def test_a_second_companion_has_a_system_id_of_its_own():
    autopilot = Port()
    second = SecondCompanion(autopilot.number)
    second.start()
    try:
        sent, _ = autopilot.message("SET_POSITION_TARGET_LOCAL_NED")
        assert (sent.get_srcSystem(), sent.target_system) == (42, 1)
        assert (sent.coordinate_frame, sent.type_mask) == (8, 1479)
        assert (sent.vx, sent.vy, sent.vz, sent.yaw_rate) == (0.0, 0.0, 0.0, 0.0)
    finally:
        second.close()


def record(reason: str, speeds: list[float], sink_mps: float = 0.0) -> FlightRecord:
    """A flight along x, a row every half second."""
    number = len(speeds)
    velocity = np.array(speeds)[:, None] * [1.0, 0.0, 0.0] - [0.0, 0.0, sink_mps]
    position = np.concatenate([np.zeros((1, 3)), np.cumsum(0.5 * velocity[:-1], axis=0)])
    zeros = np.zeros((number, 3))
    return FlightRecord(
        stamp_ns=np.arange(number, dtype=np.int64) * 500_000_000,
        position=position,
        quaternion=np.zeros((number, 4)),
        velocity=velocity,
        command=np.ones((number, 4)),
        framed=np.ones(number, bool),
        wind=zeros,
        progress_m=position[:, 0],
        cross_track_m=np.zeros(number),
        clearance_m=np.ones(number),
        result=FlightResult(reason == "completed", reason, 1.0, 0.0, 1.0, 0.5 * number),
    )


(LINK_LOST, LINK_CUT, PILOT_HOLD, PILOT_RETURNS) = choose_kinds(
    ["link_lost", "link_cut", "pilot_hold", "pilot_returns"], firmware=True
)
STOPS = [2.0, 2.0, 2.0, 2.0, 1.0, 0.1, 0.0, 0.0]
GOES_ON = [2.0] * 8
FLIES_FAR = [2.0] * 11 + [0.1]
HOVERS = FirmwareEnd("AUTO.LOITER", True)
OBEYS = FirmwareEnd("OFFBOARD", True)


def outcome(
    kind: FaultKind, reason: str, speeds: list[float], end: FirmwareEnd, sink_mps: float = 0.0
) -> tuple[str, str]:
    flown = record(reason, speeds, sink_mps)
    values = firmware_measured(flown, kind, 1.0, 2.0, end, 30.0)
    return values["outcome"], values["reason"]


def test_time_and_path_to_standstill_count_from_the_fault():
    values = firmware_measured(record("timeout", STOPS), LINK_LOST, 1.0, 1e6, HOVERS, 30.0)
    assert values["outcome"] == "hovered"
    assert values["reason"] == "stands; AUTO.LOITER"
    assert values["standstill_s"] == 1.5
    assert values["travelled_m"] == pytest.approx(0.5 * (2.0 + 2.0 + 1.0))
    values = firmware_measured(record("completed", GOES_ON), LINK_CUT, 1.0, 2.0, OBEYS, 30.0)
    assert values["outcome"] == "went on"
    assert math.isnan(values["standstill_s"])
    assert values["travelled_m"] == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("kind", "reason", "speeds", "end", "expected"),
    [
        (LINK_CUT, "timeout", STOPS, OBEYS, ("hovered", "stands; OFFBOARD")),
        (PILOT_HOLD, "timeout", STOPS, HOVERS, ("handed back", "stands; AUTO.LOITER")),
        (PILOT_RETURNS, "timeout", STOPS, HOVERS, ("hovered", "stands; AUTO.LOITER")),
        (LINK_CUT, "completed", GOES_ON, OBEYS, ("went on", "completed; OFFBOARD")),
        (LINK_CUT, "collision", STOPS, OBEYS, ("unsafe", "collision; OFFBOARD")),
        (LINK_CUT, "left_trail", STOPS, OBEYS, ("unsafe", "left_trail; OFFBOARD")),
        (LINK_CUT, "altitude", STOPS, OBEYS, ("unsafe", "altitude; OFFBOARD")),
        (LINK_CUT, "timeout", GOES_ON, OBEYS, ("unsafe", "stands, but it moves; OFFBOARD")),
    ],
)
def test_outcomes(kind, reason, speeds, end, expected):
    assert outcome(kind, reason, speeds, end) == expected


def test_what_else_is_unsafe():
    assert PATH_M == 8.0
    found = outcome(LINK_LOST, "timeout", FLIES_FAR, HOVERS)
    assert found == ("unsafe", "stands after 9.0 m; AUTO.LOITER")
    found = outcome(PILOT_HOLD, "completed", GOES_ON, OBEYS)
    assert found == ("unsafe", "completed, the mode of the pilot is not in force; OFFBOARD")
    found = outcome(LINK_LOST, "timeout", STOPS, FirmwareEnd("OFFBOARD", False))
    assert found == ("unsafe", "disarmed in the air; OFFBOARD")
    late = firmware_measured(record("timeout", GOES_ON), LINK_CUT, 1.0, 2.0, OBEYS, 3.5)
    assert late["reason"] == "timeout, but it moves; OFFBOARD"


def test_a_landing_counts_with_its_touch_down():
    landed = FirmwareEnd("AUTO.LAND", False, 0.7)
    found = outcome(LINK_LOST, "altitude", STOPS, landed, sink_mps=0.7)
    assert found == ("landed", "touch-down at 0.7 m/s; AUTO.LAND")
    hard = FirmwareEnd("AUTO.LAND", False, 2.5)
    found = outcome(LINK_LOST, "altitude", STOPS, hard, sink_mps=2.5)
    assert found == ("unsafe", "touch-down at 2.5 m/s; AUTO.LAND")


def test_the_table_counts_the_endings_of_a_firmware(tmp_path):
    kinds = (LINK_LOST, PILOT_HOLD)
    rows = [
        FaultRow("link_lost", 1, 3.0, "hovered", "stands; AUTO.LOITER", math.nan, 1.8, 2.5),
        FaultRow("link_lost", 2, 3.0, "landed", "touch-down", math.nan, 2.2, 2.9),
        FaultRow("pilot_hold", 1, 3.0, "handed back", "stands; AUTO.LOITER", math.nan, 1.0, 1.5),
    ]
    text = write_faults(tmp_path, rows, kinds, "liquid-control faults", firmware=True).read_text()
    assert "| hovered | landed | handed back | went on | unsafe | to safe p50 (95 %" in text
    assert "interval), p99, worst | travelled worst |" in text
    # Between 1.8 and 2.2 s the 99th percentile is 1.8 + 0.99 * 0.4.
    assert "| link cut for good | 2 | 1 | 1 | 0 | 0 | 0 | 2.00 s, 2.20 s, 2.20 s | 2.90" in text
    assert "| all | 3 | 1 | 1 | 1 | 0 | 0 | 1.80 s, 2.19 s, 2.20 s | 2.90 m |" in text
    assert "PX4 flies, in real time" in text
    assert "A path of more than 8 m to standstill is unsafe." in text

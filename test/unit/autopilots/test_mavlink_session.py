"""Byte-exact exchanges with a peer that is written from the protocol's documentation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mavlink_peer import (
    ARDUPILOT,
    BY_NAME,
    GUIDED,
    MS,
    NO_AUTOPILOT,
    PX4,
    PX4_OFFBOARD,
    PX4_POSCTL,
    SECOND,
    STABILIZE,
    AutopilotPeer,
    Received,
    crc_x25,
    frame,
    frame_v1,
    messages_in,
)
from sessions import QUIET, Loop

from liquid_control.autopilots import (
    ArmCheck,
    BatteryStatus,
    Firmware,
    ImuSample,
    LinkEvent,
    MavlinkOptions,
    MavlinkSession,
    OdometrySample,
    SetpointRules,
    StreamPhase,
)
from liquid_control.types import HOVER, Command

pytestmark = pytest.mark.unit

FLY = Command(1.0, 0.5, 0.25, 0.125)
SETPOINT = "SET_POSITION_TARGET_LOCAL_NED"
BOTH = pytest.mark.parametrize("autopilot", [ARDUPILOT, PX4])


def setpoints(peer: AutopilotPeer) -> list[Received]:
    return peer.named(SETPOINT)


def test_the_checksum_is_that_of_the_published_check_value():
    """CRC-16/MCRF4XX of the digits 1 to 9, in the catalogue of parametrised CRC algorithms."""
    assert crc_x25(b"123456789") == 0x6F91


def test_a_setpoint_is_exact_to_the_byte():
    """Little-endian; float32 of 1, -0.5, -0.25 and -0.125; trailing zeros do not occur."""
    loop = Loop(AutopilotPeer(ARDUPILOT, system=7))
    loop.connect()
    loop.session.command(FLY, loop.now_ns, 0, loop.now_ns)
    sequence = loop.peer.received[-1].sequence + 1
    elapsed_ms = (loop.now_ns - 10_000 * MS) // MS
    payload = (
        elapsed_ms.to_bytes(4, "little")  # time_boot_ms
        + bytes(12)  # x, y, z
        + bytes.fromhex("0000803f 000000bf 000080be")  # vx, vy, vz
        + bytes(12)  # afx, afy, afz
        + bytes(4)  # yaw
        + bytes.fromhex("000000be")  # yaw_rate
        + bytes.fromhex("c705")  # type_mask 1479
        + bytes.fromhex("07 01 08")  # target system and component, coordinate frame
    )
    header = bytes([0xFD, 53, 0, 0, sequence, 7, 191, 84, 0, 0])
    checksum = crc_x25(bytes([143]), crc_x25(header[1:] + payload))
    frames = loop.session.poll(loop.now_ns)
    assert frames[0] == header + payload + checksum.to_bytes(2, "little")


def test_our_heartbeat_is_exact_to_the_byte_and_once_a_second():
    session = MavlinkSession(MavlinkOptions(system_id=42), 0)
    (first,) = session.poll(0)
    # custom_mode 0, type 18, autopilot 8, base_mode 0, standby 3, version 3
    payload = bytes([0, 0, 0, 0, 18, 8, 0, 3, 3])
    header = bytes([0xFD, 9, 0, 0, 0, 42, 191, 0, 0, 0])
    checksum = crc_x25(bytes([50]), crc_x25(header[1:] + payload))
    assert first == header + payload + checksum.to_bytes(2, "little")
    assert session.poll(SECOND - 1) == []
    (second,) = messages_in(session.poll(SECOND)[0])
    assert (second.name, second.sequence) == ("HEARTBEAT", 1)


@BOTH
def test_the_exchange_of_a_connection(autopilot):
    """Message rates, hold time and clock are requested for, in this order, of the right target."""
    peer = AutopilotPeer(autopilot, system=3)
    loop = Loop(peer, MavlinkOptions())
    state = loop.connect()
    loop.run(3.0)
    imu = 105 if autopilot == PX4 else 26  # HIGHRES_IMU, SCALED_IMU
    requested = [one.values for one in peer.named("COMMAND_LONG")]
    assert {(one["target_system"], one["target_component"]) for one in requested} == {(3, 1)}
    assert [(one["command"], one["param1"], one["param2"]) for one in requested] == [
        (511, float(imu), 5000.0),
        (511, 31.0, 20000.0),
        (511, 32.0, 20000.0),
        (511, 1.0, 1_000_000.0),
    ]
    (read,) = peer.named("PARAM_REQUEST_READ")
    name = b"COM_OF_LOSS_T" if autopilot == PX4 else b"GUID_TIMEOUT"
    assert (read.values["param_id"].rstrip(b"\0"), read.values["param_index"]) == (name, -1)
    assert all(one.values["tc1"] == 0 for one in peer.named("TIMESYNC"))
    assert {(one.system, one.component) for one in peer.received} == {(1, 191), (3, 191)}
    assert state.firmware is (Firmware.PX4 if autopilot == PX4 else Firmware.ARDUPILOT)
    assert (state.system_id, state.armed, state.obeys) == (3, False, False)
    assert any(isinstance(one, ImuSample) for one in loop.samples)


def test_no_setpoint_is_sent_before_the_autopilot_is_found_or_a_command_arrived():
    peer = AutopilotPeer()
    loop = Loop(peer)
    loop.run(0.5, FLY)
    assert setpoints(peer) == []
    idle = Loop(AutopilotPeer())
    idle.connect()
    idle.run(5.0)
    assert setpoints(idle.peer) == []


def test_stamps_of_the_autopilot_become_ours():
    """The peer's clock counts from its start, 4 s before; both delays are 0 here."""
    peer = AutopilotPeer(PX4, boot_ns=6_000 * MS, readings={"HIGHRES_IMU": {"zacc": -9.8}})
    loop = Loop(peer, MavlinkOptions(imu_rate_hz=100.0))
    loop.connect()
    loop.run(1.0)
    old = peer.telemetry("HIGHRES_IMU", loop.now_ns + 2 * MS)
    (sample,) = loop.session.receive(loop.source, old, loop.now_ns + 9 * MS)
    assert sample.stamp_ns == loop.now_ns + 2 * MS
    stamps = [one.stamp_ns for one in loop.samples if isinstance(one, ImuSample)]
    assert len(stamps) > 90
    assert stamps == sorted(set(stamps))


def test_our_clock_answers_the_autopilot():
    loop = Loop(AutopilotPeer())
    loop.connect()
    request = loop.peer.frame("TIMESYNC", tc1=0, ts1=77)
    loop.session.receive(loop.source, request, loop.now_ns)
    answers = [next(messages_in(one)) for one in loop.session.poll(loop.now_ns)]
    (answer,) = [one for one in answers if one.name == "TIMESYNC" and one.values["tc1"]]
    assert answer.values == {"tc1": loop.now_ns, "ts1": 77}


def test_an_imu_sample_that_is_not_later_is_not_used():
    loop = Loop(AutopilotPeer(PX4))
    loop.connect()
    sample = loop.peer.telemetry("HIGHRES_IMU", loop.now_ns)
    assert len(loop.session.receive(loop.source, sample, loop.now_ns)) == 1
    assert loop.session.receive(loop.source, sample, loop.now_ns) == []
    loop.step()
    assert loop.texts(LinkEvent.IMU_BACKWARDS) == [
        "an IMU sample is not finite, or not later than the one before"
    ]


@BOTH
@pytest.mark.parametrize("on_stale", ["hover", "stop"])
def test_death_of_the_policy_on_the_wire(autopilot, on_stale):
    """The last moving set-point is within 150 ms of the last command; then zero, or silence."""
    rules = SetpointRules(on_stale=on_stale)
    peer = AutopilotPeer(autopilot)
    loop = Loop(peer, MavlinkOptions(imu_rate_hz=0.0, odometry_rate_hz=0.0, rules=rules))
    loop.connect()
    loop.run(2.0, FLY)
    death_ns = loop.now_ns
    loop.run(5.0)
    moving = [one for one in setpoints(peer) if one.values["vx"] != 0.0]
    still = [one for one in setpoints(peer) if one.values["vx"] == 0.0]
    assert moving[-1].time_ns - death_ns <= 150 * MS
    assert still[0].time_ns - death_ns <= 150 * MS
    if on_stale == "stop":
        assert len(still) == 1
        assert loop.session.stream.phase is StreamPhase.STOPPED
    else:
        assert loop.now_ns - still[-1].time_ns <= 50 * MS
        assert loop.session.stream.phase is StreamPhase.HOVERING
    assert loop.texts(LinkEvent.STALE) == [f"{loop.session.stream.phase.value}"]


def test_the_heartbeat_stops_with_the_policy_although_the_guard_goes_on():
    peer = AutopilotPeer()
    loop = Loop(peer)
    loop.connect()
    loop.run(3.0, HOVER)
    standby = peer.named("HEARTBEAT")
    assert {one.values["system_status"] for one in standby} == {3}
    loop.run(3.0, FLY)
    active = peer.named("HEARTBEAT")[len(standby) :]
    assert [one.values["system_status"] for one in active] == [4, 4, 4]
    death_ns = loop.now_ns
    loop.run(10.0, HOVER)
    assert setpoints(peer)[-1].time_ns == loop.now_ns
    assert peer.named("HEARTBEAT")[-1].time_ns - death_ns <= 150 * MS
    loop.run(0.1, FLY)
    assert peer.named("HEARTBEAT")[-1].time_ns > loop.now_ns - 100 * MS


def test_another_system_id_is_refused_by_name():
    loop = Loop(AutopilotPeer(system=7), MavlinkOptions(target_system=1))
    loop.run(3.0, FLY)
    assert loop.session.state is None
    assert loop.session.refusal == "expected the autopilot with system id 1, found system 7"
    assert setpoints(loop.peer) == []


def test_two_autopilots_are_refused_until_one_is_chosen():
    first, second = AutopilotPeer(system=1), AutopilotPeer(PX4, system=2)
    for target, refusal in (
        (0, "2 autopilots on the link, system 1 and system 2: set target_system to one"),
        (2, ""),
    ):
        session = MavlinkSession(MavlinkOptions(target_system=target), 0)
        for second_s in range(4):
            for peer in (first, second):
                session.receive("port", peer.heartbeat(), second_s * SECOND)
            session.poll(second_s * SECOND)
        assert session.refusal == refusal
    assert session.state is not None
    assert session.state.system_id == 2


def test_two_autopilots_with_one_system_id_are_refused():
    session = MavlinkSession(QUIET, 0)
    for second_s in range(4):
        for port in (14550, 14560):
            place = ("127.0.0.1", port)
            session.receive(place, AutopilotPeer().heartbeat(), second_s * SECOND)
        session.poll(second_s * SECOND)
    assert session.state is None
    assert session.refusal == (
        "2 autopilots on the link, system 1 at 127.0.0.1:14550 and system 1 at 127.0.0.1:14560: "
        "give each a system id of its own"
    )


def test_a_second_autopilot_in_flight_is_announced_and_not_commanded():
    loop = Loop(AutopilotPeer())
    loop.connect()
    intruder = AutopilotPeer(PX4, system=9)
    for _ in range(3):
        loop.session.receive("port", intruder.heartbeat(), loop.now_ns)
        loop.run(1.0, FLY)
    assert loop.texts(LinkEvent.SECOND_AUTOPILOT) == [
        "another autopilot on the link, system 9: only system 1 is commanded"
    ]
    assert {one.values["target_system"] for one in setpoints(loop.peer)} == {1}
    assert loop.session.state.system_id == 1


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        (
            {"autopilot": 4},
            "system 1 is neither ArduPilot (3) nor PX4 (12): it states MAV_AUTOPILOT 4",
        ),
        ({"kind": 1}, "system 1 is not a multirotor: it states MAV_TYPE 1"),
    ],
)
def test_other_firmware_and_other_vehicles_are_refused(values, refusal):
    session = MavlinkSession(QUIET, 0)
    peer = AutopilotPeer(**values)
    for second_s in range(4):
        session.receive("port", peer.heartbeat(), second_s * SECOND)
        session.poll(second_s * SECOND)
    assert (session.state, session.refusal) == (None, refusal)


def test_a_ground_station_is_no_autopilot():
    session = MavlinkSession(QUIET, 0)
    station = AutopilotPeer(NO_AUTOPILOT, system=255, kind=6)
    for second_s in range(4):
        session.receive("port", station.heartbeat(), second_s * SECOND)
        session.poll(second_s * SECOND)
    assert (session.state, session.refusal) == (None, "")


def test_a_heartbeat_of_another_version_is_refused():
    session = MavlinkSession(QUIET, 0)
    values = {"type": 2, "autopilot": 12, "base_mode": 1, "system_status": 3}
    for second_s in range(4):
        beat = frame("HEARTBEAT", second_s, 1, 1, mavlink_version=2, **values)
        session.receive("port", beat, second_s * SECOND)
        session.poll(second_s * SECOND)
    assert session.refusal == "system 1 sends heartbeats of version 2, expected version 3"


def test_a_message_of_another_definition_is_named_once():
    """Its checksum holds another CRC_EXTRA, so it is wrong every time."""
    loop = Loop(AutopilotPeer(PX4))
    loop.connect()
    for _ in range(20):
        data = bytearray(loop.peer.telemetry("HIGHRES_IMU", loop.now_ns))
        crc = crc_x25(bytes([94]), crc_x25(bytes(data[1:-2])))
        data[-2:] = crc.to_bytes(2, "little")
        assert loop.session.receive(loop.source, bytes(data), loop.now_ns) == []
        loop.step()
    assert loop.texts(LinkEvent.OTHER_DEFINITION) == [
        "message HIGHRES_IMU (105) is of another version: its checksum is wrong every time; "
        "update the firmware or pymavlink"
    ]
    assert loop.session.health(loop.now_ns).refused == 20


def test_damage_on_a_noisy_line_is_no_other_definition():
    loop = Loop(AutopilotPeer(PX4))
    loop.connect()
    good = loop.peer.telemetry("HIGHRES_IMU", loop.now_ns)
    assert len(loop.session.receive(loop.source, good, loop.now_ns)) == 1
    for _ in range(20):
        data = bytearray(loop.peer.telemetry("HIGHRES_IMU", loop.now_ns))
        data[-1] ^= 1
        loop.session.receive(loop.source, bytes(data), loop.now_ns)
        loop.step()
    assert loop.session.health(loop.now_ns).refused == 20
    assert loop.texts(LinkEvent.OTHER_DEFINITION) == []


def test_an_autopilot_that_stays_with_mavlink_1_is_named():
    loop = Loop(AutopilotPeer())
    loop.connect()
    for index in range(8):
        beat = frame_v1(
            *("HEARTBEAT", index, 1, 1), type=2, autopilot=3, base_mode=1, mavlink_version=3
        )
        loop.session.receive(loop.source, beat, loop.now_ns)
        loop.run(1.0)
    assert loop.texts(LinkEvent.OTHER_DEFINITION) == [
        "the autopilot sends MAVLink 1, expected version 2: set MAV_PROTO_VER 2 (PX4) or "
        "SERIALn_PROTOCOL 2 (ArduPilot)"
    ]


@BOTH
def test_the_pilot_arms_by_default(autopilot):
    """Neither mode nor arming is requested, whatever the vehicle's state."""
    peer = AutopilotPeer(autopilot)
    loop = Loop(peer)
    loop.connect()
    loop.run(20.0, FLY)
    assert {one.values["command"] for one in peer.named("COMMAND_LONG")} == {511}
    assert not peer.armed


@BOTH
def test_in_simulation_the_stream_comes_first_then_the_mode_then_arming(autopilot):
    peer = AutopilotPeer(autopilot)
    loop = Loop(peer, MavlinkOptions(allow_arm=True))
    loop.connect()
    loop.run(5.0)
    assert {one.values["command"] for one in peer.named("COMMAND_LONG")} == {511}
    begin_ns = loop.now_ns
    loop.run(10.0, FLY)
    requests = [one for one in peer.named("COMMAND_LONG") if one.values["command"] != 511]
    assert [one.values["command"] for one in requests] == [176, 400]
    assert [one.values["param1"] for one in requests] == [1.0, 1.0]
    assert requests[0].values["param2"] == (6.0 if autopilot == PX4 else 4.0)
    assert requests[0].time_ns - begin_ns >= SECOND
    assert loop.session.state.obeys
    assert loop.session.state.armed


def test_whoever_changes_the_mode_keeps_it():
    peer = AutopilotPeer(PX4)
    loop = Loop(peer, MavlinkOptions(allow_arm=True))
    loop.connect()
    loop.run(8.0, FLY)
    assert peer.armed
    peer.custom_mode = PX4_POSCTL
    loop.run(20.0, FLY)
    assert peer.custom_mode == PX4_POSCTL
    assert loop.texts(LinkEvent.MODE_CHANGED)[-1] == (
        "PX4 (system 1), POSCTL, armed: the pilot has control, set-points need OFFBOARD"
    )
    assert str(loop.session.state) == "PX4 (system 1), POSCTL, armed"


def test_a_link_that_returns_does_not_arm_again():
    peer = AutopilotPeer(ARDUPILOT)
    loop = Loop(peer, MavlinkOptions(allow_arm=True))
    loop.connect()
    loop.run(8.0, FLY)
    loop.connected = False
    loop.run(4.0, FLY)
    peer.armed, peer.custom_mode, peer.received = False, STABILIZE, []
    loop.connected = True
    loop.run(10.0, FLY)
    assert loop.session.health(loop.now_ns).connected
    assert setpoints(peer)[-1].time_ns == loop.now_ns
    assert {one.values["command"] for one in peer.named("COMMAND_LONG")} <= {511}


def test_a_mode_that_is_refused_is_named_with_the_result():
    peer = AutopilotPeer(ARDUPILOT, refuse_mode=True)
    loop = Loop(peer, MavlinkOptions(allow_arm=True))
    loop.connect()
    loop.run(3.0, FLY)
    assert loop.texts(LinkEvent.REQUEST_REFUSED)[0] == (
        "the autopilot refused mode GUIDED: TEMPORARILY_REJECTED"
    )


def test_an_autopilot_that_never_arms_is_reported_with_its_reasons():
    reason = "PreArm: Compass not calibrated"
    peer = AutopilotPeer(ARDUPILOT, custom_mode=GUIDED, refuse_arming=reason)
    loop = Loop(peer, MavlinkOptions(allow_arm=True))
    loop.connect()
    loop.run(40.0, FLY)
    assert loop.texts(LinkEvent.REQUEST_REFUSED)[0] == "the autopilot refused arming: DENIED"
    assert loop.texts(LinkEvent.NOT_ARMED) == [
        "the vehicle is not armed after 30 s of commands: ArduPilot (system 1), GUIDED, disarmed; "
        f"set-points need GUIDED, armed; {reason}"
    ]
    assert loop.session.arm_check().reasons == (reason,)


def test_an_autopilot_without_answers_is_asked_three_times():
    peer = AutopilotPeer(silent_commands=True)
    loop = Loop(peer)
    loop.connect()
    loop.run(2.0)
    tries = [one.values["confirmation"] for one in peer.named("COMMAND_LONG")]
    assert tries[:3] == [0, 1, 2]
    assert loop.texts(LinkEvent.REQUEST_REFUSED) == [
        "the autopilot did not answer the request for 1 Hz of SYS_STATUS, sent 3 times"
    ]


PREARM = 1 << 28


@pytest.mark.parametrize(("health", "ready"), [(0, False), (PREARM, True)])
def test_the_arm_check_is_the_autopilots(health, ready):
    loop = Loop(AutopilotPeer(PX4))
    loop.connect()
    assert loop.session.arm_check().ready is None
    text = loop.peer.frame("STATUSTEXT", severity=4, text=b"Preflight Fail: No valid mission")
    loop.session.receive(loop.source, text, loop.now_ns)
    bits = {"onboard_control_sensors_present": PREARM, "onboard_control_sensors_health": health}
    status = loop.peer.frame("SYS_STATUS", **bits)
    loop.session.receive(loop.source, status, loop.now_ns)
    reasons = () if ready else ("Preflight Fail: No valid mission",)
    warning = (
        "COM_OF_LOSS_T is 1 s: PX4 acts on missing set-points only after this time; set it to "
        "0.5 s or less"
    )
    assert loop.session.arm_check() == ArmCheck(ready, reasons, (warning,))


@pytest.mark.parametrize(
    ("values", "battery"),
    [
        ({"battery_remaining": 73, "voltage_battery": 15_210}, BatteryStatus(0.73, 15.21)),
        ({"battery_remaining": -1, "voltage_battery": 0xFFFF}, BatteryStatus(None, None)),
        ({"battery_remaining": 0, "voltage_battery": 0}, BatteryStatus(None, None)),
        ({"battery_remaining": 0, "voltage_battery": 9_800}, BatteryStatus(0.0, 9.8)),
    ],
)
def test_the_battery_is_that_of_sys_status(values, battery):
    loop = Loop(AutopilotPeer(PX4))
    loop.connect()
    assert loop.session.battery == BatteryStatus(None, None)
    loop.session.receive(loop.source, loop.peer.frame("SYS_STATUS", **values), loop.now_ns)
    assert loop.session.battery == battery


def test_a_lost_heartbeat_is_announced_and_setpoints_go_on():
    peer = AutopilotPeer()
    loop = Loop(peer)
    loop.connect()
    loop.run(1.0, FLY)
    loop.connected = False
    loop.run(4.5, FLY)
    assert not loop.session.health(loop.now_ns).connected
    assert loop.texts(LinkEvent.HEARTBEAT_LOST) == ["no heartbeat from the autopilot, system 1"]
    assert setpoints(peer)[-1].time_ns == loop.now_ns
    loop.connected = True
    loop.run(2.0, FLY)
    assert loop.session.health(loop.now_ns).connected
    assert len(loop.texts(LinkEvent.CONNECTED)) == 2


def test_a_restarted_autopilot_is_asked_for_its_messages_again():
    peer = AutopilotPeer(PX4)
    loop = Loop(peer, MavlinkOptions(imu_rate_hz=100.0))
    loop.connect()
    loop.run(5.0)
    restarted = AutopilotPeer(PX4, boot_ns=loop.now_ns)
    loop.peer, loop.samples = restarted, []
    loop.run(10.0)
    assert any(isinstance(one, ImuSample) for one in loop.samples)
    assert loop.texts(LinkEvent.CLOCK_RESET) == [
        "the autopilot's clock jumped: it has restarted, or its time was set"
    ]


def test_a_restarted_simulation_is_found_at_its_new_address():
    peer = AutopilotPeer()
    loop = Loop(peer, source=("127.0.0.1", 1000))
    loop.connect()
    loop.connected = False
    loop.run(4.0)
    loop.connected, loop.source = True, ("127.0.0.1", 2000)
    loop.run(2.0)
    assert loop.session.source == ("127.0.0.1", 2000)
    assert loop.session.health(loop.now_ns).connected


def test_missing_messages_are_counted_over_the_wrap_of_the_sequence():
    loop = Loop(AutopilotPeer())
    loop.connect()
    for sequence in (254, 3):
        before = loop.session.health(loop.now_ns).lost
        loop.peer.sequence = sequence
        loop.session.receive(loop.source, loop.peer.heartbeat(), loop.now_ns)
    assert loop.session.health(loop.now_ns).lost - before == 4  # 255, 0, 1, 2


def test_the_end_of_a_connection_is_zero_velocity():
    loop = Loop(AutopilotPeer(PX4, custom_mode=PX4_OFFBOARD))
    loop.connect()
    assert loop.session.last_frames(loop.now_ns) == []
    loop.run(0.1, FLY)
    (last,) = loop.session.last_frames(loop.now_ns)
    (setpoint,) = messages_in(last)
    axes = ("vx", "vy", "vz", "yaw_rate")
    assert (setpoint.name, [setpoint.values[name] for name in axes]) == (SETPOINT, [0.0] * 4)


@settings(deadline=None)
@given(data=st.binary(max_size=400), cuts=st.integers(1, 50))
def test_garbage_is_refused_and_the_next_heartbeats_are_found(data, cuts):
    session = MavlinkSession(QUIET, 0)
    for begin in range(0, len(data), cuts):
        session.receive("port", data[begin : begin + cuts], 0)
    peer = AutopilotPeer()
    for index in range(40):
        session.receive("port", peer.heartbeat(), index * 100 * MS)
        session.poll(index * 100 * MS)
    assert session.state is not None


NUMBERS = {
    "f": st.floats(width=32),
    "s": st.binary(max_size=16),
    **{
        code: st.integers(-(1 << bits - 1) if code.islower() else 0, (1 << bits - 1) - 1)
        for code, bits in zip("bBhHiIqQ", (8, 8, 16, 16, 32, 32, 64, 64), strict=True)
    },
}


@settings(deadline=None)
@given(st.data())
def test_any_values_of_any_message_give_finite_samples_or_none(data):
    loop = Loop(AutopilotPeer(data.draw(st.sampled_from([ARDUPILOT, PX4]))))
    loop.connect()
    for _ in range(5):
        one = data.draw(st.sampled_from(list(BY_NAME.values())))
        values = {part.name: data.draw(NUMBERS[part.format[-1]]) for part in one.fields}
        sent = loop.peer.frame(one.name, **values)
        for sample in loop.session.receive(loop.source, sent, loop.now_ns):
            assert sample.stamp_ns <= loop.now_ns
            assert np.isfinite(numbers_of(sample)).all()
        loop.step(FLY)
    assert all(text.isprintable() for text in loop.session.arm_check().reasons)


def numbers_of(sample: ImuSample | OdometrySample) -> np.ndarray:
    if isinstance(sample, ImuSample):
        turned = [] if sample.orientation is None else [*sample.orientation]
        return np.array([*sample.angular_velocity, *sample.linear_acceleration, *turned])
    state = sample.state
    return np.concatenate(
        [state.position, state.quaternion, state.velocity, state.angular_velocity]
    )


@settings(deadline=None)
@given(st.data())
def test_a_frame_with_a_flipped_bit_is_never_a_sample(data):
    loop = Loop(AutopilotPeer(PX4))
    loop.connect()
    good = loop.peer.telemetry("HIGHRES_IMU", loop.now_ns)
    bit = data.draw(st.integers(8 * 10, 8 * len(good) - 1))
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    assert loop.session.receive(loop.source, bytes(bad), loop.now_ns) == []

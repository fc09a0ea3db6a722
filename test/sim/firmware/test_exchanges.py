"""What each backend puts on the wire and takes from it, against peers of the documentation."""

import json
import math
import socket
import struct

import pytest
from firmware_peers import TIMEOUT_S, ArduPilotPeer, BetaflightPeer, Px4Peer, in_thread

from liquid_control.config import NavigationSettings
from liquid_control.errors import AutopilotError
from liquid_control_sim.firmware import (
    ArduPilotJson,
    BetaflightUdp,
    Px4Hil,
    SensorReadings,
    betaflight_udp,
)
from liquid_control_sim.firmware.ardupilot_json import servo_frame, state_message
from liquid_control_sim.firmware.backend import Patience, rotor_speed, wire
from liquid_control_sim.firmware.betaflight_udp import motor_packet
from liquid_control_sim.sensors.navigation import NavigationSensors

pytestmark = pytest.mark.sim

H = math.sqrt(0.5)
EXACT = NavigationSettings(
    mag_noise_gauss=0.0,
    mag_bias_gauss=0.0,
    baro_noise_m=0.0,
    baro_drift_m=0.0,
    gps_noise_m=0.0,
    gps_drift_m=0.0,
    gps_velocity_noise_mps=0.0,
)
AT_REST = SensorReadings(
    0.25, (0.1, 0.2, 0.3), (0.4, 0.5, 9.8), (0.0, 0.0, 0.0, 1.0), (2.0, 1.0, 3.0), (5.0, 4.0, 6.0)
)
"""Faces east, 2 m east, 1 m north and 3 m up of its home, moves 5 m/s east, 4 north and 6 up."""
NOW_US = 250_000


def sensors() -> NavigationSensors:
    return NavigationSensors(EXACT, 1)


def port_of(backend) -> int:
    return backend._port.getsockname()[1]


@pytest.fixture
def ardupilot():
    backend = ArduPilotJson(Patience("ArduPilot", silence_s=TIMEOUT_S), port=0)
    yield backend, ArduPilotPeer(port_of(backend))
    backend.close()


@pytest.fixture
def betaflight(monkeypatch):
    monkeypatch.setattr(betaflight_udp, "ANSWER_S", 1.0)  # the machine may be busy
    backend = BetaflightUdp(sensors(), Patience("Betaflight", silence_s=1.5), motor_port=0)
    peer = BetaflightPeer(port_of(backend))
    backend._peer = ("127.0.0.1", peer.port)
    yield backend, peer
    backend.close()


@pytest.fixture
def px4():
    backend = Px4Hil(sensors(), Patience("PX4", silence_s=TIMEOUT_S), port=0)
    yield backend, Px4Peer(backend._server.getsockname()[1])
    backend.close()


ATTITUDES = [
    # (x, y, z, w), FLU to ENU    (w, x, y, z), FRD to NED
    ((0.0, 0.0, H, H), (1.0, 0.0, 0.0, 0.0)),  # level, north
    ((0.0, 0.0, 0.0, 1.0), (H, 0.0, 0.0, H)),  # level, east: 90 degrees right of north
    ((0.0, 0.0, -H, H), (0.0, 0.0, 0.0, 1.0)),  # level, south
    ((0.0, 0.0, 1.0, 0.0), (H, 0.0, 0.0, -H)),  # level, west
    ((H, 0.0, 0.0, H), (0.5, 0.5, 0.5, 0.5)),  # east, right side down
    ((0.0, -H, 0.0, H), (0.5, -0.5, 0.5, 0.5)),  # east, nose up
]


@pytest.mark.parametrize(("flu_enu", "frd_ned"), ATTITUDES)
def test_attitudes_by_hand(flu_enu, frd_ned):
    got = wire(AT_REST._replace(quaternion=flu_enu)).quaternion
    assert abs(sum(a * b for a, b in zip(got, frd_ned, strict=True))) == pytest.approx(1.0)


GYRO, ACCEL = (0.1, -0.2, -0.3), (0.4, -0.5, -9.8)
"""FRD: y and z change their signs."""
NED_PLACE, NED_VELOCITY = (1.0, 2.0, -3.0), (4.0, 5.0, -6.0)
EAST = (H, 0.0, 0.0, H)


def test_ardupilot_receives_hand_worked_axes(ardupilot):
    backend, peer = ardupilot
    peer.send(0, [1000] * 4)
    backend.exchange(AT_REST)
    call = in_thread(backend.exchange, AT_REST)
    state = peer.state()
    peer.send(1, [1000] * 4)
    call.get()
    assert state["timestamp"] == 0.25
    assert state["imu"]["gyro"] == pytest.approx(GYRO)
    assert state["imu"]["accel_body"] == pytest.approx(ACCEL)
    assert state["position"] == pytest.approx(NED_PLACE)
    assert state["velocity"] == pytest.approx(NED_VELOCITY)
    assert state["quaternion"] == pytest.approx(EAST)


def test_betaflight_receives_the_same_axes(betaflight):
    backend, peer = betaflight
    call = in_thread(backend.exchange, AT_REST)
    state = peer.state()
    peer.send(struct.pack("<4f", 0.1, 0.2, 0.3, 0.4))
    call.get()
    assert state["time"] == 0.25
    assert state["gyro"] == pytest.approx(GYRO)
    assert state["accel"] == pytest.approx(ACCEL)
    assert state["quaternion"] == pytest.approx(EAST)
    assert state["velocity"] == pytest.approx((5.0, 4.0, 6.0))  # ENU, for its virtual GPS
    longitude, latitude, altitude = state["place"]
    assert (latitude - 47.397742) * 111319.49 == pytest.approx(1.0, abs=1e-3)
    east = (longitude - 8.545594) * 111319.49 * math.cos(math.radians(47.397742))
    assert east == pytest.approx(2.0, abs=1e-3)
    assert altitude == pytest.approx(491.0)
    assert state["pressure"] == pytest.approx(95563.9, abs=1.0)  # standard atmosphere at 491 m


def test_px4_receives_the_same_axes(px4):
    backend, peer = px4
    call = in_thread(backend.exchange, AT_REST)
    (sensor,) = peer.messages("HIL_SENSOR")
    (gps,) = peer.messages("HIL_GPS")
    call.get()
    assert sensor.time_usec == 250_000
    assert (sensor.xgyro, sensor.ygyro, sensor.zgyro) == pytest.approx(GYRO)
    assert (sensor.xacc, sensor.yacc, sensor.zacc) == pytest.approx(ACCEL)
    # Facing east: forward is the field's east, right is its south, down is its down.
    assert (sensor.xmag, sensor.ymag, sensor.zmag) == pytest.approx((0.00771, -0.21523, 0.42741))
    assert sensor.abs_pressure == pytest.approx(955.639, abs=0.01)
    assert sensor.fields_updated == 0b1101111111111 & ~0x400  # no differential pressure
    assert (gps.vn, gps.ve, gps.vd) == (400, 500, -600)
    assert gps.vel == round(100 * math.hypot(4.0, 5.0))
    assert gps.alt == 491_000
    assert gps.lat - 473977420 == pytest.approx(1.0 / 111319.49 * 1e7, abs=1.0)


def test_motor_outputs_are_equal_on_all_wires(ardupilot, betaflight, px4):
    """Front right a quarter, rear left a half, front left three quarters, rear right full."""
    expected = (0.25, 0.5, 0.75, 1.0)
    backend, peer = ardupilot
    peer.send(0, [1250, 1500, 1750, 2000])
    assert backend.exchange(AT_REST) == expected
    backend, peer = betaflight
    call = in_thread(backend.exchange, AT_REST)
    peer.state()
    peer.send(struct.pack("<4f", *expected))
    assert call.get() == expected
    backend, peer = px4
    peer.socket.sendall(peer.controls(NOW_US, list(expected)))
    assert backend.exchange(AT_REST) == expected


def test_the_state_of_ardupilot_is_exact_to_the_byte():
    text = (
        '\n{"timestamp":0.5,"imu":{"gyro":[0.0,-0.0,-0.0],"accel_body":[0.0,-0.0,-9.75]},'
        '"position":[0.0,0.0,-0.0],"quaternion":[1.0,0.0,0.0,0.0],"velocity":[0.0,0.0,-0.0],'
        '"no_time_sync":1}\n'
    )
    zero = (0.0, 0.0, 0.0)
    north = SensorReadings(0.5, zero, (0.0, 0.0, 9.75), (0.0, 0.0, H, H), zero, zero)
    got = state_message(north).decode()
    rounded = json.loads(got, parse_float=lambda number: round(float(number), 12))
    assert rounded == json.loads(text)
    assert got.startswith('\n{"timestamp":0.5,"imu":{"gyro":[0.0,-0.0,-0.0],"accel_body":')
    assert " " not in got


def test_servo_packets_of_16_and_32_channels():
    body = struct.pack("<4H", 1000, 1100, 1900, 2100)
    packet = struct.pack("<HHI", 18458, 400, 7) + body + bytes(24)
    assert packet[:8] == bytes.fromhex("1a489001 07000000")
    assert servo_frame(packet) == (7, (0.0, 0.1, 0.9, 1.0))
    assert servo_frame(struct.pack("<HHI", 29569, 400, 8) + body + bytes(56)) == (
        8,
        (0.0, 0.1, 0.9, 1.0),
    )
    assert servo_frame(packet[:-1]) is None
    assert servo_frame(b"\x1b" + packet[1:]) is None
    assert servo_frame(b"") is None


def test_ardupilot_is_answered_again_when_it_repeats_a_frame(ardupilot):
    """Its answer was lost: the state is sent again, and physics does not advance."""
    backend, peer = ardupilot
    peer.send(5, [1000] * 4)
    backend.exchange(AT_REST)
    call = in_thread(backend.exchange, AT_REST._replace(time_s=1.0))
    first = peer.state()
    peer.send(5, [1900] * 4)
    assert peer.state() == first
    assert call.is_waiting()
    peer.send(6, [1100] * 4)
    assert call.get() == pytest.approx((0.1,) * 4)
    assert backend.counts.repeated == 1


def test_a_repetition_that_waited_for_the_answer_is_not_answered_twice(ardupilot):
    """The simulation took more than 1 s; a second answer would be that of the next request."""
    backend, peer = ardupilot
    peer.send(5, [1000] * 4)
    backend.exchange(AT_REST)
    peer.send(5, [1000] * 4)
    peer.send(5, [1000] * 4)
    call = in_thread(backend.exchange, AT_REST._replace(time_s=1.0))
    assert peer.state()["timestamp"] == 1.0
    peer.send(6, [1100] * 4)
    assert call.get() == pytest.approx((0.1,) * 4)
    assert backend.counts.repeated == 2
    call = in_thread(backend.exchange, AT_REST._replace(time_s=2.0))
    assert peer.state()["timestamp"] == 2.0  # no second answer lies in between
    peer.send(7, [1200] * 4)
    assert call.get() == pytest.approx((0.2,) * 4)


def test_ardupilot_that_restarts_counts_anew(ardupilot):
    backend, peer = ardupilot
    peer.send(900, [1000] * 4)
    backend.exchange(AT_REST)
    peer.send(0, [1200] * 4)
    call = in_thread(backend.exchange, AT_REST)
    peer.state()
    peer.send(1, [1300] * 4)
    assert call.get() == pytest.approx((0.3,) * 4)
    assert backend.counts.restarts == 1


@pytest.mark.parametrize("garbage", [b"", b"x", bytes(40), bytes(4000), b"\n{}\n"])
def test_ardupilot_garbage_is_counted_and_not_answered(ardupilot, garbage):
    backend, peer = ardupilot
    peer.socket.sendto(garbage, peer.address)
    peer.send(1, [1500] * 4)
    assert backend.exchange(AT_REST) == (0.5,) * 4
    assert backend.counts.refused == 1


def test_silence_of_ardupilot_is_one_line(ardupilot):
    backend, _ = ardupilot
    backend._patience.silence_s = 0.3
    line = rf"^ArduPilot: no servo outputs arrived on UDP port {port_of(backend)} in 0.3 s$"
    with pytest.raises(AutopilotError, match=line):
        backend.exchange(AT_REST)


def test_betaflight_keeps_its_motors_without_an_answer_until_it_counts_as_silent(betaflight):
    backend, peer = betaflight
    call = in_thread(backend.exchange, AT_REST)
    peer.state()
    peer.send(struct.pack("<4f", 0.5, 0.5, 0.5, 0.5))
    call.get()
    assert backend.exchange(AT_REST) == (0.5,) * 4
    assert backend.counts.unanswered == 1
    with pytest.raises(AutopilotError, match=r"^Betaflight: no motor outputs arrived"):
        backend.exchange(AT_REST)


def test_betaflight_garbage():
    nan = float("nan")
    assert motor_packet(struct.pack("<4f", 0.5, nan, 0.5, 0.5)) is None
    assert motor_packet(struct.pack("<3f", 0.5, 0.5, 0.5)) is None
    assert motor_packet(struct.pack("<4f", -0.5, 1.5, 0.5, 0.0)) == (0.0, 1.0, 0.5, 0.0)


def test_the_first_sensor_messages_of_px4_need_no_answer_but_later_ones_do(px4):
    backend, peer = px4
    assert backend.exchange(AT_REST) == (0.0,) * 4
    peer.socket.sendall(peer.controls(NOW_US, [0.5] * 4))
    assert backend.exchange(AT_REST) == (0.5,) * 4
    backend._patience.silence_s = 0.5
    with pytest.raises(AutopilotError, match=r"^PX4: no HIL_ACTUATOR_CONTROLS arrived in 0.5 s$"):
        backend.exchange(AT_REST)


def test_px4_that_is_disarmed_sends_nan(px4):
    backend, peer = px4
    peer.socket.sendall(peer.controls(NOW_US, [float("nan")] * 4))
    assert backend.exchange(AT_REST) == (0.0,) * 4


def test_px4_that_answers_late_is_not_one_step_behind_from_then_on(px4):
    """The answer to the first message comes with the second one; only its own is used."""
    backend, peer = px4
    assert backend.exchange(AT_REST) == (0.0,) * 4  # none in time
    peer.socket.sendall(peer.controls(NOW_US, [0.25] * 4))
    call = in_thread(backend.exchange, AT_REST._replace(time_s=0.254))
    assert call.is_waiting()  # longer than for the first answers: PX4 runs
    peer.socket.sendall(peer.controls(254_000, [0.5] * 4))
    assert call.get() == (0.5,) * 4
    assert (backend.counts.unanswered, backend.counts.repeated) == (1, 1)


def test_px4_garbage_is_passed_over(px4):
    backend, peer = px4
    peer.socket.sendall(b"\x00garbage\r\n" + peer.controls(NOW_US, [0.25] * 4))
    assert backend.exchange(AT_REST) == (0.25,) * 4


def test_px4_that_closes_is_one_line(px4):
    backend, peer = px4
    backend.exchange(AT_REST)
    peer.socket.close()
    backend._begun = True  # in flight: it waits for each answer
    with pytest.raises(AutopilotError, match=r"^PX4: closed the simulator's connection$"):
        backend.exchange(AT_REST)


def test_px4_sensors_have_their_rates(px4):
    """Of 48 steps at 240 Hz: 12 readings of the magnetometer, 6 of the barometer, 2 of the GPS."""
    backend, peer = px4
    for step in range(48):
        peer.socket.sendall(peer.controls(round(step / 240 * 1e6), [0.0] * 4))
        backend.exchange(AT_REST._replace(time_s=step / 240))
    backend.close()
    while data := peer.socket.recv(65536):
        peer.received += peer.mav.parse_buffer(data) or []
    found = [message for message in peer.received if message.get_type() == "HIL_SENSOR"]
    assert len(found) == 48
    assert [message.time_usec for message in found[:3]] == [0, 4167, 8333]
    assert sum(bool(message.fields_updated & 0b111000000) for message in found) == 12
    assert sum(bool(message.fields_updated & 0x200) for message in found) == 6
    assert sum(message.get_type() == "HIL_GPS" for message in peer.received) == 2


@pytest.mark.parametrize(("make", "kind"), [(ArduPilotJson, "UDP"), (Px4Hil, "TCP")])
def test_a_port_in_use_is_one_line(make, kind):
    stream = socket.SOCK_DGRAM if kind == "UDP" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, stream) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(
            AutopilotError, match=rf"{kind} port {port} is in use .*; does another"
        ):
            ArduPilotJson(port=port) if kind == "UDP" else Px4Hil(sensors(), port=port)


def test_a_firmware_that_dies_is_named_with_its_last_words():
    patience = Patience("ArduPilot", lambda: "the firmware ended with status 1: panic", 5.0)
    backend = ArduPilotJson(patience, port=0)
    with pytest.raises(AutopilotError, match=r"^ArduPilot: the firmware ended with status 1: pan"):
        backend.exchange(AT_REST)
    backend.close()


def test_thrust_of_a_motor_output_by_hand():
    """e = 0.65, u = 0.5: 0.35 x 0.5 + 0.65 x 0.25 = 0.3375 of full thrust, speed its root."""
    assert rotor_speed(0.5, 0.65, 800.0) == pytest.approx(800.0 * math.sqrt(0.3375))
    assert rotor_speed(0.0, 0.65, 800.0) == 0.0
    assert rotor_speed(1.0, 0.65, 800.0) == 800.0
    assert rotor_speed(0.25, 0.0, 800.0) == 400.0  # PX4: thrust is linear

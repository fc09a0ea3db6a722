"""Betaflight over MSP: sticks and status in a session, and real bytes by pty and TCP."""

import os
import signal
import time

import numpy as np
import pytest
from msp_peer import ANGLE, ARM, BOXIDS, FC_VARIANT, OVERRIDE, STATUS, MspPeer, PortPeer, reply

from liquid_control.autopilots import (
    BetaflightAutopilot,
    BetaflightOptions,
    LinkEvent,
    SetpointRules,
    Sticks,
)
from liquid_control.autopilots.betaflight_autopilot import BetaflightSession
from liquid_control.autopilots.betaflight_rc import MSP_HZ
from liquid_control.autopilots.bridge_session import BridgeRules
from liquid_control.errors import ConfigError
from liquid_control.types import Command, VehicleState

pytestmark = pytest.mark.unit

MS = 1_000_000
STEP_NS = 10 * MS
FLYING = frozenset({ARM, ANGLE, OVERRIDE})
FORWARD = Command(forward_mps=1.0)
LIMIT_S = 60.0
"""Processes start in this time on a busy machine."""


def at_rest(yaw: float = 0.0) -> VehicleState:
    quaternion = np.array([0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)])
    return VehicleState(np.array([0.0, 0.0, 2.0]), quaternion, np.zeros(3), np.zeros(3))


class Flight:
    """A session and a peer without a port; the test advances time."""

    def __init__(self, peer: MspPeer, **rules) -> None:
        options = BetaflightOptions(
            "tcp://127.0.0.1:1", BridgeRules(SetpointRules(**rules), "angle mode")
        )
        self.session, self.peer, self.now_ns = BetaflightSession(options), peer, 0
        self.sent: list[tuple[int, Sticks, Sticks]] = []
        self.news: list[tuple[LinkEvent, str]] = []

    def run(self, seconds: float, command: Command | None = None, odometry: bool = True) -> None:
        for _ in range(round(seconds * 100)):
            self.now_ns += STEP_NS
            if self.now_ns % (200 * MS) == 0:
                for code in (FC_VARIANT, BOXIDS, STATUS):
                    self.session.receive(self.peer.answer(code, b""), self.now_ns)
            if odometry:
                self.session.odometry(at_rest(), self.now_ns)
            if command is not None:
                self.session.rules.command(command, self.now_ns, 0, self.now_ns)
            if (sticks := self.session.poll(self.now_ns)) is not None:
                self.sent.append((self.now_ns, *sticks))
            self.news += self.session.rules.notices()

    def texts(self, event: LinkEvent) -> list[str]:
        return [text for one, text in self.news if one is event]


@pytest.mark.parametrize(
    ("command", "stick", "sign"),
    [
        (Command(forward_mps=1.0), "pitch", 1),
        (Command(forward_mps=-1.0), "pitch", -1),
        (Command(left_mps=1.0), "roll", -1),
        (Command(left_mps=-1.0), "roll", 1),
        (Command(yaw_rate_radps=0.5), "yaw", -1),
        (Command(yaw_rate_radps=-0.5), "yaw", 1),
    ],
)
def test_each_axis_moves_its_stick_in_its_direction(command, stick, sign):
    flight = Flight(MspPeer(active=set(FLYING)))
    flight.run(2.5, command)
    _, sticks, _ = flight.sent[-1]
    assert sign * getattr(sticks, stick) > 0.05
    others = {"roll", "pitch", "yaw"} - {stick}
    assert all(abs(getattr(sticks, one)) < 1e-9 for one in others)


def test_up_raises_the_throttle_above_that_of_hover():
    flight = Flight(MspPeer(active=set(FLYING)))
    flight.run(2.5, Command(up_mps=1.0))
    assert flight.sent[-1][1].throttle > 0.55
    assert flight.sent[-1][2][:3] == (0.0, 0.0, 0.0)


def test_without_a_fresh_command_the_vehicle_is_stopped_within_150_ms():
    flight = Flight(MspPeer(active=set(FLYING)))
    flight.run(2.5, FORWARD)
    flight.run(0.5)
    assert flight.texts(LinkEvent.STALE) == ["hovering: no fresh command"]
    moving = [sticks.pitch for at, sticks, _ in flight.sent if at > 2_650 * MS]
    assert moving[-1] < moving[0]  # towards the pitch of zero velocity


def test_stop_sends_nothing_more():
    flight = Flight(MspPeer(active=set(FLYING)), on_stale="stop")
    flight.run(2.5, FORWARD)
    flight.run(1.0)
    assert flight.sent[-1][0] <= 2_500 * MS + 150 * MS


def test_without_odometry_the_sticks_are_level():
    flight = Flight(MspPeer(active=set(FLYING)))
    flight.run(2.5, FORWARD)
    flight.run(0.5, FORWARD, odometry=False)
    _, sticks, neutral = flight.sent[-1]
    assert sticks == neutral
    assert sticks[:3] == (0.0, 0.0, 0.0)
    assert len(flight.texts(LinkEvent.HOVERING)) == 1


def test_integrators_stay_empty_while_the_pilot_flies():
    flight = Flight(MspPeer(active={ARM, ANGLE}))
    flight.run(20.0, FORWARD)
    flight.peer.active.add(OVERRIDE)
    flight.run(0.3, FORWARD)
    assert flight.sent[-1][1].throttle == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("boxes", "active", "text", "obeys"),
    [
        (None, FLYING, "Betaflight, ANGLE + MSP OVERRIDE, armed", True),
        (None, {ARM, ANGLE}, "Betaflight, ANGLE, armed", False),
        (None, {OVERRIDE}, "Betaflight, MSP OVERRIDE, disarmed", False),
        ((ARM, ANGLE), {ARM, ANGLE}, "Betaflight, ANGLE, armed", True),  # its receiver is MSP
        ((ARM, ANGLE), set(), "Betaflight, ACRO, disarmed", False),
    ],
)
def test_status(boxes, active, text, obeys):
    peer = MspPeer(active=set(active))
    peer.boxes = boxes or peer.boxes
    flight = Flight(peer)
    flight.run(2.0)
    state = flight.session.rules.state
    assert (str(state), state.obeys) == (text, obeys)


def test_what_keeps_it_from_arming_is_named():
    flight = Flight(MspPeer(active={ANGLE, OVERRIDE}, blocked=0b10000100))
    flight.run(35.0, FORWARD)
    (line,) = flight.texts(LinkEvent.NOT_ARMED)
    assert line.endswith("disarmed; set-points need angle mode, armed; RXLOSS; THROTTLE")


@pytest.mark.parametrize(
    ("peer", "line"),
    [
        (MspPeer(variant=b"INAV"), "expected Betaflight (BTFL), found 'INAV'"),
        (MspPeer(api=(0, 2, 5)), "expected MSP API 1, found 2.5"),
    ],
)
def test_another_firmware_or_version_is_refused(peer, line):
    flight = Flight(peer)
    flight.session.receive(peer.answer(1, b""), 1)
    if peer.variant != b"BTFL":
        flight.run(2.0, FORWARD)
    assert flight.session.rules.refusal == line
    assert flight.sent == []


def test_damaged_frames_are_counted():
    flight = Flight(MspPeer())
    damaged = bytearray(reply(FC_VARIANT, b"INAV"))
    damaged[-1] ^= 1
    flight.session.receive(bytes(damaged), 1)
    assert (flight.session.damaged, flight.session.rules.refusal) == (1, "")


def test_a_link_that_does_not_carry_msp_is_refused():
    with pytest.raises(ConfigError, match="which carry MSP, got udpin:"):
        BetaflightOptions("udpin://0.0.0.0:14550")


def until(condition, what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


@pytest.fixture(params=["pty", "tcp"])
def port(request):
    port = PortPeer(MspPeer(active=set(FLYING)), tcp=request.param == "tcp")
    yield port
    port.close()


def test_real_bytes_from_a_command_to_the_release_of_the_link(port):
    """Four channels only; after the keeper's companion is gone, neutral ones, then silence."""
    rules = BridgeRules(SetpointRules(), "angle mode")
    autopilot = BetaflightAutopilot(BetaflightOptions(port.link, rules, neutral_s=0.5))
    autopilot.start()
    try:
        until(lambda: autopilot.state is not None, autopilot.refusal)
        assert str(autopilot.state) == "Betaflight, ANGLE + MSP OVERRIDE, armed"

        def flies() -> bool:
            autopilot.odometry(at_rest())
            autopilot.command(FORWARD, time.monotonic_ns(), 0)
            return bool(port.peer.rc) and port.peer.rc[-1][1][1] > 1520

        until(flies, "a stick that is pushed forward")
        assert {len(channels) for _, channels in port.peer.rc} == {4}
        assert autopilot.health().connected
        begun_s, before = time.monotonic(), port.peer.requests
        until(lambda: flies() and time.monotonic() - begun_s > 1.0, "a second of flight")
        rate_hz = (port.peer.requests - before) / (time.monotonic() - begun_s)
        assert 20.0 < rate_hz < MSP_HZ
    finally:
        autopilot.close()
    time.sleep(0.2)
    until(lambda: time.monotonic() - port.peer.rc[-1][0] > 1.0, "the release")
    roll, pitch, throttle, yaw = port.peer.rc[-1][1]
    assert (roll, pitch, yaw) == (1500, 1500, 1500)
    assert 1400 < throttle < 1700


def test_a_keeper_that_is_killed_is_started_again():
    port = PortPeer(MspPeer(active=set(FLYING)), tcp=True)
    autopilot = BetaflightAutopilot(BetaflightOptions(port.link))
    autopilot.start()
    try:
        until(lambda: autopilot.state is not None, autopilot.refusal)
        os.kill(autopilot._keeper.pid, signal.SIGKILL)
        before = autopilot.health().received
        until(lambda: autopilot.health().received > before + 3, "status again")
    finally:
        autopilot.close()
        port.close()


def test_nothing_at_the_other_end_and_a_wrong_port_are_one_line():
    silent = PortPeer(MspPeer())
    silent.peer.receive = lambda data: b""
    cases = {
        "serial:///dev/no_such_port:115200": "there is no device /dev/no_such_port",
        "tcp://127.0.0.1:1": "tcp://127.0.0.1:1: Connection refused",
        silent.link: "no flight controller answers, nothing arrived in 3 s",
    }
    for link, line in cases.items():
        autopilot = BetaflightAutopilot(BetaflightOptions(link))
        autopilot.start()
        if link != silent.link:
            until(lambda a=autopilot: a.refusal, link)
        found = autopilot.absence(3.0)
        autopilot.close()
        assert line in found
        assert found.startswith(link)
    silent.close()

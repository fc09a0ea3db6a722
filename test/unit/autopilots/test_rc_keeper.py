"""A dead companion never leaves its last channels: real processes, killed and stopped."""

import os
import signal
import socket
import struct
import subprocess
import sys

import pytest

from liquid_control.autopilots import rc_keeper
from liquid_control.autopilots.mavlink_links import LinkAddress
from liquid_control.autopilots.rc_keeper import KeeperPhase, KeeperRules, RcKeeper
from liquid_control.errors import AutopilotError, ConfigError

pytestmark = pytest.mark.unit

MS = 1_000_000
FORWARD = (1500, 1700, 1560, 1500, 2000, 2000, *(1000,) * 10)
NEUTRAL = (1500, 1500, 1540, 1500, 2000, 2000, *(1000,) * 10)
RULES = KeeperRules(timeout_s=0.15, neutral_s=0.5)


@pytest.mark.parametrize(
    ("last_ms", "now_ms", "ended", "phase"),
    [
        (None, 10_000, False, KeeperPhase.WAITING),
        (None, 10_000, True, KeeperPhase.RELEASED),
        (0, 149, False, KeeperPhase.FORWARDING),
        (0, 150, False, KeeperPhase.NEUTRAL),
        (0, 1, True, KeeperPhase.NEUTRAL),  # its pipe is closed: it is dead
        (0, 649, False, KeeperPhase.NEUTRAL),
        (0, 650, False, KeeperPhase.RELEASED),
        (0, 650, True, KeeperPhase.RELEASED),
    ],
)
def test_phases(last_ms, now_ms, ended, phase):
    last_ns = None if last_ms is None else last_ms * MS
    assert RULES.phase(last_ns, now_ms * MS, ended) is phase


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        port.settimeout(20.0)
        yield port


def address_of(receiver) -> str:
    return f"udpout://127.0.0.1:{receiver.getsockname()[1]}"


def channels(data: bytes) -> tuple[int, ...]:
    """Return the channels of an MSP_SET_RAW_RC frame."""
    assert data[:5] == b"$M<\x20\xc8"
    return struct.unpack("<16H", data[5:37])


def until_silence(receiver) -> list[tuple[int, ...]]:
    found = [channels(receiver.recv(100))]
    receiver.settimeout(1.0)
    try:
        while True:
            found.append(channels(receiver.recv(100)))
    except TimeoutError:
        return found


COMPANION = """
import sys, time
from liquid_control.autopilots.rc_keeper import KeeperRules, RcKeeper
keeper = RcKeeper(sys.argv[1], KeeperRules(0.15, 0.5))
print(keeper.pid, flush=True)
while True:
    keeper.send({forward}, {neutral})
    time.sleep(0.02)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGINT])
def test_a_companion_that_is_killed_or_stopped_ends_in_neutral_then_silence(receiver, how):
    program = COMPANION.format(forward=FORWARD, neutral=NEUTRAL)
    path = os.pathsep.join(path for path in sys.path if path)
    companion = subprocess.Popen(
        [sys.executable, "-c", program, address_of(receiver)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    )
    try:
        assert channels(receiver.recv(100)) == FORWARD
        companion.send_signal(how)
        found = until_silence(receiver)
        assert found[-1] == NEUTRAL
        assert FORWARD not in found[found.index(NEUTRAL) :]
        assert found.count(NEUTRAL) >= 3
    finally:
        companion.kill()
        companion.wait()


def test_a_companion_that_closes_ends_in_neutral_and_the_keeper_ends(receiver):
    keeper = RcKeeper(address_of(receiver), RULES)
    keeper.send(FORWARD, NEUTRAL)
    assert channels(receiver.recv(100)) == FORWARD
    keeper.close()
    assert keeper.wait(20.0) == 0
    assert until_silence(receiver)[-1] == NEUTRAL


def test_after_a_release_frames_are_refused_with_one_line(receiver):
    keeper = RcKeeper(address_of(receiver), RULES)
    keeper.send(FORWARD, NEUTRAL)
    keeper.wait(20.0)
    with pytest.raises(AutopilotError, match="the RC link was released: no frame came in time"):
        keeper.send(FORWARD, NEUTRAL)


def test_a_link_that_cannot_be_opened_is_one_line():
    keeper = RcKeeper("serial:///dev/no-such-port:115200", RULES)
    keeper.wait(20.0)
    with pytest.raises(AutopilotError, match="there is no device /dev/no-such-port"):
        keeper.send(FORWARD, NEUTRAL)


def test_packets_of_the_simulator_and_msp_elsewhere():
    simulator = LinkAddress.parse("udpout://127.0.0.1:9004")
    assert rc_keeper._on_wire(simulator, FORWARD, 0)[8:] == struct.pack("<16H", *FORWARD)
    serial = LinkAddress.parse("serial:///dev/ttyAMA0:115200")
    assert channels(rc_keeper._on_wire(serial, FORWARD, 0)) == FORWARD


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"timeout_s": 1.0}, "timeout_s: expected 0.04 to 0.5 s, got 1"),
        ({"neutral_s": 0.0}, "neutral_s: expected 0.5 to 60 s, got 0"),
    ],
)
def test_rules_out_of_range(values, line):
    with pytest.raises(ConfigError, match=line):
        KeeperRules(**values)


def test_an_address_without_a_known_form():
    with pytest.raises(ConfigError, match="link: expected"):
        RcKeeper("bluetooth://x")

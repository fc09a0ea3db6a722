"""A process that keeps the RC link of a companion computer, and outlives it.

Betaflight's MSP override holds the last channels for ever when nobody sends new ones, and its
simulator holds the last RC packet. So the link belongs to this process. It forwards the frames of
the companion. When none has come for `timeout_s`, be it that the companion hangs, was stopped or
killed, the keeper sends the neutral frame that came with the last one, for `neutral_s`. Then it
releases: it sends nothing more, and whatever holds the last channels holds neutral ones. After a
release, frames are forwarded again only if the companion begins anew with a new keeper.

    python -m liquid_control.autopilots.rc_keeper ADDRESS TIMEOUT_S NEUTRAL_S CHANNELS < frames

Over a serial port or TCP it also asks for the state of the flight controller, and writes what
arrives to its standard output; what the companion does not read is dropped. `RcKeeper` starts it.
Time and state are arguments of `KeeperRules`.
"""

import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from liquid_control.autopilots import betaflight_rc as rc
from liquid_control.autopilots.mavlink_links import LinkAddress, MavlinkPort, open_link
from liquid_control.errors import AutopilotError, ConfigError
from liquid_control.types import NANOSECONDS

SIMULATOR_PORT = 9004
FRAME = struct.Struct(f"<{2 * rc.CHANNELS}H")
"""Channels to send, and the neutral channels that stand for them later, us."""
PERIOD_S = 0.02
REQUESTS = (rc.MSP_API_VERSION, rc.MSP_FC_VARIANT, rc.MSP_BOXIDS, rc.MSP_STATUS)
"""What is asked for, in turn."""
REQUEST_NS = 100_000_000
TWO_WAY = ("serial", "tcp")
"""Kinds of links on which a flight controller answers."""
READ_BYTES = 65536
PROGRAM = "import sys; from liquid_control.autopilots import rc_keeper as k; sys.exit(k.main())"


class KeeperPhase(str, Enum):
    """Phase of a keeper."""

    WAITING = "waiting for the first frame"
    FORWARDING = "forwarding"
    NEUTRAL = "neutral: no frame of the companion"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class KeeperRules:
    """When a keeper sends what.

    Attributes:
        timeout_s: a frame is in force no longer than this, s.
        neutral_s: neutral frames are sent for so long before the release, s.

    Raises:
        ConfigError: a value is out of range.
    """

    timeout_s: float = 0.15
    neutral_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0.04 <= self.timeout_s <= 0.5:
            raise ConfigError(f"timeout_s: expected 0.04 to 0.5 s, got {self.timeout_s:g}")
        if not 0.5 <= self.neutral_s <= 60.0:
            raise ConfigError(f"neutral_s: expected 0.5 to 60 s, got {self.neutral_s:g}")

    def phase(self, last_ns: int | None, now_ns: int, ended: bool) -> KeeperPhase:
        """Return the phase.

        Args:
            last_ns: when the last frame came; None before the first.
            now_ns: present time.
            ended: whether the companion has closed its end: it is dead.
        """
        if last_ns is None:
            return KeeperPhase.RELEASED if ended else KeeperPhase.WAITING
        age_s = (now_ns - last_ns) / NANOSECONDS
        if age_s < self.timeout_s and not ended:
            return KeeperPhase.FORWARDING
        if age_s < self.timeout_s + self.neutral_s:
            return KeeperPhase.NEUTRAL
        return KeeperPhase.RELEASED


class RcKeeper:
    """The companion's side: starts the keeper, and gives it frames.

    The keeper is in a session of its own, so that neither Ctrl-C nor the end of the companion
    ends it before it has released the link.
    """

    def __init__(
        self, address: str, rules: KeeperRules = KeeperRules(), channels: int = rc.CHANNELS
    ) -> None:
        """Start the process.

        Args:
            address: of the link: `udpout://127.0.0.1:9004` for RC packets to the simulator;
                otherwise MSP, over `serial:///dev/ttyAMA0:115200` or `tcp://127.0.0.1:5761`.
            rules: when it sends what.
            channels: number of channels in MSP, the first ones of a frame.

        Raises:
            ConfigError: the address has none of these forms.
        """
        LinkAddress.parse(address)
        times = (str(rules.timeout_s), str(rules.neutral_s), str(channels))
        path = os.pathsep.join(path for path in sys.path if path)
        self._child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, address, *times],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,
            bufsize=0,
        )
        assert self._child.stdout is not None
        os.set_blocking(self._child.stdout.fileno(), False)

    @property
    def pid(self) -> int:
        """Process id of the keeper."""
        return self._child.pid

    def send(self, channels: Sequence[int], neutral: Sequence[int]) -> None:
        """Send a frame; 16 channels each, us.

        Raises:
            AutopilotError: the keeper has ended: it released the link, or the link failed.
        """
        pipe = self._child.stdin
        try:
            if pipe is not None:
                pipe.write(FRAME.pack(*channels, *neutral))
        except (OSError, ValueError) as error:
            raise AutopilotError(self.last_words()) from error

    def read(self) -> bytes:
        """Return what has arrived from the link over MSP; it does not wait."""
        pipe = self._child.stdout
        return b"" if pipe is None else pipe.read(READ_BYTES) or b""

    def is_alive(self) -> bool:
        """Return whether the keeper still runs."""
        return self._child.poll() is None

    def close(self) -> None:
        """End the frames: the keeper sends neutral ones, releases the link and ends."""
        if self._child.stdin is not None:
            with suppress(OSError):
                self._child.stdin.close()

    def wait(self, timeout_s: float) -> int:
        """Wait for the end of the keeper; return its status."""
        return self._child.wait(timeout_s)

    def last_words(self) -> str:
        """Wait for the end of the keeper; return why it ended."""
        self._child.wait()
        errors = b"" if self._child.stderr is None else self._child.stderr.read()
        lines = errors.decode(errors="replace").strip().splitlines()
        return (lines or ["the RC link was released: no frame came in time"])[-1]


def keep(
    link: MavlinkPort, address: LinkAddress, rules: KeeperRules, count: int = rc.CHANNELS
) -> None:
    """Forward frames of standard input until the link is released."""
    source = sys.stdin.fileno()
    last_ns: int | None = None
    channels: tuple[int, ...] = ()
    neutral: tuple[int, ...] = ()
    next_request, next_ns = 0, 0
    data, ended = b"", False
    while True:
        if ended:
            time.sleep(PERIOD_S)
        elif select.select([source], [], [], PERIOD_S)[0]:
            received = os.read(source, 64 * FRAME.size)
            ended, data = not received, data + received
        now_ns = time.monotonic_ns()
        whole = len(data) // FRAME.size * FRAME.size
        if whole:
            values = FRAME.unpack(data[whole - FRAME.size : whole])
            channels, neutral, data = values[: rc.CHANNELS], values[rc.CHANNELS :], data[whole:]
            last_ns = now_ns
        phase = rules.phase(last_ns, now_ns, ended)
        if phase is KeeperPhase.RELEASED:
            return
        if phase is KeeperPhase.NEUTRAL:
            channels = neutral
        if whole or phase is KeeperPhase.NEUTRAL:
            link.write(_on_wire(address, channels, now_ns, count), None)
        if address.kind in TWO_WAY and now_ns >= next_ns:
            link.write(rc.msp_request(REQUESTS[next_request]), None)
            next_request, next_ns = (next_request + 1) % len(REQUESTS), now_ns + REQUEST_NS
        for _, received in link.read(0.0):
            with suppress(OSError):  # a companion that does not read, or is dead
                os.write(sys.stdout.fileno(), received)


def _on_wire(
    address: LinkAddress, channels: Sequence[int], now_ns: int, count: int = rc.CHANNELS
) -> bytes:
    if address.kind == "udpout" and address.number == SIMULATOR_PORT:
        return rc.rc_packet(now_ns / NANOSECONDS, channels)
    return rc.msp_set_raw_rc(channels[:count])


def main() -> int:
    """Run a keeper; return its exit status."""
    arguments = sys.argv[1:]
    address = LinkAddress.parse(arguments[0])
    rules = KeeperRules(float(arguments[1]), float(arguments[2]))
    os.set_blocking(sys.stdout.fileno(), False)
    try:
        keep(open_link(address), address, rules, int(arguments[3]))
    except AutopilotError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Link between a firmware and its companion, with faults; a pilot's station; a second companion.

All three run in threads of the process that injects faults. A relay stands between PX4's link for
a companion and `mavlink_node`, so that the link fails while both ends live.
"""

import random
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any

from liquid_control.autopilots.interface import Firmware
from liquid_control.autopilots.mavlink_frames import BODY_NED, VELOCITY_AND_YAW_RATE
from liquid_control.autopilots.mavlink_modes import ARMED, CUSTOM_MODE_ENABLED, mode_name
from liquid_control.autopilots.mavlink_requests import SET_MODE
from liquid_control.graph.mavlink_flight import LISTENING_PORT, ONBOARD_PORT, STATION_PORT
from liquid_control_sim.firmware.backend import LOOPBACK, bound_port
from liquid_control_sim.firmware.px4_hil import hil_dialect

DELAY_S = 0.5
GARBAGE_BYTES = 60
MAVLINK_2, HEADER, CHECKSUM, SIGNATURE = 0xFD, 10, 2, 13
"""First byte of a frame of MAVLink 2, and lengths of its parts."""
SIGNED = 1
HEARTBEAT, COMMAND_ACK, SETPOINT = 0, 77, 84
"""Numbers of messages; the last is SET_POSITION_TARGET_LOCAL_NED."""
STEP_S = 0.01
MAX_BYTES = 65536
HEARTBEAT_S, STICKS_S, SETPOINT_S, REQUEST_S = 1.0, 0.05, 0.05, 0.3
STATION_SYSTEM, STATION_COMPONENT, STATION_TYPE = 255, 190, 6
SECOND_SYSTEM, SECOND_COMPONENT, COMPANION_TYPE = 42, 191, 18
NO_AUTOPILOT, ACTIVE = 8, 4
STICK_NEUTRAL, THROTTLE_NEUTRAL = 0, 500
OFFBOARD, POSITION, HOLD, LAND = (6, 0), (3, 0), (4, 3), (4, 6)
"""Main mode and sub-mode of PX4."""


class LinkFault(str, Enum):
    """What a relay does to a link."""

    CUT = "cut"
    """Nothing passes, in either direction."""
    TO_AUTOPILOT = "to_autopilot"
    """Nothing passes to the autopilot; its messages still arrive."""
    NO_HEARTBEAT = "no_heartbeat"
    """Heartbeats of the autopilot are missing, everything else passes."""
    GARBAGE = "garbage"
    """Random bytes follow every datagram, in both directions."""
    DAMAGED = "damaged"
    """One byte of every second datagram is wrong, in both directions."""
    DELAYED = "delayed"
    """Every datagram arrives `DELAY_S` later."""
    DUPLICATED = "duplicated"
    """Every datagram arrives twice."""
    FROZEN = "frozen"
    """The last set-point before the fault takes the place of every later one."""


def frames_of(data: bytes) -> list[bytes]:
    """Return the MAVLink 2 frames of a datagram; what follows a damaged one stays with it."""
    frames = []
    while data:
        size = len(data)
        if data[0] == MAVLINK_2 and len(data) >= HEADER:
            size = HEADER + data[1] + CHECKSUM + (SIGNATURE if data[2] & SIGNED else 0)
        frames.append(data[:size])
        data = data[size:]
    return frames


def message_number(frame: bytes) -> int | None:
    """Return the number of a frame's message; None if it is not a frame of MAVLink 2."""
    if len(frame) < HEADER or frame[0] != MAVLINK_2:
        return None
    return int.from_bytes(frame[7:10], "little")


class LinkFilter:
    """Applies a fault to the datagrams of a link.

    Args:
        seed: of random bytes.

    Attributes:
        fault: in force; None for a link that works.
    """

    def __init__(self, seed: int) -> None:
        self.fault: LinkFault | None = None
        self._random = random.Random(seed)
        self._setpoint = b""
        self._count = 0

    def passed(self, data: bytes, to_autopilot: bool) -> list[tuple[float, bytes]]:
        """Return what arrives of a datagram: datagrams, each with its delay, s."""
        fault = self.fault
        if fault is LinkFault.CUT or (fault is LinkFault.TO_AUTOPILOT and to_autopilot):
            return []
        if fault is LinkFault.GARBAGE:
            return [(0.0, data), (0.0, self._random.randbytes(GARBAGE_BYTES))]
        if fault is LinkFault.DAMAGED:
            return [(0.0, self._damaged(data))]
        if fault is LinkFault.DELAYED:
            return [(DELAY_S, data)]
        if fault is LinkFault.DUPLICATED:
            return [(0.0, data)] * 2
        if fault is LinkFault.NO_HEARTBEAT and not to_autopilot:
            kept = [one for one in frames_of(data) if message_number(one) != HEARTBEAT]
            return [(0.0, b"".join(kept))] if kept else []
        if to_autopilot:
            data = self._with_setpoint(data, fault is LinkFault.FROZEN)
        return [(0.0, data)]

    def _damaged(self, data: bytes) -> bytes:
        self._count += 1
        if self._count % 2:
            return data
        at = self._random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]

    def _with_setpoint(self, data: bytes, frozen: bool) -> bytes:
        """Return a datagram with the set-point that is in force, and keep a new one."""
        frames = []
        for frame in frames_of(data):
            if message_number(frame) == SETPOINT:
                if not frozen or not self._setpoint:
                    self._setpoint = frame
                frame = self._setpoint
            frames.append(frame)
        return b"".join(frames)


class _Threaded:
    """A loop in a thread: `_step` is called until `close`."""

    def __init__(self, name: str) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and release the ports."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._step()

    def _step(self) -> None:
        raise NotImplementedError


class LinkRelay(_Threaded):
    """Passes datagrams between PX4 and a companion.

    Args:
        companion_port: UDP port on which the companion listens.
        seed: of random bytes.
        port: UDP port to which PX4 sends.

    Raises:
        AutopilotError: the port is in use.

    Attributes:
        filter: has the fault.
        passed: datagrams that arrived, from the autopilot and to it.
    """

    def __init__(self, companion_port: int, seed: int, port: int = ONBOARD_PORT) -> None:
        super().__init__("link relay")
        self.filter = LinkFilter(seed)
        self.passed = [0, 0]
        self._autopilot = bound_port(port, "PX4")
        self._companion = bound_port(0, "PX4")
        self._addresses: list[Any] = [(LOOPBACK, companion_port), None]
        self._late: deque[tuple[float, int, bytes]] = deque()

    def close(self) -> None:
        """End the thread and release the ports."""
        super().close()
        self._autopilot.close()
        self._companion.close()

    def _step(self) -> None:
        ready = select.select([self._autopilot, self._companion], [], [], STEP_S)[0]
        now_s = time.monotonic()
        for port in ready:
            try:
                data, sender = port.recvfrom(MAX_BYTES)
            except ConnectionError:  # the other end is not there at present
                continue
            to_autopilot = port is self._companion
            if not to_autopilot:
                self._addresses[1] = sender
            for delay_s, datagram in self.filter.passed(data, to_autopilot):
                self._late.append((now_s + delay_s, int(to_autopilot), datagram))
        while self._late and self._late[0][0] <= now_s:
            _, way, datagram = self._late.popleft()
            self._send(way, datagram)

    def _send(self, way: int, datagram: bytes) -> None:
        address = self._addresses[way]
        if address is None:
            return
        port = self._autopilot if way else self._companion
        try:
            port.sendto(datagram, address)
        except ConnectionError:
            return
        self.passed[way] += 1


class _Sender(_Threaded):
    """A MAVLink system on a UDP port, which sends messages at fixed times."""

    def __init__(self, name: str, port: int, system: int, component: int) -> None:
        super().__init__(name)
        dialect = hil_dialect()
        self._mav = dialect.MAVLink(None, system, component)
        self._mav.robust_parsing = True
        self._socket = bound_port(port, "PX4")
        self._due: dict[str, float] = {}

    def close(self) -> None:
        """End the thread and release the port."""
        super().close()
        self._socket.close()

    def _every(self, name: str, period_s: float) -> bool:
        now_s = time.monotonic()
        if now_s < self._due.get(name, 0.0):
            return False
        self._due[name] = now_s + period_s
        return True

    def _send(self, message: Any, address: Any) -> None:
        data = message.pack(self._mav)
        self._mav.seq = (self._mav.seq + 1) % 256
        self._socket.sendto(data, address)


class PilotStation(_Sender):
    """Ground station of the pilot: reads mode and arming, and sends mode and sticks.

    Args:
        sticks: whether it sends the sticks, in their neutral positions.
        clock: time of the changes of mode.
        port: UDP port to which the autopilot sends.

    Raises:
        AutopilotError: the port is in use.
        DependencyError: pymavlink is not installed.

    Attributes:
        modes: time, mode and arming, at every change.
    """

    def __init__(self, sticks: bool, clock: Callable[[], float], port: int = STATION_PORT) -> None:
        super().__init__("pilot", port, STATION_SYSTEM, STATION_COMPONENT)
        self.modes: list[tuple[float, str, bool]] = []
        self._sticks, self._clock = sticks, clock
        self._vehicle: Any = None
        self._wanted: tuple[int, int] | None = None

    @property
    def mode(self) -> str:
        """Mode of the autopilot's last heartbeat; empty before the first."""
        return self.modes[-1][1] if self.modes else ""

    def select(self, mode: tuple[int, int]) -> None:
        """Request a mode until the autopilot accepts it.

        Args:
            mode: main mode and sub-mode of PX4.
        """
        self._wanted = mode

    def _step(self) -> None:
        if select.select([self._socket], [], [], STEP_S)[0]:
            data, self._vehicle = self._socket.recvfrom(MAX_BYTES)
            for frame in frames_of(data):
                if message_number(frame) in (HEARTBEAT, COMMAND_ACK):
                    for message in self._mav.parse_buffer(frame) or ():
                        self._on_message(message)
        if self._vehicle is None:
            return
        if self._every("heartbeat", HEARTBEAT_S):
            status = self._mav.heartbeat_encode(STATION_TYPE, NO_AUTOPILOT, 0, 0, ACTIVE)
            self._send(status, self._vehicle)
        if self._sticks and self._every("sticks", STICKS_S):
            neutral = (STICK_NEUTRAL, STICK_NEUTRAL, THROTTLE_NEUTRAL, STICK_NEUTRAL)
            self._send(self._mav.manual_control_encode(1, *neutral, 0), self._vehicle)
        if self._wanted is not None and self._every("mode", REQUEST_S):
            values = (float(CUSTOM_MODE_ENABLED), *map(float, self._wanted), 0.0, 0.0, 0.0, 0.0)
            self._send(self._mav.command_long_encode(1, 1, SET_MODE, 0, *values), self._vehicle)

    def _on_message(self, message: Any) -> None:
        if message.get_type() == "COMMAND_ACK" and message.command == SET_MODE:
            if message.result == 0:
                self._wanted = None
        elif message.get_type() == "HEARTBEAT" and message.autopilot != NO_AUTOPILOT:
            state = (
                mode_name(Firmware.PX4, message.custom_mode),
                bool(message.base_mode & ARMED),
            )
            if not self.modes or self.modes[-1][1:] != state:
                self.modes.append((self._clock(), *state))


class SecondCompanion(_Sender):
    """Another companion, of another system id: heartbeats and set-points of zero velocity.

    Args:
        port: UDP port on which the autopilot listens.
    """

    def __init__(self, port: int = LISTENING_PORT) -> None:
        super().__init__("second companion", 0, SECOND_SYSTEM, SECOND_COMPONENT)
        self._address = (LOOPBACK, port)

    def _step(self) -> None:
        address = self._address
        if self._every("heartbeat", HEARTBEAT_S):
            status = self._mav.heartbeat_encode(COMPANION_TYPE, NO_AUTOPILOT, 0, 0, ACTIVE)
            self._send(status, address)
        if self._every("setpoint", SETPOINT_S):
            message = self._mav.set_position_target_local_ned_encode(
                0, 1, 1, BODY_NED, VELOCITY_AND_YAW_RATE, *(0.0,) * 11
            )
            self._send(message, address)
        time.sleep(STEP_S)

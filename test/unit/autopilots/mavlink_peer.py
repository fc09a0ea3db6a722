"""A MAVLink peer written from the protocol's documentation, independent of any MAVLink library.

Framing, field order, truncation, checksum and CRC_EXTRA follow https://mavlink.io/en/guide/
serialization.html; messages follow https://mavlink.io/en/messages/common.html.
"""

import itertools
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

STX_V1, STX_V2 = 0xFE, 0xFD
MS = 1_000_000
SECOND = 1_000_000_000

_IDS = "u8 target_system, u8 target_component"
_AXES = "f {0}x, f {0}y, f {0}z"
DEFINITIONS = {
    0: "HEARTBEAT: u8 type, u8 autopilot, u8 base_mode, u32 custom_mode, u8 system_status, "
    "u8 mavlink_version",
    1: "SYS_STATUS: u32 onboard_control_sensors_present, u32 onboard_control_sensors_enabled, "
    "u32 onboard_control_sensors_health, u16 load, u16 voltage_battery, i16 current_battery, "
    "i8 battery_remaining, u16 drop_rate_comm, u16 errors_comm, u16 errors_count1, "
    "u16 errors_count2, u16 errors_count3, u16 errors_count4",
    20: f"PARAM_REQUEST_READ: {_IDS}, c16 param_id, i16 param_index",
    22: "PARAM_VALUE: c16 param_id, f param_value, u8 param_type, u16 param_count, "
    "u16 param_index",
    26: "SCALED_IMU: u32 time_boot_ms, i16 xacc, i16 yacc, i16 zacc, i16 xgyro, i16 ygyro, "
    "i16 zgyro, i16 xmag, i16 ymag, i16 zmag | i16 temperature",
    31: "ATTITUDE_QUATERNION: u32 time_boot_ms, f q1, f q2, f q3, f q4, f rollspeed, "
    "f pitchspeed, f yawspeed",
    32: f"LOCAL_POSITION_NED: u32 time_boot_ms, {_AXES.format('')}, {_AXES.format('v')}",
    76: f"COMMAND_LONG: {_IDS}, u16 command, u8 confirmation, f param1, f param2, f param3, "
    "f param4, f param5, f param6, f param7",
    77: "COMMAND_ACK: u16 command, u8 result | u8 progress, i32 result_param2, "
    "u8 target_system, u8 target_component",
    84: f"SET_POSITION_TARGET_LOCAL_NED: u32 time_boot_ms, {_IDS}, u8 coordinate_frame, "
    f"u16 type_mask, {_AXES.format('')}, {_AXES.format('v')}, {_AXES.format('af')}, f yaw, "
    "f yaw_rate",
    105: "HIGHRES_IMU: u64 time_usec, f xacc, f yacc, f zacc, f xgyro, f ygyro, f zgyro, f xmag, "
    "f ymag, f zmag, f abs_pressure, f diff_pressure, f pressure_alt, f temperature, "
    "u16 fields_updated | u8 id",
    111: "TIMESYNC: i64 tc1, i64 ts1",
    253: "STATUSTEXT: u8 severity, c50 text | u16 id, u8 chunk_seq",
}
"""Fields in the order of the documentation; those after `|` are extensions."""
TYPES = {
    "u8": ("uint8_t", "B"),
    "i8": ("int8_t", "b"),
    "u16": ("uint16_t", "H"),
    "i16": ("int16_t", "h"),
    "u32": ("uint32_t", "I"),
    "i32": ("int32_t", "i"),
    "u64": ("uint64_t", "Q"),
    "i64": ("int64_t", "q"),
    "f": ("float", "f"),
    "c": ("char", "s"),
}


class Field(NamedTuple):
    name: str
    type_name: str
    code: str
    array: int

    @property
    def format(self) -> str:
        return f"{self.array}s" if self.array else self.code

    @property
    def element_bytes(self) -> int:
        return 1 if self.array else struct.calcsize(self.code)


def crc_x25(data: bytes, crc: int = 0xFFFF) -> int:
    """CRC-16/MCRF4XX, a bit at a time: polynomial 0x1021 reflected, initial value 0xFFFF."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return crc


class Definition:
    """A message: fields in the order of transmission, and its CRC_EXTRA."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.name, _, fields = text.partition(": ")
        plain, _, extended = fields.partition(" | ")
        # larger elements first, otherwise as documented; extensions stay at the end
        base = sorted(self._fields(plain), key=lambda one: -one.element_bytes)
        self.fields = [*base, *self._fields(extended)]
        self.format = "<" + "".join(one.format for one in self.fields)
        self.crc_extra = self._crc_extra(base)

    @staticmethod
    def _fields(text: str) -> list[Field]:
        found = []
        for part in filter(None, text.split(", ")):
            kind, name = part.split()
            array = int(kind[1:]) if kind.startswith("c") else 0
            type_name, code = TYPES["c" if array else kind]
            found.append(Field(name, type_name, code, array))
        return found

    def _crc_extra(self, base: list[Field]) -> int:
        crc = crc_x25(f"{self.name} ".encode())
        for one in base:
            crc = crc_x25(f"{one.type_name} {one.name} ".encode(), crc)
            if one.array:
                crc = crc_x25(bytes([one.array]), crc)
        return (crc & 0xFF) ^ (crc >> 8)

    def payload(self, values: dict[str, Any]) -> bytes:
        return struct.pack(self.format, *(values.get(one.name, _zero(one)) for one in self.fields))

    def values(self, payload: bytes) -> dict[str, Any]:
        size = struct.calcsize(self.format)
        padded = payload + bytes(size - len(payload))
        found = struct.unpack(self.format, padded[:size])
        return dict(zip((one.name for one in self.fields), found, strict=True))


def _zero(one: Field) -> bytes | int:
    return b"" if one.array else 0


BY_ID = {number: Definition(number, text) for number, text in DEFINITIONS.items()}
BY_NAME = {one.name: one for one in BY_ID.values()}


def frame(name: str, sequence: int, system: int, component: int, **values: Any) -> bytes:
    """Return a MAVLink 2 frame."""
    one = BY_NAME[name]
    payload = one.payload(values).rstrip(b"\0") or b"\0"
    number = one.number.to_bytes(3, "little")
    header = bytes([len(payload), 0, 0, sequence, system, component]) + number
    crc = crc_x25(bytes([one.crc_extra]), crc_x25(header + payload))
    return bytes([STX_V2]) + header + payload + crc.to_bytes(2, "little")


def frame_v1(name: str, sequence: int, system: int, component: int, **values: Any) -> bytes:
    """Return a MAVLink 1 frame, which has no extensions and is not truncated."""
    one = BY_NAME[name]
    payload = one.payload(values)
    header = bytes([len(payload), sequence, system, component, one.number])
    crc = crc_x25(bytes([one.crc_extra]), crc_x25(header + payload))
    return bytes([STX_V1]) + header + payload + crc.to_bytes(2, "little")


class Received(NamedTuple):
    """A message that arrived at the peer."""

    name: str
    values: dict[str, Any]
    system: int
    component: int
    sequence: int
    time_ns: int


def messages_in(data: bytes, time_ns: int = 0) -> Iterator[Received]:
    """Yield the messages of complete MAVLink 2 frames; any error is an AssertionError."""
    while data:
        assert data[0] == STX_V2, data.hex()
        length, incompatible, compatible, sequence, system, component = data[1:7]
        assert (incompatible, compatible) == (0, 0)
        one = BY_ID[int.from_bytes(data[7:10], "little")]
        end = 10 + length
        crc = crc_x25(bytes([one.crc_extra]), crc_x25(data[1:end]))
        assert data[end : end + 2] == crc.to_bytes(2, "little"), one.name
        payload = data[10:end]
        assert length == 1 or payload[-1] != 0, f"{one.name} is not truncated"
        yield Received(one.name, one.values(payload), system, component, sequence, time_ns)
        data = data[end + 2 :]


def split(data: bytes) -> tuple[bytes, bytes]:
    """Return the complete MAVLink 2 frames at the beginning of a stream, and the rest."""
    end = 0
    while len(data) >= end + 12 and len(data) >= (following := end + 12 + data[end + 1]):
        end = following
    return data[:end], data[end:]


ARDUPILOT, PX4, NO_AUTOPILOT = 3, 12, 8
GUIDED, PX4_OFFBOARD, PX4_POSCTL, STABILIZE = 4, 6 << 16, 3 << 16, 0
HOLD_PARAMETERS = {ARDUPILOT: ("GUID_TIMEOUT", 3.0), PX4: ("COM_OF_LOSS_T", 1.0)}
ACCEPTED, TEMPORARILY_REJECTED, DENIED, FAILED = 0, 1, 2, 4
TAKEOFF, SET_MODE, ARM_DISARM, SET_MESSAGE_INTERVAL = 22, 176, 400, 511


@dataclass
class AutopilotPeer:
    """An autopilot at the level of the protocol: bytes and its own time in, bytes out.

    It behaves as measured on real firmware: no telemetry before it is requested; PX4 refuses
    OFFBOARD without set-points, rejects frames other than 1 and 8, and refuses to disarm until it
    has found that it has landed; a set-point ends the take-off of ArduPilot.
    """

    autopilot: int = ARDUPILOT
    system: int = 1
    kind: int = 2
    custom_mode: int = STABILIZE
    armed: bool = False
    takes_off: bool = False
    refuse_mode: bool = False
    refuse_arming: str = ""
    refuse_disarming: bool = False
    silent_commands: bool = False
    boot_ns: int = 0
    readings: dict[str, dict[str, float]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sequence = 0
        self.intervals_ns: dict[int, int] = {}
        self._due_ns: dict[int, int] = {0: 0}

    def named(self, name: str) -> list[Received]:
        return [one for one in self.received if one.name == name]

    def frame(self, name: str, **values: Any) -> bytes:
        sequence, self.sequence = self.sequence, (self.sequence + 1) % 256
        return frame(name, sequence, self.system, 1, **values)

    def heartbeat(self) -> bytes:
        base_mode = 1 | (128 if self.armed else 0)
        return self.frame(
            "HEARTBEAT",
            type=self.kind,
            autopilot=self.autopilot,
            base_mode=base_mode,
            custom_mode=self.custom_mode,
            system_status=4 if self.armed else 3,
            mavlink_version=3,
        )

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Process complete frames; return the answers."""
        return b"".join(self._answer(one, now_ns) for one in messages_in(data, now_ns))

    def poll(self, now_ns: int) -> bytes:
        """Return the messages that are due, each stamped with the time at which it was due."""
        out = b""
        for number, due_ns in list(self._due_ns.items()):
            if now_ns < due_ns:
                continue
            self._due_ns[number] = now_ns + (SECOND if number == 0 else self.intervals_ns[number])
            out += self.heartbeat() if number == 0 else self.telemetry(BY_ID[number].name, now_ns)
        return out

    def telemetry(self, name: str, now_ns: int) -> bytes:
        """Return a message of readings, with the peer's time since boot."""
        boot_ns = now_ns - self.boot_ns
        values: dict[str, Any] = dict(self.readings.get(name, {}))
        known = {one.name for one in BY_NAME[name].fields}
        if "time_usec" in known:
            values["time_usec"] = boot_ns // 1000
        if "time_boot_ms" in known:
            values["time_boot_ms"] = boot_ns // MS
        return self.frame(name, **values)

    def _answer(self, one: Received, now_ns: int) -> bytes:
        self.received.append(one)
        values = one.values
        if one.name == "TIMESYNC" and values["tc1"] == 0:
            return self.frame("TIMESYNC", tc1=now_ns - self.boot_ns, ts1=values["ts1"])
        if values.get("target_system", self.system) != self.system:
            return b""
        if one.name == "PARAM_REQUEST_READ":
            name, value = HOLD_PARAMETERS[self.autopilot]
            if values["param_id"].rstrip(b"\0").decode() == name:
                return self.frame("PARAM_VALUE", param_id=name.encode(), param_value=value)
        if one.name == "COMMAND_LONG" and not self.silent_commands:
            number = values["command"]
            result, text = self._obey(number, values, now_ns)
            status = self.frame("STATUSTEXT", severity=2, text=text.encode()) if text else b""
            return self.frame("COMMAND_ACK", command=number, result=result) + status
        if one.name == "SET_POSITION_TARGET_LOCAL_NED":
            self.takes_off = False
        if one.name == "SET_POSITION_TARGET_LOCAL_NED" and self.autopilot == PX4:
            number = values["coordinate_frame"]
            if number not in (1, 8):
                text = f"SET_POSITION_TARGET_LOCAL_NED coordinate frame {number} unsupported"
                return self.frame("STATUSTEXT", severity=3, text=text.encode()[:50])
        return b""

    def _obey(self, number: int, values: dict[str, Any], now_ns: int) -> tuple[int, str]:
        if number == SET_MESSAGE_INTERVAL:
            wanted = int(values["param1"])
            self.intervals_ns[wanted] = int(values["param2"]) * 1000
            self._due_ns[wanted] = now_ns
            return ACCEPTED, ""
        if number == SET_MODE:
            if self.refuse_mode or (self.autopilot == PX4 and not self._has_stream(now_ns)):
                return TEMPORARILY_REJECTED, ""
            main = int(values["param2"])
            self.custom_mode = main << 16 if self.autopilot == PX4 else main
            return ACCEPTED, ""
        if number == ARM_DISARM:
            if self.refuse_arming:
                return DENIED, self.refuse_arming
            if self.refuse_disarming and values["param1"] == 0.0:
                return TEMPORARILY_REJECTED, "Disarming denied: not landed"
            self.armed = values["param1"] == 1.0
            return ACCEPTED, ""
        if number == TAKEOFF and self.autopilot == ARDUPILOT:
            self.takes_off = self.armed
            return (ACCEPTED if self.armed else FAILED), ""
        return 3, ""

    def _has_stream(self, now_ns: int) -> bool:
        stream = self.named("SET_POSITION_TARGET_LOCAL_NED")
        return sum(now_ns - one.time_ns < SECOND for one in stream) >= 2


class SocketPeer:
    """Runs a peer over a real socket in a thread.

    Args:
        peer: the autopilot.
        send: sends bytes to the client.
        read: waits some ms for bytes of the client.
    """

    def __init__(
        self, peer: AutopilotPeer, read: Callable[[], bytes], send: Callable[[bytes], None]
    ) -> None:
        self.peer = peer
        self.lock = threading.Lock()
        self.quiet = False
        self._read, self._send = read, send
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        pending = b""
        while not self._ended:
            complete, pending = split(pending + self._read())
            with self.lock:
                now_ns = time.monotonic_ns()
                out = self.peer.receive(complete, now_ns) + self.peer.poll(now_ns)
            if out and not self.quiet:
                self._send(out)

    def named(self, name: str) -> list[Received]:
        with self.lock:
            return self.peer.named(name)

    def close(self) -> None:
        self._ended = True
        self._thread.join()


READ_S = 0.004


def udp_peer(peer: AutopilotPeer, port: int) -> SocketPeer:
    """Return a peer that sends to a port of this machine, as an autopilot's serial bridge does."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.settimeout(READ_S)

    def read() -> bytes:
        try:
            return udp.recv(4096)
        except (TimeoutError, ConnectionRefusedError):
            return b""

    return SocketPeer(peer, read, lambda data: udp.sendto(data, ("127.0.0.1", port)) and None)


class TcpServer:
    """A TCP server for one client after another, as a simulated autopilot is."""

    def __init__(self, peer: AutopilotPeer) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(READ_S)
        self.port: int = self._server.getsockname()[1]
        self._client: socket.socket | None = None
        self.runner = SocketPeer(peer, self._read, self._send)

    def _read(self) -> bytes:
        try:
            if self._client is None:
                self._client, _ = self._server.accept()
                self._client.settimeout(READ_S)
            data = self._client.recv(4096)
        except TimeoutError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.drop()
        return data

    def _send(self, data: bytes) -> None:
        try:
            if self._client is not None:
                self._client.sendall(data)
        except OSError:
            self._client = None

    def drop(self) -> None:
        """Close the connection; the server goes on."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def close(self) -> None:
        self.runner.close()
        self.drop()
        self._server.close()


PORTS = itertools.cycle(range(20_000 + os.getpid() % 5_000, 32_000))
"""Below the ports that the system gives to others, so that one stays free until it is bound."""


def free_udp_port() -> int:
    """Return a port of this machine that is free, another one at each call."""
    for port in PORTS:
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable")

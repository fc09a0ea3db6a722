"""Betaflight's wires: RC packets of its simulator, and MSP version 1 over serial and TCP.

Sources: the header of the SITL target (`rc_packet`) and the MSP documentation of betaflight.com.
Channels are in the default order AETR1234, in us.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from liquid_control.autopilots.angle_mode import Sticks

CHANNELS = 16
LOW_US, MID_US, HIGH_US = 1000, 1500, 2000
THROTTLE_LOW_US = 1050
"""`min_check`: throttle begins here."""
ARM_CHANNEL, ANGLE_CHANNEL, OVERRIDE_CHANNEL = 4, 5, 6
"""AUX1, AUX2 and AUX3."""
STICKS = 4
"""Channels of roll, pitch, throttle and yaw; the others are the pilot's switches."""
MSP_API_VERSION, MSP_FC_VARIANT, MSP_STATUS, MSP_BOXIDS, MSP_SET_RAW_RC = 1, 2, 101, 119, 200
MSP_HZ = 80
"""MSP frames that Betaflight reads in a second with `serial_update_rate_hz` at its default of 100;
more wait in its buffer, and sticks come late by more than a second."""
BOX_ARM, BOX_ANGLE, BOX_OVERRIDE = 0, 1, 50
"""Permanent ids of flight modes: ARM, ANGLE and MSP OVERRIDE."""
_RC = struct.Struct("<d16H")
_STATUS = struct.Struct("<HHHIBHH")

ARMING_FLAGS = (
    *("NOGYRO", "FAILSAFE", "RXLOSS", "NOT_DISARMED", "BOXFAILSAFE", "RUNAWAY", "CRASH"),
    *("THROTTLE", "ANGLE", "BOOTGRACE", "NOPREARM", "LOAD", "CALIB", "CLI", "CMS", "BST", "MSP"),
    *("PARALYZE", "GPS", "RESCUE_SW", "DSHOT_TELEM", "REBOOT_REQD", "DSHOT_BBANG", "NO_ACC_CAL"),
    *("MOTOR_PROTO", "FLIP_SWITCH", "ALT_HOLD_SW", "POS_HOLD_SW", "ARM_SWITCH"),
)
"""Names of the bits that keep Betaflight 4.6 from arming, as its CLI prints them."""


def channels_of(sticks: Sticks, armed: bool) -> tuple[int, ...]:
    """Return 16 channels, us, in angle mode.

    Args:
        sticks: stick positions.
        armed: position of the arm switch.
    """
    span = HIGH_US - THROTTLE_LOW_US
    flown = (
        _stick_us(sticks.roll),
        _stick_us(sticks.pitch),
        THROTTLE_LOW_US + round(span * min(max(sticks.throttle, 0.0), 1.0)),
        _stick_us(sticks.yaw),
        HIGH_US if armed else LOW_US,
        HIGH_US,
    )
    return flown + (LOW_US,) * (CHANNELS - len(flown))


def idle_channels(armed: bool) -> tuple[int, ...]:
    """Return the channels of centred sticks and the throttle at its lower end."""
    centred = channels_of(Sticks(0.0, 0.0, 0.0, 0.0), armed)
    return (*centred[:2], LOW_US, *centred[3:])


def _stick_us(value: float) -> int:
    return MID_US + round((HIGH_US - MID_US) * min(max(value, -1.0), 1.0))


def rc_packet(time_s: float, channels: Sequence[int]) -> bytes:
    """Return the packet for UDP port 9004 of the simulator: time, s, and 16 channels, us."""
    return _RC.pack(time_s, *channels)


class MspMessage(NamedTuple):
    """A reply of the firmware; `payload` is None if it does not know the request."""

    code: int
    payload: bytes | None


def msp_request(code: int, payload: bytes = b"") -> bytes:
    """Return an MSP version 1 frame to the firmware.

    `$M<`, length, code, payload, and the exclusive or of all bytes from the length on.
    """
    body = bytes((len(payload), code)) + payload
    return b"$M<" + body + bytes((_checksum(body),))


def msp_set_raw_rc(channels: Sequence[int]) -> bytes:
    """Return the frame that sets RC channels, us."""
    return msp_request(MSP_SET_RAW_RC, struct.pack(f"<{len(channels)}H", *channels))


def _checksum(body: bytes) -> int:
    total = 0
    for byte in body:
        total ^= byte
    return total


class MspReader:
    """Finds replies in a stream of bytes; damaged ones and other text are passed over.

    Attributes:
        refused: frames with a wrong checksum.
    """

    def __init__(self) -> None:
        self._data = b""
        self.refused = 0

    def feed(self, data: bytes) -> Iterator[MspMessage]:
        """Yield the replies that the data complete."""
        self._data += data
        while (begin := self._data.find(b"$M")) >= 0:
            frame = self._data[begin:]
            if len(frame) < 6 or len(frame) < 6 + frame[3]:
                self._data = frame
                return
            body, end = frame[3 : 5 + frame[3]], 6 + frame[3]
            if frame[2:3] not in (b">", b"!") or _checksum(body) != frame[end - 1]:
                self.refused += 1
                self._data = frame[2:]
                continue
            self._data = frame[end:]
            yield MspMessage(body[1], None if frame[2:3] == b"!" else body[2:])
        self._data = self._data[-1:]


class MspStatus(NamedTuple):
    """State of a Betaflight that its MSP_STATUS states.

    Attributes:
        armed: whether the motors are armed.
        angle: whether angle mode is active.
        blocked_by: names of the flags that keep it from arming.
        override: whether the MSP override is active; None where it is not set up.
    """

    armed: bool
    angle: bool
    blocked_by: tuple[str, ...]
    override: bool | None = None


def msp_status(payload: bytes, boxes: bytes = bytes((BOX_ARM, BOX_ANGLE))) -> MspStatus | None:
    """Return the content of a reply to MSP_STATUS; None if it is too short.

    Args:
        payload: of the reply.
        boxes: reply to MSP_BOXIDS: permanent id of the mode of each flag.
    """
    if len(payload) < _STATUS.size + 1:
        return None
    more = payload[_STATUS.size] & 0x0F
    at = _STATUS.size + 1 + more
    if len(payload) < at + 5:
        return None
    flags = _STATUS.unpack_from(payload)[3]
    flags |= int.from_bytes(payload[at - more : at], "little") << 32
    active = {box: bool(flags >> bit & 1) for bit, box in enumerate(boxes)}
    blocked = int.from_bytes(payload[at + 1 : at + 5], "little")
    names = (
        ARMING_FLAGS[bit] if bit < len(ARMING_FLAGS) else f"bit {bit}"
        for bit in range(32)
        if blocked >> bit & 1
    )
    armed, angle = active.get(BOX_ARM, False), active.get(BOX_ANGLE, False)
    return MspStatus(armed, angle, tuple(names), active.get(BOX_OVERRIDE))

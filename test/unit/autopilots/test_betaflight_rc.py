"""Bytes of RC and MSP, worked by hand from their documentation."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquid_control.autopilots.angle_mode import Sticks
from liquid_control.autopilots.betaflight_rc import (
    MspMessage,
    MspReader,
    channels_of,
    idle_channels,
    msp_request,
    msp_set_raw_rc,
    msp_status,
    rc_packet,
)

pytestmark = pytest.mark.unit


def test_channels_by_hand():
    """AETR, then the arm switch, then angle mode; throttle from 1050 to 2000 us."""
    flown = channels_of(Sticks(0.5, -0.25, 1.0, 0.5), armed=True)
    assert flown[:7] == (1750, 1375, 1525, 2000, 2000, 2000, 1000)
    assert len(flown) == 16
    assert channels_of(Sticks(-9.0, 9.0, 0.0, 9.0), armed=False)[:5] == (
        1000,
        2000,
        2000,
        1500,
        1000,
    )


def test_idle_is_centred_with_the_throttle_below_its_check():
    assert idle_channels(armed=False)[:6] == (1500, 1500, 1000, 1500, 1000, 2000)
    assert idle_channels(armed=True)[4] == 2000


def test_rc_packet_to_the_byte():
    packet = rc_packet(1.0, (1500, 1000) + (2000,) * 14)
    assert packet.hex() == "000000000000f03f" + "dc05" + "e803" + "d007" * 14


def test_msp_requests_to_the_byte():
    assert msp_request(101) == b"$M<\x00\x65\x65"  # MSP_STATUS
    # Two channels: length 4, code 200, 1500 and 1000 us; 4 ^ 200 ^ dc ^ 05 ^ e8 ^ 03
    checksum = 4 ^ 200 ^ 0xDC ^ 0x05 ^ 0xE8 ^ 0x03
    expected = b"$M<\x04\xc8\xdc\x05\xe8\x03" + bytes((checksum,))
    assert msp_set_raw_rc((1500, 1000)) == expected


def reply(code: int, payload: bytes, direction: bytes = b">") -> bytes:
    total = 0
    body = bytes((len(payload), code)) + payload
    for byte in body:
        total ^= byte
    return b"$M" + direction + body + bytes((total,))


def test_replies_among_other_text_and_in_pieces():
    reader = MspReader()
    data = b"boot\r\n" + reply(2, b"BTFL") + b"#$" + reply(200, b"") + reply(99, b"", b"!")
    found = [message for byte in data for message in reader.feed(bytes((byte,)))]
    assert found == [MspMessage(2, b"BTFL"), MspMessage(200, b""), MspMessage(99, None)]
    assert reader.refused == 0


def test_a_damaged_reply_is_passed_over():
    reader = MspReader()
    damaged = bytearray(reply(2, b"BTFL"))
    damaged[6] ^= 1
    assert list(reader.feed(bytes(damaged) + reply(3, b"\x04\x06\x00"))) == [
        MspMessage(3, b"\x04\x06\x00")
    ]
    assert reader.refused == 1


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data):
    reader = MspReader()
    list(reader.feed(data))
    found = list(reader.feed(b"\x00" * 300 + reply(1, b"")))
    assert all(len(message.payload or b"") <= 255 for message in found)


def status(modes: int, blocked: int, extra: bytes = b"") -> bytes:
    head = struct.pack("<HHHIBHH", 125, 0, 35, modes, 0, 0, 0)
    return head + bytes((len(extra),)) + extra + b"\x1d" + struct.pack("<I", blocked) + b"\x00"


def test_status_by_hand():
    """Bits 2 and 12 of the flags: RXLOSS and CALIB."""
    assert msp_status(status(0b10, 1 << 2 | 1 << 12)) == (False, True, ("RXLOSS", "CALIB"), None)
    assert msp_status(status(0b11, 0, b"\x00\x00")) == (True, True, (), None)
    boxes = bytes((1, *range(2, 34), 50, 0))  # ANGLE is bit 0, MSP OVERRIDE 33, ARM 34
    assert msp_status(status(1, 0, b"\x02"), boxes) == (False, True, (), True)
    assert msp_status(status(0, 0, b"\x04"), boxes) == (True, False, (), False)
    assert msp_status(status(0, 1 << 31)).blocked_by == ("bit 31",)
    assert msp_status(status(0, 0)[:12]) is None
    assert msp_status(b"") is None

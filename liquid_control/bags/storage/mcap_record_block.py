"""Where the messages lie in bytes that hold MCAP records: the loop that must be fast."""

from collections.abc import Mapping
from struct import Struct
from typing import NamedTuple

from mcap.opcode import Opcode

from liquid_control.bags.storage.mcap_format import MESSAGE, MESSAGE_HEAD, RECORD

HEAD = Struct("<BQH4xQ")
"""Opcode and length of a record; channel and log time, if it is a message."""

MESSAGE_OPCODE = int(Opcode.MESSAGE)
DEFINITIONS = (int(Opcode.SCHEMA), int(Opcode.CHANNEL))
APPLICATION = 0x80
"""Opcodes from here on are the application's own, and are passed over."""

UNDEFINED = ("", "")
Routes = Mapping[int, "tuple[str, str] | None"]
"""Topic and type of each channel; None for those that nobody wants."""


class RecordEntry(NamedTuple):
    """A message in a piece of bytes."""

    log_ns: int
    channel: int
    begin: int
    end: int


class Piece(NamedTuple):
    """What was found in a piece of bytes.

    Attributes:
        entries: messages on channels that are wanted, or of which nothing is known.
        definitions: opcode, first and last byte of schemas and channels.
        last: where the last whole record begins.
        stop: where the first record begins that is not whole.
        needed: bytes of that record; 0 where there is none.
        ordered: no entry is earlier than the one before it.
        broken: why reading stopped at a record that is none; empty where there is none.
    """

    entries: list[RecordEntry]
    definitions: list[tuple[int, int, int]]
    last: int
    stop: int
    needed: int
    ordered: bool
    broken: str


def read_piece(data: bytes, routes: Routes, start_ns: int) -> Piece:
    """Find the records in some bytes that begin with one."""
    entries: list[RecordEntry] = []
    entry, unpack, head = RecordEntry._make, HEAD.unpack_from, HEAD.size
    definitions: list[tuple[int, int, int]] = []
    latest, ordered, needed = 0, True, 0
    last = position = 0
    end = len(data)
    while position < end:
        if end - position >= head:
            opcode, length, channel, log_ns = unpack(data, position)
        elif end - position >= RECORD.size:
            (opcode, length), channel, log_ns = RECORD.unpack_from(data, position), 0, 0
        else:
            needed = RECORD.size
            break
        stop = position + RECORD.size + length
        if stop > end:
            needed = stop - position
            break
        if opcode == MESSAGE_OPCODE and length >= MESSAGE_HEAD:
            if log_ns >= start_ns and routes.get(channel, UNDEFINED) is not None:
                entries.append(entry((log_ns, channel, position + MESSAGE.size, stop)))
                ordered = ordered and log_ns >= latest
                latest = log_ns
        elif opcode in DEFINITIONS:
            definitions.append((opcode, position + RECORD.size, stop))
        elif opcode < APPLICATION:
            reason = f"a record of opcode {opcode} and {length} bytes in it"
            return Piece(entries, definitions, last, position, 0, ordered, reason)
        last, position = position, stop
    return Piece(entries, definitions, last, position, needed, ordered, "")

"""A flight controller that speaks MSP version 1, written from the protocol's documentation.

It reads frames `$M<`, length, code, payload, checksum, and answers four requests. It keeps every
MSP_SET_RAW_RC with its time of arrival.
"""

import os
import socket
import struct
import threading
import time
import tty
from dataclasses import dataclass, field

API_VERSION, FC_VARIANT, STATUS, BOXIDS, SET_RAW_RC = 1, 2, 101, 119, 200
ARM, ANGLE, OVERRIDE = 0, 1, 50


def reply(code: int, payload: bytes) -> bytes:
    body = bytes((len(payload), code)) + payload
    checksum = 0
    for byte in body:
        checksum ^= byte
    return b"$M>" + body + bytes((checksum,))


@dataclass
class MspPeer:
    """State of the flight controller, and what it received.

    Attributes:
        variant: its answer to MSP_FC_VARIANT.
        boxes: permanent ids of its modes, in the order of its flags.
        active: ids of the modes that are active.
        blocked: flags that keep it from arming.
        rc: (time in s, channels) of each frame.
        requests: number of frames received.
    """

    variant: bytes = b"BTFL"
    api: tuple[int, int, int] = (0, 1, 46)
    boxes: tuple[int, ...] = (ARM, ANGLE, *range(2, 40), OVERRIDE)
    active: set[int] = field(default_factory=set)
    blocked: int = 0
    rc: list[tuple[float, tuple[int, ...]]] = field(default_factory=list)
    data: bytes = b""
    requests: int = 0

    def receive(self, data: bytes) -> bytes:
        """Process bytes; return the answers."""
        self.data += data
        answer = b""
        while (begin := self.data.find(b"$M<")) >= 0:
            frame = self.data[begin:]
            if len(frame) < 6 or len(frame) < 6 + frame[3]:
                break
            length, code = frame[3], frame[4]
            payload = frame[5 : 5 + length]
            checksum = length ^ code
            for byte in payload:
                checksum ^= byte
            assert checksum == frame[5 + length]
            self.data = frame[6 + length :]
            self.requests += 1
            answer += self.answer(code, payload)
        return answer

    def answer(self, code: int, payload: bytes) -> bytes:
        if code == SET_RAW_RC:
            channels = struct.unpack(f"<{len(payload) // 2}H", payload)
            self.rc.append((time.monotonic(), channels))
            return reply(code, b"")
        if code == STATUS:
            return reply(code, self.status())
        known = {
            API_VERSION: bytes(self.api),
            FC_VARIANT: self.variant,
            BOXIDS: bytes(self.boxes),
        }
        return reply(code, known[code])

    def status(self) -> bytes:
        flags = sum(1 << bit for bit, box in enumerate(self.boxes) if box in self.active)
        more = max(0, (len(self.boxes) - 32 + 7) // 8)
        head = struct.pack("<HHHIBHH", 250, 0, 33, flags & 0xFFFFFFFF, 0, 12, 0)
        tail = bytes((more,)) + (flags >> 32).to_bytes(more, "little")
        return head + tail + bytes((29,)) + struct.pack("<I", self.blocked) + bytes((0, 0, 0, 3))


class PortPeer:
    """A peer in a thread, behind a pseudo-terminal or a TCP server; close it at the end."""

    def __init__(self, peer: MspPeer, tcp: bool = False) -> None:
        self.peer = peer
        self._server = socket.create_server(("127.0.0.1", 0)) if tcp else None
        if self._server is not None:
            self.link = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        else:
            self._master, slave = os.openpty()
            tty.setraw(slave)
            self.link = f"serial://{os.ttyname(slave)}:115200"
            self._slave = slave
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        if self._server is None:
            self._serve(lambda: os.read(self._master, 4096), lambda d: os.write(self._master, d))
            return
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                self._serve(lambda c=connection: c.recv(4096), connection.sendall)

    def _serve(self, read, write) -> None:
        try:
            while data := read():
                if answer := self.peer.receive(data):
                    write(answer)
        except OSError:
            return

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        else:
            os.close(self._slave)
            os.close(self._master)

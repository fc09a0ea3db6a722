"""Firmwares as their documentation describes the wire, for tests of the simulator's side.

ArduPilot: libraries/SITL/examples/JSON/readme.md. Betaflight: the packets of the SITL target's
header. PX4: docs.px4.io, "Simulation"; messages of MAVLink's common.xml. Nothing here uses the
code under test.
"""

import json
import socket
import struct
import threading
import time

from pymavlink.dialects.v20 import common as mavlink

TIMEOUT_S = 60.0
"""A busy machine may stop a test for seconds."""


class ArduPilotPeer:
    """Sends servo outputs and receives states."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(TIMEOUT_S)
        self.address = ("127.0.0.1", port)

    def send(self, frame: int, pulses: list[int], magic: int = 18458, rate: int = 400) -> None:
        count = 32 if magic == 29569 else 16
        outputs = pulses + [0] * (count - len(pulses))
        data = struct.pack(f"<HHI{count}H", magic, rate, frame, *outputs)
        self.socket.sendto(data, self.address)

    def state(self) -> dict:
        """Receive a state; the documentation wants one line that ends with a line feed."""
        data = self.socket.recv(4096)
        assert data.endswith(b"\n")
        assert data.strip().count(b"\n") == 0
        return json.loads(data)


class BetaflightPeer:
    """Receives states and answers each with four motor outputs."""

    def __init__(self, motor_port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(TIMEOUT_S)
        self.port = self.socket.getsockname()[1]
        self.address = ("127.0.0.1", motor_port)

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, self.address)

    def state(self) -> dict:
        data = self.socket.recv(4096)
        assert len(data) == 144
        v = struct.unpack("<18d", data)
        names = ("gyro", "accel", "quaternion", "velocity", "place")
        sizes, at, found = (3, 3, 4, 3, 3), 1, {"time": v[0], "pressure": v[17]}
        for name, size in zip(names, sizes, strict=True):
            found[name] = v[at : at + size]
            at += size
        return found


class Px4Peer:
    """Connects to the simulator's TCP port, and answers HIL_SENSOR."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.settimeout(TIMEOUT_S)
        self.mav = mavlink.MAVLink(None, 1, 1)
        self.mav.robust_parsing = True
        self.received: list = []

    def messages(self, kind: str) -> list:
        """Receive until a message of a kind has come; return all of that kind so far."""
        while not any(message.get_type() == kind for message in self.received):
            self.received += self.mav.parse_buffer(self.socket.recv(4096)) or []
        return [message for message in self.received if message.get_type() == kind]

    def controls(self, stamp_us: int, outputs: list[float]) -> bytes:
        values = outputs + [float("nan")] * (16 - len(outputs))
        message = mavlink.MAVLink_hil_actuator_controls_message(stamp_us, values, 128, 0)
        return message.pack(self.mav)


def in_thread(function, *arguments) -> "Result":
    """Run a blocking call beside the test."""
    return Result(function, arguments)


class Result:
    def __init__(self, function, arguments) -> None:
        self.value = self.error = None

        def run() -> None:
            try:
                self.value = function(*arguments)
            except Exception as error:
                self.error = error

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def get(self, timeout_s: float = TIMEOUT_S):
        self.thread.join(timeout_s)
        assert not self.thread.is_alive(), "the call did not return"
        if self.error is not None:
            raise self.error
        return self.value

    def is_waiting(self, time_s: float = 0.2) -> bool:
        time.sleep(time_s)
        return self.thread.is_alive()

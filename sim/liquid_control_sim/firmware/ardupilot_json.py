"""ArduPilot's JSON interface: UDP, in lockstep (libraries/SITL/examples/JSON/readme.md).

ArduPilot sends its servo outputs and waits for the state. The interval between two states is
free; ArduPilot's loop rate is 400 Hz, and it does not arm below about 1.8 times that. With
`no_time_sync` it does not slow down to real time.
"""

import json
import select
import struct

from liquid_control.errors import AutopilotError
from liquid_control_sim.dynamics.vectors import Four
from liquid_control_sim.firmware.backend import (
    ExchangeCounts,
    Patience,
    SensorReadings,
    bound_port,
    motor_outputs,
    wire,
)

PORT = 9002
MAGIC_16, MAGIC_32 = 18458, 29569
"""First two bytes of a packet with 16 and with 32 servo outputs."""
_HEADER = struct.Struct("<HHI")
"""Magic number, frame rate and frame counter, then a u16 for each servo, us."""
LOW_US, SPAN_US = 1000.0, 1000.0


def state_message(readings: SensorReadings) -> bytes:
    """Return the JSON line of a state: no spaces, a line feed before and after."""
    on_wire = wire(readings)
    content = {
        "timestamp": readings.time_s,
        "imu": {"gyro": on_wire.gyro, "accel_body": on_wire.accel},
        "position": on_wire.position,
        "quaternion": on_wire.quaternion,
        "velocity": on_wire.velocity,
        "no_time_sync": 1,
    }
    return ("\n" + json.dumps(content, separators=(",", ":")) + "\n").encode()


def servo_frame(data: bytes) -> tuple[int, Four] | None:
    """Return frame counter and motor outputs of a packet; None if it is not one."""
    if len(data) < _HEADER.size:
        return None
    magic, _, frame = _HEADER.unpack_from(data)
    servos = {MAGIC_16: 16, MAGIC_32: 32}.get(magic)
    if servos is None or len(data) != _HEADER.size + 2 * servos:
        return None
    pulses = struct.unpack_from("<4H", data, _HEADER.size)
    outputs = motor_outputs((pulse - LOW_US) / SPAN_US for pulse in pulses)
    return None if outputs is None else (frame, outputs)


class ArduPilotJson:
    """Physics of ArduPilot Copter; implements `FirmwareBackend`."""

    exchange_hz = 960
    thrust_expo = 0.65
    """MOT_THST_EXPO."""

    def __init__(self, patience: Patience | None = None, port: int = PORT) -> None:
        """Bind the port that ArduPilot sends to.

        Raises:
            AutopilotError: the port is in use.
        """
        self._patience = patience or Patience("ArduPilot")
        self._port = bound_port(port, self._patience.name)
        self._sender: tuple[str, int] | None = None
        self._frame: int | None = None
        self._answer = b""
        self.counts = ExchangeCounts()

    def exchange(self, readings: SensorReadings) -> Four:
        """Answer the last request, and return the motor outputs of the next one.

        A request with the counter of the last one is a repetition. One that came before the answer
        is not answered twice: ArduPilot, which repeats after 1 s, would take the second answer
        for that of its next request, and stay one step behind. One that comes after it is
        answered again, since the answer was lost.

        Raises:
            AutopilotError: ArduPilot ended, or sends nothing.
        """
        self.counts.exchanges += 1
        self._answer = state_message(readings)
        self._discard_repetitions()
        if self._sender is not None:
            self._port.sendto(self._answer, self._sender)
        while True:
            if not self._patience.receive(self._port, self._patience.silence_s):
                raise AutopilotError(
                    f"{self._patience.name}: no servo outputs arrived on UDP port "
                    f"{self._port.getsockname()[1]} in {self._patience.silence_s:g} s"
                )
            repeated = self.counts.repeated
            outputs = self._request()
            if outputs is not None:
                self.counts.answers += 1
                return outputs
            if self.counts.repeated > repeated and self._sender is not None:
                self._port.sendto(self._answer, self._sender)

    def _discard_repetitions(self) -> None:
        """Read what arrived since the last request, as the simulation took its time."""
        while self._sender is not None and select.select([self._port], [], [], 0.0)[0]:
            self._request()

    def _request(self) -> Four | None:
        """Read one packet; return its motor outputs if it is a new request."""
        data, sender = self._port.recvfrom(4096)
        packet = servo_frame(data)
        if packet is None:
            self.counts.refused += 1
            return None
        frame, outputs = packet
        before, self._frame, self._sender = self._frame, frame, sender
        if frame == before:
            self.counts.repeated += 1
            return None
        if before is not None and frame < before:
            self.counts.restarts += 1
        return outputs

    def close(self) -> None:
        """Release the port."""
        self._port.close()

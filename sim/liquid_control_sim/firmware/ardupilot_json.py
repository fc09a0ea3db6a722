"""ArduPilot's JSON interface: UDP, in lockstep (libraries/SITL/examples/JSON/readme.md).

ArduPilot sends its servo outputs and waits for the state. The interval between two states is
free; ArduPilot's loop rate is 400 Hz, and it does not arm below about 1.8 times that. With
`no_time_sync` it does not slow down to real time.
"""

import json
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

        A request with the counter of the last one is a repetition: its answer was lost, and is
        sent again.

        Raises:
            AutopilotError: ArduPilot ended, or sends nothing.
        """
        self.counts.exchanges += 1
        self._answer = state_message(readings)
        if self._sender is not None:
            self._port.sendto(self._answer, self._sender)
        while True:
            if not self._patience.receive(self._port, self._patience.silence_s):
                raise AutopilotError(
                    f"{self._patience.name}: no servo outputs arrived on UDP port "
                    f"{self._port.getsockname()[1]} in {self._patience.silence_s:g} s"
                )
            data, sender = self._port.recvfrom(4096)
            packet = servo_frame(data)
            if packet is None:
                self.counts.refused += 1
                continue
            frame, outputs = packet
            first, self._sender = self._sender is None, sender
            if frame == self._frame and not first:
                self.counts.repeated += 1
                self._port.sendto(self._answer, sender)
                continue
            if self._frame is not None and frame < self._frame:
                self.counts.restarts += 1
            self._frame = frame
            self.counts.answers += 1
            return outputs

    def close(self) -> None:
        """Release the port."""
        self._port.close()

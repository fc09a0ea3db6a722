"""PX4's simulator interface: MAVLink HIL messages over TCP, in lockstep.

PX4 connects to the simulator. HIL_SENSOR moves its clock, and HIL_ACTUATOR_CONTROLS answers each
(docs.px4.io, "Simulation", "Lockstep Simulation"). The first sensor messages after its start have
no answer yet. An answer has the time of the message that it answers; one to an earlier message,
which came late, is not used, or every later answer would be one step old.
"""

import importlib
import math
import socket
import time
from typing import Any

from liquid_control.errors import AutopilotError, DependencyError
from liquid_control_sim.dynamics.vectors import Four, Vector
from liquid_control_sim.firmware.backend import (
    LOOPBACK,
    ExchangeCounts,
    Patience,
    SensorReadings,
    frd,
    motor_outputs,
    ned,
    wire,
)
from liquid_control_sim.sensors.navigation import NavigationSensors, geodetic, pressure_hpa

PORT = 4560
IMU_FIELDS, MAG_FIELDS, BARO_FIELDS = 0b111111, 0b111000000, 0x1A00
"""Bits of HIL_SENSOR.fields_updated: 6 of the IMU, 3 of the magnetometer; absolute pressure,
pressure altitude and temperature."""
MAG_EVERY, BARO_EVERY, GPS_EVERY = 4, 8, 24
"""Exchanges from one reading to the next: 60, 30 and 10 Hz."""
FIRST_ANSWER_S = 0.02
GPS_ERROR_CM = 90
NOT_AVAILABLE = 65535


def hil_dialect() -> Any:
    """Return pymavlink's module of the MAVLink 2 messages.

    Raises:
        DependencyError: pymavlink is not installed.
    """
    try:
        return importlib.import_module("pymavlink.dialects.v20.common")
    except ImportError as error:
        raise DependencyError(
            "to fly with PX4 needs pymavlink: pip install 'liquid_control[mavlink]'"
        ) from error


class Px4Hil:
    """Physics of PX4; implements `FirmwareBackend`."""

    exchange_hz = 240
    thrust_expo = 0.0
    """THR_MDL_FAC is 0 by default: thrust is linear in the output."""

    def __init__(
        self, sensors: NavigationSensors, patience: Patience | None = None, port: int = PORT
    ) -> None:
        """Listen on the port that PX4 connects to.

        Raises:
            AutopilotError: the port is in use.
            DependencyError: pymavlink is not installed.
        """
        self._dialect = hil_dialect()
        self._mav = self._dialect.MAVLink(None, 1, 200)
        self._mav.robust_parsing = True
        self._sensors = sensors
        self._patience = patience or Patience("PX4", silence_s=30.0)
        self._server = socket.socket()
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._server.bind((LOOPBACK, port))
        except OSError as error:
            self._server.close()
            raise AutopilotError(
                f"{self._patience.name}: TCP port {port} is in use ({error.strerror}); "
                "does another simulation run on this machine?"
            ) from error
        self._server.listen(1)
        self._stream: socket.socket | None = None
        self._mag: Vector = (0.0, 0.0, 0.0)
        self._altitude_m = 0.0
        self._motors: Four = (0.0, 0.0, 0.0, 0.0)
        self._begun = False
        self.counts = ExchangeCounts()

    def exchange(self, readings: SensorReadings) -> Four:
        """Send the sensor messages of a step and return the motor outputs that answer them.

        Raises:
            AutopilotError: PX4 does not connect, ended, closed the connection, or is silent.
        """
        stream = self._stream or self._accept()
        try:
            stream.sendall(self._messages(readings))
        except ConnectionError:
            self._fail_closed()
        self.counts.exchanges += 1
        begin = time.monotonic()
        stamp_us = round(readings.time_s * 1e6)
        while self._patience.receive(stream, max(0.0, begin + self._wait_s - time.monotonic())):
            if self._read(stream, stamp_us):
                self.counts.answers += 1
                return self._motors
        self.counts.unanswered += 1
        if self._begun:
            raise AutopilotError(
                f"{self._patience.name}: no HIL_ACTUATOR_CONTROLS arrived in {self._wait_s:g} s"
            )
        return self._motors

    @property
    def _wait_s(self) -> float:
        return self._patience.silence_s if self._begun else FIRST_ANSWER_S

    def _accept(self) -> socket.socket:
        name, port = self._patience.name, self._server.getsockname()[1]
        if not self._patience.receive(self._server, self._patience.silence_s):
            raise AutopilotError(
                f"{name}: did not connect to TCP port {port} in {self._patience.silence_s:g} s"
            )
        self._stream, _ = self._server.accept()
        self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._stream

    def _messages(self, readings: SensorReadings) -> bytes:
        step = self.counts.exchanges
        dt, on_wire = 1.0 / self.exchange_hz, wire(readings)
        fields = IMU_FIELDS
        if step % MAG_EVERY == 0:
            fields |= MAG_FIELDS
            self._mag = frd(self._sensors.magnetic_field(readings.quaternion))
        if step % BARO_EVERY == 0:
            fields |= BARO_FIELDS
            self._altitude_m = self._sensors.altitude(readings.position[2], BARO_EVERY * dt)
        stamp_us = round(readings.time_s * 1e6)
        sensor = self._dialect.MAVLink_hil_sensor_message(
            stamp_us,
            *on_wire.accel,
            *on_wire.gyro,
            *self._mag,
            pressure_hpa(self._altitude_m),
            0.0,
            self._altitude_m,
            15.0,
            fields,
            0,
        )
        data: bytes = sensor.pack(self._mav)
        if step % GPS_EVERY == 0:
            data += self._gps_message(readings, stamp_us, GPS_EVERY * dt).pack(self._mav)
        return data

    def _gps_message(self, readings: SensorReadings, stamp_us: int, dt: float) -> Any:
        position, velocity = self._sensors.fix(readings.position, readings.velocity, dt)
        latitude, longitude, altitude = geodetic(position)
        north, east, down = ned(velocity)
        return self._dialect.MAVLink_hil_gps_message(
            stamp_us,
            3,
            round(latitude * 1e7),
            round(longitude * 1e7),
            round(altitude * 1e3),
            GPS_ERROR_CM,
            GPS_ERROR_CM,
            round(100.0 * math.hypot(north, east)),
            round(100.0 * north),
            round(100.0 * east),
            round(100.0 * down),
            NOT_AVAILABLE,
            12,
            0,
            0,
        )

    def _read(self, stream: socket.socket, stamp_us: int) -> bool:
        """Read what has arrived; return whether it has the answer to a time."""
        try:
            data = stream.recv(4096)
        except ConnectionError:
            data = b""
        if not data:
            self._fail_closed()
        found = False
        for message in self._mav.parse_buffer(data) or []:
            if message.get_type() == "BAD_DATA":
                self.counts.refused += 1
            if message.get_type() != "HIL_ACTUATOR_CONTROLS":
                continue
            self._begun = True
            if message.time_usec < stamp_us:
                self.counts.repeated += 1
                continue
            # A disarmed PX4 sends NaN for motors without an output.
            values = (0.0 if math.isnan(value) else value for value in message.controls[:4])
            outputs = motor_outputs(values)
            if outputs is not None:
                self._motors, found = outputs, True
        return found

    def _fail_closed(self) -> None:
        self._patience.check()
        raise AutopilotError(f"{self._patience.name}: closed the simulator's connection")

    def close(self) -> None:
        """Release the ports."""
        for port in (self._stream, self._server):
            if port is not None:
                port.close()

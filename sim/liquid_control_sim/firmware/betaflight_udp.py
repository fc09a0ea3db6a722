"""Interface of Betaflight's simulator target (SITL): UDP, one motor packet for each state.

The firmware has no lockstep of its own: its clock is real time, scaled by the ratio of simulated
to real time between the last two states. `LockstepClock` replaces that clock. Without it, the
simulation keeps real time, and a flight is not reproducible.
"""

import socket
import struct

from liquid_control.errors import AutopilotError
from liquid_control.types import NANOSECONDS
from liquid_control_sim.dynamics.vectors import Four
from liquid_control_sim.firmware.backend import (
    LOOPBACK,
    ExchangeCounts,
    Patience,
    SensorReadings,
    bound_port,
    motor_outputs,
    wire,
)
from liquid_control_sim.firmware.process import LockstepClock
from liquid_control_sim.sensors.navigation import NavigationSensors, geodetic, pressure_hpa

MOTOR_PORT, STATE_PORT = 9002, 9003
STATE = struct.Struct("<18d")
"""Time, s; rates, rad/s, FRD; specific force, m/s^2, FRD; attitude (w, x, y, z), FRD to NED;
velocity, m/s, ENU; longitude, latitude, degrees, altitude, m; pressure, Pa."""
MOTORS = struct.Struct("<4f")
ANSWER_S = 0.005
"""A state without an answer for so long is counted; the motors keep their values."""
SLOW_HZ = 20
"""Rate of barometer and GPS."""


def state_packet(
    readings: SensorReadings, altitude_m: float, place: tuple[float, float, float]
) -> bytes:
    """Return the packet of a state.

    Args:
        readings: of the exchange; their velocity is sent as the GPS velocity.
        altitude_m: reading of the barometer, above mean sea level.
        place: latitude, degrees, longitude, degrees, altitude, m, of the GPS.
    """
    on_wire = wire(readings)
    latitude, longitude, altitude = place
    return STATE.pack(
        readings.time_s,
        *on_wire.gyro,
        *on_wire.accel,
        *on_wire.quaternion,
        *readings.velocity,
        longitude,
        latitude,
        altitude,
        100.0 * pressure_hpa(altitude_m),
    )


def motor_packet(data: bytes) -> Four | None:
    """Return the motor outputs of a packet; None if it is not one."""
    return motor_outputs(MOTORS.unpack(data)) if len(data) == MOTORS.size else None


class BetaflightUdp:
    """Physics of Betaflight; implements `FirmwareBackend`."""

    exchange_hz = 480
    thrust_expo = 0.65

    def __init__(
        self,
        sensors: NavigationSensors,
        patience: Patience | None = None,
        clock: LockstepClock | None = None,
        motor_port: int = MOTOR_PORT,
        state_port: int = STATE_PORT,
    ) -> None:
        """Bind the port that Betaflight sends to.

        Raises:
            AutopilotError: the port is in use.
        """
        self._clock = clock
        self._sensors = sensors
        self._patience = patience or Patience("Betaflight")
        self._port = bound_port(motor_port, self._patience.name)
        self._port.setblocking(False)
        self._peer = (LOOPBACK, state_port)
        self._motors: Four = (0.0, 0.0, 0.0, 0.0)
        self._silent_s = 0.0
        self._altitude_m, self._place = 0.0, (0.0, 0.0, 0.0)
        self.counts = ExchangeCounts()

    def exchange(self, readings: SensorReadings) -> Four:
        """Send a state and return the motor outputs that answer it.

        Raises:
            AutopilotError: Betaflight ended, or has been silent for long.
        """
        if self.counts.exchanges % (self.exchange_hz // SLOW_HZ) == 0:
            dt = 1.0 / SLOW_HZ
            self._altitude_m = self._sensors.altitude(readings.position[2], dt)
            position, _ = self._sensors.fix(readings.position, readings.velocity, dt)
            self._place = geodetic(position)
        self._read()  # an answer that came late is older than the state to send
        self._send(state_packet(readings, self._altitude_m, self._place))
        self.counts.exchanges += 1
        if self._clock is not None:
            self._clock.expect()
            self._clock.advance(round((readings.time_s + 1.0 / self.exchange_hz) * NANOSECONDS))
        wait_s = ANSWER_S if self._clock is None else 0.0
        if self._patience.receive(self._port, wait_s) and self._read():
            self.counts.answers += 1
            self._silent_s = 0.0
            return self._motors
        self.counts.unanswered += 1
        self._silent_s += max(wait_s, 1.0 / self.exchange_hz)
        if self._silent_s > self._patience.silence_s:
            raise AutopilotError(
                f"{self._patience.name}: no motor outputs arrived on UDP port "
                f"{self._port.getsockname()[1]} in {self._patience.silence_s:g} s"
            )
        return self._motors

    def _send(self, packet: bytes) -> None:
        try:
            self._port.sendto(packet, self._peer)
        except OSError:  # nothing is bound to the port yet
            self._patience.check()

    def _read(self) -> bool:
        """Read all packets that have arrived; return whether one has motor outputs."""
        found = False
        while True:
            try:
                data = self._port.recv(4096)
            except (BlockingIOError, ConnectionError):
                return found
            outputs = motor_packet(data)
            if outputs is None:
                self.counts.refused += 1
                continue
            self._motors, found = outputs, True

    def close(self) -> None:
        """Release the port."""
        self._port.close()


def is_udp_port_used(port: int) -> bool:
    """Return whether a program of this machine has bound a UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False

"""What every firmware backend shares: protocols, frames, motor order, waiting for an answer.

Readings are in the frames of this package: `base_link` FLU, `map` ENU. All three firmwares use
FRD and NED; `wire` converts, once for all of them. Motors are in the order of
`dynamics.vehicle`: front right, rear left, front left, rear right, the first two turning
counter-clockwise. ArduPilot and PX4 number an X quadrotor alike, and Betaflight's simulator sends
its motors in this order too.
"""

import math
import select
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from liquid_control.errors import AutopilotError
from liquid_control.types import Command, VehicleState
from liquid_control_sim.dynamics.vectors import Four, Quaternion, Vector

LOOPBACK = "127.0.0.1"


class SensorReadings(NamedTuple):
    """Sensor readings of one exchange.

    Attributes:
        time_s: simulated time since the firmware was started, s.
        angular_velocity: reading of the gyroscope, rad/s, base_link.
        specific_force: reading of the accelerometer, m/s^2, base_link; +9.81 on z at rest.
        quaternion: true attitude, (x, y, z, w), base_link to map.
        position: true, m, map, from where the firmware was started.
        velocity: true, m/s, map.
    """

    time_s: float
    angular_velocity: Vector
    specific_force: Vector
    quaternion: Quaternion
    position: Vector
    velocity: Vector


class WireReadings(NamedTuple):
    """`SensorReadings` in FRD and NED; the quaternion is (w, x, y, z), FRD to NED."""

    gyro: Vector
    accel: Vector
    quaternion: tuple[float, float, float, float]
    position: Vector
    velocity: Vector


def frd(vector: Vector) -> Vector:
    """Return a forward-left-up vector as forward-right-down."""
    return vector[0], -vector[1], -vector[2]


def ned(vector: Vector) -> Vector:
    """Return an east-north-up vector as north-east-down."""
    return vector[1], vector[0], -vector[2]


def wire(readings: SensorReadings) -> WireReadings:
    """Return readings in the frames of the firmwares.

    The quaternion is the inverse of `liquid_control.frames.quaternion_from_ned_frd`.
    """
    x, y, z, w = readings.quaternion
    half = math.sqrt(0.5)
    return WireReadings(
        frd(readings.angular_velocity),
        frd(readings.specific_force),
        (half * (w + z), half * (x + y), half * (x - y), half * (w - z)),
        ned(readings.position),
        ned(readings.velocity),
    )


@dataclass(slots=True)
class ExchangeCounts:
    """Counts of a backend, for reports and tests.

    Attributes:
        exchanges: readings sent.
        answers: motor outputs received for them.
        repeated: requests that were repeated, and answered again without a step; answers to
            earlier readings.
        unanswered: readings without an answer in time; the motors kept their values.
        refused: messages that are not of the protocol.
        restarts: times that the firmware began to count anew.
    """

    exchanges: int = 0
    answers: int = 0
    repeated: int = 0
    unanswered: int = 0
    refused: int = 0
    restarts: int = 0


class FirmwareBackend(Protocol):
    """Exchanges readings for motor outputs with one firmware, in lockstep where it has one.

    Attributes:
        exchange_hz: rate of `exchange` in simulated time.
        thrust_expo: e of the thrust that a motor output u becomes, (1 - e) u + e u^2 of the
            largest: what the firmware expects by default.
        counts: counts so far.
    """

    exchange_hz: int
    thrust_expo: float
    counts: ExchangeCounts

    def exchange(self, readings: SensorReadings) -> Four:
        """Send readings and return the motor outputs, in [0, 1].

        Raises:
            AutopilotError: the firmware ended, or does not answer.
        """
        ...

    def close(self) -> None:
        """Release ports."""
        ...


class FlightStage(Enum):
    """FlightStage of a flight with firmware."""

    WAIT = "waiting for the firmware"
    ARM = "arming"
    FLY = "flying"
    DISARM = "disarming"


class Companion(Protocol):
    """Commands a firmware as a companion computer does; simulated time and state are arguments."""

    def step(self, now_ns: int, state: VehicleState, command: Command, stage: FlightStage) -> None:
        """Send what is due; called at every physics tick.

        Args:
            now_ns: simulated time since the firmware was started.
            state: odometry of the vehicle.
            command: velocity command, heading frame, that is in force.
            stage: what the firmware shall do.
        """
        ...

    @property
    def is_armed(self) -> bool | None:
        """Whether the firmware is armed, as it states it; None if it does not state it."""
        ...

    def arming_problem(self) -> str:
        """Return why the firmware does not arm, as it states it; empty if it does not."""
        ...

    def close(self) -> None:
        """Release ports."""
        ...


@dataclass(slots=True)
class Patience:
    """Waits for a firmware's message, and looks whether its process lives.

    Attributes:
        name: of the firmware, for messages.
        exit_message: returns how its process ended; None while it lives.
        silence_s: longest wait before the firmware counts as silent, real time, s.
    """

    name: str
    exit_message: Callable[[], str | None] = field(default=lambda: None)
    silence_s: float = 10.0

    def receive(self, port: socket.socket | int, wait_s: float) -> bool:
        """Wait until a port or descriptor is readable; return False after `wait_s`.

        Raises:
            AutopilotError: the firmware's process has ended.
        """
        end = time.monotonic() + wait_s
        while True:
            left = end - time.monotonic()
            if select.select([port], [], [], max(0.0, min(left, 0.1)))[0]:
                return True
            self.check()
            if left <= 0.0:
                return False

    def check(self) -> None:
        """Raise AutopilotError if the firmware's process has ended."""
        if message := self.exit_message():
            raise AutopilotError(f"{self.name}: {message}")


def bound_port(port: int, name: str) -> socket.socket:
    """Return a UDP socket that is bound to a port of this machine.

    Raises:
        AutopilotError: the port is in use.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.bind((LOOPBACK, port))
    except OSError as error:
        bound.close()
        raise AutopilotError(
            f"{name}: UDP port {port} is in use ({error.strerror}); "
            "does another simulation run on this machine?"
        ) from error
    return bound


def motor_outputs(values: Iterable[float]) -> Four | None:
    """Return four motor outputs, limited to [0, 1]; None if one is not finite."""
    a, b, c, d = values
    if not math.isfinite(a + b + c + d):
        return None
    return _unit(a), _unit(b), _unit(c), _unit(d)


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def rotor_speed(output: float, expo: float, max_speed: float) -> float:
    """Return the rotor speed, rad/s, of a motor output in [0, 1].

    Thrust over largest thrust is f(u) = (1 - e) u + e u^2, as ArduPilot's MOT_THST_EXPO has it,
    and the speed is its square root.
    """
    return max_speed * math.sqrt((1.0 - expo) * output + expo * output * output)

"""Flights with a firmware from start to end: boot, arm, take off, the scenario, land."""

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from liquid_control.command.guard import Envelope, Guard
from liquid_control.config import Scenario
from liquid_control.errors import AutopilotError
from liquid_control.frames import heading_from_world, heading_of, wrap_angle
from liquid_control.interfaces import FlightProgress, Pilot
from liquid_control.types import HOVER, Command, FlightRecord, Floats
from liquid_control_sim.dynamics.vectors import ZERO
from liquid_control_sim.firmware.backend import Companion, FirmwareBackend, FlightStage, Patience
from liquid_control_sim.firmware.process import FirmwareProcess
from liquid_control_sim.firmware.vehicle import FirmwareQuadrotor
from liquid_control_sim.flight import Flight, fly_to_end
from liquid_control_sim.schedule import PHYSICS_HZ
from liquid_control_sim.world import VehicleSite

TAKE_OFF_S, LANDING_S = 25.0, 20.0
"""Longest duration of a take-off and of a landing, simulated time."""
SETTLED_S = 0.5
CLIMB_MPS, SINK_MPS, APPROACH_MPS = 0.8, 0.5, 0.5
"""Largest speeds of take-off and landing."""
NEAR_M, SLOW_MPS, TURNED_RAD = 0.15, 0.15, 0.1
"""A take-off ends in hover within these of the start of the flight."""


class FirmwareSetup(Protocol):
    """Starts one firmware for a flight."""

    @property
    def name(self) -> str:
        """Name of the firmware."""
        ...

    @property
    def arm_s(self) -> float:
        """Longest time from its start until it arms, simulated time, s."""
        ...

    @property
    def pace(self) -> float | None:
        """Simulated seconds per second that are not exceeded; None for no limit."""
        ...

    def start(self, folder: Path) -> FirmwareProcess:
        """Start the firmware in a folder.

        Raises:
            AutopilotError: it does not start, or cannot be configured.
        """
        ...

    def backend(self, process: FirmwareProcess, site: VehicleSite) -> FirmwareBackend:
        """Return its physics side."""
        ...

    def companion(self, process: FirmwareProcess) -> Companion:
        """Return the side that commands it."""
        ...


@dataclass
class FirmwareSortie:
    """What surrounded the flight; times in simulated time from the start of the firmware.

    Attributes:
        armed_s: when it armed.
        ready_s: when it hovered at the start of the flight.
        landed_s: when it was disarmed on the ground; None if it did not land.
        counts: of the backend, at the end.
    """

    armed_s: float = 0.0
    ready_s: float = 0.0
    landed_s: float | None = None
    counts: dict[str, int] = field(default_factory=dict)


@dataclass
class FirmwareFlyer:
    """Flies scenarios with a firmware; implements `interfaces.Flyer`.

    One flight at a time: ports of simulated firmwares are fixed.

    Attributes:
        setup: starts the firmware.
        folder: of its files; a temporary one if None.
        gui: whether to show PyBullet's window.
        sorties: what surrounded each flight so far.
    """

    setup: FirmwareSetup
    folder: Path | None = None
    gui: bool = False
    sorties: list[FirmwareSortie] = field(default_factory=list)

    def __call__(
        self,
        scenario: Scenario,
        seed: int,
        pilot: Pilot,
        watch: Callable[[FlightProgress], None] | None = None,
    ) -> FlightRecord:
        """Fly one scenario; the arguments are those of `liquid_control_sim.fly`.

        Raises:
            AutopilotError: the firmware is missing, does not start or arm, or dies.
        """
        guard = Guard(Envelope.for_camera(scenario.camera.rate_hz))
        sortie = FirmwareSortie()
        self.sorties.append(sortie)
        with ExitStack() as world, ExitStack() as firmware:  # it lands before the world ends

            def make(site: VehicleSite, start: tuple[Floats, float]) -> FirmwareQuadrotor:
                return firmware.enter_context(self.hovering(site, start, sortie))

            flight = Flight(scenario, seed, guard.envelope.period_s, self.gui, make)
            world.callback(flight.close)
            return fly_to_end(flight, pilot, guard, watch)

    @contextmanager
    def hovering(
        self, site: VehicleSite, start: tuple[Floats, float], sortie: FirmwareSortie
    ) -> Iterator[FirmwareQuadrotor]:
        """Start the firmware, take off to a start, and land when the block ends without an error.

        Args:
            site: client, scenario, seed and ground.
            start: position, float64 [3], m, map, and heading, rad, of the start.
            sortie: receives times and counts.

        Raises:
            AutopilotError: the firmware is missing, does not start or arm, or dies.
        """
        with self.started(site, start, sortie) as vehicle:
            yield vehicle
            land(vehicle, sortie)
            sortie.counts = asdict(vehicle.backend.counts)

    @contextmanager
    def started(
        self, site: VehicleSite, start: tuple[Floats, float], sortie: FirmwareSortie
    ) -> Iterator[FirmwareQuadrotor]:
        """Start the firmware and take off to a start; end it in the air with the block.

        Arguments and errors are those of `hovering`.
        """
        with ExitStack() as stack:
            temporary = stack.enter_context(tempfile.TemporaryDirectory())
            process = self.setup.start(self.folder or Path(temporary))
            stack.callback(process.end)
            backend = self.setup.backend(process, site)
            stack.callback(backend.close)
            companion = self.setup.companion(process)
            stack.callback(companion.close)
            if process.clock is not None:
                process.clock.begin(Patience(self.setup.name, process.exit_message))
            vehicle = FirmwareQuadrotor(site, start, backend, companion, self.setup.pace)
            arm(vehicle, companion, self.setup)
            sortie.armed_s = vehicle.time_s
            take_off(vehicle, start)
            sortie.ready_s = vehicle.time_s
            yield vehicle


def arm(vehicle: FirmwareQuadrotor, companion: Companion, setup: FirmwareSetup) -> None:
    """Wait until the firmware is armed.

    Raises:
        AutopilotError: it does not within `setup.arm_s`, or the vehicle dies.
    """
    vehicle.stage = FlightStage.ARM
    while not vehicle.is_armed:
        if vehicle.time_s > setup.arm_s:
            problem = companion.arming_problem() or "it states no reason"
            raise AutopilotError(
                f"{setup.name}: not armed after {setup.arm_s:g} s of simulated time: {problem}"
            )
        vehicle.step(HOVER, ZERO)


def take_off(vehicle: FirmwareQuadrotor, start: tuple[Floats, float]) -> None:
    """Climb to the start of the flight in calm air, and hover there.

    Raises:
        AutopilotError: the vehicle does not get there within `TAKE_OFF_S`.
    """
    vehicle.stage = FlightStage.FLY
    begun_s, settled = vehicle.time_s, 0
    while settled < SETTLED_S * PHYSICS_HZ:
        vehicle.step(approach(vehicle, start), ZERO)
        settled = settled + 1 if is_there(vehicle, start) else 0
        if vehicle.time_s - begun_s > TAKE_OFF_S:
            x, y, z = vehicle.position - start[0]
            raise AutopilotError(
                f"no hover at the start of the flight within {TAKE_OFF_S:g} s of arming: "
                f"expected less than {NEAR_M:g} m from it, got ({x:.2f}, {y:.2f}, {z:.2f}) m"
            )


def approach(vehicle: FirmwareQuadrotor, start: tuple[Floats, float]) -> Command:
    """Return a command towards the start of a flight: upwards first, then sideways."""
    state = vehicle.state
    heading = heading_of(state.quaternion)
    forward, left, up = heading_from_world(start[0] - state.position, heading).tolist()
    high = vehicle.height_m > 0.5
    turn = wrap_angle(start[1] - heading)
    return Command(
        _limited(forward, APPROACH_MPS) if high else 0.0,
        _limited(left, APPROACH_MPS) if high else 0.0,
        _limited(1.5 * up, CLIMB_MPS),
        _limited(turn, 0.5) if high else 0.0,
    )


def is_there(vehicle: FirmwareQuadrotor, start: tuple[Floats, float]) -> bool:
    """Return whether the vehicle hovers at the start of a flight."""
    state = vehicle.state
    return (
        math.dist(state.position.tolist(), start[0].tolist()) < NEAR_M
        and math.hypot(*state.velocity.tolist()) < SLOW_MPS
        and abs(wrap_angle(start[1] - heading_of(state.quaternion))) < TURNED_RAD
    )


@dataclass
class FirmwareHold:
    """A firmware that hovers until a graph's flight begins, and then obeys other set-points.

    `make` is the `make_vehicle` of a `Flight`; the wind is calm before the flight.

    Attributes:
        flyer: starts the firmware.
        sortie: times of the take-off.
    """

    flyer: FirmwareFlyer
    sortie: FirmwareSortie = field(default_factory=FirmwareSortie)
    _stack: ExitStack = field(default_factory=ExitStack)
    _vehicle: FirmwareQuadrotor | None = None
    _start: tuple[Floats, float] | None = None

    def make(self, site: VehicleSite, start: tuple[Floats, float]) -> FirmwareQuadrotor:
        """Start the firmware and take off; see `FirmwareFlyer.started`."""
        flown = self._stack.enter_context(self.flyer.started(site, start, self.sortie))
        self._vehicle, self._start = flown, start
        return flown

    def hold(self, duration_s: float) -> None:
        """Hover at the start for a simulated time.

        Raises:
            AutopilotError: the firmware ended, or does not answer.
        """
        if self._vehicle is None or self._start is None:
            return
        for _ in range(round(duration_s * PHYSICS_HZ)):
            self._vehicle.step(approach(self._vehicle, self._start), ZERO)

    def release(self) -> None:
        """Send no set-points from now on: those of the graph are in force."""
        if self._vehicle is not None:
            self._vehicle.stage = FlightStage.WAIT

    def touch_down(self) -> float | None:
        """Go on after the flight until the motors rest on the ground, `LANDING_S` at most.

        The firmware alone decides what it does: no set-point is sent.

        Returns:
            Speed of the last tick in the air, m/s; None if the vehicle does not come to rest.
        """
        vehicle = self._vehicle
        if vehicle is None:
            return None
        speed_mps = 0.0
        for _ in range(round(LANDING_S * PHYSICS_HZ)):
            if vehicle.height_m > 0.005:
                speed_mps = math.hypot(*vehicle.state.velocity.tolist())
            elif not vehicle.is_armed and max(vehicle.motors) <= 0.0:
                return speed_mps
            vehicle.step(HOVER, ZERO)
        return None

    def close(self) -> None:
        """End the firmware."""
        self._stack.close()


def land(vehicle: FirmwareQuadrotor, sortie: FirmwareSortie) -> None:
    """Descend to the ground and disarm; give up after `LANDING_S`."""
    begun_s = vehicle.time_s
    while vehicle.time_s - begun_s < LANDING_S:
        if vehicle.height_m < 0.005:
            vehicle.stage = FlightStage.DISARM
        disarmed = not vehicle.is_armed and max(vehicle.motors) <= 0.0
        if vehicle.stage is FlightStage.DISARM and disarmed:
            sortie.landed_s = vehicle.time_s
            return
        vehicle.step(Command(up_mps=-SINK_MPS), ZERO)


def _limited(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)

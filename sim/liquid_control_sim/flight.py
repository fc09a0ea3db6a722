"""One flight, control tick by control tick: in process, or with pilot and guard across ROS."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from liquid_control.command.guard import Envelope, Guard, GuardState
from liquid_control.config.scenario import Scenario
from liquid_control.interfaces import FlightProgress, Pilot
from liquid_control.seeding import stream
from liquid_control.types import (
    HOVER,
    Command,
    FlightRecord,
    FlightResult,
    Floats,
    ImuWindow,
    Observation,
    Pixels,
    VehicleState,
)
from liquid_control_sim.schedule import Schedule, stamp_of
from liquid_control_sim.tasks.completion import make_task
from liquid_control_sim.tasks.rules import TaskStatus
from liquid_control_sim.world import SimulatedWorld


@dataclass(frozen=True, slots=True)
class Tick:
    """What is known at one control tick.

    Attributes:
        stamp_ns: simulated time.
        frame_due: whether the camera took a frame now; it may have been lost on its way.
        observation: what the pilot gets, with the IMU samples since the last frame that it got;
            None where no frame was due or it was lost.
        imu: the samples since the control tick before.
        truth: the vehicle's true state.
        wind: float64 [3], m/s, map, at the vehicle.
        standing: the judge's view.
        framed: whether a frame was delivered.
        command: what came into force at this tick, once `Flight.obey` was told.
    """

    stamp_ns: int
    frame_due: bool
    observation: Observation | None
    imu: ImuWindow
    truth: VehicleState
    wind: Floats
    status: TaskStatus
    framed: bool = False
    command: Command = HOVER

    @property
    def image(self) -> Pixels | None:
        """The delivered frame, uint8 [H, W, 3] RGB."""
        return None if self.observation is None else self.observation.image

    @property
    def progress_m(self) -> float:
        """Arc length reached along the trail."""
        return self.status.progress_m

    @property
    def cross_track_m(self) -> float:
        """Signed distance from the trail's centre, left positive."""
        return self.status.cross_track_m

    @property
    def clearance_m(self) -> float:
        """Distance from hull to nearest trunk."""
        return self.status.clearance_m


@dataclass
class Flight:
    """A flight in progress: call `advance`, then `obey`, until `advance` returns None.

    Args:
        scenario: what to fly in.
        seed: of every random stream.
        guard_period_s: time between control ticks without a frame.
        gui: show PyBullet's window.
    """

    scenario: Scenario
    seed: int
    guard_period_s: float = Envelope().period_s
    gui: bool = False
    _ticks: list[Tick] = field(default_factory=list)
    _standing: TaskStatus = field(default_factory=TaskStatus)
    _command: Command = HOVER
    _next_frame: int = 0

    def __post_init__(self) -> None:
        self.world = SimulatedWorld(self.scenario, self.seed, gui=self.gui)
        self._schedule = Schedule(self.scenario.camera.rate_hz, self.guard_period_s)
        self._losses = stream(self.seed, "camera.drops")
        self._since_frame: list[ImuWindow] = []
        self._task = make_task(self.world, self.world.vehicle.radius_m)

    def __enter__(self) -> "Flight":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the physics client."""
        self.world.close()

    def advance(self) -> Tick | None:
        """Simulate up to the next control tick; None once the flight has ended."""
        if self._standing.reason is not None:
            return None
        if self._ticks:
            due = self._schedule.next_control_tick(self.world.tick, self._next_frame)
            while self.world.tick < due:
                self.world.step(self._command)
        tick = self._observe()
        self._standing = tick.status
        self._ticks.append(tick)
        return tick

    def obey(self, command: Command) -> Tick:
        """Put a command into force until the next control tick; return the tick with it."""
        self._command = command
        self._ticks[-1] = told = replace(self._ticks[-1], command=command)
        # Pictures are for pilots and watchers; a record of every one would not fit in memory.
        self._ticks[-1] = replace(told, observation=None, imu=ImuWindow.empty())
        return told

    def _observe(self) -> Tick:
        stamp_ns = stamp_of(self.world.tick)
        imu = self.world.take_imu()
        self._since_frame.append(imu)
        truth = self.world.truth
        frame_due = self.world.tick == self._schedule.frame_tick(self._next_frame)
        observation = self._take_frame(stamp_ns, truth) if frame_due else None
        return Tick(
            stamp_ns,
            frame_due,
            observation,
            imu,
            truth,
            self.world.wind,
            self._task.judge(self._standing, stamp_ns, truth, self._command),
            framed=observation is not None,
        )

    def _take_frame(self, stamp_ns: int, truth: VehicleState) -> Observation | None:
        index, self._next_frame = self._next_frame, self._next_frame + 1
        lost = index > 0 and self._losses.random() < self.scenario.camera.drop_rate
        if lost:
            return None
        window, self._since_frame = ImuWindow.joined(self._since_frame), []
        image = self.world.take_picture(index)
        return Observation(stamp_ns, image, window, self.world.take_range(truth))

    def record(self) -> FlightRecord:
        """Return the flight so far, a row per control tick."""
        ticks = self._ticks
        return FlightRecord(
            stamp_ns=np.array([tick.stamp_ns for tick in ticks], dtype=np.int64),
            position=np.array([tick.truth.position for tick in ticks]),
            quaternion=np.array([tick.truth.quaternion for tick in ticks]),
            velocity=np.array([tick.truth.velocity for tick in ticks]),
            command=np.array([tick.command.values for tick in ticks]),
            framed=np.array([tick.framed for tick in ticks]),
            wind=np.array([tick.wind for tick in ticks]),
            progress_m=np.array([tick.progress_m for tick in ticks]),
            cross_track_m=np.array([tick.cross_track_m for tick in ticks]),
            clearance_m=np.array([tick.clearance_m for tick in ticks]),
            result=self._result(),
        )

    def _result(self) -> FlightResult:
        across = np.array([tick.cross_track_m for tick in self._ticks])
        reason = self._standing.reason or "timeout"
        return FlightResult(
            success=reason == "completed",
            reason=reason,
            distance_m=min(self._standing.progress_m, self._task.length_m),
            cross_track_rms_m=float(np.sqrt(np.mean(across**2))),
            min_clearance_m=min(tick.clearance_m for tick in self._ticks),
            duration_s=self._ticks[-1].stamp_ns / 1e9,
        )


def fly(
    scenario: Scenario,
    seed: int,
    pilot: Pilot,
    watch: Callable[[FlightProgress], None] | None = None,
    guard: Guard | None = None,
) -> FlightRecord:
    """Fly one scenario from start to end in this process.

    Args:
        scenario: what to fly in.
        seed: of every random stream; the same seed gives the same flight.
        pilot: answers every delivered frame.
        watch: called after each control tick.
        guard: stands between pilot and autopilot; the default envelope if None.

    Returns:
        The record, a row per control tick.
    """
    guard = guard or Guard()
    state = GuardState()
    with Flight(scenario, seed, guard.envelope.period_s) as flight:
        pilot.start(flight.world)
        while (tick := flight.advance()) is not None:
            if tick.observation is None:
                state = guard.poll(tick.stamp_ns, state)
            else:
                answer = pilot.command(tick.observation, tick.truth)
                state = guard.admit(answer, tick.stamp_ns, state)
            told = flight.obey(state.output)
            if watch is not None:
                watch(told)
        return flight.record()

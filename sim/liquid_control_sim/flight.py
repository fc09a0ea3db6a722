"""A flight by control ticks: `fly` runs it in one process; a ROS 2 node drives `Flight`."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from liquid_control.command import (
    Envelope,
    Guard,
    GuardInputs,
    GuardRules,
    GuardState,
    PoseReading,
    RangeReading,
    RuleAction,
)
from liquid_control.config import Scenario
from liquid_control.frames import rotation_from_quaternion
from liquid_control.interfaces import FlightProgress, Pilot
from liquid_control.perception import (
    CameraView,
    PictureDistribution,
    PictureMemory,
    fit,
    picture_health,
)
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
from liquid_control_sim.tasks.completion import TaskStatus, make_task
from liquid_control_sim.world import MakeVehicle, SimulatedWorld


@dataclass(frozen=True, slots=True)
class Tick:
    """Data of a flight at one control tick; implements `interfaces.FlightProgress`.

    Attributes:
        stamp_ns: simulated time.
        frame_due: whether the camera took a frame, delivered or lost.
        observation: input of the pilot, with the IMU samples since the last delivered frame; None
            where no frame was due or the frame was lost.
        imu: IMU samples since the control tick before.
        truth: true state of the vehicle.
        wind: float64 [3], m/s, map, at the vehicle.
        status: status of the task.
        framed: whether a frame was delivered.
        command: command in force from this tick on, once `Flight.apply_command` was called.
        acting: rules of the guard that act from this tick on, likewise.
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
    acting: tuple[RuleAction, ...] = ()

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
        """Signed distance from the centre of the trail, left positive."""
        return self.status.cross_track_m

    @property
    def clearance_m(self) -> float:
        """Distance from the hull to the nearest obstacle."""
        return self.status.clearance_m


_NO_SAMPLES = ImuWindow.empty()


@dataclass
class Flight:
    """A flight in progress: call `advance`, then `apply_command`, until `advance` returns None.

    Args:
        scenario: scenario of the flight.
        seed: seed of all random streams.
        guard_period_s: time between control ticks without a frame.
        gui: whether to show PyBullet's window.
        make_vehicle: makes a vehicle with another autopilot; None for ours.
        limits_hover: whether a long hover ends the flight; False where commands do not reach the
            vehicle by this class.

    Attributes:
        cruise_mps: cruise speed in the next observations, m/s; at first that of the scenario. It
            may be changed in flight.
    """

    scenario: Scenario
    seed: int
    guard_period_s: float = Envelope().period_s
    gui: bool = False
    make_vehicle: MakeVehicle | None = None
    limits_hover: bool = True
    cruise_mps: float = field(init=False)
    _ticks: list[Tick] = field(default_factory=list)
    _status: TaskStatus = field(default_factory=TaskStatus)
    _command: Command = HOVER
    _next_frame: int = 0

    def __post_init__(self) -> None:
        self.cruise_mps = self.scenario.cruise_mps
        self.world = SimulatedWorld(self.scenario, self.seed, self.gui, self.make_vehicle)
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
        """Simulate up to the next control tick; return None once the flight has ended."""
        if self._status.reason is not None:
            return None
        if self._ticks:
            due = self._schedule.next_control_tick(self.world.tick, self._next_frame)
            self.world.advance(self._command, due)
        tick = self._observe()
        self._status = tick.status
        self._ticks.append(tick)
        return tick

    def apply_command(self, command: Command, acting: tuple[RuleAction, ...] = ()) -> Tick:
        """Apply a command until the next control tick; return the tick with it.

        Args:
            command: after the guard.
            acting: rules of the guard that act, where it is in this process.
        """
        self._command = command
        tick = self._ticks[-1]
        # Images are dropped here, since those of a whole flight would not fit in memory. `replace`
        # would take several times as long.
        self._ticks[-1] = Tick(
            tick.stamp_ns,
            tick.frame_due,
            None,
            _NO_SAMPLES,
            tick.truth,
            tick.wind,
            tick.status,
            tick.framed,
            command,
        )
        return replace(tick, command=command, acting=acting)

    def _observe(self) -> Tick:
        stamp_ns = stamp_of(self.world.tick)
        imu = self.world.take_imu()
        self._since_frame.append(imu)
        truth = self.world.truth
        frame_due = self.world.tick == self._schedule.frame_tick(self._next_frame)
        observation = self._take_frame(stamp_ns, truth) if frame_due else None
        before = self._status
        if not self.limits_hover:
            before = replace(before, hover_since_ns=None)
        return Tick(
            stamp_ns,
            frame_due,
            observation,
            imu,
            truth,
            self.world.wind,
            self._task.evaluate(before, stamp_ns, truth, self._command),
            framed=observation is not None,
        )

    def _take_frame(self, stamp_ns: int, truth: VehicleState) -> Observation | None:
        index, self._next_frame = self._next_frame, self._next_frame + 1
        lost = index > 0 and self._losses.random() < self.scenario.camera.drop_rate
        if lost:
            return None
        window, self._since_frame = ImuWindow.joined(self._since_frame), []
        image = self.world.take_picture(index)
        camera = self.scenario.camera
        return Observation(
            stamp_ns,
            image,
            window,
            self.world.take_range(truth),
            self.world.take_orientation(truth),
            self.cruise_mps,
            (camera.horizontal_fov_deg, camera.pitch_down_deg),
        )

    def record(self) -> FlightRecord:
        """Return the record of the flight so far, one row per control tick."""
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
        reason = self._status.reason or "timeout"
        return FlightResult(
            success=reason == "completed",
            reason=reason,
            distance_m=min(self._status.progress_m, self._task.length_m),
            cross_track_rms_m=float(np.sqrt(np.mean(across**2))),
            min_clearance_m=min(tick.clearance_m for tick in self._ticks),
            duration_s=self._ticks[-1].stamp_ns / 1e9,
        )


class GuardSensors:
    """Readings of a guard's rules from the ticks of a flight, as the guard node receives them.

    Ranges are rounded to float32, the type of `sensor_msgs/Range`. There is no autopilot, no
    battery and no range sensor that looks forward.

    Args:
        guard: with the rules.
        ranged: whether the vehicle has a range sensor that looks down.
        view: size of the pictures whose health is measured; None for that of the camera.
        learned: distribution of the training pictures; None where it is not known.

    Attributes:
        inputs: the readings.
    """

    def __init__(
        self,
        guard: Guard,
        ranged: bool = False,
        view: CameraView | None = None,
        learned: PictureDistribution | None = None,
    ) -> None:
        self.inputs = GuardInputs()
        self._rules = guard.rules
        self._ranged = ranged
        self._view = view
        self._learned = learned
        self._memory = PictureMemory()

    def update(self, tick: Tick) -> GuardInputs:
        """Return the readings up to a tick."""
        if not self._rules.some:
            return self.inputs
        pose = PoseReading.of(tick.stamp_ns, as_odometry(tick.truth))
        inputs = replace(self.inputs, pose=pose or self.inputs.pose)
        if len(tick.imu.stamps_ns):
            inputs = replace(inputs, imu_ns=int(tick.imu.stamps_ns[-1]))
        frame = tick.observation
        if frame is not None:
            distance_m = inf if frame.range_m is None else float(np.float32(frame.range_m))
            ground = RangeReading(frame.stamp_ns, distance_m) if self._ranged else None
            inputs = replace(inputs, camera_ns=frame.stamp_ns, ground=ground)
            if self._rules.checks_pictures:
                picture = frame.image if self._view is None else fit(frame.image, self._view)
                health, self._memory = picture_health(
                    picture, frame.stamp_ns, self._memory, self._learned
                )
                inputs = inputs.with_picture(health, self._rules)
        self.inputs = inputs
        return inputs


def as_odometry(truth: VehicleState) -> VehicleState:
    """Return a state with the rounding of a velocity that was sent in base_link."""
    turn = rotation_from_quaternion(truth.quaternion)
    return replace(truth, velocity=turn @ (turn.T @ truth.velocity))


def fly(
    scenario: Scenario,
    seed: int,
    pilot: Pilot,
    watch: Callable[[FlightProgress], None] | None = None,
    guard: Guard | None = None,
    sensors: GuardSensors | None = None,
    rules: GuardRules | None = None,
) -> FlightRecord:
    """Fly one scenario from start to end in this process.

    Args:
        scenario: scenario of the flight.
        seed: seed of all random streams; the same seed gives the same flight.
        pilot: pilot that answers every delivered frame.
        watch: callback after each control tick.
        guard: guard between pilot and autopilot; one with the default envelope for the
            scenario's camera if None.
        sensors: readings of the guard's rules; None for those without a model.
        rules: of the guard, where none is given; None for the envelope alone.

    Returns:
        The record, one row per control tick.
    """
    envelope = Envelope.for_camera(scenario.camera.rate_hz)
    guard = guard or Guard(envelope, rules or GuardRules())
    sensors = sensors or GuardSensors(guard, scenario.range.enabled)
    with Flight(scenario, seed, guard.envelope.period_s) as flight:
        return fly_to_end(flight, pilot, guard, watch, sensors)


def fly_to_end(
    flight: Flight,
    pilot: Pilot,
    guard: Guard,
    watch: Callable[[FlightProgress], None] | None = None,
    sensors: GuardSensors | None = None,
) -> FlightRecord:
    """Fly a flight that has not begun until its task ends; the arguments are those of `fly`."""
    state, sensors = GuardState(), sensors or GuardSensors(guard)
    pilot.start(flight.world)
    while (tick := flight.advance()) is not None:
        inputs = sensors.update(tick)
        if tick.observation is None:
            state = guard.poll(tick.stamp_ns, state, inputs)
        else:
            command = pilot.command(tick.observation, tick.truth)
            state = guard.admit(command, tick.stamp_ns, state, inputs=inputs)
        applied = flight.apply_command(state.output, state.acting)
        if watch is not None:
            watch(applied)
    return flight.record()

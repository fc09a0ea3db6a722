"""Data flights: the expert or the learner flies, the expert labels every frame.

This is dataset aggregation, DAgger (Ross et al. 2011, arXiv 1011.0686). The pilot is drawn for
segments of a second or two rather than for single frames. The learner's mistakes then have time
to grow into states that the expert labels.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import Scenario
from liquid_control.errors import OutputError
from liquid_control.interfaces import Flyer, Pilot, RoutePilot, World
from liquid_control.perception import imu_features, known_inputs
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.seeding import stream
from liquid_control.training.auxiliary import ROUTE_DISTANCES_M, AuxiliaryMeter
from liquid_control.training.dataset import TrainingFlight, write_flight
from liquid_control.training.training_settings import (
    DisturbanceSettings,
    FlightSettings,
    TrainingSettings,
)
from liquid_control.types import (
    HOVER,
    NANOSECONDS,
    Command,
    FlightResult,
    Floats,
    Observation,
    VehicleState,
)


@dataclass(frozen=True, slots=True)
class SegmentDraws:
    """Random numbers per segment of time, looked up by stamp and so independent of frame rate.

    Attributes:
        values: float64 [S, N], a row per segment; they repeat after the last row.
        segment_ns: length of a segment.
    """

    values: Floats
    segment_ns: int

    def at(self, elapsed_ns: int) -> Floats:
        """Return the row at a time since the flight's start, float64 [N]."""
        row: Floats = self.values[(elapsed_ns // self.segment_ns) % len(self.values)]
        return row

    def phase(self, elapsed_ns: int) -> float:
        """Return the phase within the current segment, in [0, 1)."""
        return (elapsed_ns % self.segment_ns) / self.segment_ns


_SEGMENTS = 512


class PushDisturbance:
    """Smooth pushes on a command: half a sine wave per segment, of random height and direction."""

    def __init__(self, settings: DisturbanceSettings, seed: int) -> None:
        generator = stream(seed, "training.disturbance")
        sigma = np.array(
            [settings.forward_mps, settings.left_mps, settings.up_mps, settings.yaw_rate_radps]
        )
        active = generator.uniform(size=(_SEGMENTS, 1)) < settings.share
        heights = generator.normal(size=(_SEGMENTS, 4)) * sigma * active
        self._draws = SegmentDraws(heights, round(settings.segment_s * NANOSECONDS))

    def apply(self, command: Command, elapsed_ns: int) -> Command:
        """Return the pushed command."""
        swell = np.sin(np.pi * self._draws.phase(elapsed_ns))
        pushed = np.array(command.values) + swell * self._draws.at(elapsed_ns)
        return Command(*(float(value) for value in pushed))


class PushedPilot:
    """Flies a pilot's commands with pushes added and shows them without: a `Demonstrator`.

    The pushes lead to recoveries, which an undisturbed pilot never shows.

    Attributes:
        name: the pilot's, with `:pushed` appended.
        shown: the pilot's own command for the last frame.
    """

    def __init__(self, pilot: Pilot, settings: DisturbanceSettings) -> None:
        self.name = f"{pilot.name}:pushed"
        self.shown = HOVER
        self._pilot = pilot
        self._settings = settings
        self._pushes: PushDisturbance | None = None
        self._first_ns: int | None = None

    def start(self, world: World) -> None:
        """Start the pilot and draw the pushes of the flight's seed."""
        self.shown, self._first_ns = HOVER, None
        self._pushes = PushDisturbance(self._settings, world.seed)
        self._pilot.start(world)

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the pilot's command for a frame, with the push added."""
        if self._pushes is None:
            raise RuntimeError("PushedPilot.command was called before start(world)")
        if self._first_ns is None:
            self._first_ns = observation.stamp_ns
        self.shown = self._pilot.command(observation, truth)
        return self._pushes.apply(self.shown, observation.stamp_ns - self._first_ns)


@dataclass(slots=True)
class FrameLog:
    """Data of a flight so far, a row per delivered frame."""

    stamps_ns: list[int] = field(default_factory=list)
    images: list[NDArray[np.uint8]] = field(default_factory=list)
    imu: list[NDArray[np.float32]] = field(default_factory=list)
    labels: list[tuple[float, float, float, float]] = field(default_factory=list)
    by_expert: list[bool] = field(default_factory=list)
    inputs: list[NDArray[np.float32]] = field(default_factory=list)
    auxiliary: list[NDArray[np.float32]] = field(default_factory=list)


class DataPilot:
    """Flies the expert or the learner by segments; logs each frame with the expert's command."""

    def __init__(
        self,
        expert: Pilot,
        learner: Pilot | None,
        beta: float,
        segment_s: float,
        disturbance: PushDisturbance | None,
        seed: int,
    ) -> None:
        self.name = "data"
        self.log = FrameLog()
        self._expert = expert
        self._learner = learner
        self._disturbance = disturbance
        self._beta = beta
        uniforms = stream(seed, "training.pilot").uniform(size=(_SEGMENTS, 1))
        self._draws = SegmentDraws(uniforms, round(segment_s * NANOSECONDS))

    def start(self, world: World) -> None:
        """Prepare both pilots for a flight and discard the frames of the flight before."""
        self.log = FrameLog()
        self._meter = AuxiliaryMeter(world)
        self._expert.start(world)
        if self._learner is not None:
            self._learner.start(world)

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command for a frame; both pilots receive it, since both have a memory."""
        label = self._expert.command(observation, truth)
        own = None if self._learner is None else self._learner.command(observation, truth)
        if not self.log.stamps_ns:
            self._first_ns = observation.stamp_ns
        elapsed_ns = observation.stamp_ns - self._first_ns
        expert_flies = own is None or float(self._draws.at(elapsed_ns)[0]) < self._beta
        self._log_frame(observation, label, expert_flies)
        self.log.auxiliary.append(self._meter.measure(truth, self._route(truth)))
        flown = label if expert_flies or own is None else own
        return flown if self._disturbance is None else self._disturbance.apply(flown, elapsed_ns)

    def _route(self, truth: VehicleState) -> tuple[float, ...] | None:
        if not isinstance(self._expert, RoutePilot):
            return None
        return self._expert.route_ahead(truth, ROUTE_DISTANCES_M)

    def _log_frame(self, observation: Observation, label: Command, by_expert: bool) -> None:
        self.log.stamps_ns.append(observation.stamp_ns)
        self.log.images.append(observation.image)
        self.log.imu.append(imu_features(observation.imu))
        self.log.labels.append(label.values)
        self.log.by_expert.append(by_expert)
        self.log.inputs.append(known_inputs(observation))


TRAINING_SEEDS = 100_000_000
VALIDATION_SEEDS = 300_000_000
FINAL_SEEDS = 500_000_000
"""First seeds of training, validation and final flights.

They are far from the seeds of campaigns, so no forest is both trained on and reported. Plans are a
function of the settings: a run that was killed plans the same flights again.
"""
_SEEDS_A_RUN = 200_000
_SEEDS_A_ROUND = 2_000
_RUNS = 1_000


@dataclass(frozen=True, slots=True)
class FlightPlan:
    """Plan of one data flight.

    Attributes:
        round: 0 for cloning, then the DAgger round.
        index: within the round.
        seed: of the flight.
        scenario: of the flight.
        beta: fraction of the time that the expert flies.
        disturbed: whether pushes are added to the expert's commands.
    """

    round: int
    index: int
    seed: int
    scenario: Scenario
    beta: float
    disturbed: bool

    @property
    def name(self) -> str:
        """Name of the flight's file, without suffix."""
        return f"round_{self.round:02d}/flight_{self.index:04d}"


def round_plans(settings: TrainingSettings, round_: int) -> list[FlightPlan]:
    """Return the flights of one round, 0 being the cloning flights."""
    flights = settings.flights
    count = flights.dagger if round_ else flights.cloning
    return [
        _flight_plan(settings, round_, index, _beta_of_round(flights.expert_share, round_))
        for index in range(count)
    ]


def _flight_plan(settings: TrainingSettings, round_: int, index: int, beta: float) -> FlightPlan:
    offset = round_ * _SEEDS_A_ROUND + index
    seed = TRAINING_SEEDS + (settings.seed % _RUNS) * _SEEDS_A_RUN + offset
    return FlightPlan(
        round=round_,
        index=index,
        seed=seed,
        scenario=settings.flight_scenario(index, seed),
        beta=beta,
        disturbed=round_ == 0,
    )


def _beta_of_round(betas: tuple[float, ...], round_: int) -> float:
    return 1.0 if round_ == 0 else betas[min(round_, len(betas)) - 1]


def validation_seed(settings: TrainingSettings, index: int, final: bool) -> int:
    """Return the seed of a validation flight; all rounds use the same seeds, `final` others."""
    start = FINAL_SEEDS if final else VALIDATION_SEEDS
    return start + (settings.seed % _RUNS) * _SEEDS_A_RUN + index


@dataclass(frozen=True, slots=True)
class Actors:
    """Simulator and expert of a run; picklable.

    Attributes:
        flyer: flies a scenario, such as `liquid_control_sim.fly`.
        expert: makes the privileged pilot, such as `liquid_control_sim.Expert`.
    """

    flyer: Flyer
    expert: Callable[[], Pilot]


@dataclass(frozen=True, slots=True)
class DataJob:
    """One data flight, as a job that writes its file.

    Attributes:
        plan: of the flight.
        actors: simulator and expert.
        settings: of the segments and the disturbance.
        learner: model folder of the learner; None in the cloning round.
        path: of the flight's file.
    """

    plan: FlightPlan
    actors: Actors
    settings: FlightSettings
    learner: Path | None
    path: Path

    def run(self) -> None:
        """Fly and write."""
        plan, flights = self.plan, self.settings
        pilot = DataPilot(
            expert=self.actors.expert(),
            learner=None
            if self.learner is None
            else PolicyPilot(Policy(load_model(self.learner))),
            beta=plan.beta,
            segment_s=flights.segment_s,
            disturbance=PushDisturbance(flights.disturbance, plan.seed)
            if plan.disturbed
            else None,
            seed=plan.seed,
        )
        record = self.actors.flyer(plan.scenario, plan.seed, pilot)
        write_flight(self.path, flight_data(pilot.log, record.result, self.plan.name))


def flight_data(log: FrameLog, result: FlightResult, name: str) -> TrainingFlight:
    """Return a log as arrays.

    Raises:
        OutputError: the flight had no frame.
    """
    if not log.stamps_ns:
        raise OutputError(f"{name}: the flight ended ({result.reason}) before its first frame")
    return TrainingFlight(
        stamps_ns=np.array(log.stamps_ns, np.int64),
        images=np.stack(log.images),
        imu=np.stack(log.imu).astype(np.float32),
        labels=np.array(log.labels, np.float32),
        by_expert=np.array(log.by_expert, np.bool_),
        result=result,
        inputs=np.stack(log.inputs),
        auxiliary=np.stack(log.auxiliary),
    )

"""Hand-made flights with known numbers, without a simulator."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from liquid_control.config import Scenario
from liquid_control.errors import ConfigError, ModelError
from liquid_control.evaluation.flight_data import FlightData, ForestMap, FrameTrack, NeuronTrack
from liquid_control.frames import quaternion_from_euler
from liquid_control.interfaces import FlightProgress, Pilot, World
from liquid_control.seeding import stream
from liquid_control.types import (
    HOVER,
    Command,
    FlightRecord,
    FlightResult,
    ImuWindow,
    Observation,
    VehicleState,
)

PERIOD_NS = 25_000_000


def toy_record(ticks: int = 80, success: bool = True, wind_mps: float = 3.0) -> FlightRecord:
    """Fly straight east at 2 m/s and 1.5 m; every other tick has a frame."""
    stamps = np.arange(ticks, dtype=np.int64) * PERIOD_NS
    seconds = stamps / 1e9
    along, zeros = 2.0 * seconds, np.zeros(ticks)
    clearance = 2.0 - np.sin(np.pi * seconds / seconds[-1])
    reason = "completed" if success else "collision"
    return FlightRecord(
        stamp_ns=stamps,
        position=np.column_stack([along, 0.1 * np.sin(seconds), zeros + 1.5]),
        quaternion=np.tile(quaternion_from_euler(0.0, 0.0, 0.0), (ticks, 1)),
        velocity=np.column_stack([zeros + 2.0, 0.1 * np.cos(seconds), zeros]),
        command=np.tile([2.0, 0.1, 0.0, -0.2], (ticks, 1)),
        framed=np.arange(ticks) % 2 == 0,
        wind=np.column_stack([zeros, zeros + wind_mps, zeros]),
        progress_m=along,
        cross_track_m=0.1 * np.sin(seconds),
        clearance_m=clearance,
        result=FlightResult(
            success, reason, float(along[-1]), 0.07, float(clearance.min()), float(seconds[-1])
        ),
    )


def toy_flight(
    title: str = "calm", success: bool = True, neurons: bool = True, ticks: int = 80
) -> FlightData:
    """Return the data of a toy record: a straight trail, two trunks, grey frames, 19 neurons."""
    record = toy_record(ticks, success)
    framed = record.stamp_ns[record.framed]
    images = tuple(np.full((54, 96, 3), 40 + index, np.uint8) for index in range(len(framed)))
    names = (*(f"inter_{n}" for n in range(9)), *(f"command_{n}" for n in range(6)))
    names += tuple(f"motor_{n}" for n in range(4))
    state = np.tanh(np.outer(np.linspace(-1.0, 1.0, len(framed)), np.ones(19)))
    length = float(record.position[-1, 0])
    return FlightData(
        title=title,
        model="toy",
        seed=3,
        scenario=Scenario(),
        record=record,
        map=ForestMap(
            np.column_stack([np.linspace(0.0, length, 9), np.zeros(9)]),
            np.array([[1.0, 2.0, 0.2], [2.5, -1.8, 0.15]]),
            2.5,
        ),
        frames=FrameTrack(framed, images),
        neurons=NeuronTrack(names, framed, state, 0.5 + 0.4 * state) if neurons else None,
    )


class StraightTrail:
    """Ten metres east."""

    length_m = 10.0

    def point(self, along_m: float) -> tuple[float, float]:
        return along_m, 0.0

    def heading(self, along_m: float) -> float:
        return 0.0

    def project(self, x: float, y: float, near_m: float) -> tuple[float, float]:
        return x, y


class ToyObstacles:
    """A trunk, and a branch across the trail."""

    trunks = np.array([[3.0, 2.0, 0.2]])
    capsules = np.array([[3.0, 2.0, 1.5, 3.0, 0.5, 1.6, 0.05]])

    def clearance(self, x: float, y: float, z: float) -> float:
        return 1.0


@dataclass(frozen=True)
class ToyTarget:
    centre: tuple[float, float, float]
    radius_m: float


@dataclass(frozen=True)
class ToyWorld:
    scenario: Scenario
    trail = StraightTrail()
    obstacles = ToyObstacles()
    trunks = obstacles.trunks
    targets: tuple[ToyTarget, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class ToyTick:
    """A `FlightProgress`."""

    stamp_ns: int
    image: np.ndarray | None
    command: Command
    truth: VehicleState
    wind: np.ndarray
    imu: ImuWindow
    progress_m: float = 0.0
    cross_track_m: float = 0.0
    clearance_m: float = 1.0
    acting: tuple[tuple[str, int], ...] = ()


class ToyPilot:
    """Hovers; the names `dies`, `refuses` and `buggy` make its process fail."""

    def __init__(self, name: str = "hover") -> None:
        self.name = name

    def start(self, world: World) -> None:
        if self.name == "dies":
            os._exit(7)
        if self.name == "refuses":
            raise ModelError("expected 96x54 pixels, got 128x72")
        if self.name == "buggy":
            raise ZeroDivisionError("a bug")

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        return HOVER


def unsteered_fly(
    scenario: Scenario,
    seed: int,
    pilot: Pilot,
    watch: Callable[[FlightProgress], None] | None = None,
) -> FlightRecord:
    """Return a flight that no pilot steers; odd seeds succeed."""
    return toy_record(success=seed % 2 == 1)


def fly_until_seed_5(scenario: Scenario, seed: int, pilot: Pilot) -> FlightRecord:
    """Return a flight that no pilot steers; fail at seed 5."""
    if seed == 5:
        raise ConfigError("the third forest cannot be flown")
    return unsteered_fly(scenario, seed, pilot)


def toy_window(stamp_ns: int) -> ImuWindow:
    """Two samples up to a tick, half a period apart, one at its start."""
    stamps = [stamp for stamp in (stamp_ns - PERIOD_NS // 2, stamp_ns) if stamp >= 0]
    rates = np.array([[stamp * 1e-9, 0.0, -1.0] for stamp in stamps])
    return ImuWindow(np.array(stamps), rates, np.add(rates, (0.0, 0.0, 9.81)))


def toy_fly(
    scenario: Scenario,
    seed: int,
    pilot: Pilot,
    watch: Callable[[FlightProgress], None] | None = None,
) -> FlightRecord:
    """Fly three ticks; the seed decides whether the flight succeeds."""
    truth = VehicleState(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3), np.zeros(3))
    pilot.start(ToyWorld(scenario, seed=seed))
    for tick in range(3):
        window = toy_window(tick * PERIOD_NS)
        image = np.full((54, 96, 3), tick, np.uint8) if tick % 2 == 0 else None
        command = HOVER
        if image is not None:
            command = pilot.command(Observation(tick * PERIOD_NS, image, window), truth)
        if watch is not None:
            watch(ToyTick(tick * PERIOD_NS, image, command, truth, np.zeros(3), window))
    return toy_record(3, success=bool(stream(seed, "toy").random() < 0.5))

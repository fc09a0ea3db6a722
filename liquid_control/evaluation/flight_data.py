"""Data of one flight for reports and videos: record, map, camera frames and neurons."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from liquid_control.command import ChangeWatch, GuardChange
from liquid_control.config import Scenario, TaskKind
from liquid_control.errors import ObservationError
from liquid_control.interfaces import FlightProgress, Flyer, Pilot, Place, World
from liquid_control.liquid.weights import CfCWeights
from liquid_control.policy import PolicyPilot
from liquid_control.types import (
    NANOSECONDS,
    Command,
    FlightRecord,
    Floats,
    Observation,
    Pixels,
    VehicleState,
)


@dataclass(frozen=True, slots=True)
class ForestMap:
    """Map of a flight, as drawn.

    Attributes:
        trail: float64 [P, 2], the trail's centre line, or the course through targets, m, map.
        trunks: float64 [N, 3], x, y and radius, m, map.
        lateral_limit_m: beyond this from the centre line a flight has left the trail; None where
            there is no trail to leave.
        bars: float64 [B, 5], both ends (x, y) and radius of branches, posts and objects, m, map.
        targets: float64 [K, 3], x, y and radius of the targets, in order, m, map.
    """

    trail: Floats
    trunks: Floats
    lateral_limit_m: float | None
    bars: Floats = field(default_factory=lambda: np.empty((0, 5)))
    targets: Floats = field(default_factory=lambda: np.empty((0, 3)))

    @property
    def length_m(self) -> float:
        """Arc length of the trail, m."""
        return float(np.linalg.norm(np.diff(self.trail, axis=0), axis=1).sum())

    @classmethod
    def of(cls, place: Place, scenario: Scenario, spacing_m: float = 0.5) -> "ForestMap":
        """Return the map of a place, its trail sampled from end to end."""
        trail = place.trail
        count = max(2, round(trail.length_m / spacing_m) + 1)
        along = np.linspace(0.0, trail.length_m, count)
        on_trail = scenario.task.kind is TaskKind.TRAIL
        return cls(
            trail=np.array([trail.point(float(s)) for s in along], dtype=np.float64),
            trunks=np.array(place.obstacles.trunks, dtype=np.float64).reshape(-1, 3),
            lateral_limit_m=scenario.trail.lateral_limit_m if on_trail else None,
            bars=place.obstacles.capsules[:, [0, 1, 3, 4, 6]],
            targets=np.array(
                [(*target.centre[:2], target.radius_m) for target in place.targets]
            ).reshape(-1, 3),
        )


@dataclass(frozen=True, slots=True)
class FrameTrack:
    """The camera's frames.

    Attributes:
        stamp_ns: int64 [F].
        images: uint8 [H, W, 3] RGB, one a stamp.
    """

    stamp_ns: NDArray[np.int64]
    images: tuple[Pixels, ...]

    def __post_init__(self) -> None:
        if len(self.stamp_ns) != len(self.images):
            raise ObservationError(
                f"expected one image a stamp, got {len(self.images)} for {len(self.stamp_ns)}"
            )

    def latest(self, stamp_ns: int) -> int:
        """Return the index of the newest frame at a stamp; 0 before the first frame."""
        return max(0, int(np.searchsorted(self.stamp_ns, stamp_ns, side="right")) - 1)


@dataclass(frozen=True, slots=True)
class NeuronTrack:
    """State of the core at each frame, and its gates where it has time gates.

    Attributes:
        names: N names; for a wired CfC those of its neurons, motor neurons last.
        stamp_ns: int64 [F], of the frames.
        state: float64 [F, N]; in (-1, 1) for a wired CfC.
        gate: float64 [F, N], the time gates, in (0, 1); [F, 0] for a core without them.
        features: float32 [F, I], what the core received; None if they were not kept.
    """

    names: tuple[str, ...]
    stamp_ns: NDArray[np.int64]
    state: Floats
    gate: Floats
    features: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.stamp_ns), len(self.names))
        allowed = {"state": (shape,), "gate": (shape, (len(self.stamp_ns), 0))}
        for name, shapes in allowed.items():
            if getattr(self, name).shape not in shapes:
                raise ObservationError(
                    f"neurons' {name} must be {shape}, got {getattr(self, name).shape}"
                )


@dataclass(frozen=True, slots=True, eq=False)
class CommandTrack:
    """Commands of a policy at each frame, before and after the guard.

    Attributes:
        stamp_ns: int64 [F], of the frames.
        policy: float64 [F, 4], as `Command.values`.
        guarded: float64 [F, 4], the command that was sent on for that frame.
    """

    stamp_ns: NDArray[np.int64]
    policy: Floats
    guarded: Floats


@dataclass(frozen=True, slots=True)
class FlightData:
    """One flight with everything that reports and videos show.

    Attributes:
        title: of the flight in tables and headings.
        model: label of the pilot.
        seed: of the flight.
        scenario: of the flight.
        record: a row per control tick.
        map: of the place.
        frames: camera frames; None if they were not kept.
        neurons: None if the pilot has no neurons, such as the expert.
        facts: further (name, value) pairs for the report, for instance the latency.
        links: label and address of files, relative to the flight's page.
        folder: of the flight's page, relative to the report; empty if the report names it.
        commands: None if they were not kept.
        guard: changes of the rules of the guard that act; None if they were not kept.
        weights: of a wired CfC; None for another pilot.
        saliency: not negative, [F, H, W], one map a frame; None if it was not computed.
    """

    title: str
    model: str
    seed: int
    scenario: Scenario
    record: FlightRecord
    map: ForestMap
    frames: FrameTrack | None = None
    neurons: NeuronTrack | None = None
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = field(default=())
    folder: str = ""
    commands: CommandTrack | None = None
    guard: tuple[GuardChange, ...] | None = None
    weights: CfCWeights | None = None
    saliency: NDArray[np.floating] | None = None

    def seconds(self, stamp_ns: NDArray[np.int64]) -> Floats:
        """Return stamps as seconds since the flight's first tick, float64, same shape."""
        return np.asarray((stamp_ns - self.record.stamp_ns[0]) / NANOSECONDS, dtype=np.float64)


class CapturingPilot:
    """Wraps a pilot and keeps the map of its flight, and neurons and commands of a policy."""

    def __init__(self, pilot: Pilot) -> None:
        self.name = pilot.name
        self.map: ForestMap | None = None
        self._pilot = pilot
        self._stamps: list[int] = []
        self._commands: list[Floats] = []
        self._answered: list[int] = []
        self._states: list[Floats] = []
        self._gates: list[Floats] = []
        self._features: list[NDArray[np.float32]] = []

    def start(self, world: World) -> None:
        """Start the wrapped pilot and discard the data of the flight before."""
        self.map = ForestMap.of(world, world.scenario)
        self._stamps.clear()
        self._answered.clear()
        for kept in (self._commands, self._states, self._gates):
            kept.clear()
        self._features.clear()
        self._pilot.start(world)

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the wrapped pilot's command."""
        answer = self._pilot.command(observation, truth)
        self._stamps.append(observation.stamp_ns)
        self._commands.append(np.array(answer.values, np.float64))
        if isinstance(self._pilot, PolicyPilot) and self._pilot.decision is not None:
            self._answered.append(observation.stamp_ns)
            self._states.append(self._pilot.decision.state.astype(np.float64))
            self._gates.append(self._pilot.decision.gates.astype(np.float64))
            if self._pilot.features is not None:
                self._features.append(self._pilot.features)
        return answer

    def neurons(self) -> NeuronTrack | None:
        """Return states, gates and features by frame; None for a pilot without a state."""
        if not isinstance(self._pilot, PolicyPilot) or not self._answered:
            return None
        names = self._pilot.policy.state_names
        if not names:
            return None
        stamps = np.array(self._answered, dtype=np.int64)
        features = np.stack(self._features) if len(self._features) == len(stamps) else None
        return NeuronTrack(names, stamps, np.stack(self._states), np.stack(self._gates), features)

    def commands(self, record: FlightRecord) -> CommandTrack | None:
        """Return the commands of a flight with this record; None where there are none."""
        if not self._stamps:
            return None
        stamps = np.array(self._stamps, np.int64)
        ticks = np.clip(np.searchsorted(record.stamp_ns, stamps), 0, len(record.stamp_ns) - 1)
        return CommandTrack(stamps, np.stack(self._commands), record.command[ticks])

    def weights(self) -> CfCWeights | None:
        """Return the weights of a wired CfC; None for another pilot."""
        if not isinstance(self._pilot, PolicyPilot):
            return None
        return self._pilot.policy.model.wired_weights


@dataclass(slots=True)
class _FlightRecorder:
    """Keeps frames and actions of the guard."""

    stamps: list[int] = field(default_factory=list)
    images: list[Pixels] = field(default_factory=list)
    guard: list[GuardChange] = field(default_factory=list)
    watch: ChangeWatch = field(default_factory=ChangeWatch)

    def __call__(self, progress: FlightProgress) -> None:
        change = self.watch.change(progress.stamp_ns, progress.acting)
        if change is not None:
            self.guard.append(change)
        if progress.image is not None:
            self.stamps.append(progress.stamp_ns)
            self.images.append(progress.image.copy())


def fly_and_capture(
    flyer: Flyer, scenario: Scenario, seed: int, pilot: Pilot, title: str
) -> FlightData:
    """Fly once in this process and return the data of the flight.

    Raises:
        ObservationError: the flyer never started the pilot.
    """
    capturing, recorder = CapturingPilot(pilot), _FlightRecorder()
    record = flyer(scenario, seed, capturing, recorder)
    if capturing.map is None:
        raise ObservationError("expected the flyer to start the pilot with its world, it did not")
    frames = FrameTrack(np.array(recorder.stamps, dtype=np.int64), tuple(recorder.images))
    return FlightData(
        title=title,
        model=pilot.name,
        seed=seed,
        scenario=scenario,
        record=record,
        map=capturing.map,
        frames=frames if recorder.stamps else None,
        neurons=capturing.neurons(),
        commands=capturing.commands(record),
        guard=tuple(recorder.guard),
        weights=capturing.weights(),
    )

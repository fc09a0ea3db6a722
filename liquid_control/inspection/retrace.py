"""A recorded flight flown again in the simulator: its surroundings, and other conditions.

A flight in our simulator follows from scenario, seed and commands. `retrace` flies it again with
the *recorded* commands: the path is the recorded one, and the simulator knows what the bag does
not, such as the trail's curvature. With a disturbance removed that acts on pictures only, the
pictures show the same flight without it; where it acts on the vehicle, the path differs, and
`Retraced.deviation_m` says by how much. `fly_again` flies the policy itself.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.config import Scenario, apply_overrides
from liquid_control.config.disturbances import disturbance_overrides
from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.frames import heading_from_world, heading_of, wrap_angle
from liquid_control.inspection.flight import (
    FrameCollector,
    InspectedFlight,
    open_flight,
    recorded_scenario,
    with_quantities,
)
from liquid_control.interfaces import FlightProgress, Flyer, World
from liquid_control.perception import fit
from liquid_control.policy import Policy, PolicyPilot
from liquid_control.types import HOVER, Command, FlightRecord, Floats, Observation, VehicleState

AHEAD_M = 5.0
"""Distance along the trail over which its curvature is measured, m."""


@dataclass(frozen=True, slots=True, eq=False)
class Retraced:
    """A flight flown again with the recorded commands.

    Attributes:
        flight: the policy on the frames of the new flight, with `quantities`.
        deviation_m: largest distance from the recorded path, m; NaN where it is not recorded.
    """

    flight: InspectedFlight
    deviation_m: float


def picture_quantities(flight: InspectedFlight) -> dict[str, Floats]:
    """Return what every recording shows, float64 [T] by name.

    `brightness` is the mean of a picture, 0 to 1; `path_curvature`, 1/m, is that of the flown
    path, from the recorded poses: the heading's change divided by the distance.
    """
    measured = {"brightness": flight.pictures.mean(axis=(1, 2, 3)) / 255.0}
    if np.isfinite(flight.poses).all() and len(flight) > 2:
        x, y, _, heading = flight.poses.T
        moved = np.hypot(np.gradient(x), np.gradient(y))
        measured["path_curvature"] = np.gradient(np.unwrap(heading)) / np.maximum(moved, 0.02)
    return measured


def measured_quantities(world: World, progress: FlightProgress) -> dict[str, float]:
    """Return what the simulator knows at one tick.

    `curvature_ahead` (1/m, left positive, over the next 5 m), `lateral_error` (m, left of the
    trail positive), `heading_error` (rad), `clearance` (m), `wind_forward` and `wind_left` (m/s,
    heading frame), and on a course with targets `target_bearing` (rad, left positive) of the
    nearest one.
    """
    truth, along = progress.truth, progress.progress_m
    heading, trail = heading_of(truth.quaternion), world.trail
    wind = heading_from_world(np.asarray(progress.wind, np.float64), heading)
    turn = wrap_angle(trail.heading(along + AHEAD_M) - trail.heading(along))
    measured = {
        "curvature_ahead": turn / AHEAD_M,
        "lateral_error": progress.cross_track_m,
        "heading_error": wrap_angle(heading - trail.heading(along)),
        "clearance": progress.clearance_m,
        "wind_forward": float(wind[0]),
        "wind_left": float(wind[1]),
    }
    if world.targets:
        x, y = (float(value) for value in truth.position[:2])
        offsets = [(target.centre[0] - x, target.centre[1] - y) for target in world.targets]
        east, north = min(offsets, key=lambda offset: math.hypot(*offset))
        measured["target_bearing"] = wrap_angle(math.atan2(north, east) - heading)
    return measured


class _RecordedCommands:
    """A pilot that gives the recorded commands, and collects the policy's own answers."""

    def __init__(self, policy: Policy, flight: InspectedFlight) -> None:
        self.name = "recorded commands"
        self.collector = FrameCollector(policy)
        self.rows: dict[int, dict[str, float]] = {}
        self.path: dict[int, Floats] = {}
        self._policy = policy
        self._view = policy.model.settings.camera.view
        rows = zip(flight.stamp_ns.tolist(), flight.recorded.tolist(), strict=True)
        self._commands = {stamp: Command(*row) for stamp, row in rows}
        self._world: World | None = None

    def start(self, world: World) -> None:
        self._world = world

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        try:
            picture = fit(observation.image, self._view)
            features = self._policy.features_of_fitted(picture, observation)
            self.collector.add(observation, picture, features)
        except LiquidControlError as error:
            self.collector.refuse(error)
        pose = (*truth.position, heading_of(truth.quaternion))
        self.path[observation.stamp_ns] = np.array(pose)
        return self._commands.get(observation.stamp_ns, HOVER)

    def watch(self, progress: FlightProgress) -> None:
        if progress.image is not None and self._world is not None:
            self.rows[progress.stamp_ns] = measured_quantities(self._world, progress)


def retrace(
    flyer: Flyer, policy: Policy, flight: InspectedFlight, scenario: Scenario, seed: int
) -> Retraced:
    """Fly the recorded commands again and run the policy on what it would have seen.

    Args:
        flyer: such as `liquid_control_sim.fly`.
        policy: the inspected policy, which does not steer.
        flight: with the recorded commands.
        scenario: of the flight, or without a disturbance.
        seed: of the flight.

    Raises:
        ConfigError: the recording has no commands of a policy.
    """
    if np.isnan(flight.recorded).all():
        raise ConfigError(f"{flight.name}: expected recorded commands of a policy, got none")
    pilot = _RecordedCommands(policy, flight)
    flyer(scenario, seed, pilot, pilot.watch)
    again = pilot.collector.flight(flight.name, pilot.path, metadata=flight.metadata)
    rows = [pilot.rows[stamp] for stamp in again.stamp_ns.tolist()]
    measured = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    shared, own, other = np.intersect1d(flight.stamp_ns, again.stamp_ns, return_indices=True)
    apart = np.linalg.norm(flight.poses[own, :3] - again.poses[other, :3], axis=1)
    deviation = float(apart.max()) if len(shared) else float("nan")
    return Retraced(with_quantities(again, picture_quantities(again) | measured), deviation)


def open_flights(
    bags: Sequence[Path],
    model: Path | None = None,
    *,
    policy: Policy | None = None,
    flyer: Flyer | None = None,
    note: Callable[[str], None] = print,
) -> tuple[Policy, list[InspectedFlight]]:
    """Run one policy over several recordings, and return it and the flights with quantities.

    Args:
        bags: one recording each.
        model: model folder; None for the one that the first bag was recorded with.
        policy: a loaded policy, instead of `model`.
        flyer: retraces the flights whose seed is recorded; None for no flight.
        note: receives a line for each flight that cannot be retraced.

    Raises:
        BagError: as `open_flight`; so ConfigError and ModelError.
        ConfigError: two recordings hold the same flight.
    """
    flights: list[InspectedFlight] = []
    for bag in bags:
        policy, found = open_flight(bag, model, policy=policy)
        flights.append(with_quantities(found, picture_quantities(found)))
    if policy is None:
        raise ConfigError("expected at least one recording, got none")
    _check_distinct(bags, flights)
    if flyer is not None:
        flights = [_retraced(flyer, policy, flight, note) for flight in flights]
    return policy, flights


def _retraced(
    flyer: Flyer, policy: Policy, flight: InspectedFlight, note: Callable[[str], None]
) -> InspectedFlight:
    """Return a flight flown again, or the flight itself and a note why it cannot be."""
    try:
        return retrace(flyer, policy, flight, *recorded_scenario(flight)).flight
    except ConfigError as error:
        note(str(error))
        return flight


def _check_distinct(bags: Sequence[Path], flights: Sequence[InspectedFlight]) -> None:
    """Check that no flight is given twice: it would be scored on what was fitted to it."""
    known: dict[bytes, Path] = {}
    for bag, flight in zip(bags, flights, strict=True):
        content = flight.stamp_ns.tobytes() + flight.features.tobytes()
        if content in known:
            raise ConfigError(f"{bag}: expected different flights, got that of {known[content]}")
        known[content] = bag


def fly_again(flyer: Flyer, policy: Policy, scenario: Scenario, seed: int) -> FlightRecord:
    """Fly a policy in closed loop, such as in a scenario without a disturbance."""
    return flyer(scenario, seed, PolicyPilot(policy))


def scenario_without(scenario: Scenario, names: Iterable[str]) -> Scenario:
    """Return a scenario with the keys of disturbances at their undisturbed values.

    Args:
        scenario: of a flight.
        names: of `config/disturbances.yaml`, such as fog; `wind@12` ends the wind at 12 s of
            simulated time.

    Raises:
        ConfigError: a name is unknown, the scenario does not have the disturbance, or it cannot
            end at a time.
    """
    calm = Scenario().model_dump()
    changes: dict[str, Any] = {}
    for word in names:
        name, at, end_s = word.partition("@")
        if at:
            changes["wind.end_s"] = _wind_end_s(scenario, word, end_s)
            continue
        keys = list(disturbance_overrides(name, 1))
        undisturbed = {key: _at(calm, key) for key in keys}
        if all(_at(scenario.model_dump(), key) == value for key, value in undisturbed.items()):
            raise ConfigError(
                f"--without {name}: the flight has no such disturbance; its "
                f"{', '.join(keys)} are as in undisturbed flights"
            )
        changes |= undisturbed
    content = apply_overrides(scenario.model_dump(mode="json"), changes)
    return Scenario.model_validate(content)


def _wind_end_s(scenario: Scenario, word: str, end_s: str) -> float:
    try:
        seconds = float(end_s)
    except ValueError:
        seconds = math.nan
    if not (word.startswith("wind@") and math.isfinite(seconds) and seconds >= 0.0):
        raise ConfigError(f"--without {word}: expected wind@SECONDS, such as wind@12")
    if scenario.wind.mean_mps == 0.0 and scenario.wind.gust_mps == 0.0:
        raise ConfigError(f"--without {word}: the flight has no wind")
    return seconds


def _at(content: Any, key: str) -> Any:
    for part in key.split("."):
        content = content[part]
    return content

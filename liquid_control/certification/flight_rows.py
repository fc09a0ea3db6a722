"""Flights as rows of the reduced model: offset and heading to a trail, commands, features."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.config import Scenario
from liquid_control.frames import (
    heading_from_world,
    heading_of,
    rotation_from_quaternion,
    wrap_angle,
)
from liquid_control.interfaces import Flyer, Trail, World
from liquid_control.policy import Policy, PolicyPilot
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS, Command, Floats, Observation, VehicleState

PUSH_S = 0.7
"""Length of a push, s."""
_PUSHES = 256
CHORD_M = 1.0
"""Half the length of the chord whose direction is the trail's heading, m: the centre line is a
polyline, and its own heading jumps."""


@dataclass(frozen=True, slots=True, eq=False)
class FlightRows:
    """Rows of flights, one a frame that was answered; T rows.

    Attributes:
        flight: index of the flight, [T].
        dt_s: time to the frame before, the first of a flight has that of the model, s, [T].
        vehicle: offset left of the trail (m), heading error (rad), forward and left velocity in
            the heading frame (m/s) and rate of the heading (rad/s), [T, 5].
        features: what the core received, [T, F].
        state: of the core after the frame, [T, N].
        command: of the policy, [T, 4], as `Command.values`; pushes are not in it.
        pushed: command that was given to the guard, [T, 4].
        curvature: of the trail beside the vehicle, 1/m, left positive, [T].
        wind: horizontal speed of the wind at the vehicle, m/s, [T].
    """

    flight: Floats
    dt_s: Floats
    vehicle: Floats
    features: Floats
    state: Floats
    command: Floats
    pushed: Floats
    curvature: Floats
    wind: Floats

    @classmethod
    def joined(cls, parts: Sequence["FlightRows"]) -> "FlightRows":
        """Return the rows of several flights, numbered anew."""
        numbered = [np.full(len(part.dt_s), float(k)) for k, part in enumerate(parts)]
        return cls(
            np.concatenate(numbered),
            *(
                np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)[1:]
            ),
        )

    def save(self, path: Path) -> None:
        """Write the rows as a compressed .npz."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "FlightRows":
        """Read rows that `save` wrote."""
        with np.load(path) as arrays:
            return cls(*(arrays[field.name].astype(np.float64) for field in fields(cls)))


class RowPilot:
    """Flies a policy, with pushes on its commands if asked, and keeps the rows of the flight.

    The trail and the true state are read for the rows only. A push is half a sine wave of random
    height, so that the flight also visits offsets and headings from which the policy recovers.

    Attributes:
        name: of the model.
    """

    def __init__(self, policy: Policy, push: Sequence[float] = (0.0, 0.0, 0.0)) -> None:
        """Prepare a pilot; `push` has the deviations forward, left (m/s) and yaw (rad/s)."""
        self.name = policy.model.name
        self._pilot = PolicyPilot(policy)
        self._push = np.array(push)
        self._nominal_s = policy.model.settings.nominal_dt_s
        self._trail: Trail | None = None
        self._along = 0.0

    def start(self, world: World) -> None:
        """Start the policy and discard the rows of the flight before."""
        self._pilot.start(world)
        self._trail, self._along = world.trail, 0.0
        self._heights = stream(world.seed, "certification.push").normal(size=(_PUSHES, 3))
        self._stamps: list[int] = []
        self._rows: list[tuple[Any, ...]] = []

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the policy's command for a frame, with the push added."""
        own = self._pilot.command(observation, truth)
        decision, features = self._pilot.decision, self._pilot.features
        assert decision is not None
        assert features is not None
        assert self._trail is not None
        stamp = observation.stamp_ns
        self._stamps.append(stamp)
        elapsed = (stamp - self._stamps[0]) / NANOSECONDS
        part = elapsed / PUSH_S
        height = self._heights[int(part) % _PUSHES] * self._push * np.sin(np.pi * (part % 1.0))
        given = np.array(own.values) + np.insert(height, 2, 0.0)
        vehicle, curvature = self._along_trail(truth)
        self._rows.append(
            (vehicle, features, decision.state, np.array(own.values), given, curvature)
        )
        return Command(*(float(value) for value in given))

    def _along_trail(self, truth: VehicleState) -> tuple[Floats, Floats]:
        """Return the reduced vehicle state [5] and the curvature of the trail, 1/m."""
        trail, (x, y, _) = self._trail, (float(value) for value in truth.position)
        assert trail is not None
        self._along, across = trail.project(x, y, self._along)
        heading = heading_of(truth.quaternion)
        behind, here, ahead = (
            np.array(trail.point(self._along + side * CHORD_M)) for side in (-1.0, 0.0, 1.0)
        )
        course = np.arctan2(*(ahead - behind)[::-1])
        turn = np.arctan2(*(ahead - here)[::-1]) - np.arctan2(*(here - behind)[::-1])
        velocity = heading_from_world(truth.velocity, heading)
        error = wrap_angle(heading - float(course))
        rotation = rotation_from_quaternion(truth.quaternion)
        spin = rotation @ truth.angular_velocity
        # The heading is that of the body's x axis, which moves with spin x axis.
        nose = np.cross(spin, rotation[:, 0])
        rate = heading_from_world(nose, heading)[1] / np.hypot(*rotation[:2, 0])
        state = [across, error, velocity[0], velocity[1], float(rate)]
        return np.array(state), np.array(wrap_angle(float(turn)) / CHORD_M)

    def rows(self, winds: Floats) -> FlightRows:
        """Return the rows of the flight, with the wind at its frames, [T]."""
        vehicle, features, state, command, pushed, curvature = (
            np.array(column, np.float64) for column in zip(*self._rows, strict=True)
        )
        stamps = np.array(self._stamps, np.float64) / NANOSECONDS
        dt = np.diff(stamps, prepend=stamps[0] - self._nominal_s)
        numbers = np.zeros(len(dt))
        return FlightRows(numbers, dt, vehicle, features, state, command, pushed, curvature, winds)


def fly_rows(
    flyer: Flyer,
    policy: Policy,
    scenario: Scenario,
    seeds: Iterable[int],
    push: Sequence[float] = (0.0, 0.0, 0.0),
    on_flight: Callable[[str], None] = lambda _: None,
) -> tuple[FlightRows, list[str]]:
    """Fly a policy once a seed and return the rows of all flights, and how each ended."""
    parts, endings = [], []
    for seed in seeds:
        on_flight(f"seed {seed}")
        pilot = RowPilot(policy, push)
        record = flyer(scenario, seed, pilot)
        winds = np.hypot(record.wind[:, 0], record.wind[:, 1])[record.framed]
        parts.append(pilot.rows(winds[: len(pilot._rows)]))
        endings.append(record.result.reason)
    return FlightRows.joined(parts), endings

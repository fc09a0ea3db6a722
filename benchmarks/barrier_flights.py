"""Adversarial flights at a fence: the simulator's vehicle, the guard, and commands against it.

The vehicle is that of `config/vehicles/outdoor.yaml`: the compiled autopilot, rotors and drag of
the simulator at 240 Hz. Only the rigid body is integrated here instead of in PyBullet, so that a
flight of three seconds takes milliseconds; a test compares both. There is no camera.

A flight has segments of equal length. In each, a command and a wind are held, either in the
heading frame or relative to the nearest edge of the fence, which the adversary knows. The wind
changes in steps, faster than real wind.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from liquid_control.command import Envelope, Fence, Guard, GuardInputs, GuardRules, GuardState
from liquid_control.command.geofence import nearest_point
from liquid_control.command.guard_rules import PoseReading
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS, Command, Floats
from liquid_control_sim.compiling import Compiler
from liquid_control_sim.dynamics import vectors
from liquid_control_sim.dynamics.airframe import airframe_model, body_forces
from liquid_control_sim.dynamics.autopilot import Autopilot, autopilot_step, heading_of_four
from liquid_control_sim.dynamics.vectors import Flat, Four, Quaternion, Vector, times, to_body
from liquid_control_sim.dynamics.vehicle import Vehicle, load_vehicle
from liquid_control_sim.dynamics.velocity_loop import Estimate
from liquid_control_sim.schedule import PHYSICS_HZ

TICKS = 6
"""Physics steps of a control tick of 25 ms."""
FLIGHT_S = 3.0
WIND_MPS = 6.0
ENVELOPE = Envelope()
FAMILIES = ("random", "extremes", "held", "bang-bang", "search")
_U_SHAPE = ((0, 0), (1, 0), (1, 1), (0.65, 1), (0.6, 0.4), (0.4, 0.4), (0.35, 1), (0, 1))
SHAPES: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0, 0), (1, 0), (1, 1), (0, 1)),
    ((0, 0), (1, 0), (0.4, 0.8)),
    ((0, 0), (1, 0), (1, 0.45), (0.5, 0.45), (0.5, 1), (0, 1)),
    _U_SHAPE,
)
"""Square, triangle, and two polygons with inner corners: an L and a U."""
compiled = Compiler("barrier", Path(vectors.__file__).parent)


class BodyState(NamedTuple):
    """State of vehicle and autopilot: see `Estimate`, `Autopilot` and `BodyForces.speeds`."""

    memory: Flat
    speeds: Four
    position: Vector
    quaternion: Quaternion
    velocity: Vector
    rates: Vector


@compiled
def advance(
    ticks: int,
    autopilot: Flat,
    airframe: Flat,
    body: Flat,
    command: Four,
    wind: Vector,
    memory: Flat,
    speeds: Four,
    position: Vector,
    quaternion: Quaternion,
    velocity: Vector,
    rates: Vector,
) -> tuple[Flat, Four, Vector, Quaternion, Vector, Vector]:
    """Return the fields of `BodyState` after physics steps under a command and a wind.

    Semi-implicit Euler, as PyBullet: velocities first, then the pose with the new velocities.

    Args:
        ticks: number of steps.
        autopilot: model of the autopilot.
        airframe: model of rotors and drag.
        body: time step, s, mass, kg, gravity, m/s^2, and principal moments, kg m^2.
        command: forward, left, up, m/s, heading frame, and yaw rate, rad/s.
        wind: velocity of the air, m/s, map.
        memory: of the autopilot.
        speeds: of the rotors, rad/s.
        position: m, map.
        quaternion: base_link to map.
        velocity: m/s, map.
        rates: rad/s, base_link.
    """
    dt, mass, gravity, ix, iy, iz = body
    for _ in range(ticks):
        targets, memory = autopilot_step(
            autopilot, memory, command, position, quaternion, velocity, rates
        )
        speeds, force, torque, _, _ = body_forces(
            airframe, speeds, targets, quaternion, quaternion, velocity, wind, 1.0
        )
        x, y, z, w = quaternion
        fx, fy, fz = to_body((-x, -y, -z, w), force)
        velocity = (
            velocity[0] + dt * fx / mass,
            velocity[1] + dt * fy / mass,
            velocity[2] + dt * (fz / mass - gravity),
        )
        p, q, r = rates
        rates = (
            p + dt * (torque[0] - (iz - iy) * q * r) / ix,
            q + dt * (torque[1] - (ix - iz) * r * p) / iy,
            r + dt * (torque[2] - (iy - ix) * p * q) / iz,
        )
        position = (
            position[0] + dt * velocity[0],
            position[1] + dt * velocity[1],
            position[2] + dt * velocity[2],
        )
        p, q, r = rates
        angle = math.sqrt(p * p + q * q + r * r) * dt
        scale = 0.5 * dt if angle < 1e-9 else math.sin(0.5 * angle) * dt / angle
        quaternion = times(quaternion, (scale * p, scale * q, scale * r, math.cos(0.5 * angle)))
    return memory, speeds, position, quaternion, velocity, rates


class FreeVehicle:
    """A vehicle without PyBullet, far from the ground; the state is an argument and a result."""

    def __init__(self, vehicle: Vehicle) -> None:
        dt = 1.0 / PHYSICS_HZ
        self._autopilot = Autopilot(vehicle, dt)
        self._models = self._autopilot.model, airframe_model(vehicle, dt)
        gravity = vehicle.engine.gravity_mps2
        self._body = (dt, vehicle.mass_kg, gravity, *vehicle.inertia_kgm2)
        self._hover: Four = (vehicle.hover_speed_radps,) * 4

    def start(self, position: Vector, heading_rad: float) -> BodyState:
        """Return the state of a hovering vehicle."""
        half = 0.5 * heading_rad
        quaternion = (0.0, 0.0, math.sin(half), math.cos(half))
        estimate = Estimate(position, quaternion, vectors.ZERO, vectors.ZERO)
        memory = self._autopilot.start(estimate)
        return BodyState(memory, self._hover, *estimate)

    def step(self, state: BodyState, command: Command, wind: Vector, ticks: int) -> BodyState:
        """Return the state after physics steps."""
        forward, left, up, turn = command.values
        four = float(forward), float(left), float(up), float(turn)
        autopilot, airframe = self._models
        return BodyState(
            *advance(
                ticks,
                autopilot,
                airframe,
                self._body,
                four,
                wind,
                state.memory,
                state.speeds,
                state.position,
                state.quaternion,
                state.velocity,
                state.rates,
            )
        )


@dataclass(frozen=True, slots=True)
class Attack:
    """A flight against the guard.

    Attributes:
        family: of `FAMILIES`.
        seed: of place and segments.
        fence: that the vehicle must stay in.
        start: position, m, map.
        heading_rad: at the start.
        segments: float64 [K, 6] in [-1, 1]: direction over pi, speed, climb, yaw rate, direction
            of the wind over pi, and its speed, as fractions of the envelope and of `WIND_MPS`.
        relative: whether directions are relative to the nearest edge, 0 towards it, and a climb
            of 1 is one towards the nearer of floor and ceiling; else to the heading.
    """

    family: str
    seed: int
    fence: Fence
    start: Vector
    heading_rad: float
    segments: Floats
    relative: bool


class AttackResult(NamedTuple):
    """What happened: least distance inside of the fence, m, and largest speed, m/s.

    The distance is negative outside.
    """

    clearance_m: float
    speed_mps: float


def draw_attack(family: str, seed: int, margin_m: float) -> Attack:
    """Return the attack of a seed; it begins in hover, at least 0.2 m inside the margin."""
    place, generator = stream(seed, "barrier.place"), stream(seed, f"barrier.{family}")
    shape = SHAPES[int(place.integers(len(SHAPES)))]
    size, turn = place.uniform(8.0, 40.0), place.uniform(-math.pi, math.pi)
    c, s = size * math.cos(turn), size * math.sin(turn)
    floor_m, band_m = place.uniform(1.0, 20.0), place.uniform(4.0, 12.0)
    corners = tuple((c * x - s * y, s * x + c * y) for x, y in shape)
    fence = Fence(corners, floor_m, floor_m + band_m)
    while True:
        x, y = place.uniform(0.0, 1.0, 2)
        start = c * x - s * y, s * x + c * y, floor_m + place.uniform(0.0, band_m)
        if margin_m + 0.2 < clearance(fence, start)[0] < margin_m + 4.0:
            break
    heading_rad = float(place.uniform(-math.pi, math.pi))
    return Attack(family, seed, fence, start, heading_rad, *_segments(family, generator))


def _segments(family: str, generator: np.random.Generator) -> tuple[Floats, bool]:
    if family == "random":
        return generator.uniform(-1.0, 1.0, (int(generator.integers(4, 41)), 6)), False
    if family == "extremes":
        return _extremes(generator.uniform(-1.0, 1.0, (int(generator.integers(2, 21)), 6))), False
    if family == "held":
        return _extremes(generator.uniform(-1.0, 1.0, (1, 6))), bool(generator.random() < 0.5)
    segments = generator.uniform(-1.0, 1.0, (int(generator.integers(2, 13)), 6))
    if family == "bang-bang":
        segments[:, [0, 4]] *= 0.3
        segments = _extremes(segments)
    return segments, True


def _extremes(segments: Floats) -> Floats:
    """Return segments with full speeds; directions stay."""
    full = np.sign(segments)
    full[:, [0, 4]] = segments[:, [0, 4]]
    return full


def mutated(attack: Attack, generator: np.random.Generator) -> Attack:
    """Return an attack with some values of its segments changed."""
    changed = generator.random(attack.segments.shape) < 0.3
    noise = generator.normal(0.0, 0.5, attack.segments.shape)
    segments = np.clip(attack.segments + np.where(changed, noise, 0.0), -1.0, 1.0)
    fields = attack.fence, attack.start, attack.heading_rad, segments, attack.relative
    return Attack(attack.family, attack.seed, *fields)


def clearance(fence: Fence, position: Vector) -> tuple[float, Vector]:
    """Return the distance to the fence, m, negative outside, and the nearest point of it.

    Edges are nearer than floor and ceiling for the point; the distance is the least of all.
    """
    x, y, z = position
    corners = fence.corners
    near = min(
        (nearest_point(a, b, x, y) for a, b in pairwise((*corners, *corners[:1]))),
        key=lambda point: math.hypot(point[0] - x, point[1] - y),
    )
    assert fence.floor_m is not None
    assert fence.ceiling_m is not None
    least = min(math.hypot(near[0] - x, near[1] - y), abs(z - fence.floor_m))
    least = min(least, abs(fence.ceiling_m - z))
    return (least if fence.contains(position) else -least), (*near, z)


@lru_cache(maxsize=1)
def free_vehicle() -> FreeVehicle:
    """Return the outdoor vehicle."""
    return FreeVehicle(load_vehicle("outdoor"))


def fly_attack(attack: Attack, rules: GuardRules) -> AttackResult:
    """Fly an attack: a command at every second control tick, a poll of the guard at the others."""
    vehicle, guard, state = free_vehicle(), Guard(ENVELOPE, rules), GuardState()
    body = vehicle.start(attack.start, attack.heading_rad)
    ticks = round(FLIGHT_S * PHYSICS_HZ / TICKS)
    least, fastest, wind = math.inf, 0.0, vectors.ZERO
    for tick in range(ticks + 1):
        inside_m, near = clearance(attack.fence, body.position)
        least, fastest = min(least, inside_m), max(fastest, math.hypot(*body.velocity[:2]))
        yaw_rad = heading_of_four(body.quaternion)
        stamp_ns = tick * TICKS * NANOSECONDS // PHYSICS_HZ
        pose = PoseReading(stamp_ns, body.position, yaw_rad, body.velocity)
        inputs = GuardInputs(pose=pose)
        if tick % 2 == 0:
            segment = attack.segments[min(tick, ticks - 1) * len(attack.segments) // ticks]
            command, wind = _held(attack, segment, body.position, near, yaw_rad)
            state = guard.admit(command, stamp_ns, state, inputs=inputs)
        else:
            state = guard.poll(stamp_ns, state, inputs)
        body = vehicle.step(body, state.output, wind, TICKS)
    return AttackResult(least, fastest)


def _held(
    attack: Attack, segment: Floats, position: Vector, near: Vector, yaw_rad: float
) -> tuple[Command, Vector]:
    """Return command and wind of a segment."""
    direction, speed, climb, turn, blows, wind = segment.tolist()
    zero, up = yaw_rad, climb
    if attack.relative:
        zero = math.atan2(near[1] - position[1], near[0] - position[0])
        assert attack.fence.floor_m is not None
        assert attack.fence.ceiling_m is not None
        below = 2.0 * position[2] < attack.fence.floor_m + attack.fence.ceiling_m
        up = -climb if below else climb
    forward, left, most_up, most_turn = ENVELOPE.limits
    angle = zero + math.pi * direction - yaw_rad
    size = speed * math.hypot(forward, left)
    air, wind_mps = zero + math.pi * blows, abs(wind) * WIND_MPS
    command = Command(
        size * math.cos(angle), size * math.sin(angle), up * most_up, turn * most_turn
    )
    return command, (wind_mps * math.cos(air), wind_mps * math.sin(air), 0.0)

"""Barrier filter of the guard: time of a command, and flights that try to leave the fence.

    liquid-control bench barrier --repeats 100

A round of `--repeats` is 100 flights with the filter, of them 20 of each family of
`barrier_flights.FAMILIES`; those of the search are one chain of hill climbing: five drawn flights,
then 15, of which each changes the segments of the worst one before it. The first five rounds are
flown with the other arms too: without a fence, so that the test can fail, and with the rule that
slows down before a fence.
"""

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.barrier_flights import (
    ENVELOPE,
    FAMILIES,
    FLIGHT_S,
    WIND_MPS,
    AttackResult,
    draw_attack,
    fly_attack,
    mutated,
)
from benchmarks.measured import Measured
from liquid_control.command import Fence, GuardRules
from liquid_control.command.barrier import (
    BarrierFilter,
    HalfPlane,
    VehicleMotion,
    nearest_velocity,
)
from liquid_control.seeding import stream
from liquid_control.types import Command

FLIGHTS = 20
"""Flights of a family in a round."""
DRAWN = 5
"""Flights of the search before the first change."""
FIRST_SEED = 10_000
OTHER_ARMS_ROUNDS = 5
COMMANDS = 2_000
ARMS = ("barrier", "slow", "none")
"""With the filter, with `fence_near`, and with the envelope alone."""


@dataclass(frozen=True, slots=True)
class BarrierRound:
    """Flights of one family in one round with one arm.

    Attributes:
        arm: of `ARMS`.
        family: of `FAMILIES`.
        round: number of the round.
        flights: number of flights.
        crossed: how many left the fence.
        clearance_m: least distance inside of the fence, m; negative outside.
        speed_mps: largest horizontal speed, m/s.
    """

    arm: str
    family: str
    round: int
    flights: int
    crossed: int
    clearance_m: float
    speed_mps: float


@dataclass(frozen=True, slots=True)
class FilterTimes:
    """CPU time of a command, us, over problems from a polygon: median and 99th percentile.

    Attributes:
        corners: of the polygon.
        program_us: of the quadratic program alone, (median, 99th percentile).
        filter_us: of the whole filter, bounds included.
        peer_us: of the program by scipy's SLSQP.
        peer_gap_mps: largest distance between both solutions, m/s.
    """

    corners: int
    program_us: tuple[float, float]
    filter_us: tuple[float, float]
    peer_us: tuple[float, float]
    peer_gap_mps: float


def arm_rules(arm: str, fence: Fence) -> GuardRules:
    """Return the rules of an arm: the defaults, with the fence of a flight."""
    if arm == "none":
        return GuardRules()
    corners = [float(value) for corner in fence.corners for value in corner]
    values = {"fence_corners": corners, "fence_floor_m": fence.floor_m}
    values |= {"fence_ceiling_m": fence.ceiling_m, "barrier": arm == "barrier"}
    return GuardRules.model_validate(values)


def fly_round(arm: str, family: str, number: int, first_seed: int = FIRST_SEED) -> BarrierRound:
    """Fly the attacks of a family in a round.

    Args:
        arm: of `ARMS`.
        family: of `FAMILIES`.
        number: of the round.
        first_seed: seed of the first flight of round 0.
    """
    margin_m = GuardRules().fence_margin_m
    seeds = [first_seed + number * FLIGHTS + index for index in range(FLIGHTS)]
    results: list[AttackResult] = []
    if family == "search":
        generator = stream(seeds[0], "barrier.climb")
        best, least = draw_attack(family, seeds[0], margin_m), math.inf
        for seed in seeds:
            drawn = len(results) < DRAWN
            attack = draw_attack(family, seed, margin_m) if drawn else mutated(best, generator)
            results.append(fly_attack(attack, arm_rules(arm, attack.fence)))
            if results[-1].clearance_m < least:
                best, least = attack, results[-1].clearance_m
    else:
        for seed in seeds:
            attack = draw_attack(family, seed, margin_m)
            results.append(fly_attack(attack, arm_rules(arm, attack.fence)))
    return BarrierRound(
        arm,
        family,
        number,
        len(results),
        sum(result.clearance_m < 0.0 for result in results),
        min(result.clearance_m for result in results),
        max(result.speed_mps for result in results),
    )


def time_filter(corners: int, seed: int = FIRST_SEED) -> FilterTimes:
    """Measure the filter in a regular polygon, at random states inside of it."""
    generator = stream(seed, "barrier.times")
    angles = 2.0 * np.pi * np.arange(corners) / corners
    ring = tuple((float(6.0 * np.cos(a)), float(6.0 * np.sin(a))) for a in angles)
    filtering = BarrierFilter(Fence(ring, 0.0, 8.0), ENVELOPE.limits, 1.0, 2.0, 0.3, 1.5)
    problems: list[tuple[Command, VehicleMotion, list[HalfPlane]]] = []
    while len(problems) < COMMANDS:
        numbers = generator.uniform(-1.0, 1.0, 11)
        x, y, z, vx, vy, vz, yaw = numbers[:7].tolist()
        motion = VehicleMotion((3 * x, 3 * y, 4 + 3 * z), (2 * vx, 2 * vy, vz), 3 * yaw)
        wanted = Command(*(numbers[7:] * ENVELOPE.limits).tolist())
        bounds = filtering.bounds(motion, wanted.yaw_rate_radps)
        if bounds is not None and filtering.command(wanted, motion) is not None:
            problems.append((wanted, motion, bounds))
    solved = [nearest_velocity(wanted.values[:2], bounds) for wanted, _, bounds in problems]
    program = _times_us([partial(nearest_velocity, w.values[:2], b) for w, _, b in problems])
    whole = _times_us([partial(filtering.command, w, m) for w, m, _ in problems])
    some = problems[: COMMANDS // 10]
    peers = [by_slsqp(wanted, bounds) for wanted, _, bounds in some]
    peer = _times_us([partial(by_slsqp, w, b) for w, _, b in some])
    pairs = zip(solved, peers, strict=False)
    gap = max(float(np.hypot(a[0] - b[0], a[1] - b[1])) for a, b in pairs if a is not None)
    return FilterTimes(corners, program, whole, peer, gap)


def by_slsqp(wanted: Command, bounds: Sequence[HalfPlane]) -> tuple[float, float]:
    """Solve the program with scipy's SLSQP, from 0."""
    from scipy.optimize import minimize

    target = np.array(wanted.values[:2])
    normals = np.array([bound[:2] for bound in bounds]).reshape(-1, 2)
    least = np.array([bound.least_mps for bound in bounds])
    constraint = {
        "type": "ineq",
        "fun": lambda u: normals @ u - least,
        "jac": lambda u: normals,
    }
    solution = minimize(
        lambda u: ((u - target) @ (u - target), 2.0 * (u - target)),
        np.zeros(2),
        jac=True,
        method="SLSQP",
        constraints=[constraint] if len(bounds) else [],
        options={"ftol": 1e-12},
    )
    return float(solution.x[0]), float(solution.x[1])


def _times_us(calls: Sequence[Callable[[], Any]]) -> tuple[float, float]:
    """Return median and 99th percentile of the CPU time of calls, us."""
    for call in calls[:50]:
        call()
    spent = []
    for call in calls:
        begun = time.thread_time_ns()
        call()
        spent.append((time.thread_time_ns() - begun) / 1e3)
    return float(median(spent)), float(np.percentile(spent, 99))


def measure_barrier(
    repeats: int, measured: Measured | None = None, first_seed: int = FIRST_SEED
) -> tuple[list[Any], dict[str, Any]]:
    """Measure times and fly the rounds; return the rows and the configuration.

    Args:
        repeats: rounds with the filter.
        measured: what has been measured already.
        first_seed: of the flights.
    """
    measured = measured or Measured()
    rows: list[Any] = [
        measured.once(f"times {corners}", FilterTimes, partial(time_filter, corners))
        for corners in (4, 12, 100)
    ]
    for number in range(repeats):
        arms = ARMS if number < OTHER_ARMS_ROUNDS else ARMS[:1]
        for arm, family in itertools.product(arms, FAMILIES):
            fly = partial(fly_round, arm, family, number, first_seed)
            rows.append(measured.once(f"{arm} {family} {number}", BarrierRound, fly))
    config = {"flight_s": FLIGHT_S, "wind_mps": WIND_MPS, "first_seed": first_seed}
    return rows, config | {"rules": GuardRules().model_dump(), "envelope": ENVELOPE.model_dump()}


def barrier_table(rows: Sequence[Any]) -> Table:
    """Return a table of the flights by arm and family, and of the times."""
    table = Table(title="barrier filter", title_justify="left")
    for name in ("", "flights", "left the fence", "least distance inside, m", "top speed, m/s"):
        table.add_column(name, justify="left" if not name else "right")
    rounds = [row for row in rows if isinstance(row, BarrierRound)]
    for arm in ARMS:
        for family in (*FAMILIES, "all"):
            found = [r for r in rounds if r.arm == arm and family in (r.family, "all")]
            if found:
                flights, crossed = sum(r.flights for r in found), sum(r.crossed for r in found)
                least = min(r.clearance_m for r in found)
                fastest = max(r.speed_mps for r in found)
                table.add_row(
                    f"{arm}: {family}",
                    f"{flights}",
                    f"{crossed}",
                    f"{least:.2f}",
                    f"{fastest:.2f}",
                )
    for row in rows:
        if isinstance(row, FilterTimes):
            for name, (middle, most) in (
                ("program", row.program_us),
                ("whole filter", row.filter_us),
                ("program by SLSQP", row.peer_us),
            ):
                label = f"{name}, {row.corners} corners: median and 99 %, us"
                table.add_row(label, f"{middle:.1f}", f"{most:.1f}", "", "")
    return table

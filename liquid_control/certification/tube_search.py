"""Search for rollouts of the reduced model, and windows of flights, that leave a tube.

Rollouts are drawn at random, at extremes of the sets, and by the linearised loop: the worst
constant signs for offset or heading at a frame, with some of them changed at random. A rollout
that leaves the tube is a defect of the prover. A window of a flight that leaves it is a defect
only if it lies within the assumptions: its sets are checked too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.certification.cell import CertifiedCell
from liquid_control.certification.flight_rows import FlightRows
from liquid_control.certification.model_fit import (
    Steps,
    feature_ratios,
    followed,
    steps_of,
    vehicle_ratios,
)
from liquid_control.certification.reach_tube import Tube, loop_derivative
from liquid_control.certification.reduced_model import ReducedModel, step
from liquid_control.certification.shaped_set import ShapedSet
from liquid_control.seeding import stream
from liquid_control.types import Floats

BATCH = 10_000
KINDS = ("uniform", "extreme", "constant", "linear")
"""Kinds of rollouts, in turn."""
_FLIPPED = 0.05
_SLACK = 1e-9
"""Rounding of a rollout in float64."""


@dataclass(frozen=True, slots=True, eq=False)
class Attained:
    """Extremes that rollouts attained.

    Attributes:
        rollouts: number of them.
        outside: number of those that left the tube.
        lower: [K + 1, S]; `upper`: likewise.
        upper: see `lower`.
    """

    rollouts: int
    outside: int
    lower: Floats
    upper: Floats


def search_rollouts(
    model: ReducedModel,
    cell: CertifiedCell,
    start: ShapedSet,
    tube: Tube,
    count: int,
    seed: int,
    on_batch: Callable[[str], None] = lambda _: None,
) -> Attained:
    """Roll out the reduced model from the initial set of a tube and compare with its bounds.

    Args:
        model: dynamics and sets.
        cell: the core.
        start: initial set.
        tube: from it.
        count: number of rollouts, rounded up to whole batches of `BATCH`.
        seed: of the random numbers.
        on_batch: receives the number of rollouts so far.
    """
    rng = stream(seed, "certification.tube")
    frames = len(tube.lower) - 1
    responses = _responses(model, cell, start, frames)
    lower, upper = np.full_like(tube.lower, np.inf), np.full_like(tube.upper, -np.inf)
    outside, batches = 0, -(-count // BATCH)
    for number in range(batches):
        kind = KINDS[number % len(KINDS)]
        first, later = _symbols(kind, rng, responses, frames, (start, model))
        states = start.states(first)
        left = np.zeros(BATCH, bool)
        for frame in range(frames + 1):
            lower[frame] = np.minimum(lower[frame], states.min(axis=0))
            upper[frame] = np.maximum(upper[frame], states.max(axis=0))
            inside = (states >= tube.lower[frame] - _SLACK) & (
                states <= tube.upper[frame] + _SLACK
            )
            left |= ~inside.all(axis=1)
            if frame < frames:
                states = step(model, cell, states, *_draws(model, later[frame], rng))
        outside += int(left.sum())
        on_batch(f"{(number + 1) * BATCH} rollouts")
    return Attained(batches * BATCH, outside, lower, upper)


def _responses(
    model: ReducedModel, cell: CertifiedCell, start: ShapedSet, frames: int
) -> tuple[Floats, Floats]:
    """Return the responses of all states to the initial symbols and the inputs k frames before."""
    matrix, inputs = loop_derivative(model, cell, start.centre, float(np.mean(model.dt_s)))
    power, begun, forced = np.eye(len(matrix)), [], []
    for _ in range(frames + 1):
        begun.append(power @ start.map)
        forced.append(power @ inputs)
        power = matrix @ power
    return np.stack(begun), np.stack(forced)


def _symbols(
    kind: str,
    rng: np.random.Generator,
    responses: tuple[Floats, Floats],
    frames: int,
    sets: tuple[ShapedSet, ReducedModel],
) -> tuple[Floats, list[Floats]]:
    """Return symbols of the initial set [B, M] and of every frame, each [B, 1 + 2 + 3]."""
    begun, forced = responses
    initial, inputs = begun.shape[2], forced.shape[2]
    if kind == "uniform":
        return rng.uniform(-1.0, 1.0, (BATCH, initial)), [
            rng.uniform(-1.0, 1.0, (BATCH, inputs)) for _ in range(frames)
        ]
    first = rng.choice([-1.0, 1.0], (BATCH, initial))
    if kind == "extreme":
        return first, [rng.choice([-1.0, 1.0], (BATCH, inputs)) for _ in range(frames)]
    if kind == "constant":
        return first, [rng.choice([-1.0, 1.0], (BATCH, inputs))] * frames
    goals = rng.integers(0, begun.shape[1], BATCH)
    goals = np.where(rng.random(BATCH) < 0.7, rng.integers(0, 2, BATCH), goals)
    ends, side = rng.integers(1, frames + 1, BATCH), rng.choice([-1.0, 1.0], BATCH)[:, None]
    later = []
    for frame in range(frames):
        ahead = np.maximum(ends - 1 - frame, 0)
        flips = np.where(rng.random((BATCH, inputs)) < _FLIPPED, -1.0, 1.0)
        later.append(_farthest(sets[1], side * forced[ahead, goals]) * flips)
    return sets[0].farthest(side * begun[ends, goals]), later


def _farthest(model: ReducedModel, goals: Floats) -> Floats:
    """Return the symbols of a frame, [B, 1 + 2 + 3], that move goals most."""
    split = 1 + model.disturbance.map.shape[1]
    return np.concatenate(
        [
            np.sign(goals[:, :1]),
            model.disturbance.farthest(goals[:, 1:split]),
            model.perception.farthest(goals[:, split:]),
        ],
        axis=1,
    )


def _draws(
    model: ReducedModel, symbols: Floats, rng: np.random.Generator
) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
    """Return elapsed times, and curvature, disturbances and perception errors."""
    count, split = len(symbols), 1 + model.disturbance.map.shape[1]
    spread = rng.uniform(0.0, 1.0, count)
    dt_s = np.where(rng.random(count) < 0.5, np.round(spread), spread)
    low, high = model.dt_s
    return low + (high - low) * dt_s, (
        symbols[:, 0] * model.curvature,
        model.disturbance.states(symbols[:, 1:split]),
        model.perception.states(symbols[:, split:]),
    )


def flight_windows(
    model: ReducedModel,
    cell: CertifiedCell,
    rows: FlightRows,
    start: ShapedSet,
    tube: Tube,
) -> dict[str, Any]:
    """Compare windows of flights, which begin in the initial set, with a tube.

    A window has as many frames as the tube, or fewer at the end of a flight. The tube holds it by
    proof up to the first step whose elapsed time, curvature, disturbance or perception error is
    not of the model's sets.

    Returns:
        Numbers of `windows`, of those `within_assumptions` to their end, of the `frames_within`
        them before the first step that is not, of windows that `left_within` them and of those
        that `left_outside`; the number of `steps`, and the `largest_share_of_offset` of the tube.
    """
    steps = steps_of(followed(model, cell, rows), model.lags_s)
    within = _assumptions(model, cell, steps)
    states = np.concatenate([steps.before, steps.core_before], axis=1)
    begins = start.coordinates(states) <= 1.0
    middle, half = 0.5 * (tube.lower + tube.upper), 0.5 * (tube.upper - tube.lower)
    names = ("windows", "within_assumptions", "frames_within", "left_within", "left_outside")
    counts, share = dict.fromkeys(names, 0), 0.0
    for k in np.flatnonzero(begins):
        window = states[k : k + len(tube.lower)]
        window = window[steps.flight[k : k + len(window)] == steps.flight[k]]
        frames = len(window) - 1
        if frames < 1:
            continue
        apart = np.abs(window - middle[: frames + 1]) / half[: frames + 1]
        left = np.flatnonzero((apart > 1.0).any(axis=1))
        valid = within[k : k + frames]
        proven = frames if valid.all() else int(valid.argmin())
        counts["windows"] += 1
        counts["within_assumptions"] += proven == frames
        counts["frames_within"] += proven
        if len(left):
            counts["left_within" if left[0] <= proven else "left_outside"] += 1
        share = max(share, float(apart[1:, 0].max()))
    return {**counts, "steps": len(steps), "largest_share_of_offset": share}


def _assumptions(model: ReducedModel, cell: CertifiedCell, steps: Steps) -> NDArray[np.bool_]:
    low, high = model.dt_s
    timed = (steps.dt_s > low - 1e-6) & (steps.dt_s < high + 1e-6)
    vehicle = vehicle_ratios(model, steps).max(axis=1) <= 1.0
    return np.asarray(timed & vehicle & (feature_ratios(model, cell, steps) <= 1.0))

"""Fit of the reduced model on flights, and how much of other flights lies within its sets."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.certification.cell import CertifiedCell
from liquid_control.certification.flight_rows import FlightRows
from liquid_control.certification.reduced_model import (
    DISTURBED,
    MOTORS_USED,
    SIZE,
    ReducedModel,
    advance,
    commands,
    core_step,
    features,
)
from liquid_control.certification.shaped_set import ShapedSet
from liquid_control.errors import CertificateError
from liquid_control.types import Floats

START_S = 3.0
"""Rows before this time of a flight are left out: the vehicle gathers speed."""
MARGIN = 1.05
"""Factor on the largest curvature of the fitted flights."""
SHARE = 0.999
"""Share of the fitted steps within each interval."""
_LAG_GRID_S = (0.03, 0.05, 0.07, 0.09, 0.12, 0.15, 0.18, 0.21, 0.25, 0.3)
LEAST_STEPS = 500
_FLOOR = 1e-3
_RIDGE = 1e-4
SEEN = (0, 1)
"""Columns of x, u and k on which the features depend: offset and heading. What else they show is
left to the perception error: lines of more columns move the core farther than they explain."""


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Consecutive rows of flights as steps of the reduced model; T steps.

    Attributes:
        before: x, [T, 11]; `after`: likewise.
        after: see `before`.
        command: what the vehicle obeyed, forward, left and yaw rate, [T, 3].
        answered: the policy's command at the earlier row, without a push, [T, 3].
        dt_s: [T].
        curvature: at the later row, [T].
        features: of the later row, [T, F].
        core_before: state of the core at the earlier row, [T, N]; `core` at the later one.
        core: see `core_before`.
        flight: [T].
        wind: [T], m/s.
    """

    before: Floats
    after: Floats
    command: Floats
    answered: Floats
    dt_s: Floats
    curvature: Floats
    features: Floats
    core_before: Floats
    core: Floats
    flight: Floats
    wind: Floats

    def __len__(self) -> int:
        return len(self.dt_s)

    def where(self, chosen: NDArray[np.bool_]) -> "Steps":
        """Return some of the steps."""
        names = self.__dataclass_fields__
        return Steps(*(getattr(self, name)[chosen] for name in names))


def steps_of(rows: FlightRows, lags_s: Floats, dt_s: tuple[float, float] | None = None) -> Steps:
    """Return the steps between rows of one flight, after its start, of times within `dt_s`."""
    used = list(MOTORS_USED)
    given = rows.pushed[:, used]
    x = vehicle_states(rows, lags_s)
    same = rows.flight[1:] == rows.flight[:-1]
    late = _later(rows)[:-1]
    found = Steps(
        x[:-1],
        x[1:],
        given[:-1],
        rows.command[:-1, used],
        rows.dt_s[1:],
        rows.curvature[1:],
        rows.features[1:],
        rows.state[:-1],
        rows.state[1:],
        rows.flight[1:],
        rows.wind[1:],
    ).where(same & late)
    if dt_s is None:
        return found
    return found.where((found.dt_s > dt_s[0] - 1e-6) & (found.dt_s < dt_s[1] + 1e-6))


def vehicle_states(rows: FlightRows, lags_s: Floats) -> Floats:
    """Return x at every row: offset and heading measured, the rest from the commands, [T, 11]."""
    x = np.zeros((len(rows.dt_s), SIZE))
    x[:, :2] = rows.vehicle[:, :2]
    x[:, 2:] = lagged_commands(rows, lags_s[:, None])[:, :, 0]
    return x


def lagged_commands(rows: FlightRows, lags_s: Floats) -> Floats:
    """Return w, p and v of the commands at every row, zero at a flight's start, [T, 9, B].

    Args:
        rows: flights.
        lags_s: B sets of lags, [9, B].
    """
    given = rows.pushed[:, list(MOTORS_USED), None]
    shares = 1.0 - np.exp(-rows.dt_s[:, None, None] / lags_s)
    result = np.zeros(shares.shape)
    for k in range(1, len(given)):
        if rows.flight[k] == rows.flight[k - 1]:
            before, share, result[k] = result[k - 1], shares[k], result[k - 1]
            goal = np.broadcast_to(given[k - 1], before[:3].shape)
            for start in (0, 3, 6):
                own = slice(start, start + 3)
                result[k, own] += share[own] * (goal - before[own])
                goal = 0.5 * (before[own] + result[k, own])
    return result


def deviations(model: ReducedModel, steps: Steps) -> Floats:
    """Return the disturbances d that the steps had, in the order of `DISTURBED`, [T, 2]."""
    none = np.zeros((len(steps), len(DISTURBED)))
    found = advance(model, steps.before, steps.command, steps.dt_s, steps.curvature, none)
    rates = (steps.after - found)[:, :2] / steps.dt_s[:, None]
    # The offset is computed from the deviating heading of the later row.
    moved = rates[:, 0] - 0.5 * steps.dt_s * steps.before[:, 8] * rates[:, 1]
    return np.column_stack([rates[:, 1], moved])


def followed(model: ReducedModel, cell: CertifiedCell, rows: FlightRows) -> FlightRows:
    """Return rows whose core received the features of the reduced model from each flight's start.

    Only `state` differs from the rows given.
    """
    x = vehicle_states(rows, model.lags_s)
    given = np.concatenate([np.zeros((1, 3)), rows.pushed[:-1, list(MOTORS_USED)]])
    seen = features(model, x, given, rows.curvature)
    h, numbers = np.zeros((len(seen), cell.neurons)), rows.flight
    for k in range(len(seen)):
        before = h[k - 1] if k and numbers[k] == numbers[k - 1] else np.zeros(cell.neurons)
        h[k] = core_step(cell, seen[k][None], before[None], rows.dt_s[k][None])[0]
    return replace(rows, state=h)


def perception_errors(cell: CertifiedCell, steps: Steps) -> Floats:
    """Return the perception errors e of the steps of `followed` rows, [T, 3]."""
    return steps.answered - commands(cell, steps.core_before)


def fit_reduced_model(
    cell: CertifiedCell,
    pushed: FlightRows,
    plain: FlightRows,
    dt_s: tuple[float, float],
    share: float = SHARE,
) -> ReducedModel:
    """Fit the reduced model on flights; its sets hold a share of their steps.

    Lags are those of a grid with the least squared error of the velocities; the features' line
    is least squares on all flights.

    Args:
        cell: the core.
        pushed: flights that also visit other offsets and headings, for lags and features.
        plain: flights of the policy alone, for the sets.
        dt_s: smallest and largest time between frames, s.
        share: of the steps within each interval of a set; 1 for all.

    Raises:
        CertificateError: there are fewer than `LEAST_STEPS` steps of either.
    """
    both = FlightRows.joined([pushed, plain])
    for rows in (pushed, plain):
        if (count := len(steps_of(rows, np.ones(9), dt_s))) < LEAST_STEPS:
            raise CertificateError(
                f"expected {LEAST_STEPS} or more steps of {dt_s[0]:g} to {dt_s[1]:g} s to fit, "
                f"got {count}"
            )
    lags = _fit_lags(pushed)
    steps = steps_of(both, lags, dt_s)
    gain, offset = _line(steps, steps.features)
    unknown = ShapedSet(np.zeros(2), np.eye(2), 2), ShapedSet(np.zeros(3), np.eye(3), 3)
    model = ReducedModel(dt_s, lags, unknown[0], 0.0, offset, gain, unknown[1])
    alone = steps_of(followed(model, cell, plain), lags, dt_s)
    curvature = float(np.abs(alone.curvature).max()) * MARGIN
    return replace(
        model,
        curvature=curvature,
        disturbance=ShapedSet.box(deviations(model, alone), share),
        perception=ShapedSet.box(perception_errors(cell, alone), share),
    )


def _line(steps: Steps, goal: Floats) -> tuple[Floats, Floats]:
    """Return gain [K, 15] and offset [K] of the line of the columns `SEEN` nearest to rows."""
    known = np.column_stack([steps.after, steps.command, steps.curvature])
    centre = known.mean(axis=0)
    design = np.column_stack([known - centre, np.ones(len(known))])
    normal = design.T @ design + _RIDGE * len(known) * np.diag([1.0] * known.shape[1] + [0.0])
    found = np.zeros((goal.shape[1], len(normal)))
    seen = [*SEEN, len(normal) - 1]
    found[:, seen] = np.linalg.solve(normal[np.ix_(seen, seen)], (design.T @ goal)[seen]).T
    gain = found[:, :-1]
    return gain, found[:, -1] - gain @ centre


def _fit_lags(rows: FlightRows) -> Floats:
    """Return the lags, two equal filters and the velocity's own, [9]."""
    pairs = np.array([(filters, own) for filters in _LAG_GRID_S for own in _LAG_GRID_S])
    lags = np.repeat(pairs[:, [0, 0, 1]].T, 3, axis=0)
    v = lagged_commands(rows, lags)[:, 6:9]
    cost = ((v - rows.vehicle[:, 2:5, None]) ** 2)[_later(rows)].mean(axis=0)
    best = cost.argmin(axis=1)
    return np.concatenate([pairs[best, 0], pairs[best, 0], pairs[best, 1]])


def _later(rows: FlightRows) -> NDArray[np.bool_]:
    """Return which rows are `START_S` or more after the first of their flight, [T]."""
    clock = np.cumsum(rows.dt_s)
    begin = np.array([clock[rows.flight == k][0] for k in range(int(rows.flight.max()) + 1)])
    return np.asarray(clock - begin[rows.flight.astype(int)] >= START_S)


def feature_ratios(model: ReducedModel, cell: CertifiedCell, steps: Steps) -> Floats:
    """Return the perception error of each step of `followed` rows, 1 at the set's border, [T]."""
    return model.perception.coordinates(perception_errors(cell, steps))


def vehicle_ratios(model: ReducedModel, steps: Steps) -> Floats:
    """Return disturbance and curvature of each step, 1 at the border of their sets, [T, 2]."""
    d = model.disturbance.coordinates(deviations(model, steps))
    return np.column_stack([d, np.abs(steps.curvature) / model.curvature])


def coverage(model: ReducedModel, cell: CertifiedCell, rows: FlightRows) -> dict[str, Any]:
    """Return how many steps of flights lie within the sets of a model, and the largest ratios."""
    steps = steps_of(followed(model, cell, rows), model.lags_s)
    low, high = model.dt_s
    timed = (steps.dt_s > low - 1e-6) & (steps.dt_s < high + 1e-6)
    steps = steps.where(timed)
    vehicle, seen = vehicle_ratios(model, steps), feature_ratios(model, cell, steps)
    return {
        "flights": len(np.unique(rows.flight)),
        "steps": len(steps),
        "of_elapsed_time": float(timed.mean()),
        "vehicle_within": float((vehicle.max(axis=1) <= 1.0).mean()),
        "features_within": float((seen <= 1.0).mean()),
        "largest": dict(zip(("vehicle", "curvature"), vehicle.max(axis=0).tolist(), strict=True)),
        "features": {f"{q:g}": float(np.quantile(seen, q)) for q in (0.1, 0.5, 0.9, 0.99, 1.0)},
    }


def initial_set(
    model: ReducedModel, rows: FlightRows, half: tuple[float, float], share: float = 0.5
) -> ShapedSet:
    """Return an initial set around the flights' states near the middle of the trail.

    Offset and heading are intervals. All else is a line of both plus a ball in the shape of the
    covariance, which holds a share of the states whose offset and heading are within.

    Args:
        model: the constants.
        rows: `followed` flights.
        half: half widths of offset and heading, m and rad.
        share: of the states.
    """
    steps = steps_of(rows, model.lags_s)
    states = np.concatenate([steps.before, steps.core_before], axis=1)
    centre = states.mean(axis=0)
    apart = states - centre
    line = np.linalg.lstsq(apart[:, :2], apart[:, 2:], rcond=None)[0].T
    rest = apart[:, 2:] - apart[:, :2] @ line.T
    values, vectors = np.linalg.eigh(rest.T @ rest / len(rest))
    root = vectors * np.sqrt(np.maximum(values, _FLOOR**2))
    near = (np.abs(apart[:, :2]) <= half).all(axis=1)
    norms = np.linalg.norm(np.linalg.solve(root, rest[near].T), axis=0)
    map_ = np.zeros((len(centre), len(centre)))
    map_[:2, :2] = np.diag(half)
    map_[2:, :2] = line * half
    map_[2:, 2:] = root * np.quantile(norms, share)
    return ShapedSet(centre, map_, 2)

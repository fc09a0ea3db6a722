"""Fit of the reduced model on flights, and how much of other flights lies within its sets."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.certification.cell import CertifiedCell
from liquid_control.certification.flight_rows import FlightRows
from liquid_control.certification.reach_tube import InitialSet
from liquid_control.certification.reduced_model import (
    DISTURBED,
    LAGS,
    MOTORS_USED,
    SIZE,
    ReducedModel,
    advance,
    features,
    first_layer_moves,
)
from liquid_control.errors import CertificateError
from liquid_control.types import Floats

START_S = 3.0
"""Rows before this time of a flight are left out: the vehicle gathers speed."""
MARGIN = 1.05
"""Factor on the largest curvature of the fitted flights."""
SHARE = 0.999
"""Share of the fitted steps within each bound."""
_LAG_GRID_S = (0.03, 0.05, 0.07, 0.09, 0.12, 0.15, 0.18, 0.21, 0.25, 0.3)
LEAST_STEPS = 500
_FLOOR = 1e-3
_RIDGE = 1e-4
SEEN = (0, 1, 8, 9, 10)
"""States of the vehicle on which features depend; the filters only repeat the commands."""


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Consecutive rows of flights as steps of the reduced model; T steps.

    Attributes:
        before: x, [T, 11]; `after`: likewise.
        after: see `before`.
        command: what the vehicle obeyed, forward, left and yaw rate, [T, 3].
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
    x = np.zeros((len(rows.dt_s), SIZE))
    x[:, [0, 1, 8, 9, 10]] = rows.vehicle
    x[:, 2:8] = _filtered(rows, given, lags_s[:6])
    same = rows.flight[1:] == rows.flight[:-1]
    clock = np.cumsum(rows.dt_s)
    begin = np.array([clock[rows.flight == k][0] for k in range(int(rows.flight.max()) + 1)])
    late = (clock - begin[rows.flight.astype(int)])[:-1] >= START_S
    found = Steps(
        x[:-1],
        x[1:],
        given[:-1],
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


def _filtered(rows: FlightRows, given: Floats, lags_s: Floats) -> Floats:
    """Return the commands after both filters at every row, [T, 6]; zero at a flight's start."""
    shares = 1.0 - np.exp(-rows.dt_s[:, None] / lags_s)
    result = np.zeros((len(given), 6))
    for k in range(1, len(given)):
        if rows.flight[k] == rows.flight[k - 1]:
            w, p = result[k - 1, :3], result[k - 1, 3:]
            w1 = w + shares[k, :3] * (given[k - 1] - w)
            result[k, :3] = w1
            result[k, 3:] = p + shares[k, 3:] * (0.5 * (w + w1) - p)
    return result


def deviations(model: ReducedModel, steps: Steps) -> Floats:
    """Return the disturbances d that the steps had, in the order of `DISTURBED`, [T, 5]."""
    none = np.zeros((len(steps), len(DISTURBED)))
    found = advance(model, steps.before, steps.command, steps.dt_s, steps.curvature, none)
    rates = (steps.after - found) / steps.dt_s[:, None]
    half = 0.5 * steps.dt_s
    d = np.zeros((len(steps), len(DISTURBED)))
    # Heading and offset are computed from the deviating velocities and heading of the later row.
    d[:, :3] = rates[:, 8:11]
    d[:, 3] = rates[:, 1] - half * rates[:, 10]
    d[:, 4] = rates[:, 0] - half * (steps.before[:, 8] * rates[:, 1] + rates[:, 9])
    return d


def perception_errors(model: ReducedModel, steps: Steps) -> Floats:
    """Return the perception errors e of the steps, [T, F]."""
    known = features(model, steps.after, steps.command, steps.curvature)
    return np.asarray(steps.features - known)


def fit_reduced_model(
    cell: CertifiedCell,
    pushed: FlightRows,
    plain: FlightRows,
    dt_s: tuple[float, float],
    share: float = SHARE,
) -> ReducedModel:
    """Fit the reduced model on flights; each bound of its sets holds a share of their steps.

    Lags are those of a grid with the least squared deviation, the features' line is least squares.

    Args:
        cell: the core.
        pushed: flights that also visit other offsets and headings, for lags and features.
        plain: flights of the policy alone, for the bounds.
        dt_s: smallest and largest time between frames, s.
        share: of the steps within each bound; 1 for all.

    Raises:
        CertificateError: there are fewer than `LEAST_STEPS` steps of either.
    """
    both = FlightRows.joined([pushed, plain])
    for rows in (pushed, plain):
        if (count := len(steps_of(rows, np.ones(6), dt_s))) < LEAST_STEPS:
            raise CertificateError(
                f"expected {LEAST_STEPS} or more steps of {dt_s[0]:g} to {dt_s[1]:g} s to fit, "
                f"got {count}"
            )
    lags = _fit_lags(pushed, dt_s)
    steps = steps_of(both, lags, dt_s)
    known = np.column_stack([steps.after, steps.command, steps.curvature])
    centre = known.mean(axis=0)
    design = np.column_stack([known - centre, np.ones(len(known))])
    normal = design.T @ design + _RIDGE * len(known) * np.diag([1.0] * known.shape[1] + [0.0])
    found = np.zeros((steps.features.shape[1], len(normal)))
    seen = [*SEEN, *range(SIZE, len(normal))]
    found[:, seen] = np.linalg.solve(
        normal[np.ix_(seen, seen)], (design.T @ steps.features)[seen]
    ).T
    gain, offset = found[:, :-1], found[:, -1] - found[:, :-1] @ centre
    none = np.ones(len(DISTURBED)), 0.0, offset, gain, np.ones((3, cell.layers[0].size))
    model = ReducedModel(dt_s, lags, *none)
    alone = steps_of(plain, lags, dt_s)
    moves = first_layer_moves(cell, dt_s, perception_errors(model, alone))
    return replace(
        model,
        disturbance=np.quantile(np.abs(deviations(model, alone)), share, axis=0),
        curvature=float(np.abs(alone.curvature).max()) * MARGIN,
        moved=np.quantile(moves, share, axis=0),
    )


def _fit_lags(rows: FlightRows, dt_s: tuple[float, float]) -> Floats:
    """Return the lags, two equal filters and the velocity's own, [9]."""
    best, least = np.zeros(len(LAGS)), np.full(3, np.inf)
    for filters in _LAG_GRID_S:
        steps = steps_of(rows, np.full(6, filters), dt_s)
        p = 0.5 * (steps.before[:, 5:8] + steps.after[:, 5:8])
        v, v1 = steps.before[:, 8:11], steps.after[:, 8:11]
        for own in _LAG_GRID_S:
            share = 1.0 - np.exp(-steps.dt_s[:, None] / own)
            cost = ((v1 - v - share * (p - v)) ** 2).mean(axis=0)
            better = cost < least
            least = np.where(better, cost, least)
            for start, lag in ((0, filters), (3, filters), (6, own)):
                best[start : start + 3] = np.where(better, lag, best[start : start + 3])
    return best


def feature_ratios(model: ReducedModel, cell: CertifiedCell, steps: Steps) -> Floats:
    """Return the perception error of each step, 1 at the border of its set, [T]."""
    moves = first_layer_moves(cell, model.dt_s, perception_errors(model, steps))
    return np.asarray((moves / model.moved).max(axis=(1, 2)))


def vehicle_ratios(model: ReducedModel, steps: Steps) -> Floats:
    """Return disturbances and curvature of each step over their bounds, [T, 6]."""
    d = np.abs(deviations(model, steps)) / model.disturbance
    return np.column_stack([d, np.abs(steps.curvature) / model.curvature])


def coverage(model: ReducedModel, cell: CertifiedCell, rows: FlightRows) -> dict[str, Any]:
    """Return how many steps of flights lie within the sets of a model, and the largest ratios."""
    steps = steps_of(rows, model.lags_s)
    low, high = model.dt_s
    timed = (steps.dt_s > low - 1e-6) & (steps.dt_s < high + 1e-6)
    steps = steps.where(timed)
    vehicle, seen = vehicle_ratios(model, steps), feature_ratios(model, cell, steps)
    names = (*DISTURBED, "curvature")
    return {
        "flights": len(np.unique(rows.flight)),
        "steps": len(steps),
        "of_elapsed_time": float(timed.mean()),
        "vehicle_within": float((vehicle.max(axis=1) <= 1.0).mean()),
        "features_within": float((seen <= 1.0).mean()),
        "largest": dict(zip(names, vehicle.max(axis=0).tolist(), strict=True)),
        "features": {f"{q:g}": float(np.quantile(seen, q)) for q in (0.1, 0.5, 0.9, 0.99, 1.0)},
    }


def initial_set(
    model: ReducedModel, rows: FlightRows, half: tuple[float, float], share: float = 0.5
) -> InitialSet:
    """Return an initial set around the flights' states near the middle of the trail.

    Offset and heading are intervals. All else is a line of both plus a ball in the shape of the
    covariance, which holds a share of the states whose offset and heading are within.

    Args:
        model: the constants.
        rows: flights.
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
    return InitialSet(centre, map_, 2)

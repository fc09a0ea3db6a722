"""Contraction of a wired CfC: how fast two different pasts lead to the same commands, or never.

Let B bound the derivatives of the new state by the state before, element by element. With positive
weights d and B d <= rho d, the norm max |e_i| / d_i of the difference of two states shrinks by rho
at every step, whatever the features are (mean value inequality, Rudin 1976, theorem 9.19). The
smallest such rho is the spectral radius of B (Horn, Johnson 2013, Matrix Analysis, theorem 8.1.26
and corollary 8.1.31). The derivative of a layered cell is block triangular, so each layer has a
rate of its own, and the cell contracts if every layer does.

Two disjoint boxes of states that one and the same input maps into themselves prove the contrary:
from different pasts the commands then differ for ever, and no norm has a rate below one.
"""

from dataclasses import dataclass

import numpy as np

from liquid_control.certification.cell import CertifiedCell, Region, joined
from liquid_control.certification.intervals import Interval
from liquid_control.certification.search import Rollout
from liquid_control.certification.sensitivity import Sensitivity, sensitivity
from liquid_control.dependencies import require
from liquid_control.errors import CertificateError
from liquid_control.seeding import stream
from liquid_control.types import Floats

_POWER_STEPS = 2000
_RATES = 12
_SETTLED_STEPS = 400
_HISTORIES = 4
_RADII = (3e-2, 1e-2, 3e-3, 1e-3, 3e-4)


@dataclass(frozen=True, slots=True, eq=False)
class Contraction:
    """A rate and the weights of its norm.

    Attributes:
        rate: factor of each step.
        weights: of the neurons, positive.
    """

    rate: float
    weights: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Trap:
    """Two boxes of states that one input maps into themselves.

    Attributes:
        features: the input, [F].
        dt_s: its elapsed time, s.
        boxes: the two boxes, each [N].
    """

    features: Floats
    dt_s: float
    boxes: tuple[Interval, Interval]


def contraction(bounds: Floats) -> Contraction:
    """Return the smallest rate of a matrix of bounds and the weights of its norm.

    The weights are a Perron vector by power iteration of B + I, with a margin that keeps them
    positive; the rate is that of these weights, so it holds however far the iteration went.
    """
    size = len(bounds)
    shifted = bounds + np.eye(size) + 1e-9
    weights = np.ones(size)
    for _ in range(_POWER_STEPS):
        weights = shifted @ weights
        weights /= weights.max()
    return Contraction(_rate(bounds, weights), weights)


def _rate(bounds: Floats, weights: Floats) -> float:
    return float(((bounds @ weights) / weights).max() * (1.0 + 1e-12))


def memory_weights(
    bounds: Floats, widths: Floats, scales: Floats, rate: float, steps: float
) -> Contraction | None:
    """Return the weights with the least difference of commands, or None where the rate is >= 1.

    For a given rate the least overshoot is a linear program, solved by HiGHS: minimise the largest
    scale times weight of a motor neuron, subject to B d <= rho d and d >= widths. Rates between
    the given one and 1 are tried.

    Args:
        bounds: of the derivatives, [N, N].
        widths: largest difference of two states, [N].
        scales: of the commands, [4].
        rate: the smallest rate.
        steps: number of steps after which the difference counts.

    Raises:
        DependencyError: SciPy is not installed.
        CertificateError: the solver does not converge.
    """
    if rate >= 1.0:
        return None
    best, least = None, np.inf
    for part in np.linspace(0.02, 0.9, _RATES):
        tried = rate + part * (1.0 - rate)
        weights = _program(bounds, widths, scales, tried)
        found = Contraction(_rate(bounds, weights), weights)
        reach = (scales * weights[-len(scales) :]).max() * found.rate**steps
        if found.rate < 1.0 and reach < least:
            best, least = found, reach
    return best


def _program(bounds: Floats, widths: Floats, scales: Floats, rate: float) -> Floats:
    solver = require("scipy.optimize", "certify", "find the weights of a contraction")
    size, motors = len(bounds), len(scales)
    shrink = np.hstack([bounds - rate * np.eye(size), np.zeros((size, 1))])
    reach = np.zeros((motors, size + 1))
    reach[:, size - motors : size] = np.diag(scales)
    reach[:, -1] = -1.0
    cost = np.append(np.zeros(size), 1.0)
    result = solver.linprog(
        cost,
        A_ub=np.vstack([shrink, reach]),
        b_ub=np.zeros(size + motors),
        bounds=[*((width, None) for width in widths), (0.0, None)],
        method="highs",
    )
    if result.status != 0:
        raise CertificateError(
            f"the solver found no weights of a norm with rate {rate:.4f}: {result.message}"
        )
    return np.asarray(result.x[:size], np.float64)


def region_of(cell: CertifiedCell, state: Interval, longest_s: float) -> Region:
    """Return all features and a box of states, with elapsed times up to `longest_s`."""
    return Region(cell.features, state, (cell.dt_s[0], longest_s))


def layer_contractions(cell: CertifiedCell, states: Floats) -> list[Contraction]:
    """Return the contraction of each layer by itself, from bounds of `Sensitivity.states`."""
    return [contraction(states[layer.own, layer.own]) for layer in cell.layers]


def find_trap(cell: CertifiedCell, dt_s: float, seed: int, trials: int = 256) -> Trap | None:
    """Search an input that keeps two pasts apart for ever, and enclose both.

    Pasts are those of random features from rest, then the input is constant. The pair with the
    largest difference of a command is enclosed. None if there is none.

    Args:
        cell: the cell.
        dt_s: elapsed time of every step, s.
        seed: of the random numbers.
        trials: number of inputs.
    """
    rng = stream(seed, "certification.trap")
    rollout, count = Rollout(cell), len(cell.limits)
    inputs = rng.uniform(-1.0, 1.0, (trials, count)) * cell.limits
    inputs *= rng.uniform(0.0, 1.0, (trials, 1))
    inputs = inputs.astype(np.float32).astype(np.float64)  # as the flight step receives them
    ticks = np.full(trials, dt_s / cell.time_unit_s)
    ends = []
    for _ in range(_HISTORIES):
        state = np.zeros((trials, cell.neurons))
        past = rng.choice([-1.0, 1.0], (trials, count)) * cell.limits
        for step in range(8 + _SETTLED_STEPS):
            state = rollout.step(past if step < 8 else inputs, state, ticks)
        ends.append(state)
    settled = np.array(ends)
    motors = settled[:, :, cell.layers[-1].own] * cell.scales
    order = np.argsort(-(motors.max(axis=0) - motors.min(axis=0)).max(axis=1), kind="stable")
    for trial in order[:16]:
        one, other = _farthest(motors[:, trial])
        boxes = [_trapping_box(cell, inputs[trial], settled[k, trial], dt_s) for k in (one, other)]
        if boxes[0] is not None and boxes[1] is not None and _apart(boxes[0], boxes[1]):
            return Trap(inputs[trial], dt_s, (boxes[0], boxes[1]))
    return None


def _farthest(motors: Floats) -> tuple[int, int]:
    distances = np.abs(motors[:, None] - motors[None]).max(axis=2)
    one, other = np.unravel_index(int(distances.argmax()), distances.shape)
    return int(one), int(other)


def _apart(one: Interval, other: Interval) -> bool:
    return bool(np.any((one.upper < other.lower) | (other.upper < one.lower)))


def _trapping_box(
    cell: CertifiedCell, features: Floats, state: Floats, dt_s: float
) -> Interval | None:
    """Return a box around a fixed point that the step maps into itself; None if none is found.

    The image of a box lies within the image of its centre, plus the derivatives times its radius,
    plus the roundings of float32.
    """
    point = Region(Interval(features, features), Interval(state, state), (dt_s, dt_s))
    slopes = sensitivity(cell, point).states
    if np.abs(np.linalg.eigvals(slopes)).max() >= 0.999:
        return None
    image = exact_image(cell, point)
    shape = np.linalg.solve(np.eye(len(slopes)) - slopes, np.ones(len(slopes)))
    for radius in _RADII:
        spread = radius * shape / shape.max()
        box = Interval(state - spread, state + spread)
        region = Region(point.features, box, (dt_s, dt_s))
        found = sensitivity(cell, region)
        moved = np.maximum(image.upper - state, state - image.lower)
        reach = moved + found.states @ spread + step_rounding(cell, region, found)
        if np.all(reach < spread * (1.0 - 1e-9)):
            return box
    return None


def exact_image(cell: CertifiedCell, point: Region) -> Interval:
    """Return bounds of the new state for one point, in exact arithmetic, [N]."""
    before, parts = point.features, []
    for layer in cell.layers:
        inputs = joined(before, point.state, layer)
        batch = Interval(inputs.lower[None], inputs.upper[None])
        state = layer.range(batch, cell.ticks(point.dt_s)).state
        before = Interval(state.lower[0], state.upper[0])
        parts.append(before)
    lower, upper = (np.concatenate(ends) for ends in zip(*parts, strict=True))
    return Interval(lower, upper)


def step_rounding(cell: CertifiedCell, region: Region, found: Sensitivity) -> Floats:
    """Return the largest difference of a step in float32 from the exact one, [N]."""
    before, error, parts = region.features, np.zeros(len(cell.limits)), []
    ranges = cell.ranges(region)
    for layer, bounds, layer_range in zip(cell.layers, found.entries, ranges, strict=True):
        inputs = joined(before, region.state, layer)
        own = layer.rounding(inputs, region.dt_s[1] / cell.time_unit_s)
        error = own + bounds[:, : -layer.size] @ error
        parts.append(error)
        before = cell.rounded(layer, inputs, layer_range, region.dt_s[1])
    return np.concatenate(parts)

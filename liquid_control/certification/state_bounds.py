"""Bounds of the states that a wired CfC can reach from rest, for all features and elapsed times.

A box S of states is invariant if it contains the state at rest and every step from S, for all
features and elapsed times, ends in S; by induction all reachable states then lie in S. The box of
intervals alone is loose, because the heads and the gate of a neuron read the same inputs. Branch
and bound over a neuron's own inputs and the elapsed time tightens it: each box is bounded by
intervals and by the mean value form, a linear bound, and a coordinate in which the neuron is
monotonic is replaced by one of its ends (Moore, Kearfott, Cloud 2009, chapters 6 and 10).
"""

from dataclasses import dataclass

import numpy as np

from liquid_control.certification.cell import CellLayer, CertifiedCell, Region, joined
from liquid_control.certification.intervals import Interval, add, multiply
from liquid_control.types import Floats

_CONTRACTIONS = 40
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Effort:
    """Effort of branch and bound.

    Attributes:
        boxes: largest number of boxes for one bound of one neuron.
        tolerance: gap between the bound and the largest value found at which it ends.
    """

    boxes: int = 6144
    tolerance: float = 0.005


def interval_box(cell: CertifiedCell) -> Interval:
    """Return an invariant box of states by interval arithmetic alone, [N].

    It starts from (-1, 1) with a margin for float32 and applies the step until nothing changes:
    the image of an invariant box is invariant.
    """
    ends = np.full(cell.neurons, 1.01)
    state = Interval(-ends, ends)
    for _ in range(_CONTRACTIONS):
        image = image_of(cell, state)
        if np.allclose(image.lower, state.lower, 0, 1e-9) and np.allclose(
            image.upper, state.upper, 0, 1e-9
        ):
            break
        state = image
    return state


def image_of(cell: CertifiedCell, state: Interval) -> Interval:
    """Return a box of the states after one step from a box, joined with the state at rest."""
    lower, upper = image_of_region(cell, Region(cell.features, state, cell.dt_s))
    return Interval(np.minimum(lower, 0.0), np.maximum(upper, 0.0))


def image_of_region(cell: CertifiedCell, region: Region) -> Interval:
    """Return a box of the states after one step from a region, in float32, [N]."""
    found, before, parts = cell.ranges(region), region.features, []
    for layer, layer_range in zip(cell.layers, found, strict=True):
        inputs = joined(before, region.state, layer)
        before = cell.rounded(layer, inputs, layer_range, region.dt_s[1])
        parts.append(before)
    lower, upper = (np.concatenate(ends) for ends in zip(*parts, strict=True))
    return Interval(lower, upper)


def invariant_box(cell: CertifiedCell, effort: Effort | None = None) -> Interval:
    """Return an invariant box of states, [N], tightened by branch and bound.

    The first layer reads the features, and its states fill nearly all of (-1, 1): its bounds are
    those of intervals.
    """
    effort = effort or Effort()
    box = interval_box(cell)
    for index in (*range(1, len(cell.layers)), len(cell.layers) - 1):
        box = _tightened(cell, index, box, effort)
    return box


def _tightened(cell: CertifiedCell, index: int, box: Interval, effort: Effort) -> Interval:
    """Return the box with the bounds of one layer replaced by those of its steps from the box."""
    layer, source = cell.layers[index], cell.layers[index - 1]
    before = Interval(box.lower[source.own], box.upper[source.own])
    inputs = joined(before, box, layer)
    ticks = cell.ticks(cell.dt_s)
    error = layer.rounding(inputs, cell.dt_s[1] / cell.time_unit_s)
    lower, upper = box.lower.copy(), box.upper.copy()
    for neuron in range(layer.size):
        place = layer.own.start + neuron
        largest, least = (
            sign * largest_state(layer.neuron(neuron), inputs, ticks, sign, effort)
            for sign in (1.0, -1.0)
        )
        lower[place] = max(lower[place], min(least - error[neuron], 0.0))
        upper[place] = min(upper[place], max(largest + error[neuron], 0.0))
    return Interval(lower, upper)


def largest_state(
    neuron: CellLayer, inputs: Interval, ticks: Interval, sign: float, effort: Effort
) -> float:
    """Return an upper bound of `sign` times a neuron's new state over a box, by branch and bound.

    Args:
        neuron: a layer of one neuron.
        inputs: box of its inputs, [K + H].
        ticks: elapsed time units, [1, 1].
        sign: 1 for the largest, -1 for the smallest state.
        effort: when to end.
    """
    used = np.flatnonzero(np.any(neuron.weight != 0.0, axis=(0, 1)))
    neuron = CellLayer(neuron.weight[:, :, used], neuron.bias, neuron.own)
    lower = np.append(inputs.lower[used], ticks.lower[0])[None]
    upper = np.append(inputs.upper[used], ticks.upper[0])[None]
    boxes, bounds, steps, found = _evaluate(neuron, Interval(lower, upper), sign)
    number = 1
    while True:
        open_ = bounds > found + effort.tolerance
        boxes = Interval(boxes.lower[open_], boxes.upper[open_])
        bounds, steps = bounds[open_], steps[open_]
        if not len(bounds):
            return found + effort.tolerance
        if number >= effort.boxes:
            return float(bounds.max())
        worst = np.argsort(-bounds, kind="stable")[:_BATCH]
        rest = np.setdiff1d(np.arange(len(bounds)), worst)
        halves = _halved(Interval(boxes.lower[worst], boxes.upper[worst]), steps[worst])
        number += len(halves.lower)
        parts, new_bounds, new_steps, value = _evaluate(neuron, halves, sign)
        found = max(found, value)
        boxes = Interval(
            np.concatenate([boxes.lower[rest], parts.lower]),
            np.concatenate([boxes.upper[rest], parts.upper]),
        )
        bounds = np.concatenate([bounds[rest], new_bounds])
        steps = np.concatenate([steps[rest], new_steps])


def _halved(boxes: Interval, steps: Floats) -> Interval:
    """Return both parts of each box, split in the coordinate that changes the state most.

    Elapsed time, the last coordinate, is split at the geometric mean: gates change most near zero.
    """
    rows, along = np.arange(len(steps)), np.argmax(steps, axis=1)
    lower, upper = boxes.lower[rows, along], boxes.upper[rows, along]
    timed = along == steps.shape[1] - 1
    middle = np.where(timed, np.sqrt(np.abs(lower * upper)), 0.5 * (lower + upper))
    left, right = boxes.upper.copy(), boxes.lower.copy()
    left[rows, along] = right[rows, along] = middle
    return Interval(np.concatenate([boxes.lower, right]), np.concatenate([left, boxes.upper]))


def _evaluate(
    neuron: CellLayer, boxes: Interval, sign: float
) -> tuple[Interval, Floats, Floats, float]:
    """Bound `sign` times the state over boxes whose last column is the elapsed time.

    Returns:
        The boxes without the coordinates in which the state is monotonic, the bounds [B], the
        largest change of the state along each coordinate [B, K + 1], and the largest value at a
        point of the boxes.
    """
    for _ in range(2):
        state, slopes = _range_and_slopes(neuron, boxes, sign)
        rises, falls = slopes.lower >= 0.0, slopes.upper <= 0.0
        boxes = Interval(
            np.where(rises, boxes.upper, boxes.lower),
            np.where(falls & ~rises, boxes.lower, boxes.upper),
        )
    state, slopes = _range_and_slopes(neuron, boxes, sign)
    centre = 0.5 * (boxes.lower + boxes.upper)
    radius = np.maximum(boxes.upper - centre, centre - boxes.lower)
    steps = slopes.magnitude * radius
    at_centre, _ = _range_and_slopes(neuron, Interval(centre, centre), sign)
    linear = at_centre.upper[:, 0] + steps.sum(axis=1) * (1.0 + 2.0**-40) + 2.0**-44
    return boxes, np.minimum(state.upper[:, 0], linear), steps, float(at_centre.lower.max())


def _range_and_slopes(
    neuron: CellLayer, boxes: Interval, sign: float
) -> tuple[Interval, Interval]:
    """Return the ranges of the signed state [B, 1] and of its derivatives [B, K + 1]."""
    inputs = Interval(boxes.lower[:, :-1], boxes.upper[:, :-1])
    ticks = Interval(boxes.lower[:, -1:], boxes.upper[:, -1:])
    found = neuron.range(inputs, ticks)
    by_inputs, by_ticks = neuron.jacobian(found, ticks)
    ends = zip(by_inputs, by_ticks, strict=True)
    slopes = Interval(*(np.concatenate(pair, axis=1) for pair in ends))
    return _signed(found.state, sign), _signed(slopes, sign)


def _signed(values: Interval, sign: float) -> Interval:
    return values if sign > 0.0 else Interval(-values.upper, -values.lower)


def commands_of(cell: CertifiedCell, state: Interval) -> Interval:
    """Return the box of the four commands for a box of states, as float32 computes them, [4]."""
    own = cell.layers[-1].own
    motors = Interval(state.lower[own], state.upper[own])
    scale, offset = Interval(cell.scales, cell.scales), Interval(cell.offsets, cell.offsets)
    exact = add(multiply(scale, motors), offset)
    error = 2.0**-22 * (np.abs(cell.offsets) + 2.0 * cell.scales)
    return Interval(exact.lower - error, exact.upper + error)

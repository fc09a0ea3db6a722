"""Effective time constants of a wired CfC, and weights whose gates do not depend on the input.

A time gate is s = sigma(time_a * dt / time_unit + time_b), where time_a and time_b are linear in
the input and the neuron's own state. Its argument changes by |time_a| / time_unit each second, so
this is the rate of a neuron, and the inverse is its effective time constant: the f and 1 / f of
Hasani et al. 2022 (doi 10.1038/s42256-022-00556-7, equation 10). It depends on the input, which is
what "liquid" means.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.weights import MAPS, CfCWeights, LayerWeights, Mode
from liquid_control.types import Floats

Array = NDArray[np.floating]

TIME_A, TIME_B = MAPS.index("time_a"), MAPS.index("time_b")


def gate_slopes(weights: CfCWeights, x: Array, before: Array, after: Array) -> Floats:
    """Return time_a / time_unit of every neuron for one step, float64 [N], 1/s.

    Args:
        weights: in a mode with time gates.
        x: features of the step, [I].
        before: state before the step, [N].
        after: state after it, [N].

    Raises:
        CellError: the mode is `pure`, which has no time gates, or a shape does not fit.
    """
    _check_gated(weights)
    wiring = weights.wiring
    if (x.shape, before.shape, after.shape) != ((wiring.inputs,), *[(wiring.neurons,)] * 2):
        raise CellError(
            f"expected features [{wiring.inputs}] and two states [{wiring.neurons}], got "
            f"{list(x.shape)}, {list(before.shape)} and {list(after.shape)}"
        )
    slopes, inputs = [], x
    for own, layer in zip(wiring.slices, weights.layers, strict=True):
        joined = np.concatenate([inputs, before[own]]).astype(np.float64)
        slopes.append(layer.weight[TIME_A].astype(np.float64) @ joined + layer.bias[TIME_A])
        inputs = after[own]
    return np.concatenate(slopes) / weights.time_unit_s


def time_constants(weights: CfCWeights, x: Array, states: Array) -> Floats:
    """Return the effective time constant of every neuron at every step, float64 [F, N], s.

    It is the inverse of the magnitude of `gate_slopes`, infinite where that is zero.

    Args:
        weights: in a mode with time gates.
        x: features of each step, [F, I].
        states: state after each step, [F, N]; before the first one it is zero.

    Raises:
        CellError: the mode is `pure`, which has no time gates, or a shape does not fit.
    """
    before = np.concatenate([np.zeros_like(states[:1]), states[:-1]])
    steps = zip(x, before, states, strict=True)
    slopes = np.array([gate_slopes(weights, *step) for step in steps]).reshape(states.shape)
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.abs(slopes), np.float64)


def with_held_slopes(weights: CfCWeights, slopes: Floats) -> CfCWeights:
    """Return weights whose time_a does not depend on the input: fixed time constants.

    Args:
        weights: in a mode with time gates.
        slopes: time_a / time_unit of every neuron, [N], 1/s, such as a mean of `gate_slopes`.

    Raises:
        CellError: the mode is `pure`, or there is not one value for each neuron.
    """
    return _held(weights, TIME_A, slopes * weights.time_unit_s)


def with_held_gates(weights: CfCWeights, gates: Floats) -> CfCWeights:
    """Return weights whose time gates depend neither on the input nor on elapsed time.

    Args:
        weights: in a mode with time gates.
        gates: value of every gate, [N], within (0, 1).

    Raises:
        CellError: the mode is `pure`, or there is not one value in (0, 1) for each neuron.
    """
    if not ((gates > 0.0) & (gates < 1.0)).all():
        raise CellError(f"expected gates within (0, 1), got {gates}")
    still = _held(weights, TIME_A, np.zeros(weights.wiring.neurons))
    return _held(still, TIME_B, np.log(gates / (1.0 - gates)))


def _held(weights: CfCWeights, row: int, values: Floats) -> CfCWeights:
    """Return weights with one map replaced by constants, float64 [N]."""
    _check_gated(weights)
    if values.shape != (weights.wiring.neurons,):
        raise CellError(
            f"expected one value for each of {weights.wiring.neurons} neurons, got "
            f"{list(values.shape)}"
        )
    layers = []
    for own, layer in zip(weights.wiring.slices, weights.layers, strict=True):
        weight, bias = layer.weight.copy(), layer.bias.copy()
        weight[row] = 0.0
        bias[row] = values[own]
        layers.append(LayerWeights(weight, bias, layer.pure))
    return replace(weights, layers=tuple(layers))


def _check_gated(weights: CfCWeights) -> None:
    if weights.mode is Mode.PURE:
        raise CellError("expected a CfC with time gates, got one in mode 'pure'")

"""One step of the wired CfC for flight: one sample, float32, few array operations.

NumPy spends most of such a step on call overhead; the step is arranged to need few calls. With
v = time_a * dt + time_b and sigma(v) = (1 + tanh(v / 2)) / 2, twice the new state of a layer is

    2 h' = tanh(ff1) * (1 + tanh(-v / 2)) + tanh(ff2) * (1 + tanh(v / 2)).

The four arguments of tanh are linear in [u, h, 1, dt u, dt h, dt]. One product with stacked
weights gives them for all layers, except for the contribution of the preceding layer, which is a
separate product. The results agree with `liquid_control.liquid.reference` to rounding; the same
inputs give the same bits in every process on a machine.
"""

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.weights import CfCWeights, Mode

Array = NDArray[np.float32]

MAP_ROWS = 4
"""Rows for each neuron: ff1, ff2, -v / 2 and v / 2, where v is the argument of the time gate."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One layer of H neurons as views into the common arrays of all layers.

    Attributes:
        arguments: [4 H], arguments of the four tanh, overwritten with their values.
        targets: [2 H], first half of `arguments`: tanh(ff1), tanh(ff2).
        gates: [2 H], second half: twice 1 - s and twice s.
        first: [H], contribution of ff1 to the new state.
        second: [H], contribution of ff2.
        doubled: [H], destination of twice the new state.
        ones: [2 H].
    """

    arguments: Array
    targets: Array
    gates: Array
    first: Array
    second: Array
    doubled: Array
    ones: Array


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """Contribution of the K neurons of the preceding layer to a layer of H neurons.

    Attributes:
        weight: [4 H, 2 K].
        source: [2 K], `fresh` and `timed` concatenated.
        fresh: [K], twice the new state of the preceding layer.
        timed: [K], the same times dt.
        ticks: [K], dt in time units.
        product: [4 H], the product of weight and source.
    """

    weight: Array
    source: Array
    fresh: Array
    timed: Array
    ticks: Array
    product: Array


def block(arguments: Array, doubled: Array, own: slice) -> Block:
    """Return a layer's views; `arguments` is [4 N], `doubled` [2 N] as `link` reads it."""
    size = own.stop - own.start
    mine = arguments[MAP_ROWS * own.start : MAP_ROWS * own.stop]
    return Block(
        arguments=mine,
        targets=mine[: 2 * size],
        gates=mine[2 * size :],
        first=mine[:size],
        second=mine[size : 2 * size],
        doubled=doubled[2 * own.start : 2 * own.start + size],
        ones=np.ones(2 * size, dtype=np.float32),
    )


def link(weights: CfCWeights, index: int, doubled: Array, ticks: Array) -> Link | None:
    """Return the link of the preceding layer to layer `index`; None for the first layer."""
    if index == 0:
        return None
    before = weights.wiring.slices[index - 1]
    count = before.stop - before.start
    source = doubled[2 * before.start : 2 * before.stop]
    weight = _rows(weights.layers[index].weight[:, :, :count] * np.float32(0.5))
    product = np.zeros(len(weight), dtype=np.float32)
    return Link(weight, source, source[:count], source[count:], ticks[:count], product)


def joint_product(weights: CfCWeights) -> Array:
    """Return the weights of all layers: columns for [x, state, 1], then for the same times dt."""
    wiring = weights.wiring
    width = wiring.inputs + wiring.neurons + 1
    blocks = []
    for index, (own, layer) in enumerate(zip(wiring.slices, weights.layers, strict=True)):
        size = own.stop - own.start
        stacked = np.zeros((4, size, width), dtype=np.float32)
        if index == 0:
            stacked[:, :, : wiring.inputs] = layer.weight[:, :, :-size]
        recurrent = slice(wiring.inputs + own.start, wiring.inputs + own.stop)
        stacked[:, :, recurrent] = layer.weight[:, :, -size:]
        stacked[:, :, -1] = layer.bias
        blocks.append(_rows(stacked))
    return np.ascontiguousarray(np.concatenate(blocks))


def positions(weights: CfCWeights) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of the new states in `doubled` and of the gates in `arguments`."""
    states, gates = [], []
    for own in weights.wiring.slices:
        size = own.stop - own.start
        states.append(2 * own.start + np.arange(size))
        gates.append(MAP_ROWS * own.start + 3 * size + np.arange(size))
    return np.concatenate(states), np.concatenate(gates)


def _rows(stacked: Array) -> Array:
    """Return four maps [4, H, K] as rows [4 H, 2 K], columns for u and for dt u."""
    ff1, ff2, time_a, time_b = stacked
    zeros = np.zeros_like(ff1)
    now = np.concatenate([ff1, ff2, -0.5 * time_b, 0.5 * time_b])
    timed = np.concatenate([zeros, zeros, -0.5 * time_a, 0.5 * time_a])
    return np.ascontiguousarray(np.concatenate([now, timed], axis=1), dtype=np.float32)


class FlightCfC:
    """Wired CfC that steps one sample at a time.

    The instance changes only its scratch memory: results depend on the arguments alone. Each
    thread needs its own instance.
    """

    def __init__(self, weights: CfCWeights) -> None:
        """Allocate weights and scratch memory.

        Raises:
            CellError: the mode of the weights is not `default`, the only mode for flight.
        """
        if weights.mode is not Mode.DEFAULT:
            raise CellError(f"expected a CfC in mode 'default', got {weights.mode.value!r}")
        wiring = weights.wiring
        width = wiring.inputs + wiring.neurons + 1
        self.weights = weights
        self._joined = np.zeros(2 * width, dtype=np.float32)
        self._joined[width - 1] = 1.0
        self._now, self._timed = self._joined[:width], self._joined[width:]
        self._x = self._joined[: wiring.inputs]
        self._before = self._joined[wiring.inputs : width - 1]
        self._ticks = np.zeros(width, dtype=np.float32)
        self._half = np.full(wiring.neurons, 0.5, dtype=np.float32)
        self._product = joint_product(weights)
        self._arguments = np.zeros(MAP_ROWS * wiring.neurons, dtype=np.float32)
        self._doubled = np.zeros(2 * wiring.neurons, dtype=np.float32)
        self._layers = [
            (
                link(weights, index, self._doubled, self._ticks),
                block(self._arguments, self._doubled, own),
            )
            for index, own in enumerate(wiring.slices)
        ]
        self._state_at, self._gates_at = positions(weights)

    def init_state(self) -> Array:
        """Return the state before the first step, zeros float32 [N]."""
        return np.zeros(self.weights.wiring.neurons, dtype=np.float32)

    def step(self, x: Array, state: Array, dt: float) -> tuple[Array, Array]:
        """Advance by one step.

        Args:
            x: features, float32 [I].
            state: float32 [N], neurons in the order of the wiring's layers; the last layer is the
                output.
            dt: elapsed seconds since the previous step, >= 0.

        Returns:
            The new state, float32 [N], and the time gates s, float32 [N] in [0, 1].

        Raises:
            CellError: a shape or type does not fit, or dt is negative or not finite.
        """
        self._check(x, state, dt)
        self._x[:] = x
        self._before[:] = state
        self._ticks.fill(dt / self.weights.time_unit_s)
        np.multiply(self._now, self._ticks, self._timed)
        self._product.dot(self._joined, self._arguments)
        for before, own in self._layers:
            if before is not None:
                np.multiply(before.fresh, before.ticks, before.timed)
                before.weight.dot(before.source, before.product)
                np.add(own.arguments, before.product, own.arguments)
            np.tanh(own.arguments, own.arguments)
            np.add(own.gates, own.ones, own.gates)
            np.multiply(own.targets, own.gates, own.targets)
            np.add(own.first, own.second, own.doubled)
        after, gates = self._doubled.take(self._state_at), self._arguments.take(self._gates_at)
        np.multiply(after, self._half, after)
        np.multiply(gates, self._half, gates)
        return after, gates

    def _check(self, x: Array, state: Array, dt: float) -> None:
        if x.shape != self._x.shape or x.dtype != np.float32:
            raise CellError(f"expected features float32 {self._x.shape}, got {x.dtype} {x.shape}")
        if state.shape != self._before.shape or state.dtype != np.float32:
            raise CellError(
                f"expected a state float32 {self._before.shape}, got {state.dtype} {state.shape}"
            )
        if not 0.0 <= dt < inf:
            raise CellError(f"expected dt in seconds, finite and >= 0, got {dt}")

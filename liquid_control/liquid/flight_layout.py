"""How the flight step lays out a wired CfC's weights and scratch memory; see `flight`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.liquid.weights import CfCWeights

Array = NDArray[np.float32]

MAP_ROWS = 4
"""Rows for each neuron: ff1, ff2, -v / 2 and v / 2, where v is the argument of the time gate."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One layer of H neurons as views into arrays that all layers share.

    Attributes:
        arguments: [4 H], of the four tanh, and then their values.
        targets: [2 H], the former half of `arguments`: tanh(ff1), tanh(ff2).
        shares: [2 H], the latter half: twice 1 - s and twice s.
        first: [H], the part of the new state that comes from ff1.
        second: [H], from ff2.
        doubled: [H], where twice the new state goes.
        ones: [2 H].
    """

    arguments: Array
    targets: Array
    shares: Array
    first: Array
    second: Array
    doubled: Array
    ones: Array


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """What a layer of H neurons hears from the K neurons of the layer before.

    Attributes:
        product: [4 H, 2 K].
        source: [2 K], `fresh` and `timed` together.
        fresh: [K], twice the new state of the layer before.
        timed: [K], the same times dt.
        ticks: [K], dt in time units.
        heard: [4 H], the product.
    """

    product: Array
    source: Array
    fresh: Array
    timed: Array
    ticks: Array
    heard: Array


def block(arguments: Array, doubled: Array, own: slice) -> Block:
    """Return a layer's views; `arguments` is [4 N], `doubled` [2 N] as `link` reads it."""
    size = own.stop - own.start
    mine = arguments[MAP_ROWS * own.start : MAP_ROWS * own.stop]
    return Block(
        arguments=mine,
        targets=mine[: 2 * size],
        shares=mine[2 * size :],
        first=mine[:size],
        second=mine[size : 2 * size],
        doubled=doubled[2 * own.start : 2 * own.start + size],
        ones=np.ones(2 * size, dtype=np.float32),
    )


def link(weights: CfCWeights, index: int, doubled: Array, ticks: Array) -> Link | None:
    """Return what layer `index` hears from the layer before; None for the first layer."""
    if index == 0:
        return None
    before = weights.wiring.slices[index - 1]
    count = before.stop - before.start
    source = doubled[2 * before.start : 2 * before.stop]
    product = _rows(weights.layers[index].weight[:, :, :count] * np.float32(0.5))
    heard = np.zeros(len(product), dtype=np.float32)
    return Link(product, source, source[:count], source[count:], ticks[:count], heard)


def joint_product(weights: CfCWeights) -> Array:
    """Return the rows of all layers by the columns of [x, state, 1] and of the same times dt."""
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
    """Return where twice the new states lie in `doubled`, and twice the gates in `arguments`."""
    states, gates = [], []
    for own in weights.wiring.slices:
        size = own.stop - own.start
        states.append(2 * own.start + np.arange(size))
        gates.append(MAP_ROWS * own.start + 3 * size + np.arange(size))
    return np.concatenate(states), np.concatenate(gates)


def _rows(stacked: Array) -> Array:
    """Return four maps [4, H, K] as rows [4 H, 2 K], columns for u and for dt u."""
    ff1, ff2, time_a, time_b = stacked
    none = np.zeros_like(ff1)
    now = np.concatenate([ff1, ff2, -0.5 * time_b, 0.5 * time_b])
    timed = np.concatenate([none, none, -0.5 * time_a, 0.5 * time_a])
    return np.ascontiguousarray(np.concatenate([now, timed], axis=1), dtype=np.float32)

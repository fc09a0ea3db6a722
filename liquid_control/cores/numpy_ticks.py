"""Ticks of a wired CfC in mode `default` on a CPU, in NumPy.

At 19 neurons and 32 samples a call of torch takes two to three times as long as one of NumPy, and
a view six times. The arrays share their memory with torch's tensors. `cfc_scan` computes the same
in torch, for other devices and modes.

With the two heads f1 and f2 and the gate (1 + t) / 2 = sigmoid(v), t = tanh(v / 2), twice the new
state is 2 h' = f1 + f2 + t (f2 - f1). The states of a scan are kept doubled, with a last row of
ones for the biases: one product gives all maps, and another one all gradients of the weights.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liquid_control.cores.cfc_scan import Gradients

Array = NDArray[np.floating]


class NumpyTicks:
    """Ticks of one sequence; see `wired_scan.Ticks`."""

    scale = 0.5

    def __init__(self, stays: Sequence[Any]) -> None:
        """Set for each tick a mask of the neurons that keep their state, [N, B or 1], or None."""
        self._stays = stays

    @staticmethod
    def arranged(joint: Tensor) -> Tensor:
        """Return joint maps [4, N, I + N + 1] over doubled states: ff1, ff2, time_b and time_a.

        The last two are halved.
        """
        maps = torch.cat([joint[:2], 0.5 * joint[3:], 0.5 * joint[2:3]])
        maps[:, :, -1 - len(joint[0]) : -1] *= 0.5
        return maps

    def run(
        self, drive: Tensor, maps: Tensor, elapsed: Tensor, state: Tensor, pure: Tensor | None
    ) -> list[Tensor | None]:
        """Run all ticks; the maps become tanh of f1, f2 and v / 2, and half of time_a."""
        ticks, neurons, batch = elapsed.shape
        weights = maps.flatten(0, 1)
        values = drive.new_zeros(ticks, 4, neurons, batch)
        values[: len(drive), :, : drive.shape[2]] = drive
        doubled = drive.new_ones(ticks + 1, neurons + 1, batch)
        torch.add(state, state, out=doubled[0, :neurons])
        arrays = [tensor.numpy() for tensor in (values, weights, elapsed, doubled)]
        _flow(arrays, self._stays)
        return [doubled, values, elapsed, weights]

    def run_backward(self, kept: Sequence[Any], totals: Tensor, *, by_time: bool) -> Gradients:
        """Return gradients, from those of the doubled states."""
        doubled, values, elapsed, weights = kept
        neurons = totals.shape[1]
        slopes = _slopes(values, elapsed)
        time = slopes[:, 2] * values[:, 3] if by_time else None
        back = weights[:, :neurons].t().contiguous()
        computed = _flow_back(slopes, totals, back, self._stays, keep=by_time)
        flows = slopes.flatten(1, 2)
        across = torch.bmm(flows, doubled[:-1].transpose(1, 2)).sum(dim=0)
        return Gradients(
            sums=flows,
            bias=across[:, neurons:],
            elapsed=None if time is None else time * computed,
            recurrent=across[:, :neurons],
            pure=None,
            deeper=(),
        )


@np.errstate(over="ignore", invalid="ignore", under="ignore")
def _flow(arrays: Sequence[Array], stays: Sequence[Any]) -> None:
    """Run K ticks of N neurons and B samples.

    A tick computes in one small array, of which there are views, and copies it at the end.

    Args:
        arrays: maps, weights, elapsed times and states. Maps [K, 4, N, B] are the contribution of
            the inputs, overwritten with the values that `NumpyTicks.run` describes. Weights
            [4 N, N + 1] are the maps over doubled states and one, elapsed times [K, N, B] in time
            units. States [K + 1, N + 1, B] are doubled, with ones; all but the first are computed.
        stays: for each tick, a mask of the neurons that keep their state, [N, B or 1], or None.
    """
    maps, weights, elapsed, states = arrays
    ticks, _, neurons, batch = maps.shape
    now = np.empty((4 * neurons, batch), maps.dtype)
    first, second, gate, time_a = now.reshape(4, neurons, batch)
    curved, change = now[: 3 * neurons], np.empty_like(gate)
    dot, add, subtract, multiply, tanh = weights.dot, np.add, np.subtract, np.multiply, np.tanh
    rows = maps.reshape(ticks, -1, batch)
    for row, times, before, after, stay in zip(
        rows, elapsed, states[:-1], states[1:, :neurons], stays, strict=True
    ):
        dot(before, now)
        add(now, row, now)
        multiply(time_a, times, change)
        add(gate, change, gate)
        tanh(curved, curved)
        subtract(second, first, change)
        multiply(change, gate, change)
        add(change, first, change)
        add(change, second, after)
        np.copyto(row, now)
        if stay is not None:
            np.copyto(after, before[:neurons], where=stay)


def _slopes(maps: Tensor, elapsed: Tensor) -> Tensor:
    """Return the derivative of every doubled state by its maps, [K, 4, N, B]."""
    first, second, gate, _ = maps.unbind(1)
    slopes = torch.empty_like(maps)
    by_first, by_second, by_gate, by_time_a = slopes.unbind(1)
    torch.sub(1.0, gate, out=by_first)
    torch.add(1.0, gate, out=by_second)
    torch.sub(second, first, out=by_gate)
    curved = slopes[:, :3]
    torch.ops.aten.tanh_backward.grad_input(curved, maps[:, :3], grad_input=curved)
    torch.mul(by_gate, elapsed, out=by_time_a)
    return slopes


@np.errstate(over="ignore", invalid="ignore", under="ignore")
def _flow_back(
    slopes: Tensor, totals: Tensor, back: Tensor, stays: Sequence[Any], *, keep: bool
) -> Tensor:
    """Overwrite slopes [K, 4, N, B] with the gradients of the maps, and complete the totals.

    Returns:
        The gradients of the states that each tick computes, [K, N, B]; empty without `keep`.
    """
    ticks, _, neurons, batch = slopes.shape
    moved = totals.new_empty(ticks if keep else 0, neurons, batch)
    all_slopes, states, dot = slopes.numpy(), totals.numpy(), back.numpy().dot
    flows, product = all_slopes.reshape(ticks, 4 * neurons, batch), np.empty_like(states[0])
    add, multiply, kept = np.add, np.multiply, moved.numpy()
    total = states[ticks]
    backwards = zip(all_slopes[::-1], flows[::-1], states[-2::-1], stays[::-1], strict=True)
    for k, (slope, flow, before, stay) in enumerate(backwards):
        computed = total if stay is None else np.where(stay, 0, total)
        multiply(slope, computed, slope)
        dot(flow, product)
        add(before, product, before)
        if stay is not None:
            add(before, np.where(stay, total, 0), before)
        if keep:
            kept[ticks - 1 - k] = computed
        total = before
    return moved

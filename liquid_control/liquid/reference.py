"""Wired CfC in plain NumPy: the specification for every other backend.

One layer with input u and own previous state h is the gated closed form of Hasani et al. 2022
(doi 10.1038/s42256-022-00556-7, arXiv 2106.13898),

    x(t) = sigma(-f t) * g + (1 - sigma(-f t)) * h,

with g = tanh(ff1), h = tanh(ff2) and f t = time_a * t + time_b, all four maps linear in [u, h]:

    s  = sigma(time_a * dt / time_unit + time_b)
    h' = tanh(ff1) * (1 - s) + tanh(ff2) * s

This is mode `default`. In mode `no_gate` the gate applies to the second head only,

    h' = tanh(ff1) + s * tanh(ff2)

and mode `pure` is the approximate closed form of a liquid time-constant neuron, with one map
f = ff1, a decay w_tau and a resting value A, with the signs of ncps:

    h' = A - A * exp(-(|w_tau| + |f|) * dt / time_unit) * f

Layers are computed in order, each from the new state of the preceding layer and its own previous
state. In mode `default` a state stays in [-1, 1], in `no_gate` in [-2, 2], and in `pure`, since
f * exp(-f * t) <= 1 / (e * t), within |A| * (1 + time_unit / (e * dt)) of zero.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.checks import (
    check_elapsed,
    check_finite,
    check_mask_type,
    check_sequence,
    check_step,
)
from liquid_control.liquid.weights import CfCWeights, LayerWeights, Mode

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class CfC:
    """Wired closed-form continuous-time cell.

    Attributes:
        weights: wiring, masks and maps.
        dtype: of the computation; float64 gives the reference values.
    """

    weights: CfCWeights
    dtype: type[np.floating] = np.float32

    def init_state(self, batch: int = 1) -> Array:
        """Return the state before the first step, zeros [B, N]."""
        return np.zeros((batch, self.weights.wiring.neurons), dtype=self.dtype)

    def step(self, x: Array, state: Array, dt: Array | float) -> tuple[Array, Array]:
        """Advance by one step.

        Args:
            x: features [B, I].
            state: [B, N], neurons in the order of the wiring's layers.
            dt: elapsed seconds since the previous step, [B] or one number for all samples, >= 0.

        Returns:
            Output [B, O], the last layer's part of the state, and the new state [B, N].

        Raises:
            CellError: a shape does not fit, a feature or a state is not finite, or dt is negative
                or not finite.
        """
        output, after, _ = self._step(x, state, dt)
        return output, after

    def step_with_gates(
        self, x: Array, state: Array, dt: Array | float
    ) -> tuple[Array, Array, Array]:
        """Advance by one step as `step`, and also return the time gates s, [B, N] in [0, 1].

        Raises:
            CellError: as `step`, or the mode is `pure`, which has no gates.
        """
        if self.weights.mode is Mode.PURE:
            raise CellError("expected a CfC with time gates, got one in mode 'pure'")
        return self._step(x, state, dt)

    def _step(self, x: Array, state: Array, dt: Array | float) -> tuple[Array, Array, Array]:
        wiring = self.weights.wiring
        dt = np.asarray(dt) if np.ndim(dt) else np.full(x.shape[:1], dt)
        check_step(wiring.inputs, wiring.neurons, x.shape, state.shape, dt.shape)
        check_elapsed(dt)
        check_finite("features", x)
        check_finite("a state", state)
        elapsed = (np.asarray(dt, self.dtype) / self.dtype(self.weights.time_unit_s))[:, None]
        inputs = np.asarray(x, self.dtype)
        states, gates = [], []
        for own, layer in zip(wiring.slices, self.weights.layers, strict=True):
            joined = np.concatenate([inputs, np.asarray(state[:, own], self.dtype)], axis=1)
            maps = np.einsum("bk,mhk->mbh", joined, layer.weight.astype(self.dtype))
            maps = maps + layer.bias.astype(self.dtype)[:, None, :]
            inputs, gate = self._solve(maps, elapsed, layer)
            states.append(inputs)
            gates.append(gate)
        return inputs, np.concatenate(states, axis=1), np.concatenate(gates, axis=1)

    def _solve(self, maps: Array, elapsed: Array, layer: LayerWeights) -> tuple[Array, Array]:
        """Return a layer's new state and its gates, or its decay in mode `pure`."""
        if layer.pure is not None:
            w_tau, rest = layer.pure.astype(self.dtype)
            decay = np.exp(-(np.abs(w_tau) + np.abs(maps[0])) * elapsed)
            return rest - rest * decay * maps[0], decay
        ff1, ff2, time_a, time_b = maps
        gate = _sigmoid(time_a * elapsed + time_b)
        if self.weights.mode is Mode.NO_GATE:
            return np.tanh(ff1) + np.tanh(ff2) * gate, gate
        return np.tanh(ff1) * (1 - gate) + np.tanh(ff2) * gate, gate

    def sequence(
        self, x: Array, state: Array, dt: Array | float, mask: NDArray[np.bool_] | None = None
    ) -> tuple[Array, Array]:
        """Advance through a sequence; equal to repeated `step`.

        Args:
            x: features [B, T, I].
            state: [B, N].
            dt: elapsed seconds before each step, [B, T] or one number for all steps.
            mask: bool [B, T]; a False step leaves the state unchanged and outputs the last layer
                of that state, whatever its features and dt are. None for all True.

        Returns:
            Outputs [B, T, O] and the state after the last step [B, N].

        Raises:
            CellError: a shape does not fit, a feature or a state is not finite, or dt is negative
                or not finite.
        """
        wiring = self.weights.wiring
        dt = np.asarray(dt) if np.ndim(dt) else np.full(x.shape[:2], dt)
        shapes = (x.shape, state.shape, dt.shape, None if mask is None else mask.shape)
        check_sequence(wiring.inputs, wiring.neurons, *shapes)
        if mask is not None:
            check_mask_type(mask.dtype, np.bool_)
            x, dt = np.where(mask[:, :, None], x, 0.0), np.where(mask, dt, 0.0)
        check_elapsed(dt)
        outputs = np.empty((*x.shape[:2], wiring.outputs), dtype=self.dtype)
        state = np.asarray(state, self.dtype)
        for t in range(x.shape[1]):
            _, after = self.step(x[:, t], state, dt[:, t])
            state = after if mask is None else np.where(mask[:, t, None], after, state)
            outputs[:, t] = state[:, wiring.slices[-1]]
        return outputs, state


def _sigmoid(value: Array) -> Array:
    result: Array = 0.5 * (1.0 + np.tanh(0.5 * value))
    return result

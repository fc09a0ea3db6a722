"""One step of the wired CfC for flight: one sample, float32, as few array operations as it takes.

NumPy spends most of such a step on calls, so the step is arranged to need few of them. With
v = time_a * dt + time_b and sigma(v) = (1 + tanh(v / 2)) / 2, twice the new state of a layer is

    2 h' = tanh(ff1) * (1 + tanh(-v / 2)) + tanh(ff2) * (1 + tanh(v / 2)).

The four arguments of tanh are linear in [u, h, 1, dt u, dt h, dt], so one product with stacked
weights gives them for all layers, except what a layer hears from the layer before, which is a
product of its own. Agrees with `liquid_control.liquid.reference` to rounding; the same inputs give
the same bits in every process of a machine.
"""

from math import inf

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.flight_layout import MAP_ROWS, block, joint_product, link, positions
from liquid_control.liquid.masks import Mode
from liquid_control.liquid.weights import CfCWeights

Array = NDArray[np.float32]


class FlightCfC:
    """A wired CfC that steps one sample at a time.

    The instance holds scratch memory and nothing else that changes: results depend on the
    arguments only, and one instance serves one thread.
    """

    def __init__(self, weights: CfCWeights) -> None:
        """Lay out weights and scratch memory.

        Raises:
            CellError: the weights are of another mode than `default`, the one that flies.
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
            dt: elapsed seconds since the step before, >= 0.

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
        for heard, own in self._layers:
            if heard is not None:
                np.multiply(heard.fresh, heard.ticks, heard.timed)
                heard.product.dot(heard.source, heard.heard)
                np.add(own.arguments, heard.heard, own.arguments)
            np.tanh(own.arguments, own.arguments)
            np.add(own.shares, own.ones, own.shares)
            np.multiply(own.targets, own.shares, own.targets)
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

"""Effective time constants, and weights that hold them."""

import numpy as np
import pytest

from liquid_control.errors import CellError
from liquid_control.liquid import CfC, FlightCfC, Mode, auto_ncp, random_weights
from liquid_control.liquid.time_constants import (
    gate_slopes,
    time_constants,
    with_held_gates,
    with_held_slopes,
)

pytestmark = pytest.mark.unit


def steps(weights, dts, seed=5):
    """Yield features, state before, state after and gates of consecutive steps."""
    cell, rng = CfC(weights, np.float64), np.random.default_rng(seed)
    state = cell.init_state()
    for dt in dts:
        x = rng.normal(size=(1, weights.wiring.inputs))
        _, after, gates = cell.step_with_gates(x, state, dt)
        yield x[0], state[0], after[0], gates[0]
        state = after


def test_the_slope_is_the_derivative_of_the_gate_argument_by_time(weights):
    cell, h = CfC(weights, np.float64), 1e-4
    first = slice(0, weights.wiring.slices[0].stop)
    for x, before, after, _ in steps(weights, [0.03, 0.05, 0.2]):
        slopes = gate_slopes(weights, x, before, after)
        logits = []
        for dt in (0.05 - h, 0.05 + h):
            gates = cell.step_with_gates(x[None], before[None], dt)[2][0]
            logits.append(np.log(gates / (1.0 - gates)))
        # Later layers also see the preceding layer move with dt; the first layer does not.
        difference = (logits[1] - logits[0]) / (2.0 * h)
        np.testing.assert_allclose(slopes[first], difference[first], rtol=1e-5, atol=1e-6)


def test_slopes_and_offsets_give_the_gates_of_every_layer(weights):
    still = with_held_slopes(weights, np.zeros(19))
    for x, before, after, gates in steps(weights, [0.03, 0.05, 0.2]):
        slopes = gate_slopes(weights, x, before, after)
        assert slopes.shape == gates.shape == (19,)
        assert np.abs(gate_slopes(still, x, before, after)).max() == 0.0
        assert np.ptp(slopes) > 0.0


def test_time_constants_are_the_inverse_of_the_slopes_of_every_step(weights):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3, weights.wiring.inputs)).astype(np.float32)
    states = np.tanh(rng.standard_normal((3, weights.wiring.neurons))).astype(np.float32)
    constants = time_constants(weights, x, states)
    before = [np.zeros_like(states[0]), states[0], states[1]]
    for step in range(3):
        slopes = gate_slopes(weights, x[step], before[step], states[step])
        np.testing.assert_array_equal(constants[step], 1.0 / np.abs(slopes))
    still = with_held_slopes(weights, np.zeros(weights.wiring.neurons))
    assert np.isinf(time_constants(still, x, states)).all()


def test_held_slopes_do_not_depend_on_the_input(weights):
    held = np.linspace(-3.0, 3.0, 19)
    fixed = with_held_slopes(weights, held)
    for x, before, after, _ in steps(fixed, [0.01, 0.1, 0.3]):
        np.testing.assert_allclose(gate_slopes(fixed, x, before, after), held, rtol=1e-6)
    for layer, own in zip(fixed.layers, weights.layers, strict=True):
        np.testing.assert_array_equal(layer.weight[[0, 1, 3]], own.weight[[0, 1, 3]])


def test_held_gates_depend_on_nothing(weights):
    held = np.linspace(0.05, 0.95, 19)
    fixed = with_held_gates(weights, held)
    for *_, gates in steps(fixed, [0.0, 0.05, 4.0]):
        np.testing.assert_allclose(gates, held, rtol=1e-6)
    flying = FlightCfC(fixed)
    rng = np.random.default_rng(1)
    _, gates = flying.step(rng.normal(size=34).astype(np.float32), flying.init_state(), 0.4)
    np.testing.assert_allclose(gates, held, atol=1e-6)


def test_weights_without_gates_and_wrong_sizes_are_refused(weights):
    pure = random_weights(auto_ncp(34, 19, 4), np.random.default_rng(1), mode=Mode.PURE)
    with pytest.raises(CellError, match="expected a CfC with time gates, got one in mode 'pure'"):
        with_held_slopes(pure, np.zeros(19))
    with pytest.raises(CellError, match="one value for each of 19 neurons"):
        with_held_slopes(weights, np.zeros(18))
    with pytest.raises(CellError, match=r"within \(0, 1\)"):
        with_held_gates(weights, np.ones(19))
    with pytest.raises(CellError, match=r"expected features \[34\]"):
        gate_slopes(weights, np.zeros(7), np.zeros(19), np.zeros(19))

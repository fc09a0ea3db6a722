import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.errors import CellError
from liquid_control.liquid import CfC, CfCWeights, LayerWeights, Masking, auto_ncp, random_weights
from liquid_control.liquid.wiring import Layer, Wiring

pytestmark = pytest.mark.unit

WIRING = auto_ncp(34, 19, 4)
CELL = CfC(random_weights(WIRING, np.random.default_rng(5)))
EXACT = CfC(CELL.weights, np.float64)


def random_inputs(batch, steps, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (batch, steps, 34))
    return x, rng.uniform(-1, 1, (batch, 19)), rng.uniform(0.01, 0.3, (batch, steps))


def test_one_neuron_by_hand():
    wiring = Wiring((Layer("motor", 1),), np.array([[1]]), np.array([[1]]))
    weight = np.array([[[0.5, 1.0]], [[-1.0, 0.25]], [[0.3, 0.0]], [[0.0, -2.0]]], np.float32)
    bias = np.array([[0.1], [0.2], [0.3], [0.4]], np.float32)
    weights = CfCWeights(wiring, Masking.SYNAPSES, 0.05, (LayerWeights(weight, bias),))
    u, h, dt = 0.7, -0.2, 0.1
    gate = 1 / (1 + math.exp(-((0.3 * u + 0.3) * dt / 0.05 + (-2.0 * h + 0.4))))
    expected = math.tanh(0.5 * u + h + 0.1) * (1 - gate)
    expected += math.tanh(-u + 0.25 * h + 0.2) * gate
    output, state, gates = CfC(weights, np.float64).step_with_gates(
        np.array([[u]]), np.array([[h]]), np.array([dt])
    )
    assert output[0, 0] == state[0, 0] == pytest.approx(expected, abs=1e-7)
    assert gates[0, 0] == pytest.approx(gate, abs=1e-7)


def test_initial_state_is_zero():
    assert CELL.init_state(3).shape == (3, 19)
    assert CELL.init_state().dtype == np.float32
    assert not CELL.init_state(3).any()


def test_output_is_the_motor_part():
    x, state, dt = random_inputs(2, 1)
    output, after = CELL.step(x[:, 0], state, dt[:, 0])
    np.testing.assert_array_equal(output, after[:, 15:])


@pytest.mark.parametrize("batch", [1, 5, 19])
def test_sequence_equals_repeated_steps(batch):
    x, state, dt = random_inputs(batch, 7)
    outputs, after = EXACT.sequence(x, state, dt)
    for t in range(7):
        output, state = EXACT.step(x[:, t], state, dt[:, t])
        np.testing.assert_array_equal(outputs[:, t], output)
    np.testing.assert_array_equal(after, state)


def test_split_sequence_equals_the_whole():
    x, state, dt = random_inputs(3, 10)
    outputs, after = EXACT.sequence(x, state, dt)
    first, middle = EXACT.sequence(x[:, :4], state, dt[:, :4])
    second, end = EXACT.sequence(x[:, 4:], middle, dt[:, 4:])
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), outputs)
    np.testing.assert_array_equal(end, after)


def test_permuted_batch_permutes_the_result():
    x, state, dt = random_inputs(19, 6)
    order = np.random.default_rng(2).permutation(19)
    outputs, after = EXACT.sequence(x, state, dt)
    permuted, permuted_after = EXACT.sequence(x[order], state[order], dt[order])
    np.testing.assert_allclose(permuted, outputs[order], atol=1e-14)
    np.testing.assert_allclose(permuted_after, after[order], atol=1e-14)


def test_each_sample_has_its_own_dt():
    x, state, dt = random_inputs(19, 1)
    _, after = EXACT.step(x[:, 0], state, dt[:, 0])
    for i in range(19):
        _, alone = EXACT.step(x[i : i + 1, 0], state[i : i + 1], dt[i, :1])
        np.testing.assert_allclose(alone[0], after[i], atol=1e-14)


def test_masked_steps_leave_the_state_unchanged():
    x, state, dt = random_inputs(4, 9)
    mask = np.random.default_rng(3).random((4, 9)) < 0.6
    mask[2] = False
    outputs, after = EXACT.sequence(x, state, dt, mask)
    np.testing.assert_array_equal(after[2], state[2])
    np.testing.assert_array_equal(outputs[2], np.repeat(state[2:3, 15:], 9, axis=0))
    for i in (0, 1, 3):
        kept, end = EXACT.sequence(x[i : i + 1, mask[i]], state[i : i + 1], dt[i : i + 1, mask[i]])
        np.testing.assert_allclose(outputs[i, mask[i]], kept[0], atol=1e-14)
        np.testing.assert_allclose(after[i], end[0], atol=1e-14)


def test_gate_at_zero_elapsed_time_is_that_of_time_b():
    x, state, _ = random_inputs(1, 1)
    _, _, gates = EXACT.step_with_gates(x[:, 0], state, np.zeros(1))
    layer = CELL.weights.layers[0]
    joined = np.concatenate([x[0, 0], state[0, :9]])
    time_b = layer.weight[3].astype(float) @ joined + layer.bias[3]
    np.testing.assert_allclose(gates[0, :9], 1 / (1 + np.exp(-time_b)), atol=1e-12)


def test_long_time_saturates_the_gate():
    x, state, _ = random_inputs(1, 1)
    _, _, gates = CELL.step_with_gates(x[:, 0], state, np.array([1e6]))
    assert np.isin(gates, (0.0, 1.0)).all()


def test_time_unit_scales_dt():
    x, state, dt = random_inputs(2, 1)
    other = CfCWeights(WIRING, Masking.SYNAPSES, 0.1, CELL.weights.layers)
    _, expected = EXACT.step(x[:, 0], state, dt[:, 0])
    _, got = CfC(other, np.float64).step(x[:, 0], state, 2 * dt[:, 0])
    np.testing.assert_allclose(got, expected, atol=1e-14)


def test_float32_agrees_with_float64_over_500_steps():
    x, state, dt = random_inputs(2, 500)
    exact, _ = EXACT.sequence(x, state, dt)
    short, _ = CELL.sequence(x, state, dt)
    assert short.dtype == np.float32
    np.testing.assert_allclose(short, exact, atol=1e-5)


finite = st.floats(-(2.0**100), 2.0**100, width=32)


@settings(max_examples=60, deadline=None)
@given(
    x=st.lists(finite, min_size=34, max_size=34),
    state=st.lists(st.floats(-1, 1, width=32), min_size=19, max_size=19),
    dt=st.floats(0, 10, exclude_min=True),
)
def test_state_and_gates_stay_in_their_intervals(x, state, dt):
    _, after, gates = CELL.step_with_gates(np.array([x]), np.array([state]), np.array([dt]))
    assert (np.abs(after) <= 1.0).all()
    assert ((gates >= 0.0) & (gates <= 1.0)).all()


def invalid(**change):
    x, state, dt = random_inputs(2, 3)
    return {"x": x, "state": state, "dt": dt, "mask": None, **change}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((2, 3, 33))}, r"features of shape \(batch, time, 34\), got \(2, 3, 33\)"),
        ({"x": np.zeros((2, 34))}, r"features of shape \(batch, time, 34\), got \(2, 34\)"),
        ({"state": np.zeros((2, 64))}, r"a state of shape \(2, 19\), got \(2, 64\)"),
        ({"state": np.zeros((1, 19))}, r"a state of shape \(2, 19\), got \(1, 19\)"),
        ({"dt": np.full((2, 3, 1), 0.1)}, r"dt of shape \(2, 3\), got \(2, 3, 1\)"),
        ({"dt": np.full(3, 0.1)}, r"dt of shape \(2, 3\), got \(3,\)"),
        ({"dt": np.full((2, 3), -0.1)}, "dt in seconds, finite and >= 0, got -0.1"),
        ({"dt": np.full((2, 3), np.nan)}, "dt in seconds, finite and >= 0, got nan"),
        ({"dt": np.full((2, 3), np.inf)}, "dt in seconds, finite and >= 0, got inf"),
        ({"mask": np.ones((3, 2), bool)}, r"a mask of shape \(2, 3\), got \(3, 2\)"),
        ({"mask": np.ones((2, 3))}, "a mask of booleans, got float64"),
    ],
)
def test_rejects_invalid_arguments(change, message):
    with pytest.raises(CellError, match=message):
        CELL.sequence(**invalid(**change))


@pytest.mark.parametrize(
    ("x", "state", "dt", "message"),
    [
        (np.zeros((1, 20)), np.zeros((1, 19)), np.ones(1), r"\(batch, 34\), got \(1, 20\)"),
        (np.zeros((1, 34)), np.zeros((1, 4)), np.ones(1), r"\(1, 19\), got \(1, 4\)"),
        (np.zeros((1, 34)), np.zeros((1, 19)), np.ones((1, 1)), r"\(1,\), got \(1, 1\)"),
        (np.zeros((1, 34)), np.zeros((1, 19)), -np.ones(1), ">= 0, got -1"),
    ],
)
def test_rejects_steps_that_do_not_fit(x, state, dt, message):
    with pytest.raises(CellError, match=message):
        CELL.step(x, state, dt)

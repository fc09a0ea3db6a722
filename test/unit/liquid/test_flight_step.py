import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.errors import CellError
from liquid_control.liquid import CfC, FlightCfC, auto_ncp, random_weights

pytestmark = pytest.mark.unit

WEIGHTS = random_weights(auto_ncp(34, 19, 4), np.random.default_rng(5))
FLIGHT = FlightCfC(WEIGHTS)


def test_agrees_with_the_reference_over_500_irregular_steps(weights, rng):
    flight, exact = FlightCfC(weights), CfC(weights, np.float64)
    state, expected = flight.init_state(), exact.init_state()
    for _ in range(500):
        x = rng.uniform(-1, 1, 34).astype(np.float32)
        dt = float(rng.uniform(0.02, 0.3))
        state, gates = flight.step(x, state, dt)
        _, expected, expected_gates = exact.step_with_gates(x[None], expected, np.array([dt]))
        np.testing.assert_allclose(state, expected[0], atol=1e-5)
        np.testing.assert_allclose(gates, expected_gates[0], atol=1e-5)
    assert state.dtype == gates.dtype == np.float32


def test_results_depend_on_arguments_only(rng):
    x, state = rng.uniform(-1, 1, 34).astype(np.float32), rng.uniform(-1, 1, 19).astype(np.float32)
    first, first_gates = FLIGHT.step(x, state, 0.05)
    kept = first.copy()
    FLIGHT.step(-x, -state, 0.2)
    again, again_gates = FLIGHT.step(x, state, 0.05)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(again_gates, first_gates)
    fresh, _ = FlightCfC(WEIGHTS).step(x, state, 0.05)
    np.testing.assert_array_equal(fresh, first)


def test_arguments_are_unchanged(rng):
    x, state = rng.uniform(-1, 1, 34).astype(np.float32), rng.uniform(-1, 1, 19).astype(np.float32)
    before = x.copy(), state.copy()
    FLIGHT.step(x, state, 0.05)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(state, before[1])


@settings(max_examples=60, deadline=None)
@given(
    x=st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=34, max_size=34),
    state=st.lists(st.floats(-1, 1, width=32), min_size=19, max_size=19),
    dt=st.floats(0, 10, exclude_min=True),
)
def test_state_and_gates_stay_in_their_intervals(x, state, dt):
    after, gates = FLIGHT.step(np.array(x, np.float32), np.array(state, np.float32), dt)
    assert (np.abs(after) <= 1.0).all()
    assert ((gates >= 0.0) & (gates <= 1.0)).all()


@pytest.mark.parametrize(
    ("x", "state", "dt", "message"),
    [
        (np.zeros(33, np.float32), None, 0.1, r"features float32 \(34,\), got float32 \(33,\)"),
        (np.zeros(34), None, 0.1, r"features float32 \(34,\), got float64 \(34,\)"),
        (None, np.zeros(64, np.float32), 0.1, r"a state float32 \(19,\), got float32 \(64,\)"),
        (None, np.zeros(19), 0.1, r"a state float32 \(19,\), got float64"),
        (None, None, -0.1, "dt in seconds, finite and >= 0, got -0.1"),
        (None, None, float("nan"), "dt in seconds, finite and >= 0, got nan"),
        (None, None, float("inf"), "dt in seconds, finite and >= 0, got inf"),
    ],
)
def test_rejects_invalid_arguments(x, state, dt, message):
    x = np.zeros(34, np.float32) if x is None else x
    state = FLIGHT.init_state() if state is None else state
    with pytest.raises(CellError, match=message):
        FLIGHT.step(x, state, dt)

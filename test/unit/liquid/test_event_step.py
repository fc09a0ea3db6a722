"""The wired CfC in fixed point and by events: exact sums, counts and bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.errors import CellError, ConfigError
from liquid_control.liquid import (
    CfC,
    CfCWeights,
    LayerWeights,
    Masking,
    Mode,
    auto_ncp,
    random_weights,
)
from liquid_control.liquid.event_step import EventCfC, Operations
from liquid_control.liquid.fixed_point import FixedCfC, FixedWeights, fixed_features
from liquid_control.liquid.wiring import Layer, Wiring

pytestmark = pytest.mark.unit

WEIGHTS = random_weights(auto_ncp(8, 12, 4), np.random.default_rng(5))
FIXED = FixedWeights.of(WEIGHTS)
ONE = 2**15


def walk(seed, steps, inputs=8):
    """Yield features that move slowly, as Q13, and irregular elapsed times, us."""
    rng, x = np.random.default_rng(seed), np.zeros(inputs)
    for _ in range(steps):
        x = np.clip(x + 0.1 * rng.standard_normal(inputs), -4, 4)
        dt_us = int(10 ** rng.uniform(3.5, 6.0)) if rng.random() < 0.3 else 50_000
        yield fixed_features(x.astype(np.float32)), dt_us


def chain():
    """Return one input, one inter and one motor neuron that has its own state as an input."""
    wiring = Wiring(
        layers=(Layer("inter", 1), Layer("motor", 1)),
        sensory=np.array([[1, 0]]),
        recurrent=np.array([[0, 1], [0, 0]]),
    )
    signs = np.array([1.0, -0.5, 0.5, 0.25])[:, None, None]
    maps = (signs * np.array([[[0.5, 0.0]]]), signs * np.array([[[0.5, 0.25]]]))
    layers = tuple(
        LayerWeights(weight.astype(np.float32), np.zeros((4, 1), np.float32)) for weight in maps
    )
    return CfCWeights(wiring, Masking.SYNAPSES, 0.05, layers)


def test_fixed_point_stays_near_the_reference():
    cell, fixed = CfC(WEIGHTS, np.float64), FixedCfC(FIXED)
    state, integers, worst = cell.init_state(), fixed.init_state(), 0.0
    for inputs, dt_us in walk(1, 300):
        _, state = cell.step(inputs[None] / 2**13, state, np.array([dt_us * 1e-6]))
        integers, _ = fixed.step(inputs, integers, dt_us)
        worst = max(worst, np.abs(integers / ONE - state[0]).max())
    assert worst < 0.04  # 2 % of the range, as for the exported C


def test_threshold_0_is_the_dense_form_bit_for_bit():
    dense, event = FixedCfC(FIXED), EventCfC(FIXED, 0.0)
    state, events = dense.init_state(), event.init_state()
    for inputs, dt_us in walk(2, 1000):
        state, gates = dense.step(inputs, state, dt_us)
        events, _ = event.step(inputs, events, dt_us)
        assert events.states.tolist() == state.tolist()
        assert events.gates.tolist() == gates.tolist()


@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.7])
def test_sums_never_drift_from_the_values_sent(threshold):
    """After 500 steps each sum equals the sum over the values sent, and those are near."""
    event, dense = EventCfC(FIXED, threshold), FixedCfC(FIXED)
    state = event.init_state()
    for inputs, dt_us in walk(3, 500):
        state, _ = event.step(inputs, state, dt_us)
        present = np.concatenate([inputs / 2**13, state.states / ONE])
        sent = state.sent / np.repeat([2**13, ONE], [8, 12])
        assert (np.abs(present - sent) <= threshold).all()
    exact = np.zeros_like(state.sums)
    ends = np.cumsum(FIXED.counts)
    for neuron, (end, count) in enumerate(zip(ends, FIXED.counts, strict=True)):
        for synapse in range(end - count, end):
            source = FIXED.sources[synapse]
            source -= 12 if source >= 20 else 0
            exact[neuron] += FIXED.weights[synapse] * state.sent[source]
    assert state.sums.tolist() == exact.tolist()
    assert dense.init_state().shape == state.states.shape


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    thresholds=st.lists(st.floats(0.0, 0.5), min_size=2, max_size=2).map(sorted),
    dt_us=st.integers(1_000, 400_000),
)
def test_a_step_stays_within_its_bound_which_grows_with_the_threshold(seed, thresholds, dt_us):
    low, high = (EventCfC(FIXED, threshold).step_bound(dt_us) for threshold in thresholds)
    assert (low <= high).all()
    event, dense = EventCfC(FIXED, thresholds[1]), FixedCfC(FIXED)
    state = event.init_state()
    for inputs, _ in walk(seed, 6):
        expected, _ = dense.step(inputs, state.states, dt_us)
        state, _ = event.step(inputs, state, dt_us)
        assert (np.abs(state.states - expected) / ONE <= high).all()


def test_operations_of_two_neurons_counted_by_hand():
    """Input -> inter; inter -> motor; the motor neuron also reads its own state: 3 synapses.

    A synapse costs 4 multiply-accumulates, a computed neuron 3, and 5 additions besides the test
    of its new state; each step tests one input and the elapsed time.
    """
    event = EventCfC(FixedWeights.of(chain()), 0.0)
    assert event.dense.macs == 4 * 3 + 3 * 2
    assert event.dense.additions == 5 * 2
    state, first = event.step(np.array([4096]), event.init_state(), 50_000)
    assert first == Operations(
        macs=4 * 3 + 3 * 2,
        additions=2 + 2 * 6,
        nonzero_macs=4 * 3 + 3 * 2,
        sent=3,
        sources=3,
        computed=2,
        neurons=2,
    )
    # Only the motor neuron has a changed sum: that of its own state.
    after, second = event.step(np.array([4096]), state, 50_000)
    moved = int(after.states[1] != state.states[1])
    assert moved == 1
    assert second.counts == (4 * moved + 3, 2 + 6, 18, 1, 3, 1, 2)
    # The elapsed time is a source: all neurons are computed, and both states move.
    _, third = event.step(np.array([4096]), after, 60_000)
    assert (third.macs, third.additions, third.computed) == (4 * 2 + 3 * 2, 2 + 2 * 6, 2)
    assert third.sparsity == pytest.approx(1 / 3)


def test_nothing_is_computed_where_nothing_moves():
    event = EventCfC(FIXED, 0.05)
    inputs, state = np.full(8, 2000), event.init_state()
    for _ in range(200):
        state, counts = event.step(inputs, state, 50_000)
    assert (counts.macs, counts.computed, counts.sent) == (0, 0, 0)
    assert counts.additions == 9
    assert counts.sparsity == 1.0


def test_a_change_of_exactly_the_threshold_is_not_sent():
    event = EventCfC(FIXED, 0.25)
    state, _ = event.step(np.zeros(8, np.int64), event.init_state(), 50_000)
    still, _ = event.step(np.full(8, 2048), state, 50_000)
    moved, _ = event.step(np.full(8, 2049), state, 50_000)
    assert still.sent[:8].tolist() == [0] * 8
    assert moved.sent[:8].tolist() == [2049] * 8


def test_a_step_leaves_its_arguments_unchanged():
    event = EventCfC(FIXED, 0.0)
    state = event.init_state()
    event.step(np.full(8, 3000), state, 50_000)
    assert not state.sums.any()
    assert not state.sent.any()
    assert state.waiting.all()


def test_refusals():
    for threshold in (-0.1, 4.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="threshold of the core in"):
            EventCfC(FIXED, threshold)
    event = EventCfC(FIXED, 0.0)
    with pytest.raises(CellError, match="expected 8 inputs"):
        event.step(np.zeros(7, np.int64), event.init_state(), 50_000)
    with pytest.raises(CellError, match=r"dt >= 0 us, got .* and -1"):
        event.step(np.zeros(8, np.int64), event.init_state(), -1)
    pure = random_weights(auto_ncp(5, 12, 4), np.random.default_rng(0), mode=Mode.PURE)
    with pytest.raises(CellError, match="expected a CfC in mode 'default', got 'pure'"):
        FixedWeights.of(pure)

"""Derivatives of a step of a wired CfC, and what passes through its synapses."""

import numpy as np
import pytest

from liquid_control.errors import CellError
from liquid_control.liquid import CfC, Masking, Mode, auto_ncp, random_weights
from liquid_control.liquid.activity import step_activity

pytestmark = pytest.mark.unit

DT_S = 0.037
STEP = 1e-6


@pytest.fixture
def moment(rng):
    return rng.uniform(-1.0, 1.0, 34), rng.uniform(-0.9, 0.9, 19)


def after(weights, x, before):
    """Return the state after a step, float64 [N], by the reference."""
    return CfC(weights, np.float64).step(x[None], before[None], DT_S)[1][0]


def test_a_synapse_passes_the_derivative_times_the_value_of_its_source(weights, moment):
    x, before = moment
    wiring = weights.wiring
    found = step_activity(weights, x, before, DT_S)
    np.testing.assert_allclose(found.states, after(weights, x, before), atol=1e-12)
    inter, command, motor = wiring.slices
    for source in range(wiring.inputs):
        moved = x + STEP * np.eye(wiring.inputs)[source]
        back = x - STEP * np.eye(wiring.inputs)[source]
        slope = (after(weights, moved, before) - after(weights, back, before)) / (2 * STEP)
        expected = slope[inter] * x[source] * (wiring.sensory[source, inter] != 0)
        np.testing.assert_allclose(found.sensory[source, inter], expected, atol=1e-8)
    assert not found.sensory[:, command.start :].any()
    # A synapse within the command layer carries the state before the step.
    for source in range(command.start, command.stop):
        moved = before + STEP * np.eye(wiring.neurons)[source]
        back = before - STEP * np.eye(wiring.neurons)[source]
        slope = (after(weights, x, moved) - after(weights, x, back)) / (2 * STEP)
        expected = slope[command] * before[source] * (wiring.recurrent[source, command] != 0)
        np.testing.assert_allclose(found.recurrent[source, command], expected, atol=1e-8)
    assert found.recurrent[command, motor].any()


def test_only_synapses_of_the_wiring_pass_something(weights, moment):
    found = step_activity(weights, *moment, DT_S)
    for passed, polarity in zip(
        found.passed, (weights.wiring.sensory, weights.wiring.recurrent), strict=True
    ):
        assert np.count_nonzero(passed[polarity != 0]) > 0.9 * np.count_nonzero(polarity)
        assert not passed[polarity == 0].any()


def test_wrong_shapes_and_modes_are_refused(weights, moment, rng):
    x, before = moment
    with pytest.raises(
        CellError, match=r"expected features \[34\] and a state \[19\], got \[33\]"
    ):
        step_activity(weights, x[:-1], before, DT_S)
    pure = random_weights(auto_ncp(34, 19, 4), rng, masking=Masking.SYNAPSES, mode=Mode.PURE)
    with pytest.raises(CellError, match="mode 'default', got one in mode 'pure'"):
        step_activity(pure, x, before, DT_S)

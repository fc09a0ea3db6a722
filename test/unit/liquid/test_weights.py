import numpy as np
import pytest

from liquid_control.errors import CellError
from liquid_control.liquid import CfC, CfCWeights, LayerWeights, Masking, auto_ncp, random_weights

pytestmark = pytest.mark.unit

WIRING = auto_ncp(34, 19, 4)


def test_arrays_round_trip(weights):
    arrays = weights.arrays()
    assert arrays["cfc.1.weight"].shape == (4, 6, 15)
    back = CfCWeights.from_arrays(arrays, weights.wiring, weights.masking, weights.time_unit_s)
    for one, two in zip(back.layers, weights.layers, strict=True):
        np.testing.assert_array_equal(one.weight, two.weight)
        np.testing.assert_array_equal(one.bias, two.bias)


def test_rejects_a_missing_array(weights):
    arrays = weights.arrays()
    del arrays["cfc.2.bias"]
    with pytest.raises(CellError, match=r"expected an array cfc\.2\.bias, got"):
        CfCWeights.from_arrays(arrays, weights.wiring, weights.masking, 0.05)


def test_rejects_weights_outside_the_wiring(weights):
    first, *rest = weights.layers
    layers = (LayerWeights(np.ones_like(first.weight), first.bias), *rest)
    with pytest.raises(CellError, match=r"weight of layer 0: expected zeros where masking"):
        CfCWeights(weights.wiring, weights.masking, 0.05, layers)


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        (np.zeros((4, 8), np.float32), r"bias of layer 0: expected float32 \(4, 9\), got float32"),
        (np.zeros((4, 9)), r"expected float32 \(4, 9\), got float64 \(4, 9\)"),
        (np.full((4, 9), np.nan, np.float32), "expected finite numbers, got NaN or infinity"),
    ],
)
def test_rejects_arrays_that_do_not_fit(weights, bias, message):
    first, *rest = weights.layers
    with pytest.raises(CellError, match=message):
        CfCWeights(
            weights.wiring, weights.masking, 0.05, (LayerWeights(first.weight, bias), *rest)
        )


def test_rejects_time_units(weights):
    with pytest.raises(CellError, match="time_unit_s must be positive, got 0"):
        CfCWeights(weights.wiring, weights.masking, 0.0, weights.layers)
    with pytest.raises(CellError, match="the wiring has 3 layers, got weights of 2"):
        CfCWeights(weights.wiring, weights.masking, 0.05, weights.layers[:2])


def test_same_seed_same_weights():
    one, two, other = (random_weights(WIRING, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.layers[0].weight, two.layers[0].weight)
    assert (one.layers[0].weight != other.layers[0].weight).any()


def test_untrained_states_neither_freeze_nor_forget():
    """Two states with the same inputs differ after 0.1 s and agree after 10 s."""
    cell = CfC(random_weights(WIRING, np.random.default_rng(0), masking=Masking.SYNAPSES))
    rng = np.random.default_rng(1)
    steps = 200
    x = np.repeat(rng.uniform(-1, 1, (1, steps, 34)), 2, axis=0)
    state = np.stack([np.full(19, 0.3), np.full(19, -0.3)])
    dt = np.full((2, steps), 0.05)
    _, soon = cell.sequence(x[:, :2], state, dt[:, :2])
    _, late = cell.sequence(x, state, dt)
    assert np.abs(soon[0] - soon[1]).max() > 0.05
    assert np.abs(late[0] - late[1]).max() < 0.01
    assert late.std() > 0.2
    _, _, gates = cell.step_with_gates(x[:, 0], state, dt[:, 0])
    assert 0.2 < np.median(gates) < 0.8

import ncps.wirings
import numpy as np
import pytest

from liquid_control.errors import CellError
from liquid_control.liquid import Layer, Wiring
from liquid_control.liquid.ncps_wiring import wiring_from_ncps
from liquid_control.liquid.wiring_generators import fully_connected, random_wiring

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("inputs", "units", "outputs"), [(3, 8, 8), (5, 6, 2), (1, 1, 1)])
@pytest.mark.parametrize("self_connections", [True, False])
def test_fully_connected_equals_ncps(inputs, units, outputs, self_connections):
    theirs = ncps.wirings.FullyConnected(units, outputs, 7, self_connections)
    theirs.build(inputs)
    ours = fully_connected(inputs, units, outputs, self_connections=self_connections, seed=7)
    assert ours == wiring_from_ncps(theirs)
    assert ours.synapse_count == units * (units - (not self_connections))
    assert ours.sensory_synapse_count == inputs * units


@pytest.mark.parametrize(
    ("inputs", "units", "outputs", "sparsity"), [(3, 8, 8, 0.5), (5, 6, 2, 0.25), (2, 9, 4, 0.0)]
)
def test_random_wiring_equals_ncps(inputs, units, outputs, sparsity):
    theirs = ncps.wirings.Random(units, outputs, sparsity, 5)
    theirs.build(inputs)
    ours = random_wiring(inputs, units, outputs, sparsity_level=sparsity, seed=5)
    assert ours == wiring_from_ncps(theirs)
    assert ours.synapse_count == round(units * units * (1 - sparsity))
    assert ours.sensory_synapse_count == round(inputs * units * (1 - sparsity))


def test_motor_neurons_are_the_last_layer_and_the_outputs_of_ncps():
    theirs = ncps.wirings.FullyConnected(5, 2)
    theirs.build(3)
    ours = wiring_from_ncps(theirs)
    assert ours.layers == (Layer("inter", 3), Layer("motor", 2))
    np.testing.assert_array_equal(ours.recurrent[3:, 3:], theirs.adjacency_matrix[:2, :2])
    np.testing.assert_array_equal(ours.recurrent[:3, 3:], theirs.adjacency_matrix[2:, :2])
    np.testing.assert_array_equal(ours.sensory[:, 3:], theirs.sensory_adjacency_matrix[:, :2])


def test_manually_built_ncps_wiring():
    theirs = ncps.wirings.Wiring(3)
    theirs.set_output_dim(1)
    theirs.add_synapse(2, 0, -1)
    with pytest.raises(CellError, match="expected a built ncps wiring with outputs"):
        wiring_from_ncps(theirs)
    theirs.build(2)
    theirs.add_sensory_synapse(1, 2, 1)
    ours = wiring_from_ncps(theirs)
    assert ours.names == ("inter_0", "inter_1", "motor_0")
    assert ours.to_dict()["recurrent"] == ["...", "..-", "..."]
    assert ours.to_dict()["sensory"] == ["...", ".+."]
    unfinished = ncps.wirings.Wiring(3)
    unfinished.build(2)
    with pytest.raises(CellError, match=r"call build\(inputs\) and set_output_dim\(outputs\)"):
        wiring_from_ncps(unfinished)


def test_json_round_trip():
    wiring = random_wiring(4, 7, 3, sparsity_level=0.5)
    assert Wiring.from_json(wiring.to_json()) == wiring
    with pytest.raises(CellError, match="expected a wiring as JSON, got 'layers:'"):
        Wiring.from_json("layers:")
    with pytest.raises(CellError, match="a wiring has the keys layers, recurrent and sensory"):
        Wiring.from_json("[1]")


def test_seeds_give_different_wirings():
    assert fully_connected(3, 6, seed=1) != fully_connected(3, 6, seed=2)
    assert random_wiring(3, 6, sparsity_level=0.5) != random_wiring(
        3, 6, sparsity_level=0.5, seed=2
    )


def test_rejects_sizes():
    with pytest.raises(CellError, match="1 <= outputs <= units, got 3 inputs, 7 outputs and 6"):
        fully_connected(3, 6, 7)
    with pytest.raises(CellError, match="got 0 inputs, 6 outputs and 6 units"):
        random_wiring(0, 6)
    with pytest.raises(CellError, match="at least 0 and below 1, got 1"):
        random_wiring(3, 6, sparsity_level=1.0)

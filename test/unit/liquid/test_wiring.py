import json

import ncps.wirings
import numpy as np
import pytest
import yaml

from liquid_control.errors import CellError
from liquid_control.liquid import Layer, Masking, Wiring, auto_ncp, layer_masks, ncp, weight_count
from liquid_control.liquid.ncps_wiring import wiring_from_ncps

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("inputs", "units", "outputs", "sparsity", "seed"),
    [
        (34, 19, 4, 0.5, 22222),
        (3, 19, 4, 0.5, 1),
        (34, 34, 4, 0.75, 7),
        (5, 64, 20, 0.2, 3),
        (1, 10, 2, 0.9, 5),
    ],
)
def test_auto_ncp_equals_ncps(inputs, units, outputs, sparsity, seed):
    theirs = ncps.wirings.AutoNCP(units, outputs, sparsity, seed)
    theirs.build(inputs)
    ours = auto_ncp(inputs, units, outputs, sparsity, seed)
    assert ours == wiring_from_ncps(theirs)
    assert ours.synapse_count == theirs.synapse_count
    assert ours.sensory_synapse_count == theirs.sensory_synapse_count


def test_ncp_equals_ncps():
    theirs = ncps.wirings.NCP(12, 6, 1, 4, 3, 6, 5, seed=4)
    theirs.build(32)
    ours = ncp(
        32,
        inter=12,
        command=6,
        motor=1,
        sensory_fanout=4,
        inter_fanout=3,
        recurrent_command_synapses=6,
        motor_fanin=5,
        seed=4,
    )
    assert ours == wiring_from_ncps(theirs)


def test_nineteen_neurons():
    wiring = auto_ncp(34, 19, 4)
    assert wiring.layers == (Layer("inter", 9), Layer("command", 6), Layer("motor", 4))
    assert (wiring.inputs, wiring.neurons, wiring.outputs) == (34, 19, 4)
    assert wiring.names[0] == "inter_0"
    assert wiring.names[9] == "command_0"
    assert wiring.names[-1] == "motor_3"
    assert wiring.slices == (slice(0, 9), slice(9, 15), slice(15, 19))
    assert (wiring.synapse_count, wiring.sensory_synapse_count) == (45, 136)


@pytest.mark.parametrize("through", [json, yaml])
def test_round_trip_through_text(through):
    wiring = auto_ncp(34, 19, 4, seed=3)
    text = json.dumps(wiring.to_dict()) if through is json else yaml.safe_dump(wiring.to_dict())
    back = Wiring.from_dict(json.loads(text) if through is json else yaml.safe_load(text))
    assert back == wiring
    assert hash(back) == hash(wiring)
    assert back != auto_ncp(34, 19, 4, seed=4)


def test_synapses_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        auto_ncp(34, 19, 4).recurrent[0, 0] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sensory": ["+-"]}, r"sensory synapses must have shape \(inputs, 3\), got \(1, 2\)"),
        ({"sensory": ["+-x"]}, "rows of [+], - and . of one length"),
        ({"recurrent": ["..."]}, r"recurrent synapses must have shape \(3, 3\), got \(1, 3\)"),
        ({"layers": [{"role": "motor"}]}, "a role and a size"),
        ({"layers": []}, "layers of at least one neuron"),
    ],
)
def test_rejects_damaged_text(change, message):
    content = {
        "layers": [{"role": "inter", "size": 2}, {"role": "motor", "size": 1}],
        "sensory": ["++."],
        "recurrent": ["..+", "..-", "..."],
    }
    assert Wiring.from_dict(content).synapse_count == 2
    with pytest.raises(CellError, match=message):
        Wiring.from_dict({**content, **change})


def test_rejects_unknown_keys():
    with pytest.raises(CellError, match="has the keys layers, recurrent and sensory, got"):
        Wiring.from_dict({"neurons": 3})


def test_rejects_invalid_polarities():
    with pytest.raises(CellError, match="must be -1, 0 or 1, got"):
        Wiring((Layer("motor", 1),), np.array([[2]], dtype=np.int8), np.zeros((1, 1), np.int8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((34, 6, 4), "outputs must be between 1 and units - 3 = 3, got 4"),
        ((34, 19, 4, 0.95), "sparsity_level must be between 0.1 and 0.9, got 0.95"),
        ((0, 19, 4), "inputs must be at least 1, got 0"),
    ],
)
def test_rejects_sizes(arguments, message):
    with pytest.raises(CellError, match=message):
        auto_ncp(*arguments)


def test_rejects_fan_outs():
    with pytest.raises(CellError, match="motor_fanin must be between 1 and the 2 command neurons"):
        ncp(
            3,
            inter=3,
            command=2,
            motor=1,
            sensory_fanout=1,
            inter_fanout=1,
            recurrent_command_synapses=1,
            motor_fanin=3,
        )


def test_masks_contain_the_synapses_and_the_own_state():
    wiring = auto_ncp(34, 19, 4)
    inter, command, motor = layer_masks(wiring, Masking.SYNAPSES)
    assert inter.shape == (4, 9, 43)
    assert command.shape == (4, 6, 15)
    assert motor.shape == (4, 4, 10)
    total = sum(int(mask[0].sum()) for mask in (inter, command, motor))
    loops = int(np.count_nonzero(np.diag(wiring.recurrent)))
    assert total == 136 + 45 + 19 - loops
    for mask in (inter, command, motor):
        assert (mask == mask[:1]).all()
    np.testing.assert_array_equal(command[0, :, :9], wiring.recurrent[:9, 9:15].T != 0)


def test_differences_of_the_maskings():
    wiring = auto_ncp(34, 19, 4)
    sparse, layers, dense = (layer_masks(wiring, masking) for masking in Masking)
    for one, two, three in zip(sparse, layers, dense, strict=True):
        assert (one <= two).all()
        assert (two[:2] == three[:2]).all()
        assert three[2:].all()
        assert not two[2:].all()
    assert weight_count(wiring, Masking.SYNAPSES) < weight_count(wiring, Masking.LAYERS)
    assert weight_count(wiring, Masking.LAYERS) < weight_count(wiring, Masking.NCPS)


def test_rejects_synapses_between_layers_that_are_not_adjacent():
    layers = (Layer("inter", 1), Layer("command", 1), Layer("motor", 1))
    recurrent = np.zeros((3, 3), dtype=np.int8)
    recurrent[0, 2] = 1
    sensory = np.array([[1, 0, 0]], dtype=np.int8)
    with pytest.raises(
        CellError, match="neighbouring layers only, got a synapse inter_0 -> motor"
    ):
        layer_masks(Wiring(layers, sensory, recurrent), Masking.SYNAPSES)
    with pytest.raises(CellError, match="sensory synapses must end in the first layer, inter"):
        layer_masks(Wiring(layers, sensory[:, ::-1], 0 * recurrent), Masking.SYNAPSES)

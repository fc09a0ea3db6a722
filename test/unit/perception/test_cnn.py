"""Perception network in torch: sizes, weights and gradients."""

import numpy as np
import pytest
import torch

from liquid_control.config import validate
from liquid_control.errors import ConfigError, ModelError
from liquid_control.export import perception_graph
from liquid_control.perception import PerceptionSpec
from liquid_control.perception.cnn import PerceptionCNN

pytestmark = pytest.mark.unit

NETWORK = PerceptionCNN(seed=3)
GRAPH = perception_graph(NETWORK.spec, NETWORK.arrays())
PICTURE = np.random.default_rng(0).normal(0, 1, (3, 54, 96)).astype(np.float32)


def test_default_size():
    spec = PerceptionSpec()
    assert spec.map_shape == (48, 5, 8)
    count = sum(parameter.numel() for parameter in NETWORK.parameters())
    assert count == sum(int(np.prod(shape)) for shape in spec.array_shapes().values())
    assert 50_000 < count < 150_000
    assert len(GRAPH) < 1_000_000


def test_features_are_bounded():
    features = NETWORK(torch.tensor(100 * PICTURE)[None])
    assert features.shape == (1, 28)
    assert (features.abs() <= 1).all()


def test_weights_round_trip():
    other = PerceptionCNN(seed=4)
    assert (
        other.arrays()["perception.conv0.weight"] != NETWORK.arrays()["perception.conv0.weight"]
    ).any()
    other.load_arrays(NETWORK.arrays())
    for name, array in NETWORK.arrays().items():
        np.testing.assert_array_equal(other.arrays()[name], array)


def test_every_weight_has_a_gradient():
    network = PerceptionCNN(seed=0)
    network(torch.tensor(PICTURE).repeat(2, 1, 1, 1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_rejects_arrays_that_do_not_fit():
    arrays = NETWORK.arrays()
    arrays["perception.linear.bias"] = np.zeros(27, np.float32)
    message = r"perception\.linear\.bias: expected an array of shape \(28,\), got \(27,\)"
    with pytest.raises(ModelError, match=message):
        PerceptionCNN().load_arrays(arrays)
    with pytest.raises(ModelError, match=message):
        perception_graph(NETWORK.spec, arrays)
    del arrays["perception.linear.bias"]
    with pytest.raises(ModelError, match="got nothing"):
        perception_graph(NETWORK.spec, arrays)


def test_rejects_specs_without_output_pixels():
    content = {
        "height": 8,
        "width": 8,
        "convolutions": [{"channels": 2, "kernel": 9, "stride": 1, "padding": 0}],
    }
    with pytest.raises(ConfigError, match="the convolutions leave nothing of 8x8"):
        validate(PerceptionSpec, content, "spec")

"""Perception network in ONNX Runtime against torch, and its errors."""

import numpy as np
import pytest
import torch

from liquid_control.command import MotorScaling
from liquid_control.errors import ModelError, ObservationError
from liquid_control.export import controller_graph, perception_graph
from liquid_control.liquid import auto_ncp, random_weights
from liquid_control.perception import Convolution, Encoder, PerceptionSpec
from liquid_control.perception.cnn import PerceptionCNN

pytestmark = pytest.mark.unit

NETWORK = PerceptionCNN(seed=3)
GRAPH = perception_graph(NETWORK.spec, NETWORK.arrays())
PICTURE = np.random.default_rng(0).normal(0, 1, (3, 54, 96)).astype(np.float32)


def test_onnx_equals_torch():
    expected = NETWORK(torch.tensor(PICTURE)[None])[0].detach().numpy()
    got = Encoder(GRAPH).encode(PICTURE)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert np.abs(expected).mean() > 0.1


def test_other_architectures_are_exported():
    spec = PerceptionSpec(
        height=40,
        width=60,
        convolutions=(
            Convolution(channels=4, kernel=5, stride=2, padding=0),
            Convolution(channels=7, kernel=3, stride=3, padding=2),
        ),
        features=5,
    )
    network = PerceptionCNN(spec, seed=1)
    picture = np.random.default_rng(1).normal(0, 1, (3, 40, 60)).astype(np.float32)
    got = Encoder(perception_graph(spec, network.arrays())).encode(picture)
    np.testing.assert_allclose(got, network(torch.tensor(picture)[None])[0].detach(), atol=1e-5)


def test_two_sessions_give_equal_bits():
    one, two = Encoder(GRAPH), Encoder(GRAPH)
    np.testing.assert_array_equal(one.encode(PICTURE), two.encode(PICTURE))


def test_rejects_pictures_that_do_not_fit():
    encoder = Encoder(GRAPH)
    with pytest.raises(ObservationError, match=r"picture float32 \(3, 54, 96\), got float32 \(3,"):
        encoder.encode(PICTURE[:, :40])
    with pytest.raises(ObservationError, match=r"got float64 \(3, 54, 96\)"):
        encoder.encode(PICTURE.astype(float))


def test_rejects_graphs():
    with pytest.raises(ModelError, match="expected an ONNX graph, got one that does not load"):
        Encoder(b"no graph")
    weights = random_weights(auto_ncp(34, 19, 4), np.random.default_rng(0))
    with pytest.raises(ModelError, match="expected a graph from pictures"):
        Encoder(controller_graph(weights, MotorScaling()))


def test_a_mounted_network_takes_the_mount():
    spec = PerceptionSpec(hidden=20, mount=True, features=9)
    network = PerceptionCNN(spec, seed=2)
    encoder = Encoder(perception_graph(spec, network.arrays()))
    low, high = (np.array(mount, np.float32) for mount in ((-0.5, 0.0), (1.0, 1.0)))
    expected = network(torch.tensor(PICTURE)[None], torch.tensor(high)[None])[0].detach()
    np.testing.assert_allclose(encoder.encode(PICTURE, high), expected, atol=1e-5)
    assert np.abs(encoder.encode(PICTURE, low) - encoder.encode(PICTURE, high)).max() > 1e-3
    with pytest.raises(ObservationError, match="expected the camera's mount, got none"):
        encoder.encode(PICTURE)


def test_a_mount_needs_a_hidden_layer():
    with pytest.raises(ValueError, match="mount needs a hidden layer"):
        PerceptionSpec(mount=True)

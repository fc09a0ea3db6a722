"""ONNX graphs of a loaded model, and the perception network in 8 bits."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import liquid_control.export as package
from liquid_control.errors import BagError, DependencyError
from liquid_control.export import int8_perception, model_files, onnx_files
from liquid_control.export.model_files import recorded_pictures
from liquid_control.perception import Encoder, standardise
from liquid_control.policy import Policy, load_model

pytestmark = pytest.mark.unit

FLIGHT = Path(__file__).parents[2] / "golden" / "flight.mcap"
MOUNT = np.zeros(2, np.float32)


@pytest.fixture(scope="module")
def graph(model):
    return int8_perception(model, FLIGHT)


def test_features_in_8_bits_are_near_those_in_float(model, graph):
    """Over the 96 pictures of the recording; features have a range of 2."""
    exact, coarse = Encoder(model.perception), Encoder(graph)
    differences = []
    for picture in recorded_pictures(model, FLIGHT):
        inputs = standardise(picture), MOUNT
        differences.append(coarse.encode(*inputs) - exact.encode(*inputs))
    assert len(differences) == 96
    assert 0.001 < np.sqrt(np.mean(np.square(differences))) < 0.02


def test_graph_is_a_quarter_of_the_size_and_takes_the_place_of_the_first(model, graph):
    assert len(graph) < 0.3 * len(model.perception)
    policy = Policy(replace(model, perception=graph))
    assert policy.feature_count == 41
    assert policy.needed_inputs == Policy(model).needed_inputs


def test_same_recording_gives_the_same_graph(model, graph):
    assert int8_perception(model, FLIGHT) == graph


def test_a_network_without_mount_is_quantised():
    model = load_model("trail_from_bags")
    coarse = Encoder(int8_perception(model, FLIGHT))
    assert not coarse.mounted
    assert coarse.features == 28


def test_files_of_a_model(model, graph):
    files = onnx_files(model)
    assert sorted(files) == ["controller.onnx", "perception.onnx"]
    assert files["perception.onnx"] == model.perception
    assert onnx_files(model, FLIGHT) == files | {"perception_int8.onnx": graph}
    gru = load_model("trail_gru")
    assert onnx_files(gru) == {
        "perception.onnx": gru.perception,
        "controller.onnx": gru.controller,
    }


def test_pictures_are_at_equal_distances_in_a_long_recording(model, monkeypatch):
    every = recorded_pictures(model, FLIGHT)
    monkeypatch.setattr(model_files, "MOST_PICTURES", 30)
    some = recorded_pictures(model, FLIGHT)
    assert len(some) == 24
    for index, picture in enumerate(some):
        np.testing.assert_array_equal(picture, every[4 * index])


def test_a_recording_without_the_view_of_the_model_is_refused(model, monkeypatch):
    monkeypatch.setattr(model_files, "LEAST_PICTURES", 97)
    with pytest.raises(
        BagError, match="at least 97 pictures that show the view of trail_cfc19, got 96"
    ):
        recorded_pictures(model, FLIGHT)


def test_only_graphs_need_the_package_onnx(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert onnx_files(load_model("trail_gru"))
    with pytest.raises(DependencyError, match="onnx is not installed and is needed to write ONNX"):
        onnx_files(model)
    with pytest.raises(DependencyError, match="onnx is not installed and is needed to quantise"):
        int8_perception(model, FLIGHT)


@pytest.mark.parametrize("name", package.__all__)
def test_every_export_resolves(name):
    assert getattr(package, name).__name__ == name
    assert name in dir(package)


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'controller_d'"):
        _ = package.controller_d

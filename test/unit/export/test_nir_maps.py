"""Export to NIR: a file that the package reads back with the numbers of the model."""

import sys

import numpy as np
import pytest

from liquid_control.cli import main
from liquid_control.errors import DependencyError, ModelError
from liquid_control.export import nir_graph
from liquid_control.export.nir_maps import MISSING, NIR_FILE
from liquid_control.liquid import CfC
from liquid_control.perception import Encoder, standardise
from liquid_control.policy import load_model

pytestmark = pytest.mark.unit


def convolved(node, maps):
    """Apply a NIR convolution to maps [C, H, W]."""
    (down, across), (top, left) = np.atleast_1d(node.stride), np.atleast_1d(node.padding)
    padded = np.pad(maps, [(0, 0), (top, top), (left, left)])
    kernel = node.weight.shape[2:]
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    windows = windows[:, ::down, ::across]
    return np.einsum("chwyx,ocyx->ohw", windows, node.weight) + node.bias[:, None, None]


def test_file_read_back_gives_the_numbers_of_the_policy(tmp_path, capsys):
    """What NIR lacks, ReLU, tanh and gates, is computed here; every linear map is the file's."""
    nir = pytest.importorskip("nir", reason="nir is not installed (extra nir)")
    out = ["--target", "nir", "--out", str(tmp_path)]
    assert main.main(["export", "--model", "trail_cfc19", *out]) == 0
    assert f"NIR holds the linear maps only; its primitives have no {MISSING[0]}" in " ".join(
        capsys.readouterr().err.split()
    )
    graph, model = nir.read(tmp_path / NIR_FILE), load_model("trail_cfc19")
    assert graph.metadata["missing"] == "; ".join(MISSING)
    picture = np.random.default_rng(1).integers(0, 256, (72, 128, 3)).astype(np.uint8)
    mount = np.array([0.2, -0.1], np.float32)
    maps = standardise(picture)
    for index in range(4):
        node = graph.nodes[f"perception.conv{index}"]
        assert tuple(node.input_type["input"]) == maps.shape
        maps = np.maximum(convolved(node, maps), 0.0)
        assert node.metadata["then"] == "relu"
    hidden, linear = graph.nodes["perception.hidden"], graph.nodes["perception.linear"]
    flat = np.concatenate([maps.ravel(), mount])
    flat = np.maximum(hidden.weight @ flat + hidden.bias, 0.0)
    features = np.tanh(linear.weight @ flat + linear.bias)
    expected = Encoder(model.perception).encode(standardise(picture), mount)
    np.testing.assert_allclose(features, expected, atol=2e-5)
    cell = CfC(model.weights, np.float64)
    x = np.random.default_rng(2).uniform(-1, 1, (1, 41))
    state = np.random.default_rng(3).uniform(-1, 1, (1, 19))
    _, expected = cell.step(x, state, np.array([0.07]))
    above, after = x[0], []
    for layer, own in zip(model.weights.wiring.layers, model.weights.wiring.slices, strict=True):
        node = graph.nodes[f"core.{layer.role}"]
        ff1, ff2, time_a, time_b = np.split(
            node.weight @ np.concatenate([above, state[0, own]]) + node.bias, 4
        )
        gate = 1 / (1 + np.exp(-(time_a * 0.07 / node.metadata["time_unit_s"] + time_b)))
        above = np.tanh(ff1) * (1 - gate) + np.tanh(ff2) * gate
        after.append(above)
    np.testing.assert_allclose(np.concatenate(after), expected[0], atol=1e-12)


def test_each_map_has_an_input_and_an_output():
    pytest.importorskip("nir", reason="nir is not installed (extra nir)")
    graph = nir_graph(load_model("trail_cfc19"))
    maps = [name for name in graph.nodes if not name.endswith(("put",))]
    assert len(maps) == 9
    assert len(graph.inputs) == len(graph.outputs) == 9
    assert sorted(graph.edges) == sorted(
        edge for name in maps for edge in ((f"{name}.input", name), (name, f"{name}.output"))
    )


def test_without_the_package_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(DependencyError, match="nir is not installed and is needed to export"):
        nir_graph(load_model("trail_cfc19"))


def test_another_core_is_refused():
    with pytest.raises(ModelError, match="trail_gru: expected core cfc_wired for NIR"):
        nir_graph(load_model("trail_gru"))

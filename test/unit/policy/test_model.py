import hashlib
import shutil

import numpy as np
import pytest
import yaml

from liquid_control.config import project_file
from liquid_control.errors import ModelError, OutputError
from liquid_control.export import model_graphs
from liquid_control.liquid import Masking
from liquid_control.policy import ModelCore, load_model, save_model

pytestmark = pytest.mark.unit


def edit(folder, **change):
    path = folder / "model.yaml"
    content = yaml.safe_load(path.read_text())
    for key, value in change.items():
        merge = isinstance(value, dict) and key == "core"
        content[key] = {**content[key], **value} if merge else value
    path.write_text(yaml.safe_dump(content))


def restamp(folder, name):
    sums = yaml.safe_load((folder / "model.yaml").read_text())["sha256"]
    sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    edit(folder, sha256=sums)


def test_a_saved_model_is_loaded_unchanged(folder, settings, arrays):
    model = load_model(folder)
    assert model.name == "demo"
    assert model.settings.model_copy(update={"sha256": {}}) == settings
    assert model.weights.wiring == settings.core.circuit
    assert set(model.arrays) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(model.arrays[name], array)
    assert (folder / "README.md").read_text() == "# demo\n"
    with np.load(folder / "weights.npz") as stored:
        assert set(stored.files) == {name for name in arrays if name.startswith("cfc.")}


def test_same_model_same_files(folder, tmp_path, settings, arrays):
    other = tmp_path / "again"
    save_model(other, settings, arrays, model_graphs(settings, arrays), "# demo\n")
    for path in folder.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def test_saving_replaces_the_older_model(folder, settings, arrays):
    (folder / "stray.txt").write_text("x")
    renamed = settings.model_copy(update={"name": "second"})
    save_model(folder, renamed, arrays, model_graphs(settings, arrays), "# second\n")
    assert load_model(folder).name == "second"
    assert not (folder / "stray.txt").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["demo"]


def test_a_save_that_fails_leaves_nothing(tmp_path, settings, arrays):
    graphs = model_graphs(settings, arrays)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file/demo: cannot be written \("):
        save_model(tmp_path / "file" / "demo", settings, arrays, graphs, "")
    with pytest.raises(
        OutputError, match=r"expected graphs perception\.onnx and controller\.onnx"
    ):
        save_model(tmp_path / "demo", settings, arrays, {}, "")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_missing_folder_lists_the_models_next_to_it(folder):
    with pytest.raises(
        ModelError, match=r"models/other does not exist; models in .*models: demo$"
    ):
        load_model(folder.parent / "other")
    with pytest.raises(ModelError, match=r"does not exist; models in .*: none$"):
        load_model(folder / "deeper")


def test_folder_without_a_model(folder):
    (folder.parent / "empty").mkdir()
    with pytest.raises(ModelError, match=r"models/empty has no model\.yaml; models in .*: demo$"):
        load_model(folder.parent / "empty")


@pytest.mark.parametrize("name", ["weights.npz", "perception.onnx", "controller.onnx"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: cannot be read"):
        load_model(folder)


@pytest.mark.parametrize("name", ["weights.npz", "perception.onnx", "controller.onnx"])
def test_damaged_file(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name}: expected sha256 [0-9a-f]+…, got [0-9a-f]+…"):
        load_model(folder)


def test_file_without_a_checksum(folder):
    edit(folder, sha256={})
    with pytest.raises(ModelError, match=r"weights\.npz: expected sha256 none in model\.yaml"):
        load_model(folder)


@pytest.mark.parametrize("schema", [1, None, "2.0"])
def test_unknown_schema(folder, schema):
    edit(folder, schema=schema)
    with pytest.raises(ModelError, match=r"model\.yaml: expected schema 2, got"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neurons": 19}, "unknown key neurons"),
        ({"name": "../up"}, "name: string should match pattern"),
        ({"core": {"time_unit_s": 0}}, "core.time_unit_s: input should be greater than 0, got 0"),
        (
            {"core": {"wiring": {"layers": []}}},
            "a wiring has the keys layers, recurrent and sensory",
        ),
        (
            {"core": {"masking": "thin"}},
            "core.masking: input should be 'synapses', 'layers' or 'ncps'",
        ),
        ({"features": {"image": 27}}, "features.image must equal perception.features, 28, got 27"),
        ({"camera": {"width": 128}}, "camera.width must equal perception.width, 96, got 128"),
    ],
)
def test_model_yaml_that_does_not_fit(folder, change, message):
    edit(folder, **change)
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_model_yaml_that_is_not_yaml(folder):
    (folder / "model.yaml").write_text("a: [")
    with pytest.raises(ModelError, match=r"model\.yaml: is not YAML"):
        load_model(folder)


def test_a_perception_network_of_other_shapes(folder):
    shutil.copy(project_file("models/trail_cfc19") / "perception.onnx", folder)
    restamp(folder, "perception.onnx")
    text = r"perception\.conv0\.weight: expected shape \(16, 3, 6, 6\), got \(24, 3, 6, 6\)$"
    with pytest.raises(ModelError, match=text):
        load_model(folder)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("perception.onnx", b"\x3a\x05no", "an ONNX graph with its weights"),
        ("weights.npz", b"PK nothing", "an archive of arrays"),
    ],
)
def test_a_file_of_weights_that_cannot_be_read(folder, name, content, expected):
    (folder / name).write_bytes(content)
    restamp(folder, name)
    with pytest.raises(ModelError, match=rf"{name}: expected {expected}"):
        load_model(folder)


def test_an_older_folder_holds_the_perception_network_twice(folder, arrays):
    np.savez(folder / "weights.npz", **arrays)
    restamp(folder, "weights.npz")
    for name, array in load_model(folder).arrays.items():
        np.testing.assert_array_equal(array, arrays[name])
    np.savez(folder / "weights.npz", **{**arrays, "perception.conv0.bias": arrays["cfc.0.bias"]})
    restamp(folder, "weights.npz")
    text = r"perception\.onnx: sha256 .* without its perception\.conv0\.bias; it belongs"
    with pytest.raises(ModelError, match=text):
        load_model(folder)


def test_weights_of_another_wiring(folder, arrays):
    changed = {**arrays, "cfc.0.bias": np.zeros((4, 8), np.float32)}
    np.savez(folder / "weights.npz", **changed)
    restamp(folder, "weights.npz")
    with pytest.raises(ModelError, match=r"bias of layer 0: expected float32 \(4, 9\), got"):
        load_model(folder)


def test_masking_and_times_survive(tmp_path, settings, arrays):
    core = settings.core.model_copy(update={"masking": Masking.LAYERS, "time_unit_s": 0.1})
    changed = settings.model_copy(update={"core": core})
    save_model(tmp_path / "m", changed, arrays, model_graphs(changed, arrays), "")
    model = load_model(tmp_path / "m")
    assert model.weights.masking is Masking.LAYERS
    assert model.weights.time_unit_s == 0.1


def test_a_copied_folder_is_the_same_model(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    assert load_model(tmp_path / "copy").settings == load_model(folder).settings


def test_settings_take_a_wiring_as_it_is(settings):
    assert ModelCore(wiring=settings.core.circuit) == settings.core


def test_swapped_files_name_each_other(folder):
    graphs = [folder / "perception.onnx", folder / "controller.onnx"]
    first, second = (path.read_bytes() for path in graphs)
    graphs[0].write_bytes(second)
    graphs[1].write_bytes(first)
    digest = hashlib.sha256(second).hexdigest()[:12]
    with pytest.raises(
        ModelError, match=rf"perception\.onnx: .*, got {digest}…: it is controller\.onnx of this"
    ):
        load_model(folder)


def test_a_file_of_a_neighbour_is_named(folder):
    shutil.copytree(folder, folder.parent / "other")
    changed = {name: np.negative(array) for name, array in load_model(folder).arrays.items()}
    settings = load_model(folder).settings
    save_model(folder.parent / "other", settings, changed, model_graphs(settings, changed), "")
    shutil.copy(folder.parent / "other" / "perception.onnx", folder)
    with pytest.raises(ModelError, match=r"it is perception\.onnx of model .*models/other$"):
        load_model(folder)


def test_a_file_of_a_shipped_model_is_named(folder):
    shutil.copy(project_file("models/trail_cfc19") / "controller.onnx", folder)
    with pytest.raises(ModelError, match=r"it is controller\.onnx of model .*trail_cfc19$"):
        load_model(folder)


def test_a_foreign_controller_with_its_own_checksum_is_named(folder):
    """A graph that fits in shape, whose checksum was written into model.yaml."""
    foreign = project_file("models/trail_cfc19") / "controller.onnx"
    shutil.copy(foreign, folder)
    restamp(folder, "controller.onnx")
    digest = hashlib.sha256(foreign.read_bytes()).hexdigest()[:12]
    text = rf"controller\.onnx: sha256 {digest}….* without its cfc\.0\.weight; it"
    with pytest.raises(ModelError, match=text):
        load_model(folder)


def test_a_huge_file_is_refused_without_reading_it_all(folder, monkeypatch):
    monkeypatch.setattr("liquid_control.policy.model.MAX_BYTES", 2**20)
    with (folder / "weights.npz").open("r+b") as stream:
        stream.truncate(2**33)
    with pytest.raises(ModelError, match=r"weights\.npz: cannot be read .it has more than"):
        load_model(folder)


def test_a_shipped_model_is_found_by_its_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_model("trail_cfc19").name == "trail_cfc19"
    with pytest.raises(ModelError, match=r"models in \.: none; shipped: .*trail_cfc19, trail_"):
        load_model("trail_cfc91")


def test_an_own_folder_comes_before_a_shipped_model(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "here" / "trail_cfc19")
    monkeypatch.chdir(tmp_path / "here")
    assert load_model("trail_cfc19").name == "demo"

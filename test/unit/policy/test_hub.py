"""Models in a repository of the Hub, against a stand-in for its HTTP interface."""

import json
import shutil

import numpy as np
import pytest
import yaml
from hub_server import TOKEN, running_hub

from liquid_control.cli import main
from liquid_control.config import project_file
from liquid_control.errors import ConfigError, DependencyError, ModelError, OutputError
from liquid_control.policy import Policy, hub, load_model
from liquid_control.policy.hub import card_metadata, hub_files, pull_model, push_model
from liquid_control.types import ImuWindow, Observation

pytestmark = pytest.mark.unit

MODEL = project_file("models/trail_cfc19")
REPOSITORY = "someone/trail"


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Run a stand-in; files are cached in the folder of the test."""
    constants = pytest.importorskip(
        "huggingface_hub.constants", reason="the extra hub is not installed"
    )
    pytest.importorskip("safetensors", reason="the extra hub is not installed")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    with running_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield running


@pytest.fixture
def pushed(server):
    push_model(MODEL, REPOSITORY)
    return server


def commands(model):
    """Return the commands of a policy over noise with irregular time steps."""
    noise = np.random.default_rng(8)
    policy = Policy(model)
    state, found = policy.init_state(), []
    for dt in (0.05, 0.07, 0.05, 0.2, 0.033):
        image = noise.integers(0, 256, (72, 128, 3), np.uint8)
        tilted = np.array([0.0, 0.0, 0.1, 0.995])
        seen = Observation(
            0, image, ImuWindow.empty(), None, tilted, cruise_mps=2.0, mount=(90.0, 15.0)
        )
        command, state = policy.step(seen, state, dt)
        found.append(command.values)
    return found


@pytest.mark.parametrize("name", ["trail_cfc19", "trail_gru"])
def test_a_pulled_model_has_the_same_files_and_commands(server, tmp_path, name):
    folder = project_file(f"models/{name}")
    url = push_model(folder, REPOSITORY)
    assert url.startswith(f"{server.url}/{REPOSITORY}/commit/")
    kept = {"README.md", "config.json", "controller.onnx", "perception.onnx", "pictures.json"}
    assert set(server.repositories[REPOSITORY]) == {*kept, "weights.safetensors"}
    pulled = pull_model(REPOSITORY, tmp_path / "out" / "pulled")
    original = load_model(folder)
    assert commands(pulled) == commands(original)
    assert set(pulled.arrays) == set(original.arrays)
    for key, array in original.arrays.items():
        assert pulled.arrays[key].dtype == array.dtype
        np.testing.assert_array_equal(pulled.arrays[key], array)
    for file in ("perception.onnx", "controller.onnx", "pictures.json", "README.md"):
        assert (pulled.path / file).read_bytes() == (folder / file).read_bytes()
    assert pulled.settings.model_copy(update={"sha256": {}}) == original.settings.model_copy(
        update={"sha256": {}}
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pulled"]


def test_a_second_push_replaces_the_files_by_one_commit(pushed):
    before = pushed.revision(REPOSITORY)
    push_model(project_file("models/trail_gru"), REPOSITORY)
    assert pushed.revision(REPOSITORY) != before
    assert sum("/commit/main" in request for request in pushed.requests) == 2


def test_the_metadata_of_the_card_are_its_own_flights(pushed):
    text = pushed.repositories[REPOSITORY]["README.md"].decode()
    card = (MODEL / "README.md").read_text()
    assert text.endswith(card)
    metadata = yaml.safe_load(text.split("---\n")[1])
    assert (metadata["library_name"], metadata["license"]) == ("liquid_control", "apache-2.0")
    assert "cfc-wired" in metadata["tags"]
    (entry,) = metadata["model-index"]
    row = next(line for line in card.splitlines() if line.startswith("| difficulty_5 |"))
    succeeded, flights = map(int, row.split("|")[3].split("/"))
    result = next(r for r in entry["results"] if r["dataset"]["name"] == "difficulty_5")
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values == {
        "success_rate": round(succeeded / flights, 4),
        "cross_track_rms_m": float(row.split("|")[4]),
    }
    from huggingface_hub import ModelCard

    read = ModelCard(text).data
    assert len(read.eval_results) == 2 * len(entry["results"])


def test_a_card_without_flights_has_no_metrics():
    metadata = yaml.safe_load(card_metadata(load_model(MODEL), "# A\n").split("---\n")[1])
    assert "model-index" not in metadata
    assert "metrics" not in metadata


def test_commands_push_and_pull(server, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.main(["models", "push", str(MODEL), REPOSITORY]) == 0
    assert f"{server.url}/{REPOSITORY}/commit/" in capsys.readouterr().out
    assert main.main(["models", "pull", REPOSITORY]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "trail"
    assert load_model("trail").name == "trail_cfc19"
    assert main.main(["models", "pull", REPOSITORY]) == 2
    assert "trail: exists already" in capsys.readouterr().err
    assert main.main(["models", "list", str(tmp_path)]) == 0


def test_a_push_without_a_token_or_with_a_wrong_one_is_refused(server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(OutputError, match=r"the Hub refuses the token \(401\)"):
        push_model(MODEL, REPOSITORY)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ConfigError, match="expected a token of the Hub to push with, got none"):
        push_model(MODEL, REPOSITORY)
    assert server.repositories == {}


def test_repositories_that_hold_no_model_are_refused(pushed, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ModelError, match="someone/other: no such repository on the Hub"):
        pull_model("someone/other", out)
    with pytest.raises(ModelError, match=f"{REPOSITORY}: has no such revision"):
        pull_model(REPOSITORY, out, revision="v9")
    with pytest.raises(ConfigError, match="is no name of a repository"):
        pull_model("a/b/c", out)
    pushed.repositories["someone/bert"] = {"config.json": b"{}", "README.md": b""}
    with pytest.raises(ModelError, match=r"without weights\.safetensors, perception\.onnx"):
        pull_model("someone/bert", out)
    files = pushed.repositories[REPOSITORY]
    pushed.repositories["someone/fake"] = {**files, "config.json": b'{"library_name": "timm"}'}
    with pytest.raises(ModelError, match=r"config\.json: is not that of liquid_control"):
        pull_model("someone/fake", out)
    assert not out.exists()


def test_weights_of_another_hash_are_refused(server, tmp_path):
    files = hub_files(load_model(project_file("models/target_cfc19")))
    other = hub_files(load_model(project_file("models/hike_cfc19")))
    server.repositories["someone/mixed"] = {
        **files,
        "weights.safetensors": other["weights.safetensors"],
    }
    with pytest.raises(ModelError, match=r"weights\.safetensors: expected sha256 .*another model"):
        pull_model("someone/mixed", tmp_path / "out")
    config = json.loads(files["config.json"])
    sums = json.loads(other["config.json"])["sha256"]
    config["sha256"]["weights.safetensors"] = sums["weights.safetensors"]
    server.repositories["someone/mixed"]["config.json"] = json.dumps(config).encode()
    with pytest.raises(ModelError, match=r"expected the graph of weights\.npz"):
        pull_model("someone/mixed", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_hub_that_cannot_be_reached_is_one_line(server, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(OutputError, match=f"{REPOSITORY}: the Hub cannot be used"):
        pull_model(REPOSITORY, tmp_path / "out")


def test_a_damaged_model_is_not_pushed(server, tmp_path):
    damaged = shutil.copytree(MODEL, tmp_path / "damaged")
    (damaged / "weights.npz").write_bytes(b"PK")
    with pytest.raises(ModelError, match="expected sha256"):
        push_model(damaged, REPOSITORY)
    assert server.requests == []


@pytest.mark.parametrize("missing", ["huggingface_hub", "safetensors"])
def test_without_the_extra_one_line_names_it(monkeypatch, tmp_path, missing):
    def absent(module, extra, purpose):
        if module == missing:
            raise DependencyError(f"{module} is not installed; {extra}")

    monkeypatch.setattr(hub, "require", absent)
    with pytest.raises(DependencyError, match=r"is not installed; hub"):
        pull_model(REPOSITORY, tmp_path / "out")

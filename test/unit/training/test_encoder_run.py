"""Training of an encoder alone, and of cores on its frozen features, in the toy world."""

import io
import json

import numpy as np
import pytest
import torch
from rich.console import Console
from toy_flight import ToyExpert, fly
from toy_run import toy_settings

from liquid_control.config import project_file
from liquid_control.errors import ConfigError, ModelError, OutputError
from liquid_control.export import model_graphs
from liquid_control.policy import load_model
from liquid_control.progress import Reporter
from liquid_control.training import Actors, train
from liquid_control.training.dataset import load_dataset, read_flight
from liquid_control.training.encoder_files import load_encoder, resized
from liquid_control.training.frame_store import open_frames, pack_frames
from liquid_control.training.frozen_features import FeatureCache
from liquid_control.training.network import PolicyNetwork
from liquid_control.training.run_folder import load_progress
from liquid_control.training.windows import Windows, cut

pytestmark = [pytest.mark.unit, pytest.mark.timeout(300)]

STEPS = 450
NETWORK = {"features": 6, "hidden": 12, "mount": False, "channels": [4, 6, 8, 8]}
ENCODER = {
    "encoder": {"steps": STEPS, "batch": 32, "width": 32, "height": 18, "average_decay": 0.9},
    "network": NETWORK,
    "flights": {"cloning": 6, "rounds": 0},
    "validation": {"flights": 0, "final_flights": 0},
}
SHORT = ENCODER | {"encoder": ENCODER["encoder"] | {"steps": 50}}
"""For runs that are compared with each other only."""


@pytest.fixture
def reporter():
    return Reporter(Console(file=io.StringIO()))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of a finished encoder run."""
    return finished(ENCODER, tmp_path_factory.mktemp("encoder") / "run")


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    return finished(SHORT, tmp_path_factory.mktemp("short") / "run")


def finished(settings, out):
    quiet = Reporter(Console(file=io.StringIO()))
    actors = Actors(fly, ToyExpert)
    assert (
        train(toy_settings(**settings), out, model_graphs, actors, reporter=quiet) == out / "toy"
    )
    return out


def flights(run):
    return sorted(run.glob("**/flight_*.npz"))


def test_the_encoder_explains_what_the_picture_shows(run):
    """The bar of the toy world shows the lateral offset, and the features are linear in it."""
    explained = json.loads((run / "explained.json").read_text())
    assert explained["left"] > 0.1
    assert "target_visible" not in explained, "the toy world has no targets"
    encoder = load_encoder(run / "toy")
    cache = FeatureCache(encoder)
    features = np.concatenate([cache.features(path)[0] for path in flights(run)])
    offsets = np.concatenate([read_flight(path)[0].auxiliary[:, 0] for path in flights(run)])
    known = np.column_stack([features, np.ones(len(features))])
    weights, *_ = np.linalg.lstsq(known, offsets, rcond=None)
    assert np.corrcoef(known @ weights, offsets)[0, 1] > 0.9
    assert encoder.spec.features == 6
    assert encoder.spec.map_shape[0] == 8


def test_a_repeated_run_has_the_same_weights(short_run, tmp_path, reporter):
    settings, actors = toy_settings(**SHORT), Actors(fly, ToyExpert)
    again = train(settings, tmp_path / "run", model_graphs, actors, reporter=reporter)
    assert load_encoder(again).sha256 == load_encoder(short_run / "toy").sha256


def test_an_interrupted_run_ends_with_the_same_weights(short_run, tmp_path, monkeypatch):
    class Interrupting(Reporter):
        def phase(self, title, total, done=0):
            if title == "learning":
                monkeypatch.setattr("liquid_control.training.encoder_learner._SAVE_EVERY_S", 0.0)
                monkeypatch.setattr("liquid_control.training.encoder_learner._NOTE_EVERY", 10)
            return super().phase(title, total, done)

    class StoppedError(Exception):
        pass

    settings, actors, out = toy_settings(**SHORT), Actors(fly, ToyExpert), tmp_path / "run"
    from liquid_control.training.encoder_learner import EncoderLearner

    advance = EncoderLearner._advance

    def stop_at_35(self, *frames):
        if self.step == 35:
            raise StoppedError
        return advance(self, *frames)

    monkeypatch.setattr(EncoderLearner, "_advance", stop_at_35)
    silent = Interrupting(Console(file=io.StringIO()))
    with pytest.raises(StoppedError):
        train(settings, out, model_graphs, actors, reporter=silent)
    monkeypatch.setattr(EncoderLearner, "_advance", advance)
    quiet = Reporter(Console(file=io.StringIO()))
    path = train(settings, out, model_graphs, actors, resume=True, reporter=quiet)
    assert load_encoder(path).sha256 == load_encoder(short_run / "toy").sha256


def test_cached_features_are_those_of_the_network(run):
    encoder = load_encoder(run / "toy")
    path = flights(run)[0]
    cached = FeatureCache(encoder).features(path)
    flight, _ = read_flight(path)
    assert cached.shape == (2, len(flight.labels), 6)
    settings = toy_settings(network={"encoder": str(run / "toy"), "frozen": False})
    network = PolicyNetwork.fresh(settings.network, settings.base_scenario(), 0)
    data = load_dataset([path], 0.05)
    whole = Windows(np.array([0]), np.array([data.frames]), np.array([False]))
    with torch.no_grad():
        expected = network._encode(cut(data, whole, data.frames, 0))[0].numpy()
    np.testing.assert_allclose(cached[0], expected, atol=1e-5)
    assert np.abs(cached[1] - cached[0]).max() > 0.01
    stored = path.with_suffix(f".{encoder.sha256[:12]}.features.npy")
    np.testing.assert_array_equal(np.load(stored), cached)
    np.save(stored, cached + 1.0)
    np.testing.assert_array_equal(FeatureCache(encoder).features(path), cached + 1.0)
    stored.unlink()


def test_a_core_learns_from_the_expert_flights_of_another_run(run, tmp_path, reporter):
    settings = toy_settings(
        network={"encoder": str(run / "toy"), "core": {"kind": "gru"}},
        flights={"cloning": 0, "dagger": 2, "rounds": 1, "data_runs": [str(run)]},
        validation={"flights": 1, "final_flights": 0, "conditions": {"calm": {}}},
    )
    out, actors = tmp_path / "run", Actors(fly, ToyExpert)
    path = train(settings, out, model_graphs, actors, reporter=reporter)
    assert load_model(path).settings.core.kind == "gru"
    assert [f.parent.name for f in flights(out)] == ["round_01"] * 2
    progress = load_progress(out)
    assert [progress.datasets[round_].flights for round_ in (0, 1)] == [6, 8]
    total = sum(len(read_flight(flight)[0].labels) for flight in flights(run))
    assert progress.datasets[0].frames == total


def test_an_encoder_learns_from_the_expert_flights_of_another_run(short_run, tmp_path, reporter):
    flown = {"cloning": 0, "rounds": 0, "data_runs": [str(short_run)]}
    settings = toy_settings(**SHORT | {"flights": flown})
    again = train(
        settings, tmp_path / "run", model_graphs, Actors(fly, ToyExpert), reporter=reporter
    )
    assert load_encoder(again).sha256 == load_encoder(short_run / "toy").sha256
    assert flights(tmp_path / "run") == []


def test_an_encoder_is_trained_further_on_the_flights_of_two_runs(run, tmp_path, reporter):
    core = toy_settings(
        network={"encoder": str(run / "toy"), "core": {"kind": "gru"}},
        flights={"cloning": 0, "dagger": 2, "rounds": 1, "data_runs": [str(run)]},
        validation={"flights": 0, "final_flights": 0},
    )
    actors = Actors(fly, ToyExpert)
    train(core, tmp_path / "core", model_graphs, actors, reporter=reporter)
    changes = {
        "encoder": ENCODER["encoder"] | {"steps": 1},
        "network": NETWORK | {"encoder": str(run / "toy")},
        "flights": {"cloning": 0, "rounds": 0, "data_runs": [str(run), str(tmp_path / "core")]},
    }
    settings = toy_settings(**ENCODER | changes)
    path = train(settings, tmp_path / "more", model_graphs, actors, reporter=reporter)
    before, after = load_encoder(run / "toy"), load_encoder(path)
    assert after.spec == before.spec
    distance = max(np.abs(after.arrays[n] - before.arrays[n]).max() for n in before.arrays)
    assert 0.0 < distance < 0.01
    assert load_progress(tmp_path / "more").datasets[0].flights == 8
    smaller = ENCODER["encoder"] | {"steps": 1, "width": 30, "height": 17}
    settings = toy_settings(**ENCODER | changes | {"encoder": smaller})
    path = train(settings, tmp_path / "smaller", model_graphs, actors, reporter=reporter)
    assert (load_encoder(path).spec.width, load_encoder(path).spec.height) == (30, 17)


def test_an_encoder_of_another_size_answers_an_even_picture_alike():
    """The sum over the map of a weight stays the same, so a map without structure gives it too."""
    trained = load_encoder(project_file("models/trail_cfc19"))
    larger = resized(trained, 90, 160)
    assert larger.spec.map_shape[1:] > trained.spec.map_shape[1:]
    assert resized(trained, 72, 128) is trained
    name = "perception.hidden.weight"
    channels, rows, columns = trained.spec.map_shape
    places = rows * columns
    before = trained.arrays[name][:, : channels * places].reshape(-1, channels, places).sum(2)
    grown = larger.spec.map_shape[1] * larger.spec.map_shape[2]
    after = larger.arrays[name][:, : channels * grown].reshape(-1, channels, grown).sum(2)
    scale = np.abs(before).mean()
    assert np.abs(after - before).mean() < 0.25 * scale
    np.testing.assert_array_equal(larger.arrays[name][:, -2:], trained.arrays[name][:, -2:])
    for other in trained.arrays.keys() - {name}:
        np.testing.assert_array_equal(larger.arrays[other], trained.arrays[other])


def test_constant_features_end_the_run(run, tmp_path, reporter):
    """With a rate of 0.1 the weights saturate every feature within a few steps."""
    fast = ENCODER["encoder"] | {"steps": 40, "rate": 0.1}
    settings = toy_settings(
        **ENCODER | {"encoder": fast, "flights": {"cloning": 0, "data_runs": [str(run)]}}
    )
    with pytest.raises(ModelError, match=r"are constant after 40 steps: lower encoder\.rate"):
        train(settings, tmp_path / "fast", model_graphs, Actors(fly, ToyExpert), reporter=reporter)


def test_expert_flights_that_cannot_be_used_are_refused(run, tmp_path, reporter):
    def refused(match, **flown):
        settings = toy_settings(
            network={"encoder": str(run / "toy")}, flights={"cloning": 0, **flown}
        )
        with pytest.raises(ConfigError, match=match):
            train(settings, tmp_path / "run", model_graphs, Actors(fly, ToyExpert))
        assert not (tmp_path / "run").exists()

    refused(r"flights\.data_runs: .*nowhere.*cannot be read|is not what", data_runs=["nowhere"])
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "settings.json").write_bytes((run / "settings.json").read_bytes())
    content = json.loads((run / "progress.json").read_text()) | {"done": {}}
    (unfinished / "progress.json").write_text(json.dumps(content))
    refused("are not finished; continue it with --resume", data_runs=[str(unfinished)])
    refused(
        "has no flight of the tasks hike; it has no tasks", data_runs=[str(run)], tasks=["hike"]
    )


@pytest.mark.parametrize("kind", ["cfc_wired", "gru", "mlp", "tcn"])
def test_a_core_learns_on_frozen_features(run, tmp_path, reporter, kind):
    network = {"encoder": str(run / "toy"), "core": {"kind": kind}}
    keep = {"flights": 1, "final_flights": 1}
    changes = {"network": network, "validation": {**keep, "conditions": {"calm": {}}}}
    if kind != "cfc_wired":  # it flies for its own data; the others take those of another run
        changes["flights"] = {"cloning": 0, "rounds": 0, "data_runs": [str(run)]}
    settings = toy_settings(**changes)
    path = train(
        settings, tmp_path / "run", model_graphs, Actors(fly, ToyExpert), reporter=reporter
    )
    model = load_model(path)
    encoder = load_encoder(run / "toy")
    assert model.settings.core.kind == kind
    assert model.settings.perception == encoder.spec
    for name in encoder.spec.array_shapes():
        np.testing.assert_array_equal(model.arrays[name], encoder.arrays[name])
    assert load_encoder(path).sha256 == encoder.sha256, "a model folder is an encoder folder"


def test_frames_without_a_declared_input_are_refused(tmp_path, reporter):
    settings = toy_settings(network={"inputs": ["cruise_speed"]})
    with pytest.raises(ConfigError, match="frames have no cruise_speed, which comes from"):
        train(settings, tmp_path / "run", model_graphs, Actors(fly, ToyExpert), reporter=reporter)


def test_a_store_is_packed_once(run, tmp_path):
    counted = []
    first = pack_frames(tmp_path / "s", flights(run), 9, 16, 0.05, lambda: counted.append(1))
    assert first.images.shape[1:] == (9, 16, 3)
    assert len(counted) == len(flights(run)) == len(first.starts) - 1
    again = pack_frames(tmp_path / "s", flights(run), 9, 16, 0.05, lambda: counted.append(1))
    assert len(counted) == len(flights(run))
    np.testing.assert_array_equal(again.labels, first.labels)
    other = pack_frames(tmp_path / "s", flights(run)[:2], 9, 16, 0.05)
    assert len(other.starts) == 3
    rows, validation = first.split(3)
    assert set(first.flights_of(validation)) == {2, 5}
    assert len(rows) + len(validation) == first.frames


def test_a_store_on_a_disk_that_is_too_small_is_refused_before_its_frames(run, small_disk):
    """Without space, a write to a mapped file ends the process by a signal."""
    paths = 40 * flights(run)
    first = pack_frames(small_disk / "s", paths[:1], 9, 16, 0.05)
    with pytest.raises(
        OutputError, match=r"small/s: cannot be written \(No space left on device\)"
    ):
        pack_frames(small_disk / "s", paths, 9, 16, 0.05)
    assert not list((small_disk / "s").iterdir())
    assert open_frames(small_disk / "s", first.sha256) is None
    assert pack_frames(small_disk / "s", paths[:1], 9, 16, 0.05).frames > 0


def test_what_is_no_encoder_is_refused(run, tmp_path):
    with pytest.raises(ModelError, match="expected an encoder or a model, got a folder without"):
        load_encoder(tmp_path)
    with pytest.raises(OutputError, match="expected at least one flight, got none"):
        pack_frames(tmp_path / "s", [], 9, 16, 0.05)
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("encoder.yaml", "weights.npz"):
        (folder / name).write_bytes((run / "toy" / name).read_bytes())
    damaged = bytearray((folder / "weights.npz").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "weights.npz").write_bytes(bytes(damaged))
    with pytest.raises(ModelError, match="encoder"):
        load_encoder(folder)

"""The disturbed replay that `--disturb` and several `--model` ask for."""

from pathlib import Path

import numpy as np
import pytest

from liquid_control.bags.events import FrameEvent
from liquid_control.cli.disturb import disturbing
from liquid_control.errors import ConfigError, ModelError
from liquid_control.export import model_graphs
from liquid_control.liquid import auto_ncp, random_weights
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.policy import ModelSettings, load_model, save_model
from liquid_control.types import ImuWindow, Observation

pytestmark = pytest.mark.unit


@pytest.fixture
def make_model(tmp_path):
    def make(name: str, folder: str) -> Path:
        settings = ModelSettings(name=name, wiring=auto_ncp(34, 19, 4).to_dict())
        weights = random_weights(settings.circuit, np.random.default_rng(len(folder)))
        arrays = {**weights.arrays(), **PerceptionCNN(seed=1).arrays()}
        save_model(tmp_path / folder, settings, arrays, model_graphs(settings, arrays), "# demo\n")
        return tmp_path / folder

    return make


def test_every_model_is_in_every_variant(make_model):
    one, two = make_model("one", "a"), make_model("two", "bb")
    disturbed = disturbing(["delta_noise=4", "delta_noise=1"], load_model(one), [two], 8.0)
    image = np.random.default_rng(3).integers(0, 256, (54, 96, 3), dtype=np.uint8)
    for index in range(4):
        stamp_ns = index * 50_000_000
        disturbed.replay.consume(
            FrameEvent(Observation(stamp_ns, image, ImuWindow.empty()), stamp_ns)
        )
    section = disturbed.section(0)
    assert [(row["model"], row["severity"]) for row in section.rows] == [
        ("one", 1),
        ("one", 4),
        ("two", 1),
        ("two", 4),
    ]
    assert all(row["frames"] == 4 for row in section.rows)
    most = max(section.rows[:2], key=lambda row: row["movement"])
    told = f"delta_noise={most['severity']} by {100 * most['movement']:.1f} %"
    assert disturbed.line().startswith(f"moved most, of the motors' range: {told}, ")
    assert section.left_out == ()


def test_nothing_is_disturbed_unless_asked(make_model):
    one = make_model("one", "a")
    assert disturbing([], load_model(one), [], None) is None


def test_several_models_are_for_disturbing(make_model):
    one, two = make_model("one", "a"), make_model("two", "bb")
    with pytest.raises(ConfigError, match=r"several models are for --disturb; .* --against DIR"):
        disturbing([], load_model(one), [two], 8.0)


def test_models_have_different_names_and_are_there(make_model, tmp_path):
    one, twin = make_model("one", "a"), make_model("one", "bb")
    with pytest.raises(ConfigError, match="different names, 'one' comes twice"):
        disturbing(["delta_noise"], load_model(one), [twin], 8.0)
    with pytest.raises(ModelError, match="does not exist"):
        disturbing(["delta_noise"], load_model(one), [tmp_path / "none"], 8.0)

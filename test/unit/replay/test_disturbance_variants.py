"""Disturbance words: names, severities, groups, errors, and requests for several models."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from liquid_control.bags.events import FrameEvent
from liquid_control.config.recorded_pictures import disturbance_refusals, overlaid_disturbances
from liquid_control.errors import ConfigError, ModelError
from liquid_control.export import model_graphs
from liquid_control.liquid import auto_ncp, random_weights
from liquid_control.perception import CameraView, deltas
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.policy import ModelSettings, Policy, load_model, save_model
from liquid_control.replay import FeatureExtractor, ReplayRequest
from liquid_control.replay.disturbance_variants import (
    disturbance_request,
    disturbed_variants,
    left_out,
)
from liquid_control.replay.disturbed import DisturbedReplay
from liquid_control.replay.severity_curves import disturbed_section
from liquid_control.types import ImuWindow, Observation

pytestmark = pytest.mark.unit

VIEW = CameraView(96, 54, 90.0)
BAG = Path(__file__).parents[2] / "golden" / "flight.mcap"


def pairs(*words: str) -> list[tuple[str, int]]:
    return [(one.disturbance, one.severity) for one in disturbed_variants(words)]


def test_a_published_name_is_its_four_published_strengths():
    variants = disturbed_variants(["delta_contrast"])
    assert [one.severity for one in variants] == [1, 2, 3, 4]
    strengths = tuple(one.strength["delta.contrast"] for one in variants)
    assert strengths == deltas.PUBLISHED["contrast"]
    image = np.random.default_rng(1).integers(0, 256, (54, 96, 3), dtype=np.uint8)
    assert np.array_equal(variants[2].make(VIEW)(image, 0, 0), deltas.contrast(image, 1.75))


def test_severity_five_is_available_by_name():
    assert pairs("delta_noise=5") == [("delta_noise", 5)]
    (variant,) = disturbed_variants(["delta_noise=5"])
    assert variant.strength == {"delta.noise": 75.0}


def test_the_published_group_has_all_published_names():
    found = pairs("published")
    assert len(found) == 20
    assert {name.removeprefix("delta_") for name, _ in found} == set(deltas.PUBLISHED)


def test_words_add_up_each_once_by_name_then_severity():
    found = pairs("delta_noise=3", "delta_darkness=2", "delta_noise=1", "delta_noise=3")
    assert found == [("delta_noise", 1), ("delta_noise", 3), ("delta_darkness", 2)]


def test_each_replay_gets_its_own_change_by_seed():
    image = np.full((54, 96, 3), 128, np.uint8)
    (one,), (same,), (other,) = (disturbed_variants(["delta_noise=2"], seed) for seed in (4, 4, 5))
    taken = [variant.make(VIEW)(image, 0, 7) for variant in (one, one, same, other)]
    assert np.array_equal(taken[0], taken[1])
    assert np.array_equal(taken[0], taken[2])
    assert not np.array_equal(taken[0], taken[3])


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("nois", "unknown disturbance 'nois'; did you mean noise, .* or .*[?]"),
        ("brightness", "did you mean delta_brightness[?]"),
        ("publishd=2", "did you mean published, "),
        (
            "weather",
            "unknown disturbance 'weather'; did you .*groups are all, light, camera, publis",
        ),
        (
            "fog=2",
            r"fog cannot be applied to a recorded picture \(fog.extinction_per_m needs dist",
        ),
        ("rate_high", r"rate_high cannot .*\(camera.rate_hz above 20 needs frames between"),
        ("noise=9", "noise: expected a severity that is a whole number from 0 to 5, got 9"),
        ("noise=high", "whole number from 0 to 5, got 'high'"),
        ("", "unknown disturbance ''"),
    ],
)
def test_an_error_is_one_line(word, why):
    with pytest.raises(ConfigError, match=why) as refused:
        disturbed_variants([word])
    assert "\n" not in str(refused.value)


def test_members_that_a_group_leaves_out_are_listed():
    lines = left_out(["camera"])
    assert [line.partition(":")[0] for line in lines] == ["motion_blur", "rate_high"]
    assert "needs distances and the vehicle's motion" in lines[0]
    assert left_out(["all"]) == lines
    assert left_out(["published", "noise"]) == []


def test_refusals_depend_on_the_disturbance():
    assert disturbance_refusals("noise") == []
    assert "rain.rate_mmph needs distances" in disturbance_refusals("rain")
    assert "wind" not in overlaid_disturbances()


def test_only_published_changes_work_without_the_simulator():
    code = """
import sys
sys.modules["numba"] = sys.modules["pybullet"] = sys.modules["liquid_control_sim"] = None
from liquid_control.replay.disturbance_variants import disturbed_variants
from liquid_control.errors import DependencyError
assert len(disturbed_variants(["published"])) == 20
try:
    disturbed_variants(["noise=2"])
except DependencyError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert "needed to apply the simulator's disturbances to recorded pictures" in done.stdout


@pytest.fixture
def make_model(tmp_path):
    def make(name: str, folder: str) -> Path:
        settings = ModelSettings(name=name, core={"wiring": auto_ncp(34, 19, 4)})
        weights = random_weights(settings.core.circuit, np.random.default_rng(len(folder)))
        arrays = {**weights.arrays(), **PerceptionCNN(seed=1).arrays()}
        save_model(tmp_path / folder, settings, arrays, model_graphs(settings, arrays), "# demo\n")
        return tmp_path / folder

    return make


def test_every_model_is_in_every_variant(make_model):
    one, two = make_model("one", "a"), make_model("two", "bb")
    first, second = load_model(one), load_model(two)
    request = disturbance_request(["delta_noise=4", "delta_noise=1"], first, [second], 8.0)
    extractors = {model.name: FeatureExtractor(Policy(model)) for model in (first, second)}
    disturbed = DisturbedReplay(extractors, request.variants, request.left_out)
    image = np.random.default_rng(3).integers(0, 256, (54, 96, 3), dtype=np.uint8)
    for index in range(4):
        stamp_ns = index * 50_000_000
        disturbed.consume(FrameEvent(Observation(stamp_ns, image, ImuWindow.empty()), stamp_ns))
    result = disturbed.result()
    section = disturbed_section(result, 0)
    assert [(row["model"], row["severity"]) for row in section.rows] == [
        ("one", 1),
        ("one", 4),
        ("two", 1),
        ("two", 4),
    ]
    assert all(row["frames"] == 4 for row in section.rows)
    most = max(section.rows[:2], key=lambda row: row["movement"])
    strongest = f"delta_noise={most['severity']} by {100 * most['movement']:.1f} %"
    assert result.summary().startswith(f"moved most, of the motors' range: {strongest}, ")
    assert section.left_out == ()


def test_without_words_there_is_no_disturbed_replay(make_model):
    one = make_model("one", "a")
    assert disturbance_request([], load_model(one), [], None) is None


def test_several_models_need_a_disturbance(make_model):
    one, two = make_model("one", "a"), make_model("two", "bb")
    with pytest.raises(ConfigError, match=r"several models are for --disturb; .* --against DIR"):
        disturbance_request([], load_model(one), [load_model(two)], 8.0)


def test_models_have_different_names_and_exist(make_model, tmp_path):
    one, twin = make_model("one", "a"), make_model("one", "bb")
    with pytest.raises(ConfigError, match="different names, 'one' comes twice"):
        disturbance_request(["delta_noise"], load_model(one), [load_model(twin)], 8.0)
    with pytest.raises(ModelError, match="does not exist"):
        ReplayRequest.for_bag(
            BAG, one, disturb=["delta_noise"], further_models=[tmp_path / "none"]
        )

"""`--disturb`: names, severities, groups, and what is said about the rest."""

import subprocess
import sys

import numpy as np
import pytest

from liquid_control.cli.disturb import disturbed_variants, left_out
from liquid_control.config.recorded_pictures import disturbance_refusals, overlaid_disturbances
from liquid_control.errors import ConfigError
from liquid_control.perception import deltas
from liquid_control.perception.camera_view import CameraView

pytestmark = pytest.mark.unit

VIEW = CameraView(96, 54, 90.0)


def pairs(*words: str) -> list[tuple[str, int]]:
    return [(one.disturbance, one.severity) for one in disturbed_variants(words)]


def test_a_published_name_is_its_four_published_strengths():
    variants = disturbed_variants(["delta_contrast"])
    assert [one.severity for one in variants] == [1, 2, 3, 4]
    strengths = tuple(one.strength["delta.contrast"] for one in variants)
    assert strengths == deltas.PUBLISHED["contrast"]
    image = np.random.default_rng(1).integers(0, 256, (54, 96, 3), dtype=np.uint8)
    assert np.array_equal(variants[2].make(VIEW)(image, 0, 0), deltas.contrast(image, 1.75))


def test_a_fifth_step_is_there_when_asked_for():
    assert pairs("delta_noise=5") == [("delta_noise", 5)]
    (variant,) = disturbed_variants(["delta_noise=5"])
    assert variant.strength == {"delta.noise": 75.0}


def test_the_published_group_is_all_of_them():
    asked = pairs("published")
    assert len(asked) == 20
    assert {name.removeprefix("delta_") for name, _ in asked} == set(deltas.PUBLISHED)


def test_words_add_up_each_once_by_name_then_severity():
    asked = pairs("delta_noise=3", "delta_darkness=2", "delta_noise=1", "delta_noise=3")
    assert asked == [("delta_noise", 1), ("delta_noise", 3), ("delta_darkness", 2)]


def test_each_replay_gets_a_change_of_its_own_by_seed():
    image = np.full((54, 96, 3), 128, np.uint8)
    (one,), (same,), (other,) = (disturbed_variants(["delta_noise=2"], seed) for seed in (4, 4, 5))
    taken = [variant.make(VIEW)(image, 0, 7) for variant in (one, one, same, other)]
    assert np.array_equal(taken[0], taken[1])
    assert np.array_equal(taken[0], taken[2])
    assert not np.array_equal(taken[0], taken[3])


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("nois", "unknown disturbance 'nois'; did you mean noise[?] there are colour_warm, "),
        ("brightness", "did you mean delta_brightness[?]"),
        ("publishd=2", "did you mean published[?]"),
        (
            "weather",
            "unknown disturbance 'weather'; there are .*groups all, light, camera, publis",
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
def test_what_is_not_accepted_is_answered_in_a_line(word, why):
    with pytest.raises(ConfigError, match=why) as refused:
        disturbed_variants([word])
    assert "\n" not in str(refused.value)


def test_what_a_group_leaves_out_is_said():
    lines = left_out(["camera"])
    assert [line.partition(":")[0] for line in lines] == ["motion_blur", "rate_high"]
    assert "needs distances and the vehicle's motion" in lines[0]
    assert left_out(["all"]) == lines
    assert left_out(["published", "noise"]) == []


def test_a_disturbance_is_refused_for_the_severities_that_say_why():
    assert disturbance_refusals("noise") == []
    assert "rain.rate_mmph needs distances" in disturbance_refusals("rain")
    assert "wind" not in overlaid_disturbances()


def test_published_changes_need_no_simulator_and_others_say_so():
    code = """
import sys
sys.modules["numba"] = sys.modules["pybullet"] = sys.modules["liquid_control_sim"] = None
from liquid_control.cli.disturb import disturbed_variants
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

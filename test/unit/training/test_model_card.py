import numpy as np
import pytest
from toy_run import toy_settings

from liquid_control.perception import PerceptionSpec
from liquid_control.training.encoder_files import load_encoder, save_encoder
from liquid_control.training.model_card import ModelSize, model_card, provenance
from liquid_control.training.run_folder import DatasetFacts, RunProgress
from liquid_control.training.validation import score_flights
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit

FLOWN = FlightResult(True, "completed", 12.0, 0.126, 1.0, 6.0)
LOST = FlightResult(False, "left_trail", 4.0, 0.126, 1.0, 2.0)


def made(revision="ab12"):
    progress = (
        RunProgress("liquid-control train toy.yaml", "2026-01-01T00:00:00Z", revision)
        .finished("fly 0", 60.0)
        .learned(0, DatasetFacts("f00d", 4, 1234))
        .scored(0, score_flights({"calm": [FLOWN]}))
    )
    return provenance(toy_settings(), progress)


def card(**changes):
    score = score_flights({"calm": [FLOWN, LOST, LOST], "slow": [FLOWN]})
    return model_card(
        toy_settings(), {**made(), **changes}, score, ModelSize("a core", 95696, 1704)
    )


def test_provenance_holds_the_origin_of_the_model():
    facts = made()
    assert facts["git_revision"] == "ab12"
    assert facts["dataset"] == {"sha256": "f00d", "flights": 4, "frames": 1234}
    assert facts["seconds"] == {"fly 0": 60.0}
    assert (facts["round"], facts["rounds_flown"], facts["seed"]) == (0, 0, 3)
    assert facts["versions"]["liquid_control"]


def test_card_states_data_results_and_origin():
    text = card(git_revision_at_end="ab12")
    assert text.startswith("# toy\n")
    assert "1,234 frames of 4 simulated flights" in text
    assert "features to a core; elapsed time between frames" in text
    assert "95,696 parameters, 1,704 of them in the core" in text
    assert "| calm | nothing | 1/3 | 0.13 | left_trail 2 |" in text
    assert "| slow | `camera.rate_hz=10.0` | 1/1 | 0.13 | none |" in text
    assert "Command: `liquid-control train toy.yaml`, begun 2026-01-01T00:00:00Z, seed 3" in text
    assert "Revision: ab12\n" in text
    assert "Time: 1.0 min on" in text


def test_card_states_that_the_source_changed_during_the_run():
    text = card(git_revision_at_end="cd34")
    assert "Revision: ab12 when it began, cd34 when it ended" in text


def test_the_commands_of_a_card_work_in_its_own_folder():
    """A run's model is in the folder of the run, and `models/toy` does not exist."""
    text = card()
    assert "In the folder of this card:\n\n    liquid-control fly --scenario" in text
    assert text.count(" --model .\n") == 2
    assert "models/" not in text


def test_the_commands_of_a_card_have_pictures_that_are_large_enough():
    """A policy refuses pictures smaller than its own."""
    settings = toy_settings(overrides={"camera.width": 160, "camera.height": 90})
    text = model_card(settings, made(), None, ModelSize("a core", 95696, 1704))
    assert text.count(" --model . --set camera.width=160 --set camera.height=90\n") == 2


def test_the_card_of_a_core_names_the_tasks_and_the_runs_that_it_learned_from():
    settings = toy_settings(
        tasks={"hike": {"scenario": "hike"}, "trail": {"scenario": "trail"}},
        randomise={"forest.season": {"choices": ["summer", "autumn"], "share": 0.5}},
        disturb={"share": 0.6, "most": 2, "severities": [1, 4], "names": ["rain", "lee"]},
        flights={"cloning": 0, "data_runs": ["runs/encoder"], "tasks": ["hike"], "dagger": 7},
        network={"inputs": ["cruise_speed"]},
    )
    size = ModelSize(
        "a core", 95696, 1704, 32, "96×54 RGB (70 to 110° wide, 15° down)", ("range",)
    )
    text = model_card(settings, made(), None, size)
    assert "In: camera 96×54 RGB (70 to 110° wide, 15° down), IMU, range. Out:" in text
    assert "tasks hike: those of the run `runs/encoder`, then 0 DAgger round(s) of 7" in text
    assert "| `forest.season` | summer, autumn | 50% |" in text
    assert "60% of the flights have one to 2 disturbances, of severity 1 to 4: rain, lee." in text
    assert (
        "keeps the altitude of its training flights, 1.5 m, and was trained for no other" in text
    )


def test_the_origin_of_the_encoder_is_part_of_the_card(tmp_path):
    spec = PerceptionSpec(height=18, width=32, features=6)
    arrays = {name: np.zeros(shape, np.float32) for name, shape in spec.array_shapes().items()}
    facts = {"command": "train e.yaml", "dataset": {"frames": 4321, "flights": 9, "sha256": "1"}}
    save_encoder(tmp_path / "e", "e", spec, arrays, facts)
    settings = toy_settings(network={"encoder": str(tmp_path / "e")})
    progress = RunProgress("train c.yaml", "2026-01-01T00:00:00Z").learned(
        0, DatasetFacts("f00d", 4, 1234)
    )
    known = provenance(settings, progress)
    assert known["encoder"]["sha256"] == load_encoder(tmp_path / "e").sha256
    text = model_card(settings, known, None, ModelSize("a core", 2, 1))
    assert "- Encoder: `train e.yaml`, 4,321 frames of 9 flights, SHA-256 " in text

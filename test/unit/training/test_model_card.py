import pytest
from toy_run import toy_settings

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

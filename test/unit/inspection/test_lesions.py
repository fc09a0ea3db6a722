import csv
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_evaluation import fly_until_seed_5, unsteered_fly

from liquid_control.errors import ConfigError
from liquid_control.evaluation import scenario_campaign
from liquid_control.inspection.lesions import (
    LesionedPilot,
    UninformedPolicy,
    lesion_study,
    parts_of,
)
from liquid_control.inspection.tables import lesion_table, write_lesions
from liquid_control.journal import JOURNAL_FILE

pytestmark = pytest.mark.unit

DOCS, PARTS = Path("docs"), ("neurons", "features")


@pytest.fixture(scope="module")
def figures():
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("lesion_figure", DOCS / "lesion_figure.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def counts_of(path):
    """Return the rows of a file of counts; empty cells are None."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: None if text == "" else _value(text) for name, text in row.items()}
            for row in csv.DictReader(file)
        ]


def _value(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def test_a_study_goes_on_where_it_was_interrupted(policy, tmp_path):
    campaign = scenario_campaign("trail", {}).with_seeds("3:5")
    options = {"parts": ["motor_3"], "workers": 1}
    whole = lesion_study(unsteered_fly, policy.model, campaign, tmp_path, **options)
    assert [row.model for row in whole.summary] == ["intact", "without motor_3"]
    assert [row.n for row in whole.summary] == [2, 2]
    assert all(row.ci95_low <= row.success_rate <= row.ci95_high for row in whole.summary)
    path = tmp_path / JOURNAL_FILE
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]))
    assert (
        lesion_study(unsteered_fly, policy.model, campaign, tmp_path, **options, resume=True)
        == whole
    )
    assert len(path.read_text().splitlines()) == len(lines)
    assert lesion_table(whole).row_count == 2


def test_an_interrupted_study_keeps_its_whole_forests(policy, tmp_path):
    campaign, kept = scenario_campaign("trail", {}).with_seeds("3:6"), []
    options = {"parts": ["imu"], "workers": 1, "keep": kept.append}
    with pytest.raises(ConfigError, match="the third forest"):
        lesion_study(fly_until_seed_5, policy.model, campaign, tmp_path, **options)
    (partial,) = kept
    assert not partial.complete
    assert [(row.model, row.seed) for row in partial.rows] == [
        ("intact", 3),
        ("intact", 4),
        ("without imu", 3),
        ("without imu", 4),
    ]
    assert [effect.pairs for effect in partial.effects] == [2]
    options["resume"] = True
    whole = lesion_study(unsteered_fly, policy.model, campaign, tmp_path, **options)
    assert whole.complete
    assert kept[1] == whole
    assert [effect.pairs for effect in whole.effects] == [3]


def test_parts_are_groups_or_names(policy):
    assert len(parts_of(policy.model, ["neurons", "features", "inter_1"])) == 19 + 41
    assert parts_of(policy.model, ["rate_z", "rate_z"]) == ["rate_z"]
    assert parts_of(policy.model, ["inputs"]) == ["cruise_speed", "attitude", "mount", "imu"]
    for name in ("inter_99", "range"):
        with pytest.raises(ConfigError, match=f"--of: no neuron, feature or input '{name}'"):
            parts_of(policy.model, [name])


def test_an_uninformed_policy_does_not_see_its_input(policy, frames):
    frame = replace(frames[0], cruise_mps=1.0, mount=(75.0, 25.0))
    frame = replace(frame, orientation=np.array([0.1, 0.05, 0.0, 1.0]) / np.sqrt(1.0125))
    neutral = {
        "cruise_speed": {"cruise_mps": 2.4},
        "attitude": {"orientation": np.array([0.0, 0.0, 0.0, 1.0])},
        "mount": {"mount": (90.0, 15.0)},
    }
    whole = policy.features_of_fitted(frame.image, frame)
    for name, readings in neutral.items():
        held = UninformedPolicy(policy.model, name).features_of_fitted(frame.image, frame)
        expected = policy.features_of_fitted(frame.image, replace(frame, **readings))
        assert np.array_equal(held, expected)
        assert not np.array_equal(held, whole)
    held = UninformedPolicy(policy.model, "imu").features_of_fitted(frame.image, frame)
    assert not held[32:38].any()
    assert whole[32:38].any()
    assert np.array_equal(np.delete(held, range(32, 38)), np.delete(whole, range(32, 38)))


def test_effects_are_paired_with_the_intact_model(policy, tmp_path):
    campaign = scenario_campaign("trail", {}).with_seeds("3:6")
    parts = ["cruise_speed", "imu"]
    study = lesion_study(unsteered_fly, policy.model, campaign, tmp_path, parts=parts, workers=1)
    assert [row.model for row in study.summary[1:]] == ["without cruise_speed", "without imu"]
    successes = [row.successes for row in study.summary]
    for effect, lesioned in zip(study.effects, successes[1:], strict=True):
        assert effect.pairs == 3
        assert effect.second_only - effect.first_only == lesioned - successes[0]
    table = lesion_table(study)
    assert [column.header for column in table.columns][3:5] == ["difference", "p, Holm"]


def test_a_pilot_flies_without_its_part(policy, frames):
    pilot = LesionedPilot(Path(policy.model.path), "motor_3")()
    assert [pilot.command(frame, None).yaw_rate_radps for frame in frames[:5]] == [0.0] * 5


def test_the_published_table_is_that_of_the_counts(figures, policy):
    rows = counts_of(DOCS / "lesions.csv")
    assert figures.table_of(rows) in (DOCS / "results.md").read_text(encoding="utf-8")
    assert [row["lesion"] for row in rows] == ["intact", *parts_of(policy.model, PARTS)]
    assert len({row["flights"] for row in rows}) == 1


@pytest.mark.parametrize(
    ("successes", "wider_m", "listed"),
    [(2, 0.0, True), (3, 0.1, True), (3, 0.09, False), (4, 0.09, False), (4, 0.2, True)],
)
def test_the_table_has_the_lesions_that_cost_a_flight_or_width(
    figures, successes, wider_m, listed
):
    rows = counts_of(DOCS / "lesions.csv")[:2]
    intact = {**rows[0], "flights": 4, "successes": 3}
    lesion = {**rows[1], "flights": 4, "successes": successes, "cross_track_change_m": wider_m}
    assert (f"| `{lesion['lesion']}` |" in figures.table_of([intact, lesion])) == listed


def test_the_figure_has_every_lesion_and_its_counts(figures, policy, tmp_path):
    campaign = scenario_campaign("trail", {}).with_seeds("3:6")
    study = lesion_study(unsteered_fly, policy.model, campaign, tmp_path, parts=["imu"], workers=1)
    source = write_lesions(tmp_path / "lesions.json", "trail_cfc19", study)
    table = figures.main(source, tmp_path / "picture.png", tmp_path / "counts.csv")
    assert f"| nothing | {study.summary[0].successes} of 3 |" in table
    intact, lesion = counts_of(tmp_path / "counts.csv")
    assert (intact["lesion"], lesion["lesion"]) == ("intact", "imu")
    assert lesion["difference"] == pytest.approx(study.effects[0].difference, abs=1e-3)
    assert (tmp_path / "picture.png").stat().st_size > 1000

from pathlib import Path

import pytest
from toy_evaluation import unsteered_fly

from liquid_control.errors import ConfigError
from liquid_control.evaluation import scenario_campaign
from liquid_control.inspection.lesions import LesionedPilot, lesion_study, parts_of
from liquid_control.inspection.tables import lesion_table
from liquid_control.journal import JOURNAL_FILE

pytestmark = pytest.mark.unit


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


def test_parts_are_groups_or_names(policy):
    assert len(parts_of(policy.model, ["neurons", "features", "inter_1"])) == 19 + 41
    assert parts_of(policy.model, ["rate_z", "rate_z"]) == ["rate_z"]
    with pytest.raises(ConfigError, match="--of: no neuron or feature 'inter_99'"):
        parts_of(policy.model, ["inter_99"])


def test_a_pilot_flies_without_its_part(policy, frames):
    pilot = LesionedPilot(Path(policy.model.path), "motor_3")()
    assert [pilot.command(frame, None).yaw_rate_radps for frame in frames[:5]] == [0.0] * 5

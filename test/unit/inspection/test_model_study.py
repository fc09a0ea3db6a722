"""Numbers of record of several models: kept in a journal, resumed, refused for other flights."""

from functools import partial

import pytest

from liquid_control.errors import ConfigError, OutputError
from liquid_control.inspection import measure_models, model_study
from liquid_control.inspection.saliency import VISUAL_BACKPROP
from liquid_control.journal import JOURNAL_FILE, read_journal
from liquid_control.policy import Policy, load_model

pytestmark = pytest.mark.unit


@pytest.fixture
def study(tmp_path, monkeypatch, make_flight):
    """Return a function that measures models on a flight that stands for a bag's."""
    bag = tmp_path / "a.mcap"
    bag.write_bytes(b"bag")

    def open_flights(bags, *, policy):
        assert bags == [bag]
        opened.append(policy.model.name)
        return policy, [make_flight(policy, 0, 30)]

    opened = []
    monkeypatch.setattr(model_study, "open_flights", open_flights)
    measured = partial(measure_models, bags=[bag], method=VISUAL_BACKPROP, folder=tmp_path)
    return measured, opened, bag


def shipped(*names):
    return [Policy(load_model(name)) for name in names]


def test_a_resumed_study_measures_only_the_further_models(study, tmp_path):
    measured, opened, _ = study
    (first,) = measured(shipped("trail_cfc19"))
    again = measured(shipped("trail_gru", "trail_cfc19"), resume=True, rates={"trail_cfc19": 0.5})
    assert opened == ["trail_cfc19", "trail_gru"]
    assert [one.model for one in again] == ["trail_gru", "trail_cfc19"]
    assert [one.success_rate for one in again] == [None, 0.5]
    assert again[1].lipschitz_of == first.lipschitz_of
    assert again[1].deletion == first.deletion
    header, rows, _ = read_journal(tmp_path / JOURNAL_FILE)
    assert [row["model"]["name"] for row in rows] == opened
    assert header["plan"] == {"method": VISUAL_BACKPROP, "bag a.mcap": 3}


def test_a_study_is_not_mixed_with_other_flights_and_a_bad_row_is_named(study, tmp_path):
    measured, _, bag = study
    measured(shipped("trail_gru"))
    with pytest.raises(OutputError, match="exists already; pass --resume"):
        measured(shipped("trail_gru"))
    path = tmp_path / JOURNAL_FILE
    path.write_text(path.read_text().replace('"deletion"', '"deleted"'))
    with pytest.raises(OutputError, match="line 2: expected the measures of a model: damaged"):
        measured(shipped("trail_gru"), resume=True)
    bag.write_bytes(b"another")
    with pytest.raises(ConfigError, match=r"bag a\.mcap"):
        measured(shipped("trail_gru"), resume=True)

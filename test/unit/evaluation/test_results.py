import json
from math import inf

import pytest

import liquid_control
from liquid_control.errors import OutputError
from liquid_control.evaluation import (
    CampaignEntry,
    FlightRow,
    plan_flights,
    results_document,
    summarise,
    write_results,
)
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit


@pytest.fixture
def document():
    (job,) = plan_flights([CampaignEntry(name="calm", seeds="4")], ["m"])
    rows = [FlightRow.of(job, FlightResult(True, "completed", 60.0, 0.1, inf, 30.0))]
    config = {"entry": CampaignEntry(name="calm", seeds="4"), "set": {"wind.mean_mps": 2.0}}
    command = ["liquid-control", "evaluate"]
    return results_document(command, config, rows, summarise(rows))


def test_schema_1(tmp_path, document):
    read = json.loads(write_results(tmp_path / "deep" / "results.json", document).read_text())
    assert read["schema"] == 1
    assert read["command"] == "liquid-control evaluate"
    assert read["versions"]["liquid_control"] == liquid_control.__version__
    assert "numpy" in read["versions"]
    assert "git_revision" in read
    assert read["config"]["set"] == {"wind.mean_mps": 2.0}
    assert read["config"]["entry"]["seeds"] == "4"
    (row,) = read["rows"]
    assert list(row) == [
        "model",
        "entry",
        "scenario",
        "perturbation",
        "severity",
        "seed",
        "success",
        "reason",
        "distance_m",
        "cross_track_rms_m",
        "min_clearance_m",
        "duration_s",
        "bag",
    ]
    assert row["success"] is True
    assert row["min_clearance_m"] is None
    (summary,) = read["summary"]
    assert summary["success_rate"] == 1.0
    assert summary["ci95_low"] == pytest.approx(0.2065, abs=1e-4)
    assert (summary["ci95_high"], summary["n"]) == (1.0, 1)


def test_a_folder_that_is_no_folder(tmp_path, document):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"results\.json: cannot be written"):
        write_results(tmp_path / "file" / "results.json", document)


def test_nothing_is_left_half_written(tmp_path, document):
    (tmp_path / "results.json").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_results(tmp_path / "results.json", document)
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]

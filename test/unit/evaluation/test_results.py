import json
from math import inf

import pytest
from scipy.stats import binomtest

import liquid_control
from liquid_control.errors import ConfigError, OutputError
from liquid_control.evaluation import (
    CampaignEntry,
    FlightRow,
    plan_flights,
    results_document,
    summarise,
    wilson_interval,
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


def test_a_parent_that_is_a_file_is_named(tmp_path, document):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"results\.json: cannot be written"):
        write_results(tmp_path / "file" / "results.json", document)


def test_nothing_is_left_half_written(tmp_path, document):
    (tmp_path / "results.json").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_results(tmp_path / "results.json", document)
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def row(model="m", entry="calm", seed=1, reason="completed", clearance=1.0, rms=0.1):
    (job,) = plan_flights([CampaignEntry(name=entry, seeds=str(seed))], [model])
    success = reason == "completed"
    return FlightRow.of(job, FlightResult(success, reason, 60.0, rms, clearance, 30.0))


def test_a_row_holds_job_and_result():
    entry = CampaignEntry(name="fog", perturbation="fog", severity=0.1, seeds="4")
    (job,) = plan_flights([entry], ["m"])
    got = FlightRow.of(job, FlightResult(False, "left_trail", 12.0, 0.5, 0.9, 7.0))
    assert (got.model, got.entry, got.scenario, got.perturbation) == ("m", "fog", "trail", "fog")
    assert (got.severity, got.seed, got.success, got.reason) == (0.1, 4, False, "left_trail")
    assert (got.distance_m, got.cross_track_rms_m) == (12.0, 0.5)


def test_summary_counts_rates_and_medians():
    rows = [row(seed=1, rms=0.1), row(seed=2, rms=0.3), row(seed=3, reason="timeout", rms=0.2)]
    (summary,) = summarise(rows)
    assert (summary.n, summary.successes) == (3, 2)
    assert summary.success_rate == pytest.approx(2 / 3)
    assert (summary.ci95_low, summary.ci95_high) == wilson_interval(2, 3)
    assert summary.cross_track_rms_m == 0.2
    assert summary.reasons == {"completed": 2, "timeout": 1}


def test_one_summary_a_model_and_entry_in_order():
    rows = [row("b", "calm"), row("b", "wind"), row("a", "calm"), row("b", "calm", seed=2)]
    assert [(s.model, s.entry, s.n) for s in summarise(rows)] == [
        ("b", "calm", 2),
        ("b", "wind", 1),
        ("a", "calm", 1),
    ]


def test_clearance_without_trees_stays_infinite():
    (summary,) = summarise([row(clearance=inf), row(seed=2, clearance=inf)])
    assert summary.min_clearance_m == inf
    (summary,) = summarise([row(clearance=inf), row(seed=2, clearance=0.5)])
    assert summary.min_clearance_m == 0.5


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_values(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("trials", [1, 7, 50, 100])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_equal_to_scipy(trials, confidence):
    for successes in range(trials + 1):
        interval = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
        found = wilson_interval(successes, trials, confidence)
        assert found == pytest.approx((interval.low, interval.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts(successes, trials):
    with pytest.raises(ConfigError, match=f"got {successes} of {trials}"):
        wilson_interval(successes, trials)


@pytest.mark.parametrize("confidence", [0.0, 1.0, float("nan")])
def test_impossible_confidence(confidence):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        wilson_interval(1, 2, confidence)

"""Sweep of thresholds: real short flights, resumed, and the summary of known rows."""

import json
from dataclasses import asdict

import pytest

from liquid_control.cli import main
from liquid_control.config import load_scenario, project_file
from liquid_control.errors import ConfigError, ModelError
from liquid_control.evaluation.event_page import page_text
from liquid_control.evaluation.event_sweep import (
    DENSE,
    EventRow,
    EventSweep,
    event_row,
    event_sweep,
    parse_thresholds,
    summary,
)
from liquid_control.liquid.event_step import Operations
from liquid_control.policy import EventPilot, Policy, PolicyPilot, Thresholds, load_model
from liquid_control_sim import fly

pytestmark = pytest.mark.sim

MODEL = str(project_file("models/trail_cfc19"))
SHORT = ["--set", "time_limit_s=1.5", "--set", "trail.length_m=15", "--seeds", "10000:10002"]
SPARSE = Thresholds(0.2, 0.05)


def row(thresholds, seed, success, macs=100):
    counts = Operations(macs, 10, 80, 4, 10, 5, 5).counts
    return EventRow(
        thresholds.encoder,
        thresholds.core,
        seed,
        success,
        "completed" if success else "left_trail",
        40.0,
        0.1,
        2.0,
        40,
        counts,
        counts,
    )


def test_a_killed_sweep_ends_with_the_same_results(tmp_path, capsys):
    command = ["events", "--model", MODEL, "--jobs", "1", "--threshold", "0.3:0.07", *SHORT]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main.main([*command, "--out", str(whole)]) == 0
    rows = (whole / "rows.jsonl").read_bytes().splitlines(keepends=True)
    assert len(rows) == 1 + 2 * 2
    cut.mkdir()
    (cut / "rows.jsonl").write_bytes(b"".join(rows[:3]) + rows[3][:20])
    assert main.main([*command, "--out", str(cut), "--resume"]) == 0
    first, again = (json.loads((f / "events.json").read_text()) for f in (whole, cut))
    assert first["rows"] == again["rows"]
    assert (whole / "events.png").stat().st_size > 10_000
    dense, sparse = first["points"]
    assert dense["encoder"]["macs"] > 2 * sparse["encoder"]["macs"] > 0
    assert "| 0.3 : 0.07 | core |" in (whole / "events.md").read_text()
    capsys.readouterr()
    other = [*command[:-1], "10000:10003", "--out", str(cut), "--resume"]
    assert main.main(other) == 2
    assert "seeds" in capsys.readouterr().err


def test_the_dense_form_flies_as_the_float_policy_does():
    """Features differ by rounding to 16 bits, so the track does by centimetres at most."""
    scenario = load_scenario("trail", {"time_limit_s": 4.0, "trail.length_m": 15.0})
    model = load_model(MODEL)
    tracks = [
        fly(scenario, 3, pilot).position
        for pilot in (PolicyPilot(Policy(model)), EventPilot(model, DENSE))
    ]
    assert len(tracks[0]) == len(tracks[1])
    assert abs(tracks[0] - tracks[1]).max() < 0.05


def test_summary_compares_the_same_forests():
    rows = [row(DENSE, seed, seed < 5) for seed in range(6)]
    rows += [row(SPARSE, seed, seed > 1, macs=30) for seed in range(5)]
    dense, sparse = summary(rows, (DENSE, SPARSE))
    assert (dense.successes, dense.flights, dense.difference, dense.p_value) == (5, 6, 0.0, 1.0)
    assert (sparse.successes, sparse.flights, sparse.difference) == (3, 5, -0.4)
    assert sparse.p_value == 0.5
    assert sparse.difference_low < -0.4 < sparse.difference_high
    assert sparse.operations_per_s == 2 * 5 * (30 + 10) / (5 * 2.0)
    assert sparse.encoder.sparsity == pytest.approx(0.6)
    assert event_row(json.loads(json.dumps(asdict(rows[0])))) == rows[0]
    counts = Operations(100, 5, 100, 10, 10, 5, 5)
    parts = {"encoder": counts, "core": counts}
    memory = {"encoder": 2048, "core": 800}
    page = page_text(
        EventSweep("m", {"seeds": range(6)}, tuple(rows), (dense, sparse), parts, memory), "c"
    )
    assert "| 0.2 : 0.05 | 3/5 (23 to 88 %) | -40 points" in page
    assert "Memory between two frames in exported C: encoder 2,048 bytes, core 800" in page


def test_thresholds_are_pairs_and_the_dense_form_is_always_flown():
    assert parse_thresholds(["0.2:0.05", "0:0"]) == (DENSE, SPARSE)
    for text in ("0.2", "a:b", "1:2:3"):
        with pytest.raises(ConfigError, match="--threshold: expected ENCODER:CORE"):
            parse_thresholds([text])


def test_what_cannot_fly_is_refused_before_the_first_flight(tmp_path):
    scenario = load_scenario("trail", {})
    gru = str(project_file("models/trail_gru"))
    with pytest.raises(ModelError, match="expected a core of kind cfc_wired"):
        event_sweep(fly, gru, scenario, [1], (DENSE,), tmp_path)
    with pytest.raises(ConfigError, match="threshold of the core"):
        event_sweep(fly, MODEL, scenario, [1], (DENSE, Thresholds(0.1, 4.0)), tmp_path)
    steep = load_scenario("trail", {"camera.pitch_down_deg": 60.0})
    with pytest.raises(ModelError, match="pitch"):
        event_sweep(fly, MODEL, steep, [1], (DENSE,), tmp_path)
    assert not list(tmp_path.iterdir())

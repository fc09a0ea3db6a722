"""Study of adaptation: real short flights, resumed, and the statistics on known rows."""

import json

import numpy as np
import pytest

from liquid_control.cli import main
from liquid_control.config import load_scenario, project_file
from liquid_control.errors import ConfigError
from liquid_control.evaluation.adaptation import (
    CALM,
    DISTURBED,
    AdaptationRow,
    Held,
    _effects,
    held_values,
    neuron_shifts,
    study,
)
from liquid_control.evaluation.adaptation_page import answer
from liquid_control_sim import fly

pytestmark = pytest.mark.sim

SHORT = ["--set", "time_limit_s=1.5", "--set", "trail.length_m=15", "--seeds", "10000:10002"]


def row(condition, held, seed, success, slopes=(1.0,), gates=(0.5,)):
    return AdaptationRow(
        condition,
        held.value,
        seed,
        success,
        "goal",
        0.05,
        slopes,
        tuple(-s for s in slopes),
        gates,
    )


def test_a_killed_study_ends_with_the_same_results(tmp_path, capsys):
    model = ["--model", str(project_file("models/trail_cfc19")), "--jobs", "1"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main.main(["adapt", *model, *SHORT, "--out", str(whole)]) == 0
    rows = (whole / "rows.jsonl").read_bytes().splitlines(keepends=True)
    assert len(rows) == 1 + 2 * 2 * len(Held)
    cut.mkdir()
    (cut / "rows.jsonl").write_bytes(b"".join(rows[:4]) + rows[4][:20])
    assert main.main(["adapt", *model, *SHORT, "--out", str(cut), "--resume"]) == 0
    first, again = (json.loads((f / "adaptation.json").read_text()) for f in (whole, cut))
    assert first["rows"] == again["rows"]
    assert first["shifts"] == again["shifts"]
    assert (whole / "adaptation.png").stat().st_size > 10_000
    capsys.readouterr()
    other = [*SHORT[:-1], "10000:10003"]
    assert main.main(["adapt", *model, *other, "--out", str(cut), "--resume"]) == 2
    assert "seeds" in capsys.readouterr().err


def test_holding_the_elapsed_time_changes_little_where_frames_are_regular(tmp_path):
    """At 24 Hz a frame falls on every tenth physics tick, so the elapsed time is constant."""
    keys = {"time_limit_s": 1.5, "trail.length_m": 15.0, "camera.rate_hz": 24.0}
    scenario = load_scenario("trail", keys)
    model = str(project_file("models/trail_cfc19"))
    result = study(fly, model, {CALM: scenario, DISTURBED: scenario}, [1, 2], tmp_path, workers=1)
    rows = {(r.held, r.condition, r.seed): r for r in result.rows}
    free, steady = (rows[held.value, CALM, 1] for held in (Held.NOTHING, Held.ELAPSED))
    assert free.elapsed_s == pytest.approx(1.0 / 24.0, rel=1e-6)
    # Only the first frame differs: it has the model's nominal dt of 0.05 s.
    np.testing.assert_allclose(free.slopes, steady.slopes, rtol=0.3)
    fixed = rows[Held.TIME_CONSTANTS.value, CALM, 1]
    means = held_values([rows[Held.NOTHING.value, CALM, seed] for seed in (1, 2)])
    np.testing.assert_allclose(fixed.signed, means[Held.TIME_CONSTANTS], rtol=1e-5)
    gated = rows[Held.GATES.value, CALM, 1]
    np.testing.assert_allclose(gated.gates, means[Held.GATES], atol=1e-6)
    assert all(shift.log2_ratio == 0.0 for shift in result.shifts)
    assert all(shift.adjusted == 1.0 for shift in result.shifts)


def test_a_neuron_that_doubles_its_rate_in_every_forest_is_found():
    rng = np.random.default_rng(1)
    rows = []
    for seed in range(12):
        base = float(rng.uniform(0.5, 2.0))
        noise = float(np.exp(rng.normal(0.0, 0.1)))
        rows.append(row(CALM, Held.NOTHING, seed, True, (base, base)))
        rows.append(row(DISTURBED, Held.NOTHING, seed, True, (2.0 * base, base * noise)))
    moved, still = neuron_shifts(rows, ["a", "b"])
    assert moved.log2_ratio == pytest.approx(1.0)
    assert moved.calm_s == pytest.approx(2.0 * moved.disturbed_s)
    # Wilcoxon's smallest two-sided p value for 12 pairs is 2 / 2^12; Holm doubles it.
    assert moved.adjusted == pytest.approx(4.0 / 2**12, rel=1e-6)
    assert still.low < 0.0 < still.high
    assert still.adjusted > 0.05


def test_the_answer_follows_success():
    def rows(lost_calm, lost_disturbed):
        flown = []
        for seed in range(40):
            for condition, lost in ((CALM, lost_calm), (DISTURBED, lost_disturbed)):
                flown.append(row(condition, Held.NOTHING, seed, True))
                flown += [row(condition, held, seed, True) for held in (Held.GATES, Held.ELAPSED)]
                flown.append(row(condition, Held.TIME_CONSTANTS, seed, seed >= lost))
        return _effects(flown)

    assert answer(rows(0, 0)).startswith("Not shown: no intervention")
    assert answer(rows(30, 30)).startswith("Not shown: holding costs success (time constants und")
    assert answer(rows(0, 30)).startswith("Yes: with time constants held")


def test_other_cores_and_single_forests_are_refused(tmp_path):
    scenario = load_scenario("trail")
    flown = {CALM: scenario, DISTURBED: scenario}
    with pytest.raises(ConfigError, match="expected at least two forests, got 1"):
        study(fly, str(project_file("models/trail_cfc19")), flown, [1], tmp_path)

"""Tables, cells and figures of a benchmark from its results.json alone."""

import base64
import copy
import csv
import io
import json

import cv2
import numpy as np
import pytest
from toy_evaluation import ToyPilot, ToyTick, toy_fly

from liquid_control.config import project_file
from liquid_control.errors import ConfigError
from liquid_control.evaluation import Arms, load_campaign, wilson_interval
from liquid_control.evaluation.arms import arm_pilots, missing_models
from liquid_control.evaluation.benchmark import BenchmarkResults, load_document
from liquid_control.evaluation.benchmark_figures import severity_curve, spread
from liquid_control.evaluation.benchmark_page import BEGIN, END, cells_csv, write_benchmark
from liquid_control.evaluation.benchmark_tables import compare_with_reference, page_text
from liquid_control.evaluation.results import FlightRow
from liquid_control.evaluation.worst_flights import photograph_worst, strip_of, worst_flights
from liquid_control.journal import plain
from liquid_control.types import HOVER, FlightResult

pytestmark = pytest.mark.unit
pytest.importorskip("scipy.stats")

CAMPAIGN = """
name: toy benchmark
reference: cfc19
model: none/{name}-{training_seed}
train: train
arms:
  - {name: hover}
  - {name: expert}
  - {name: cfc19, core: cfc_wired, training_seeds: [1, 2]}
  - {name: gru, core: gru, training_seeds: [1, 2]}
  - {name: lstm, core: lstm, training_seeds: [1]}
entries:
  - {name: trail 1, seeds: '10000:10016'}
  - {name: "trail 1, wind 3 + fog 3", of: trail 1, disturb: {wind: 3, fog: 3}}
ladders:
  - {of: trail 1, disturbances: [wind, fog], severities: [3, 5]}
  - {of: trail 1, disturbances: [delta_noise], severities: [4], seeds: '10000:10004'}
claims:
  - {claim: calm, entries: [trail 1], at_least: 0.9}
  - {claim: hard, entries: ['trail 1, * 5'], at_least: 0.5, relative: expert}
  - {claim: steady, entries: ['trail 1, wind ?'], at_least: 0.95, relative: best}
  - {claim: fog, entries: ['trail 1, fog 3'], at_least: 0.8, relative: trail 1}
"""
SIZES = {"cfc19": 868, "gru": 2006, "lstm": 1924}


def success(job):
    """cfc19 fails every fourth forest in wind; gru all wind and fog; its second model half."""
    arm, even = job.model.partition("-")[0], job.seed % 2 == 0
    if arm in ("hover", "expert"):
        return arm == "expert"
    if arm == "cfc19":
        return "wind" not in job.entry or job.seed % 4 != 3
    calm = "," not in job.entry
    return calm and (job.model == "gru-1" or even)


@pytest.fixture(scope="module")
def flights(tmp_path_factory):
    path = tmp_path_factory.mktemp("campaign") / "campaign.yaml"
    path.write_text(CAMPAIGN)
    campaign = load_campaign(path)
    pilots = arm_pilots(campaign)
    arms = Arms(campaign, pilots, missing_models(pilots), True)
    jobs = [job for job in arms.flights() if job.model != "lstm-1"]
    rows = [
        FlightRow.of(
            job,
            FlightResult(
                success(job), "completed" if success(job) else "left_trail", 9.0, 0.1, 1.0, 20.0
            ),
        )
        for job in jobs
    ]
    return arms, jobs, rows


@pytest.fixture(scope="module")
def document(flights):
    arms, _, rows = flights
    config = plain(arms.config())
    for record in config["arms"]:
        record["parameters"] = SIZES.get(record["arm"])
        record["missing"] = [label for label in record["missing"] if label == "lstm-1"]
    picture = cv2.imencode(".png", np.full((9, 64, 3), 90, np.uint8))[1].tobytes()
    strip = {"caption": "gru-1: trail 1", "png": base64.b64encode(picture).decode()}
    config["worst_flights"] = [strip]
    return {
        "schema": 1,
        "complete": False,
        "command": "liquid-control evaluate",
        "created_utc": "2026-01-01T00:00:00+00:00",
        "git_revision": "abc",
        "config": config,
        "rows": plain(rows),
    }


def lines_of(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


def test_tables_state_rates_sizes_and_what_is_kept(document):
    text = page_text(BenchmarkResults.of(document), "cells.csv", [])
    (cfc,) = lines_of(text, "| cfc19 | cfc_wired")
    wilson = [f"{100 * bound:.1f}" for bound in wilson_interval(16, 16)]
    assert cfc.startswith(f"| cfc19 | cfc_wired | 868 | 32 of 32, 100 % ({wilson[0]} % to 100 %)")
    assert "112 of 128, 87.5 %" in cfc
    assert cfc.endswith("| 88 % | 88 % | 88 / 88 % |")
    (gru,) = lines_of(text, "| gru | gru |")
    assert "24 of 32, 75.0 %" in gru
    assert "0 of 128, 0 %" in gru
    assert lines_of(text, "| hover |")[0].count("0 of") == 2
    assert "Not flown, since the models do not exist: lstm-1." in text
    assert "not complete, all flights so far; revision abc, 2026-01-01" in text
    begun = page_text(
        BenchmarkResults.of(document | {"begun_with": {"git_revision": "def"}}), "cells.csv", []
    )
    assert "revision abc (begun with revision def), 2026-01-01" in begun


def test_conditions_and_published_changes_have_their_own_tables(document):
    text = page_text(BenchmarkResults.of(document), "cells.csv", [])
    assert "| trail 1, wind 3 + fog 3 | 0 | 100 | 75 | 0 |" in text
    assert "| trail 1, fog 5 | 0 | 100 | 100 | 0 |" in text
    assert "| trail 1 | noise 60 | 4/4 | 8/8 | 0/8 |" in text
    assert "delta_noise 4 |" not in text, "it is not among the disturbances of the world"


def test_a_ladder_without_of_stands_beside_its_plain_scenario():
    campaign = load_campaign(project_file("config/campaigns/published_deltas.yaml"))
    config = plain({"entries": campaign.entries, "arms": []})
    results = BenchmarkResults.of({"config": config, "rows": []})
    assert results.tasks == ["calm"]
    found = results.disturbances("calm")
    assert list(found) == [f"delta_{name}" for name in CHANGES]
    assert [[entry.severity for entry in own] for own in found.values()] == [[1, 2, 3, 4]] * 5
    assert results.beside("calm") == []


CHANGES = ("brightness", "darkness", "contrast", "saturation", "noise")


def test_claims_name_the_lowest_condition_and_what_does_not_reach(document):
    text = page_text(BenchmarkResults.of(document), "cells.csv", [])
    claims = {tuple(line.split(" | ")[:2]): line for line in lines_of(text, "| ")}
    assert claims["| calm", "cfc19"].endswith("| yes |")
    assert claims["| calm", "gru"].endswith("| no |")
    hard = claims["| hard", "cfc19"]
    assert "2 of 2" in hard
    assert "trail 1, wind 5: 24 of 32, 75.0 %" in hard
    assert hard.endswith("75 % of expert | yes |")
    assert "0 of 2 (below: trail 1, wind 5, trail 1, fog 5)" in claims["| hard", "gru"]
    assert claims["| steady", "cfc19"].endswith("| yes |"), "75 % of both winds"
    assert claims["| fog", "cfc19"].endswith("100 % of trail 1 | yes |")


def test_a_claim_about_what_was_not_flown_is_not_reached(document):
    partial = copy.deepcopy(document)
    partial["rows"] = [row for row in document["rows"] if row["entry"] != "trail 1, fog 5"]
    text = page_text(BenchmarkResults.of(partial), "cells.csv", [])
    claims = {tuple(line.split(" | ")[:2]): line for line in lines_of(text, "| ")}
    assert claims["| hard", "cfc19"].endswith("| 1 conditions not flown |")
    partial["rows"] = [row for row in document["rows"] if row["entry"] != "trail 1, fog 3"]
    claims = page_text(BenchmarkResults.of(partial), "cells.csv", [])
    assert "| fog | cfc19 | at least 80 % of trail 1 | 0 of 1 flown | - | not flown |" in claims


def test_arms_are_compared_with_the_reference_in_one_family(document):
    found = compare_with_reference(BenchmarkResults.of(document))
    assert [(row.name["question"], row.name["arm"]) for row in found] == [
        ("undisturbed", "gru"),
        ("disturbed", "gru"),
        ("kept", "gru"),
    ]
    calm, disturbed, kept = found
    assert (calm.difference, disturbed.difference) == pytest.approx((-0.25, -0.875))
    assert kept.difference == pytest.approx(-0.625)
    assert disturbed.verdict == "worse"
    assert disturbed.p_value == pytest.approx(2.0**-15)
    text = page_text(BenchmarkResults.of(document), "cells.csv", [])
    assert "| trail 1 | disturbed | gru | 16 | -87.5 |" in text
    assert "worse, in all training seeds" in text


def test_only_forests_of_all_models_of_an_arm_count(document):
    """A campaign that ended early: the second model lacks a forest."""
    partial = copy.deepcopy(document)
    partial["rows"] = [
        row for row in document["rows"] if not (row["model"] == "gru-2" and row["seed"] == 10_015)
    ]
    cell = BenchmarkResults.of(partial).cells["gru", "trail 1"]
    assert cell.seeds == tuple(range(10_000, 10_015))
    assert cell.values.shape == (1, 2, 15)


def test_the_curve_has_the_undisturbed_flights_at_severity_zero(document):
    curve = severity_curve(BenchmarkResults.of(document), "cfc19", "trail 1")
    assert [(severity, outcomes.flights) for severity, outcomes in curve] == [
        (0, 32),
        (3, 64),
        (5, 64),
    ]
    assert [outcomes.rate for _, outcomes in curve] == [1.0, 0.875, 0.875]


def test_cells_hold_every_model_and_all_of_an_arm(document):
    rows = list(csv.DictReader(io.StringIO(cells_csv(BenchmarkResults.of(document)))))
    found = {(row["model"], row["entry"]): row for row in rows if row["arm"] == "gru"}
    second = found["gru-2", "trail 1"]
    assert (second["flights"], second["successes"], second["rate"]) == ("16", "8", "0.5000")
    assert float(second["low"]) == pytest.approx(wilson_interval(8, 16)[0], abs=5e-5)
    assert found["all", "trail 1"]["successes"] == "24"
    assert found["all", "trail 1, fog 5"]["severity"] == "5"
    models = [label for arm in BenchmarkResults.of(document).arms.values() for label in arm.labels]
    assert models == ["hover", "expert", "cfc19-1", "cfc19-2", "gru-1", "gru-2"]


def test_rescoring_makes_the_same_bytes_and_keeps_the_text_around(document, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(document))
    made = write_benchmark(tmp_path / "a", document)
    page = tmp_path / "b" / "benchmark.md"
    page.parent.mkdir()
    begin, end = BEGIN.format("toy benchmark"), END.format("toy benchmark")
    page.write_text(f"# Method\n\n{begin}\nold\n{end}\n\n{BEGIN.format('other')}\n")
    again = write_benchmark(tmp_path / "b", load_document(tmp_path))
    assert [path.read_bytes() for path in made[1:]] == [path.read_bytes() for path in again[1:]]
    text = page.read_text()
    generated = made[0].read_text().removeprefix("# toy benchmark\n\n").removesuffix("\n")
    assert text == f"# Method\n\n{generated}\n\n{BEGIN.format('other')}\n"
    assert "old" not in text
    assert {path.name for path in made} == {
        "benchmark.md",
        "toy_benchmark_cells.csv",
        "severity-trail_1.png",
        "heat-trail_1.png",
        "parameters.png",
        "worst_flights.png",
    }
    for path in made[2:]:
        assert cv2.imread(str(path)).std() > 5.0, f"{path.name} is empty"
        assert f"](toy_benchmark/{path.name})" in text


def test_a_page_without_the_campaigns_tables_keeps_its_text(document, tmp_path):
    page = tmp_path / "benchmark.md"
    page.write_text("# Method\n\ntext\n")
    made = write_benchmark(tmp_path, document)
    assert page.read_text().startswith(f"# Method\n\ntext\n\n{BEGIN.format('toy benchmark')}\n")
    assert "[toy_benchmark_cells.csv](toy_benchmark_cells.csv)" in page.read_text()
    assert made[1] == tmp_path / "toy_benchmark_cells.csv"


def test_what_is_no_benchmark_is_refused(document):
    with pytest.raises(ConfigError, match=r"expected config\.arms and config\.entries"):
        BenchmarkResults.of({"config": {}, "rows": []})
    twice = {**document, "rows": [*document["rows"], document["rows"][0]]}
    with pytest.raises(ConfigError, match="hover through 'trail 1', seed 10000 is there twice"):
        BenchmarkResults.of(twice)


def test_labels_are_apart_and_near_their_values():
    assert spread([10.0, 50.0, 90.0], 4.0) == [10.0, 50.0, 90.0]
    assert spread([50.0, 50.0, 50.0], 4.0) == pytest.approx([46.0, 50.0, 54.0])
    heights = spread([1.0, 2.0, 2.5, 60.0, 61.0], 4.0)
    assert min(np.diff(heights)) >= 4.0 - 1e-9


# --- worst flights


def test_the_worst_flight_failed_at_the_lowest_severity(flights):
    _, jobs, rows = flights
    arms = {"cfc19-1": "cfc19", "cfc19-2": "cfc19", "gru-1": "gru", "gru-2": "gru"}
    arms |= {"hover": "hover", "expert": "expert"}
    chosen = [rows[index] for index in worst_flights(jobs, rows, arms)]
    assert [(row.model, row.entry, row.seed) for row in chosen] == [
        ("cfc19-1", "trail 1, wind 3", 10_003),
        ("gru-2", "trail 1", 10_001),
    ]


def test_worst_flights_are_flown_again_for_their_pictures(flights):
    _, jobs, rows = flights
    arms = {row.model: row.model.partition("-")[0] for row in rows}
    flown = []

    def fly(scenario, seed, pilot, watch=None):
        flown.append(seed)
        for tick in range(60):
            image = np.full((6, 8, 3), (4 * tick, 0, 0), np.uint8)
            watch(ToyTick(tick * 100_000_000, image, HOVER, None, np.zeros(3), None))
        return toy_fly(scenario, seed, pilot)

    pilots = {row.model: ToyPilot for row in rows}
    strips = photograph_worst(jobs, rows, arms, fly, pilots)
    assert flown == [10_003, 10_001]
    assert strips[0]["caption"] == ("cfc19-1: trail 1, wind 3, seed 10003, left trail after 9 m")
    png = np.frombuffer(base64.b64decode(strips[0]["png"]), np.uint8)
    picture = cv2.imdecode(png, cv2.IMREAD_COLOR)
    assert picture.shape == (6, 7 * 8, 3)
    reds = picture[0, ::8, 2].tolist()
    assert reds == [4 * tick for tick in (29, 34, 39, 44, 49, 54, 59)], "half a second apart"


def test_a_short_flight_has_a_short_strip():
    frames = [(0, np.zeros((2, 3, 3), np.uint8)), (10**8, np.ones((2, 3, 3), np.uint8))]
    assert strip_of(frames).shape == (2, 6, 3)
    assert strip_of(frames[:1]).shape == (2, 3, 3)

"""Rows of a campaign as they are flown: killed at any moment, it goes on with what it has."""

import json
import os
import signal
from functools import partial
from math import inf, isinf
from pathlib import Path

import numpy as np
import pytest
from toy_evaluation import ToyPilot, toy_fly

from liquid_control.errors import ConfigError, LiquidControlError, OutputError
from liquid_control.evaluation import (
    CampaignEntry,
    FlightLog,
    FlightRow,
    RecordingOptions,
    campaign_plan,
    evaluate,
    plan_flights,
    scenario_campaign,
    summarise,
)
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit

ENTRIES = [CampaignEntry(name="a", seeds="0:4"), CampaignEntry(name="b", seeds="7,9,8")]
MODELS = {"m": {"sha256": "1"}, "n": {"pilot": "n"}}


def jobs_of(entries=ENTRIES, models=MODELS, **changes):
    return plan_flights(entries, list(models), **changes)


def opened(path, jobs=None, plan=None):
    jobs = jobs or jobs_of()
    plan = plan or campaign_plan(jobs, MODELS)
    return FlightLog.open(path, jobs, plan, config={}, command="x", resume=True)


def row_of(job, clearance=1.0):
    result = FlightResult(job.seed % 2 == 0, "completed", 1.0 / 3.0, 0.1, clearance, 30.0)
    return FlightRow.of(job, result)


def test_rows_are_read_back_bit_for_bit(tmp_path):
    jobs = jobs_of()
    with opened(tmp_path / "rows.jsonl") as log:
        log.add(3, row_of(jobs[3], clearance=inf))
        log.add(0, row_of(jobs[0]))
        assert not log.complete
    again = opened(tmp_path / "rows.jsonl")
    assert again.in_order() == [row_of(jobs[0]), row_of(jobs[3], clearance=inf)]
    assert isinf(again.rows[3].min_clearance_m)
    assert again.resumed


@pytest.mark.parametrize(
    "change", [{"model": "o"}, {"entry": "c"}, {"seed": 77}, {"seed": None}, {"entry": ["a"]}]
)
def test_a_row_of_another_flight_is_refused(tmp_path, change):
    path = tmp_path / "rows.jsonl"
    with opened(path) as log:
        log.add(0, row_of(jobs_of()[0]))
    header, row = path.read_text().splitlines()
    path.write_text(f"{header}\n{json.dumps({**json.loads(row), **change})}\n")
    with pytest.raises(OutputError, match=r"rows\.jsonl: line 2: expected a flight of this camp"):
        opened(path)


@pytest.mark.parametrize(
    ("jobs", "models", "recording", "difference"),
    [
        (jobs_of([ENTRIES[0]]), MODELS, None, "entry 'b' "),
        (
            jobs_of([ENTRIES[0], CampaignEntry(name="b", seeds="7,9")]),
            MODELS,
            None,
            "'b' seeds: 7",
        ),
        (jobs_of(), {**MODELS, "m": {"sha256": "2"}}, None, "model m sha256: 1, .* has 2"),
        (
            jobs_of(models={"m": {}}),
            {"m": MODELS["m"]},
            None,
            "model n pilot: n, this command has none",
        ),
        (
            jobs_of(overrides={"light.gain": 0.5}),
            MODELS,
            None,
            r"entry 'a' set: {}, .*light\.gain",
        ),
        (jobs_of(disturb={"fog": 2}), MODELS, None, "entry 'a' perturbation: none, .* has fog"),
        (jobs_of(), MODELS, RecordingOptions(Path(), True), "--record: none, .* failures, raw"),
    ],
)
def test_another_campaign_is_refused_and_the_difference_named(
    tmp_path, jobs, models, recording, difference
):
    with opened(tmp_path / "rows.jsonl") as log:
        log.add(0, row_of(jobs_of()[0]))
    with pytest.raises(ConfigError, match=difference) as caught:
        opened(tmp_path / "rows.jsonl", jobs, campaign_plan(jobs, models, recording))
    assert "\n" not in str(caught.value)


def test_a_campaign_that_gained_an_arm_and_an_entry_keeps_its_rows(tmp_path):
    path, before = tmp_path / "rows.jsonl", jobs_of()
    with opened(path) as log:
        for index in (0, 5, 9):
            log.add(index, row_of(before[index]))
    first = json.loads(path.read_text().splitlines()[0])
    models = {"k": {"sha256": "3"}, **MODELS}
    jobs = jobs_of([CampaignEntry(name="new", seeds="0:2"), *ENTRIES], models)
    for _ in range(2):
        log = opened(path, jobs, campaign_plan(jobs, models))
        assert log.in_order() == [row_of(before[index]) for index in (0, 5, 9)]
        assert [jobs[index].seed for index in sorted(log.rows)] == [0, 9, 2]
        log.journal.close()
    header = json.loads(path.read_text().splitlines()[0])
    assert header["plan"] == campaign_plan(jobs, models) != first["plan"]
    assert {key: header[key] for key in ("created_utc", "git_revision", "versions")} == {
        key: first[key] for key in ("created_utc", "git_revision", "versions")
    }
    with pytest.raises(ConfigError, match="begun with model k sha256: 3, this command has none"):
        opened(path)


@pytest.mark.parametrize(
    ("more", "difference"),
    [
        ({"--guard": {"fence": 1}}, "--guard fence: none, this command has 1"),
        (
            {"model m": {"sha256": "1", "online_adaptation": "certified"}},
            "model m online_adaptation: none, this command has certified",
        ),
    ],
)
def test_what_the_rows_depend_on_may_not_be_added(tmp_path, more, difference):
    with opened(tmp_path / "rows.jsonl") as log:
        log.add(0, row_of(jobs_of()[0]))
    with pytest.raises(ConfigError, match=difference):
        opened(tmp_path / "rows.jsonl", plan=campaign_plan(jobs_of(), MODELS) | more)


def test_jobs_and_report_may_differ():
    jobs = jobs_of()
    assert campaign_plan(jobs, MODELS) == campaign_plan(jobs_of(), dict(MODELS))


def test_evaluate_goes_on_with_its_rows_file(tmp_path):
    pilots = {"hover": ToyPilot}
    jobs = plan_flights([CampaignEntry(name="trail", seeds="0:4")], ["hover"])
    whole = [FlightRow.of(job, toy_fly(job.scenario, job.seed, ToyPilot()).result) for job in jobs]
    path = tmp_path / "rows.jsonl"
    evaluate(toy_fly, pilots, "trail", seeds="0:4", workers=1, rows_file=path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + lines[3][:30])
    again = evaluate(toy_fly, pilots, "trail", seeds="0:4", workers=1, rows_file=path)
    assert (again.rows, again.summary) == (whole, summarise(whole))
    assert sorted(json.loads(line)["seed"] for line in path.read_text().splitlines()[1:]) == [
        0,
        1,
        2,
        3,
    ]
    with pytest.raises(ConfigError, match="seeds: 0:4, this command has 0:5"):
        evaluate(toy_fly, pilots, "trail", seeds="0:5", rows_file=path)


def test_rows_before_a_failed_flight_are_kept(tmp_path):
    path = tmp_path / "rows.jsonl"
    pilots = {"hover": ToyPilot, "other": ToyPilot, "refuses": partial(ToyPilot, "refuses")}
    with pytest.raises(LiquidControlError, match=r"^refuses through 'trail', seed 1: expected 96"):
        evaluate(toy_fly, pilots, "trail", seeds="1:3", workers=1, rows_file=path)
    rows = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert [(row["model"], row["seed"]) for row in rows] == [("hover", 1), ("other", 1)]


def test_killed_at_any_byte_it_ends_with_the_rows_of_an_unbroken_run(tmp_path):
    """Kill the process at 20 random bytes of the file, and once between two flights."""
    unbroken = flown(tmp_path / "whole", kill_at=None)
    size = (tmp_path / "whole" / "rows.jsonl").stat().st_size
    header = (tmp_path / "whole" / "rows.jsonl").read_bytes().index(b"\n") + 1
    moments = sorted(np.random.default_rng(11).integers(header, size, 20).tolist())
    folder = tmp_path / "broken"
    for moment in [header, *moments]:
        assert flown(folder, kill_at=moment) is None
    assert flown(folder, kill_at=None) == unbroken
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()[1:]]
    flown_once = sorted((row["model"], row["entry"], row["seed"]) for row in rows)
    assert flown_once == sorted((job.model, job.entry, job.seed) for job in jobs_of())


def flown(folder, kill_at):
    """Fly in a child process, which kills itself when the file reaches a size; return the rows."""
    child = os.fork()
    if child == 0:
        _fly_and_exit(folder, kill_at)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == (0 if kill_at is None else -signal.SIGKILL)
    return json.loads((folder / "rows.json").read_text()) if kill_at is None else None


def _fly_and_exit(folder, kill_at):
    folder.mkdir(exist_ok=True)
    path, write, jobs = folder / "rows.jsonl", os.write, jobs_of()

    def write_or_die(file, data):
        left = len(data) if kill_at is None else kill_at - path.stat().st_size
        written = write(file, data[: max(left, 0)])
        if left < len(data):
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    os.write = write_or_die
    with opened(path, jobs) as log:
        for index in np.random.default_rng(3).permutation(len(jobs)).tolist():
            if index not in log.rows:
                result = toy_fly(jobs[index].scenario, jobs[index].seed, ToyPilot()).result
                log.add(index, FlightRow.of(jobs[index], result))
        rows = log.in_order()
    content = [repr(rows), repr(summarise(rows))]
    (folder / "rows.json").write_text(json.dumps(content))
    os._exit(0)


def test_a_recorded_flight_without_its_row_is_flown_and_recorded_again(tmp_path):
    """Killed after the bag was closed and before the row was written."""
    recording, path = RecordingOptions(tmp_path), tmp_path / "rows.jsonl"
    campaign = scenario_campaign("trail", {}).with_seeds("1:3")
    options = {"workers": 1, "recording": recording, "rows_file": path}
    whole = evaluate(toy_fly, {"hover": ToyPilot}, campaign, **options)
    bags = {bag.name: bag.read_bytes() for bag in (tmp_path / "bags").iterdir()}
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    (tmp_path / "bags" / "trail-hover-2.mcap.partial").write_bytes(b"torn")
    again = evaluate(toy_fly, {"hover": ToyPilot}, campaign, **options)
    assert again.rows == whole.rows
    assert {bag.name: bag.read_bytes() for bag in (tmp_path / "bags").iterdir()} == bags
    with pytest.raises(OutputError, match="exists already, and bags are not overwritten"):
        evaluate(toy_fly, {"hover": ToyPilot}, campaign, workers=1, recording=recording)

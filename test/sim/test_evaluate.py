"""`liquid-control evaluate` with the real simulator: the expert over a short trail."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from liquid_control.cli.main import main
from liquid_control.config import load_scenario
from liquid_control.evaluation import FlightRow, plan_flights, scenario_campaign, summarise
from liquid_control.journal import plain
from liquid_control_sim import Expert, fly

pytestmark = pytest.mark.sim

SHORT = ["--set", "trail.length_m=6", "--set", "forest.trees=20"]


def test_rows_equal_flights_in_this_process(tmp_path, capsys):
    words = ["evaluate", "--model", "expert", "--scenario", "trail", "--seeds", "20001,20000"]
    assert main([*words, *SHORT, "--report", "1", "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    scenario = load_scenario("trail", {"trail.length_m": 6, "forest.trees": 20})
    for row, seed in zip(results["rows"], (20001, 20000), strict=True):
        alone = fly(scenario, seed, Expert()).result
        assert (row["model"], row["seed"]) == ("expert", seed)
        for name in ("success", "reason", "distance_m", "cross_track_rms_m", "duration_s"):
            assert row[name] == getattr(alone, name)
    (summary,) = results["summary"]
    assert (summary["n"], summary["perturbation"]) == (2, "trail.length_m, forest.trees")
    report = (tmp_path / "report.html").read_text()
    assert report.count('<a href="flights/01-') == 1
    assert len(list((tmp_path / "flights").glob("01-*.html"))) == 1
    assert "2 of 2" in capsys.readouterr().out


def test_the_guard_of_a_file_flies_and_a_run_of_other_rules_is_not_continued(tmp_path, capsys):
    """A fence that ends 4 m ahead of the start; the filter stops the expert in it."""
    rules = tmp_path / "guard.yaml"
    text = (
        "/**/guard_node: {ros__parameters: {barrier: true, fence_corners: "
        "[-9.0, -9.0, 4.0, -9.0, 4.0, 9.0, -9.0, 9.0]}}\n"
    )
    rules.write_text(text)
    words = ["evaluate", "--model", "expert", "--scenario", "trail", "--seeds", "20000", *SHORT]
    words += ["--set", "time_limit_s=6", "--guard", str(rules), "--out", str(tmp_path / "runs")]
    assert main([*words, "--jobs", "1"]) == 0
    document = json.loads((tmp_path / "runs" / "results.json").read_text())
    (row,) = document["rows"]
    assert not row["success"]
    assert 1.0 < row["distance_m"] < 4.0
    assert document["config"]["--guard"]["barrier"] is True
    rules.write_text(text.replace("4.0", "5.0"))
    assert main([*words, "--resume"]) == 2
    assert "--guard" in capsys.readouterr().err


def test_rows_name_the_disturbance_and_the_flight_is_disturbed(tmp_path):
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text(
        "name: wind\n"
        "entries: [{name: zero, disturb: {wind: 0}, seeds: '20000'}]\n"
        "ladders: [{disturbances: [wind], severities: [3], seeds: '20000'}]\n"
    )
    words = ["evaluate", "--model", "expert", "--campaign", str(campaign), *SHORT]
    assert main([*words, "--disturb", "fog=2", "--out", str(tmp_path), "--jobs", "1"]) == 0
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["config"]["disturb"] == {"fog": 2}
    labels = [(row["entry"], row["perturbation"], row["severity"]) for row in document["rows"]]
    assert labels == [("zero", "wind, fog", "0, 2"), ("wind 3", "wind, fog", "3, 2")]
    zero, windy = document["rows"]
    calm = fly(load_scenario("trail", {"trail.length_m": 6, "forest.trees": 20}), 20000, Expert())
    assert zero["cross_track_rms_m"] == calm.result.cross_track_rms_m
    assert windy["cross_track_rms_m"] != calm.result.cross_track_rms_m


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_leaves_neither_files_nor_processes(tmp_path, number, status):
    words = ["evaluate", "--model", "expert", "--scenario", "trail", "--seeds", "0:40"]
    out = tmp_path / "out"
    command = [sys.executable, "-m", "liquid_control.cli", *words, "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MARK": str(tmp_path)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        _wait_until(lambda: len(_marked(tmp_path)) > 2)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == status
    assert "Traceback" not in errors
    assert not out.exists()
    _wait_until(lambda: not _marked(tmp_path))


TINY = [
    *("--model", "expert", "--scenario", "trail", "--seeds", "0:12", "--jobs", "1"),
    *("--set", "camera.width=16", "--set", "camera.height=16", "--set", "forest.trees=3"),
    *("--set", "trail.length_m=6", "--set", "time_limit_s=1"),
]
"""A campaign of twelve flights of a second."""


def test_killed_or_interrupted_it_goes_on_and_ends_as_an_unbroken_run(tmp_path, capsys):
    """End it after a drawn number of rows; a second command on its folder is refused.

    The first command is stopped meanwhile: it would be done before the second looks.
    """
    out, flown = tmp_path / "out", 0
    for number, least in zip(
        (signal.SIGKILL, signal.SIGTERM), np.random.default_rng(7).permutation(2) + 1, strict=True
    ):
        process = _started([*TINY, "--resume", "--out", str(out)], tmp_path)
        try:
            _wait_until(lambda least=flown + least: _rows(out) >= least)
            process.send_signal(signal.SIGSTOP)
            assert main(["evaluate", *TINY, "--resume", "--out", str(out)]) == 2
            assert f"(process {process.pid} on " in capsys.readouterr().err
            process.send_signal(number)
            process.send_signal(signal.SIGCONT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
        _wait_until(lambda: not _marked(tmp_path))
        before, flown = flown, _rows(out)
        assert before < flown < 12
        assert f"--resume: {before} of 12 flights are in" in errors
    partial = json.loads((out / "results.json").read_text())
    assert (partial["complete"], len(partial["rows"])) == (False, flown)
    assert f"{flown} of 12 flights are in {out}; the same command with --resume" in errors
    assert main(["evaluate", *TINY, "--resume", "--out", str(out)]) == 0
    document = json.loads((out / "results.json").read_text())
    keys = {"camera.width": 16, "camera.height": 16, "forest.trees": 3, "trail.length_m": 6}
    campaign = scenario_campaign("trail", keys | {"time_limit_s": 1}).with_seeds("0:12")
    jobs = plan_flights(campaign.entries, ["expert"], keys | {"time_limit_s": 1})
    unbroken = [FlightRow.of(job, fly(job.scenario, job.seed, Expert()).result) for job in jobs]
    assert document["complete"]
    assert document["rows"] == plain(unbroken)
    assert document["summary"] == plain(summarise(unbroken))
    lines = (out / "rows.jsonl").read_text().splitlines()
    flown = [json.loads(line) for line in lines[1:]]
    assert len({(row["model"], row["entry"], row["seed"]) for row in flown}) == len(flown) == 12
    assert {path.name for path in out.iterdir()} == {"rows.jsonl", "results.json"}


def _started(words, mark):
    command = [sys.executable, "-m", "liquid_control.cli", "evaluate", *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MARK": str(mark)}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def _rows(folder):
    with suppress(OSError):
        return max((folder / "rows.jsonl").read_bytes().count(b"\n") - 1, 0)
    return 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("vehicle: nix", "entry 'bad', seed 20000: cannot be flown: unknown vehicle 'nix'"),
        ("trail.forks: 9", "entry 'bad', seed 20000: cannot be flown: trail.forks: 9 do not fit"),
    ],
)
def test_what_the_simulator_refuses_is_named_before_the_first_flight(
    tmp_path, capsys, keys, message
):
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text(
        "name: c\nentries:\n- {name: good, seeds: '20000'}\n"
        f"- {{name: bad, seeds: '20000', set: {{{keys}}}}}\n"
    )
    out = tmp_path / "out"
    words = ["evaluate", "--model", "expert", "--campaign", str(campaign), *SHORT]
    assert main([*words, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_full_disk_keeps_the_flights_before_it_and_is_named(small_disk, capsys):
    words = ["evaluate", *TINY, "--record", "all", "--out", str(small_disk / "out")]
    assert main(words) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("liquid-control: error: expert through 'trail', seed 1: ")
    assert error.endswith("trail-expert-1.mcap: cannot be written (No space left on device)")
    assert _rows(small_disk / "out") == 1


def _marked(mark):
    """Return the processes with a mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"MARK={mark}".encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
    return found


def _wait_until(condition, timeout_s=60.0):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the command did not start"
        time.sleep(0.01)

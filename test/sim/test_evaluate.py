"""`liquid-control evaluate` with the real simulator: the expert over a short trail."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from liquid_control.cli.main import main
from liquid_control.config import load_scenario
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
    assert report.count('<section id="flight-') == 1
    assert "2 of 2" in capsys.readouterr().out


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
        time.sleep(0.05)

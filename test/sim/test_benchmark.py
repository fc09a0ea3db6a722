"""A benchmark with real flights: pairs, interruptions, models that come later, a full disk."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from hashlib import sha256

import numpy as np
import pytest

from liquid_control.cli.main import main
from liquid_control.cli.pilots import PilotOf
from liquid_control.evaluation import Arms, FlightRow, load_campaign
from liquid_control.export import model_graphs
from liquid_control.journal import plain
from liquid_control.training.network import PolicyNetwork
from liquid_control.training.publish import save_candidate
from liquid_control.training.training_settings import TrainingSettings
from liquid_control_sim import fly

pytestmark = pytest.mark.sim

CAMPAIGN = """
name: small
reference: cfc19
model: {models}/{{name}}-{{training_seed}}
train: liquid-control train x --set network.core.kind={{core}} --set seed={{training_seed}}
arms:
  - {{name: hover}}
  - {{name: expert}}
  - {{name: cfc19, core: cfc_wired, training_seeds: [1]}}
  - {{name: gru, core: gru, training_seeds: [1]}}
entries:
  - name: trail 1
    set: {{trail.difficulty: 1, trail.length_m: 6, forest.trees: 12, time_limit_s: 0.8}}
    seeds: '10000:10002'
ladders:
  - {{of: trail 1, disturbances: [wind, fog], severities: [3]}}
claims:
  - {{claim: calm, entries: [trail 1], at_least: 0.9}}
"""
FLIGHTS = 4 * 3 * 2


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return a folder with two models of random weights."""
    folder = tmp_path_factory.mktemp("models")
    for name, kind in (("cfc19", "cfc_wired"), ("gru", "gru")):
        settings = TrainingSettings(name=name, network={"core": {"kind": kind}})
        network = PolicyNetwork.fresh(settings.network, settings.base_scenario(), seed=1)
        save_candidate(folder / f"{name}-1", network, settings, model_graphs)
    return folder


@pytest.fixture
def campaign(tmp_path, models):
    path = tmp_path / "campaign.yaml"
    path.write_text(CAMPAIGN.format(models=models))
    return path


class Witness:
    """Flies like another pilot and keeps a hash of the place and of the air."""

    def __init__(self, inner):
        self.inner, self.name = inner, inner.name

    def start(self, world):
        along = np.linspace(0.0, world.trail.length_m, 40)
        trail = np.array([world.trail.point(float(s)) for s in along])
        start = world.truth.position
        wind = np.array([world._air.wind(tick, start) for tick in range(0, 360, 24)])
        self.place = sha256(trail.tobytes() + world.trunks.tobytes() + start.tobytes()).hexdigest()
        self.air = sha256(wind.tobytes()).hexdigest()
        self.inner.start(world)

    def command(self, observation, truth):
        return self.inner.command(observation, truth)


def test_all_arms_fly_the_same_forests_and_winds(campaign):
    arms = Arms.choose(load_campaign(campaign), [], False)
    places, airs = {}, {}
    for job in arms.flights():
        witness = Witness(PilotOf(arms.folders[job.pilot_key])())
        fly(job.scenario, job.seed, witness)
        places.setdefault(job.seed, {})[job.model, job.entry] = witness.place
        airs.setdefault((job.seed, job.entry), {})[job.model] = witness.air
    assert [len(flown) for flown in places.values()] == [12, 12]
    assert [len(set(flown.values())) for flown in places.values()] == [1, 1]
    assert places[10_000]["hover", "trail 1"] != places[10_001]["hover", "trail 1"]
    assert all(len(flown) == 4 and len(set(flown.values())) == 1 for flown in airs.values())
    for seed in (10_000, 10_001):
        calm, fog, wind = (
            airs[seed, entry]["gru-1"]
            for entry in ("trail 1", "trail 1, fog 3", "trail 1, wind 3")
        )
        assert calm == fog != wind


def test_killed_and_without_a_model_it_ends_as_an_unbroken_run(campaign, models, tmp_path, capsys):
    """Kill it while a model is missing and a second process tries its folder; then resume."""
    out = tmp_path / "out"
    words = ["evaluate", "--campaign", str(campaign), "--jobs", "1", "--resume"]
    words += ["--skip-missing", "--out", str(out)]
    (models / "gru-1").rename(models / "away")
    try:
        process = started(words)
        try:
            wait_until(lambda: rows(out) >= 3)
            assert main(words) == 2
            assert f"(process {process.pid} on " in capsys.readouterr().err
        finally:
            process.kill()
            process.wait()
    finally:
        (models / "away").rename(models / "gru-1")
    before = rows(out)
    assert 3 <= before <= FLIGHTS - 6
    assert main(words) == 0
    assert f"--resume: {before} of {FLIGHTS} flights are in" in capsys.readouterr().err
    lines = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()[1:]]
    flown = {(row["model"], row["entry"], row["seed"]) for row in lines if "seed" in row}
    assert len(flown) == sum("seed" in row for row in lines) == FLIGHTS
    document = json.loads((out / "results.json").read_text())
    arms = Arms.choose(load_campaign(campaign), [], False)
    unbroken = [
        FlightRow.of(
            job, fly(job.scenario, job.seed, PilotOf(arms.folders[job.pilot_key])()).result
        )
        for job in arms.flights()
    ]
    assert document["complete"]
    assert document["rows"] == plain(unbroken)
    assert document["config"]["worst_flights"]
    assert main(["evaluate", "--rescore", str(out), "--out", str(tmp_path / "again")]) == 0
    made = [path for path in (tmp_path / "again").rglob("*.*") if path.is_file()]
    assert len(made) == 6
    for path in made:
        same = out / path.relative_to(tmp_path / "again")
        assert path.read_bytes() == same.read_bytes(), path.name


def test_a_missing_model_is_one_line_before_the_first_flight(campaign, models, tmp_path, capsys):
    campaign.write_text(campaign.read_text().replace("[1]", "[2]"))
    out = tmp_path / "out"
    assert main(["evaluate", "--campaign", str(campaign), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"liquid-control: error: arm 'cfc19-2': model folder {models}/cfc19-2 does not exist and "
        "1 more; train it with: liquid-control train x --set network.core.kind=cfc_wired --set "
        "seed=2; or pass --skip-missing, which flies the others"
    )
    assert not out.exists()


def test_a_full_disk_loses_no_flight(campaign, small_disk, tmp_path, capsys):
    """Rows fit on it, tables and figures do not."""
    out = small_disk / "out"
    out.mkdir()
    (small_disk / "ballast").write_bytes(bytes(180 * 1024))
    words = ["evaluate", "--campaign", str(campaign), "--out", str(out), "--resume"]
    words += ["--jobs", "1"]
    assert main(words) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("liquid-control: error: ")
    assert "cannot be written (No space left on device)" in error
    assert rows(out) == FLIGHTS
    (small_disk / "ballast").unlink()
    assert main(words) in (0, 2)
    document = json.loads((out / "results.json").read_text())
    assert (document["complete"], len(document["rows"])) == (True, FLIGHTS)
    assert main(["evaluate", "--rescore", str(out), "--out", str(tmp_path / "page")]) == 0
    assert "### Claims" in (tmp_path / "page" / "benchmark.md").read_text()


def test_what_a_campaign_costs_is_measured_without_results(
    campaign, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    words = ["evaluate", "--campaign", str(campaign), "--estimate", "3"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{FLIGHTS} flights of 0.")
    assert "over 3 flights of it): 0.0 core-hours" in printed
    assert not (tmp_path / "runs").exists()


def started(words):
    command = [sys.executable, "-m", "liquid_control.cli", *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    silent = subprocess.DEVNULL
    return subprocess.Popen(command, stderr=silent, stdout=silent, env=environment)


def rows(folder):
    with suppress(OSError):
        return (folder / "rows.jsonl").read_bytes().count(b'{"model":')
    return 0


def wait_until(condition, timeout_s=120.0):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the command did not start"
        time.sleep(0.02)

"""Whole runs in the toy world, killed at five points and resumed."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_run
from toy_flight import ToyExpert, fly
from toy_run import begin, toy_settings

from liquid_control.policy import load_model
from liquid_control.training.data_pilots import Actors, DataJob, round_plans
from liquid_control.training.run_folder import RunFolder, load_progress

pytestmark = [pytest.mark.unit, pytest.mark.slow, pytest.mark.timeout(900)]

DEATHS = (
    "round 0: flights for data 2",
    "round 0: learning 25",
    "round 1: flights for data 1",
    "round 1: learning 13",
    "final flights of round",
)
"""In a data flight, the learner, a DAgger flight, its learner, and the final flights."""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    """Return the folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    begin(folder, toy_settings(), resume=False).run()
    return folder


def kill_and_resume(folder: Path, *texts: str) -> list[int]:
    """Run `toy_run.py` and return the exit status of each of its processes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, toy_run.__file__, str(folder), *texts]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [int(line) for line in done.stdout.splitlines()]


def test_killed_at_five_points_it_ends_with_the_same_model(uninterrupted, tmp_path):
    assert kill_and_resume(tmp_path, *DEATHS) == [-signal.SIGKILL] * len(DEATHS) + [0]
    resumed, expected = load_model(tmp_path / "toy"), load_model(uninterrupted / "toy")
    for name, array in expected.arrays.items():
        # On a busy machine PyTorch's sums were seen to differ in their last bit between processes.
        np.testing.assert_allclose(resumed.arrays[name], array, rtol=0.0, atol=1e-6, err_msg=name)
    mine, other = load_progress(tmp_path), load_progress(uninterrupted)
    assert mine.datasets == other.datasets
    assert mine.scores == other.scores
    assert list(mine.done) == list(other.done)
    assert not list(tmp_path.rglob("*.partial*"))


def test_model_folder_is_complete(uninterrupted):
    model = load_model(uninterrupted / "toy")
    made = model.settings.provenance
    progress = load_progress(uninterrupted)
    assert made["dataset"]["sha256"] == progress.datasets[progress.best_round].sha256
    assert made["seed"] == 3
    assert made["settings"]["flights"]["cloning"] == 4
    assert {"liquid_control", "torch", "numpy"} <= set(made["versions"])
    assert made["command"] == "toy_run.py"
    files = {path.name for path in (uninterrupted / "toy").iterdir()}
    assert {"README.md", "curves.csv", "curves.png", "weights.npz"} <= files
    curve = (uninterrupted / "toy" / "curves.csv").read_text().splitlines()
    assert curve[0] == "round,step,loss,held_out_loss"
    assert curve[-1].startswith("1,60,")


def test_card_holds_data_and_results(uninterrupted):
    card = (uninterrupted / "toy" / "README.md").read_text()
    result = json.loads((uninterrupted / "validation/final/calm_000.json").read_text())
    facts = load_progress(uninterrupted).datasets[load_progress(uninterrupted).best_round]
    assert f"{facts.frames:,} frames of {facts.flights} simulated flights" in card
    assert f"| calm | nothing | {int(result['success'])}/1 |" in card
    assert "| slow | `camera.rate_hz=10.0` |" in card
    assert "| `camera.rate_hz` | 10 to 20 | 100% |" in card


def test_resuming_a_finished_run_changes_nothing(uninterrupted):
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*")}
    begin(uninterrupted, toy_settings(), resume=True).run()
    assert {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*")} == before


def test_a_round_beyond_the_time_budget_does_not_begin(uninterrupted):
    training = begin(uninterrupted, toy_settings(time_budget_s=1.0), resume=True)
    kept = {"fly 0", "learn 0", "validate 0"}
    done = {step: s for step, s in training.progress.done.items() if step in kept}
    training.progress = replace(training.progress, done=done)
    assert not training._affordable(1)
    training.settings = toy_settings(time_budget_s=1e6)
    assert training._affordable(1)
    assert training._affordable(0)


def test_dataset_is_a_function_of_the_settings(uninterrupted, tmp_path):
    settings = toy_settings(flights={"cloning": 2, "rounds": 0})
    begin(tmp_path / "worker", settings, resume=False)._fly(0)
    for name, changed in (
        ("here", settings),
        ("other", settings.model_copy(update={"seed": 4})),
    ):
        folder = RunFolder(tmp_path / name)
        for plan in round_plans(changed, 0):
            actors, path = Actors(fly, ToyExpert), folder.flight(plan.name)
            DataJob(plan, actors, changed.flights, None, path).run()
    hashes = [
        [np.load(path)["images"].sum() for path in sorted((tmp_path / name).rglob("*.npz"))]
        for name in ("worker", "here", "other")
    ]
    assert [len(each) for each in hashes] == [2, 2, 2]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]

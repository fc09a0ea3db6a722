"""The whole run in the toy world, killed where it hurts."""

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
from toy_run import begin, toy_settings

from liquid_control.policy import load_model
from liquid_control.training.run_folder import RunFolder, load_progress

pytestmark = [pytest.mark.unit, pytest.mark.slow, pytest.mark.timeout(900)]

DEATHS = (
    "round 0: flights for data 2",
    "round 0: learning 25",
    "round 1: flights for data 1",
    "round 1: learning 13",
    "final flights of round",
)
"""A flight, the learner, a DAgger flight, its learner, and the last flights."""


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> Path:
    """A run that nobody killed."""
    folder = tmp_path_factory.mktemp("straight")
    begin(folder, toy_settings(), resume=False).run()
    return folder


def start(folder: Path, *words: str) -> int:
    here = Path(toy_run.__file__)
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run([sys.executable, here, folder, *words], env=known).returncode


def test_killed_at_five_points_it_ends_with_the_same_model(straight, tmp_path):
    resume: list[str] = []
    for death in DEATHS:
        assert start(tmp_path, *resume, "--die-after", death) == -signal.SIGKILL, death
        resume = ["--resume"]
    assert start(tmp_path, "--resume") == 0
    ours, theirs = load_model(tmp_path / "toy"), load_model(straight / "toy")
    for name, array in theirs.arrays.items():
        # On a busy machine PyTorch's sums were seen to differ in their last bit between processes.
        np.testing.assert_allclose(ours.arrays[name], array, rtol=0.0, atol=1e-6, err_msg=name)
    mine, other = load_progress(tmp_path), load_progress(straight)
    assert mine.datasets == other.datasets
    assert mine.scores == other.scores
    assert list(mine.done) == list(other.done)
    assert not list(tmp_path.rglob("*.partial*"))


def test_model_folder_is_complete(straight):
    model = load_model(straight / "toy")
    made = model.settings.provenance
    progress = load_progress(straight)
    assert made["dataset"]["sha256"] == progress.datasets[progress.best_round].sha256
    assert made["seed"] == 3
    assert made["settings"]["flights"]["cloning"] == 4
    assert {"liquid_control", "torch", "numpy"} <= set(made["versions"])
    assert made["command"] == "toy_run.py"
    files = {path.name for path in (straight / "toy").iterdir()}
    assert {"README.md", "curves.csv", "curves.png", "weights.npz"} <= files
    curve = (straight / "toy" / "curves.csv").read_text().splitlines()
    assert curve[0] == "round,step,loss,held_out_loss"
    assert curve[-1].startswith("1,60,")


def test_card_tells_what_was_flown(straight):
    card = (straight / "toy" / "README.md").read_text()
    result = json.loads((straight / "validation/final/calm_000.json").read_text())
    facts = load_progress(straight).datasets[load_progress(straight).best_round]
    assert f"{facts.frames:,} frames of {facts.flights} simulated flights" in card
    assert f"| calm | nothing | {int(result['success'])}/1 |" in card
    assert "| slow | `camera.rate_hz=10.0` |" in card
    assert "| `camera.rate_hz` | 10 | 20 | 100% |" in card


def test_a_finished_run_does_nothing_more(straight):
    before = {path: path.stat().st_mtime_ns for path in straight.rglob("*")}
    begin(straight, toy_settings(), resume=True).run()
    assert {path: path.stat().st_mtime_ns for path in straight.rglob("*")} == before


def test_no_round_begins_that_the_time_budget_has_no_room_for(straight):
    training = begin(straight, toy_settings(time_budget_s=1.0), resume=True)
    kept = {"fly 0", "learn 0", "validate 0"}
    done = {step: s for step, s in training.progress.done.items() if step in kept}
    training.progress = replace(training.progress, done=done)
    assert not training._affordable(1)
    training.settings = toy_settings(time_budget_s=1e6)
    assert training._affordable(1)
    assert training._affordable(0)


def test_dataset_is_a_function_of_the_settings(straight, tmp_path):
    settings = toy_settings(flights={"cloning": 2, "rounds": 0})
    hashes = []
    for name, changed in (
        ("a", settings),
        ("b", settings),
        ("c", settings.model_copy(update={"seed": 4})),
    ):
        training = begin(tmp_path / name, changed, resume=False)
        training._fly(0)
        folder = RunFolder(tmp_path / name)
        hashes.append(
            [np.load(path)["images"].sum() for path in sorted(folder.root.rglob("*.npz"))]
        )
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]

"""The runner of all tests leaves none out, keeps failures, and repeats only tests of ROS 2."""

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

TEST = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def runner():
    spec = importlib.util.spec_from_file_location("run_all", TEST / "run_all.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_in(file, words):
    """Return whether pytest collects a file, by its words."""
    places = {word for word in words if word.startswith(str(TEST))}
    ignored = {word.removeprefix("--ignore=") for word in words if word.startswith("--ignore=")}
    above = set(map(str, [file, *file.parents]))
    return bool(places & above) and not ignored & above


def test_every_test_is_in_one_part(runner):
    commands = [*runner.commands().values(), runner.ROS]
    files = sorted(TEST.rglob("test_*.py"))
    found = Counter({file: sum(is_in(file, words) for words in commands) for file in files})
    assert [file for file in files if found[file] != 1] == []
    assert len(files) > 300
    paths = [Path(path) for part in runner.PARTS for path in runner.paths(part)]
    assert all(path.exists() for path in paths)
    assert all(runner.paths(part) for part in runner.PARTS)


def python(program):
    return [sys.executable, "-c", program]


def ends(status):
    return python(f"raise SystemExit({status})")


@pytest.mark.parametrize(
    ("lanes", "ros", "again", "status"),
    [
        ((0, 0, 0), 0, 9, 0),
        ((0, 3, 0), 0, 9, 3),
        ((0, 0, 4), 1, 0, 4),
        ((0, 0, 0), 1, 0, 0),
        ((0, 0, 0), 1, 1, 1),
        ((0, 0, 0), 2, 0, 2),
    ],
    ids=["passed", "part", "last part", "repeated", "failed twice", "not repeated"],
)
def test_a_failure_is_the_exit_status(runner, lanes, ros, again, status):
    commands = {str(number): ends(one) for number, one in enumerate(lanes)}
    assert runner.run_all(commands, ends(ros), ends(again)) == status


SETTINGS = "import os, pathlib, sys, time; path = pathlib.Path(sys.argv[1]); "
WRITES = "path.write_text(f'{os.nice(0)} {os.environ.get(\"OMP_NUM_THREADS\")}')"
"""Writes the niceness and the number of threads into a file."""
WAITS = """
while not path.exists(): time.sleep(0.01)
path.with_name("ros").write_text(f"{os.nice(0)}"); raise SystemExit(1)
"""


def test_parts_run_beside_ros_with_one_thread_and_a_lower_priority(runner, tmp_path, monkeypatch):
    """ROS waits for one part, and is repeated after the other one."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    quick, slow = str(tmp_path / "quick"), str(tmp_path / "slow")
    lanes = {
        "quick": [*python(SETTINGS + WRITES), quick],
        "slow": [*python(f"{SETTINGS}time.sleep(0.5); {WRITES}"), slow],
    }
    ros = [*python(SETTINGS + WAITS), quick]
    again = [*python(f"{SETTINGS}raise SystemExit(not path.exists())"), slow]
    assert runner.run_all(lanes, ros, again) == 0
    own = int((tmp_path / "ros").read_text())
    assert (tmp_path / "quick").read_text() == f"{min(own + 15, 19)} 1"
    assert (tmp_path / "slow").read_text() == f"{min(own + 15, 19)} 1"


def test_an_error_ends_the_parts(runner, tmp_path):
    lanes = {str(number): python("import time; time.sleep(3600)") for number in range(3)}
    with pytest.raises(FileNotFoundError):
        runner.run_all(lanes, [str(tmp_path / "missing")], [])

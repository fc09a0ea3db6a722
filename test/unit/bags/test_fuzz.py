"""Mutated bags raise only `BagError`, do not hang and do not exhaust memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("fuzzing.py")
PEAK_MB = 500


def fuzz(seed: int, count: int) -> dict[str, int]:
    completed = subprocess.run(
        [sys.executable, str(SCRIPT), str(seed), str(count)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    found: dict[str, int] = json.loads(completed.stdout)
    return found


def check(found: dict[str, int], count: int) -> None:
    assert found["cases"] == count
    assert found["read"] + found["read with losses"] + found["refused"] == count
    assert found["read with losses"] > found["refused"]
    assert found["messages"] > 10 * count
    assert found["peak_mb"] < PEAK_MB


@pytest.mark.unit
def test_mutated_bags_are_read_or_rejected():
    check(fuzz(seed=5, count=600), 600)


@pytest.mark.unit
@pytest.mark.slow
def test_ten_thousand_mutated_bags_are_read_or_rejected():
    check(fuzz(seed=0, count=10_000), 10_000)

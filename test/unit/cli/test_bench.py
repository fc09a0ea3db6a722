"""`liquid-control bench` in a checkout and in an installed package."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import liquid_control
from liquid_control.cli.bench import Benchmark, load_suite
from liquid_control.errors import ConfigError

pytestmark = pytest.mark.unit

PACKAGE = Path(liquid_control.__file__).parent


def test_every_name_is_a_benchmark_of_the_suite():
    assert set(load_suite(PACKAGE.parent).BENCHMARKS) == {name.value for name in Benchmark}


def test_package_without_checkout_is_rejected(tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path} has no benchmarks/.*make develop"):
        load_suite(tmp_path)


def test_installed_package_reports_the_missing_checkout_in_one_line(tmp_path):
    installed, folder = tmp_path / "site-packages", tmp_path / "work"
    shutil.copytree(
        PACKAGE, installed / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__")
    )
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "liquid_control.cli", "bench", "core"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"liquid-control: error: bench needs a checkout of the repository: {installed} has no "
    )
    assert done.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []


INTERRUPTED = """
import os, signal, sys
from dataclasses import dataclass
from functools import partial
from benchmarks import suite
from liquid_control.cli import main
from rich.table import Table

@dataclass(frozen=True)
class Row:
    name: str
    value: float

def measure(name, end):
    print("measured", name, file=sys.stderr)
    if end == name:
        signal.raise_signal(signal.SIGKILL if name == "b" else signal.SIGINT)
    return Row(name, 0.1)

def benchmark(end, request, folder):
    rows = [request.measured.once(n, Row, partial(measure, n, end)) for n in "abc"]
    return Table(), rows, {}

out, *ends = sys.argv[1:]
suite.BENCHMARKS["core"] = partial(benchmark, ends[0])
sys.exit(main.main(["bench", "core", "--resume", "--out", out]))
"""


def test_an_interrupted_benchmark_goes_on_with_what_it_has_measured(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    outcomes = []
    for end in ("b", "c", "none"):
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED, str(tmp_path), end],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        outcomes.append((done.returncode, "".join(re.findall("measured (.)", done.stderr))))
        if end == "c":
            assert "2 measurements are in" in done.stderr
            assert json.loads((tmp_path / "results.json").read_text())["complete"] is False
    assert outcomes == [(-9, "ab"), (130, "bc"), (0, "c")]
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["complete"]
    assert results["rows"] == [{"name": name, "value": 0.1} for name in "abc"]
    other = [sys.executable, "-m", "liquid_control.cli", "bench", "core", "--repeats", "4"]
    other += ["--resume", "--out", str(tmp_path)]
    refused = subprocess.run(other, capture_output=True, text=True, check=False, env=environment)
    assert "was begun with repeats: 5, this command has 4" in refused.stderr

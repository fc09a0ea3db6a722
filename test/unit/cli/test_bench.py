"""`liquid-control bench` in a checkout and in an installed package."""

import os
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

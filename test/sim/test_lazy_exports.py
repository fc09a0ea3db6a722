"""Imports of the simulator: lazy exports, and a place package without PyBullet and Numba."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import liquid_control_sim
from liquid_control_sim import place

pytestmark = pytest.mark.sim
PLACE_MODULES = sorted(path.stem for path in Path(place.__path__[0]).glob("[!_]*.py"))


def run(script):
    """Run a script in a new interpreter with the import paths of this one."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_place_imports_neither_pybullet_nor_numba():
    script = f"""
import sys
from importlib import import_module

sys.modules["pybullet"] = sys.modules["numba"] = None
for name in {PLACE_MODULES!r}:
    import_module("liquid_control_sim.place." + name)
from liquid_control.config import Scenario
from liquid_control_sim.place.forest import generate_forest

print(len(generate_forest(Scenario(), 1).trunks))
"""
    result = run(script)
    assert "forest" in PLACE_MODULES
    assert (result.returncode, result.stdout.strip()) == (0, "120"), result.stderr


def test_exports_that_need_pybullet_name_it_where_it_is_missing():
    script = """
import sys

sys.modules["pybullet"] = None
from liquid_control_sim import Expert, ExpertGains

print(Expert().gains == ExpertGains())
from liquid_control_sim import fly
"""
    result = run(script)
    assert (result.returncode, result.stdout.strip()) == (1, "True")
    message = "DependencyError: the simulator needs pybullet, which is not installed: pip install"
    assert message in result.stderr


def test_pybullet_is_imported_without_output():
    result = run("from liquid_control_sim.quiet_bullet import pybullet; pybullet.DIRECT")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("name", liquid_control_sim.__all__)
def test_every_export_resolves(name):
    assert getattr(liquid_control_sim, name).__name__ == name
    assert name in dir(liquid_control_sim)


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'flyy'"):
        _ = liquid_control_sim.flyy

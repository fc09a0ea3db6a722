"""Execution of `docs/your_own.md`: its files, its program and its commands."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from liquid_control.cli.main import main
from liquid_control.config import load_scenario
from liquid_control_sim.dynamics.vehicle import load_vehicle

pytestmark = pytest.mark.sim

PAGE = (Path(__file__).parents[2] / "docs" / "your_own.md").read_text()


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    """Write the files of the page into an empty folder and work there."""
    for content in re.findall(r"```yaml\n(.*?)```", PAGE, re.S):
        name = content.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_vehicle_and_scenario_differ_in_what_their_files_state(files):
    scenario = load_scenario("delivery.yaml")
    vehicle, shipped = load_vehicle(scenario.vehicle), load_vehicle("outdoor")
    assert (vehicle.mass_kg, shipped.mass_kg) == (1.9, 1.5)
    assert vehicle.rotors == shipped.rotors
    assert (scenario.trail.length_m, scenario.wind.gust_mps) == (12.0, 3.0)
    assert scenario.camera == load_scenario("trail").camera


def test_the_program_flies_the_disturbance(files, capsys):
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict = {}
    exec(program, names)
    assert capsys.readouterr().out == "completed completed\n"
    # The expert reads the true state: the disturbance changes its picture, not its path.
    np.testing.assert_array_equal(names["calm"].position, names["dark"].position)
    assert names["evening"].at(5)["light.sun_elevation_deg"] == 5.0


def test_the_campaign_is_flown_and_compared_by_the_commands(files, capsys):
    (block,) = re.findall(r"```\n(liquid-control evaluate.*?)```", PAGE, re.S)
    for line in block.splitlines():
        assert main(shlex.split(line)[1:]) == 0
    document = json.loads((files / "deliveries" / "results.json").read_text())
    assert [row["entry"] for row in document["rows"]] == [
        *("calm", "calm", "breeze", "breeze", "haze", "haze", "wind 1", "wind 3")
    ]
    assert all(row["success"] for row in document["rows"])
    calm, breeze = (document["rows"][at]["cross_track_rms_m"] for at in (0, 2))
    assert calm != breeze
    assert "all" in capsys.readouterr().out

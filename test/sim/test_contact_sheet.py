"""Pictures of contact sheets with the real simulator."""

import json

import numpy as np
import pytest

from liquid_control.cli.main import main
from liquid_control_sim import contact_sheet
from liquid_control_sim.contact_sheet import Cell, cell_key, take_pictures

pytestmark = pytest.mark.sim

SMALL = {"camera.width": 32, "camera.height": 18, "forest.trees": 10, "trail.length_m": 6.0}


def test_pictures_are_of_their_times_and_equal_cells_are_flown_once():
    early = Cell("trail", SMALL, 3, (0.0, 0.3), ("0 s", "0.3 s"))
    again = Cell("trail", dict(reversed(SMALL.items())), 3, (0.0, 0.3), ("a", "b"))
    foggy = Cell("trail", SMALL | {"fog.extinction_per_m": 0.5}, 3, (0.0, 0.3), ("a", "b"))
    taken = take_pictures([early, again, foggy], jobs=2)
    assert set(taken) == {cell_key(early), cell_key(foggy)}
    plain, fog = taken[cell_key(early)], taken[cell_key(foggy)]
    assert all(picture.image.shape == (18, 32, 3) for picture in (*plain, *fog))
    assert not np.array_equal(plain[0].image, plain[1].image)
    assert fog[0].image.std() < plain[0].image.std()


def test_ended_flight_shows_its_last_frame_and_reason():
    (pictures,) = take_pictures([Cell("trail", SMALL, 3, (0.2, 30.0), ("a", "b"))], 1).values()
    assert pictures[0].ended == ""
    assert pictures[1].ended.startswith("completed at ")


def test_command_writes_sheets_and_results(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(contact_sheet, "MOMENT_S", 0.1)
    assert main(["worlds", "fog", "--jobs", "1", "--out", str(tmp_path), "--seed", "4"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "disturbances_weather.png",
        "results.json",
    }
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["config"] == {"seed": 4, "pilot": "expert"}
    fogs = [row["set"].get("fog.extinction_per_m", 0.0) for row in document["rows"]]
    assert fogs == sorted(fogs)
    assert len(fogs) == 6
    assert str(tmp_path / "disturbances_weather.png") in capsys.readouterr().out

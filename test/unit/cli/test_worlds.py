"""Lists, and plans and layout of contact sheets, without flights."""

import cv2
import numpy as np
import pytest

from liquid_control.cli.main import main
from liquid_control.config import load_scenario, scenario_names
from liquid_control.config.disturbances import (
    disturbance_names,
    disturbance_overrides,
    disturbances,
)
from liquid_control.config.scenario import about, success_rule
from liquid_control.pages.world_tables import select_names
from liquid_control_sim.contact_sheet import (
    GAP,
    HEIGHT,
    LABEL,
    MARGIN,
    MOMENT_S,
    SIZE,
    TITLE,
    WIDTH,
    Cell,
    Picture,
    Sheet,
    SheetRow,
    cell_key,
    disturbance_sheets,
    scenario_sheet,
    write_sheet,
)

pytestmark = pytest.mark.unit


def test_lists_every_scenario_and_disturbance_with_values(capsys):
    assert main(["worlds"]) == 0
    printed = capsys.readouterr().out
    for name in [*scenario_names(), *disturbance_names()]:
        assert f" {name} " in printed
    assert "fog.extinction_per_m 0.01, 0.03, 0.08" in printed
    assert "60 m along the trail in 70 s, never 2.5 m off" in printed


def test_names_select_entries(capsys):
    assert select_names(["noise", "trail", "fog"]) == (["trail"], ["fog", "noise"])
    assert main(["worlds", "fog"]) == 0
    printed = capsys.readouterr().out
    assert "scenarios" not in printed
    assert "camera.noise_sigma" not in printed


def test_unknown_name_is_one_line_with_a_close_match(capsys):
    assert main(["worlds", "fogg"]) == 2
    error = capsys.readouterr().err
    assert "unknown scenario or disturbance 'fogg'; did you mean fog, " in error
    assert error.count("\n") == 1


def test_every_scenario_has_a_description():
    for name in scenario_names():
        assert len(about(name)) > 20, name
        assert about(name).count(".") >= 1
    assert about("trail") == (
        "The reference task: 60 m of winding trail through a forest, calm and clear."
    )


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"trail.length_m": 30.0}, "30 m along the trail in 40 s, never 2.5 m off its centre"),
        (
            {"task.kind": "target", "target.colour": "blue", "target.range_m": 10.0},
            "the blue target found: stopped within 1.5 m of it and 10 degrees",
        ),
        ({"task.kind": "hike", "hike.targets": 4}, "4 red targets in turn, at each stopped"),
    ],
)
def test_success_rule_contains_the_scenarios_numbers(keys, rule):
    assert success_rule(load_scenario("trail", keys)).startswith(rule)


def test_one_sheet_per_group_with_every_severity_in_order():
    sheets = disturbance_sheets(disturbance_names(), seed=5)
    groups = list(dict.fromkeys(d.group for d in disturbances().values()))
    assert [sheet.name for sheet in sheets] == [f"disturbances_{group}" for group in groups]
    rows = {row.name: row for sheet in sheets for row in sheet.rows}
    assert set(rows) == set(disturbance_names())
    undisturbed = cell_key(rows["fog"].cells[0])
    for name, row in rows.items():
        assert len(row.cells) == 6
        assert cell_key(row.cells[0]) == undisturbed
        for severity, cell in enumerate(row.cells):
            assert disturbance_overrides(name, severity).items() <= cell.settings.items()
            assert (cell.seed, cell.moments_s) == (5, (MOMENT_S,))
            load_scenario(cell.scenario, cell.settings)
    assert [cell.captions for cell in rows["fog"].cells][:3] == [
        ("0",),
        ("1  0.01",),
        ("2  0.03",),
    ]


def test_trail_is_shown_at_every_difficulty():
    rows = scenario_sheet(["trail"], seed=5).rows
    assert [row.cells[0].settings["trail.difficulty"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert all(len(row.cells[0].captions) == len(row.cells[0].moments_s) for row in rows)


def test_pictures_are_placed_pixel_by_pixel(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    cells = [
        Cell("trail", SIZE, seed, moments, ("x",) * len(moments))
        for seed, moments in ((1, (0.0, 1.0)), (2, (0.0, 1.0)))
    ]
    pictures = {
        cell_key(cells[0]): [Picture(images[0]), Picture(images[1])],
        cell_key(cells[1]): [Picture(images[2]), Picture(None, "collision at 0.4 s")],
    }
    rows = tuple(SheetRow(str(cell.seed), "about it", (cell,)) for cell in cells)
    path = write_sheet(tmp_path / "sheet.png", Sheet("sheet", "a title", rows), pictures)
    sheet = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    left, top = MARGIN + LABEL, MARGIN + TITLE
    first = sheet[top : top + HEIGHT, left : left + WIDTH]
    assert np.array_equal(first, images[0])
    second = left + WIDTH + GAP
    assert np.array_equal(sheet[top : top + HEIGHT, second : second + WIDTH], images[1])
    found = [
        row
        for row in range(top + HEIGHT, len(sheet) - HEIGHT)
        if np.array_equal(sheet[row : row + HEIGHT, left : left + WIDTH], images[2])
    ]
    assert len(found) == 1
    assert np.all(sheet[found[0] : found[0] + HEIGHT, second : second + WIDTH] == 128)

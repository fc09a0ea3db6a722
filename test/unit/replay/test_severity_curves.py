"""The curves and pictures of a disturbed replay."""

import re

import numpy as np
import pytest

from liquid_control.replay.disturbed import DisturbedResult, DisturbedRow, Examples
from liquid_control.replay.severity_curves import (
    DisturbedSection,
    by_movement,
    disturbed_section,
    severity_curves,
)

pytestmark = pytest.mark.unit


def row(model: str, disturbance: str, severity: int, movement: float) -> DisturbedRow:
    moved = np.full(4, movement)
    return DisturbedRow(
        model, disturbance, severity, {"key": severity}, 10, 0, moved, moved, moved, movement, 0.5
    )


ROWS = [
    row(model, name, severity, scale * severity / 5)
    for model, by_name in {
        "one": {"noise": 0.1, "dirt": 0.3, "jpeg": 0.02},
        "two": {"noise": 0.4, "dirt": 0.01, "jpeg": 0.02},
    }.items()
    for name, scale in by_name.items()
    for severity in (1, 3, 5)
]


def test_the_largest_movement_of_any_model_comes_first():
    assert by_movement(ROWS) == ["noise", "dirt", "jpeg"]


def test_each_model_is_a_line_in_each_panel_from_zero():
    svg = severity_curves(ROWS)
    assert svg.startswith("<svg ")
    lines = {
        colour: re.findall(rf'<path d="([^"]*)"[^>]*stroke: var\(--{colour}\)', svg)
        for colour in ("blue", "orange", "green")
    }
    # A line in each of three panels, and one in the key; each has four points: 0, 1, 3 and 5.
    lines = {c: [p for p in paths if "M" in p and "C" not in p] for c, paths in lines.items()}
    points = [path.count("L") + 1 for path in lines["blue"] if path.count("L") == 3]
    assert points == [4, 4, 4]
    assert sum(path.count("L") == 3 for path in lines["orange"]) == 3
    assert lines["green"] == []
    for name in ("noise", "dirt", "jpeg", "one", "two", "40%"):
        assert f">{name}<" in svg
    assert svg.index(">noise<") < svg.index(">dirt<") < svg.index(">jpeg<")


def test_the_same_rows_draw_the_same_bytes():
    assert severity_curves(ROWS) == severity_curves(ROWS)


def test_a_single_disturbance_is_a_single_panel():
    svg = severity_curves([row("one", "noise", 3, 0.0)])
    assert ">noise<" in svg
    assert "nan" not in svg.lower()


def test_the_section_has_rows_as_written_and_examples_in_the_curves_order():
    picture = np.zeros((4, 6, 3), np.uint8)
    examples = Examples()
    for name, moved in (("dirt", 0.3), ("noise", 0.2)):
        examples.offer(name, 1, moved, 3_500_000_000, picture)
        examples.offer(name, 3, 0.1, 3_500_000_000, None)
    examples.end_of_frame(picture)
    section = disturbed_section(DisturbedResult(tuple(ROWS), examples.chosen()), 1_000_000_000)
    assert isinstance(section, DisturbedSection)
    assert section.rows[0] == ROWS[0].to_dict()
    assert [example.disturbance for example in section.examples] == ["noise", "dirt"]
    first = section.examples[0]
    assert (first.seconds, first.movement) == (2.5, 0.2)
    assert [severity for severity, _ in first.pictures] == [0, 1, 3]
    assert first.pictures[1][1].startswith("data:image/png;base64,")
    assert first.pictures[2][1] is None


def test_nothing_disturbed_has_no_curves():
    section = disturbed_section(DisturbedResult(()), 0)
    assert (section.svg, section.rows, section.examples) == ("", (), ())

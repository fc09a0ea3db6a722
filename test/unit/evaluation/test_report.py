import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from toy_stories import toy_story

from liquid_control.errors import OutputError
from liquid_control.evaluation import (
    CampaignEntry,
    FlightRow,
    plan_flights,
    results_document,
    summarise,
)
from liquid_control.evaluation.flight_figures import flown_motion
from liquid_control.evaluation.flight_report import write_report
from liquid_control.frames import quaternion_from_euler

pytestmark = pytest.mark.unit

VOID = {"meta", "img", "br", "link", "input"}


class Balance(HTMLParser):
    """Counts elements and checks that they close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.count = [], {}

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page(tmp_path, stories, summary=(), rows=()):
    document = results_document(["liquid-control", "fly", "<b>"], {}, rows, summary)
    path = tmp_path / "report.html"
    return write_report(path, "first <flight>", stories, document).read_text()


def test_one_page_with_everything_and_nothing_from_outside(tmp_path):
    text = page(tmp_path, [toy_story("calm"), toy_story("wind", success=False)])
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert parser.count["svg"] == 2 * 4
    assert parser.count["img"] == 2 * 8
    outside = re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', text)
    assert outside == []
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_sections_are_linked_and_texts_escaped(tmp_path):
    text = page(tmp_path, [toy_story("calm"), toy_story("<wind>", success=False)])
    assert '<a href="#flight-2">&lt;wind&gt;</a>' in text
    assert '<section id="flight-2">' in text
    assert "first &lt;flight&gt;" in text
    assert "collision" in text


def test_a_flight_without_frames_neurons_trees_or_wind(tmp_path):
    story = toy_story(neurons=False)
    record = replace(story.record, wind=np.zeros((80, 3)), clearance_m=np.full(80, np.inf))
    bare = replace(story, frames=None, record=record)
    bare = replace(bare, map=replace(bare.map, trunks=np.zeros((0, 3))))
    parser = Balance()
    parser.feed(page(tmp_path, [bare]))
    assert parser.count["svg"] == 3
    assert "img" not in parser.count


def test_colours_follow_the_theme(tmp_path):
    text = page(tmp_path, [toy_story()])
    figures = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert "var(--ink)" in figures
    assert "#1d2733" not in figures


def test_campaigns_have_their_summary_on_top(tmp_path):
    jobs = plan_flights([CampaignEntry(name="fog 0.10 /m", seeds="0:4")], ["toy"])
    result = toy_story().record.result
    rows = [FlightRow.of(job, result) for job in jobs]
    text = page(tmp_path, [toy_story()], summarise(rows), rows)
    assert "<td>fog 0.10 /m</td>" in text
    assert "51.0 % to 100 %" in text
    assert text.index("51.0 % to 100 %") < text.index("<section")
    assert "95 % interval" not in page(tmp_path, [toy_story()], summarise(rows[:1]), rows[:1])


def test_motor_neurons_are_called_by_what_they_command(tmp_path):
    text = page(tmp_path, [toy_story()])
    for label in ("yaw rate", "forward", "command_5", "inter_0"):
        assert text.count(f">{label}</text>") == 2
    assert "motor_" not in text


def test_flown_motion_is_in_the_heading_frame():
    story = toy_story()
    turned = np.tile(quaternion_from_euler(0.1, 0.2, np.pi / 2), (80, 1))
    north = replace(story.record, quaternion=turned, velocity=np.tile([0.0, 2.0, 0.5], (80, 1)))
    motion = flown_motion(replace(story, record=north))
    np.testing.assert_allclose(motion, np.tile([2.0, 0.0, 0.5, 0.0], (80, 1)), atol=1e-12)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match=r"report\.html: cannot be written"):
        page(tmp_path / "none", [toy_story()])

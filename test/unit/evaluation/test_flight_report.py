import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from toy_evaluation import toy_flight

from liquid_control.errors import OutputError
from liquid_control.evaluation import (
    CampaignEntry,
    FlightRow,
    plan_flights,
    results_document,
    summarise,
)
from liquid_control.evaluation.flight_figures import flown_motion
from liquid_control.evaluation.flight_report import key_instants, worth_showing, write_report
from liquid_control.frames import quaternion_from_euler
from liquid_control.types import FlightResult

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


def page(tmp_path, flights, summary=(), rows=()):
    document = results_document(["liquid-control", "fly", "<b>"], {}, rows, summary)
    path = tmp_path / "report.html"
    return write_report(path, "first <flight>", flights, document).read_text()


def test_one_page_with_everything_and_nothing_from_outside(tmp_path):
    text = page(tmp_path, [toy_flight("calm"), toy_flight("wind", success=False)])
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
    text = page(tmp_path, [toy_flight("calm"), toy_flight("<wind>", success=False)])
    assert '<a href="#flight-2">&lt;wind&gt;</a>' in text
    assert '<section id="flight-2">' in text
    assert "first &lt;flight&gt;" in text
    assert "collision" in text


def test_a_flight_without_frames_neurons_trees_or_wind(tmp_path):
    flight = toy_flight(neurons=False)
    record = replace(flight.record, wind=np.zeros((80, 3)), clearance_m=np.full(80, np.inf))
    bare = replace(flight, frames=None, record=record)
    bare = replace(bare, map=replace(bare.map, trunks=np.zeros((0, 3))))
    parser = Balance()
    parser.feed(page(tmp_path, [bare]))
    assert parser.count["svg"] == 3
    assert "img" not in parser.count


def test_colours_follow_the_theme(tmp_path):
    text = page(tmp_path, [toy_flight()])
    figures = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert "var(--ink)" in figures
    assert "#1d2733" not in figures


def test_campaigns_have_their_summary_on_top(tmp_path):
    jobs = plan_flights([CampaignEntry(name="fog 0.10 /m", seeds="0:4")], ["toy"])
    result = toy_flight().record.result
    rows = [FlightRow.of(job, result) for job in jobs]
    text = page(tmp_path, [toy_flight()], summarise(rows), rows)
    assert "<td>fog 0.10 /m</td>" in text
    assert "51.0 % to 100 %" in text
    assert text.index("51.0 % to 100 %") < text.index("<section")
    assert "95 % interval" not in page(tmp_path, [toy_flight()], summarise(rows[:1]), rows[:1])


def test_neurons_have_the_names_of_the_bag(tmp_path):
    text = page(tmp_path, [toy_flight()])
    for name in toy_flight().neurons.names:
        assert text.count(f">{name}</text>") == 2
    assert "motor_0 to motor_3, scaled, are the commands forward, left, up and yaw rate" in text


def test_a_title_is_not_repeated(tmp_path):
    text = page(tmp_path, [toy_flight("first <flight>")])
    assert "<h1>first &lt;flight&gt;</h1>" in text
    assert "<h2>first &lt;flight&gt;</h2>" not in text
    assert "<h2>calm</h2>" in page(tmp_path, [toy_flight("calm")])


def test_flown_motion_is_in_the_heading_frame():
    flight = toy_flight()
    turned = np.tile(quaternion_from_euler(0.1, 0.2, np.pi / 2), (80, 1))
    north = replace(flight.record, quaternion=turned, velocity=np.tile([0.0, 2.0, 0.5], (80, 1)))
    motion = flown_motion(replace(flight, record=north))
    np.testing.assert_allclose(motion, np.tile([2.0, 0.0, 0.5, 0.0], (80, 1)), atol=1e-12)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"report\.html: cannot be written"):
        page(tmp_path / "none", [toy_flight()])


def test_failed_flights_are_shown_first():
    entries = [CampaignEntry(name="a", seeds="1:5"), CampaignEntry(name="b", seeds="7")]
    jobs = plan_flights(entries, ["m"])
    succeeded = [True, True, False, True, True]
    rows = [
        FlightRow.of(job, FlightResult(good, "completed" if good else "timeout", 1, 1, 1, 1))
        for job, good in zip(jobs, succeeded, strict=True)
    ]
    shown = worth_showing(jobs, rows, 2)
    assert [(job.entry, job.seed) for job in shown] == [("a", 3), ("a", 1), ("b", 7)]


def test_key_instants_have_start_end_and_what_happened_between():
    instants = key_instants(toy_flight(success=False), count=6)
    ticks = [tick for tick, _ in instants]
    reasons = dict(instants)
    assert ticks == sorted(set(ticks))
    assert len(ticks) == 6
    assert (reasons[0], reasons[79]) == ("start", "collision")
    closest = next(tick for tick, why in instants if why == "closest tree")
    assert closest in (39, 40)


def test_a_flight_of_three_ticks():
    assert [tick for tick, _ in key_instants(toy_flight(ticks=3))] == [0, 1, 2]

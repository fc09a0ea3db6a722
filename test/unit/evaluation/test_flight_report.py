import re
from dataclasses import replace

import numpy as np
import pytest
from toy_evaluation import toy_flight

from liquid_control.errors import ObservationError, OutputError
from liquid_control.evaluation import (
    CampaignEntry,
    FlightRow,
    plan_flights,
    results_document,
    summarise,
)
from liquid_control.evaluation.flight_data import CommandTrack
from liquid_control.evaluation.flight_report import worth_showing, write_report
from liquid_control.evaluation.flight_views import flight_markers, flight_view, flown_motion
from liquid_control.frames import quaternion_from_euler
from liquid_control.liquid.time_constants import gate_slopes
from liquid_control.pages.data_block import decode_block, read_blocks
from liquid_control.policy import load_model
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit


def report(tmp_path, flights, summary=(), rows=()):
    document = results_document(["liquid-control", "fly", "<b>"], {}, rows, summary)
    path = tmp_path / "report.html"
    return write_report(path, "first <flight>", flights, document).read_text()


def shown(page):
    """Return content and arrays of a page with one flight."""
    (block,) = read_blocks(page)
    return decode_block(block)


def test_the_report_links_to_a_page_for_each_flight(tmp_path):
    own = replace(toy_flight("calm"), folder="calm-3")
    text = report(tmp_path, [own, toy_flight("<wind>", success=False)])
    assert '<a href="calm-3/flight.html">calm</a>' in text
    assert '<a href="flights/02-wind-toy.html">&lt;wind&gt;</a>' in text
    assert "first &lt;flight&gt;" in text
    assert re.findall(r'(?:src|href)="(?!data:|#|calm-3/|flights/)([^"]*)"', text) == []
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    expected = {"report.html", "calm-3/flight.html", "flights/02-wind-toy.html"}
    assert {str(path) for path in written} == expected
    page = (tmp_path / "flights" / "02-wind-toy.html").read_text()
    assert "<h1>&lt;wind&gt;</h1>" in page
    assert "liquid-control fly &lt;b&gt;" in page
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', page) == []


def test_a_page_shows_what_was_flown(tmp_path):
    flight = replace(toy_flight(success=False), folder="calm-3", links=(("bag", "flight.mcap"),))
    report(tmp_path, [flight])
    content, arrays = shown(tmp_path / "calm-3" / "flight.html")
    assert (content["title"], content["outcome"], content["succeeded"]) == (
        "calm",
        "collision",
        False,
    )
    assert content["end_s"] == pytest.approx(79 * 0.025)
    assert content["links"] == [["bag", "flight.mcap"]]
    assert ["time", "2.0 s"] in content["facts"]
    commands, margins = content["groups"]
    flown, commanded = commands["plots"][0]["traces"]
    np.testing.assert_allclose(arrays[flown["values"]], 2.0, atol=1e-6)
    np.testing.assert_allclose(arrays[commanded["values"]], 2.0)
    assert (flown["label"], commanded["label"], commands["guarded"]) == (
        "flown",
        "commanded",
        True,
    )
    np.testing.assert_allclose(arrays[margins["plots"][0]["traces"][0]["values"]], 3.0)
    path = content["map"]["paths"][0]
    np.testing.assert_allclose(
        arrays[path["position"]], flight.record.position[:, :2].astype(np.float32)
    )
    assert arrays[content["map"]["trunks"]].shape == (2, 3)
    assert len(arrays[content["pictures"]["ends"]]) == 40
    assert content["neurons"]["names"] == list(flight.neurons.names)
    assert [one["title"].partition(":")[0] for one in content["neurons"]["maps"]] == [
        "state",
        "time gate",
    ]
    assert content["saliency"] is None
    assert content["wiring"] is None


def test_a_flight_without_frames_neurons_trees_or_wind(tmp_path):
    flight = toy_flight(neurons=False)
    record = replace(flight.record, wind=np.zeros((80, 3)), clearance_m=np.full(80, np.inf))
    bare = replace(flight, frames=None, record=record, folder="bare")
    bare = replace(bare, map=replace(bare.map, trunks=np.zeros((0, 3))))
    report(tmp_path, [bare])
    content, _ = shown(tmp_path / "bare" / "flight.html")
    assert content["pictures"] is content["neurons"] is content["wiring"] is None
    assert [marker["text"] for marker in content["markers"]] == [
        "start",
        "farthest from the trail, 0.10 m",
        "completed",
    ]


def test_a_wired_core_has_wiring_and_time_constants():
    weights = load_model("models/trail_cfc19").wired_weights
    flight = toy_flight()
    features = np.full((40, weights.wiring.inputs), 0.1, np.float32)
    neurons = replace(flight.neurons, features=features)
    view = flight_view(replace(flight, neurons=neurons, weights=weights))
    assert view.wiring.wiring == weights.wiring
    constants = view.neurons.maps[2]
    assert (constants.title, constants.unit, constants.scale) == ("time constant", "s", "log")
    state = neurons.state
    slopes = gate_slopes(weights, features[7], state[6], state[7])
    np.testing.assert_array_equal(constants.values[7], 1.0 / np.abs(slopes))


def test_saliency_is_shown_where_it_was_computed():
    maps = np.ones((40, 14, 24))
    assert flight_view(replace(toy_flight(), saliency=maps)).saliency.size == (24, 14)
    with pytest.raises(ObservationError, match="each of 40 frames"):
        flight_view(replace(toy_flight(), saliency=maps[:39]))


def test_markers_are_what_an_engineer_looks_at_first():
    flight = toy_flight(success=False)
    policy = np.tile([2.0, 0.1, 0.0, -0.2], (40, 1))
    guarded = policy.copy()
    guarded[10:12, 3] = 0.0
    track = CommandTrack(flight.frames.stamp_ns, policy, guarded)
    markers = flight_markers(replace(flight, commands=track))
    found = {marker.text: marker.seconds for marker in markers}
    assert found["start"] == 0.0
    assert found["collision"] == pytest.approx(1.975)
    assert found["closest tree, 1.00 m"] in (0.975, 1.0)
    assert "strongest wind, 3.0 m/s" in found
    assert found["guard: yaw rate -0.20 to +0.00"] == pytest.approx(0.5)
    (guard,) = [marker for marker in markers if marker.kind == "guard"]
    assert guard.end_s == pytest.approx(0.6)


def test_a_flight_of_three_ticks(tmp_path):
    report(tmp_path, [replace(toy_flight(ticks=3), folder="short")])
    assert shown(tmp_path / "short" / "flight.html")[0]["end_s"] == pytest.approx(0.05)


def test_campaigns_have_their_summary_on_top(tmp_path):
    jobs = plan_flights([CampaignEntry(name="fog 0.10 /m", seeds="0:4")], ["toy"])
    result = toy_flight().record.result
    rows = [FlightRow.of(job, result) for job in jobs]
    text = report(tmp_path, [toy_flight()], summarise(rows), rows)
    assert "<td>fog 0.10 /m</td>" in text
    assert "51.0 % to 100 %" in text
    assert text.index("51.0 % to 100 %") < text.index("<section")
    assert "95 % interval" not in report(tmp_path, [toy_flight()], summarise(rows[:1]), rows[:1])


def test_flown_motion_is_in_the_heading_frame():
    flight = toy_flight()
    turned = np.tile(quaternion_from_euler(0.1, 0.2, np.pi / 2), (80, 1))
    north = replace(flight.record, quaternion=turned, velocity=np.tile([0.0, 2.0, 0.5], (80, 1)))
    motion = flown_motion(replace(flight, record=north))
    np.testing.assert_allclose(motion, np.tile([2.0, 0.0, 0.5, 0.0], (80, 1)), atol=1e-12)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"01-calm-toy\.html: cannot be written"):
        report(tmp_path / "none", [toy_flight()])


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

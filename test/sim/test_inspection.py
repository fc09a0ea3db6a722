"""Inspection of flights in our simulator: retraced, rendered without fog, lesioned."""

import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from liquid_control.bags import BagWriter
from liquid_control.cli.main import main
from liquid_control.config import load_scenario
from liquid_control.errors import ConfigError
from liquid_control.evaluation import evaluate, scenario_campaign
from liquid_control.evaluation.bag_recorder import RecordingOptions
from liquid_control.frames import heading_from_world, heading_of
from liquid_control.inspection import (
    inspect,
    lesion_study,
    open_flight,
    recorded_scenario,
    retrace,
    scenario_without,
)
from liquid_control.inspection.lesions import LesionedPilot, parts_of
from liquid_control.inspection.page import write_flight_page
from liquid_control.inspection.retrace import measured_quantities
from liquid_control.inspection.tables import without_disturbances
from liquid_control.journal import JOURNAL_FILE
from liquid_control.pages.data_block import decode_block, read_blocks
from liquid_control.pages.flight_block import flight_block
from liquid_control.pages.flight_page import flight_page, write_side_by_side
from liquid_control.pages.flight_view import FlightView, MapView
from liquid_control.policy import load_model
from liquid_control.types import HOVER
from liquid_control_sim import fly
from liquid_control_sim.flight import Flight

pytestmark = [pytest.mark.sim, pytest.mark.slow]

SHORT = {"trail.length_m": 10.0}
FOGGY = {**SHORT, "fog.extinction_per_m": 0.1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two flights in fog, one of which is a bag."""
    path = tmp_path_factory.mktemp("flown")
    pilot = {"trail_cfc19": LesionedPilot(Path("models/trail_cfc19"))}
    recording = RecordingOptions(path, image="png")
    evaluate(fly, pilot, "trail", seeds="3", workers=1, overrides=FOGGY, recording=recording)
    return path


@pytest.fixture(scope="module")
def opened(folder):
    return open_flight(folder)


def test_the_policy_gives_the_recorded_commands_bit_for_bit(opened):
    _, flight = opened
    assert np.array_equal(flight.commands, flight.recorded)


def test_recorded_commands_fly_the_recorded_path(opened):
    policy, flight = opened
    again = retrace(fly, policy, flight, *recorded_scenario(flight))
    assert again.deviation_m == 0.0
    assert np.array_equal(again.flight.pictures, flight.pictures)
    assert np.array_equal(again.flight.commands, flight.commands)
    known = again.flight.quantities
    assert {"curvature_ahead", "lateral_error", "heading_error", "clearance"} <= set(known)
    assert known["brightness"] == pytest.approx(flight.pictures.mean(axis=(1, 2, 3)) / 255)


def test_the_bearing_of_the_target_is_left_of_the_heading():
    with Flight(load_scenario("target", {"target.range_m": 8.0}), 3) as flight:
        flight.advance()
        applied = flight.apply_command(HOVER)
        found = measured_quantities(flight.world, applied)
        [target] = flight.world.targets
        ahead, left = heading_from_world(
            np.array(target.centre) - applied.truth.position, heading_of(applied.truth.quaternion)
        )[:2]
    assert np.hypot(ahead, left) == pytest.approx(8.0, abs=0.5)
    assert found["target_bearing"] == pytest.approx(math.atan2(left, ahead), abs=1e-9)
    assert {"wind_forward", "wind_left", "clearance"} <= set(found)


def test_without_fog_the_same_path_has_other_pictures(opened):
    policy, flight = opened
    scenario, seed = recorded_scenario(flight)
    calm = scenario_without(scenario, ["fog"])
    assert calm.fog.extinction_per_m == 0.0
    assert calm.trail == scenario.trail
    again = retrace(fly, policy, flight, calm, seed)
    assert again.deviation_m == 0.0
    assert not np.array_equal(again.flight.pictures, flight.pictures)
    with pytest.raises(Exception, match="--without rain: the flight has no such disturbance"):
        scenario_without(scenario, ["rain"])


def test_the_flight_is_the_recorded_one_until_the_wind_ends(tmp_path):
    pilot = {"trail_cfc19": LesionedPilot(Path("models/trail_cfc19"))}
    windy = {**SHORT, "wind.mean_mps": 5.0}
    recording = RecordingOptions(tmp_path, image="png")
    evaluate(fly, pilot, "trail", seeds="3", workers=1, overrides=windy, recording=recording)
    policy, flight = open_flight(tmp_path)
    extra = without_disturbances(fly, policy, flight, ["wind@2.5"], 2.0)["without"]
    assert extra["deviation_m"] > 0.01
    yaw = extra["commands"]["yaw"]
    assert (yaw["would_be"], yaw["rms"] > 0.0) == (yaw["was"], True)
    assert extra["lines"][0].startswith("without wind after 2.5 s the recorded commands fly up to")
    scenario, seed = recorded_scenario(flight)
    ended = scenario_without(scenario, ["wind@2.5"])
    assert (ended.wind.end_s, ended.wind.mean_mps) == (2.5, 5.0)
    again = retrace(fly, policy, flight, ended, seed).flight
    until = np.searchsorted(flight.stamp_ns, 2_500_000_000)
    assert np.array_equal(again.poses[:until], flight.poses[:until])
    assert not np.array_equal(again.poses[until + 20], flight.poses[until + 20])
    for word, reason in {
        "fog@2": "expected wind@SECONDS, such as wind@12",
        "wind@soon": "expected wind@SECONDS, such as wind@12",
        "wind@-1": "expected wind@SECONDS, such as wind@12",
    }.items():
        with pytest.raises(ConfigError, match=f"^--without {word}: {reason}$"):
            scenario_without(scenario, [word])
    with pytest.raises(ConfigError, match=r"^--without wind@2: the flight has no wind$"):
        scenario_without(scenario_without(scenario, ["wind"]), ["wind@2"])


def test_the_command_writes_the_same_bytes_twice(folder, tmp_path, capsys):
    words = ["inspect", "flight", str(folder), "--at", "1.5", "--clamp", "inter_7", "--video"]
    for name in ("a", "b"):
        assert main([*words, "--out", str(tmp_path / name)]) == 0
    out = capsys.readouterr().out
    assert "with inter_7 = 0 the yaw command is" in out
    names = ("inspection.json", "inspection.npz", "overlay.png", "neurons.png", "moment.png")
    for name in (*names, "wiring.png", "flight.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    video = cv2.VideoCapture(str(tmp_path / "a" / "saliency.mp4"))
    frames = json.loads((tmp_path / "a" / "inspection.json").read_text())["frames"]
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == frames
    moment = json.loads((tmp_path / "a" / "inspection.json").read_text())["moments"][0]
    parts = moment["last_second"]["yaw"]
    assert parts["sum"] == pytest.approx(parts["change"], abs=1e-4)


def shown(path):
    [element] = read_blocks(path)
    return decode_block(element)


def test_the_page_shows_the_map_of_every_frame(folder, opened, tmp_path):
    found = inspect(*opened, every_contribution=False)
    content, arrays = shown(write_flight_page(tmp_path / "one.html", found, folder, moment_s=1.5))
    track, flight = content["saliency"], found.flight
    assert np.array_equal(arrays[track["seconds"]], flight.seconds)
    assert np.array_equal(arrays[content["pictures"]["seconds"]], flight.seconds)
    ends = [0, *arrays[track["ends"]].tolist()]
    assert len(ends) == len(flight) + 1
    for frame, saliency in enumerate(found.maps):
        jpeg = arrays[track["jpeg"]][ends[frame] : ends[frame + 1]]
        values = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE) / 255.0
        assert values == pytest.approx(saliency / saliency.max(), abs=0.1)
        assert np.abs(values - saliency / saliency.max()).mean() < 0.01
    states = arrays[content["neurons"]["maps"][0]["values"]]
    assert np.array_equal(states, flight.states)
    assert content["succeeded"] is True
    marked = [m["seconds"] for m in content["markers"] if m["text"] == "inspected"]
    assert marked == [flight.seconds[flight.frame_at(1.5)]]
    assert arrays[content["map"]["trunks"]].size == 0
    both = tmp_path / "both.html"
    write_side_by_side(both, tmp_path / "one.html", tmp_path / "one.html")
    assert [decode_block(one)[0]["saliency"] for one in read_blocks(both)] == [track, track]
    few = inspect(*opened, every_map=False, every_contribution=False)
    assert shown(write_flight_page(tmp_path / "few.html", few, folder))[0]["saliency"] is None


def test_the_page_has_trail_and_trees_of_the_page_beside_the_bag(folder, opened, tmp_path):
    home = tmp_path / "trail-3"
    home.mkdir()
    [bag] = folder.glob("bags/*.mcap")
    shutil.copy(bag, home / "flight.mcap")
    around = MapView(
        (), np.array([[0.0, 0.0], [10.0, 1.0]]), 2.5, 1.0, np.array([[3.0, 4.0, 0.2]])
    )
    found = inspect(*opened, every_map=False, every_contribution=False)
    for link, trunks in (("flight.mcap", [[3.0, 4.0, 0.2]]), ("other.mcap", np.empty((0, 3)))):
        view = FlightView("trail", 1.0, map=around, links=(("bag", link),))
        (home / "flight.html").write_text(flight_page("trail", "", [flight_block(view)]))
        content, arrays = shown(
            write_flight_page(tmp_path / "page.html", found, tmp_path / "trail-3")
        )
        assert np.array_equal(arrays[content["map"]["trunks"]], np.float32(trunks))
        assert content["map"]["paths"][0]["label"] == "odometry"
    damaged = (home / "flight.html").read_text().replace('data-crc32="', 'data-crc32="0')
    (home / "flight.html").write_text(damaged)
    with pytest.raises(Exception, match=r"flight\.html: the block of flight data is damaged"):
        write_flight_page(tmp_path / "page.html", found, home)


def test_numbers_of_record_have_the_rates_of_a_campaign_and_go_on(folder, tmp_path, capsys):
    flown, out = tmp_path / "flown", tmp_path / "measured"
    models = ["models/trail_cfc19", "models/trail_gru"]
    named = [word for model in models for word in ("--model", model)]
    options = ["--scenario", "trail", "--seeds", "3:5", "--set", "trail.length_m=10"]
    assert main(["evaluate", *named, *options, "--jobs", "1", "--out", str(flown)]) == 0
    rows = json.loads((flown / "results.json").read_text())["rows"]
    rates = [
        np.mean([row["success"] for row in rows if row["model"] == Path(model).name])
        for model in models
    ]
    (bag,) = (folder / "bags").glob("*.mcap")
    words = ["inspect", "measure", str(bag), "--out", str(out)]
    assert main([*words, *named[:2]]) == 0
    first = json.loads((out / "measures.json").read_text())["models"][0]
    capsys.readouterr()
    further = [*named, "--model", "models/trail_from_bags", "--results", str(flown), "--resume"]
    assert main([*words, *further]) == 0
    missing = "no flights of trail_from_bags; it has those of trail_cfc19, trail_gru"
    assert missing in " ".join(capsys.readouterr().err.split())
    found = json.loads((out / "measures.json").read_text())["models"]
    assert [one["success_rate"] for one in found] == [*rates, None]
    assert found[0] == first | {"success_rate": rates[0]}
    assert len((out / JOURNAL_FILE).read_text().splitlines()) == 4


def test_the_command_flies_lesions(tmp_path, capsys):
    words = ["inspect", "lesions", "--seeds", "3:5", "--of", "motor_0", "--set"]
    assert main([*words, "trail.length_m=10", "--out", str(tmp_path / "o")]) == 0
    assert "without motor_0" in capsys.readouterr().out
    content = json.loads((tmp_path / "o" / "lesions.json").read_text())
    assert [row["model"] for row in content["summary"]] == ["intact", "without motor_0"]
    assert len(content["rows"]) == 4


def test_a_lesion_study_goes_on_where_it_was_interrupted(tmp_path):
    model = load_model("trail_cfc19")
    campaign = scenario_campaign("trail", SHORT).with_seeds("3:5")
    entries = [entry.model_copy(update={"set": SHORT}) for entry in campaign.entries]
    campaign = campaign.model_copy(update={"entries": entries})
    options = {"parts": ["motor_3"], "workers": 1}
    whole = lesion_study(fly, model, campaign, tmp_path, **options)
    assert [row.model for row in whole.summary] == ["intact", "without motor_3"]
    assert [row.n for row in whole.summary] == [2, 2]
    path = tmp_path / JOURNAL_FILE
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]))
    again = lesion_study(fly, model, campaign, tmp_path, **options, resume=True)
    assert again == whole
    assert len(path.read_text().splitlines()) == len(lines)
    with pytest.raises(Exception, match="--of: no neuron, feature or input 'inter_99'"):
        parts_of(model, ["inter_99"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--at", "99"], "--at: expected a moment from 0 to"),
        (["--at", "1", "--clamp", "inter_12"], "no neuron or feature 'inter_12'"),
        (["--clamp", "inter_1"], "--clamp: expected --at too"),
        (["--method", "magic"], "--method: expected visual_backprop"),
        (["--axis", "roll"], "--axis: expected forward, left, up, yaw"),
        (["--without", "rain"], "--without rain: the flight has no such disturbance"),
    ],
)
def test_bad_requests_are_one_line(folder, tmp_path, capsys, words, message):
    assert main(["inspect", "flight", str(folder), *words, "--out", str(tmp_path / "o")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error
    assert not (tmp_path / "o").exists()


def test_bags_that_cannot_be_inspected_are_one_line(folder, tmp_path, capsys):
    empty = tmp_path / "empty.mcap"
    with BagWriter(empty, {"clock": "rosgraph_msgs/msg/Clock"}, metadata={}):
        pass
    assert main(["inspect", "flight", str(empty), "--out", str(tmp_path / "o")]) == 2
    assert "camera" in capsys.readouterr().err
    (tmp_path / "many").mkdir()
    for name in "ab":
        (tmp_path / "many" / f"{name}.mcap").write_bytes(empty.read_bytes())
    assert main(["inspect", "flight", str(tmp_path / "many")]) == 2
    assert "expected one bag, got 2: a.mcap, b.mcap" in capsys.readouterr().err


def test_a_bag_of_an_unknown_model_is_one_line(folder, tmp_path, monkeypatch):
    from liquid_control.replay import request

    monkeypatch.setattr(request, "_shipped_models", lambda: [])
    monkeypatch.setattr(request, "DEFAULT_MODEL", Path("models/trail_gru"))
    with pytest.raises(Exception, match=r"recorded with trail_cfc19 .* give its folder"):
        open_flight(folder)


def test_another_core_shows_what_it_has(folder, tmp_path, capsys):
    words = ["inspect", "flight", str(folder), "--model", "trail_gru", "--at", "1.5"]
    assert main([*words, "--out", str(tmp_path / "o")]) == 0
    captured = capsys.readouterr()
    [line] = [one for one in captured.err.splitlines() if "core gru has no time gates" in one]
    assert "saliency maps, states, features and what-ifs are there" in line
    assert (tmp_path / "o" / "moment.png").is_file()
    assert not (tmp_path / "o" / "wiring.png").exists()
    content = json.loads((tmp_path / "o" / "inspection.json").read_text())
    assert content["moments"][0]["last_second"] is None

"""Result, document, arrays, report and video of a comparison of two tracks."""

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import av
import numpy as np
import pytest

from liquid_control.command import GuardEvent
from liquid_control.errors import BagError, OutputError
from liquid_control.pages.data_block import decode_block, read_blocks
from liquid_control.replay.disturbed import DisturbedResult, DisturbedRow
from liquid_control.replay.output_files import document_text, replay_document, write_arrays
from liquid_control.replay.replay_report import encode_pictures, write_report
from liquid_control.replay.replay_video import write_replay_video
from liquid_control.replay.replay_views import replay_view
from liquid_control.replay.request import ReplayMetadata
from liquid_control.replay.result import compare_tracks, exceeded, verdict
from liquid_control.replay.tracks import Recorded, Replayed, Series, Track

pytestmark = pytest.mark.unit

FRAME_NS = 33_333_333
SCALES = (1.5, 1.5, 0.8, 1.5)
NAMES = (*(f"inter_{n}" for n in range(9)), *(f"command_{n}" for n in range(6)))
NAMES += tuple(f"motor_{n}" for n in range(4))
VOID = {"meta", "img", "br", "link", "input", "path", "circle"}


class Balance(HTMLParser):
    """Counts elements and checks that they close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.count = [], Counter()

    def handle_starttag(self, tag, attributes):
        self.count[tag] += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag


def series(stamps, values):
    return Series(stamps, values, stamps)


def track(label, frames=90, off=0.0, neurons=True):
    stamps = np.arange(frames, dtype=np.int64) * FRAME_NS
    seconds = stamps * 1e-9
    values = np.column_stack(
        [1.5 + 0.1 * np.sin(seconds), 0.2 * np.cos(seconds), 0.0 * seconds, 0.3 * np.sin(seconds)]
    )
    values[frames // 2 :, 3] += off
    states = np.tanh(np.outer(np.sin(seconds), np.linspace(-1, 1, 19))) + off
    empty = series(stamps[:0], np.empty((0, 0)))
    return Track(
        label,
        series(stamps, values),
        series(stamps, values),
        empty,
        series(stamps, states) if neurons else empty,
        series(stamps, np.full((frames, 19), 0.4)) if neurons else empty,
        NAMES,
    )


def recorded(track_, odometry=True):
    stamps = track_.policy.stamp_ns
    seconds = stamps * 1e-9
    poses = np.column_stack([1.5 * seconds, 0.1 * seconds, 0.0 * seconds + 1.5, 0.0 * seconds])
    poses = series(stamps, poses) if odometry else series(stamps[:0], np.empty((0, 4)))
    frames = Series(stamps, np.empty((len(stamps), 0)), stamps + 1_000_000)
    return Recorded(track_, frames, poses)


def compared(off=0.0, frames=90, other=True, **options):
    replayed_track = track("replayed", frames, off)
    replayed = Replayed(
        replayed_track, frames, Counter({"<bad> frame": 2}), 0, 0, Counter(), False
    )
    other_track = track("recorded", frames)
    return compare_tracks(
        replayed, recorded(other_track, **options), other_track if other else None, SCALES
    )


def metadata():
    return ReplayMetadata(
        command="liquid-control replay <flight>.mcap",
        bag={"files": [{"name": "<flight>.mcap", "size_bytes": 5, "sha256": "ab" * 32}]},
        topics={"camera": "/camera/image_raw"},
        model={"name": "toy", "sha256": "cd" * 32},
        recorded_model=None,
        backend="flight",
        against="recorded",
        span={"start_s": None, "duration_s": None},
        versions={"liquid_control": "0"},
        losses=["3 chunks that are damaged (a reason)"],
    )


def page(folder, result, pictures=None):
    return write_report(folder / "report.html", metadata(), result, pictures).read_text()


def shown(folder):
    """Return content and arrays of the page."""
    (block,) = read_blocks(folder / "report.html")
    return decode_block(block)


def pictures_of(result, width=96, height=54):
    """Return a track of grey pictures of all frames."""
    grey = np.full((height, width, 3), 90, np.uint8)
    return encode_pictures(result, ((log, grey) for log in result.recorded.frames.log_ns.tolist()))


def guarded_off(whole, off):
    """Return a track whose last guarded command differs."""
    values = whole.guarded.values.copy()
    values[-1, 0] += off
    return replace(whole, guarded=series(whole.guarded.stamp_ns, values))


def test_verdicts():
    assert verdict(compared()).startswith(
        "identical to the recorded policy commands, guarded comma"
    )
    differs = verdict(compared(off=0.2))
    assert differs == (
        "differs from the recorded policy commands by RMSE forward 0 m/s, left 0 m/s, up 0 m/s, "
        "yaw 0.141 rad/s"
    )
    assert verdict(compared(off=5e-7)) == (
        "differs from the recorded policy commands by at most 5e-07, within the 1e-06 of replays "
        "on different processors"
    )
    other = guarded_off(track("recorded", 90), 2.0**-50)
    replayed = Replayed(track("replayed", 90, 0.0), 90, Counter(), 0, 0, Counter(), False)
    assert verdict(compare_tracks(replayed, recorded(other), other, SCALES)) == (
        "equal to the recorded policy commands; first difference: guarded: 1 rows differ, first "
        f"at {other.guarded.stamp_ns[-1]} ns, by 8.88e-16 at most"
    )
    assert verdict(compared(other=False)).startswith("there is nothing to compare with")


def test_only_named_axes_have_a_limit():
    result = compared(off=0.2)
    assert exceeded(result, {"yaw": 0.1}) == ["yaw 0.1414 rad/s > 0.1"]
    assert exceeded(result, {"yaw": 0.15, "forward": 0.0}) == []
    assert exceeded(result, {}) == []
    with pytest.raises(BagError, match="expected recorded commands to compare with"):
        exceeded(compared(other=False), {"yaw": 0.1})


def test_commands_at_other_times_cannot_be_compared():
    replayed_track, other_track = track("replayed"), track("recorded")
    late = Track(
        "recorded",
        series(other_track.policy.stamp_ns + 10**12, other_track.policy.values),
        series(other_track.policy.stamp_ns[:0], np.empty((0, 4))),
        *(getattr(other_track, part) for part in ("features", "states", "gates", "neuron_names")),
    )
    replayed = Replayed(replayed_track, 90, Counter(), 0, 0, Counter(), False)
    with pytest.raises(BagError, match="no command of recorded is within half a frame"):
        compare_tracks(replayed, recorded(other_track), late, SCALES)


def test_the_document_is_plain_json_and_complete():
    document = replay_document(metadata(), compared(off=0.2))
    again = json.loads(document_text(document))
    assert again == document
    assert again["schema"] == 1
    assert again["identical"] is False
    assert again["policy"]["axes"]["yaw"]["rmse"] == pytest.approx(0.2 / np.sqrt(2))
    assert again["policy"]["axes"]["up"]["correlation"] is None
    assert again["policy"]["by_stamp"] == 90
    assert again["frames"]["refusals"] == {"<bad> frame": 2}
    assert again["worst_moments"][0]["axis"] == "yaw"
    assert again["path"]["replayed_from_other"]["final_l1_m"] > 0.1
    assert again["path"]["replayed_from_odometry"]["max_l2_m"] > 0.0
    assert again["latency"]["stamp_to_frame"]["p50_s"] == pytest.approx(0.001)
    assert len(again["neurons"]) == 19
    assert again["picture_shift"] is None


def test_the_page_is_one_file_with_everything(tmp_path):
    result = compared(off=0.2, frames=180)
    text = page(tmp_path, result, pictures_of(result))
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert parser.count["svg"] == 2
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]+)"', text) == []
    assert not re.search(r"url\((?!#)", text)
    assert "&lt;flight&gt;.mcap" in text
    assert "<flight>" not in text
    assert "3 chunks that are damaged" in text
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    content, arrays = shown(tmp_path)
    commands, difference = content["groups"]
    assert [trace["label"] for trace in commands["plots"][0]["traces"]] == ["recorded", "replayed"]
    assert difference["title"] == "Difference, replayed minus recorded"
    values = arrays[difference["plots"][3]["traces"][0]["values"]]
    np.testing.assert_allclose(values, np.repeat([0.0, 0.2], 90), atol=1e-6)
    assert [path["label"] for path in content["map"]["paths"]] == [
        "odometry",
        "replayed",
        "recorded",
    ]
    assert len(arrays[content["pictures"]["ends"]]) == 180
    differences = [m for m in content["markers"] if m["kind"] == "difference"]
    assert len(differences) == len(result.worst_frames) >= 2
    assert differences[0]["text"] == "yaw +0.2 rad/s"
    assert content["end_s"] == pytest.approx(179 * FRAME_NS * 1e-9)


def test_a_page_of_an_identical_replay_has_no_differences(tmp_path):
    result = compared()
    assert 'class="verdict same"' in page(tmp_path, result, pictures_of(result, 640, 360))
    content, _ = shown(tmp_path)
    assert [group["title"] for group in content["groups"]] == ["Commands"]
    assert content["pictures"]["size"] == [640, 360]
    assert content["markers"] == []


def test_a_page_without_odometry_and_without_anything_to_compare_with(tmp_path):
    text = page(tmp_path, compared(other=False, odometry=False))
    assert 'class="verdict none"' in text
    content, _ = shown(tmp_path)
    assert [path["label"] for path in content["map"]["paths"]] == ["replayed"]
    assert content["pictures"] is None


def test_actions_of_the_guard_and_gaps_are_markers():
    stamps = np.delete(np.arange(91), 40) * FRAME_NS
    replayed_track = restamped(track("replayed"), stamps)
    guarded = replayed_track.guarded.values.copy()
    guarded[60:63] = 0.0
    replayed_track = replace(replayed_track, guarded=series(stamps, guarded))
    replayed = Replayed(replayed_track, 90, Counter(), 0, 0, Counter(), True)
    result = compare_tracks(replayed, recorded(replayed_track), None, SCALES)
    gap, guard = sorted(replay_view("", "", result, None, None).markers, key=lambda m: m.seconds)
    assert (gap.text, gap.kind) == ("no frame for 0.07 s", "event")
    assert gap.seconds == pytest.approx(39 * FRAME_NS * 1e-9)
    assert (guard.text, guard.kind) == ("guard: hover", "guard")
    assert guard.seconds == pytest.approx(61 * FRAME_NS * 1e-9)


def test_pictures_of_other_frames_are_left_out():
    result = compared()
    grey = np.full((54, 96, 3), 90, np.uint8)
    logs = result.recorded.frames.log_ns.tolist()
    track_ = encode_pictures(result, ((log, grey) for log in [5, *logs[10:20], logs[-1] + 7]))
    assert len(track_.ends) == 10
    assert track_.seconds[0] == pytest.approx(10 * FRAME_NS * 1e-9)
    assert encode_pictures(result, []) is None


def test_pages_and_arrays_are_the_same_bytes_each_time(tmp_path):
    result = compared(off=0.2)
    first = page(tmp_path, result, pictures_of(result))
    assert page(tmp_path, compared(off=0.2), pictures_of(result)) == first
    one = write_arrays(tmp_path / "one.npz", result).read_bytes()
    assert write_arrays(tmp_path / "two.npz", compared(off=0.2)).read_bytes() == one
    with np.load(tmp_path / "one.npz") as arrays:
        np.testing.assert_array_equal(
            arrays["replayed/policy"], result.replayed.track.policy.values
        )


def test_a_page_of_ten_minutes_stays_small(tmp_path):
    result = compared(off=0.2, frames=18_000)
    text = page(tmp_path, result, pictures_of(result))
    assert 1_000_000 < len(text) < 20_000_000


def restamped(track_, stamps):
    parts = ("policy", "guarded", "features", "states", "gates")
    rows = (getattr(track_, part) for part in parts)
    series_ = (series(stamps[: len(row)], row.values) for row in rows)
    return Track(track_.label, *series_, track_.neuron_names)


JUMPS = {
    "step back": np.r_[np.arange(45), np.arange(45) - 100],
    "jump ahead": np.r_[np.arange(45), np.arange(45) + 10**9],
    "constant": np.zeros(90, np.int64),
    "backwards": -np.arange(90),
    "one frame": np.zeros(1, np.int64),
}


@pytest.mark.parametrize("name", JUMPS)
def test_a_page_is_written_for_any_clock(tmp_path, name):
    stamps = JUMPS[name] * FRAME_NS
    replayed_track, other_track = (
        restamped(track(label, len(stamps)), stamps) for label in ("a", "recorded")
    )
    replayed = Replayed(replayed_track, len(stamps), Counter(), 0, 0, Counter(), False)
    result = compare_tracks(replayed, recorded(other_track), other_track, SCALES)
    assert "flight-data" in page(tmp_path, result, pictures_of(result))
    decode_block(read_blocks(tmp_path / "report.html")[0])
    json.loads(document_text(replay_document(metadata(), result)))
    seconds = result.seconds(stamps)
    assert seconds.min() >= 0.0
    assert seconds.max() < 0.1 * len(stamps)


def test_seconds_advance_over_a_clock_jump():
    stamps = JUMPS["jump ahead"] * FRAME_NS
    other_track = restamped(track("recorded"), stamps)
    replayed = Replayed(other_track, 90, Counter(), 0, 0, Counter(), False)
    result = compare_tracks(replayed, recorded(other_track), other_track, SCALES)
    steps = np.diff(result.seconds(stamps))
    np.testing.assert_allclose(np.delete(steps, 44), FRAME_NS * 1e-9, atol=1e-12)
    assert steps[44] == pytest.approx(1.0)


def test_a_missing_folder_is_an_output_error(tmp_path):
    for write in (page, lambda folder, result: write_arrays(folder / "x.npz", result)):
        with pytest.raises(OutputError, match="cannot be written"):
            write(tmp_path / "none", compared())


def test_the_video_lasts_as_long_as_the_flight(tmp_path):
    result = compared(off=0.2)
    frames = result.recorded.frames
    pictures = [(int(log), np.full((54, 96, 3), 90, np.uint8)) for log in frames.log_ns]
    path = write_replay_video(tmp_path / "replay.mp4", "toy", result, pictures)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 1280, 540)
        assert stream.average_rate == 30
        assert abs(sum(1 for _ in container.decode(stream)) - 90) <= 1


def test_guard_events_are_listed_by_name():
    replayed_track = track("replayed")
    events = Counter({GuardEvent.STALE: 2})
    replayed = Replayed(replayed_track, 90, Counter(), 0, 0, events, True)
    result = compare_tracks(replayed, recorded(track("recorded")), None, SCALES)
    document = replay_document(metadata(), result)
    assert document["guard"] == {"mode": "lockstep", "events": {"stale": 2}}


@pytest.mark.parametrize(
    ("label", "maps"), [("recorded", 3), ("reference", 3), ("trail_from_bags", 2)]
)
def test_neurons_of_another_model_are_not_compared(label, maps):
    replayed_track, other_track = track("replayed", off=0.1), track(label)
    replayed = Replayed(replayed_track, 90, Counter(), 0, 0, Counter(), True)
    result = compare_tracks(replayed, recorded(track("recorded")), other_track, SCALES)
    titles = [one.title for one in replay_view("", "", result, None, None).neurons.maps]
    assert len(titles) == maps
    assert titles[2:] == ["state, replayed minus other"][: maps - 2]


def test_the_document_lists_the_disturbed_rows(tmp_path):
    row = DisturbedRow("toy", "noise", 3, {"camera.noise": 2.0}, 9, 1, *[np.ones(4)] * 3, 0.1, 0.5)
    result = replace(compared(off=0.2), disturbed=DisturbedResult((row,)))
    assert replay_document(metadata(), result)["disturbed"] == [row.to_dict()]
    assert replay_document(metadata(), compared())["disturbed"] is None
    assert "Disturbed replay" in page(tmp_path, result)
    assert result.disturbed.summary() == "moved most, of the motors' range: noise=3 by 10.0 %"

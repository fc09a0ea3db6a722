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
from liquid_control.replay.disturbed import DisturbedResult, DisturbedRow
from liquid_control.replay.output_files import document_text, replay_document, write_arrays
from liquid_control.replay.replay_figures import neuron_figure
from liquid_control.replay.replay_report import write_report
from liquid_control.replay.replay_video import write_replay_video
from liquid_control.replay.request import ReplayMetadata
from liquid_control.replay.result import compare_tracks, exceeded, verdict
from liquid_control.replay.tracks import Recorded, Replayed, Series, Track

pytestmark = pytest.mark.unit

FRAME_NS = 33_333_333
SCALES = (1.5, 1.5, 0.8, 1.5)
NAMES = (*(f"inter_{n}" for n in range(9)), *(f"command_{n}" for n in range(6)))
NAMES += tuple(f"motor_{n}" for n in range(4))
VOID = {"meta", "img", "br", "link", "input"}


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
        assert self.open.pop() == tag


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
    given = {} if pictures is None else pictures
    return write_report(folder / "report.html", metadata(), result, given).read_text()


def pictures_of(result, width=96, height=54):
    stamps = [frame.stamp_ns for frame in result.worst_frames]
    return {stamp: np.full((height, width, 3), 90, np.uint8) for stamp in stamps}


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
    assert parser.count["svg"] == 5
    assert text.count('class="timeline"') == 3
    assert parser.count["button"] == len(result.worst_frames) + 4
    assert len(result.worst_frames) >= 2
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]+)"', text) == []
    assert not re.search(r"url\((?!#)", text)
    assert "&lt;flight&gt;.mcap" in text
    assert "<flight>" not in text
    assert "3 chunks that are damaged" in text
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_page_of_an_identical_replay_shows_camera_frames(tmp_path):
    result = compared()
    assert all(frame.axis is None for frame in result.worst_frames)
    text = page(tmp_path, result, pictures_of(result, 640, 360))
    assert 'class="verdict same"' in text
    assert "What the camera saw" in text
    assert "Difference, replayed" not in text
    assert "data:image/jpeg" in text


def test_a_page_without_odometry_and_without_anything_to_compare_with(tmp_path):
    text = page(tmp_path, compared(other=False, odometry=False))
    assert 'class="verdict none"' in text
    parser = Balance()
    parser.feed(text)
    assert parser.count["svg"] == 4


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
    assert 200_000 < len(text) < 5_000_000


def test_a_spike_of_one_frame_is_drawn(tmp_path):
    from liquid_control.pages.panels import thinned

    values = np.zeros(18_000)
    values[7_777] = -3.0
    kept = thinned(values)
    assert 7_777 in kept
    assert {0, 17_999} <= set(kept.tolist())
    assert len(kept) < 2_100


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
    assert "<svg" in page(tmp_path, result, pictures_of(result))
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
    figure = neuron_figure(
        compare_tracks(replayed, recorded(track("recorded")), other_track, SCALES)
    )
    assert len(re.findall("state, replayed minus other", figure.svg)) == maps - 2


def test_the_document_lists_the_disturbed_rows(tmp_path):
    row = DisturbedRow("toy", "noise", 3, {"camera.noise": 2.0}, 9, 1, *[np.ones(4)] * 3, 0.1, 0.5)
    result = replace(compared(off=0.2), disturbed=DisturbedResult((row,)))
    assert replay_document(metadata(), result)["disturbed"] == [row.to_dict()]
    assert replay_document(metadata(), compared())["disturbed"] is None
    assert "Disturbed replay" in page(tmp_path, result)
    assert result.disturbed.summary() == "moved most, of the motors' range: noise=3 by 10.0 %"

"""Coverage of a replay: the floor below which there is no verdict."""

from collections import Counter

import numpy as np
import pytest

from liquid_control.replay.comparison import compare
from liquid_control.replay.coverage import HELD_NS, Coverage, coverage_of, covered_frames
from liquid_control.replay.tracks import Replayed, Series, Track

pytestmark = pytest.mark.unit

PERIOD = 50_000_000


def series(stamps, width=4):
    stamps = np.asarray(stamps, np.int64)
    return Series(stamps, np.zeros((len(stamps), width)), stamps)


def replayed(frames, refused=()):
    """Return a replay in which the frames of some indices were refused."""
    stamps = np.arange(frames) * PERIOD
    answered = np.delete(stamps, list(refused))
    track = Track(
        "replayed",
        series(stamps),
        series(stamps),
        series(answered, 3),
        series(answered, 3),
        series(answered, 3),
        (),
    )
    reasons = Counter({"no view": len(refused)}) if refused else Counter()
    return Replayed(track, frames, reasons, 0, 0, Counter(), False)


def covered(flight, stamps, **options):
    comparison = compare("policy", flight.track.policy, series(stamps))
    return coverage_of(flight, comparison, other="recorded", **options)


def test_a_whole_replay_has_no_problem():
    found = covered(replayed(101), np.arange(101) * PERIOD)
    assert found.problem == ""
    assert (
        found.summary == "101 frames: 101 answered; 101 commands compared, which cover 101 frames"
    )


def test_one_pair_of_a_hundred_is_no_verdict():
    found = covered(replayed(101), np.arange(100, 201) * PERIOD)
    assert (found.pairs, found.covered) == (1, 1)
    assert found.problem == (
        "1 of 101 frames (1 %) covered by the recorded commands, expected at least 80 % "
        "(--min-coverage 0.8)"
    )
    assert covered(replayed(101), np.arange(100, 201) * PERIOD, minimum=0.0).problem == ""


def test_refused_frames_are_no_answers():
    found = covered(replayed(40, range(39)), np.arange(40) * PERIOD)
    assert (found.frames, found.answered) == (40, 1)
    assert found.problem == (
        "1 of 40 frames (2 %) answered, expected at least 80 % (--min-coverage 0.8); refused were "
        "39 because: no view"
    )
    assert "1 answered, 39 refused (39 because: no view)" in found.summary


@pytest.mark.parametrize(("refused", "enough"), [(8, True), (9, False)])
def test_the_floor_is_inclusive(refused, enough):
    found = covered(replayed(40, range(refused)), np.arange(40) * PERIOD)
    assert (found.problem == "") is enough


def test_commands_at_a_lower_rate_cover_the_frames_between_them():
    found = covered(replayed(101), np.arange(0, 101, 5) * PERIOD)
    assert (found.pairs, found.covered) == (21, 101)
    assert found.problem == ""
    rare = covered(replayed(101), np.arange(0, 101, 25) * PERIOD)
    assert (rare.pairs, rare.covered) == (5, 5)


def test_a_gap_in_the_commands_is_not_covered():
    stamps = np.r_[np.arange(30), np.arange(60, 101)] * PERIOD
    found = covered(replayed(101), stamps)
    assert found.covered == 71
    assert "71 of 101 frames (70 %) covered" in found.problem


def test_covered_frames_at_the_edges():
    frames = np.array([0, 10, 20, 30], np.int64)
    assert covered_frames(frames, np.array([], np.int64)) == 0
    assert covered_frames(frames, np.array([10], np.int64)) == 1
    assert covered_frames(frames, np.array([20, 10], np.int64)) == 2
    assert covered_frames(frames, np.array([5, 25], np.int64)) == 2
    far = np.array([0, HELD_NS + 1], np.int64)
    assert covered_frames(np.array([1], np.int64), far) == 0
    assert covered_frames(np.array([1], np.int64), far - np.array([0, 1])) == 1


def test_answers_of_another_replay_count_too():
    found = covered(replayed(40), np.arange(40) * PERIOD, others={"worse": 3})
    assert found.problem.startswith("worse: 3 of 40 frames (8 %) answered, expected at least 80 %")


def test_a_replay_without_a_comparison_counts_its_answers_only():
    assert coverage_of(replayed(40), None).problem == ""
    assert "1 of 40" in coverage_of(replayed(40, range(39)), None).problem
    assert (
        Coverage(10, 9, {"why": 1}, 0).summary
        == "10 frames: 9 answered, 1 refused (1 because: why)"
    )

"""Intervals between frames, and the latency that a recorder saw."""

import numpy as np
import pytest

from liquid_control.replay.timing import frame_intervals, recorded_latency
from liquid_control.replay.tracks import Recorded, Series, Track

pytestmark = pytest.mark.unit

MS = 1_000_000


def series(stamps, logs=None, width=4):
    stamps = np.asarray(stamps, np.int64)
    logs = stamps if logs is None else np.asarray(logs, np.int64)
    return Series(stamps, np.zeros((len(stamps), width)), logs)


def recorded(frames, policy, guarded):
    nothing = series([])
    track = Track("recorded", policy, guarded, nothing, nothing, nothing, ())
    return Recorded(track, frames, nothing)


def test_regular_frames_have_no_jitter_and_no_gaps():
    found = frame_intervals(np.arange(101) * 50 * MS)
    assert found.rate_hz == pytest.approx(20.0)
    assert (found.median_s, found.jitter_p50_s, found.jitter_p99_s) == (0.05, 0.0, 0.0)
    assert sum(found.counts) == found.count == 100
    assert found.gaps == found.jumps == ()
    held = np.flatnonzero(found.counts)
    assert len(held) == 1
    assert found.edges_s[held[0]] <= 0.05 <= found.edges_s[held[0] + 1]


def test_gaps_and_jumps_state_the_missing_frames():
    steps = np.array([50, 50, 200, 50, 50, 30_000, 50, -5_000, 50, 50, 74, 76]) * MS
    found = frame_intervals(np.concatenate([[0], np.cumsum(steps)]))
    assert [(gap.seconds, gap.missing) for gap in found.gaps] == [(0.2, 3), (0.076, 1)]
    assert found.gaps[0].stamp_ns == 100 * MS
    assert [(jump.seconds, jump.missing) for jump in found.jumps] == [(30.0, 599), (-5.0, 0)]
    assert found.median_s == 0.05
    assert sum(found.counts) == 10


def test_jitter_is_the_distance_from_the_median():
    steps = np.tile([40, 50, 60], 100) * MS
    found = frame_intervals(np.concatenate([[0], np.cumsum(steps)]))
    assert found.jitter_p50_s == pytest.approx(0.01)
    assert (found.least_s, found.most_s) == (0.04, 0.06)


@pytest.mark.parametrize("stamps", [[], [7], [7, 7], [9, 3]])
def test_too_few_frames_have_no_rate(stamps):
    found = frame_intervals(np.array(stamps, np.int64))
    assert found.rate_hz is None
    assert found.counts == ()
    assert len(found.jumps) == max(0, len(stamps) - 1)


def test_latency_is_the_difference_of_log_times():
    stamps = np.arange(1, 101) * 50 * MS
    frames = series(stamps, stamps + 2 * MS)
    durations_ns = np.arange(1, 101) * MS // 10
    policy = series(stamps, stamps + 2 * MS + durations_ns)
    found = recorded_latency(recorded(frames, policy, series(stamps, stamps + 20 * MS)))
    assert found.frame_to_policy.count == 100
    assert found.frame_to_policy.p50_s == pytest.approx(np.percentile(durations_ns, 50) * 1e-9)
    assert found.frame_to_policy.p99_s == pytest.approx(np.percentile(durations_ns, 99) * 1e-9)
    assert found.frame_to_policy.most_s == pytest.approx(0.01)
    assert found.frame_to_command.p50_s == pytest.approx(0.018)
    assert found.stamp_to_policy.p50_s == pytest.approx(0.002 + found.frame_to_policy.p50_s)
    assert found.stamp_to_frame.p90_s == pytest.approx(0.002)
    assert found.note == ""


def test_a_lockstep_flight_has_no_latency():
    stamps = np.arange(5) * 50 * MS
    found = recorded_latency(recorded(series(stamps), series(stamps), series(stamps)))
    assert found.frame_to_policy is None
    assert "filed under their own stamps" in found.note


def test_commands_that_answer_no_frame_have_no_latency():
    stamps = np.arange(5) * 50 * MS
    found = recorded_latency(recorded(series(stamps, stamps + MS), series(stamps + 1), series([])))
    assert found.frame_to_policy is None
    assert found.stamp_to_frame.p50_s == pytest.approx(0.001)
    assert "no command carries the stamp" in found.note

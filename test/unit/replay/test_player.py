"""Player against the in-process pilot, refused frames, and the guard of a replay."""

import numpy as np
import pytest

from liquid_control.bags import CameraInfoEvent, ClockEvent
from liquid_control.command import (
    Envelope,
    Guard,
    GuardAction,
    GuardChange,
    GuardEvent,
    GuardRules,
    GuardState,
    PoseReading,
    RuleAction,
)
from liquid_control.policy import PolicyPilot
from liquid_control.replay import BACKENDS, FeatureExtractor, Player, replay
from liquid_control.replay.player import ReplayGuard
from liquid_control.types import HOVER, Command, ImuWindow, VehicleState

pytestmark = pytest.mark.unit

TRUTH = VehicleState(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3), np.zeros(3))


def play(policy, events, backend="flight", change=None):
    player = Player(FeatureExtractor(policy, change), BACKENDS[backend](policy.model))
    replay(events, [player])
    return player.replayed()


def fly(policy, events):
    pilot = PolicyPilot(policy)
    return np.array([pilot.command(frame.observation, TRUTH).values for frame in events])


def test_a_player_equals_the_pilot_bit_for_bit(policy, frames):
    events = frames()
    found = play(policy, events)
    np.testing.assert_array_equal(found.track.policy.values, fly(policy, events))
    np.testing.assert_array_equal(
        found.track.policy.stamp_ns, [s.observation.stamp_ns for s in events]
    )
    assert found.track.features.values.shape == (40, policy.model.settings.features.total)
    assert found.track.states.values.shape == found.track.gates.values.shape == (40, 19)
    assert found.lockstep is True
    assert (found.frames, found.refused.total(), found.fresh, found.withheld) == (40, 0, 0, 0)
    assert np.ptp(found.track.policy.values, axis=0).min() > 0.01


@pytest.mark.parametrize("backend", ["reference", "onnx"])
def test_backends_agree(policy, backend, frames):
    events = frames(200, seed=1)
    there = play(policy, events, backend).track
    here = play(policy, events).track
    np.testing.assert_allclose(there.policy.values, here.policy.values, atol=1e-5, rtol=0)
    np.testing.assert_allclose(there.states.values, here.states.values, atol=1e-5, rtol=0)
    np.testing.assert_allclose(there.gates.values, here.gates.values, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(there.features.values, here.features.values)


def test_a_frame_that_cannot_be_used_is_answered_with_hover_and_leaves_the_state(
    policy, frames, altered
):
    events = frames()
    broken = list(events)
    nan = ImuWindow(np.zeros(1, np.int64), np.full((1, 3), np.nan), np.zeros((1, 3)))
    broken[10] = altered(events[10], imu=nan)
    broken[11] = altered(events[11], image=np.zeros((20, 20, 3), np.uint8))
    found = play(policy, broken)
    assert found.refused.total() == 2
    np.testing.assert_array_equal(found.track.policy.values[[10, 11]], np.zeros((2, 4)))
    whole = [*events[:10], *events[12:]]
    answered = np.delete(found.track.policy.values, [10, 11], axis=0)
    np.testing.assert_array_equal(answered, fly(policy, whole))
    assert len(found.track.states) == 38
    assert any("20x20" in reason for reason in found.refused)


def test_a_gap_or_a_jump_back_begins_from_a_fresh_state(policy, frames, altered):
    first, second = frames(40, seed=3), frames(12, seed=4)
    behind = play(policy, [*first, *second])
    assert behind.fresh == 1
    np.testing.assert_array_equal(behind.track.policy.values[40:], fly(policy, second))
    late_ns = first[-1].observation.stamp_ns + 2_000_000_000
    late = [altered(s, stamp_ns=s.observation.stamp_ns + late_ns) for s in second]
    ahead = play(policy, [*first, *late])
    assert ahead.fresh == 1
    np.testing.assert_array_equal(ahead.track.policy.values[40:], fly(policy, late))


def test_a_repeated_stamp_is_refused(policy, frames, altered):
    events = frames(5)
    found = play(policy, [*events, events[-1], altered(events[-1])])
    assert found.refused.total() == 2
    assert any("expected a frame stamped after" in reason for reason in found.refused)


def test_a_frame_that_is_not_delivered_leaves_its_imu_samples_to_the_next(policy, frames, altered):
    events = frames()
    found = play(policy, events, change=lambda image, stamp, index: None if index == 20 else image)
    joined = ImuWindow.joined([events[20].observation.imu, events[21].observation.imu])
    left = [*events[:20], altered(events[21], imu=joined), *events[22:]]
    np.testing.assert_array_equal(found.track.policy.values, fly(policy, left))
    assert found.withheld == 1


def test_changed_pictures_are_at_the_models_size(policy, frames):
    shapes = set()

    def note(image, stamp_ns, index):
        shapes.add(image.shape)
        return image

    events = frames(3, size=(480, 640))
    found = play(policy, [CameraInfoEvent(640, 480, 90.0, np.empty(0)), *events], change=note)
    assert shapes == {(72, 128, 3)}
    assert found.refused.total() == 0


def test_a_larger_camera_is_cut_to_the_models_view(policy, frames, altered):
    frame = frames(6, seed=5, size=(480, 640))
    events = [CameraInfoEvent(640, 480, 90.0, np.empty(0)), *frame]
    cut = [altered(s, image=s.observation.image[60:420]) for s in frame]
    np.testing.assert_array_equal(
        play(policy, events).track.policy.values, play(policy, cut).track.policy.values
    )


def test_a_camera_of_another_shape_without_a_field_of_view_is_refused(policy, frames):
    found = play(policy, frames(6, size=(480, 640)))
    (reason,) = found.refused
    assert "got 640x480" in reason
    assert "--topic camera=/name,DEGREES" in reason
    assert found.refused[reason] == 6


def test_a_camera_with_a_smaller_field_of_view_is_refused(policy, frames):
    camera = CameraInfoEvent(128, 72, 60.0, np.empty(0))
    found = play(policy, [camera, *frames(4)])
    assert found.refused.total() == 4
    assert "field of view" in next(iter(found.refused))
    assert len(found.track.states) == 0


def test_players_of_one_model_share_the_features_of_a_frame(policy, frames):
    changed = []
    extractor = FeatureExtractor(
        policy, lambda image, stamp, index: changed.append(index) or image
    )
    players = [Player(extractor, BACKENDS[name](policy.model)) for name in BACKENDS]
    replay(frames(7), players)
    assert changed == list(range(7))


def test_clocks_make_the_guard_hover(policy, frames):
    (frame,) = frames(1)
    stamp = frame.observation.stamp_ns
    clocks = [ClockEvent(stamp + tick * 25_000_000) for tick in range(12)]
    found = play(policy, [frame, *clocks])
    assert len(found.track.guarded) == 12
    assert tuple(found.track.guarded.values[-1]) == HOVER.values
    assert tuple(found.track.guarded.values[0]) != HOVER.values


MS = 1_000_000
AHEAD = Command(1.0, 0.0, 0.0, 0.0)


def guard_node(events, envelope=None):
    """Answer frames and clocks as guard_node does in lockstep."""
    guard, state, sent, out = Guard(envelope or Envelope()), GuardState(), -1, []
    for kind, stamp in events:
        before = state
        if kind == "frame":
            state = guard.admit(AHEAD, stamp, state)
            send = state.output_stamp_ns != before.output_stamp_ns
        else:
            send = stamp > sent
            state = guard.poll(stamp, state) if send else state
        if send:
            sent = stamp
            out.append((stamp, state.output.values))
    return out, state


def guard_events(lost):
    """Return a flight at 20 Hz with guard ticks of 25 ms, as the simulator publishes it."""
    events = []
    for tick in range(200):
        stamp = tick * 25 * MS
        framed = tick % 2 == 0 and tick not in lost
        events += [("frame", stamp), ("clock", stamp)] if framed else [("clock", stamp)]
    return events


def guarded(events):
    guard = ReplayGuard(Guard())
    for kind, stamp in events:
        if kind == "frame":
            guard.admit(AHEAD, stamp, stamp)
        else:
            guard.clock(stamp)
    return guard, guard.outputs()


def test_lockstep_gives_what_the_node_gives():
    events = guard_events(lost={0, 40, 42, 44, 46, 48, 50, 100, 198})
    expected, state = guard_node(events)
    guard, out = guarded(events)
    assert list(zip(out.stamp_ns.tolist(), map(tuple, out.values.tolist()), strict=True)) == [
        (stamp, values) for stamp, values in expected
    ]
    assert guard.state.events == state.events
    assert state.events[GuardEvent.STALE] == 1
    assert HOVER.values in map(tuple, out.values.tolist())
    begin, stale, fresh = guard.changes
    assert begin == GuardChange(2 * 25 * MS, ())
    assert stale == GuardChange(44 * 25 * MS, (RuleAction(GuardEvent.STALE, GuardAction.HOVER),))
    assert fresh == GuardChange(52 * 25 * MS, ())


def test_a_clock_stored_before_the_frame_of_its_stamp_changes_nothing():
    events = guard_events(lost={40, 42, 44, 46, 48, 50})
    swapped = sorted(events, key=lambda event: (event[1], event[0]))
    assert swapped != events
    np.testing.assert_array_equal(guarded(swapped)[1].values, guarded(events)[1].values)
    np.testing.assert_array_equal(guarded(swapped)[1].stamp_ns, guarded(events)[1].stamp_ns)


def test_in_real_time_hover_comes_into_force_between_frames_that_are_far_apart():
    guard = ReplayGuard(Guard())
    for stamp in (0, 50, 100, 600):
        guard.admit(AHEAD, stamp * MS, stamp * MS + 7)
    out = guard.outputs()
    assert guard.lockstep is False
    stale_ns = 100 * MS + 150 * MS
    assert list(out.stamp_ns // MS) == [0, 50, 100, stale_ns // MS, 600]
    assert tuple(out.values[3]) == HOVER.values
    assert out.values[4, 0] == 1.0
    assert guard.state.events == {GuardEvent.STALE: 1}


def test_in_real_time_commands_after_a_step_back_are_obeyed():
    guard = ReplayGuard(Guard(), lockstep=False)
    for stamp in (5_000, 5_050, 0, 50):
        guard.admit(AHEAD, stamp * MS, 0)
    assert guard.state.events[GuardEvent.STAMP_BACKWARDS] == 0
    assert guard.outputs().stamp_ns[-1] == 50 * MS


def test_the_envelope_holds():
    guard = ReplayGuard(Guard(Envelope(max_forward_mps=0.25)), lockstep=True)
    guard.admit(AHEAD, 0, 0)
    assert guard.outputs().values[0, 0] == 0.25
    assert guard.state.events == {GuardEvent.CLAMPED: 1}


def test_a_given_mode_has_precedence_over_the_first_frame():
    guard = ReplayGuard(Guard(), lockstep=True)
    guard.admit(AHEAD, 0, 99)
    guard.clock(25 * MS)
    assert list(guard.outputs().stamp_ns) == [0, 25 * MS]


def test_a_frame_sees_the_odometry_of_its_stamp_wherever_the_bag_has_it():
    """The vehicle leaves the fence at 100 ms: hover is the answer to that frame and its clock."""
    corners = [-9.0, -9.0, 9.0, -9.0, 9.0, 9.0, -9.0, 9.0]
    rules = GuardRules(fence_corners=corners, fence_margin_m=0.0)

    def outputs(odometry_first: bool) -> list[tuple[int, float]]:
        guard = ReplayGuard(Guard(rules=rules), lockstep=True)
        for stamp in (0, 25, 50, 75, 100, 125):
            pose = PoseReading(stamp * MS, (0.0 if stamp < 100 else 10.0, 0.0, 1.0), 0.0)
            if odometry_first:
                guard.pose(pose)
            if stamp % 50 == 0:
                guard.admit(AHEAD, stamp * MS, stamp * MS)
            if not odometry_first:
                guard.pose(pose)
            guard.clock(stamp * MS)
        out = guard.outputs()
        assert guard.state.events == {GuardEvent.FENCE_LEFT: 1}
        return list(zip((out.stamp_ns // MS).tolist(), out.values[:, 0].tolist(), strict=True))

    expected = [(0, 1.0), (25, 1.0), (50, 1.0), (75, 1.0), (100, 0.0), (125, 0.0)]
    assert outputs(odometry_first=True) == outputs(odometry_first=False) == expected

"""Sessions: the frame clock, the recurrent state, and one rule for all who run a policy."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquid_control.bags import FrameEvent
from liquid_control.errors import CellError, ObservationError
from liquid_control.policy import BACKENDS, Elapsed, FrameClock, Policy, PolicyPilot, PolicySession
from liquid_control.replay import FeatureExtractor, Player
from liquid_control.replay import replay as replay_events
from liquid_control.types import HOVER, ImuWindow

pytestmark = pytest.mark.unit

MS = 1_000_000

CLOCK = FrameClock(nominal_dt_s=0.05, max_gap_s=1.0)


def test_first_frame_takes_the_nominal_dt_and_a_fresh_state():
    assert CLOCK.elapsed(123, None) == Elapsed(0.05, True, 123)


def test_later_frames_take_the_difference():
    elapsed = CLOCK.elapsed(5_033_333_333, 5_000_000_000)
    assert elapsed == Elapsed(0.033333333, False, 5_033_333_333)


def test_a_lost_frame_makes_dt_longer():
    assert CLOCK.elapsed(200_000_000, 100_000_000).dt_s == 0.1


def test_the_longest_gap_still_counts():
    assert CLOCK.elapsed(1_000_000_000, 0) == Elapsed(1.0, False, 1_000_000_000)


def test_a_jump_starts_afresh():
    assert CLOCK.elapsed(1_000_000_001, 0) == Elapsed(0.05, True, 1_000_000_001)


@pytest.mark.parametrize("stamp_ns", [100, 99, -5])
def test_rejects_stamps_that_do_not_advance(stamp_ns):
    with pytest.raises(ObservationError, match=f"a frame stamped after 100 ns, got {stamp_ns} ns"):
        CLOCK.elapsed(stamp_ns, 100)


def test_a_jump_back_starts_afresh_and_the_longest_step_back_is_refused():
    assert CLOCK.elapsed(0, 1_000_000_001) == Elapsed(0.05, True, 0)
    with pytest.raises(ObservationError, match="a frame stamped after 1000000000 ns, got 0 ns"):
        CLOCK.elapsed(0, 1_000_000_000)


CLOCKS = st.builds(
    FrameClock, st.floats(1e-3, 1.0), st.integers(1, 60_000).map(lambda gap_ms: gap_ms / 1000)
)
STAMPS = st.integers(0, 2**62)
STEPS = st.integers(-(10**11), 10**11)


@given(CLOCKS, STAMPS, STEPS)
def test_every_stamp_is_refused_or_continues_or_starts_afresh(clock, previous_ns, step_ns):
    gap_ns, stamp_ns = round(clock.max_gap_s * 1e9), previous_ns + step_ns
    if -gap_ns <= step_ns <= 0:
        with pytest.raises(ObservationError, match="expected a frame stamped after"):
            clock.elapsed(stamp_ns, previous_ns)
        return
    elapsed = clock.elapsed(stamp_ns, previous_ns)
    assert elapsed.stamp_ns == stamp_ns
    assert elapsed.fresh == (abs(step_ns) > gap_ns)
    assert elapsed.dt_s == (clock.nominal_dt_s if elapsed.fresh else step_ns / 1e9)
    assert elapsed.dt_s > 0.0


@given(CLOCKS, STAMPS, STAMPS, STEPS)
def test_only_the_difference_of_stamps_matters(clock, one_ns, other_ns, step_ns):
    def answers(previous_ns):
        try:
            elapsed = clock.elapsed(previous_ns + step_ns, previous_ns)
        except ObservationError:
            return None
        return elapsed.dt_s, elapsed.fresh

    assert answers(one_ns) == answers(other_ns)


@given(CLOCKS, st.lists(st.integers(1, 10**9), min_size=1, max_size=30))
def test_dt_adds_up_to_the_time_of_an_unbroken_sequence(clock, steps_ns):
    stamps = np.cumsum([0, *steps_ns]).tolist()
    elapsed = [clock.elapsed(now, before) for before, now in pairwise(stamps)]
    if not any(one.fresh for one in elapsed):
        assert sum(one.dt_s for one in elapsed) == pytest.approx(stamps[-1] / 1e9)


@pytest.fixture(scope="module")
def policy(model):
    return Policy(model)


def features_at(number: int) -> np.ndarray:
    return np.random.default_rng(number).normal(0, 1, 34).astype(np.float32)


def test_a_session_is_act_with_the_clocks_dt(policy):
    session, state = PolicySession(policy), policy.init_state()
    for number, (stamp_ns, dt_s) in enumerate([(7 * MS, 0.05), (47 * MS, 0.04), (147 * MS, 0.1)]):
        expected = policy.act(features_at(number), state, dt_s)
        decision = session.answer(features_at(number), stamp_ns)
        assert decision.command == expected.command
        np.testing.assert_array_equal(decision.state, expected.state)
        state = expected.state
    assert (session.stamp_ns, session.fresh_starts, session.refusals) == (147 * MS, 0, {})


NAN = np.full(34, np.nan, np.float32)
INFINITE = np.r_[np.zeros(33), np.inf].astype(np.float32)


@pytest.mark.parametrize(
    ("features", "stamp_ns", "error", "reason"),
    [
        (NAN, 100 * MS, ObservationError, "expected finite features, got NaN"),
        (INFINITE, 100 * MS, ObservationError, "expected finite features"),
        (features_at(1), 50 * MS, ObservationError, "a frame stamped after 50000000 ns, got 5"),
        (features_at(1), 49 * MS, ObservationError, "a frame stamped after 50000000 ns, got 4"),
        (features_at(1)[:30], 100 * MS, CellError, r"features float32 \(34,\), got float32 \(30,"),
    ],
)
def test_a_refused_frame_leaves_state_and_clock(policy, features, stamp_ns, error, reason):
    session, untouched = PolicySession(policy), PolicySession(policy)
    for one in (session, untouched):
        one.answer(features_at(0), 50 * MS)
    with pytest.raises(error, match=reason) as refused:
        session.answer(features, stamp_ns)
    assert session.refusals == {str(refused.value): 1}
    assert (session.stamp_ns, session.fresh_starts) == (50 * MS, 0)
    after, expected = (one.answer(features_at(2), 130 * MS) for one in (session, untouched))
    np.testing.assert_array_equal(after.state, expected.state)
    assert not np.array_equal(after.state, policy.act(features_at(2), policy.init_state(), 0.08))


@pytest.mark.parametrize("stamp_ns", [1_051 * MS, 10**18, -951 * MS, -(10**18)])
def test_a_jump_in_either_direction_begins_anew(policy, stamp_ns):
    session = PolicySession(policy)
    session.answer(features_at(0), 50 * MS)
    after = session.answer(features_at(1), stamp_ns)
    expected = policy.act(features_at(1), policy.init_state(), 0.05)
    np.testing.assert_array_equal(after.state, expected.state)
    assert (session.stamp_ns, session.fresh_starts) == (stamp_ns, 1)


def test_reasons_of_refusals_are_counted(policy):
    session = PolicySession(policy)
    session.refuse(ObservationError("too dark"))
    session.refuse(ObservationError("too dark"))
    session.refuse(CellError(""))
    assert session.refusals == {"too dark": 2, "CellError": 1}


def answer_or_none(session, features, stamp_ns):
    try:
        return session.answer(features, stamp_ns)
    except ObservationError:
        return None


@pytest.mark.parametrize("backend", BACKENDS)
def test_backends_are_controllers_of_a_session(policy, backend):
    session, flight = PolicySession(policy, BACKENDS[backend](policy.model)), PolicySession(policy)
    for number, stamp_ns in enumerate([0, 50 * MS, 50 * MS, 180 * MS, 5_000 * MS]):
        one, other = (answer_or_none(s, features_at(number), stamp_ns) for s in (session, flight))
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_allclose(one.state, other.state, atol=1e-5, rtol=0)
    assert session.refusals == flight.refusals
    assert session.fresh_starts == flight.fresh_starts == 1


IRREGULAR_MS = [0, 40, 40, 30, 95, 400, 1_400, 2_401, 2_390, 2_460, 1_461, 1_400, 1_480, -9_000]
BAD_IMU, BAD_PICTURE = 4, 8


def by_pilot(policy, observations):
    """Return what a pilot commands, hover where it refuses, and its session."""
    pilot = PolicyPilot(policy)

    def command(observation):
        try:
            return pilot.command(observation, truth=None)
        except ObservationError:
            return HOVER

    return [command(one) for one in observations], pilot.session


def by_session(policy, observations):
    """Return what a session commands on features that are NaN where a frame is not usable."""
    session = PolicySession(policy)

    def command(observation):
        try:
            features = policy.features(observation)
        except ObservationError:
            features = np.full(34, np.nan, np.float32)
        decision = answer_or_none(session, features, observation.stamp_ns)
        return HOVER if decision is None else decision.command

    return [command(one) for one in observations], session


def test_pilot_session_and_player_answer_an_irregular_sequence_identically(policy, observe):
    """Repeated stamps, steps back, jumps in both directions, and frames that cannot be used."""
    observations = [observe((10_000 + stamp_ms) * MS) for stamp_ms in IRREGULAR_MS]
    nan = ImuWindow(np.zeros(1, np.int64), np.full((1, 3), np.nan), np.zeros((1, 3)))
    observations[BAD_IMU] = replace(observations[BAD_IMU], imu=nan)
    small = np.zeros((9, 9, 3), np.uint8)
    observations[BAD_PICTURE] = replace(observations[BAD_PICTURE], image=small)
    player = Player(FeatureExtractor(policy))
    replay_events([FrameEvent(one, one.stamp_ns) for one in observations], [player])
    replayed = player.replayed()
    by_player = replayed.track.policy.values
    flown, of_pilot = by_pilot(policy, observations)
    answered, of_session = by_session(policy, observations)
    assert flown == answered
    np.testing.assert_array_equal(by_player, [one.values for one in flown])
    refused = [one == HOVER for one in flown]
    assert np.flatnonzero(refused).tolist() == [2, 3, 4, 8, 10]
    assert of_session.refusals.total() == replayed.refused.total() == sum(refused)
    assert of_pilot.fresh_starts == of_session.fresh_starts == replayed.fresh == 3

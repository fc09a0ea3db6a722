import math
from collections import Counter

import numpy as np
import pytest

from liquid_control.command import Envelope, Guard, GuardEvent, GuardState, sentence
from liquid_control.config import validate
from liquid_control.errors import ConfigError
from liquid_control.seeding import stream
from liquid_control.types import HOVER, Command

pytestmark = pytest.mark.unit

MS = 1_000_000
GUARD = Guard()


def after(*commands: tuple[Command, int], guard: Guard = GUARD) -> GuardState:
    state = GuardState()
    for command, stamp_ns in commands:
        state = guard.admit(command, stamp_ns, state)
    return state


def test_a_first_command_within_limits_passes_unchanged():
    command = Command(2.0, -0.5, 0.3, 1.0)
    state = after((command, 50 * MS))
    assert state.output == command
    assert (state.output_stamp_ns, state.fresh_stamp_ns) == (50 * MS, 50 * MS)
    assert state.events == Counter()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_every_value_is_clamped_to_its_limit(sign):
    state = after((Command(*(sign * 100.0,) * 4), 0))
    assert state.output.values == tuple(sign * limit for limit in GUARD.envelope.limits)
    assert state.events == Counter({GuardEvent.CLAMPED: 1})


def test_the_slew_rate_holds_over_the_elapsed_time():
    state = after((Command(0.0), 0), (Command(4.0, 0.0, 0.0, -2.0), 50 * MS))
    assert state.output.forward_mps == pytest.approx(12.0 * 0.05)
    assert state.output.yaw_rate_radps == pytest.approx(-30.0 * 0.05)
    assert state.events == Counter({GuardEvent.SLEWED: 1})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", range(4))
def test_a_value_that_is_not_finite_becomes_hover_and_is_not_fresh(bad, place):
    values = [1.0, 0.0, 0.0, 0.0]
    values[place] = bad
    state = after((Command(1.0), 0), (Command(*values), 50 * MS))
    assert state.output == HOVER
    assert state.fresh_stamp_ns == 0
    assert state.events == Counter({GuardEvent.NOT_FINITE: 1})


@pytest.mark.parametrize("bad", [1e300, -100.5])
@pytest.mark.parametrize("place", range(4))
def test_an_impossible_value_becomes_hover_and_is_not_fresh(bad, place):
    values = [1.0, 0.0, 0.0, 0.0]
    values[place] = bad
    state = after((Command(1.0), 0), (Command(*values), 50 * MS))
    assert state.output == HOVER
    assert state.fresh_stamp_ns == 0
    assert state.events == Counter({GuardEvent.IMPOSSIBLE: 1})


def test_what_is_impossible_is_set_for_the_vehicle():
    guard = Guard(Envelope(impossible_mps=20.0, impossible_yaw_rate_radps=5.0))
    assert after((Command(20.0, 0.0, 0.0, 5.0), 0), guard=guard).events[GuardEvent.CLAMPED] == 1
    assert after((Command(20.1), 0), guard=guard).events[GuardEvent.IMPOSSIBLE] == 1
    assert after((Command(0, 0, 0, 5.1), 0), guard=guard).events[GuardEvent.IMPOSSIBLE] == 1


def test_every_event_has_a_sentence_with_times_in_seconds():
    texts = {event: sentence(event, Envelope()) for event in GuardEvent}
    assert texts[GuardEvent.STALE] == "no command for 0.15 s: hovering"
    assert texts[GuardEvent.LATE] == "a command is more than 0.15 s old: dropped"
    assert len(set(texts.values())) == len(GuardEvent)
    assert sentence(GuardEvent.IMPOSSIBLE, Envelope(), Command(1.0, -1e300)) == (
        "a command is impossible, left -1e+300 m/s where 100 m/s is the limit: hovering"
    )


@pytest.mark.parametrize("stamp_ns", [50 * MS, 49 * MS, -1])
def test_a_command_that_is_not_newer_is_dropped(stamp_ns):
    before = after((Command(1.0), 50 * MS))
    state = GUARD.admit(Command(-1.0), stamp_ns, before)
    assert (state.output, state.fresh_stamp_ns) == (before.output, before.fresh_stamp_ns)
    assert state.events == Counter({GuardEvent.STAMP_BACKWARDS: 1})


def test_hover_comes_at_the_last_poll_within_the_timeout():
    state = after((Command(1.0), 1000 * MS))
    outputs = {}
    for now_ms in range(1000, 1300, 25):
        state = GUARD.poll(now_ms * MS, state)
        outputs[now_ms - 1000] = state.output
    assert next(age for age, output in outputs.items() if output == HOVER) == 150
    assert outputs[125] == Command(1.0)
    assert state.events == Counter({GuardEvent.STALE: 1})


@pytest.mark.parametrize("phase_ms", range(1, 25))
def test_hover_is_within_the_timeout_for_any_phase_of_the_polls(phase_ms):
    state = after((Command(1.0), 0))
    hover_ms = None
    for now_ms in range(phase_ms, 300, 25):
        state = GUARD.poll(now_ms * MS, state)
        if state.stale and hover_ms is None:
            hover_ms = now_ms
    assert 125 < hover_ms <= 150


def test_polls_before_the_first_command_keep_hover_and_count_nothing():
    state = GUARD.poll(10_000 * MS, GuardState())
    assert state == GuardState()


def test_a_fresh_command_ends_hover_within_the_slew_rate():
    stale = GUARD.poll(150 * MS, after((Command(2.0), 0)))
    state = GUARD.admit(Command(2.0), 200 * MS, stale)
    assert not state.stale
    assert state.output.forward_mps == pytest.approx(12.0 * 0.05)


def test_stamps_may_restart_once_hover_is_in_force():
    stale = GUARD.poll(5150 * MS, after((Command(2.0), 5000 * MS)))
    state = GUARD.admit(Command(1.0), 10 * MS, stale)
    assert (state.fresh_stamp_ns, state.stale) == (10 * MS, False)
    assert GuardEvent.STAMP_BACKWARDS not in state.events


@pytest.mark.parametrize(
    ("stamp_ms", "event"), [(1151, GuardEvent.STAMP_AHEAD), (849, GuardEvent.LATE)]
)
def test_a_command_stamped_too_far_from_now_is_dropped(stamp_ms, event):
    state = GUARD.admit(Command(1.0), stamp_ms * MS, GuardState(), now_ns=1000 * MS)
    assert (state.output, state.fresh_stamp_ns) == (HOVER, None)
    assert state.events == Counter({event: 1})


@pytest.mark.parametrize("stamp_ms", [1150, 1000, 850])
def test_a_command_stamped_near_now_passes(stamp_ms):
    state = GUARD.admit(Command(1.0), stamp_ms * MS, GuardState(), now_ns=1000 * MS)
    assert state.output == Command(1.0)


def test_backwards_clock_causes_hover():
    state = GUARD.poll(4000 * MS, after((Command(1.0), 5000 * MS)))
    assert (state.output, state.stale) == (HOVER, True)


def test_no_sequence_of_commands_leaves_the_envelope():
    """10 000 random commands, a tenth of them not finite: limits and slew rates always hold."""
    draw = stream(7, "guard")
    state, before = GuardState(), None
    for step in range(10_000):
        values = draw.normal(0.0, 5.0, 4)
        if draw.random() < 0.1:
            values[draw.integers(4)] = draw.choice([np.nan, np.inf, -np.inf])
        stamp_ns = int(step * 50 * MS)
        state = GUARD.admit(Command(*map(float, values)), stamp_ns, state)
        assert all(
            abs(value) <= limit
            for value, limit in zip(state.output.values, GUARD.envelope.limits, strict=True)
        )
        if before is not None and state.output != HOVER:
            for old, new, slew in zip(
                before.values, state.output.values, GUARD.envelope.slews, strict=True
            ):
                assert abs(new - old) <= slew * 0.05 + 1e-9
        before = state.output
    assert state.events[GuardEvent.NOT_FINITE] > 800


def test_admit_does_not_change_its_argument():
    before = after((Command(1.0), 0))
    GUARD.admit(Command(math.nan), 50 * MS, before)
    assert before.events == Counter()
    assert before.output == Command(1.0)


def test_envelope_out_of_range_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"guard: timeout_s: .*greater than 0.02, got 0.0"):
        validate(Envelope, {"timeout_s": 0.0}, "guard")


@pytest.mark.parametrize(("rate_hz", "timeout_s"), [(60.0, 0.15), (10.0, 0.15), (5.0, 0.3)])
def test_the_timeout_leaves_time_for_the_next_frame_of_a_slow_camera(rate_hz, timeout_s):
    envelope = Envelope.for_camera(rate_hz)
    assert envelope.timeout_s == pytest.approx(timeout_s)
    assert envelope.model_copy(update={"timeout_s": 0.15}) == Envelope()
    guard, moving = Guard(envelope), Command(1.0, 0.0, 0.0, 0.0)
    state = guard.admit(moving, 0, GuardState())
    for period in range(1, round(1.0 / rate_hz / envelope.period_s)):
        state = guard.poll(round(period * envelope.period_s * 1e9), state)
    assert state.output.forward_mps > 0.0
    assert not state.stale
    for period in range(round(timeout_s / envelope.period_s) + 2):
        state = guard.poll(round(period * envelope.period_s * 1e9), state)
    assert state.stale

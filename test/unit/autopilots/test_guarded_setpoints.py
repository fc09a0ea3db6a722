"""Guard and set-point stream together: no set-point outlives its frame by more than 150 ms."""

from itertools import pairwise

import pytest

from liquid_control.autopilots import SetpointRules, SetpointStream
from liquid_control.autopilots.setpoint_stream import StreamState
from liquid_control.command import Envelope, Guard, GuardState
from liquid_control.types import HOVER, Command

pytestmark = pytest.mark.unit

MS = 1_000_000
LATENCY_MS = 20
FLY = Command(1.0)


def wire(rate_hz: float, timeout_s: float, lives_ms: int, until_ms: int):
    """Return (time, age of the newest frame, set-point) of what is sent, ms.

    The camera stops after `lives_ms`. As in the nodes, the guard repeats the command in force with
    the stamp of its frame every 25 ms, and the bridge looks for work every millisecond.
    """
    guard, state = Guard(Envelope(timeout_s=timeout_s)), GuardState()
    stream, stream_state = SetpointStream(SetpointRules()), StreamState()
    period_ms, sent = round(1000 / rate_hz), []
    for now_ms in range(until_ms):
        frame_ms = (now_ms - LATENCY_MS) // period_ms * period_ms
        arrives = frame_ms + LATENCY_MS == now_ms and 0 <= frame_ms <= lives_ms
        if arrives:
            state = guard.admit(FLY, frame_ms * MS, state, now_ms * MS)
        if now_ms % 25 == 0:
            state = guard.poll(now_ms * MS, state)
        if (arrives or now_ms % 25 == 0) and state.fresh_stamp_ns is not None:
            stamp_ns = now_ms * MS if state.output == HOVER else state.fresh_stamp_ns
            age_ns = now_ms * MS - stamp_ns
            stream_state, _ = stream.admit(
                state.output, stamp_ns, age_ns, now_ms * MS, stream_state
            )
        stream_state, setpoint, _ = stream.poll(now_ms * MS, stream_state)
        if setpoint is not None:
            newest_ms = min(max(frame_ms, 0), lives_ms // period_ms * period_ms)
            sent.append((now_ms, now_ms - newest_ms, setpoint))
    return sent


@pytest.mark.parametrize(
    ("rate_hz", "timeout_s"), [(30.0, 0.15), (10.0, 0.15), (5.0, 0.15), (5.0, 0.3), (4.0, 2.0)]
)
def test_a_moving_setpoint_is_in_force_for_150_ms_at_most(rate_hz, timeout_s):
    sent = wire(rate_hz, timeout_s, lives_ms=2000, until_ms=5000)
    assert all(age_ms <= 150 for _, age_ms, setpoint in sent if setpoint != HOVER)
    changes = [
        now_ms
        for (_, _, before), (now_ms, _, setpoint) in pairwise(sent)
        if before != HOVER and setpoint == HOVER
    ]
    last_frame_ms = 2000 // round(1000 / rate_hz) * round(1000 / rate_hz)
    assert 0 < changes[-1] - last_frame_ms <= 150


@pytest.mark.parametrize(("rate_hz", "brakes"), [(30.0, False), (10.0, False), (5.0, True)])
def test_a_camera_below_10_hz_makes_the_vehicle_brake_between_frames(rate_hz, brakes):
    timeout_s = Envelope.for_camera(rate_hz).timeout_s
    sent = wire(rate_hz, timeout_s, lives_ms=2000, until_ms=1900)
    stops = [now_ms for now_ms, _, setpoint in sent if setpoint == HOVER and now_ms > 100]
    assert bool(stops) is brakes

"""The event-driven policy and its pilot: equal to the parts, fresh starts, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from liquid_control.errors import ModelError, ObservationError
from liquid_control.liquid.event_step import Operations
from liquid_control.policy import EventPilot, EventPolicy, Policy, Thresholds, load_model
from liquid_control.types import ImuWindow, Observation

pytestmark = pytest.mark.unit

SECOND = 10**9
MODEL = load_model("trail_cfc19")


def frame(stamp_ns, shade=0):
    rows, columns, _ = np.ogrid[:72, :128, :3]
    picture = (60 + 2 * rows + columns + shade * (rows > 40)) % 256
    return Observation(
        stamp_ns,
        np.repeat(picture, 3, axis=2).astype(np.uint8),
        ImuWindow.empty(),
        orientation=np.array([0.0, 0.0, 0.0, 1.0]),
        cruise_mps=2.0,
        mount=(90.0, 15.0),
    )


def test_threshold_0_stays_near_the_float_policy():
    events, floats = EventPolicy(MODEL, Thresholds()), Policy(MODEL)
    memory, state = events.init_memory(), floats.init_state()
    for k in range(12):
        observation = frame(SECOND + k * SECOND // 20, shade=4 * k)
        step = events.step(observation, memory, 0.05)
        command, state = floats.step(observation, state, 0.05)
        memory = step.memory
        np.testing.assert_allclose(step.decision.command.values, command.values, atol=0.03)
        np.testing.assert_allclose(step.decision.state, state, atol=0.02)


def test_pilot_counts_and_starts_afresh_after_a_jump():
    pilot = EventPilot(MODEL, Thresholds(0.1, 0.02))
    first = pilot.command(frame(SECOND), None)
    whole = pilot.encoder
    pilot.command(frame(SECOND + 50_000_000), None)
    assert pilot.frames == 2
    # A still picture: nothing but the tests of the pixels and of the mount's layer.
    assert pilot.encoder.macs == whole.macs
    assert pilot.encoder.additions == whole.additions + 72 * 128 * 3 + 2
    again = pilot.command(frame(10 * SECOND), None)
    assert again == first
    assert pilot.encoder.macs == 2 * whole.macs
    with pytest.raises(ObservationError, match="expected a frame stamped after"):
        pilot.command(frame(10 * SECOND), None)
    assert pilot.frames == 3
    assert pilot.decision.state.shape == (19,)


def test_a_refused_frame_changes_nothing():
    pilot = EventPilot(MODEL, Thresholds())
    pilot.command(frame(SECOND), None)
    counts = pilot.encoder, pilot.core
    bad = replace(frame(SECOND + 50_000_000), cruise_mps=None)
    with pytest.raises(ObservationError):
        pilot.command(bad, None)
    assert (pilot.encoder, pilot.core) == counts
    assert isinstance(pilot.core, Operations)


def test_another_core_is_refused_in_one_line():
    with pytest.raises(ModelError, match="trail_gru: expected a core of kind cfc_wired"):
        EventPolicy(load_model("trail_gru"), Thresholds())

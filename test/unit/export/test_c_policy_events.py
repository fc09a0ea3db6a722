"""The event-driven policy in C over a recorded flight: bit for bit `EventPilot`.

The frames are those of a flight with lost frames. Stamps are made irregular, some differences end
in half a microsecond, and one long gap and one jump back make the policy start afresh.
"""

import ctypes
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compiled_policy import frame_in_c
from liquid_control.bags import FrameEvent, Losses, load_rules, open_bag, read_flight, resolve
from liquid_control.errors import ObservationError
from liquid_control.export import events_c
from liquid_control.export.c_events import TRIALS, c_thresholds
from liquid_control.perception import fit
from liquid_control.policy import EventPilot
from liquid_control.types import NANOSECONDS, ImuWindow

from .conftest import EVENTS, compiled, need

pytestmark = pytest.mark.unit

FLIGHT = Path(__file__).parents[2] / "golden" / "flight.mcap"
FRAMES, LOST, GAP, BACK = 80, 20, 50, 60
BAD_STAMP, BAD_IMU, BAD_INPUT = 4, 5, 6
ACCESS = """
#include "policy_events.h"
unsigned long size(void) { return sizeof(lce_policy); }
void read_policy(const lce_policy *policy, int16_t *features, int16_t *states, uint64_t *counts)
{
    const lce_counts parts[2] = {policy->in_encoder, policy->in_core};
    int i;
    for (i = 0; i < LCQ_INPUTS; ++i) {
        features[i] = policy->features[i];
    }
    for (i = 0; i < LCQ_NEURONS; ++i) {
        states[i] = policy->core.state[i];
    }
    for (i = 0; i < 2; ++i) {
        counts[4 * i] = parts[i].macs;
        counts[4 * i + 1] = parts[i].additions;
        counts[4 * i + 2] = parts[i].sent;
        counts[4 * i + 3] = parts[i].computed;
    }
}
"""


class EventPolicyInC:
    """The exported event-driven policy with its memory."""

    def __init__(self, library, model, thresholds):
        self.library, self.model = library, model
        library.size.restype = ctypes.c_ulong
        self.memory = np.zeros(library.size(), np.uint8)
        self.thresholds = np.array(c_thresholds(thresholds), np.int32)
        self.command = np.full(4, 77, np.float32)
        library.lce_policy_start(pointer(self.memory))

    def step(self, observation):
        view = self.model.settings.camera.view
        picture = np.ascontiguousarray(fit(observation.image, view))
        frame = frame_in_c(self.library, self.model, observation, picture)
        arrays = pointer(self.thresholds), pointer(self.command)
        return self.library.lce_policy_step(pointer(self.memory), ctypes.byref(frame), *arrays)

    def content(self):
        """Return features (Q13), states (Q15) and the counts of encoder and core."""
        features = np.zeros(self.model.settings.features.total, np.int16)
        states = np.zeros(self.model.weights.wiring.neurons, np.int16)
        counts = np.zeros(8, np.uint64)
        arrays = (self.memory, features, states, counts)
        self.library.read_policy(*map(pointer, arrays))
        return features, states, counts.tolist()


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


@pytest.fixture(scope="module")
def library(model, tmp_path_factory):
    need("cc")
    folder = tmp_path_factory.mktemp("events")
    for name, text in events_c(model).items():
        (folder / name).write_text(text)
    (folder / "access.c").write_text(ACCESS)
    options = ("-O2", "-ffp-contract=off", "-shared", "-fPIC")
    sources = (*EVENTS, "access.c")
    return ctypes.CDLL(str(compiled("cc", folder, sources, folder / "events.so", *options)))


@pytest.fixture(scope="module")
def flight():
    """Observations of the recorded flight with irregular stamps."""
    bag, rng = open_bag(FLIGHT), np.random.default_rng(17)
    events = read_flight(bag, resolve(bag, load_rules()), Losses())
    recorded = [event.observation for event in events if isinstance(event, FrameEvent)][:FRAMES]
    lost = recorded.pop(LOST)
    recorded[LOST] = replace(recorded[LOST], imu=ImuWindow.joined([lost.imu, recorded[LOST].imu]))
    frames, stamp_ns = [], 5 * NANOSECONDS
    for index, (last, now) in enumerate(pairwise(recorded)):
        elapsed_ns = now.stamp_ns - last.stamp_ns
        if index % 3 == 0:
            elapsed_ns += int(rng.integers(-10_000_000, 10_000_000))
        if index % 4 == 0:
            elapsed_ns += 500 - elapsed_ns % 1000
        jump_ns = {GAP: 1_500_000_000, BACK: -2_500_000_000}.get(index, elapsed_ns)
        stamp_ns += jump_ns
        frames.append(replace(now, stamp_ns=stamp_ns))
    return frames


def refused(frame, last_ns):
    """Return frames that must be refused after the frame before, and their codes."""
    window = ImuWindow(np.arange(2), np.array([[0.0, 0.1, 0.0], [np.nan, 0, 0]]), np.ones((2, 3)))
    return (
        (replace(frame, stamp_ns=last_ns), BAD_STAMP),
        (replace(frame, imu=window), BAD_IMU),
        (replace(frame, cruise_mps=np.inf), BAD_INPUT),
    )


@pytest.mark.parametrize("thresholds", TRIALS, ids=lambda pair: f"{pair.encoder}-{pair.core}")
def test_a_recorded_flight_gives_the_bits_of_numpy(library, model, flight, thresholds):
    pilot, in_c = EventPilot(model, thresholds), EventPolicyInC(library, model, thresholds)
    dense, last_ns = pilot.event_policy.encoder.dense.computed, None
    for index, frame in enumerate(flight):
        if index % 16 == 8:
            for bad, code in refused(frame, last_ns):
                memory, command = in_c.memory.copy(), in_c.command.copy()
                assert in_c.step(bad) == code
                np.testing.assert_array_equal(in_c.memory, memory)
                np.testing.assert_array_equal(in_c.command, command)
                with pytest.raises(ObservationError):
                    pilot.answer(bad)
        before = pilot.encoder.computed
        step = pilot.answer(frame)
        assert in_c.step(frame) == 0
        features, states, counts = in_c.content()
        np.testing.assert_array_equal(features.astype(np.float32) / 2**13, step.features)
        np.testing.assert_array_equal(states.astype(np.float32) / 2**15, step.decision.state)
        assert in_c.command.tolist() == list(step.decision.command.values)
        assert counts == [
            count
            for part in (pilot.encoder, pilot.core)
            for count in (part.macs, part.additions, part.sent, part.computed)
        ]
        if index in (0, GAP, BACK):
            assert pilot.encoder.computed == before + dense
        last_ns = frame.stamp_ns
    assert pilot.frames == len(flight) == FRAMES - 2


def test_a_start_forgets_everything(library, model, flight):
    in_c = EventPolicyInC(library, model, TRIALS[1])
    assert in_c.step(flight[3]) == 0
    first = in_c.memory.copy()
    assert in_c.step(flight[4]) == 0
    assert in_c.memory.tobytes() != first.tobytes()
    library.lce_policy_start(pointer(in_c.memory))
    assert in_c.step(flight[3]) == 0
    assert in_c.memory.tobytes() == first.tobytes()

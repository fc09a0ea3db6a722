"""The event-driven form in C: bit for bit that of NumPy, values and counts."""

import ctypes

import numpy as np
import pytest

from liquid_control.command import MotorScaling
from liquid_control.errors import ModelError
from liquid_control.export import events_c
from liquid_control.export.c import template
from liquid_control.export.c_events import _core, c_thresholds
from liquid_control.export.c_fixed import FIXED_HEADER, fixed_controller_c
from liquid_control.liquid import auto_ncp, random_weights
from liquid_control.liquid.event_step import EventCfC, Operations
from liquid_control.liquid.fixed_point import FixedCfC, FixedWeights
from liquid_control.policy import EventPolicy, Thresholds, load_model

from .conftest import (
    EVENT_ENCODER,
    EVENTS,
    EVERY_INPUT,
    EVERYTHING,
    SIZE,
    compiled,
    need,
    output_of,
    random_model,
)

pytestmark = pytest.mark.unit

CORE = """
#include "controller_events.h"
unsigned long size(void);
void start(lce_core *core);
void step(lce_core *core, const int16_t *x, uint32_t dt_us, int32_t threshold, int32_t *command,
          lce_counts *counts);
void dense(const int16_t *x, int16_t *state, uint32_t dt_us, int32_t *command);
unsigned long size(void) { return sizeof(lce_core); }
void start(lce_core *core) { lce_core_start(core); }
void step(lce_core *core, const int16_t *x, uint32_t dt_us, int32_t threshold, int32_t *command,
          lce_counts *counts)
{
    lce_core_step(core, x, dt_us, threshold, command, counts);
}
void dense(const int16_t *x, int16_t *state, uint32_t dt_us, int32_t *command)
{
    lcq_step(x, state, dt_us, command);
}
"""
STEPS = 1000


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def counts_of(counts):
    return [counts.macs, counts.additions, counts.sent, counts.computed]


def core_library(weights, folder):
    need("cc")
    fixed = FixedWeights.of(weights)
    header = template("controller_events.h").substitute({"name": "a", **_core(fixed)})
    (folder / "controller_events.h").write_text(header)
    (folder / FIXED_HEADER).write_text(fixed_controller_c(weights, MotorScaling(), "a"))
    (folder / "core.c").write_text(CORE)
    path = compiled("cc", folder, ["core.c"], folder / "core.so", "-O2", "-shared", "-fPIC")
    library = ctypes.CDLL(str(path))
    library.size.restype = ctypes.c_ulong
    return library, fixed


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.2])
def test_controller_over_1000_irregular_steps(tmp_path, threshold):
    weights = random_weights(auto_ncp(12, 19, 4), np.random.default_rng(6))
    library, fixed = core_library(weights, tmp_path)
    event, plain = EventCfC(fixed, threshold), FixedCfC(fixed)
    assert library.size() == event.state_bytes
    memory, counts = np.zeros(library.size(), np.uint8), np.zeros(4, np.uint64)
    command, dense = np.zeros(4, np.int32), np.zeros(19, np.int16)
    library.start(pointer(memory))
    state, states, total, x = event.init_state(), plain.init_state(), Operations(), np.zeros(12)
    rng = np.random.default_rng(7)
    _, in_c = c_thresholds(Thresholds(0.0, threshold))
    for _ in range(STEPS):
        x = np.clip(x + 0.2 * rng.standard_normal(12), -4, 4)
        inputs = np.clip(np.rint(x * 8192), -32767, 32767).astype(np.int16)
        dt_us = int(10 ** rng.uniform(3.0, 6.0)) if rng.random() < 0.4 else 50_000
        library.step(
            pointer(memory), pointer(inputs), dt_us, in_c, pointer(command), pointer(counts)
        )
        state, operations = event.step(inputs.astype(np.int64), state, dt_us)
        total += operations
        at = 19 * 32 + 8 + 2 * (12 + 19)
        assert memory[at : at + 38].view(np.int16).tolist() == state.states.tolist()
        assert memory[: 19 * 32].view(np.int64).tolist() == state.sums.ravel().tolist()
        library.dense(pointer(inputs), pointer(dense), dt_us, pointer(command))
        states, _ = plain.step(inputs.astype(np.int64), states, dt_us)
        assert dense.tolist() == states.tolist()
    assert counts.tolist() == counts_of(total)


def test_encoder_over_irregular_pictures(tmp_path):
    """A small network with odd sizes, padding and every layer; pictures change in parts."""
    need("cc")
    model = random_model(EVERYTHING, EVERY_INPUT)
    for name, text in events_c(model).items():
        (tmp_path / name).write_text(text)
    options = ("-O2", "-ffp-contract=off", "-shared", "-fPIC")
    library = ctypes.CDLL(
        str(compiled("cc", tmp_path, EVENT_ENCODER, tmp_path / "e.so", *options))
    )
    for pair in (Thresholds(), Thresholds(encoder=0.15)):
        encoder = EventPolicy(model, pair).encoder
        memory, counts = np.zeros(encoder.state_bytes, np.uint8), np.zeros(4, np.uint64)
        library.lce_encoder_start(pointer(memory))
        state, total, rng = encoder.init_state(), Operations(), np.random.default_rng(9)
        picture = rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
        sums = sum(layer.shape.size for layer in encoder.layers)
        inputs = sum(layer.shape.inputs for layer in encoder.layers)
        mount, (threshold, _) = np.zeros(2, np.float32), c_thresholds(pair)
        for k in range(120):
            row, column = rng.integers(0, SIZE[0]), rng.integers(0, SIZE[1])
            picture[row:, column : column + 5] += np.uint8(rng.integers(0, 90) * (k % 3 > 0))
            mount = mount if k % 7 else rng.normal(0, 0.3, 2).astype(np.float32)
            library.lce_encode(
                pointer(memory), pointer(picture), pointer(mount), threshold, pointer(counts)
            )
            state, operations = encoder.encode(picture, state, mount)
            total += operations
            at = 8 * sums + 2 * inputs
            got = memory[at : at + 2 * encoder.spec.features].view(np.int16)
            assert got.tolist() == state.features.tolist()
        kept = np.concatenate([part.ravel() for part in state.sums])
        assert memory[: 8 * sums].view(np.int64).tolist() == kept.tolist()
        assert counts.tolist() == counts_of(total)


def test_exported_self_test(tmp_path):
    """Whole policy: encoder and controller, three pairs of thresholds, under the sanitizer."""
    need("cc")
    for name, text in events_c(random_model(EVERYTHING, EVERY_INPUT)).items():
        (tmp_path / name).write_text(text)
    options = ("-O1", "-ffp-contract=off", "-fsanitize=undefined", "-fno-sanitize-recover=all")
    sources = ["events_test.c", *EVENTS]
    program = compiled("cc", tmp_path, sources, tmp_path / "events_test", *options)
    assert output_of(program).count("equal") == 3
    header = tmp_path / "controller_events.h"
    header.write_text(header.read_text().replace("threshold >> 3", "threshold >> 4"))
    assert compiled("cc", tmp_path, sources, tmp_path / "other", *options)
    with pytest.raises(AssertionError, match="different"):
        output_of(tmp_path / "other")


def test_another_core_is_refused():
    with pytest.raises(ModelError, match="C code is written for core cfc_wired, got"):
        events_c(load_model("trail_gru"))

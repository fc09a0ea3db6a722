"""Export of the event-driven form of a policy as C99: encoder and controller in fixed point.

The C code has the bits of `liquid_control.policy.EventPolicy`, and counts the same operations. It
reads frames with the code of the dense policy (`c_observation`). Its self-test compares checksums
over golden frames whose pictures both sides compute.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ModelError
from liquid_control.export.c import digest, number, template, wrapped
from liquid_control.export.c_fixed import FIXED_HEADER, fixed_controller_c
from liquid_control.export.c_golden import (
    GOLDEN_HEADER,
    OK,
    GoldenFrame,
    golden_frames,
    golden_frames_c,
)
from liquid_control.export.c_observation import observation_c
from liquid_control.liquid.event_step import integer_threshold
from liquid_control.liquid.fixed_point import ARGUMENT_BITS, FEATURE_BITS, ONE, FixedWeights
from liquid_control.perception import CONTRAST_FLOOR, MOUNT_SIZE
from liquid_control.perception.event_encoder import ACTIVATION_BITS, FixedLayer
from liquid_control.policy import WIRED, EventPilot, EventPolicy, Thresholds
from liquid_control.policy.model import Model

EVENT_FILES = (
    "controller_events.h",
    "events_test.c",
    "perception_events.c",
    "perception_events.h",
    "perception_events_weights.c",
    "picture.h",
    "policy_events.c",
    "policy_events.h",
)
TRIALS = (Thresholds(), Thresholds(0.1, 0.02), Thresholds(0.4, 0.1))
"""Of the self-test."""
FNV_START, FNV_PRIME, WORD = 14695981039346656037, 1099511628211, 2**64 - 1

Integers = NDArray[np.int64]


def events_c(model: Model) -> dict[str, str]:
    """Return the files of a C project by name: policy, its parts and self-test.

    Args:
        model: with a wired CfC in mode `default`.

    Raises:
        ModelError: the model has another core.
        CellError: a weight is outside of what fixed point represents.
    """
    if model.settings.core.kind != WIRED:
        raise ModelError(
            f"{model.name}: C code is written for core {WIRED}, got {model.settings.core.kind}"
        )
    policy = EventPolicy(model, Thresholds())
    frames = golden_frames(model)
    arrays = {name: model.arrays[name] for name in policy.encoder.spec.array_shapes()}
    facts = {
        "name": model.name,
        "floor": number(CONTRAST_FLOOR),
        **_core(policy.core.weights),
        **_encoder(policy.encoder.layers),
        "digest": digest(arrays),
        "width": policy.encoder.spec.width,
        "height": policy.encoder.spec.height,
        "features": policy.encoder.spec.features,
        "mount": MOUNT_SIZE * policy.encoder.spec.mount,
        "convolutions": len(policy.encoder.spec.convolutions),
        "trials": "\n".join(_trial(model, pair, frames) for pair in TRIALS),
    }
    return {
        FIXED_HEADER: fixed_controller_c(model.weights, model.settings.motors, model.name),
        GOLDEN_HEADER: golden_frames_c(model, frames),
        **observation_c(model),
        **{name: template(name).substitute(facts) for name in EVENT_FILES},
    }


def c_thresholds(thresholds: Thresholds) -> tuple[int, int]:
    """Return the thresholds of encoder (Q9) and controller (Q16) for the exported C."""
    return (
        integer_threshold(thresholds.encoder, ACTIVATION_BITS),
        integer_threshold(thresholds.core, ARGUMENT_BITS),
    )


def _core(weights: FixedWeights) -> dict[str, object]:
    """Return sizes and the synapses ordered by source."""
    wiring = weights.wiring
    sources = np.asarray(weights.sources)
    places = wiring.inputs + wiring.neurons
    sources = np.where(sources >= places, sources - wiring.neurons, sources)
    order = np.argsort(sources, kind="stable")
    targets = np.repeat(np.arange(wiring.neurons), weights.counts)[order]
    ends = np.cumsum(np.bincount(sources, minlength=places))
    return {
        "event_bytes": 4 * len(order) + 2 * places + 2 * len(wiring.layers),
        "core_layers": len(wiring.layers),
        "layer_ends": ", ".join(str(own.stop) for own in wiring.slices),
        "outgoing_ends": wrapped(ends.tolist()),
        "targets": wrapped(targets.tolist()),
        "places": wrapped(order.tolist()),
        "synapses": len(order),
    }


def _encoder(layers: Iterable[FixedLayer]) -> dict[str, object]:
    """Return sizes, weights and table of the perception network."""
    texts, table, flash = [], [], 0
    first = np.zeros(3, np.int64)
    for index, layer in enumerate(layers):
        shape, name = layer.shape, f"lce_layer{index}"
        texts += [
            _array("int16_t", f"{name}_weight", layer.weight),
            _array("int64_t", f"{name}_bias", layer.bias),
            _array("uint8_t", f"{name}_shift", layer.shift),
        ]
        numbers = ", ".join(str(int(value)) for value in (*shape, *first))
        table.append(f"    {{{numbers}, {name}_weight, {name}_bias, {name}_shift}},")
        first += (shape.inputs, shape.size, shape.out_rows * shape.out_columns)
        flash += 2 * layer.weight.size + 9 * layer.bias.size
    return {
        "arrays": "\n".join(texts),
        "table": "\n".join(table),
        "layers": len(table),
        "values": first[0],
        "sums": first[1],
        "pixels": first[2],
        "event_flash": flash,
    }


def _array(kind: str, name: str, values: Integers) -> str:
    numbers = wrapped(values.ravel().tolist())
    return f"static const {kind} {name}[{values.size}] = {{\n{numbers}\n}};\n"


def _trial(model: Model, thresholds: Thresholds, frames: Sequence[GoldenFrame]) -> str:
    """Return the thresholds and the checksum of a trial, as `events_test.c` computes it."""
    pilot, values = EventPilot(model, thresholds), []
    shape = frames[0].observation.image.shape
    pixels = np.arange(np.prod(shape), dtype=np.uint32)
    for index, frame in enumerate(frames):
        values.append(frame.status)
        if frame.status != OK:
            continue
        picture = (value_at(pixels, index) & np.uint32(0xFF)).astype(np.uint8).reshape(shape)
        step = pilot.answer(replace(frame.observation, image=picture))
        decision = step.decision
        values += np.rint(step.features * 2**FEATURE_BITS).astype(int).tolist()
        values += np.rint(decision.state * ONE).astype(int).tolist()
        values += [round(value * 2**ARGUMENT_BITS) for value in decision.command.values]
    for counts in (pilot.encoder, pilot.core):
        values += [counts.macs, counts.additions, counts.sent, counts.computed]
    encoder_step, core_step = c_thresholds(thresholds)
    return f"    {{{{{encoder_step}, {core_step}}}, {_checksum(values)}u}},"


def value_at(index: NDArray[np.uint32], frame: int) -> NDArray[np.uint32]:
    """Return the values of a frame of the self-test; three quarters of them never change."""
    still = _scrambled(index, 1) % np.uint32(4) != 0
    return np.where(still, _scrambled(index, 0), _scrambled(index, frame // 3))


def _scrambled(index: NDArray[np.generic], phase: int) -> NDArray[np.uint32]:
    mixed = (index.astype(np.uint32) + np.uint32(977 * phase)) * np.uint32(2654435761)
    return mixed >> np.uint32(16)


def _checksum(values: Iterable[int]) -> int:
    """Return the 64-bit FNV-1a checksum of integers of 64 bits."""
    checksum = FNV_START
    for value in values:
        for byte in (value & WORD).to_bytes(8, "little"):
            checksum = (checksum ^ byte) * FNV_PRIME & WORD
    return checksum

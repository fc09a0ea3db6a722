"""Export of a whole policy as C99: perception network, controller, state, clock and refusals.

A dense kernel with a fixed order of summation computes every layer; a convolution gathers what an
output pixel depends on and applies it. Weights are stored in blocks of outputs, so that compilers
vectorise over outputs without changing the order of a sum. Golden frames for the self-test come
from `liquid_control.policy.Policy` itself.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ModelError
from liquid_control.export.c import controller_c, digest, number, rows, template
from liquid_control.export.c_fixed import FIXED_HEADER, fixed_controller_c
from liquid_control.export.c_golden import (
    GOLDEN_HEADER,
    OK,
    GoldenFrame,
    golden_frames,
    golden_frames_c,
)
from liquid_control.export.c_observation import example_readings, observation_c
from liquid_control.perception import CONTRAST_FLOOR, MOUNT_SIZE, PerceptionSpec
from liquid_control.policy import WIRED, Policy, PolicySession
from liquid_control.policy.model import Arrays, Model

BLOCK = 12
"""Outputs of a layer that are computed together: three SSE or NEON registers of sums."""

PLAIN_FILES = (
    "CMakeLists.txt",
    "cortex_m.c",
    "cortex_m.cmake",
    "cortex_m.h",
    "cortex_m.ld",
    "example_core_cortex_m.c",
)
"""Files of the export that do not depend on the model."""
MODEL_FILES = (
    "README.md",
    "example_cortex_m.c",
    "example_loop.c",
    "perception.c",
    "perception.h",
    "perception_weights.c",
    "picture.h",
    "policy.c",
    "policy.h",
    "policy_test.c",
)
"""Files that do, besides those of the controller."""

Floats = NDArray[np.float32]


def policy_c(model: Model) -> dict[str, str]:
    """Return the files of a C project by name: policy, self-tests, examples and CMake file.

    Args:
        model: with a wired CfC in mode `default`.

    Raises:
        ModelError: the model has another core.
        CellError: the controller cannot be exported, as `controller_c` and `fixed_controller_c`
            say.
    """
    settings = model.settings
    if settings.core.kind != WIRED:
        raise ModelError(
            f"{model.name}: C code is written for core {WIRED}, got {settings.core.kind}; "
            "use --target onnx"
        )
    frames = golden_frames(model)
    facts = {
        **_perception(settings.perception, model.arrays),
        "name": model.name,
        "floor": number(CONTRAST_FLOOR),
        "constants": example_readings(model),
        **_golden(model, frames),
    }
    return {
        **controller_c(model.weights, settings.motors, model.name),
        FIXED_HEADER: fixed_controller_c(model.weights, settings.motors, model.name),
        GOLDEN_HEADER: golden_frames_c(model, frames),
        **observation_c(model),
        **{name: template(name).substitute(facts) for name in MODEL_FILES},
        **{name: template(name).template for name in PLAIN_FILES},
    }


def _perception(spec: PerceptionSpec, arrays: Arrays) -> dict[str, object]:
    """Return sizes, weights and table of the perception network."""
    shapes = spec.layers
    named = {name: arrays[name] for name in spec.array_shapes()}
    texts, table, sizes, stored = [], [], [], 0
    for name, shape in zip(spec.layer_names, shapes, strict=True):
        weight = _blocks(spec.channels_last(name, named[f"{name}.weight"]))
        bias = _padded(named[f"{name}.bias"])
        c_name = f"lc_{name.rpartition('.')[2]}"
        texts += [_array(f"{c_name}_weight", weight), _array(f"{c_name}_bias", bias)]
        sizes_of = ", ".join(str(int(value)) for value in shape)
        table.append(f"    {{{sizes_of}, {c_name}_weight, {c_name}_bias}},")
        sizes.append(shape.size)
        stored += weight.size + bias.size
    convolutions = len(spec.convolutions)
    sizes[convolutions - 1] += MOUNT_SIZE * spec.mount
    first, second = max(sizes[::2]), max(sizes[1::2])
    patch = max(shape.taps for shape in shapes[:convolutions])
    workspace = first + second + patch
    return {
        "digest": digest(named),
        "layers": len(shapes),
        "parameters": sum(array.size for array in named.values()),
        "flash": 4 * stored,
        "width": spec.width,
        "height": spec.height,
        "features": spec.features,
        "mount": MOUNT_SIZE * spec.mount,
        "block": BLOCK,
        "workspace": workspace,
        "workspace_bytes": 4 * workspace,
        "policy_bytes": 4 * workspace + 512,
        "first": first,
        "second": second,
        "convolutions": convolutions,
        "arrays": "\n".join(texts),
        "table": "\n".join(table),
    }


def _blocks(weight: Floats) -> Floats:
    """Return weights [O, K] as [blocks, K, BLOCK], with zeros for missing outputs."""
    padded = _padded(weight)
    blocks: Floats = padded.reshape(-1, BLOCK, weight.shape[1]).transpose(0, 2, 1)
    return blocks


def _padded(array: Floats) -> Floats:
    missing = -len(array) % BLOCK
    return np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1))


def _array(name: str, values: Floats) -> str:
    texts = [_hexadecimal(value) for value in values.ravel().tolist()]
    lines = (", ".join(texts[at : at + BLOCK]) for at in range(0, len(texts), BLOCK))
    body = ",\n".join(f"    {line}" for line in lines)
    return f"static const float {name}[{len(texts)}] = {{\n{body},\n}};\n"


def _hexadecimal(value: float) -> str:
    """Return a float32 as a hexadecimal C constant: exact, and compilers read it fastest."""
    mantissa, exponent = value.hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}f"


def _golden(model: Model, frames: Sequence[GoldenFrame]) -> dict[str, object]:
    """Return the features and states of the policy at golden frames, as C initialisers."""
    policy = Policy(model)
    session = PolicySession(policy)
    features: list[Floats] = []
    states: list[Floats] = []
    for frame in frames:
        if frame.status != OK:
            features.append(np.zeros(policy.feature_count, np.float32))
            states.append(np.zeros(len(policy.state_names), np.float32))
            continue
        features.append(policy.features(frame.observation))
        states.append(session.answer(features[-1], frame.observation.stamp_ns).state)
    return {
        "golden_features": rows(np.array(features)),
        "golden_states": rows(np.array(states)),
    }

"""Export of a whole policy as C99: perception network, controller, state, clock and refusals.

A dense kernel with a fixed order of summation computes every layer; a convolution gathers what an
output pixel depends on and applies it. Weights are stored in blocks of outputs, so that compilers
vectorise over outputs without changing the order of a sum. Golden frames for the self-test come
from `liquid_control.policy.Policy` itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ModelError, ObservationError
from liquid_control.export.c import controller_c, digest, number, row, rows, template
from liquid_control.export.c_fixed import FIXED_HEADER, fixed_controller_c
from liquid_control.perception import CONTRAST_FLOOR, IMU_FEATURES, MOUNT_SIZE, PerceptionSpec
from liquid_control.perception.imu_window import ANGULAR_RATE_UNIT_RADPS, GRAVITY_MPS2
from liquid_control.perception.inputs import (
    FOV_CENTRE_DEG,
    FOV_UNIT_DEG,
    PITCH_CENTRE_DEG,
    PITCH_UNIT_DEG,
    RANGE_CENTRE_M,
    RANGE_UNIT_M,
    SPEED_UNIT_MPS,
    TILT_UNIT_RAD,
)
from liquid_control.policy import WIRED, Policy, PolicySession
from liquid_control.policy.model import Arrays, Model
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS, ImuWindow, Observation, Pixels

BLOCK = 12
"""Outputs of a layer that are computed together: three SSE or NEON registers of sums."""
GOLDEN_FRAMES = 12
OK, BAD_STAMP = 0, 4
"""Codes of `policy.h`."""

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


@dataclass(frozen=True, slots=True)
class PolicyReading:
    """A field of `lc_observation` for an optional input.

    Attributes:
        field: its name.
        text: its meaning.
        centre: value that becomes 0.
        unit: difference that becomes 1.
        low: smallest value in golden frames.
        high: largest value in golden frames.
    """

    field: str
    text: str
    centre: float
    unit: float
    low: float
    high: float


READINGS: Mapping[str, tuple[PolicyReading, ...]] = {
    "cruise_speed": (
        PolicyReading("cruise_mps", "cruise speed to hold, m/s", 0.0, SPEED_UNIT_MPS, 0.5, 4.0),
    ),
    "range": (
        PolicyReading("range_m", "height above ground, m", RANGE_CENTRE_M, RANGE_UNIT_M, 0.5, 3.0),
    ),
    "attitude": (
        PolicyReading("roll_rad", "roll, right side down positive", 0.0, TILT_UNIT_RAD, -0.5, 0.5),
        PolicyReading("pitch_rad", "pitch, nose down positive", 0.0, TILT_UNIT_RAD, -0.5, 0.5),
    ),
    "mount": (
        PolicyReading(
            "camera_pitch_deg",
            "pitch of the camera, down positive",
            PITCH_CENTRE_DEG,
            PITCH_UNIT_DEG,
            6.0,
            29.0,
        ),
        PolicyReading(
            "camera_fov_deg",
            "horizontal field of view of the camera",
            FOV_CENTRE_DEG,
            FOV_UNIT_DEG,
            71.0,
            109.0,
        ),
    ),
}
"""Fields by optional input, in the order of its values."""


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
    needed = Policy(model).needed_inputs
    readings = [reading for name in needed for reading in READINGS[name]]
    facts = {
        **_perception(settings.perception, model.arrays),
        **_inputs(settings.features.inputs, needed, settings.features.image),
        "name": model.name,
        "floor": number(CONTRAST_FLOOR),
        "rate_unit": number(ANGULAR_RATE_UNIT_RADPS),
        "gravity": number(GRAVITY_MPS2),
        "nominal_dt": number(settings.nominal_dt_s),
        "nominal_dt_ns": round(settings.nominal_dt_s * NANOSECONDS),
        "max_gap_ns": round(settings.max_gap_s * NANOSECONDS),
        **_golden(model, readings),
    }
    return {
        **controller_c(model.weights, settings.motors, model.name),
        FIXED_HEADER: fixed_controller_c(model.weights, settings.motors, model.name),
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


SCALED = """/* Scale a reading to about one. */
static int scaled(float value, float centre, float unit, float *feature)
{
    *feature = clipped((value - centre) / unit);
    return is_finite(value) ? LC_OK : LC_BAD_INPUT;
}

"""


def _inputs(declared: Iterable[str], needed: Iterable[str], image: int) -> dict[str, object]:
    """Return the C code that reads, scales and documents the optional inputs of a model."""
    readings = [reading for name in needed for reading in READINGS[name]]
    at = image + IMU_FEATURES
    features = [reading for name in declared for reading in READINGS[name]]
    lines = [_scaled(reading, f"features + {at + k}") for k, reading in enumerate(features)]
    mounted = [_scaled(reading, f"mounted + {k}") for k, reading in enumerate(READINGS["mount"])]
    mount = ""
    if "mount" in needed:
        mount = f"    float mounted[{MOUNT_SIZE}];\n\n{''.join(mounted)}    mount = mounted;\n"
    example = {"cruise_mps": 2.0, "range_m": 1.5, "camera_pitch_deg": 15.0, "camera_fov_deg": 90.0}
    return {
        "readings_text": "".join(f" * {r.field}: {r.text}.\n" for r in readings),
        "readings_fields": "".join(f"    float {r.field};\n" for r in readings),
        "reading_names": "".join(f", {r.field}" for r in readings),
        "readings": 7 + len(readings),
        "fill": "".join(
            f"    observation->{r.field} = reading[{7 + k}];\n" for k, r in enumerate(readings)
        ),
        "constants": "".join(
            f"        frame.{r.field} = {number(example.get(r.field, 0.0))};\n" for r in readings
        ),
        "scaled_code": SCALED if readings else "",
        "mount_code": mount,
        "inputs_code": "".join(lines),
    }


def _scaled(reading: PolicyReading, feature: str) -> str:
    centre, unit = number(reading.centre), number(reading.unit)
    return (
        f"    if (scaled(observation->{reading.field}, {centre}, {unit}, {feature}) != LC_OK) {{\n"
        "        return LC_BAD_INPUT;\n    }\n"
    )


def golden_picture(style: int, height: int, width: int) -> Pixels:
    """Return a test picture as `policy_test.c` draws it, uint8 [H, W, 3]."""
    rows_, columns, channel = np.ogrid[:height, :width, :3]
    below = height - rows_
    side = columns - width // 2 + below - style * below // 4
    trail = np.abs(side) * 4 < rows_ + 8
    index = np.arange(height * width * 3, dtype=np.uint32).reshape(height, width, 3)
    noise = (index + np.uint32(style)) * np.uint32(2654435761)
    if style == 0:
        return np.asarray(128 + (noise >> np.uint32(31)), np.uint8)
    value = np.where(trail, 150 - 20 * channel, 40 + 25 * channel)
    value = value + (noise >> np.uint32(27)).astype(np.int64)
    value = value + rows_ * (style & 3) // 2 - columns * (style & 1) // 4
    picture: Pixels = np.clip(value, 0, 255).astype(np.uint8)
    return picture


def observation_of(
    stamp_ns: int, picture: Pixels, numbers: Mapping[str, float], imu: ImuWindow
) -> Observation:
    """Return the observation of a frame whose readings have the names of `lc_observation`."""
    mount = None
    if "camera_fov_deg" in numbers:
        mount = (numbers["camera_fov_deg"], numbers["camera_pitch_deg"])
    half_roll, half_pitch = (0.5 * numbers.get(f"{axis}_rad", 0.0) for axis in ("roll", "pitch"))
    orientation = np.array(
        [
            sin(half_roll) * cos(half_pitch),
            cos(half_roll) * sin(half_pitch),
            -sin(half_roll) * sin(half_pitch),
            cos(half_roll) * cos(half_pitch),
        ]
    )
    return Observation(
        stamp_ns,
        picture,
        imu,
        range_m=numbers.get("range_m"),
        orientation=orientation,
        cruise_mps=numbers.get("cruise_mps"),
        mount=mount,
    )


def _golden(model: Model, readings: list[PolicyReading]) -> dict[str, object]:
    """Return golden frames with the features and states of the policy, as C initialisers.

    Elapsed times are irregular. One stamp does not advance and is refused; one comes after a
    longer gap than the policy bridges, so that it starts afresh.
    """
    policy, rng = Policy(model), stream(0, "export.c_policy")
    session, stamp_ns = PolicySession(policy), NANOSECONDS
    frames, features, states = [], [], []
    spec = model.settings.perception
    gap_ns = round(1.5 * model.settings.max_gap_s * NANOSECONDS)
    for frame in range(GOLDEN_FRAMES):
        elapsed_ns = int(rng.uniform(5e6, 0.25 * gap_ns))
        stamp_ns += {0: 0, 5: -elapsed_ns // 2, 6: elapsed_ns, 9: gap_ns}.get(frame, elapsed_ns)
        samples = int(rng.integers(0, 20)) if frame else 0
        means = rng.normal([0, 0, 0, 0, 0, 9.8], 1.0).astype(np.float32)
        values = {
            reading.field: float(np.float32(rng.uniform(reading.low, reading.high)))
            for reading in readings
        }
        sums = [float(np.float32(samples * float(mean))) for mean in means]
        imu = _window(np.array(sums), samples)
        style = frame % 8
        observation = observation_of(
            stamp_ns, golden_picture(style, spec.height, spec.width), values, imu
        )
        status = OK
        try:
            features_now = policy.features(observation)
            decision = session.answer(features_now, stamp_ns)
            features.append(features_now)
            states.append(decision.state)
        except ObservationError:
            status = BAD_STAMP
            features.append(np.zeros(policy.feature_count, np.float32))
            states.append(np.zeros(len(policy.state_names), np.float32))
        numbers = row([*sums, samples, *values.values()])
        frames.append(f"    {{{stamp_ns}u, {status}, {style}, {{{numbers}}}}},")
    return {
        "frames": GOLDEN_FRAMES,
        "frame_rows": "\n".join(frames),
        "golden_features": rows(np.array(features)),
        "golden_states": rows(np.array(states)),
    }


def _window(sums: NDArray[np.float64], samples: int) -> ImuWindow:
    """Return a window of equal samples with given sums of rates and forces."""
    if samples == 0:
        return ImuWindow.empty()
    means = np.repeat(sums[np.newaxis] / samples, samples, axis=0)
    return ImuWindow(np.arange(samples), means[:, :3], means[:, 3:])

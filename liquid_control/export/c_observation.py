"""Export of what a policy in C reads at a frame: IMU averages, other readings, clock and refusals.

The dense policy (`c_policy`) and the event-driven one (`c_events`) compile the same files. Samples
and readings are doubles in C, so that the features have the bits of `imu_features` and
`input_values`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from liquid_control.export.c import template
from liquid_control.perception import IMU_FEATURES, IMU_LIMIT, INPUTS, MOUNT_SIZE
from liquid_control.perception.imu_window import ANGULAR_RATE_UNIT_RADPS, GRAVITY_MPS2
from liquid_control.perception.inputs import INPUT_LIMIT
from liquid_control.policy.model import Model
from liquid_control.types import NANOSECONDS, Observation

OBSERVATION_FILES = ("observation.c", "observation.h")
DOUBLE, FLOAT = "double", "float"


@dataclass(frozen=True, slots=True)
class PolicyReading:
    """A field of `lc_observation` for a number of an optional input.

    Attributes:
        field: its name.
        text: its meaning.
        low: smallest value in golden frames.
        high: largest value in golden frames.
        example: value in the example programs.
        kind: its type in C.
    """

    field: str
    text: str
    low: float
    high: float
    example: float = 0.0
    kind: str = DOUBLE


READINGS: Mapping[str, tuple[PolicyReading, ...]] = {
    "cruise_speed": (PolicyReading("cruise_mps", "cruise speed to hold, m/s", 0.5, 4.0, 2.0),),
    "range": (PolicyReading("range_m", "height above ground, m", 0.5, 3.0, 1.5, FLOAT),),
    "attitude": (
        PolicyReading("roll_rad", "roll, right side down positive", -0.5, 0.5),
        PolicyReading("pitch_rad", "pitch, nose down positive", -0.5, 0.5),
    ),
    "mount": (
        PolicyReading(
            "camera_pitch_deg", "pitch of the camera, down positive", 6.0, 29.0, example=15.0
        ),
        PolicyReading(
            "camera_fov_deg",
            "horizontal field of view of the camera, to six decimals",
            71.0,
            109.0,
            example=90.0,
        ),
    ),
}
"""Fields by optional input, in the order of `Input.measured`."""


def needed_readings(model: Model) -> list[PolicyReading]:
    """Return the fields of `lc_observation` for a model, in their order."""
    return [reading for name in model.settings.needed_inputs for reading in READINGS[name]]


def readings_of(model: Model, observation: Observation) -> dict[str, float]:
    """Return the values of `lc_observation` for a model; NaN where an observation has none."""
    values: list[float] = []
    for name in model.settings.needed_inputs:
        source = INPUTS[name]
        values += source.measured(observation) or (math.nan,) * source.size
    fields = [reading.field for reading in needed_readings(model)]
    return dict(zip(fields, values, strict=True))


def observation_c(model: Model) -> dict[str, str]:
    """Return `observation.h` and `observation.c` by file name."""
    settings = model.settings
    declared, needed = settings.features.inputs, settings.needed_inputs
    readings = needed_readings(model)
    facts = {
        "name": model.name,
        "others": IMU_FEATURES + sum(INPUTS[name].size for name in declared),
        "mount_readings": MOUNT_SIZE,
        "nominal_dt_ns": round(settings.nominal_dt_s * NANOSECONDS),
        "max_gap_ns": round(settings.max_gap_s * NANOSECONDS),
        "imu_limit": _double(IMU_LIMIT),
        "rate_unit": _double(ANGULAR_RATE_UNIT_RADPS),
        "gravity": _double(GRAVITY_MPS2),
        "readings_text": "".join(f" * {r.field}: {r.text}.\n" for r in readings),
        "readings_fields": "".join(f"    {r.kind} {r.field};\n" for r in readings),
        "scaled_code": SCALED.replace("LIMIT", _double(INPUT_LIMIT)) if readings else "",
        "mount_code": _scaled(("mount",), "mount", 0) if "mount" in needed else NO_MOUNT,
        "inputs_code": _scaled(declared, "features", IMU_FEATURES),
    }
    return {name: template(name).substitute(facts) for name in OBSERVATION_FILES}


def example_readings(model: Model) -> str:
    """Return the C code that sets the readings of an example program to constants."""
    lines = [f"frame.{r.field} = {_constant(r, r.example)};" for r in needed_readings(model)]
    return "".join(f"        {line}\n" for line in lines)


NO_MOUNT = "    mount[0] = mount[1] = 0.0f;\n"
SCALED = """/* Scale a reading to about one. */
static int scaled(double value, double centre, double unit, float *feature)
{
    const double x = (value - centre) / unit;

    *feature = clipped(x, LIMIT);
    return is_finite(x) ? 0 : LC_BAD_INPUT;
}

"""


def _scaled(names: Iterable[str], target: str, first: int) -> str:
    """Return the C code that scales the readings of inputs into an array from a place on."""
    lines: list[str] = []
    for name in names:
        scales = zip(READINGS[name], INPUTS[name].centres, INPUTS[name].units, strict=True)
        for reading, centre, unit in scales:
            scale = f"{_double(centre)}, {_double(unit)}, {target} + {first + len(lines)}"
            lines.append(
                f"    if (scaled(observation->{reading.field}, {scale})) {{\n"
                "        return LC_BAD_INPUT;\n    }\n"
            )
    return "".join(lines)


def _constant(reading: PolicyReading, value: float) -> str:
    return f"{value!r}f" if reading.kind == FLOAT else repr(value)


def _double(value: float) -> str:
    """Return a C constant that parses to the same float64."""
    return repr(float(value))

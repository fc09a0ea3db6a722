"""Optional inputs of the controller besides picture and IMU: declared in `model.yaml`, in order.

Every input is scaled to about one. A model that declares an input refuses observations without it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError
from liquid_control.types import Observation

SPEED_UNIT_MPS = 3.0
RANGE_CENTRE_M = 1.5
RANGE_UNIT_M = 1.0
TILT_UNIT_RAD = 0.3
PITCH_CENTRE_DEG, PITCH_UNIT_DEG = 15.0, 15.0
FOV_CENTRE_DEG, FOV_UNIT_DEG = 90.0, 20.0
FOV_DIGITS = 6
"""Decimals of a field of view, degrees: that of a focal length has the bits of the scenario's."""
INPUT_LIMIT = 3.0


@dataclass(frozen=True, slots=True)
class Input:
    """One optional input.

    Attributes:
        source: what delivers it, for messages.
        measured: numbers of an observation in the units of `centres`; None where it has none.
        centres: numbers that become 0.
        units: differences to them that become 1.
        field: name of the reading in an `Observation`.
        readings: names of the numbers of the reading, as in `policy/inputs`.
        neutral: the reading that says nothing: the middle of what training draws, or level.
    """

    source: str
    measured: Callable[[Observation], tuple[float, ...] | None]
    centres: tuple[float, ...]
    units: tuple[float, ...]
    field: str
    readings: tuple[str, ...]
    neutral: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.units)

    def values(self, observation: Observation) -> tuple[float, ...] | None:
        """Return the scaled values; None where the observation has no such reading."""
        numbers = self.measured(observation)
        if numbers is None:
            return None
        scales = zip(numbers, self.centres, self.units, strict=True)
        return tuple((number - centre) / unit for number, centre, unit in scales)

    @property
    def neutral_readings(self) -> dict[str, float]:
        """The neutral reading by the names of its numbers, for `with_readings`."""
        return dict(zip(self.readings, self.neutral, strict=True))


def _cruise_speed(observation: Observation) -> tuple[float, ...] | None:
    return None if observation.cruise_mps is None else (observation.cruise_mps,)


def _range(observation: Observation) -> tuple[float, ...] | None:
    if observation.range_m is None:
        return None
    # A sensor_msgs/Range holds a float32.
    return (float(np.float32(observation.range_m)),)


def _attitude(observation: Observation) -> tuple[float, ...] | None:
    if observation.orientation is None:
        return None
    x, y, z, w = (float(value) for value in observation.orientation)
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2.0 * (w * y - z * x))))
    return roll, pitch


def _mount(observation: Observation) -> tuple[float, ...] | None:
    if observation.mount is None:
        return None
    fov_deg, pitch_deg = observation.mount
    return pitch_deg, round(fov_deg, FOV_DIGITS)


INPUTS: Mapping[str, Input] = {
    "cruise_speed": Input(
        "the scenario's speed or the parameter `cruise_speed_mps`",
        _cruise_speed,
        (0.0,),
        (SPEED_UNIT_MPS,),
        "cruise_mps",
        ("cruise_mps",),
        (2.4,),
    ),
    "range": Input(
        "the topic `range`, a sensor_msgs/Range of the distance to the ground",
        _range,
        (RANGE_CENTRE_M,),
        (RANGE_UNIT_M,),
        "range_m",
        ("range_m",),
        (RANGE_CENTRE_M,),
    ),
    "attitude": Input(
        "the orientation in the sensor_msgs/Imu of `imu/data`",
        _attitude,
        (0.0, 0.0),
        (TILT_UNIT_RAD, TILT_UNIT_RAD),
        "orientation",
        ("orientation.x", "orientation.y", "orientation.z", "orientation.w"),
        (0.0, 0.0, 0.0, 1.0),
    ),
    "mount": Input(
        "`camera/camera_info` and the parameter `camera_pitch_down_deg`",
        _mount,
        (PITCH_CENTRE_DEG, FOV_CENTRE_DEG),
        (PITCH_UNIT_DEG, FOV_UNIT_DEG),
        "mount",
        ("horizontal_fov_deg", "pitch_down_deg"),
        (FOV_CENTRE_DEG, PITCH_CENTRE_DEG),
    ),
}
"""Optional inputs by name."""

MIRRORED_INPUTS = np.array([1.0, 1.0, -1.0, 1.0, 1.0, 1.0], np.float32)
"""Signs of all inputs in a mirrored picture: the roll changes."""


def known_inputs(observation: Observation) -> NDArray[np.float32]:
    """Return all inputs in the order of `INPUTS`, float32 [6]; NaN where there is no reading."""
    values: list[float] = []
    for source in INPUTS.values():
        values += source.values(observation) or (math.nan,) * source.size
    return np.clip(values, -INPUT_LIMIT, INPUT_LIMIT).astype(np.float32)


def input_columns(names: Sequence[str]) -> list[int]:
    """Return the columns of `known_inputs` that some inputs have, in their order."""
    columns, start = {}, 0
    for name, source in INPUTS.items():
        columns[name] = range(start, start + source.size)
        start += source.size
    return [column for name in names for column in columns[name]]


def input_size(names: Sequence[str]) -> int:
    """Return the number of values of some inputs."""
    return sum(INPUTS[name].size for name in names)


def input_values(names: Sequence[str], observation: Observation) -> NDArray[np.float32]:
    """Return the values of some inputs in their order, float32 [K], clipped to +-3.

    Raises:
        ObservationError: the observation lacks an input, or a value is not finite.
    """
    values: list[float] = []
    for name in names:
        part = INPUTS[name].values(observation)
        if part is None:
            raise ObservationError(
                f"the model needs the input {name}, from {INPUTS[name].source}; got none"
            )
        if not all(math.isfinite(value) for value in part):
            raise ObservationError(f"expected a finite input {name}, got {part}")
        values += part
    clipped: NDArray[np.float32] = np.clip(values, -INPUT_LIMIT, INPUT_LIMIT).astype(np.float32)
    return clipped


def readings_of(names: Sequence[str], observation: Observation) -> dict[str, float]:
    """Return the readings of some inputs, unscaled, by name; NaN where there is none.

    Args:
        names: of inputs, keys of `INPUTS`.
        observation: input of the policy.
    """
    readings: dict[str, float] = {}
    for name in names:
        source = INPUTS[name]
        value = getattr(observation, source.field)
        numbers = [math.nan] * len(source.readings) if value is None else np.ravel(value).tolist()
        readings.update(zip(source.readings, numbers, strict=True))
    return readings


def with_readings(observation: Observation, readings: Mapping[str, float]) -> Observation:
    """Return an observation with readings that `readings_of` returned; others stay unchanged.

    A reading of NaN stays NaN, so that a policy refuses it: there was none.
    """
    changes: dict[str, Any] = {}
    for source in INPUTS.values():
        if all(name in readings for name in source.readings):
            numbers = [float(readings[name]) for name in source.readings]
            changes[source.field] = numbers[0] if len(numbers) == 1 else tuple(numbers)
    if "orientation" in changes:
        changes["orientation"] = np.array(changes["orientation"], np.float64)
    return replace(observation, **changes)

"""Golden frames of the self-tests of exported C: readings, stamps and pictures.

The dense policy (`c_policy`) and the event-driven one (`c_events`) compile the same frames.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from liquid_control.export.c import template
from liquid_control.export.c_observation import FLOAT, needed_readings, readings_of
from liquid_control.policy.model import Model
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS, ImuWindow, Observation, Pixels

GOLDEN_HEADER = "golden_frames.h"
GOLDEN_FRAMES = 16
REFUSED, LOST, RESET = 5, 6, 9
"""Frames whose stamp does not advance, comes after a lost frame, and after a long gap."""
OK, BAD_STAMP = 0, 4
"""Codes of `observation.h`."""
EXACT = 2.0**10
"""Means of IMU samples are multiples of its inverse, so that sums of 19 samples are exact."""


@dataclass(frozen=True, slots=True, eq=False)
class GoldenFrame:
    """One frame of a self-test.

    Attributes:
        observation: with the picture of its style.
        style: of the picture, for `golden_picture`.
        status: code that a policy in C returns.
    """

    observation: Observation
    style: int
    status: int


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


def golden_frames(model: Model) -> list[GoldenFrame]:
    """Return the golden frames of a model.

    Elapsed times are irregular up to the frame after a longer gap than the policy bridges, from
    which it starts afresh, and regular from there on. One stamp does not advance and is refused.
    """
    rng, stamp_ns = stream(0, "export.c_policy"), NANOSECONDS
    settings, frames = model.settings, []
    spec = settings.perception
    gap_ns = round(1.5 * settings.max_gap_s * NANOSECONDS)
    nominal_ns = round(settings.nominal_dt_s * NANOSECONDS)
    for frame in range(GOLDEN_FRAMES):
        elapsed_ns = int(rng.uniform(5e6, 0.25 * gap_ns)) if frame < RESET else nominal_ns
        steps = {0: 0, REFUSED: 0, LOST: 2 * elapsed_ns, RESET: gap_ns}
        stamp_ns += steps.get(frame, elapsed_ns)
        samples = int(rng.integers(0, 20)) if frame else 0
        means = np.rint(rng.normal([0, 0, 0, 0, 0, 9.8], 1.0) * EXACT) / EXACT
        drawn = {r.field: float(rng.uniform(r.low, r.high)) for r in needed_readings(model)}
        style = frame % 8
        picture = golden_picture(style, spec.height, spec.width)
        stated_ns = stamp_ns - (elapsed_ns // 2 if frame == REFUSED else 0)
        observation = _observation(stated_ns, picture, drawn, _window(means, samples))
        frames.append(GoldenFrame(observation, style, BAD_STAMP if frame == REFUSED else OK))
    return frames


def golden_frames_c(model: Model, frames: Sequence[GoldenFrame]) -> str:
    """Return `golden_frames.h`."""
    fields = [reading.field for reading in needed_readings(model)]
    rows, lines = [], []
    for frame in frames:
        imu = frame.observation.imu
        sums = [*imu.angular_velocity.sum(axis=0), *imu.linear_acceleration.sum(axis=0)]
        values = [*sums, len(imu.stamps_ns), *readings_of(model, frame.observation).values()]
        numbers = ", ".join(repr(float(value)) for value in values)
        stamp = f"{frame.observation.stamp_ns}u, {frame.status}, {frame.style}"
        rows.append(f"    {{{stamp}, {{{numbers}}}}},")
    for place, reading in enumerate(needed_readings(model), 7):
        cast = "(float)" if reading.kind == FLOAT else ""
        lines.append(f"    observation->{reading.field} = {cast}reading[{place}];\n")
    return template(GOLDEN_HEADER).substitute(
        name=model.name,
        frames=len(frames),
        readings=7 + len(fields),
        reading_names="".join(f", {field}" for field in fields),
        frame_rows="\n".join(rows),
        fill="".join(lines),
    )


def _observation(
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


def _window(means: NDArray[np.float64], samples: int) -> ImuWindow:
    """Return a window of equal samples of rates and forces."""
    rows = np.tile(means, (samples, 1))
    return ImuWindow(np.arange(samples), rows[:, :3], rows[:, 3:])

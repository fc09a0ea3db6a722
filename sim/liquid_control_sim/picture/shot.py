"""Types of the picture pipeline: radiance, frame data, view geometry and steps.

A step is a callable chosen at construction. A step whose settings are at their defaults is
omitted, so it has neither cost nor effect.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats
from liquid_control_sim.compiling import Compiler
from liquid_control_sim.render.optics import Intrinsics

compiled = Compiler("picture", Path(__file__).parent)
"""Decorator that compiles the loops of this package."""

Radiance = NDArray[np.float32]
"""float32 [H, W, 3], RGB, linear in display values, not clipped."""


def _zero() -> Floats:
    return np.zeros(3)


@dataclass(frozen=True, slots=True)
class Shot:
    """Frame data that the steps use.

    Attributes:
        range_m: float32 [H, W], distance along the ray to the surface, m.
        is_sky: bool [H, W], pixels without a surface.
        rays: float32 [H * W, 3], unit vectors through the pixels, optical frame.
        rotation: float32 [3, 3], optical frame to map.
        frame_index: number of the frame in the flight.
        time_s: time since the start of the flight.
        position: float64 [3], position of the camera, m, map.
        velocity: float64 [3], velocity of the camera, m/s, map.
        angular_velocity: float64 [3], angular velocity of the camera, rad/s, optical frame.
        wind: float64 [3], m/s, map.
        air_moved_m: float64 [3], displacement of the air by the wind since the start, m, map.
    """

    range_m: NDArray[np.float32]
    is_sky: NDArray[np.bool_]
    rays: NDArray[np.float32]
    rotation: NDArray[np.float32]
    frame_index: int
    time_s: float = 0.0
    position: Floats = field(default_factory=_zero)
    velocity: Floats = field(default_factory=_zero)
    angular_velocity: Floats = field(default_factory=_zero)
    wind: Floats = field(default_factory=_zero)
    air_moved_m: Floats = field(default_factory=_zero)


Step = Callable[[Radiance, Shot], Radiance]


@dataclass(frozen=True)
class View:
    """Size, focal length and rays of a picture.

    Attributes:
        shape: (H, W).
        focal_px: focal length, px.
        rays: float32 [H * W, 3], unit vectors through the pixels, optical frame.
        range_per_depth: float32 [H, W], ratio of distance along the ray to depth.
    """

    shape: tuple[int, int]
    focal_px: float
    rays: NDArray[np.float32]
    range_per_depth: NDArray[np.float32]


def make_view(intrinsics: Intrinsics) -> View:
    """Return the view of a camera with these intrinsics."""
    rays = intrinsics.rays()
    length = np.linalg.norm(rays, axis=2)
    return View(
        shape=(intrinsics.height, intrinsics.width),
        focal_px=intrinsics.focal_px,
        rays=(rays / length[..., None]).reshape(-1, 3),
        range_per_depth=length.astype(np.float32),
    )

"""What the steps that form a picture share: the picture in between and what is known of a frame.

A step is a callable chosen at construction; a step whose settings are at their defaults is left
out, so that it costs nothing and changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats
from liquid_control_sim.render.optics import Intrinsics

Radiance = NDArray[np.float32]
"""float32 [H, W, 3], RGB, linear in display values, not clipped."""


def _nowhere() -> Floats:
    return np.zeros(3)


@dataclass(frozen=True, slots=True)
class Shot:
    """What the steps may know of one frame.

    Attributes:
        range_m: float32 [H, W], along the ray from the camera to what it meets.
        is_sky: bool [H, W], where it meets nothing.
        rays: float32 [H * W, 3], unit vectors through the pixels, optical frame.
        rotation: float32 [3, 3], optical frame to map.
        frame_index: number of the frame in the flight.
        time_s: since the flight began.
        position: float64 [3], of the camera, m, map.
        velocity: float64 [3], of the camera, m/s, map.
        angular_velocity: float64 [3], of the camera, rad/s, optical frame.
        wind: float64 [3], m/s, map.
        air_moved_m: float64 [3], how far the wind has carried the air since the flight began, map.
    """

    range_m: NDArray[np.float32]
    is_sky: NDArray[np.bool_]
    rays: NDArray[np.float32]
    rotation: NDArray[np.float32]
    frame_index: int
    time_s: float = 0.0
    position: Floats = field(default_factory=_nowhere)
    velocity: Floats = field(default_factory=_nowhere)
    angular_velocity: Floats = field(default_factory=_nowhere)
    wind: Floats = field(default_factory=_nowhere)
    air_moved_m: Floats = field(default_factory=_nowhere)


Step = Callable[[Radiance, Shot], Radiance]


@dataclass(frozen=True)
class View:
    """Size, focal length and rays of a picture.

    Attributes:
        shape: (H, W).
        focal_px: focal length.
        rays: float32 [H * W, 3], unit vectors through the pixels, optical frame.
        range_per_depth: float32 [H, W], distance along the ray over depth.
    """

    shape: tuple[int, int]
    focal_px: float
    rays: NDArray[np.float32]
    range_per_depth: NDArray[np.float32]


def make_view(intrinsics: Intrinsics) -> View:
    """Return the view of a camera matrix."""
    rays = intrinsics.rays()
    length = np.linalg.norm(rays, axis=2)
    return View(
        shape=(intrinsics.height, intrinsics.width),
        focal_px=intrinsics.focal_px,
        rays=(rays / length[..., None]).reshape(-1, 3),
        range_per_depth=length.astype(np.float32),
    )

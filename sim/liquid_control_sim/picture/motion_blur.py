"""What moves while the shutter is open is smeared."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control_sim.picture.shot import Radiance, Shot, View

_MOST_SAMPLES = 6
_LEAST_PX = 0.05
"""A frame in which nothing moves by more than this is left as it is."""


class MotionBlur:
    """Averages the picture along the motion of each pixel while the shutter is open.

    The motion field is that of a still scene: with q = Z (x, y, 1) what a pixel sees, and the
    camera moving at v and turning at w, q' = -v - w x q, and the pixel moves by
    f (q'_x - x q'_z, q'_y - y q'_z) / Z a second. The stamp is the middle of the shutter time. A
    pixel gathers along its own motion, so that the smear of a near trunk ends at its outline.

    Args:
        exposure_s: shutter time.
        view: geometry of the picture.
    """

    def __init__(self, exposure_s: float, view: View) -> None:
        self._shift = np.float32(exposure_s * view.focal_px)
        unit = view.rays.reshape(*view.shape, 3)
        self._range_per_depth = view.range_per_depth
        self._x = unit[..., 0] / unit[..., 2]
        self._y = unit[..., 1] / unit[..., 2]
        rows, columns = np.indices(view.shape, dtype=np.float32)
        self._rows, self._columns = rows, columns

    def motion_px(self, shot: Shot) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return how far each pixel moves right and down while the shutter is open."""
        forward = (shot.rotation.T @ shot.velocity).astype(np.float32)
        wx, wy, wz = shot.angular_velocity.astype(np.float32)
        nearness = self._range_per_depth / shot.range_m
        x, y = self._x, self._y
        u = (x * forward[2] - forward[0]) * nearness + x * (y * wx - x * wy) - wy + y * wz
        v = (y * forward[2] - forward[1]) * nearness + y * (y * wx - x * wy) + wx - x * wz
        return self._shift * u, self._shift * v

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the smeared picture."""
        u, v = self.motion_px(shot)
        longest = math.sqrt(float(np.max(u * u + v * v)))
        if longest < _LEAST_PX:
            return picture
        count = min(math.ceil(longest) + 1, _MOST_SAMPLES)
        total = np.zeros_like(picture)
        for part in (np.arange(count, dtype=np.float32) + 0.5) / count - 0.5:
            moved = cv2.remap(
                picture,
                self._columns - part * u,
                self._rows - part * v,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            cv2.accumulate(moved, total)
        return np.asarray(cv2.multiply(total, np.full(4, 1.0 / count)))

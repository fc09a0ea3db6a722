"""Software rasteriser: radiance and range of a stage, in floating point, without exposure.

It replaces PyBullet's software renderer, which takes 2 to 4 ms for a small picture of a forest,
samples textures without filtering, clips light to eight bits and cannot cast shadows in that time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control_sim.render.kernels.coverage import draw
from liquid_control_sim.render.kernels.kernel_types import Lens, Light, Pose, Shadow, Stage
from liquid_control_sim.render.kernels.shading import shade
from liquid_control_sim.render.optics import NEAR_M, CameraPose, Intrinsics
from liquid_control_sim.render.shadow_map import NO_SHADOW

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Rendered:
    """Result of rendering.

    Attributes:
        radiance: float32 [H, W, 3], RGB, texture times light; 0 without a surface.
        range_m: float32 [H, W], distance along the ray, m, infinite without a surface.
    """

    radiance: Image
    range_m: Image


class Rasteriser:
    """Renders a stage with fixed intrinsics; the result depends on the arguments only.

    Args:
        intrinsics: camera intrinsics; pixel (u, v) is sampled at (u + 0.5, v + 0.5).
        stage: packed models.
    """

    def __init__(self, intrinsics: Intrinsics, stage: Stage) -> None:
        self._stage = stage
        self._lens = Lens(
            intrinsics.focal_px, 0.5 * intrinsics.width, 0.5 * intrinsics.height, NEAR_M
        )
        self._shape = (intrinsics.height, intrinsics.width)
        self._all = np.ones(len(stage.boxes), np.bool_)
        self._points = np.empty((len(stage.vertices), 5))
        self._cut = np.empty((4, 2))
        self._surface = np.empty((6, 3))
        self._spots = np.empty((6, intrinsics.width))
        self._steps = np.empty((2, intrinsics.width), np.int64)
        self._nearness = np.empty(self._shape, np.float32)
        self._owner = np.empty(self._shape, np.int32)

    def render(
        self,
        pose: CameraPose,
        light: Light,
        shadow: Shadow = NO_SHADOW,
        shown: NDArray[np.bool_] | None = None,
    ) -> Rendered:
        """Return radiance = texture (sky + direct max(n . l, 0) visible), and range.

        Args:
            pose: pose of the optical frame.
            light: sun and sky.
            shadow: shadow maps.
            shown: bool [M], models to draw; all if None.
        """
        shown = self._all if shown is None else shown
        where = Pose(np.ascontiguousarray(pose.position), np.ascontiguousarray(pose.rotation))
        radiance = np.empty((*self._shape, 3), np.float32)
        range_m = np.empty(self._shape, np.float32)
        draw(
            self._stage,
            shown,
            self._lens,
            where,
            self._points,
            self._cut,
            self._nearness,
            self._owner,
        )
        shade(
            self._stage,
            self._lens,
            where,
            light,
            shadow,
            self._points,
            self._surface,
            self._spots,
            self._steps,
            self._owner,
            radiance,
            range_m,
        )
        return Rendered(radiance, range_m)

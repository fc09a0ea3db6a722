"""Forward camera: renders the scene and forms the picture.

A capture is one pass of the rasteriser, on one thread, followed by the steps of `pipeline`. The
only state between frames is `pipeline.Memory`, for automatic exposure, frozen frames and moving
air. Without these, the picture depends only on vehicle state, frame number and time.
"""

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import Scenario
from liquid_control.types import Floats, Pixels, VehicleState
from liquid_control_sim.picture.pipeline import Memory, make_pipeline
from liquid_control_sim.picture.shot import Shot, make_view
from liquid_control_sim.render.optics import CameraPose, make_intrinsics, make_mount
from liquid_control_sim.render.rasteriser import Rasteriser, Rendered
from liquid_control_sim.render.scene import Scene


class Camera:
    """Camera that captures pictures of a scene.

    Args:
        scene: objects and light.
        scenario: its `light`, weather, `camera` and `delta` are used.
        seed: seed of the flight.
        oversample: rendered pixels per picture pixel in each direction; 1 in flight.

    Attributes:
        range_m: range of every pixel of the last capture, float32 [H, W], m; None before it.
    """

    def __init__(self, scene: Scene, scenario: Scenario, seed: int, oversample: int = 1) -> None:
        self._scene = scene
        settings = scenario.camera.model_copy(
            update={
                "width": scenario.camera.width * oversample,
                "height": scenario.camera.height * oversample,
            }
        )
        self.intrinsics = make_intrinsics(settings)
        self.mount = make_mount(settings)
        self._rasteriser = Rasteriser(self.intrinsics, scene.stage)
        self._view = make_view(self.intrinsics)
        self._frame_s = 1.0 / scenario.camera.rate_hz
        self._pipeline = make_pipeline(
            scenario, scene.sun, scene.forest.palette, self._view, seed, oversample
        )
        self._memory = Memory()
        self.range_m: NDArray[np.float32] | None = None

    def capture(
        self,
        state: VehicleState,
        frame_index: int,
        time_s: float | None = None,
        wind: Floats | None = None,
    ) -> Pixels:
        """Capture a picture.

        Args:
            state: state of the vehicle that carries the camera.
            frame_index: number of the frame in the flight; it selects the noise.
            time_s: time since the start of the flight; frame number over nominal rate if None.
            wind: float64 [3], wind at the camera, m/s, map; calm if None.

        Returns:
            uint8 [H, W, 3], RGB.
        """
        time_s = frame_index * self._frame_s if time_s is None else time_s
        wind = np.zeros(3) if wind is None else wind
        memory = self._memory.at(time_s, wind)
        pose, velocity = self.mount.motion(state)
        rendered = self.render(pose, time_s)
        self.range_m = rendered.range_m
        shot = Shot(
            range_m=rendered.range_m,
            is_sky=np.isinf(rendered.range_m),
            rays=self._view.rays,
            rotation=pose.rotation.astype(np.float32),
            frame_index=frame_index,
            time_s=time_s,
            position=pose.position,
            velocity=velocity,
            angular_velocity=self.mount.rotation.T @ state.angular_velocity,
            wind=wind,
            air_moved_m=np.array(memory.air_moved_m),
        )
        pixels, self._memory = self._pipeline.form(rendered.radiance, shot, memory)
        return pixels

    def render(self, pose: CameraPose, time_s: float = 0.0) -> Rendered:
        """Return radiance and range from a pose at a time, before air, lens and sensor."""
        scene = self._scene
        return self._rasteriser.render(
            pose, scene.light, scene.shadow(time_s), scene.visible_models(time_s)
        )

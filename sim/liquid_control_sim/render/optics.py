"""Camera geometry: intrinsics, pose and mount."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import CameraSettings
from liquid_control.frames import OPTICAL_TO_FLU, rotation_from_quaternion
from liquid_control.types import Floats, VehicleState

NEAR_M = 0.1
"""Depth of the near plane."""


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole camera with square pixels and a central principal point.

    Pixel (u, v) covers [u, u + 1) x [v, v + 1); its centre is (u + 0.5, v + 0.5).

    Attributes:
        width: width of the picture, px.
        height: height of the picture, px.
        focal_px: focal length, px.
    """

    width: int
    height: int
    focal_px: float

    def project(self, point: Floats) -> tuple[float, float]:
        """Return the pixel coordinates (u, v) of a point [3] with z > 0 in the optical frame."""
        x, y, z = (float(v) for v in point)
        return (
            0.5 * self.width + self.focal_px * x / z,
            0.5 * self.height + self.focal_px * y / z,
        )

    def rays(self) -> NDArray[np.float32]:
        """Return rays of depth 1 through pixel centres, optical frame, float32 [H, W, 3]."""
        x = (np.arange(self.width) + 0.5 - 0.5 * self.width) / self.focal_px
        y = (np.arange(self.height) + 0.5 - 0.5 * self.height) / self.focal_px
        grid_x, grid_y = np.meshgrid(x, y)
        return np.stack([grid_x, grid_y, np.ones_like(grid_x)], axis=2).astype(np.float32)


@dataclass(frozen=True)
class CameraPose:
    """Pose of the optical frame.

    Attributes:
        position: float64 [3], m, map.
        rotation: float64 [3, 3], camera_optical_frame to map.
    """

    position: Floats
    rotation: Floats

    def to_optical(self, point: Floats) -> Floats:
        """Transform a point [3] from the map frame to the optical frame."""
        return np.asarray(self.rotation.T @ (point - self.position))


@dataclass(frozen=True)
class Mount:
    """Pose of the camera on the vehicle.

    Attributes:
        offset: float64 [3], m, base_link.
        rotation: float64 [3, 3], camera_optical_frame to base_link.
    """

    offset: Floats
    rotation: Floats

    def pose(self, state: VehicleState) -> CameraPose:
        """Return the pose of the camera for a vehicle state."""
        return self._pose(state, rotation_from_quaternion(state.quaternion))

    def velocity(self, state: VehicleState) -> Floats:
        """Return the velocity of the camera, with that due to rotation, float64 [3], m/s, map."""
        return self._velocity(state, rotation_from_quaternion(state.quaternion))

    def motion(self, state: VehicleState) -> tuple[CameraPose, Floats]:
        """Return `pose` and `velocity`."""
        body = rotation_from_quaternion(state.quaternion)
        return self._pose(state, body), self._velocity(state, body)

    def _pose(self, state: VehicleState, body: Floats) -> CameraPose:
        return CameraPose(state.position + body @ self.offset, body @ self.rotation)

    def _velocity(self, state: VehicleState, body: Floats) -> Floats:
        p, q, r = state.angular_velocity.tolist()
        x, y, z = self.offset.tolist()
        swing = np.array([q * z - r * y, r * x - p * z, p * y - q * x])
        return np.asarray(state.velocity + body @ swing)


def make_intrinsics(settings: CameraSettings) -> Intrinsics:
    """Return the intrinsics of the settings."""
    return Intrinsics(settings.width, settings.height, settings.focal_px)


def make_mount(settings: CameraSettings) -> Mount:
    """Return the mount of the settings: pitched down about the body's left axis."""
    pitch = math.radians(settings.pitch_down_deg)
    c, s = math.cos(pitch), math.sin(pitch)
    down = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    return Mount(np.array([settings.forward_m, 0.0, settings.up_m]), down @ OPTICAL_TO_FLU)

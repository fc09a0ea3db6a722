"""Frames without a renderer, for tests of single steps."""

import numpy as np
import pytest

from liquid_control.config import CameraSettings
from liquid_control_sim.picture.shot import Shot, View, make_view
from liquid_control_sim.render.optics import make_intrinsics


@pytest.fixture
def view() -> View:
    return make_view(make_intrinsics(CameraSettings()))


@pytest.fixture
def make_shot(view):
    """Return a factory of shots of a wall at one distance, facing east."""

    def make(range_m=10.0, is_sky=False, frame_index=0, **known) -> Shot:
        # Optical x, y, z are south, down, east.
        east = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], np.float32)
        return Shot(
            range_m=np.full(view.shape, range_m, np.float32),
            is_sky=np.full(view.shape, is_sky),
            rays=view.rays,
            rotation=known.pop("rotation", east),
            frame_index=frame_index,
            **known,
        )

    return make


@pytest.fixture
def pattern(view) -> np.ndarray:
    """Return random light from a fixed seed."""
    return np.random.default_rng(11).random((*view.shape, 3)).astype(np.float32)

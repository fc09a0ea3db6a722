"""Fog against its formula, and the background of a picture."""

import numpy as np
import pytest

from liquid_control_sim.picture.shot import Shot
from liquid_control_sim.picture.sky import Backdrop, Fog, Panorama

pytestmark = pytest.mark.sim

HEIGHT, WIDTH = 60, 100


def shot(range_m=10.0, frame_index=0, is_sky=False) -> Shot:
    return Shot(
        range_m=np.full((HEIGHT, WIDTH), range_m, np.float32),
        is_sky=np.full((HEIGHT, WIDTH), is_sky),
        rays=np.tile(np.float32([0.0, 0.0, 1.0]), (HEIGHT * WIDTH, 1)),
        rotation=np.eye(3, dtype=np.float32),
        frame_index=frame_index,
    )


def picture(value=0.5) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), value, np.float32)


@pytest.mark.parametrize("extinction", [0.02, 0.1, 0.25])
def test_fog_follows_koschmieders_law(extinction):
    airlight = np.array([0.7, 0.8, 0.9])
    distance = np.linspace(0.1, 200.0, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    frame = Shot(
        range_m=distance.astype(np.float32),
        is_sky=np.zeros((HEIGHT, WIDTH), bool),
        rays=shot().rays,
        rotation=shot().rotation,
        frame_index=0,
    )
    through = np.exp(-extinction * distance)[..., None]
    expected = 0.25 * through + airlight * (1.0 - through)
    assert Fog(extinction, airlight)(picture(0.25), frame) == pytest.approx(expected, abs=1e-6)


def test_backdrop_fills_sky_pixels_only():
    panorama = Panorama(np.full((8, 32, 3), 0.9, np.float32))
    filled = Backdrop(panorama)(picture(0.1), shot(is_sky=True))
    assert filled == pytest.approx(0.9)
    assert Backdrop(panorama)(picture(0.1), shot()) == pytest.approx(0.1)

"""Light of a flight: gain, dusk and the direction of the sun."""

from itertools import pairwise

import numpy as np
import pytest

from liquid_control.config import LightSettings
from liquid_control_sim.render.sunlight import make_sun

pytestmark = pytest.mark.sim


def test_light_gain_multiplies_the_exposure():
    noon, dark = (make_sun(LightSettings(gain=gain), 0) for gain in (1.0, 0.3))
    assert dark.exposure == pytest.approx(0.3 * noon.exposure)


def test_dusk_is_dimmer_and_warmer_than_noon():
    def ground(elevation: float) -> np.ndarray:
        sun = make_sun(LightSettings(sun_elevation_deg=elevation), 0)
        return sun.exposure * (sun.sky + sun.direct * max(sun.direction[2], 0.0))

    levels = [ground(elevation).mean() for elevation in (50.0, 12.0, 4.0, 0.0, -5.0)]
    assert all(darker < lighter for lighter, darker in pairwise(levels))
    assert levels[-1] > 0.1
    assert ground(4.0)[0] / ground(4.0)[2] > 1.1 * ground(50.0)[0] / ground(50.0)[2]


def test_sun_azimuth_is_the_given_or_a_random_one():
    sun = make_sun(LightSettings(sun_azimuth_deg=90.0, sun_elevation_deg=30.0), 0)
    assert sun.direction == pytest.approx([0.0, np.cos(np.pi / 6), 0.5], abs=1e-12)
    drawn = [make_sun(LightSettings(), seed).direction for seed in (1, 1, 2)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])

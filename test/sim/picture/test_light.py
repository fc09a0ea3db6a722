"""Colour temperature, flicker and automatic exposure against their formulas."""

import numpy as np
import pytest

from liquid_control_sim.picture.light import (
    DISPLAY_GAMMA,
    AutomaticExposure,
    ColourTemperature,
    Flicker,
    planckian_chromaticity,
    temperature_factor,
)

pytestmark = pytest.mark.sim


def planck(temperature_k: float) -> tuple[float, float]:
    """Integrate Planck's law over a fit of the CIE 1931 observer (Wyman et al. 2013)."""
    nm = np.arange(380.0, 781.0)
    power = nm**-5 / np.expm1(1.4387769e7 / (nm * temperature_k))

    def lobe(mean, low, high):
        return np.exp(-0.5 * ((nm - mean) * np.where(nm < mean, low, high)) ** 2)

    x = 1.056 * lobe(599.8, 0.0264, 0.0323) + 0.362 * lobe(442.0, 0.0624, 0.0374)
    x -= 0.065 * lobe(501.1, 0.0490, 0.0382)
    y = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z = 1.217 * lobe(437.0, 0.0845, 0.0278) + 0.681 * lobe(459.0, 0.0385, 0.0725)
    total = [float(np.sum(power * curve)) for curve in (x, y, z)]
    return total[0] / sum(total), total[1] / sum(total)


def test_illuminant_a_has_the_published_chromaticity():
    # CIE 15: illuminant A, 2856 K, is at x = 0.44757, y = 0.40745.
    assert planckian_chromaticity(2856.0) == pytest.approx((0.44757, 0.40745), abs=0.001)


@pytest.mark.parametrize("temperature_k", [2000.0, 3000.0, 4000.0, 5000.0, 6500.0, 15000.0])
def test_chromaticity_follows_plancks_law(temperature_k):
    # The fits of the observer and of the locus are each accurate to about 0.002.
    assert planckian_chromaticity(temperature_k) == pytest.approx(planck(temperature_k), abs=0.004)


def test_6500_k_is_neutral_and_white_preserves_its_luminance():
    assert temperature_factor(6500.0) == pytest.approx(np.ones(3), abs=1e-15)
    warm, cold = temperature_factor(2500.0), temperature_factor(12000.0)
    assert warm[0] > warm[1] > warm[2] > 0.0
    assert cold[2] > cold[1] > cold[0] > 0.0
    luminance = np.array([0.2126729, 0.7151522, 0.0721750])
    white = temperature_factor(6500.0)
    for factor in (warm, cold):
        # 6500 K is not D65, so equal channels are not exactly its white.
        assert luminance @ factor == pytest.approx(luminance @ white, rel=0.03)


def test_temperature_multiplies_display_values(pattern, make_shot):
    expected = pattern * temperature_factor(3000.0) ** (1.0 / DISPLAY_GAMMA)
    assert ColourTemperature(3000.0)(pattern, make_shot()) == pytest.approx(expected, rel=1e-6)


def test_flicker_is_a_sine_that_the_shutter_time_smooths():
    times = np.arange(0.0, 1.0, 1e-3)
    sharp, slow = Flicker(0.4, 8.0, 0.0, 1), Flicker(0.4, 8.0, 0.125, 1)
    values = np.array([sharp.factor(time) for time in times])
    assert values.mean() == pytest.approx(1.0, abs=1e-12)
    assert (values.max() - values.min()) / (values.max() + values.min()) == pytest.approx(
        0.4, abs=1e-3
    )
    assert sharp.factor(0.03) == pytest.approx(sharp.factor(0.03 + 3.0 / 8.0), abs=1e-12)
    # There is no flicker with a shutter time of one period.
    assert [slow.factor(time) for time in times] == pytest.approx(np.ones(1000), abs=1e-15)


def test_flicker_near_the_frame_rate_aliases_to_a_slow_wave():
    flicker = Flicker(0.4, 21.0, 0.0, 1)
    sampled = np.array([flicker.factor(frame / 20.0) for frame in range(40)])
    slow = Flicker(0.4, 1.0, 0.0, 1)
    assert sampled == pytest.approx([slow.factor(frame / 20.0) for frame in range(40)], abs=1e-9)


def test_automatic_exposure_converges_with_its_time_constant():
    exposure = AutomaticExposure(1.0, 0.5)
    bright, dark = np.full((4, 4, 3), 0.4, np.float32), np.full((4, 4, 3), 0.2, np.float32)
    picture, state = exposure(bright, 0.0, None)
    assert picture == pytest.approx(0.4)
    errors = []
    for frame in range(1, 22):
        picture, state = exposure(dark, 0.05 * frame, state)
        errors.append(np.log(0.4 / picture.mean()))
    # The light halves at once; the logarithm of the error decays by exp(-dt / lag) a frame.
    expected = np.log(2.0) * np.exp(-0.05 * np.arange(21) / 0.5)
    assert errors == pytest.approx(expected, abs=1e-5)


def test_automatic_exposure_depends_on_elapsed_time_and_not_on_frames():
    exposure = AutomaticExposure(1.0, 0.5)
    bright, dark = np.full((4, 4, 3), 0.4, np.float32), np.full((4, 4, 3), 0.2, np.float32)
    means = []
    for times in ([0.1, 0.9], [0.1, 0.3, 0.5, 0.7, 0.9]):
        _, state = exposure(bright, 0.0, None)
        for time_s in times:
            picture, state = exposure(dark, time_s, state)
        means.append(picture.mean())
    assert means[0] == pytest.approx(means[1], rel=1e-5)

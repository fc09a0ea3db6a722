"""Factors on all light of a picture: colour temperature, flicker, and fixed or metered exposure.

The automatic exposure depends on the frames it took. Its state is explicit: a `Metering` is passed
in with a frame and returned with it.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.picture.shot import Radiance, Shot, compiled

NEUTRAL_K = 6500.0
DISPLAY_GAMMA = 2.2
_X_LOW = (-0.2661239e9, -0.2343589e6, 0.8776956e3, 0.179910)
_X_HIGH = (-3.0258469e9, 2.1070379e6, 0.2226347e3, 0.240390)
"""Coefficients of 1/T^3, 1/T^2, 1/T and 1, up to 4000 K and above."""
_Y_LOW = (-1.1063814, -1.34811020, 2.18555832, -0.20219683)
_Y_MIDDLE = (-0.9549476, -1.37418593, 2.09137015, -0.16748867)
_Y_HIGH = (3.0817580, -5.87338670, 3.75112997, -0.37001483)
"""Coefficients of x^3, x^2, x and 1, up to 2222 K, up to 4000 K and above."""
_XYZ_TO_RGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)


def planckian_chromaticity(temperature_k: float) -> tuple[float, float]:
    """Return the CIE 1931 chromaticity (x, y) of a black body from 1667 to 25000 K.

    Kim et al.'s cubic splines of the Planckian locus (US patent 7024034, 2006), within 0.002 of
    Planck's law.
    """
    x = float(np.polyval(_X_LOW if temperature_k <= 4000.0 else _X_HIGH, 1.0 / temperature_k))
    if temperature_k <= 2222.0:
        return x, float(np.polyval(_Y_LOW, x))
    return x, float(np.polyval(_Y_MIDDLE if temperature_k <= 4000.0 else _Y_HIGH, x))


def temperature_factor(temperature_k: float) -> Floats:
    """Return the factor on linear sRGB (IEC 61966-2-1, D65), float64 [3]; ones at 6500 K.

    The camera is balanced for 6500 K. A white surface keeps its luminance Y.
    """
    return np.asarray(_white(temperature_k) / _white(NEUTRAL_K))


def _white(temperature_k: float) -> Floats:
    """Return the linear RGB of light of unit luminance, float64 [3]."""
    x, y = planckian_chromaticity(temperature_k)
    return np.asarray(_XYZ_TO_RGB @ np.array([x / y, 1.0, (1.0 - x - y) / y]))


class ColourTemperature:
    """Tint of all light by its colour temperature, K."""

    def __init__(self, temperature_k: float) -> None:
        self._factor = np.append(temperature_factor(temperature_k) ** (1.0 / DISPLAY_GAMMA), 1.0)

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the tinted picture."""
        return np.asarray(cv2.multiply(picture, self._factor))


class Flicker:
    """Sinusoidal brightness flicker, sampled by the frames and averaged over the shutter time.

    The factor is 1 + m s sin(2 pi f t + phase), with s = sin(pi f T) / (pi f T) for a shutter
    open for T: a frequency near a multiple of the frame rate aliases to slow waves, and a long
    shutter smooths. The phase is drawn from the stream "light.flicker".

    Args:
        depth: m, (max - min) / (max + min), 0 to 1.
        frequency_hz: f.
        exposure_s: T.
        seed: seed of the flight.
    """

    def __init__(self, depth: float, frequency_hz: float, exposure_s: float, seed: int) -> None:
        self._depth = depth * float(np.sinc(frequency_hz * exposure_s))
        self._omega = 2.0 * math.pi * frequency_hz
        self._phase = stream(seed, "light.flicker").uniform(0.0, 2.0 * math.pi)

    def factor(self, time_s: float) -> float:
        """Return the brightness at a time; its mean is 1."""
        return 1.0 + self._depth * math.sin(self._omega * time_s + self._phase)

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the picture with the brightness at the time of the frame."""
        return np.asarray(cv2.multiply(picture, np.full(4, self.factor(shot.time_s))))


_RANGE = math.log(16.0)
"""Largest logarithm of the automatic exposure relative to that of the first frame."""
_BLACK = 1e-4


@dataclass(frozen=True, slots=True)
class Metering:
    """State of the automatic exposure after a frame.

    Attributes:
        time_s: time of the frame.
        mean: mean value of the frame, clipped to [0, 1].
        target: controlled mean value: that of the first frame.
        log_factor: natural logarithm of the frame's exposure over that of the first frame.
    """

    time_s: float
    mean: float
    target: float
    log_factor: float


class Exposure:
    """Fixed exposure of a flight."""

    def __init__(self, gain: float) -> None:
        self._gain = float(gain)

    def __call__(
        self, picture: Radiance, time_s: float, before: Metering | None
    ) -> tuple[Radiance, Metering | None]:
        """Return the exposed picture, which may exceed 1, and the unchanged state."""
        exposed = np.empty(picture.shape, np.float32)
        flat = np.ascontiguousarray(picture, np.float32).reshape(-1)
        _scale(flat, self._gain, exposed.reshape(-1))
        return exposed, before


@compiled
def _scale(values: Radiance, gain: float, scaled: Radiance) -> None:
    """Fill `scaled` with the products, computed in double precision."""
    for index in range(len(scaled)):
        scaled[index] = np.float32(np.float64(values[index]) * gain)


class AutomaticExposure:
    """Automatic exposure that controls the mean to that of the first frame, with a lag.

    Before each frame the logarithm of the exposure changes by the fraction 1 - exp(-dt / lag) of
    ln(target / mean), metered on the previous frame: in steady light the error decays with the
    time constant `lag_s` at any frame rate. A clipped frame meters too low a mean, as in a real
    camera, which makes recovery from glare slower than from darkness.

    Args:
        gain: exposure of the first frame.
        lag_s: time constant, s.
    """

    def __init__(self, gain: float, lag_s: float) -> None:
        self._gain = gain
        self._lag_s = lag_s

    def __call__(
        self, picture: Radiance, time_s: float, before: Metering | None
    ) -> tuple[Radiance, Metering | None]:
        """Return the exposed picture and the new state."""
        log_factor = 0.0 if before is None else self._next_log_factor(before, time_s)
        gain = np.full(4, self._gain * math.exp(log_factor))
        exposed: Radiance = np.asarray(cv2.multiply(picture, gain))
        mean = max(_mean(exposed), _BLACK)
        target = mean if before is None else before.target
        return exposed, Metering(time_s, mean, target, log_factor)

    def _next_log_factor(self, before: Metering, time_s: float) -> float:
        fraction = -math.expm1(-max(time_s - before.time_s, 0.0) / self._lag_s)
        log_factor = before.log_factor + fraction * math.log(before.target / before.mean)
        return min(max(log_factor, -_RANGE), _RANGE)


def _mean(picture: Radiance) -> float:
    """Return the mean over pixels and channels of the values clipped to [0, 1]."""
    return float(np.mean(np.clip(picture, 0.0, 1.0), dtype=np.float64))

"""From light to picture: one factor on everything, fixed for the flight or metered on its frames.

The automatic exposure knows only frames that it took. Its state is explicit: `Metering` goes in
with a frame and comes out with it.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from liquid_control.seeding import stream
from liquid_control_sim.picture.shot import Radiance, Shot

_RANGE = math.log(16.0)
"""The automatic exposure departs from the flight's first by at most this factor's logarithm."""
_BLACK = 1e-4


@dataclass(frozen=True, slots=True)
class Metering:
    """What the automatic exposure remembers of the frame before.

    Attributes:
        time_s: when it was taken.
        mean: its mean value, clipped to [0, 1].
        target: the mean value that is held: the first frame's.
        log_factor: natural logarithm of its exposure over the first frame's.
    """

    time_s: float
    mean: float
    target: float
    log_factor: float


class Exposure:
    """The flight's fixed exposure."""

    def __init__(self, gain: float) -> None:
        self._gain = np.full(4, gain)

    def __call__(
        self, picture: Radiance, time_s: float, before: Metering | None
    ) -> tuple[Radiance, Metering | None]:
        """Return the exposed picture, which may exceed 1; there is nothing to remember."""
        return np.asarray(cv2.multiply(picture, self._gain)), before


class AutomaticExposure:
    """Holds the mean value of the first frame, late.

    Before each frame the logarithm of the exposure moves by the share 1 - exp(-dt / lag) of
    ln(target / mean), metered on the frame before: in steady light the error decays with the time
    constant `lag_s`, whatever the frame rate. A clipped frame meters too low a mean, as in a real
    camera, so that recovery from glare is slower than from darkness.

    Args:
        gain: exposure of the flight's first frame.
        lag_s: time constant, s.
    """

    def __init__(self, gain: float, lag_s: float) -> None:
        self._gain = gain
        self._lag_s = lag_s

    def __call__(
        self, picture: Radiance, time_s: float, before: Metering | None
    ) -> tuple[Radiance, Metering | None]:
        """Return the exposed picture and what to remember of it."""
        log_factor = 0.0 if before is None else self._follow(before, time_s)
        gain = np.full(4, self._gain * math.exp(log_factor))
        exposed: Radiance = np.asarray(cv2.multiply(picture, gain))
        mean = max(_mean(exposed), _BLACK)
        target = mean if before is None else before.target
        return exposed, Metering(time_s, mean, target, log_factor)

    def _follow(self, before: Metering, time_s: float) -> float:
        share = -math.expm1(-max(time_s - before.time_s, 0.0) / self._lag_s)
        wanted = before.log_factor + share * math.log(before.target / before.mean)
        return min(max(wanted, -_RANGE), _RANGE)


def _mean(picture: Radiance) -> float:
    """Return the mean over pixels and channels of the values as the sensor clips them."""
    return float(np.mean(np.clip(picture, 0.0, 1.0), dtype=np.float64))


class SensorNoise:
    """Shot noise whose variance grows with light, and read noise whose does not.

    sigma^2 = shot_noise^2 * value / level + read_sigma^2, of full scale. Full scale at level 1 is
    1 / shot_noise^2 photo-electrons. Where a share `level` of the light arrives and the gain makes
    it good, a value is made of `level` times as many, and their Poisson variance, seen through the
    gain, is 1 / level times as large. The normal distribution stands for Poisson's, which it
    approaches from about 10 electrons on. A frame's noise depends on the seed and on its number
    alone.

    Args:
        shot_noise: standard deviation at full scale and level 1, of full scale.
        read_sigma: standard deviation of the read noise, of full scale.
        seed: the flight's.
        level: share of the light that arrives, in (0, 1].
    """

    def __init__(
        self, shot_noise: float, read_sigma: float, seed: int, level: float = 1.0
    ) -> None:
        self._shot_variance = shot_noise * shot_noise / level
        self._read_variance = read_sigma * read_sigma
        self._seed = seed

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the picture with noise added."""
        rng = stream(self._seed, f"camera.noise.{shot.frame_index}")
        noise = rng.standard_normal(picture.shape, dtype=np.float32)
        if self._shot_variance == 0.0:
            return np.asarray(cv2.scaleAdd(noise, self._read_variance**0.5, picture))
        variance = picture * np.float32(self._shot_variance) + np.float32(self._read_variance)
        return np.asarray(cv2.add(picture, cv2.multiply(noise, cv2.sqrt(variance))))

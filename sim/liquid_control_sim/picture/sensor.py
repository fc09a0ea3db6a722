"""Shutter, sensor and transport of a picture: motion blur, noise, compression, frozen frames.

Compression takes and returns uint8 [H, W, 3], RGB. The published image-space changes, which come
after it, are in `liquid_control.perception.deltas`.
"""

import functools
import math
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.config import CameraSettings
from liquid_control.perception.deltas import PixelStep
from liquid_control.seeding import stream
from liquid_control.types import Pixels
from liquid_control_sim.picture.shot import Radiance, Shot, View, compiled

_BITS = 14
_LEVELS = 1 << _BITS


@functools.cache
def normal_quantiles() -> NDArray[np.float32]:
    """Return 16,384 equally probable values of the standard normal distribution, ascending.

    Value i is the quantile of (i + 1/2) / 16,384, float32 [16384]; the largest is 4.01.
    """
    normal = NormalDist()
    lower = [normal.inv_cdf((index + 0.5) / _LEVELS) for index in range(_LEVELS // 2)]
    values = np.array(lower, np.float32)
    return np.concatenate([values, -values[::-1]])


def standard_normals(generator: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Draw from `normal_quantiles`, float32 [count], with 16 random bits each.

    This takes a third of the time of `Generator.standard_normal`. A picture of 8 bits does not
    show the steps of the values, 0.00015 near zero.
    """
    words = np.asarray(generator.bit_generator.random_raw(-(-count // 4)), "<u8")
    drawn = np.empty(count, np.float32)
    _look_up(words.view("<u2"), normal_quantiles(), drawn)
    return drawn


@compiled
def _look_up(
    words: NDArray[np.uint16], table: NDArray[np.float32], drawn: NDArray[np.float32]
) -> None:
    """Fill `drawn` with the values of a table at the upper `_BITS` bits of words."""
    for index in range(len(drawn)):
        drawn[index] = table[words[index] >> (16 - _BITS)]


class SensorNoise:
    """Shot noise, whose variance is proportional to light, and constant read noise.

    sigma^2 = shot_noise^2 * value / level + read_sigma^2, of full scale. Full scale at level 1 is
    1 / shot_noise^2 photo-electrons. At a light level below 1, which the gain compensates for, a
    value corresponds to `level` times as many electrons, and the gain makes their Poisson variance
    1 / level times as large. A normal distribution approximates the Poisson distribution, which is
    accurate from about 10 electrons on. The noise of a frame depends on the seed and the frame
    number only.

    Args:
        shot_noise: standard deviation at full scale and level 1, of full scale.
        read_sigma: standard deviation of the read noise, of full scale.
        seed: seed of the flight.
        level: fraction of the nominal light, in (0, 1].
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
        noise = standard_normals(rng, picture.size).reshape(picture.shape)
        if self._shot_variance == 0.0:
            return np.asarray(cv2.scaleAdd(noise, self._read_variance**0.5, picture))
        variance = picture * np.float32(self._shot_variance) + np.float32(self._read_variance)
        return np.asarray(cv2.add(picture, cv2.multiply(noise, cv2.sqrt(variance))))


_MOST_SAMPLES = 6
_LEAST_PX = 0.05
"""Smallest motion, px, for which a frame is blurred."""


class MotionBlur:
    """Motion blur: average of the picture along each pixel's motion while the shutter is open.

    The motion field is that of a static scene: with the point q = Z (x, y, 1) of a pixel and a
    camera of velocity v and angular velocity w, q' = -v - w x q, and the pixel moves by
    f (q'_x - x q'_z, q'_y - y q'_z) / Z per second. The stamp is the middle of the shutter time.
    A pixel gathers along its own motion, so the blur of a near trunk ends at its outline.

    Args:
        exposure_s: shutter time, s.
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
        """Return the motion of each pixel right and down during the exposure, px, [H, W] each."""
        forward = (shot.rotation.T @ shot.velocity).astype(np.float32)
        wx, wy, wz = shot.angular_velocity.astype(np.float32)
        nearness = self._range_per_depth / shot.range_m
        x, y = self._x, self._y
        u = (x * forward[2] - forward[0]) * nearness + x * (y * wx - x * wy) - wy + y * wz
        v = (y * forward[2] - forward[1]) * nearness + y * (y * wx - x * wy) + wx - x * wz
        return self._shift * u, self._shift * v

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the blurred picture."""
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


BLACKOUT_WITHIN_S = 20.0
"""A blackout without a given time starts within this time of the flight."""


class Jpeg:
    """JPEG compression and decompression, as of a streaming camera."""

    def __init__(self, quality: int) -> None:
        self._options = [cv2.IMWRITE_JPEG_QUALITY, quality]

    def __call__(self, pixels: Pixels, frame_index: int) -> Pixels:
        """Return the picture after decompression."""
        _, coded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), self._options)
        decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


class Freezer:
    """Random selection of the frames that repeat the previous one.

    The decision for a frame is drawn from its own stream "camera.freeze.<number>". The first frame
    never repeats.
    """

    def __init__(self, rate: float, seed: int) -> None:
        self._rate = rate
        self._seed = seed

    def freezes(self, frame_index: int) -> bool:
        """Return whether a frame repeats the previous one."""
        if frame_index == 0 or self._rate == 0.0:
            return False
        draw = stream(self._seed, f"camera.freeze.{frame_index}").random()
        return bool(draw < self._rate)


class Blackout:
    """Period of black frames; by default its start is drawn from the stream "camera.blackout"."""

    def __init__(self, from_s: float | None, length_s: float, seed: int) -> None:
        drawn = stream(seed, "camera.blackout").uniform(0.0, BLACKOUT_WITHIN_S)
        self.from_s = drawn if from_s is None else from_s
        self.until_s = self.from_s + length_s

    def covers(self, time_s: float) -> bool:
        """Return whether the picture is black at a time, in [from_s, until_s)."""
        return self.from_s <= time_s < self.until_s


def compression(settings: CameraSettings) -> tuple[PixelStep, ...]:
    """Return the compression step, or no step if pictures are not compressed."""
    return () if settings.jpeg_quality is None else (Jpeg(settings.jpeg_quality),)

"""Image-space stress tests as published: brightness, contrast, saturation and noise.

Chahine et al. 2023 (doi 10.1126/scirobotics.adc8892) change eight-bit pictures with TensorFlow's
`adjust_brightness`, `adjust_contrast` and `adjust_saturation` and with Keras's `GaussianNoise`
before they enter a network. These functions give equal values without TensorFlow: pictures are
scaled by 1 / 255 to float32, changed, multiplied by 255.5, clipped to [0, 255] and truncated.

`PUBLISHED` lists the published strengths; darkness is brightness with the opposite sign.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.config import DeltaSettings
from liquid_control.seeding import stream
from liquid_control.types import Pixels

PUBLISHED: dict[str, tuple[float, ...]] = {
    "brightness": (0.1, 0.2, 0.3, 0.4),
    "darkness": (0.1, 0.2, 0.3, 0.4),
    "contrast": (0.75, 1.25, 1.75, 2.25),
    "saturation": (0.5, 1.5, 2.5, 3.25),
    "noise": (15.0, 30.0, 45.0, 60.0),
}
"""Strengths of the published stress tests by name."""
_FROM_EIGHT_BITS = np.float32(1.0 / 255.0)
_TO_EIGHT_BITS = np.float32(255.5)
_LEVELS = np.arange(256, dtype=np.float32) * _FROM_EIGHT_BITS


def brightness(image: Pixels, delta: float) -> Pixels:
    """Return an image with a constant added to every channel.

    Args:
        image: uint8 [H, W, 3], RGB.
        delta: constant as a fraction of full scale; negative darkens.
    """
    return np.asarray(cv2.LUT(image, _eight_bits(_LEVELS + np.float32(delta))))


def contrast(image: Pixels, factor: float) -> Pixels:
    """Return an image with (x - mean) * factor + mean, with the mean of each channel.

    Args:
        image: uint8 [H, W, 3], RGB.
        factor: 1 changes nothing.
    """
    means = np.array(cv2.mean(image)[:3]) / 255.0
    mean = means.astype(np.float32)
    table = (_LEVELS[:, None] - mean) * np.float32(factor) + mean
    return np.asarray(cv2.LUT(image, _eight_bits(table)[None]))


def saturation(image: Pixels, factor: float) -> Pixels:
    """Return an image whose saturation in HSV is multiplied and clipped to 1.

    With v the largest and m the smallest channel of a pixel, saturation is (v - m) / v. Every
    channel x becomes v - (v - x) min(factor, v / (v - m)), which keeps hue and value.

    Args:
        image: uint8 [H, W, 3], RGB.
        factor: 1 changes nothing, 0 leaves grey.
    """
    levels = image * _FROM_EIGHT_BITS
    red, green, blue = cv2.split(levels)
    value = cv2.max(cv2.max(red, green), blue)
    chroma = value - cv2.min(cv2.min(red, green), blue)
    most = np.divide(value, chroma, out=np.full_like(value, np.inf), where=chroma > 0.0)
    scale = np.minimum(np.float32(factor), most)[..., None]
    return _eight_bits(np.asarray(value[..., None] - (value[..., None] - levels) * scale))


def noise(image: Pixels, sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return an image with Gaussian noise, float32 [H, W, 3], neither clipped nor rounded.

    Args:
        image: uint8 [H, W, 3], RGB.
        sigma: standard deviation, on a scale of 255.
        rng: random generator of the noise.
    """
    drawn = rng.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(image + drawn * np.float32(sigma), dtype=np.float32)


def noisy_pixels(image: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Return `noise` clipped and rounded to uint8 [H, W, 3], as in a camera message."""
    return np.asarray(np.clip(np.rint(noise(image, sigma, rng)), 0.0, 255.0), dtype=np.uint8)


def _eight_bits(levels: NDArray[np.float32]) -> Pixels:
    return np.asarray(np.clip(levels * _TO_EIGHT_BITS, 0.0, 255.0), dtype=np.uint8)


PixelStep = Callable[[Pixels, int], Pixels]
"""Maps a picture, uint8 [H, W, 3] RGB, and its frame number to a picture."""


def published_changes(settings: DeltaSettings, seed: int) -> tuple[PixelStep, ...]:
    """Return the image-space changes with non-default settings, in the order of the settings.

    Noise is rounded and clipped to eight bits, as in a camera message. The noise of each frame is
    drawn from the stream "delta.noise.<number>".
    """
    steps: list[PixelStep] = []
    if settings.brightness != 0.0:
        steps.append(lambda pixels, _: brightness(pixels, settings.brightness))
    if settings.contrast != 1.0:
        steps.append(lambda pixels, _: contrast(pixels, settings.contrast))
    if settings.saturation != 1.0:
        steps.append(lambda pixels, _: saturation(pixels, settings.saturation))
    if settings.noise > 0.0:
        steps.append(
            lambda pixels, index: noisy_pixels(
                pixels, settings.noise, stream(seed, f"delta.noise.{index}")
            )
        )
    return tuple(steps)

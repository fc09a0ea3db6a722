"""The published image-space changes of a scenario, as steps on finished pictures.

Here, below simulator and replay, because both apply them: the one to what it renders, the other to
what was recorded.
"""

from collections.abc import Callable

from liquid_control.config.scenario import DeltaSettings
from liquid_control.perception import deltas
from liquid_control.seeding import stream
from liquid_control.types import Pixels

PixelStep = Callable[[Pixels, int], Pixels]
"""A picture, uint8 [H, W, 3] RGB, and its frame's number to a picture."""


def published_changes(settings: DeltaSettings, seed: int) -> tuple[PixelStep, ...]:
    """Return the image-space changes that are not at their defaults, in the settings' order.

    Noise is rounded and clipped to eight bits, which is what a camera message carries; each
    frame's is drawn from the stream "delta.noise.<number>".
    """
    steps: list[PixelStep] = []
    if settings.brightness != 0.0:
        steps.append(lambda pixels, _: deltas.brightness(pixels, settings.brightness))
    if settings.contrast != 1.0:
        steps.append(lambda pixels, _: deltas.contrast(pixels, settings.contrast))
    if settings.saturation != 1.0:
        steps.append(lambda pixels, _: deltas.saturation(pixels, settings.saturation))
    if settings.noise > 0.0:
        steps.append(
            lambda pixels, index: deltas.noisy_pixels(
                pixels, settings.noise, stream(seed, f"delta.noise.{index}")
            )
        )
    return tuple(steps)

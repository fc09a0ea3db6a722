"""The published image-space changes on a recorded flight: a change that needs no simulator."""

from liquid_control.config.scenario import DeltaSettings
from liquid_control.perception.published_changes import published_changes
from liquid_control.types import Pixels


class PublishedChange:
    """A `PictureChange` of brightness, contrast, saturation and noise.

    A frame's noise is drawn from the stream "delta.noise.<number>", as in the simulator.

    Args:
        settings: how strong; at their defaults nothing is changed.
        seed: of the noise.
    """

    def __init__(self, settings: DeltaSettings, seed: int) -> None:
        self._steps = published_changes(settings, seed)

    def __call__(self, image: Pixels, stamp_ns: int, index: int) -> Pixels:
        """Return the changed picture, uint8 [H, W, 3]; every frame is delivered."""
        for step in self._steps:
            image = step(image, index)
        return image

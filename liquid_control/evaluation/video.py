"""`flight.mp4`, which every browser plays, and a GIF for where only pictures are shown."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from liquid_control.errors import OutputError
from liquid_control.evaluation.film.painter import Painter
from liquid_control.evaluation.story import FlightStory
from liquid_control.pages.movie import write_movie
from liquid_control.pages.screen import BLUE, FAINT, INK, ORANGE
from liquid_control.types import NANOSECONDS, Pixels


def write_video(path: Path, story: FlightStory) -> Path:
    """Write the flight in real time as H.264 with yuv420p, beside its place, then rename it there.

    Args:
        path: where to, ending in .mp4.
        story: the flight; it must have frames.

    Raises:
        OutputError: there are no frames, or the file cannot be written.
    """
    rate = round(story.scenario.camera.rate_hz)
    return write_movie(path, rate, _pictures(story, rate))


def write_gif(
    path: Path, story: FlightStory, from_s: float = 0.0, to_s: float = 8.0, width: int = 560
) -> Path:
    """Write a stretch of the flight as a GIF that loops, ten pictures a second.

    Args:
        path: where to, ending in .gif.
        story: the flight; it must have frames.
        from_s: where the stretch begins, s of the flight.
        to_s: where it ends.
        width: of the pictures, pixels.

    Raises:
        OutputError: there are no frames, or the file cannot be written.
    """
    rate = 10
    pictures = [_shrink(picture, width) for picture in _pictures(story, rate, from_s, to_s)]
    palette = _palette(pictures)
    images = [
        Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
        for picture in pictures
    ]
    try:
        images[0].save(
            path, save_all=True, append_images=images[1:], duration=1000 // rate, loop=0
        )
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path


def _pictures(
    story: FlightStory, rate: int, from_s: float = 0.0, to_s: float = float("inf")
) -> Iterator[Pixels]:
    if story.frames is None or not story.frames.images:
        raise OutputError(f"{story.title}: expected camera frames to make a video of, got none")
    painter = Painter(story, story.frames)
    first, last = int(story.record.stamp_ns[0]), int(story.record.stamp_ns[-1])
    begin = first + round(from_s * NANOSECONDS)
    end = min(last, first + round(to_s * NANOSECONDS)) if np.isfinite(to_s) else last
    for stamp_ns in range(begin, end + 1, NANOSECONDS // rate):
        yield painter.paint(stamp_ns)


def _palette(pictures: list[Pixels]) -> Image.Image:
    """Return 160 colours for all pictures; the panel's few bright pixels get their share."""
    sample = np.concatenate(pictures[:: max(1, len(pictures) // 8)])
    rows, width = len(sample) // 16, sample.shape[1]
    ramps = np.linspace(FAINT, (BLUE, ORANGE, INK), rows).astype(np.uint8).swapaxes(0, 1)
    swatches = [np.repeat(ramp[:, None], width, axis=1) for ramp in ramps]
    image = Image.fromarray(np.concatenate([sample, *swatches]))
    return image.quantize(160, method=Image.Quantize.MEDIANCUT)


def _shrink(picture: Pixels, width: int) -> Pixels:
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(
        cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )

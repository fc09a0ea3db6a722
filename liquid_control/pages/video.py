"""H.264 videos for browsers: sizes, colours and font of the frames, and the encoding."""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import matplotlib
import numpy as np
from PIL import ImageFont

from liquid_control.files import atomic_write
from liquid_control.types import Pixels

HEIGHT = 540
CAMERA_WIDTH = 960
PANEL_WIDTH = 320
MARGIN = 20

PAGE = (18, 22, 28)
INK = (229, 234, 240)
MUTED = (135, 148, 163)
FAINT = (42, 50, 61)
TRAIL = (92, 82, 62)
TRUNK = (104, 128, 98)
BLUE = (110, 162, 255)
ORANGE = (242, 146, 75)
RED = (226, 74, 84)


@lru_cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, from matplotlib's files."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def encode_video(path: Path, rate: int, pictures: Iterator[Pixels]) -> Path:
    """Write pictures as an H.264 video with pixel format yuv420p, atomically.

    Args:
        path: the file, ending in .mp4.
        rate: pictures a second.
        pictures: uint8 [540, 1280, 3] RGB.

    Raises:
        OutputError: the file cannot be written.
    """
    return atomic_write(path, lambda partial: _encode(partial, rate, pictures))


def _encode(path: Path, rate: int, pictures: Iterator[Pixels]) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(rate))
        stream.width, stream.height = CAMERA_WIDTH + PANEL_WIDTH, HEIGHT
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "27"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def fit_picture(image: Pixels) -> Pixels:
    """Return a camera picture scaled to 960 x 540, with bars where its shape differs."""
    height, width = image.shape[:2]
    scale = min(CAMERA_WIDTH / width, HEIGHT / height)
    size = (round(width * scale), round(height * scale))
    large = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    if size == (CAMERA_WIDTH, HEIGHT):
        return large
    page = np.full((HEIGHT, CAMERA_WIDTH, 3), PAGE, np.uint8)
    top, left = (HEIGHT - size[1]) // 2, (CAMERA_WIDTH - size[0]) // 2
    page[top : top + size[1], left : left + size[0]] = large
    return page

"""Films that every browser plays: pictures to H.264, written whole or not at all."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from liquid_control.errors import OutputError
from liquid_control.pages.video_style import CAMERA_WIDTH, HEIGHT, PAGE, PANEL_WIDTH
from liquid_control.types import Pixels


def write_movie(path: Path, rate: int, pictures: Iterator[Pixels]) -> Path:
    """Write pictures as H.264 with yuv420p, beside the place, then rename the file there.

    Args:
        path: where to, ending in .mp4.
        rate: pictures a second.
        pictures: uint8 [540, 1280, 3] RGB.

    Raises:
        OutputError: the file cannot be written.
    """
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        _encode(beside, rate, pictures)
        beside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if beside.parent.is_dir():
            beside.unlink(missing_ok=True)
    return path


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

"""How a bag keeps a picture: as it is, or compressed as image transports do it."""

from collections.abc import Callable

import cv2
import numpy as np

from liquid_control.bags.writing import messages
from liquid_control.types import Pixels

IMAGE = "camera/image_raw"
COMPRESSED = f"{IMAGE}/compressed"
JPEG_QUALITY = 95


def _png(image: Pixels) -> bytes:
    return _encoded(".png", image, [])


def _jpeg(image: Pixels) -> bytes:
    return _encoded(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def _encoded(suffix: str, image: Pixels, options: list[int]) -> bytes:
    _, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return np.asarray(data).tobytes()


CODECS: dict[str, Callable[[Pixels], bytes] | None] = {"raw": None, "png": _png, "jpeg": _jpeg}
"""How pictures may be kept: PNG is exact and a quarter smaller, JPEG a quarter of the size."""


def picture_topics(codec: str) -> dict[str, str]:
    """Return the picture's topic with its type."""
    if CODECS[codec] is None:
        return {IMAGE: messages.IMAGE}
    return {COMPRESSED: messages.COMPRESSED_IMAGE}


def picture_message(image: Pixels, codec: str, stamp_ns: int) -> tuple[str, bytes]:
    """Return topic and serialised message of a picture, uint8 [H, W, 3] RGB."""
    encode = CODECS[codec]
    if encode is None:
        return IMAGE, messages.image_cdr(image, stamp_ns)
    layout = f"rgb8; {codec} compressed bgr8"
    return COMPRESSED, messages.compressed_image_cdr(encode(image), layout, stamp_ns)

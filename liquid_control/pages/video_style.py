"""Sizes, colours and type of the video's pictures."""

from functools import lru_cache
from pathlib import Path

import matplotlib
from PIL import ImageFont

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
    """Return DejaVu Sans, which comes with matplotlib."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)

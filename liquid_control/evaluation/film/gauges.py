"""Speed, wind, command and neurons: the panel's lower half."""

import cv2
import numpy as np
from PIL import ImageDraw

from liquid_control.pages.screen import (
    BLUE,
    FAINT,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    PANEL_WIDTH,
    font,
)
from liquid_control.types import Floats, Pixels

_RIGHT = PANEL_WIDTH - MARGIN
_NUMBERS_TOP = 258
_WIND_LEFT = MARGIN + 150
_BARS_TOP = 332
_ROW = 30
_NEURONS_TOP = 470

_BARS = (("forward", 4.0), ("left", 2.5), ("up", 1.5), ("yaw left", 2.0))
"""Name and full scale of each value of a command, m/s and rad/s."""

_MIRRORED = (1, 3)
"""Commands to the left are positive: their bars grow to the left."""


def labels(draw: ImageDraw.ImageDraw, neurons: int) -> None:
    """Write what does not move."""
    small = font(13)
    draw.text((MARGIN, _NUMBERS_TOP + 36), "speed, m/s", MUTED, small)
    draw.text((_WIND_LEFT, _NUMBERS_TOP + 36), "wind, m/s", MUTED, small)
    for row, (name, _) in enumerate(_BARS):
        draw.text((MARGIN, _BARS_TOP + _ROW * row), name, MUTED, small)
    if neurons:
        draw.text((MARGIN, _NEURONS_TOP), f"{neurons} neurons", MUTED, small)


def numbers(draw: ImageDraw.ImageDraw, speed: float, wind: float, command: Floats) -> None:
    """Write the numbers of one instant."""
    draw.text((MARGIN, _NUMBERS_TOP), f"{speed:.1f}", INK, font(30, bold=True))
    draw.text((_WIND_LEFT, _NUMBERS_TOP), f"{wind:.1f}", INK, font(30, bold=True))
    for row, value in enumerate(command):
        at = (_RIGHT, _BARS_TOP + _ROW * row)
        draw.text(at, f"{value:+.2f}", INK, font(13), anchor="ra")


def command_bars(panel: Pixels, command: Floats) -> None:
    """Draw each value of a command as a bar from the middle."""
    left, right = MARGIN + 72, _RIGHT - 56
    middle = (left + right) // 2
    for row, ((_, full), value) in enumerate(zip(_BARS, command, strict=True)):
        y = _BARS_TOP + 8 + _ROW * row
        share = float(np.clip(value / full, -1.0, 1.0)) * (-1 if row in _MIRRORED else 1)
        end = middle + round(share * (right - left) / 2)
        cv2.rectangle(panel, (left, y - 3), (right, y + 3), FAINT, -1)
        cv2.rectangle(panel, (min(middle, end), y - 3), (max(middle, end), y + 3), BLUE, -1)
        cv2.line(panel, (middle, y - 6), (middle, y + 6), MUTED, 1)


def wind_arrow(panel: Pixels, wind: Floats) -> None:
    """Draw where the wind blows to, north up; nothing in calm air."""
    speed = float(np.linalg.norm(wind[:2]))
    if speed < 0.05:
        return
    way = wind[:2] / speed * np.array([1.0, -1.0])
    middle = np.array([_RIGHT - 24.0, _NUMBERS_TOP + 26.0])
    tail, tip = (np.round(middle + sign * 20 * way).astype(int).tolist() for sign in (-1, 1))
    cv2.arrowedLine(panel, tail, tip, ORANGE, 2, cv2.LINE_AA, 0, 0.35)


def neuron_cells(panel: Pixels, state: Floats) -> None:
    """Draw each neuron's state as a cell: orange above zero, blue below, dark at zero."""
    width = (PANEL_WIDTH - 2 * MARGIN) / len(state)
    top = _NEURONS_TOP + 22
    for column, value in enumerate(state):
        left, right = (round(MARGIN + edge * width) for edge in (column, column + 1))
        strong = min(1.0, abs(float(value)))
        pairs = zip(FAINT, ORANGE if value > 0 else BLUE, strict=True)
        colour = tuple(round(a + strong * (b - a)) for a, b in pairs)
        cv2.rectangle(panel, (left, top), (right - 3, top + 24), colour, -1)

"""Sheet of still pictures with a policy's answers drawn on them."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from liquid_control.evaluation.probe import ProbeResult, StillAnswer
from liquid_control.files import atomic_write
from liquid_control.pages.video import font
from liquid_control.types import Pixels

CELL_WIDTH = 480
COLUMNS = 3
CAPTION = 44
MARGIN = 8
ARROW_RADPS = 1.0
"""Yaw rate whose arrow reaches to the edge of the picture."""
PAPER, INK, QUIET = (250, 250, 248), (30, 30, 30), (110, 110, 110)
RIGHT, WRONG, UNKNOWN = (46, 139, 87), (200, 55, 45), (60, 110, 180)


def write_sheet(path: Path, result: ProbeResult, pictures: Sequence[Pixels]) -> Path:
    """Write a PNG file with every picture, its answer as an arrow, and its label.

    Args:
        path: of the file.
        result: answers, in the order of the pictures.
        pictures: uint8 [H, W, 3] each, as the policy received them.

    Raises:
        OutputError: the file cannot be written.
    """
    cells = [
        _cell(answer, picture) for answer, picture in zip(result.answers, pictures, strict=True)
    ]
    height = max(cell.height for cell in cells)
    columns = min(COLUMNS, len(cells))
    rows = ceil(len(cells) / columns)
    size = (
        columns * (CELL_WIDTH + MARGIN) + MARGIN,
        CAPTION + rows * (height + MARGIN) + MARGIN,
    )
    sheet = Image.new("RGB", size, PAPER)
    ImageDraw.Draw(sheet).text((MARGIN, 10), _title(result), INK, font(18, bold=True))
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        place = (
            MARGIN + column * (CELL_WIDTH + MARGIN),
            CAPTION + row * (height + MARGIN),
        )
        sheet.paste(cell, place)
    atomic_write(path, lambda partial: sheet.save(partial, format="PNG"))
    return path


def _title(result: ProbeResult) -> str:
    (right, clear), (steady, straight) = result.agreement(False), result.agreement(True)
    parts = [result.model]
    if clear:
        parts.append(f"sign of the yaw rate right on {right} of {clear}")
    if straight:
        parts.append(f"steady on {steady} of {straight} straight ones")
    parts.append(f"mean {result.bias_radps:+.2f} rad/s")
    return "; ".join(parts)


def _cell(answer: StillAnswer, picture: Pixels) -> Image.Image:
    height = round(picture.shape[0] * CELL_WIDTH / picture.shape[1])
    shown = cv2.resize(picture, (CELL_WIDTH, height), interpolation=cv2.INTER_AREA)
    cell = Image.new("RGB", (CELL_WIDTH, height + CAPTION), PAPER)
    cell.paste(Image.fromarray(np.ascontiguousarray(shown)), (0, 0))
    draw = ImageDraw.Draw(cell)
    colour = {None: UNKNOWN, True: RIGHT, False: WRONG}[answer.agrees]
    _arrow(draw, answer.command.yaw_rate_radps, height, colour)
    command = answer.command
    label = "" if answer.direction is None else f", label {answer.direction.value}"
    draw.text((4, height + 3), f"{answer.name}{label}", INK, font(15, bold=True))
    values = (
        f"yaw rate {command.yaw_rate_radps:+.2f} rad/s, forward {command.forward_mps:.2f}, "
        f"left {command.left_mps:+.2f} m/s"
    )
    draw.text((4, height + 22), values, QUIET, font(14))
    return cell


def _arrow(
    draw: ImageDraw.ImageDraw, yaw_rate: float, height: int, colour: tuple[int, ...]
) -> None:
    """Draw an arrow from the middle of the lower edge: left for a positive yaw rate."""
    reach = max(-1.0, min(1.0, yaw_rate / ARROW_RADPS))
    x, y = CELL_WIDTH / 2, height - 24
    tip = x - reach * (CELL_WIDTH / 2 - 16)
    draw.line([(x, y - 10), (x, y + 10)], fill=(255, 255, 255), width=3)
    draw.line([(x, y), (tip, y)], fill=colour, width=8)
    point = 14 if tip >= x else -14
    draw.polygon([(tip + point, y), (tip, y - 12), (tip, y + 12)], fill=colour)

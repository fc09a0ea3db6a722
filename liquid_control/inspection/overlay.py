"""Pictures with a saliency map over them, single, side by side, and as a video."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from liquid_control.files import atomic_write
from liquid_control.inspection.flight import AXES, Array, InspectedFlight
from liquid_control.pages.picture_track import saliency_overlay
from liquid_control.pages.video import (
    BLUE,
    FAINT,
    HEIGHT,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    PAGE,
    PANEL_WIDTH,
    encode_video,
    fit_picture,
)
from liquid_control.types import Floats, Pixels

SCALE = 4
"""Pixels of a still for each pixel of the model's picture."""
FULL = (4.0, 2.5, 1.5, 2.0)
"""Full scale of the bars of the commands, m/s and rad/s."""


def contact_sheet(rows: Sequence[Sequence[Pixels]], gap: int = 6) -> Pixels:
    """Return pictures of one size in rows, uint8 [H, W, 3]; rows may have different lengths."""
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    sheet = np.full(
        (len(rows) * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8
    )
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            top, left = row * (height + gap), column * (width + gap)
            sheet[top : top + height, left : left + width] = picture
    return sheet


def write_picture(path: Path, picture: Pixels) -> Path:
    """Write an RGB picture as PNG, atomically."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return atomic_write(path, encoded.tobytes())


def write_overlay_video(
    path: Path, flight: InspectedFlight, maps: Array, rate: int | None = None
) -> Path:
    """Write the flight as a video: the overlay, the commands and the neurons.

    Args:
        path: the file, ending in .mp4.
        flight: the flight.
        maps: of all its frames, float32 [T, H, W].
        rate: frames in a second; None for that of the flight.

    Raises:
        OutputError: the file cannot be written.
    """
    typical = float(np.median(flight.elapsed_s))
    rate = rate or int(np.clip(round(1.0 / max(typical, 1e-3)), 5, 60))
    return encode_video(path, rate, _frames(flight, maps))


def _frames(flight: InspectedFlight, maps: Iterable[Array]) -> Iterator[Pixels]:
    seconds = flight.seconds
    for frame, saliency in enumerate(maps):
        shown = fit_picture(saliency_overlay(flight.pictures[frame], saliency, SCALE))
        panel = np.full((HEIGHT, PANEL_WIDTH, 3), PAGE, np.uint8)
        _text(panel, f"{seconds[frame]:6.2f} s", MARGIN, 34, INK)
        for axis, name in enumerate(AXES):
            _bar(panel, name, float(flight.commands[frame, axis]), axis)
        _cells(panel, flight.states[frame].astype(np.float64))
        yield np.concatenate([shown, panel], axis=1)


def _bar(panel: Pixels, name: str, value: float, row: int) -> None:
    top, left, right = 70 + 62 * row, MARGIN, PANEL_WIDTH - MARGIN
    middle = (left + right) // 2
    _text(panel, f"{name} {value:+.2f}", left, top + 12, MUTED)
    reach = float(np.clip(value / FULL[row], -1.0, 1.0)) * (-1 if name in ("left", "yaw") else 1)
    end = middle + round(reach * (right - left) / 2)
    cv2.rectangle(panel, (left, top + 22), (right, top + 32), FAINT, -1)
    cv2.rectangle(panel, (min(middle, end), top + 22), (max(middle, end), top + 32), BLUE, -1)


def _cells(panel: Pixels, states: Floats) -> None:
    """Draw each neuron's state as a cell: orange above zero, blue below, dark at zero."""
    top, columns = 340, 10
    _text(panel, "neurons", MARGIN, top, MUTED)
    side = (PANEL_WIDTH - 2 * MARGIN) // columns
    for index, value in enumerate(states[: 6 * columns].tolist()):
        x, y = MARGIN + side * (index % columns), top + 12 + side * (index // columns)
        strong = min(1.0, abs(value))
        pairs = zip(FAINT, ORANGE if value > 0 else BLUE, strict=True)
        shade = tuple(round(a + strong * (b - a)) for a, b in pairs)
        cv2.rectangle(panel, (x, y), (x + side - 4, y + side - 4), shade, -1)


def _text(panel: Pixels, text: str, x: int, y: int, colour: tuple[int, int, int]) -> None:
    cv2.putText(panel, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)

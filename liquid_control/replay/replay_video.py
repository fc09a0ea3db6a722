"""Video of a replay: the camera's pictures with both commands and the neurons."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

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
    font,
)
from liquid_control.replay.comparison import AXES, UNITS
from liquid_control.replay.result import ReplayResult
from liquid_control.types import NANOSECONDS, Floats, Pixels

_TOP, _ROW = 96, 78
_FULL = (4.0, 2.5, 1.5, 2.0)
"""Full scale of each bar, m/s and rad/s."""
_MIRRORED = (1, 3)
"""Axes whose positive direction is left: their bars grow to the left."""
_NEURONS_TOP = 440
_LONGEST_NS = NANOSECONDS
"""Longest time that a picture is shown; a clock jump does not stop the video."""
RATES = (5, 60)


def write_replay_video(
    path: Path, title: str, result: ReplayResult, pictures: Iterable[tuple[int, Pixels]]
) -> Path:
    """Write the replay in the time of the bag.

    Args:
        path: the file, ending in .mp4.
        title: text above the gauges.
        result: the replay.
        pictures: log time and picture of the frames, in order.

    Raises:
        OutputError: the file cannot be written.
    """
    rate = int(np.clip(round(result.intervals.rate_hz or 20.0), *RATES))
    return encode_video(path, rate, _frames(title, result, pictures, NANOSECONDS // rate))


def _frames(
    title: str, result: ReplayResult, pictures: Iterable[tuple[int, Pixels]], period_ns: int
) -> Iterator[Pixels]:
    """Yield pictures at a constant rate from irregular frames."""
    painter = _Painter(title, result)
    frames = result.recorded.frames
    stamps = dict(zip(frames.log_ns.tolist(), frames.stamp_ns.tolist(), strict=True))
    shown: Pixels | None = None
    due_ns = last_ns = 0
    for log_ns, picture in pictures:
        stamp_ns = stamps.get(log_ns)
        if stamp_ns is None:
            continue
        if shown is not None:
            due_ns += min(max(stamp_ns - last_ns, 0), _LONGEST_NS)
            while due_ns >= period_ns // 2:
                yield shown
                due_ns -= period_ns
        shown, last_ns = painter.paint(stamp_ns, picture), stamp_ns
    if shown is not None:
        yield shown


class _Painter:
    """Paints the pictures on a background that is painted once."""

    def __init__(self, title: str, result: ReplayResult) -> None:
        track, main = result.replayed.track, result.main
        self._seconds = result.seconds
        self._other = "" if result.other is None else result.other.label
        self._replayed = _by_stamp(track.policy.stamp_ns, track.policy.values)
        if main is not None:
            self._replayed |= _by_stamp(main.stamp_ns, main.replayed)
        self._compared = {} if main is None else _by_stamp(main.stamp_ns, main.other)
        self._states = _by_stamp(track.states.stamp_ns, track.states.values)
        self._blank = self._backdrop(title)

    def paint(self, stamp_ns: int, picture: Pixels) -> Pixels:
        """Return a frame with its gauges, uint8 [540, 1280, 3] RGB."""
        panel = self._blank.copy()
        replayed, compared = self._replayed.get(stamp_ns), self._compared.get(stamp_ns)
        _bars(panel, replayed, 0, BLUE)
        _bars(panel, compared, 1, ORANGE)
        if (states := self._states.get(stamp_ns)) is not None:
            _cells(panel, states)
        image = Image.fromarray(panel)
        draw = ImageDraw.Draw(image)
        seconds = float(self._seconds(np.array(stamp_ns)))
        draw.text((PANEL_WIDTH - MARGIN, 21), f"{seconds:.2f} s", MUTED, font(13), anchor="ra")
        for values, line in ((replayed, 0), (compared, 1)):
            for row, value in enumerate(() if values is None else values.tolist()):
                at = (PANEL_WIDTH - MARGIN, _TOP + _ROW * row + 21 + 19 * line)
                colour = BLUE if line == 0 else ORANGE
                draw.text(at, f"{value:+.2f}", colour, font(13), anchor="ra")
        return np.concatenate([fit_picture(picture), np.asarray(image)], axis=1)

    def _backdrop(self, title: str) -> Pixels:
        image = Image.new("RGB", (PANEL_WIDTH, HEIGHT), PAGE)
        draw = ImageDraw.Draw(image)
        draw.text((MARGIN, 18), title[:24], INK, font(16, bold=True))
        draw.text((MARGIN, 52), "replayed", BLUE, font(13))
        draw.text((MARGIN + 72, 52), self._other, ORANGE, font(13))
        for row, (name, unit) in enumerate(zip(AXES, UNITS, strict=True)):
            draw.text((MARGIN, _TOP + _ROW * row), f"{name}, {unit}", MUTED, font(13))
        if self._states:
            draw.text((MARGIN, _NEURONS_TOP), "neurons", MUTED, font(13))
        return np.array(image)


def _by_stamp(stamps: np.ndarray, values: np.ndarray) -> dict[int, Floats]:
    return dict(zip(stamps.tolist(), values, strict=True))


def _bars(panel: Pixels, values: Floats | None, line: int, colour: tuple[int, ...]) -> None:
    """Draw each value as a bar from the middle; the second row of bars below the first."""
    if values is None:
        return
    left, right = MARGIN, PANEL_WIDTH - MARGIN - 58
    middle = (left + right) // 2
    for row, (value, full) in enumerate(zip(values.tolist(), _FULL, strict=True)):
        y = _TOP + _ROW * row + 29 + 19 * line
        deflection = float(np.clip(value / full, -1.0, 1.0)) * (-1 if row in _MIRRORED else 1)
        end = middle + round(deflection * (right - left) / 2)
        cv2.rectangle(panel, (left, y - 4), (right, y + 4), FAINT, -1)
        cv2.rectangle(panel, (min(middle, end), y - 4), (max(middle, end), y + 4), colour, -1)
        cv2.line(panel, (middle, y - 7), (middle, y + 7), MUTED, 1)


def _cells(panel: Pixels, state: Floats) -> None:
    """Draw each neuron's state as a cell: orange above zero, blue below, dark at zero."""
    width = (PANEL_WIDTH - 2 * MARGIN) / len(state)
    for column, value in enumerate(state.tolist()):
        left, right = (round(MARGIN + edge * width) for edge in (column, column + 1))
        strong = min(1.0, abs(value))
        pairs = zip(FAINT, ORANGE if value > 0 else BLUE, strict=True)
        shade = tuple(round(a + strong * (b - a)) for a, b in pairs)
        top = _NEURONS_TOP + 26
        cv2.rectangle(panel, (left, top), (right - 3, top + 30), shade, -1)

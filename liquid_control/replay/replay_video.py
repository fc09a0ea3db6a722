"""`replay.mp4`: what the camera saw, and both commands beside it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from liquid_control.pages.video_file import fit_picture, write_movie
from liquid_control.pages.video_style import (
    BLUE,
    FAINT,
    HEIGHT,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    PAGE,
    PANEL_WIDTH,
    font,
)
from liquid_control.replay.comparison import AXES, UNITS
from liquid_control.replay.result import ReplayResult
from liquid_control.types import NANOSECONDS, Floats, Pixels

_TOP, _ROW = 96, 78
_FULL = (4.0, 2.5, 1.5, 2.0)
"""Full scale of each bar, m/s and rad/s."""
_MIRRORED = (1, 3)
"""Commands to the left are positive: their bars grow to the left."""
_NEURONS_TOP = 440
_LONGEST_NS = NANOSECONDS
"""A picture is held no longer: a jump of the clock does not stop the film."""
RATES = (5, 60)


def write_replay_video(
    path: Path, title: str, judgement: ReplayResult, pictures: Iterable[tuple[int, Pixels]]
) -> Path:
    """Write the replay in the bag's own time.

    Args:
        path: where to, ending in .mp4.
        title: what is written above the gauges.
        judgement: the commands.
        pictures: log time and picture of the frames, in order.

    Raises:
        OutputError: the file cannot be written.
    """
    rate = int(np.clip(round(judgement.intervals.rate_hz or 20.0), *RATES))
    return write_movie(path, rate, _film(title, judgement, pictures, NANOSECONDS // rate))


def _film(
    title: str, judgement: ReplayResult, pictures: Iterable[tuple[int, Pixels]], period_ns: int
) -> Iterator[Pixels]:
    """Yield evenly timed pictures from frames that come when they come."""
    painter = _Painter(title, judgement)
    frames = judgement.recorded.frames
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
    """Paints the pictures; what does not change is painted once."""

    def __init__(self, title: str, judgement: ReplayResult) -> None:
        track, main = judgement.replayed.track, judgement.main
        self._seconds = judgement.seconds
        self._other = "" if judgement.other is None else judgement.other.label
        self._ours = _by_stamp(track.policy.stamp_ns, track.policy.values)
        if main is not None:
            self._ours |= _by_stamp(main.stamp_ns, main.ours)
        self._theirs = {} if main is None else _by_stamp(main.stamp_ns, main.theirs)
        self._states = _by_stamp(track.states.stamp_ns, track.states.values)
        self._blank = self._backdrop(title)

    def paint(self, stamp_ns: int, picture: Pixels) -> Pixels:
        """Return a frame with its gauges, uint8 [540, 1280, 3] RGB."""
        panel = self._blank.copy()
        ours, theirs = self._ours.get(stamp_ns), self._theirs.get(stamp_ns)
        _bars(panel, ours, 0, BLUE)
        _bars(panel, theirs, 1, ORANGE)
        if (states := self._states.get(stamp_ns)) is not None:
            _cells(panel, states)
        image = Image.fromarray(panel)
        draw = ImageDraw.Draw(image)
        seconds = float(self._seconds(np.array(stamp_ns)))
        draw.text((PANEL_WIDTH - MARGIN, 21), f"{seconds:.2f} s", MUTED, font(13), anchor="ra")
        for values, line in ((ours, 0), (theirs, 1)):
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
        share = float(np.clip(value / full, -1.0, 1.0)) * (-1 if row in _MIRRORED else 1)
        end = middle + round(share * (right - left) / 2)
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

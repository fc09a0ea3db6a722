"""`flight.mp4`, which every browser plays, and a GIF for where only pictures are shown."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from liquid_control.errors import OutputError
from liquid_control.evaluation.flight_data import FlightData, FrameTrack
from liquid_control.evaluation.flight_figures import TRAIL_WIDTH_M, speed_colours
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
    RED,
    TRAIL,
    TRUNK,
    font,
)
from liquid_control.types import NANOSECONDS, Floats, Pixels

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


BOX = (MARGIN, 54, PANEL_WIDTH - MARGIN, 236)
"""Left, top, right and bottom of the map in its panel, pixels."""

_SHIFT = 4
_UNIT = 1 << _SHIFT
_STRIDE = 4
_LARGE = 4
_COURSE_M = 0.1
"""Width of the line through targets, where there is no trail."""
_LEAST_RADIUS = 22
"""In units: a little more than a pixel."""


class MapInset:
    """Draws one flight's map into panels; north is up."""

    def __init__(self, story: FlightData) -> None:
        self._offset, self._scale = _fit(story)
        self._story = story
        self._path = self._pixels(story.record.position[:, :2])
        speed = np.linalg.norm(story.record.velocity[:, :2], axis=1)
        self._colours = speed_colours(speed)

    def ground(self, panel: Pixels) -> None:
        """Draw what does not move, drawn large and averaged down: trunks are only pixels wide."""
        height, width = panel.shape[:2]
        size = (width * _LARGE, height * _LARGE)
        large: Pixels = np.asarray(cv2.resize(panel, size), dtype=np.uint8)
        way_m = _COURSE_M if self._story.map.lateral_limit_m is None else TRAIL_WIDTH_M
        thickness = max(2, round(way_m * self._scale)) * _LARGE
        trail = self._pixels(self._story.map.trail) * _LARGE
        cv2.polylines(large, [trail], False, TRAIL, thickness, cv2.LINE_AA, _SHIFT)
        self._discs(large, self._story.map.trunks, TRUNK)
        self._discs(large, self._story.map.targets, RED)
        panel[:] = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)

    def path(self, panel: Pixels, begin: int, end: int) -> int:
        """Draw the path of whole strides from tick `begin` to `end`; return where it got to."""
        for tick in range(begin, end - _STRIDE + 1, _STRIDE):
            colour = tuple(self._colours[tick].tolist())
            ends = self._path[tick].tolist(), self._path[tick + _STRIDE].tolist()
            cv2.line(panel, ends[0], ends[1], colour, 2, cv2.LINE_AA, _SHIFT)
        return begin + max(0, end - begin) // _STRIDE * _STRIDE

    def vehicle(self, panel: Pixels, tick: int) -> None:
        """Draw where the vehicle is."""
        cv2.circle(panel, self._path[tick].tolist(), 5 * _UNIT, INK, -1, cv2.LINE_AA, _SHIFT)

    def _discs(self, large: Pixels, places: Floats, colour: tuple[int, int, int]) -> None:
        """Draw x, y and radius [N, 3] where they are inside the box."""
        left, top, right, bottom = (edge * _UNIT for edge in BOX)
        for (x, y), radius_m in zip(self._pixels(places[:, :2]), places[:, 2], strict=True):
            if left <= x <= right and top <= y <= bottom:
                radius = max(round(radius_m * self._scale * _UNIT), _LEAST_RADIUS) * _LARGE
                at = (int(x) * _LARGE, int(y) * _LARGE)
                cv2.circle(large, at, radius, colour, -1, cv2.LINE_AA, _SHIFT)

    def _pixels(self, points: Floats) -> NDArray[np.int32]:
        """Return map points [N, 2] as panel pixels times `_UNIT`, int32 [N, 2]."""
        at = self._offset + self._scale * points * np.array([1.0, -1.0])
        return np.asarray(np.round(at * _UNIT), dtype=np.int32)


def _fit(story: FlightData) -> tuple[Floats, float]:
    """Return the offset [2] and the pixels per metre that fit trail and path into the box."""
    points = np.concatenate([story.map.trail, story.record.position[:, :2]])
    low, high = points.min(axis=0) - 1.0, points.max(axis=0) + 1.0
    left, top, right, bottom = BOX
    scale = float(min((right - left) / (high[0] - low[0]), (bottom - top) / (high[1] - low[1])))
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    return middle - scale * (low + high) / 2 * np.array([1.0, -1.0]), scale


class Painter:
    """Paints the pictures of one flight; what does not change is painted once.

    Args:
        story: the flight.
        frames: its camera frames, at least one.
    """

    def __init__(self, story: FlightData, frames: FrameTrack) -> None:
        self._story = story
        self._frames = frames
        self._inset = MapInset(story)
        self._speed = np.linalg.norm(story.record.velocity, axis=1)
        self._wind = np.linalg.norm(story.record.wind[:, :2], axis=1)
        self._blank = self._backdrop()
        self._traced, self._traced_to = self._blank.copy(), 0

    def paint(self, stamp_ns: int) -> Pixels:
        """Return the flight at an instant, uint8 [540, 1280, 3] RGB."""
        record = self._story.record
        tick = max(0, int(np.searchsorted(record.stamp_ns, stamp_ns, side="right")) - 1)
        panel = self._trace(tick)
        command_bars(panel, record.command[tick])
        wind_arrow(panel, record.wind[tick])
        neurons = self._story.neurons
        if neurons is not None:
            index = int(np.searchsorted(neurons.stamp_ns, stamp_ns, side="right")) - 1
            neuron_cells(panel, neurons.state[max(0, index)])
        picture = fit_picture(self._frames.images[self._frames.latest(stamp_ns)])
        return np.concatenate([picture, self._write(panel, tick)], axis=1)

    def _backdrop(self) -> Pixels:
        panel = np.full((HEIGHT, PANEL_WIDTH, 3), PAGE, np.uint8)
        self._inset.ground(panel)
        image = Image.fromarray(panel)
        draw = ImageDraw.Draw(image)
        draw.text((MARGIN, 18), self._story.title, INK, font(16, bold=True))
        neurons = self._story.neurons
        labels(draw, 0 if neurons is None else len(neurons.names))
        return np.array(image)

    def _trace(self, tick: int) -> Pixels:
        """Return a panel with the path up to a tick; pictures in order of time cost least."""
        if tick < self._traced_to:
            self._traced, self._traced_to = self._blank.copy(), 0
        self._traced_to = self._inset.path(self._traced, self._traced_to, tick)
        panel = self._traced.copy()
        self._inset.vehicle(panel, tick)
        return panel

    def _write(self, panel: Pixels, tick: int) -> Pixels:
        record = self._story.record
        image = Image.fromarray(panel)
        draw = ImageDraw.Draw(image)
        speed, wind = float(self._speed[tick]), float(self._wind[tick])
        numbers(draw, speed, wind, record.command[tick])
        seconds = (int(record.stamp_ns[tick]) - int(record.stamp_ns[0])) / NANOSECONDS
        clock = f"{record.progress_m[tick]:.0f} m   {seconds:.1f} s"
        draw.text((PANEL_WIDTH - MARGIN, 21), clock, MUTED, font(13), anchor="ra")
        return np.asarray(image)


def write_video(path: Path, story: FlightData) -> Path:
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
    path: Path, story: FlightData, from_s: float = 0.0, to_s: float = 8.0, width: int = 560
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
    story: FlightData, rate: int, from_s: float = 0.0, to_s: float = float("inf")
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

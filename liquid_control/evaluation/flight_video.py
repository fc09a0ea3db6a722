"""Video of a flight: `flight.mp4`, which every browser plays, and a GIF."""

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from liquid_control.errors import OutputError
from liquid_control.evaluation.flight_data import FlightData, FrameTrack
from liquid_control.files import atomic_write
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
    RED,
    TRAIL,
    TRUNK,
    encode_video,
    fit_picture,
    font,
)
from liquid_control.types import NANOSECONDS, Floats, Pixels

TRAIL_WIDTH_M = 1.0
SPEED_COLOURS = LinearSegmentedColormap.from_list(
    "speed", ["#3b6fd4", "#2a9d8f", "#e9b44c", "#e05a47"]
)


def speed_colours(speed_mps: Floats) -> Pixels:
    """Return the RGB colour of each speed, uint8 [T, 3], over a range of whole m/s."""
    low = float(np.floor(speed_mps.min()))
    high = max(low + 1.0, float(np.ceil(speed_mps.max())))
    return np.asarray(SPEED_COLOURS((speed_mps - low) / (high - low), bytes=True))[:, :3]


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
    """Write the labels that do not change."""
    small = font(13)
    draw.text((MARGIN, _NUMBERS_TOP + 36), "speed, m/s", MUTED, small)
    draw.text((_WIND_LEFT, _NUMBERS_TOP + 36), "wind, m/s", MUTED, small)
    for row, (name, _) in enumerate(_BARS):
        draw.text((MARGIN, _BARS_TOP + _ROW * row), name, MUTED, small)
    if neurons:
        draw.text((MARGIN, _NEURONS_TOP), f"{neurons} neurons", MUTED, small)


def numbers(draw: ImageDraw.ImageDraw, speed: float, wind: float, command: Floats) -> None:
    """Write the values of one instant."""
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
        fraction = float(np.clip(value / full, -1.0, 1.0)) * (-1 if row in _MIRRORED else 1)
        end = middle + round(fraction * (right - left) / 2)
        cv2.rectangle(panel, (left, y - 3), (right, y + 3), FAINT, -1)
        cv2.rectangle(panel, (min(middle, end), y - 3), (max(middle, end), y + 3), BLUE, -1)
        cv2.line(panel, (middle, y - 6), (middle, y + 6), MUTED, 1)


def wind_arrow(panel: Pixels, wind: Floats) -> None:
    """Draw the direction the wind blows to, north up; nothing in calm air."""
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
"""Width of the line through the targets if there is no trail."""
_LEAST_RADIUS = 22
"""In units of 1/16 pixel: a little more than a pixel."""


class MapInset:
    """Draws one flight's map into panels; north is up."""

    def __init__(self, flight: FlightData) -> None:
        self._offset, self._scale = _fit(flight)
        self._story = flight
        self._path = self._pixels(flight.record.position[:, :2])
        speed = np.linalg.norm(flight.record.velocity[:, :2], axis=1)
        self._colours = speed_colours(speed)

    def ground(self, panel: Pixels) -> None:
        """Draw trail, trunks and targets, supersampled: trunks are only pixels wide."""
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
        """Draw the path in whole strides from tick `begin` to `end`; return its last tick."""
        for tick in range(begin, end - _STRIDE + 1, _STRIDE):
            colour = tuple(self._colours[tick].tolist())
            ends = self._path[tick].tolist(), self._path[tick + _STRIDE].tolist()
            cv2.line(panel, ends[0], ends[1], colour, 2, cv2.LINE_AA, _SHIFT)
        return begin + max(0, end - begin) // _STRIDE * _STRIDE

    def vehicle(self, panel: Pixels, tick: int) -> None:
        """Draw the position of the vehicle."""
        cv2.circle(panel, self._path[tick].tolist(), 5 * _UNIT, INK, -1, cv2.LINE_AA, _SHIFT)

    def _discs(self, large: Pixels, places: Floats, colour: tuple[int, int, int]) -> None:
        """Draw discs (x, y, radius) [N, 3] whose centre is inside the box."""
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


def _fit(flight: FlightData) -> tuple[Floats, float]:
    """Return the offset [2] and the pixels per metre that fit trail and path into the box."""
    points = np.concatenate([flight.map.trail, flight.record.position[:, :2]])
    low, high = points.min(axis=0) - 1.0, points.max(axis=0) + 1.0
    left, top, right, bottom = BOX
    scale = float(min((right - left) / (high[0] - low[0]), (bottom - top) / (high[1] - low[1])))
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    return middle - scale * (low + high) / 2 * np.array([1.0, -1.0]), scale


class Painter:
    """Paints the pictures of one flight; static parts are painted once.

    Args:
        flight: the flight.
        frames: its camera frames, at least one.
    """

    def __init__(self, flight: FlightData, frames: FrameTrack) -> None:
        self._story = flight
        self._frames = frames
        self._inset = MapInset(flight)
        self._speed = np.linalg.norm(flight.record.velocity, axis=1)
        self._wind = np.linalg.norm(flight.record.wind[:, :2], axis=1)
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
        """Return a panel with the path up to a tick; ascending ticks are cheapest."""
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


def write_video(path: Path, flight: FlightData) -> Path:
    """Write the flight in real time as H.264 with pixel format yuv420p.

    Args:
        path: of the video, ending in .mp4.
        flight: the flight; it must have frames.

    Raises:
        OutputError: there are no frames, or the file cannot be written.
    """
    rate = round(flight.scenario.camera.rate_hz)
    return encode_video(path, rate, _pictures(flight, rate))


def write_gif(
    path: Path, flight: FlightData, from_s: float = 0.0, to_s: float = 8.0, width: int = 560
) -> Path:
    """Write a section of the flight as a looping GIF, ten pictures per second.

    Args:
        path: of the GIF, ending in .gif.
        flight: the flight; it must have frames.
        from_s: start of the section, s of the flight.
        to_s: end of the section, s of the flight.
        width: of the pictures, pixels.

    Raises:
        OutputError: there are no frames, or the file cannot be written.
    """
    rate = 10
    pictures = [_shrink(picture, width) for picture in _pictures(flight, rate, from_s, to_s)]
    palette = _palette(pictures)
    images = [
        Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
        for picture in pictures
    ]
    content = io.BytesIO()
    images[0].save(
        content, "GIF", save_all=True, append_images=images[1:], duration=1000 // rate, loop=0
    )
    return atomic_write(path, content.getvalue())


def _pictures(
    flight: FlightData, rate: int, from_s: float = 0.0, to_s: float = float("inf")
) -> Iterator[Pixels]:
    if flight.frames is None or not flight.frames.images:
        raise OutputError(f"{flight.title}: expected camera frames to make a video of, got none")
    painter = Painter(flight, flight.frames)
    first, last = int(flight.record.stamp_ns[0]), int(flight.record.stamp_ns[-1])
    begin = first + round(from_s * NANOSECONDS)
    end = min(last, first + round(to_s * NANOSECONDS)) if np.isfinite(to_s) else last
    for stamp_ns in range(begin, end + 1, NANOSECONDS // rate):
        yield painter.paint(stamp_ns)


def _palette(pictures: list[Pixels]) -> Image.Image:
    """Return 160 colours for all pictures, with enough for the panel's few bright pixels."""
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

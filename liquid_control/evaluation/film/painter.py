"""One picture of the video: what the camera saw, and the panel beside it."""

import numpy as np
from PIL import Image, ImageDraw

from liquid_control.evaluation.film import gauges
from liquid_control.evaluation.film.inset import MapInset
from liquid_control.evaluation.story import FlightStory, FrameTrack
from liquid_control.pages.movie import fit_picture
from liquid_control.pages.screen import (
    HEIGHT,
    INK,
    MARGIN,
    MUTED,
    PAGE,
    PANEL_WIDTH,
    font,
)
from liquid_control.types import NANOSECONDS, Pixels


class Painter:
    """Paints the pictures of one flight; what does not change is painted once.

    Args:
        story: the flight.
        frames: its camera frames, at least one.
    """

    def __init__(self, story: FlightStory, frames: FrameTrack) -> None:
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
        gauges.command_bars(panel, record.command[tick])
        gauges.wind_arrow(panel, record.wind[tick])
        neurons = self._story.neurons
        if neurons is not None:
            index = int(np.searchsorted(neurons.stamp_ns, stamp_ns, side="right")) - 1
            gauges.neuron_cells(panel, neurons.state[max(0, index)])
        picture = fit_picture(self._frames.images[self._frames.latest(stamp_ns)])
        return np.concatenate([picture, self._write(panel, tick)], axis=1)

    def _backdrop(self) -> Pixels:
        panel = np.full((HEIGHT, PANEL_WIDTH, 3), PAGE, np.uint8)
        self._inset.ground(panel)
        image = Image.fromarray(panel)
        draw = ImageDraw.Draw(image)
        draw.text((MARGIN, 18), self._story.title, INK, font(16, bold=True))
        neurons = self._story.neurons
        gauges.labels(draw, 0 if neurons is None else len(neurons.names))
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
        gauges.numbers(draw, speed, wind, record.command[tick])
        seconds = (int(record.stamp_ns[tick]) - int(record.stamp_ns[0])) / NANOSECONDS
        clock = f"{record.progress_m[tick]:.0f} m   {seconds:.1f} s"
        draw.text((PANEL_WIDTH - MARGIN, 21), clock, MUTED, font(13), anchor="ra")
        return np.asarray(image)

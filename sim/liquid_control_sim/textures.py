"""Paints the ground of a forest into one picture: floor, leaf litter, trail and baked shadows.

The renderer samples textures without filtering, so the grain is kept coarse and mild: finer detail
would only flicker. Lengths are in metres, the pictures' first row is north.
"""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.seeding import stream
from liquid_control.types import Floats, Pixels
from liquid_control_sim.forest import HALF_WIDTH_STEP_M, LEAD_IN_M, Forest, visible_course
from liquid_control_sim.palette import Colour
from liquid_control_sim.sun import Sun

Field = NDArray[np.uint8]

MOST_PIXELS = 2048
_FINEST_M = 0.05
_MARGIN_M = 14.0
_TILE = 512
_GRAIN_SEED = 20
_LONGEST_SHADOW_M = 25.0


@dataclass(frozen=True)
class Extent:
    """The rectangle of the map that is painted.

    Attributes:
        west_m, south_m: its lower left corner, m, map.
        pixel_m: size of a pixel.
        columns, rows: size in pixels.
    """

    west_m: float
    south_m: float
    pixel_m: float
    columns: int
    rows: int

    @property
    def east_m(self) -> float:
        """Its right edge."""
        return self.west_m + self.columns * self.pixel_m

    @property
    def north_m(self) -> float:
        """Its upper edge."""
        return self.south_m + self.rows * self.pixel_m

    def pixels(self, points: Floats, scale: float = 1.0) -> Floats:
        """Return (column, row) of points [..., 2] of the map in a picture `scale` times as fine."""
        column = (points[..., 0] - self.west_m) / self.pixel_m
        row = (self.north_m - points[..., 1]) / self.pixel_m
        return np.stack([column, row], axis=-1) * scale


def ground_extent(forest: Forest) -> Extent:
    """Return the trail's rectangle and 14 m around it, at 5 cm or what 2048 pixels allow."""
    _, points, _ = visible_course(forest.trail)
    low, high = points.min(axis=0) - _MARGIN_M, points.max(axis=0) + _MARGIN_M
    size = high - low
    pixel = max(_FINEST_M, float(size.max()) / MOST_PIXELS)
    columns, rows = (int(v) for v in np.floor(size / pixel))
    return Extent(float(low[0]), float(low[1]), pixel, columns, rows)


def paint_ground(forest: Forest, sun: Sun, extent: Extent) -> Pixels:
    """Paint uint8 [rows, columns, 3], RGB albedo times the share of light that arrives."""
    rng = stream(forest.seed, "forest.ground")
    palette = forest.palette
    fine, middle, coarse = (_grain(extent, size, rng) for size in (0.07, 0.35, 1.6))
    tone = cv2.addWeighted(middle, 0.45, coarse, 0.40, 0.0)
    floor = cv2.addWeighted(tone, 1.0, fine, 0.32, -22.0)
    picture = _coloured(floor, (palette.floor_dark, palette.floor, palette.floor_light))
    patches = cv2.addWeighted(_grain(extent, 0.9, rng), 0.6, fine, 0.4, 0.0)
    fallen = patches < np.quantile(patches[::8, ::8], palette.litter_share)
    litter = _coloured(fine, (_scaled(palette.litter, 0.75), _scaled(palette.litter, 1.2)))
    cv2.copyTo(litter, fallen.astype(np.uint8), picture)
    worn = _trail_mask(forest, extent)
    surface = cv2.addWeighted(cv2.addWeighted(middle, 0.5, fine, 0.25, 0.0), 1.0, worn, 0.28, -6.0)
    soil = _coloured(surface, (palette.trail_dark, palette.trail, _scaled(palette.trail, 1.1)))
    edge = cv2.addWeighted(worn, 0.7, cv2.addWeighted(fine, 0.6, middle, 0.4, 0.0), 0.3, 0.0)
    cv2.copyTo(soil, (edge > 127).astype(np.uint8), picture)
    light = _light(forest, sun, extent, middle)
    lit = np.asarray(cv2.multiply(picture, cv2.merge((light, light, light)), scale=1.0 / 255.0))
    return _framed(lit)


def _framed(picture: Pixels) -> Pixels:
    """Fade the margin to its mean colour, which the ground goes on with outside the picture."""
    rows, columns = picture.shape[:2]
    border = max(min(rows, columns) // 12, 2)
    mean = picture[:border].reshape(-1, 3).mean(axis=0)
    across = np.minimum(np.arange(columns), np.arange(columns)[::-1]) / border
    down = np.minimum(np.arange(rows), np.arange(rows)[::-1]) / border
    for strip in (np.s_[:border], np.s_[-border:]):
        _blend(picture[strip], mean, np.minimum(down[strip, None], across[None]))
        _blend(picture[:, strip], mean, np.minimum(down[:, None], across[None, strip]))
    return picture


def _blend(part: Pixels, mean: Floats, kept: Floats) -> None:
    weight = np.clip(kept, 0.0, 1.0)[..., None].astype(np.float32)
    part[:] = (mean + (part - mean) * weight).astype(np.uint8)


def _grain(extent: Extent, size_m: float, rng: np.random.Generator) -> Field:
    """Return uint8 [rows, columns] of smooth noise whose grains are `size_m` wide."""
    factor = max(size_m / (extent.pixel_m * 3.0), 1.0)
    rows, columns = (math.ceil(n / factor) + 1 for n in (extent.rows, extent.columns))
    row, column = (int(v) for v in rng.integers(0, _TILE, 2))
    repeats = (-(-(rows + row) // _TILE), -(-(columns + column) // _TILE))
    crop = np.tile(_noise_tile(), repeats)[row : row + rows, column : column + columns]
    size = (extent.columns, extent.rows)
    return np.asarray(cv2.resize(np.ascontiguousarray(crop), size, interpolation=cv2.INTER_LINEAR))


@functools.cache
def _noise_tile() -> Field:
    """Return uint8 [512, 512], smooth noise of mean 127 that repeats without a seam."""
    noise = np.random.default_rng(_GRAIN_SEED).standard_normal((_TILE, _TILE))
    wave = np.fft.fftfreq(_TILE)
    spectrum = np.exp(-(wave[:, None] ** 2 + wave[None] ** 2) / (2.0 * 0.13**2))
    smooth = np.fft.ifft2(np.fft.fft2(noise) * spectrum).real
    return np.clip(127.5 + 52.0 * smooth / smooth.std(), 0.0, 255.0).astype(np.uint8)


def _coloured(index: Field, stops: tuple[Colour, ...]) -> Pixels:
    """Map grey values to a gradient through colours, RGB."""
    places = np.linspace(0.0, 255.0, len(stops))
    table = [np.interp(np.arange(256), places, channel) for channel in zip(*stops, strict=True)]
    entries = np.clip(np.stack(table, axis=1) * 255.0, 0.0, 255.0).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(index, entries[:, None, :]))


def _scaled(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def _trail_mask(forest: Forest, extent: Extent) -> Field:
    """Return uint8 [rows, columns]: 255 on the trail, half of it at the margin, 0 beside."""
    along, points, headings = visible_course(forest.trail)
    places = -LEAD_IN_M + HALF_WIDTH_STEP_M * np.arange(len(forest.half_width_m))
    half = np.interp(along, places, forest.half_width_m)[:, None]
    left = np.stack([-np.sin(headings), np.cos(headings)], axis=1)
    outline = np.concatenate([points + half * left, (points - half * left)[::-1]])
    scale = 0.5
    mask = np.zeros((math.ceil(extent.rows * scale), math.ceil(extent.columns * scale)), np.uint8)
    corners = np.round(extent.pixels(outline, scale) * 16.0).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, lineType=cv2.LINE_AA, shift=4)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.28 / extent.pixel_m * scale)
    return np.asarray(cv2.resize(mask, (extent.columns, extent.rows)))


def _light(forest: Forest, sun: Sun, extent: Extent, dapple: Field) -> Field:
    """Return uint8 [rows, columns], 255 where all light arrives: baked shadows of the trees."""
    scale = min(0.5, extent.pixel_m / 0.12)
    shape = (math.ceil(extent.rows * scale), math.ceil(extent.columns * scale))
    trunks, crowns, feet = (np.zeros(shape, np.uint8) for _ in range(3))
    metre = scale / extent.pixel_m
    away = -sun.direction[:2] / max(float(sun.direction[2]), 0.05)
    bearing = math.degrees(math.atan2(-away[1], away[0]))
    for (x, y, r), height, base, crown in zip(
        forest.trunks,
        forest.trees.height_m,
        forest.trees.crown_base_m,
        forest.trees.crown_radius_m,
        strict=True,
    ):
        foot = np.array([x, y])
        reach = float(np.linalg.norm(away)) * np.array(
            [base, 0.5 * (base + height), height - base]
        )
        if reach[1] < _LONGEST_SHADOW_M:
            tip = _at(extent, foot + away * base, scale)
            width = max(round(2.0 * r * metre), 1)
            cv2.line(trunks, _at(extent, foot, scale), tip, 255, width, cv2.LINE_AA)
            centre = _at(extent, foot + away * 0.5 * (base + height), scale)
            axes = (round((0.45 * reach[2] + 0.6 * crown) * metre), round(0.85 * crown * metre))
            cv2.ellipse(crowns, centre, axes, bearing, 0.0, 360.0, 255, -1)
        cv2.circle(feet, _at(extent, foot, scale), max(round(2.2 * r * metre), 1), 255, -1)
    crowns = cv2.GaussianBlur(crowns, (0, 0), 0.35 * metre)
    dark = cv2.max(
        cv2.GaussianBlur(trunks, (0, 0), 0.08 * metre),
        cv2.addWeighted(crowns, 0.8, crowns, 0.0, 0.0),
    )
    size = (extent.columns, extent.rows)
    dark = cv2.resize(dark, size)
    broken = cv2.addWeighted(dapple, -0.35, dapple, 0.0, 300.0)
    dark = cv2.multiply(dark, broken, scale=sun.ground_share / 255.0)
    foot_dark = cv2.resize(cv2.GaussianBlur(feet, (0, 0), 0.14 * metre), size)
    shade = cv2.addWeighted(dark, 1.0, foot_dark, 0.35, 0.0)
    return np.asarray(cv2.bitwise_not(shade))


def _at(extent: Extent, point: Floats, scale: float) -> tuple[int, int]:
    column, row = extent.pixels(point, scale)
    return round(float(column)), round(float(row))

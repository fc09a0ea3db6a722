"""Ground texture of a forest: floor, leaf litter, trail and painted shadows.

The grain is coarse and of low contrast, as a camera of low resolution sees it. Lengths are in
metres; the first row of the picture is north.
"""

import functools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.seeding import stream
from liquid_control.types import Floats, Pixels
from liquid_control_sim.place.forest import Extent, Forest
from liquid_control_sim.place.forks import SideTrail
from liquid_control_sim.place.palette import Colour
from liquid_control_sim.place.trail import HALF_WIDTH_STEP_M, LEAD_IN_M, visible_course
from liquid_control_sim.render.meshes import unit
from liquid_control_sim.render.sunlight import Sun

TILE = 512
_GRAIN_SEED = 20


@functools.cache
def noise_tile() -> NDArray[np.uint8]:
    """Return smooth periodic noise of mean 127, uint8 [512, 512]."""
    noise = np.random.default_rng(_GRAIN_SEED).standard_normal((TILE, TILE))
    wave = np.fft.fftfreq(TILE)
    spectrum = np.exp(-(wave[:, None] ** 2 + wave[None] ** 2) / (2.0 * 0.13**2))
    smooth = np.fft.ifft2(np.fft.fft2(noise) * spectrum).real
    grey = np.clip(127.5 + 52.0 * smooth / smooth.std(), 0.0, 255.0)
    return np.asarray(grey, dtype=np.uint8)


Field = NDArray[np.uint8]

_LONGEST_SHADOW_M = 25.0
_PIXEL_M = 0.12


def paint_light(
    forest: Forest, sun: Sun, extent: Extent, dapple: Field, cast: bool = True
) -> Field:
    """Paint the light on the ground, uint8 [rows, columns]; 255 is full light.

    Args:
        forest: its trees cast shadows.
        sun: its direction and direct fraction of the light determine the shadows.
        extent: area to paint.
        dapple: uint8 [rows, columns], noise that modulates the shadows.
        cast: whether the sun casts shadows; if not, only the bases of the trees are dark.
    """
    scale = min(0.5, extent.pixel_m / _PIXEL_M)
    metre = scale / extent.pixel_m
    size = (extent.columns, extent.rows)
    trunks, crowns, feet = _cast(forest, sun, extent, scale)
    crowns = _soft(crowns, 0.35 * metre)
    crowns = np.asarray(cv2.addWeighted(crowns, 0.8, crowns, 0.0, 0.0))
    dark = cv2.resize(cv2.max(_soft(trunks, 0.08 * metre), crowns), size)
    broken = cv2.addWeighted(dapple, -0.35, dapple, 0.0, 300.0)
    dark = cv2.multiply(dark, broken, scale=float(cast) * sun.direct_fraction / 255.0)
    foot_dark = cv2.resize(_soft(feet, 0.14 * metre), size)
    shade = cv2.addWeighted(dark, 1.0, foot_dark, 0.35, 0.0)
    return np.asarray(cv2.bitwise_not(shade))


def _soft(mask: Field, sigma: float) -> Field:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma))


def _cast(forest: Forest, sun: Sun, extent: Extent, scale: float) -> tuple[Field, Field, Field]:
    """Return masks of the shadows of trunks and crowns, and of the bases of the trees."""
    shape = (math.ceil(extent.rows * scale), math.ceil(extent.columns * scale))
    trunks, crowns, feet = (np.zeros(shape, np.uint8) for _ in range(3))
    metre = scale / extent.pixel_m
    away = -sun.direction[:2] / max(float(sun.direction[2]), 0.05)
    bearing, reach = math.degrees(math.atan2(-away[1], away[0])), float(np.linalg.norm(away))
    trees = forest.trees
    middle = 0.5 * (trees.crown_base_m + trees.height_m)
    long = (
        0.45 * reach * (trees.height_m - trees.crown_base_m) + 0.6 * trees.crown_radius_m
    ) * metre
    wide = 0.85 * trees.crown_radius_m * metre
    foot = forest.trunks[:, :2]
    feet_px = _pixels(extent, foot, scale)
    tips_px = _pixels(extent, foot + trees.crown_base_m[:, None] * away, scale)
    crowns_px = _pixels(extent, foot + middle[:, None] * away, scale)
    for index, radius in enumerate((forest.trunks[:, 2] * metre).tolist()):
        if reach * middle[index] < _LONGEST_SHADOW_M:
            width = max(round(2.0 * radius), 1)
            cv2.line(trunks, feet_px[index], tips_px[index], 255, width, cv2.LINE_AA)
            axes = (round(long[index]), round(wide[index]))
            cv2.ellipse(crowns, crowns_px[index], axes, bearing, 0.0, 360.0, 255, -1)
        cv2.circle(feet, feet_px[index], max(round(2.2 * radius), 1), 255, -1)
    return trunks, crowns, feet


def _pixels(extent: Extent, points: Floats, scale: float) -> list[tuple[int, int]]:
    return [(round(u), round(v)) for u, v in extent.pixels(points, scale).tolist()]


def paint_ground(forest: Forest, sun: Sun, extent: Extent, cast: bool = True) -> Pixels:
    """Paint the ground, uint8 [rows, columns, 3]: RGB albedo times the fraction of light.

    Args:
        forest: trees, trails and colours.
        sun: light that casts the painted shadows.
        extent: area to paint.
        cast: whether shadows are painted.
    """
    rng = stream(forest.seed, "forest.ground")
    palette = forest.palette
    fine, middle, coarse = (_grain(extent, size, rng) for size in (0.07, 0.35, 1.6))
    tone = _sum(middle, 0.45, coarse, 0.40, 0.0)
    floor = _sum(tone, 1.0, fine, 0.32, -22.0)
    picture = _coloured(floor, (palette.floor_dark, palette.floor, palette.floor_light))
    patches = _sum(_grain(extent, 0.9, rng), 0.6, fine, 0.4, 0.0)
    fallen = patches < np.quantile(patches[::8, ::8], palette.litter_fraction)
    litter = _coloured(fine, (_scaled(palette.litter, 0.75), _scaled(palette.litter, 1.2)))
    cv2.copyTo(litter, fallen.astype(np.uint8), picture)
    worn = _trail_mask(forest, extent)
    surface = _sum(_sum(middle, 0.5, fine, 0.25, 0.0), 1.0, worn, 0.28, -6.0)
    soil = _coloured(surface, (palette.trail_dark, palette.trail, _scaled(palette.trail, 1.1)))
    edge = _sum(worn, 0.7, _sum(fine, 0.6, middle, 0.4, 0.0), 0.3, 0.0)
    cv2.copyTo(soil, (edge > 127).astype(np.uint8), picture)
    light = paint_light(forest, sun, extent, middle, cast)
    lit = cv2.multiply(picture, cv2.merge((light, light, light)), scale=1.0 / 255.0)
    return _framed(np.asarray(lit))


def _sum(a: Field, weight_a: float, b: Field, weight_b: float, plus: float = 0.0) -> Field:
    return np.asarray(cv2.addWeighted(a, weight_a, b, weight_b, plus))


def _framed(picture: Pixels) -> Pixels:
    """Fade the border to its mean colour, the colour of the ground outside the picture."""
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
    """Return smooth noise with grains of `size_m`, uint8 [rows, columns]."""
    factor = max(size_m / (extent.pixel_m * 3.0), 1.0)
    rows, columns = (math.ceil(n / factor) + 1 for n in (extent.rows, extent.columns))
    row, column = (int(v) for v in rng.integers(0, TILE, 2))
    repeats = (-(-(rows + row) // TILE), -(-(columns + column) // TILE))
    crop = np.tile(noise_tile(), repeats)[row : row + rows, column : column + columns]
    size = (extent.columns, extent.rows)
    return np.asarray(cv2.resize(np.ascontiguousarray(crop), size, interpolation=cv2.INTER_LINEAR))


def _coloured(index: Field, stops: tuple[Colour, ...]) -> Pixels:
    """Map grey values to a gradient of RGB colours."""
    places = np.linspace(0.0, 255.0, len(stops))
    table = [np.interp(np.arange(256), places, channel) for channel in zip(*stops, strict=True)]
    entries = np.clip(np.stack(table, axis=1) * 255.0, 0.0, 255.0).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(index, entries[:, None, :]))


def _scaled(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def _trail_mask(forest: Forest, extent: Extent) -> Field:
    """Return the mask of the trails, uint8 [rows, columns]: 255 on a trail, blurred edges."""
    scale = 0.5
    mask = np.zeros((math.ceil(extent.rows * scale), math.ceil(extent.columns * scale)), np.uint8)
    if forest.painted:
        along, points, headings = visible_course(forest.trail)
        places = -LEAD_IN_M + HALF_WIDTH_STEP_M * np.arange(len(forest.half_width_m))
        half = np.interp(along, places, forest.half_width_m)
        left = np.stack([-np.sin(headings), np.cos(headings)], axis=1)
        _tread(mask, extent.pixels(_outline(points, left, half), scale), 255)
    for side in forest.side_trails:
        _tread_side_trail(mask, side, extent, scale)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.28 / extent.pixel_m * scale)
    return np.asarray(cv2.resize(soft, (extent.columns, extent.rows)))


def _outline(points: Floats, left: Floats, half: Floats) -> Floats:
    """Return the polygon [2 K, 2] around a line [K, 2] with half widths [K]."""
    aside = half[:, None] * left
    return np.concatenate([points + aside, (points - aside)[::-1]])


def _tread(mask: Field, outline: Floats, value: int) -> None:
    corners = np.round(outline * 16.0).astype(np.int32)
    cv2.fillPoly(mask, [corners], value, lineType=cv2.LINE_AA, shift=4)


def _tread_side_trail(mask: Field, side: SideTrail, extent: Extent, scale: float) -> None:
    """Add a fading trail to the mask, segment by segment from its faint end."""
    ahead = np.gradient(side.points, axis=0)
    left = unit(np.stack([-ahead[:, 1], ahead[:, 0]], axis=1))
    worn = np.zeros_like(mask)
    for i in range(len(side.points) - 2, -1, -1):
        piece = np.s_[i : i + 2]
        outline = _outline(side.points[piece], left[piece], side.half_width_m[piece])
        _tread(worn, extent.pixels(outline, scale), round(255.0 * side.strength[i]))
    np.maximum(mask, worn, out=mask)

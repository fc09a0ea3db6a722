"""Lens steps of the camera pipeline: water drops, defocus, dirt, vignetting and glare."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.picture.shot import Radiance, Shot, View

_MEDIAN, _SPREAD = 0.028, 0.5
_RADII = (0.010, 0.09)
"""Log-normal radius of a drop and its limits, as fractions of the picture's width."""
_REFRACTION = 0.42
"""Displacement of the view at a drop's rim, to the opposite side, fraction of the width."""
_RIM_LOSS = 0.45
"""Fraction of the light lost at the rim."""
_SOFT_EDGE = 0.45
"""Fraction of the radius over which the edge fades: the lens surface is out of focus."""
_BLUR = 0.018
"""Standard deviation of the blur in a drop, fraction of the width."""

Array = NDArray[np.float32]


class LensDrops:
    """Water drops that stay on the lens for the whole flight.

    A drop is a short plano-convex lens that shows a small, blurred, upside-down picture: at the
    offset r from its centre, in radii, the view is displaced by `_REFRACTION` r to the opposite
    side. Drops are drawn in sequence from the stream "camera.lens_drops": a larger count leaves
    the first drops unchanged.

    Args:
        count: number of drops.
        shape: (H, W) of the picture.
        seed: seed of the flight.
    """

    def __init__(self, count: int, shape: tuple[int, int], seed: int) -> None:
        height, width = shape
        rows, columns = np.indices(shape, dtype=np.float32)
        self._rows, self._columns = rows.copy(), columns.copy()
        self._cover = np.zeros(shape, dtype=np.float32)
        self._shade = np.ones(shape, dtype=np.float32)
        self._sigma = _BLUR * width
        rng = stream(seed, "camera.lens_drops")
        for _ in range(count):
            u, v, size, flat = rng.random(2).tolist() + rng.standard_normal(2).tolist()
            radius = width * min(max(_MEDIAN * np.exp(_SPREAD * size), _RADII[0]), _RADII[1])
            tall = radius * min(max(1.0 + 0.12 * flat, 0.8), 1.25)
            self._add((columns + 0.5 - u * width) / radius, (rows + 0.5 - v * height) / tall)
        self._cover3 = cv2.merge((self._cover,) * 3)
        self._shade3 = cv2.merge((self._shade,) * 3)

    def _add(self, across: Array, down: Array) -> None:
        """Add a drop over the previous ones; offsets from its centre are in radii."""
        height, width = self._cover.shape
        distance = np.sqrt(across * across + down * down)
        inside = distance < 1.0
        cover = np.clip((1.0 - distance) / _SOFT_EDGE, 0.0, 1.0)
        self._cover = np.maximum(self._cover, cover.astype(np.float32))
        rows, columns = np.indices((height, width), dtype=np.float32)
        np.copyto(self._columns, columns - (_REFRACTION * width) * across, where=inside)
        np.copyto(self._rows, rows - (_REFRACTION * width) * down, where=inside)
        np.copyto(self._shade, 1.0 - _RIM_LOSS * distance**4, where=inside)

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the picture seen through the drops."""
        soft = cv2.GaussianBlur(picture, (0, 0), self._sigma, borderType=cv2.BORDER_REPLICATE)
        refracted = cv2.remap(
            soft,
            self._columns,
            self._rows,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        change = cv2.subtract(cv2.multiply(refracted, self._shade3), picture)
        return np.asarray(cv2.add(picture, cv2.multiply(change, self._cover3)))


_DISC_SAMPLES = 64
"""Number of samples across the disc."""


def disc_kernel(diameter_px: float) -> NDArray[np.float32]:
    """Return the area-sampled kernel of a disc, float32 [K, K] with K odd and sum 1.

    The weight of pixel k is the mean of tri(kx - dx) tri(ky - dy) over the offsets d of the disc,
    with tri(t) = max(0, 1 - |t|): the part of a uniform pixel, moved by d, that covers pixel k.
    """
    radius = 0.5 * diameter_px
    reach = math.ceil(radius)
    offsets = radius * (2.0 * (np.arange(_DISC_SAMPLES) + 0.5) / _DISC_SAMPLES - 1.0)
    inside = offsets[:, None] ** 2 + offsets**2 <= radius**2
    pixels = np.arange(-reach, reach + 1)
    overlap = np.maximum(1.0 - np.abs(pixels[:, None] - offsets), 0.0)
    kernel = overlap @ inside @ overlap.T
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


class Defocus:
    """Defocus blur: spreads every point over a disc, the circle of confusion.

    The disc is the same at all distances: the focus is much nearer than the forest.

    Args:
        diameter_px: diameter of the disc.
    """

    def __init__(self, diameter_px: float) -> None:
        self._kernel = disc_kernel(diameter_px)

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the blurred picture."""
        return np.asarray(
            cv2.filter2D(picture, cv2.CV_32F, self._kernel, borderType=cv2.BORDER_REPLICATE)
        )


_GRAIN = ((0.05, 1.0), (0.02, 0.5))
"""Sizes of the spots, as fractions of the picture's width, and their weights."""
_EDGE = 0.8
"""Half width of a spot's soft edge, in standard deviations of the pattern."""
_OPACITY = 0.8
_COLOUR = (0.72, 0.64, 0.52)
"""Light scattered by dry mud, relative to the mean light of the scene."""


def dirt_mask(coverage: float, shape: tuple[int, int], seed: int) -> NDArray[np.float32]:
    """Return the opacity of dirt per pixel, float32 [H, W], 0 to 1, with mean `coverage`.

    A smooth random pattern, drawn at a fixed size from the stream "camera.dirt", is thresholded
    at the level that gives this mean: more dirt extends the existing spots.
    """
    height, width = shape
    pattern = _pattern(seed)
    if coverage >= 1.0:
        return np.ones(shape, dtype=np.float32)
    spots: NDArray[np.float32] = np.asarray(
        cv2.resize(pattern, (width, height), interpolation=cv2.INTER_AREA)
    )
    low, high = float(spots.min()) - _EDGE, float(spots.max()) + _EDGE
    for _ in range(40):
        middle = 0.5 * (low + high)
        covered = _threshold(spots, middle)
        low, high = (middle, high) if covered.mean() > coverage else (low, middle)
    return covered


def _threshold(pattern: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    opacity = 0.5 + (pattern - np.float32(level)) / np.float32(2.0 * _EDGE)
    return np.asarray(np.clip(opacity, 0.0, 1.0))


def _pattern(seed: int) -> NDArray[np.float32]:
    """Return smooth noise of unit standard deviation, float32 [270, 480]."""
    rng = stream(seed, "camera.dirt")
    height, width = 270, 480
    total = np.zeros((height, width), dtype=np.float32)
    for size, weight in _GRAIN:
        white = rng.standard_normal((height, width), dtype=np.float32)
        smooth = cv2.GaussianBlur(white, (0, 0), 0.5 * size * width)
        total += np.float32(weight) * smooth / smooth.std()
    return np.asarray(total / total.std(), dtype=np.float32)


class Dirt:
    """Dirt on the lens: spots absorb light and scatter mean light of the scene.

    Args:
        coverage: fraction of the lens covered by dirt, 0 to 1.
        shape: (H, W) of the picture.
        seed: seed of the flight.
    """

    def __init__(self, coverage: float, shape: tuple[int, int], seed: int) -> None:
        veil = _OPACITY * dirt_mask(coverage, shape, seed)
        self._veil = cv2.merge((veil, veil, veil))
        self._through = 1.0 - self._veil

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the picture seen through the dirt."""
        level = sum(cv2.mean(picture)[:3]) / 3.0
        scattered = self._veil * (level * np.array(_COLOUR)).astype(np.float32)
        return np.asarray(cv2.add(cv2.multiply(picture, self._through), scattered))


class Vignetting:
    """Vignetting with the shape of the natural one, cos^4 of the angle from the axis.

    The factor is 1 - v (1 - cos^4 a) / (1 - cos^4 c), with c the angle of the corner pixels: the
    corners lose exactly the fraction v.

    Args:
        loss: v, 0 to 1.
        view: geometry of the picture.
    """

    def __init__(self, loss: float, view: View) -> None:
        fall = 1.0 - view.rays[:, 2].astype(np.float64).reshape(view.shape) ** 4
        factor = (1.0 - loss * fall / fall.max()).astype(np.float32)
        self._factor = cv2.merge((factor, factor, factor))

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the picture with darkened corners."""
        return np.asarray(cv2.multiply(picture, self._factor))


_VEIL = 0.12
"""Radiance of the veil at one radian from a sun of unit light, at strength 1."""
_BASE_VEIL = 0.20
"""Uniform part of the veil: ISO 9358 veiling glare index of a smudged lens."""
_CORE_RAD = 0.06
_HOOD_RAD = 0.35
"""Angle beyond the picture's corner over which the veil falls to 1 / e^(1/2)."""
_MARGIN = 0.1
"""Width beyond the edge over which occlusion by trees fades out, fraction of the width."""
_LEAF_TRANSMITTANCE = 0.15
"""Fraction of sunlight that passes trees."""
_GHOSTS = (
    (-0.35, 0.030, (0.9, 1.0, 0.6), 0.35),
    (-0.62, 0.055, (0.6, 0.9, 1.0), 0.22),
    (-1.05, 0.085, (1.0, 0.7, 0.5), 0.15),
    (0.45, 0.022, (0.7, 1.0, 0.8), 0.30),
)
"""Position on the line from the centre to the sun (1 at the sun), radius as a fraction of the
width, tint, and radiance at strength 1."""


class Glare:
    """Veiling glare after the law of Stiles and Holladay, with ghosts.

    The veil of a source of light E at the angle t from a pixel's ray is proportional to E / t^2
    (Holladay 1926; Stiles 1929), here E (a / (t^2 + t0^2) + b), finite at the source. For a sun
    outside the picture, the lens hood blocks more of the light the farther away the sun is; a sun
    behind the camera has no effect. Trees in front of a sun in the picture occlude it: the visible
    fraction is the fraction of sky in a patch around the sun, plus a little light through leaves.
    Trees outside the picture are unknown, so the sun there is not occluded.

    Args:
        strength: 0 to 1.
        direction: float64 [3], unit vector to the sun, map.
        light: float64 [3], RGB light of the sun.
        view: geometry of the picture.
    """

    def __init__(self, strength: float, direction: Floats, light: Floats, view: View) -> None:
        self._direction = direction.astype(np.float32)
        self._light = strength * light
        self._focal_px = view.focal_px
        self._shape = view.shape
        height, width = view.shape
        self._corner_rad = math.atan2(0.5 * math.hypot(width, height), view.focal_px)
        self._rows = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5)
        self._columns = np.arange(width, dtype=np.float32) + np.float32(0.5)

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the picture with veil and ghosts added."""
        sun: Radiance = shot.rotation.T @ self._direction
        if sun[2] <= 0.0:
            return picture
        u, v = self._project(sun)
        strength = self._hood_transmittance(float(sun[2])) * self._visible_fraction(u, v, shot)
        if strength <= 0.0:
            return picture
        chord = 2.0 - 2.0 * (shot.rays @ sun).reshape(self._shape)
        scattered = np.float32(_VEIL) / (chord + np.float32(_CORE_RAD**2)) + np.float32(_BASE_VEIL)
        light = strength * self._light
        added: Radiance = np.asarray(cv2.merge([scattered * np.float32(part) for part in light]))
        for along, radius, tint, radiance in _GHOSTS:
            self._add_ghost(added, (u, v), along, radius, radiance * np.array(tint) * light)
        return np.asarray(cv2.add(picture, added))

    def _project(self, sun: Radiance) -> tuple[float, float]:
        """Return the position of the sun in the image plane, pixels."""
        height, width = self._shape
        depth = max(float(sun[2]), 1e-3)
        return (
            0.5 * width + self._focal_px * float(sun[0]) / depth,
            0.5 * height + self._focal_px * float(sun[1]) / depth,
        )

    def _hood_transmittance(self, cosine: float) -> float:
        """Return the fraction of sunlight that passes the hood, by the cosine to the axis."""
        beyond = max(math.acos(min(cosine, 1.0)) - self._corner_rad, 0.0)
        return cosine * math.exp(-0.5 * (beyond / _HOOD_RAD) ** 2)

    def _visible_fraction(self, u: float, v: float, shot: Shot) -> float:
        """Return the fraction of the sun that trees do not occlude; 1 outside the picture."""
        height, width = self._shape
        outside = max(-u, u - width, -v, v - height, 0.0) / (_MARGIN * width)
        if outside >= 1.0:
            return 1.0
        reach = max(width // 32, 1)
        column = int(min(max(u, 0.0), width - 1.0))
        row = int(min(max(v, 0.0), height - 1.0))
        patch = shot.is_sky[
            max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1
        ]
        sky = _LEAF_TRANSMITTANCE + (1.0 - _LEAF_TRANSMITTANCE) * float(np.mean(patch))
        return sky + outside * (1.0 - sky)

    def _add_ghost(
        self, added: Radiance, sun: tuple[float, float], along: float, radius: float, light: Floats
    ) -> None:
        """Add a soft disc on the line through the picture's centre, in place."""
        height, width = self._shape
        radius_px = radius * width
        column = 0.5 * width + along * (sun[0] - 0.5 * width)
        row = 0.5 * height + along * (sun[1] - 0.5 * height)
        left, right = max(int(column - radius_px), 0), min(int(column + radius_px) + 2, width)
        top, bottom = max(int(row - radius_px), 0), min(int(row + radius_px) + 2, height)
        if left >= right or top >= bottom:
            return
        squared = (self._rows[top:bottom] - row) ** 2 + (self._columns[left:right] - column) ** 2
        disc = np.clip(2.0 * (1.0 - np.sqrt(squared) / radius_px), 0.0, 1.0)
        added[top:bottom, left:right] += disc[..., None] * light.astype(np.float32)

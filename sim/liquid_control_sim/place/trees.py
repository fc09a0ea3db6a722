"""Trees as data: trunk positions next to a trail, and the shape of each tree."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import ForestSettings
from liquid_control.errors import ConfigError
from liquid_control.types import Floats
from liquid_control_sim.place.forks import SideTrail
from liquid_control_sim.place.trail import TrailCurve, visible_course

Mask = NDArray[np.bool_]
CandidateDraw = Callable[[np.random.Generator], tuple[Floats, Floats, Mask]]
"""Draws `BATCH` radii [B], positions [B, 2] and whether each position is allowed [B]."""

BATCH = 512
_SPACING_M = 1.3
_LEAST_SPACING_M = 0.5
"""Minimum spacing; trunks are up to 0.48 m wide."""
_CROWDED = 10
"""The spacing shrinks by a tenth after a batch with fewer accepted trees than this."""


class TreeKind(IntEnum):
    """Kind of a tree."""

    CONIFER = 0
    BROADLEAF = 1
    BIRCH = 2
    DEAD = 3


@dataclass(frozen=True)
class Trees:
    """Shape and appearance of trees, one row each.

    Attributes:
        kind: int64 [N], values of `TreeKind`.
        height_m: float64 [N], top above ground.
        crown_base_m: float64 [N], lower end of the foliage, above any flight at 1.5 m.
        crown_radius_m: float64 [N].
        turn_rad: float64 [N], rotation about the vertical, in [0, 2 pi).
        shade: float64 [N], in [0, 1], selects a tint of the kind.
    """

    kind: NDArray[np.int64]
    height_m: Floats
    crown_base_m: Floats
    crown_radius_m: Floats
    turn_rad: Floats
    shade: Floats


def plant(count: int, draw_candidates: CandidateDraw, rng: np.random.Generator) -> Floats:
    """Draw trunk positions and keep those with enough spacing.

    The spacing shrinks when few candidates are accepted.

    Returns:
        float64 [count, 3], x, y and radius, m, map.

    Raises:
        ConfigError: that many do not fit with a spacing of 0.5 m.
    """
    kept: list[tuple[float, float, float]] = []
    spacing = _SPACING_M
    while len(kept) < count:
        radius, candidates, allowed = draw_candidates(rng)
        before = len(kept)
        fits = allowed & _are_free(candidates, spacing, kept)
        for (x, y), r in zip(candidates[fits].tolist(), radius[fits].tolist(), strict=True):
            if len(kept) < count and _is_free(x, y, spacing, kept[before:]):
                kept.append((x, y, r))
        if len(kept) - before < _CROWDED:
            spacing *= 0.9
        if spacing < _LEAST_SPACING_M and len(kept) < count:
            raise ConfigError(
                f"forest.trees: {count} do not fit {_LEAST_SPACING_M:g} m apart, at most about "
                f"{len(kept)} do; expected fewer trees, a smaller forest.clear_m or a longer way"
            )
    return np.array(kept).reshape(-1, 3)


def _are_free(places: Floats, spacing: float, kept: list[tuple[float, float, float]]) -> Mask:
    """Return bool [M]: which positions are at least `spacing` from every kept tree."""
    others = np.array(kept).reshape(-1, 3)[:, :2]
    apart = ((places[:, None] - others) ** 2).sum(axis=2)
    return np.asarray((apart >= spacing * spacing).all(axis=1))


def _is_free(x: float, y: float, spacing: float, kept: list[tuple[float, float, float]]) -> bool:
    limit = spacing * spacing
    return all((x - a) ** 2 + (y - b) ** 2 >= limit for a, b, _ in kept)


def draw_trees(trunks: Floats, rng: np.random.Generator) -> Trees:
    """Draw the kind and the shape of each tree; one or two kinds dominate in a forest."""
    count = len(trunks)
    fractions = rng.dirichlet((2.0, 1.2, 0.6)) * 0.93
    kind = rng.choice(4, size=count, p=[*fractions, 1.0 - fractions.sum()])
    height = rng.uniform(7.0, 13.0, count) * np.array([1.1, 0.9, 1.0, 0.6])[kind]
    base = np.maximum(rng.uniform(3.0, 4.2, count), 0.3 * height)
    slender = np.array([0.20, 0.30, 0.19, 0.10])[kind]
    return Trees(
        kind=kind.astype(np.int64),
        height_m=height,
        crown_base_m=base,
        crown_radius_m=height * slender * rng.uniform(0.75, 1.2, count),
        turn_rad=rng.uniform(0.0, 2.0 * math.pi, count),
        shade=rng.random(count),
    )


def joined(parts: Sequence[Trees]) -> Trees:
    """Concatenate groups of trees."""
    return Trees(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Trees.__dataclass_fields__
        }
    )


BAND_M = 12.0
"""Trees stand within this distance of the trail."""
_DENSE_M = 5.0
"""Distance over which the density falls to 1/e."""


def plant_beside(
    trail: TrailCurve,
    forks: Sequence[SideTrail],
    settings: ForestSettings,
    rng: np.random.Generator,
) -> Floats:
    """Draw trunks next to a trail, denser near its margin, none on it or on side trails.

    Args:
        trail: trail to keep clear, lead-in and run-out included.
        forks: side trails to keep clear.
        settings: number of trees and their minimum distance from the trail.
        rng: generator of the stream "forest.trees".

    Returns:
        float64 [trees, 3], x, y and radius, m, map.

    Raises:
        ConfigError: that many do not fit.
    """
    along, points, headings = visible_course(trail)
    clear_m = settings.clear_m
    keep_clear = np.concatenate([points, *(fork.points for fork in forks)])

    def draw_candidates(rng: np.random.Generator) -> tuple[Floats, Floats, Mask]:
        radius = rng.uniform(0.10, 0.24, BATCH)
        index = rng.integers(0, len(along), BATCH)
        beside = clear_m + radius + _lateral(BAND_M - clear_m, rng)
        beside *= rng.choice((-1.0, 1.0), BATCH)
        normal = np.stack([-np.sin(headings[index]), np.cos(headings[index])], axis=1)
        candidates = points[index] + beside[:, None] * normal
        gap = np.linalg.norm(candidates[:, None] - keep_clear, axis=2).min(axis=1)
        return radius, candidates, gap >= clear_m + radius + 0.02

    return plant(settings.trees, draw_candidates, rng)


def _lateral(band_m: float, rng: np.random.Generator) -> Floats:
    """Draw distances beyond the clear strip: exponential, truncated at the band."""
    most = 1.0 - math.exp(-max(band_m, 1.0) / _DENSE_M)
    return np.asarray(-_DENSE_M * np.log1p(-most * rng.random(BATCH)))

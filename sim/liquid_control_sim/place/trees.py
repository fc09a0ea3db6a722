"""Trees as data: where they stand beside the way, and how they look."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from liquid_control.config.scenario import ForestSettings
from liquid_control.errors import ConfigError
from liquid_control.types import Floats
from liquid_control_sim.place.forks import SideTrail
from liquid_control_sim.place.trail import TrailCurve, visible_course

Mask = NDArray[np.bool_]
Throw = Callable[[np.random.Generator], tuple[Floats, Floats, Mask]]
"""Draws `BATCH` radii [B], places [B, 2] and whether a trunk may stand there at all [B]."""

BATCH = 512
_SPACING_M = 1.3
_LEAST_SPACING_M = 0.5
"""Trunks are up to 0.48 m wide."""
_CROWDED = 10
"""Where a batch finds room for fewer trees than this, the spacing shrinks by a tenth."""


class TreeKind(IntEnum):
    """What a tree is built as."""

    CONIFER = 0
    BROADLEAF = 1
    BIRCH = 2
    DEAD = 3


@dataclass(frozen=True)
class Trees:
    """How the trees look, a row each.

    Attributes:
        kind: int64 [N], of `TreeKind`.
        height_m: float64 [N], top above ground.
        crown_base_m: float64 [N], where the foliage begins, above every flight at 1.5 m.
        crown_radius_m: float64 [N].
        turn_rad: float64 [N], about the vertical, in [0, 2 pi).
        shade: float64 [N], in [0, 1], picks among the tints of a kind.
    """

    kind: NDArray[np.int64]
    height_m: Floats
    crown_base_m: Floats
    crown_radius_m: Floats
    turn_rad: Floats
    shade: Floats


def plant(count: int, throw: Throw, rng: np.random.Generator) -> Floats:
    """Throw trunks and keep those that have room; the spacing shrinks where they crowd.

    Returns:
        float64 [count, 3], x, y and radius, m, map.

    Raises:
        ConfigError: so many find no room, 0.5 m apart.
    """
    kept: list[tuple[float, float, float]] = []
    spacing = _SPACING_M
    while len(kept) < count:
        radius, thrown, allowed = throw(rng)
        before = len(kept)
        fits = allowed & _are_free(thrown, spacing, kept)
        for (x, y), r in zip(thrown[fits].tolist(), radius[fits].tolist(), strict=True):
            if len(kept) < count and _is_free(x, y, spacing, kept[before:]):
                kept.append((x, y, r))
        if len(kept) - before < _CROWDED:
            spacing *= 0.9
        if spacing < _LEAST_SPACING_M and len(kept) < count:
            raise ConfigError(
                f"forest.trees: {count} find no room {_LEAST_SPACING_M:g} m apart, at most about "
                f"{len(kept)} do; expected fewer trees, a smaller forest.clear_m or a longer way"
            )
    return np.array(kept).reshape(-1, 3)


def _are_free(places: Floats, spacing: float, kept: list[tuple[float, float, float]]) -> Mask:
    """Return bool [M], which places are at least `spacing` from every tree kept so far."""
    others = np.array(kept).reshape(-1, 3)[:, :2]
    apart = ((places[:, None] - others) ** 2).sum(axis=2)
    return np.asarray((apart >= spacing * spacing).all(axis=1))


def _is_free(x: float, y: float, spacing: float, kept: list[tuple[float, float, float]]) -> bool:
    limit = spacing * spacing
    return all((x - a) ** 2 + (y - b) ** 2 >= limit for a, b, _ in kept)


def grow(trunks: Floats, rng: np.random.Generator) -> Trees:
    """Draw each tree's kind and size; one forest is mostly of one or two kinds."""
    count = len(trunks)
    shares = rng.dirichlet((2.0, 1.2, 0.6)) * 0.93
    kind = rng.choice(4, size=count, p=[*shares, 1.0 - shares.sum()])
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
    """Return the trees of several groups in one, in their order."""
    return Trees(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Trees.__dataclass_fields__
        }
    )


BAND_M = 12.0
"""Trees stand within this distance of the trail."""
_DENSE_M = 5.0
"""Over this distance the density falls to 1/e."""


def plant_beside(
    trail: TrailCurve,
    forks: Sequence[SideTrail],
    settings: ForestSettings,
    rng: np.random.Generator,
) -> Floats:
    """Throw trunks beside a trail and keep those that have room.

    Args:
        trail: lead-in and run-out are kept clear as well.
        forks: side trails that are kept clear as the trail is.
        settings: number of trees and how near to the trail they may stand.
        rng: of the stream "forest.trees".

    Returns:
        float64 [trees, 3], x, y and radius, m, map.

    Raises:
        ConfigError: so many find no room.
    """
    along, points, headings = visible_course(trail)
    clear_m = settings.clear_m
    keep_clear = np.concatenate([points, *(fork.points for fork in forks)])

    def throw(rng: np.random.Generator) -> tuple[Floats, Floats, Mask]:
        radius = rng.uniform(0.10, 0.24, BATCH)
        index = rng.integers(0, len(along), BATCH)
        beside = clear_m + radius + _lateral(BAND_M - clear_m, rng)
        beside *= rng.choice((-1.0, 1.0), BATCH)
        normal = np.stack([-np.sin(headings[index]), np.cos(headings[index])], axis=1)
        thrown = points[index] + beside[:, None] * normal
        gap = np.linalg.norm(thrown[:, None] - keep_clear, axis=2).min(axis=1)
        return radius, thrown, gap >= clear_m + radius + 0.02

    return plant(settings.trees, throw, rng)


def _lateral(band_m: float, rng: np.random.Generator) -> Floats:
    """Draw distances beyond the clear strip, falling off, none beyond the band."""
    most = 1.0 - math.exp(-max(band_m, 1.0) / _DENSE_M)
    return np.asarray(-_DENSE_M * np.log1p(-most * rng.random(BATCH)))

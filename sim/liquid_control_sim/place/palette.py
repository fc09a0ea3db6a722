"""Colours of a forest: trail surface, forest floor and foliage, by season.

Colours are sRGB in [0, 1]: albedo under white light of full strength.
"""

from dataclasses import dataclass, replace

import numpy as np

from liquid_control.config import TrailSettings
from liquid_control.config.sections import HARDEST

Colour = tuple[float, float, float]

TRAILS: dict[str, tuple[Colour, Colour]] = {
    "earth": ((0.56, 0.44, 0.31), (0.42, 0.32, 0.22)),
    "gravel": ((0.62, 0.60, 0.55), (0.47, 0.45, 0.41)),
    "clay": ((0.63, 0.38, 0.28), (0.49, 0.28, 0.20)),
    "needles": ((0.59, 0.42, 0.24), (0.44, 0.28, 0.15)),
    "sand": ((0.71, 0.62, 0.46), (0.56, 0.47, 0.33)),
}
"""Trail surfaces: main colour and darker mottling."""

FLOORS: dict[str, tuple[Colour, Colour, Colour]] = {
    "grass": ((0.24, 0.40, 0.13), (0.16, 0.29, 0.09), (0.36, 0.42, 0.18)),
    "moss": ((0.22, 0.36, 0.16), (0.14, 0.25, 0.11), (0.33, 0.38, 0.14)),
    "meadow": ((0.33, 0.45, 0.16), (0.23, 0.34, 0.11), (0.45, 0.47, 0.22)),
    "fern": ((0.20, 0.37, 0.19), (0.12, 0.25, 0.12), (0.30, 0.40, 0.20)),
}
"""Forest floors: main colour, shaded, sunlit."""

LITTER: Colour = (0.36, 0.26, 0.15)
SEASONS: dict[str, tuple[Colour, float]] = {
    "spring": ((1.06, 1.10, 0.95), 0.12),
    "summer": ((1.0, 1.0, 1.0), 0.18),
    "late summer": ((1.08, 1.0, 0.86), 0.28),
    "autumn": ((1.18, 0.96, 0.72), 0.45),
    "winter": ((0.80, 0.74, 0.66), 0.50),
    "snow": ((0.92, 0.95, 1.00), 0.04),
}
"""Tint of the foliage and fraction of the floor that litter covers."""
DRAWN_SEASONS = ("spring", "summer", "late summer", "autumn")
"""Seasons that are drawn where `forest.season` is null."""
_WITHERED: Colour = (0.50, 0.45, 0.36)
_SNOW: Colour = (0.88, 0.90, 0.94)
_SOIL: tuple[Colour, Colour, Colour] = (
    (0.34, 0.26, 0.17),
    (0.25, 0.19, 0.12),
    (0.42, 0.33, 0.21),
)
"""Floor of a wild forest: bare soil under leaves."""
_WILD_LITTER = 0.75
"""Fraction of the floor of a wild forest that leaves cover."""
_COVER: dict[str, tuple[Colour, float, float]] = {
    "winter": (_WITHERED, 0.85, 0.4),
    "snow": (_SNOW, 0.92, 0.45),
}
"""Seasons that cover the ground: colour, its fraction on the floor and on the trail."""


@dataclass(frozen=True)
class Palette:
    """Colours of one forest.

    Attributes:
        trail, trail_dark: trail surface and its mottling.
        floor, floor_dark, floor_light: forest floor: main, shaded, sunlit.
        litter: fallen leaves.
        litter_fraction: fraction of the floor that litter covers, 1.
        leaves: factor on the texture of the foliage.
        season: a key of `SEASONS`.
        bark: factor on the texture of the bark.
    """

    trail: Colour
    trail_dark: Colour
    floor: Colour
    floor_dark: Colour
    floor_light: Colour
    litter: Colour
    litter_fraction: float
    leaves: Colour
    season: str
    bark: Colour = (1.0, 1.0, 1.0)


def draw_palette(settings: TrailSettings, season: str | None, rng: np.random.Generator) -> Palette:
    """Draw the colours of a forest.

    Args:
        settings: with `contrast` set (`Scenario.graded`): factor on the colour difference between
            trail and floor. Beyond difficulty 1, grass turns to leaf litter on soil.
        season: a key of `SEASONS`; one of `DRAWN_SEASONS` is drawn if None.
        rng: generator of the stream "forest.colours". A season is drawn even if one is given, so
            that later draws do not change.
    """
    contrast = 1.0 if settings.contrast is None else settings.contrast
    wildness = max(settings.difficulty - 1.0, 0.0) / (HARDEST - 1.0)
    surface = TRAILS[str(rng.choice(list(TRAILS)))]
    kinds = FLOORS[str(rng.choice(list(FLOORS)))]
    drawn = str(rng.choice(list(DRAWN_SEASONS)))
    season = drawn if season is None else season
    leaves, litter_fraction = SEASONS[season]
    tone = rng.uniform(0.92, 1.08, 3)
    floor = tuple(_mix(a, b, wildness) for a, b in zip(kinds, _SOIL, strict=True))
    litter_fraction += wildness * max(_WILD_LITTER - litter_fraction, 0.0)
    around = _mix(floor[0], LITTER, 0.5 * litter_fraction)
    cover, on_floor, on_trail = _COVER.get(season, (LITTER, 0.0, 0.0))
    beside = _mix(around, cover, on_floor)
    trail = tuple(_mix(beside, _mix(colour, cover, on_trail), contrast) for colour in surface)
    ground = tuple(_mix(_tint(colour, tone), cover, on_floor) for colour in floor)
    return Palette(
        trail=trail[0],
        trail_dark=trail[1],
        floor=ground[0],
        floor_dark=ground[1],
        floor_light=ground[2],
        litter=LITTER,
        litter_fraction=litter_fraction * float(rng.uniform(0.6, 1.3)),
        leaves=leaves,
        season=season,
    )


_TRIES = 20
_KEPT_CONTRAST = 0.5


def spread_colours(palette: Palette, spread: float, rng: np.random.Generator) -> Palette:
    """Mix random colours into a palette, to train on more than the colours of one forest.

    The trail keeps at least half of its colour difference to the floor, where `_TRIES` draws give
    it; it may become the darker of the two.

    Args:
        palette: colours to start from; returned unchanged if `spread` is zero.
        spread: largest share of a random colour, [0, 1].
        rng: generator of the stream "forest.colour_spread".
    """
    if spread == 0.0:
        return palette
    needed = _KEPT_CONTRAST * _distance(palette.trail, palette.floor)
    for _ in range(_TRIES):
        floor = _recoloured((palette.floor, palette.floor_dark, palette.floor_light), spread, rng)
        trail = _recoloured((palette.trail, palette.trail_dark), spread, rng)
        if _distance(trail[0], floor[0]) >= needed:
            break
    amount = spread * float(rng.uniform())
    return replace(
        palette,
        trail=trail[0],
        trail_dark=trail[1],
        floor=floor[0],
        floor_dark=floor[1],
        floor_light=floor[2],
        litter=_recoloured((palette.litter,), spread, rng)[0],
        litter_fraction=palette.litter_fraction
        + amount * (float(rng.uniform(0.0, 0.9)) - palette.litter_fraction),
        leaves=_tint(palette.leaves, _random_factors(spread, rng)),
        bark=_tint(palette.bark, _random_factors(spread, rng)),
    )


def _recoloured(
    shades: tuple[Colour, ...], spread: float, rng: np.random.Generator
) -> list[Colour]:
    """Mix one random colour into all shades of a surface; keep their ratios of brightness."""
    grey = float(rng.uniform(0.08, 0.9))
    drawn = np.clip(grey * (1.0 + 0.2 * rng.standard_normal(3)), 0.02, 1.0)
    part = spread * float(rng.uniform())
    middle = max(sum(shades[0]), 1e-3)
    return [
        _mix(shade, _tint(_colour(drawn), np.full(3, sum(shade) / middle)), part)
        for shade in shades
    ]


def _random_factors(spread: float, rng: np.random.Generator) -> np.typing.NDArray[np.float64]:
    """Draw a factor of brightness and one a channel, float64 [3]."""
    common, channels = rng.normal(0.0, 0.4 * spread), rng.normal(0.0, 0.15 * spread, 3)
    return np.asarray(np.exp(common + channels), dtype=np.float64)


def _distance(a: Colour, b: Colour) -> float:
    return float(np.linalg.norm(np.subtract(a, b)))


def _colour(values: np.typing.NDArray[np.float64]) -> Colour:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _mix(a: Colour, b: Colour, part: float) -> Colour:
    red, green, blue = (x + part * (y - x) for x, y in zip(a, b, strict=True))
    return red, green, blue


def _tint(colour: Colour, tone: np.typing.NDArray[np.float64]) -> Colour:
    return _colour(np.asarray(colour) * tone)

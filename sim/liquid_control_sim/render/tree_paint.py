"""What trees wear: a bark for each kind, and foliage in a few shades of the season's colour."""

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats, Pixels
from liquid_control_sim.place.palette import Colour, Palette
from liquid_control_sim.place.trees import TreeKind

SHADES = 4
TILE = 64
_GRAIN_SEED = 21

_BARKS: dict[TreeKind, Colour] = {
    TreeKind.CONIFER: (0.40, 0.28, 0.20),
    TreeKind.BROADLEAF: (0.37, 0.32, 0.26),
    TreeKind.BIRCH: (0.80, 0.78, 0.73),
    TreeKind.DEAD: (0.47, 0.44, 0.40),
}
_LEAVES: dict[TreeKind, tuple[Colour, Colour]] = {
    TreeKind.CONIFER: ((0.10, 0.25, 0.13), (0.17, 0.32, 0.14)),
    TreeKind.BROADLEAF: ((0.20, 0.36, 0.10), (0.36, 0.44, 0.12)),
    TreeKind.BIRCH: ((0.36, 0.47, 0.15), (0.50, 0.50, 0.17)),
}
"""Foliage: the tints between which a kind's trees range."""
_TURNED: dict[TreeKind, tuple[Colour, Colour]] = {
    TreeKind.BROADLEAF: ((0.42, 0.24, 0.08), (0.60, 0.40, 0.12)),
    TreeKind.BIRCH: ((0.56, 0.44, 0.12), (0.64, 0.54, 0.18)),
}
"""Foliage of those that turn in autumn."""
_SNOW: Colour = (0.90, 0.92, 0.95)


def bark(kind: int, count: int) -> NDArray[np.int64]:
    """Return int64 [count], the number of a kind's bark among `paint_trees`."""
    return np.full(count, kind, dtype=np.int64)


def foliage(kind: int, shade: Floats) -> NDArray[np.int64]:
    """Return int64 [K], the numbers of a kind's foliage by shade [K]; dead trees show bark."""
    if kind == TreeKind.DEAD:
        return bark(kind, len(shade))
    column = np.minimum(shade * SHADES, SHADES - 1.0).astype(np.int64)
    return len(_BARKS) + SHADES * kind + column


def paint_trees(palette: Palette) -> list[Pixels]:
    """Paint barks and foliage of a season, uint8 [64, 64, 3] each, RGB."""
    rng = np.random.default_rng(_GRAIN_SEED)
    tiles = [
        _birch(bark, rng) if kind == TreeKind.BIRCH else _bark(bark, rng)
        for kind, bark in _BARKS.items()
    ]
    turned = _TURNED if palette.season == "autumn" else {}
    for dark, light in (_LEAVES | turned).values():
        for part in np.linspace(0.0, 1.0, SHADES):
            tint = (np.array(dark) * (1.0 - part) + np.array(light) * part) * np.array(
                palette.leaves
            )
            tile = _foliage(tint, rng)
            tiles.append(_snowed(tile) if palette.season == "snow" else tile)
    return [np.clip(tile * 255.0, 0.0, 255.0).astype(np.uint8) for tile in tiles]


def _height() -> Floats:
    """Return float64 [TILE, 1, 1]: 1 at the tile's top to 0 at its bottom."""
    return np.linspace(1.0, 0.0, TILE)[:, None, None]


def _bark(colour: Colour, rng: np.random.Generator) -> Floats:
    """Furrows along the trunk, dark at its foot and under the crown."""
    furrows = 1.0 + 0.22 * rng.standard_normal((1, 16, 1)).repeat(TILE // 16, axis=1)
    blotches = rng.standard_normal((8, 8, 1)).repeat(TILE // 8, axis=0).repeat(TILE // 8, axis=1)
    height = _height()
    shade = 1.0 - 0.45 * height**2 - 0.25 * np.exp(-height / 0.05)
    tone = np.clip(furrows, 0.55, 1.4) * (1.0 + 0.08 * blotches) * shade
    return np.asarray(np.array(colour) * tone)


def _birch(colour: Colour, rng: np.random.Generator) -> Floats:
    """Pale bark with dark dashes across."""
    tile = np.array(colour) * (1.0 - 0.35 * _height() ** 2) * np.ones((TILE, TILE, 1))
    for _ in range(26):
        row, column = rng.integers(0, TILE - 1), rng.integers(0, TILE - 12)
        tile[row : row + rng.integers(1, 3), column : column + rng.integers(5, 16)] *= 0.35
    return tile


def _foliage(colour: Floats, rng: np.random.Generator) -> Floats:
    """Clumps of leaves, lighter toward the top where light reaches them."""
    clumps = rng.standard_normal((16, 16, 1)).repeat(TILE // 16, axis=0).repeat(TILE // 16, axis=1)
    leaf = rng.standard_normal((32, 32, 1)).repeat(TILE // 32, axis=0).repeat(TILE // 32, axis=1)
    tone = (0.62 + 0.5 * _height()) * (1.0 + 0.14 * clumps + 0.10 * leaf)
    return np.asarray(colour * np.clip(tone, 0.2, 1.6))


def _snowed(foliage: Floats) -> Floats:
    """Lay snow on foliage, most on what is light because it faces up."""
    grey = foliage.mean(axis=2, keepdims=True)
    share = 0.85 * np.clip((grey / grey.mean() - 0.75) / 0.5, 0.0, 1.0)
    return np.asarray(foliage + share * (np.array(_SNOW) - foliage))

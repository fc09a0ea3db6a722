"""Randomness has names: one seed makes independent streams; changing one leaves the others."""

from zlib import crc32

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of one named source of randomness.

    Args:
        seed: the flight's or training's seed, >= 0.
        name: what draws from it, for instance `"forest"`, `"wind"` or `"camera.noise"`.
    """
    return np.random.default_rng([seed, crc32(name.encode())])

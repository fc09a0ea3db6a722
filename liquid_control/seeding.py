"""Named random streams: one seed gives independent generators by name."""

from zlib import crc32

import numpy as np

MAX_SEED = 2**63 - 1
"""Largest seed of a flight: an integer parameter of a ROS 2 node has 64 bits and a sign."""


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of one named source of randomness.

    Args:
        seed: the flight's or training's seed, >= 0.
        name: of the stream, for instance `"forest"`, `"wind"` or `"camera.noise"`.
    """
    return np.random.default_rng([seed, crc32(name.encode())])

"""First weights come from a named random stream, whatever torch module draws them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from liquid_control.seeding import stream


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Let torch draw from stream `liquid.cores` of a seed, its own generator left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(seed, "liquid.cores").integers(2**63 - 1)))
        yield

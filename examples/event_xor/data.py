"""Data set of the event-based XOR: the parity of a stream of bits encoded by its changes.

Lechner & Hasani 2020 (arXiv 2006.04418) introduced the task; Hasani et al. 2022 (arXiv
2106.13898) report results of closed-form networks. A stream has 2 to 31 random bits; its label is
whether the number of ones is odd. There is an event at the first bit, at every bit that differs
from the previous one, and at the last bit; a run of equal bits is one event and an elapsed time.
The elapsed times encode the number of ones; a core that ignores them does not exceed chance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.seeding import stream

SHORTEST = 2
LONGEST = 31

BIT_S = 0.025
"""Duration of one bit, s: half of the default time unit of a core."""


@dataclass(frozen=True)
class Events:
    """Streams as events, padded to the number of events T of the longest stream.

    Attributes:
        value: the bit from an event on, float32 [N, T, 1]; 0 after the last event.
        dt_s: time since the previous event, float32 [N, T], s; 0 after the last event.
        count: number of events, [N].
        odd: whether the number of ones is odd, [N].
    """

    value: NDArray[np.float32]
    dt_s: NDArray[np.float32]
    count: NDArray[np.int64]
    odd: NDArray[np.bool_]

    @property
    def length(self) -> NDArray[np.int64]:
        """Number of bits of each stream, [N]."""
        return np.rint(self.dt_s.sum(axis=1) / BIT_S).astype(np.int64)

    @property
    def longest_run(self) -> NDArray[np.int64]:
        """Number of bits of the longest time between two events of each stream, [N]."""
        return np.rint(self.dt_s.max(axis=1) / BIT_S).astype(np.int64)

    def take(self, rows: NDArray[np.int64]) -> "Events":
        """Return some of the streams, without the padding after their last event."""
        count = self.count[rows]
        longest = int(count.max())
        return Events(self.value[rows, :longest], self.dt_s[rows, :longest], count, self.odd[rows])


def encode(bits: NDArray[np.bool_], lengths: NDArray[np.int64]) -> Events:
    """Encode streams as events.

    Args:
        bits: [N, L].
        lengths: number of bits of each stream, [N], at least 1.
    """
    places = np.arange(bits.shape[1])
    within = places < lengths[:, None]
    changes = np.ones_like(bits)
    changes[:, 1:] = bits[:, 1:] != bits[:, :-1]
    sent = (changes | (places == lengths[:, None] - 1)) & within
    order = np.argsort(~sent, axis=1, kind="stable")
    valid = np.take_along_axis(sent, order, axis=1)
    elapsed = np.diff(order, axis=1, prepend=-1) * BIT_S
    values = np.take_along_axis(bits, order, axis=1)
    return Events(
        np.where(valid, values, 0.0).astype(np.float32)[..., None],
        np.where(valid, elapsed, 0.0).astype(np.float32),
        sent.sum(axis=1),
        (bits & within).sum(axis=1) % 2 == 1,
    )


def draw_events(count: int, *, seed: int, name: str) -> Events:
    """Draw streams of fair bits with lengths uniform over `SHORTEST` to `LONGEST`.

    Args:
        count: number of streams.
        seed: seed of the random generator.
        name: name of the random stream, for instance "train" or "test"; it separates the sets.
    """
    rng = stream(seed, f"event_xor.{name}")
    lengths = rng.integers(SHORTEST, LONGEST + 1, count)
    return encode(rng.random((count, LONGEST)) < 0.5, lengths)

"""Values over time, looked up at other times: how a frame meets its label."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats


@dataclass(frozen=True, slots=True)
class Track:
    """Rows by stamp.

    Attributes:
        stamps_ns: int64 [N], increasing.
        values: float64 [N, C].
    """

    stamps_ns: NDArray[np.int64]
    values: Floats

    @classmethod
    def of(cls, rows: list[tuple[int, tuple[float, ...]]], columns: int) -> "Track":
        """Return rows of (stamp, values) in order of time; of equal stamps the last counts."""
        newest = dict(rows)
        stamps = np.array(sorted(newest), np.int64)
        values = np.array([newest[stamp] for stamp in stamps.tolist()], np.float64)
        return cls(stamps, values.reshape(len(stamps), columns))

    def at(self, stamps_ns: NDArray[np.int64], max_age_ns: int) -> Floats:
        """Return the values at some times, float64 [M, C]; rows of NaN where there are none.

        A row of the very stamp is taken as it is. Else the value is interpolated linearly between
        the rows before and after, if both are within `max_age_ns`; if one is, it is taken.
        """
        found = np.full((len(stamps_ns), self.values.shape[1]), np.nan)
        if not len(self.stamps_ns):
            return found
        after = np.searchsorted(self.stamps_ns, stamps_ns)
        before = np.maximum(after - 1, 0)
        after = np.minimum(after, len(self.stamps_ns) - 1)
        since = stamps_ns - self.stamps_ns[before]
        until = self.stamps_ns[after] - stamps_ns
        has_before = (since >= 0) & (since <= max_age_ns)
        has_after = (until >= 0) & (until <= max_age_ns)
        span = np.maximum(since + until, 1)
        share = (since / span)[:, None]
        between = self.values[before] + share * (self.values[after] - self.values[before])
        both, exact = has_before & has_after, until == 0
        found[has_before] = self.values[before[has_before]]
        found[has_after] = self.values[after[has_after]]
        found[both] = between[both]
        found[exact] = self.values[after[exact]]
        return found

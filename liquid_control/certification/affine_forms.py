"""Affine forms over boxes and balls of symbols: linear dependence is kept through every step.

A form of K rows is a set of points c + G s + e with symbols s in a product of unit balls and |e|
within an error of each row (Kousik, Dai, Gao, Ellipsotopes, arXiv 2108.01750). A ball of one
symbol is an interval, so with those alone it is a zonotope. |g s| <= |g| |s| (Rudin 1976, theorem
1.35), so a row deviates from its centre by the norms of its blocks and its error at most.

Nonlinear functions are replaced by a linear one and its largest deviation over the range of the
argument (affine arithmetic, de Figueiredo and Stolfi 2004, doi
10.1023/B:NUMA.0000049462.70970.b6), a product by ac b + bc a - ac bc, which deviates by at most
the product of the radii. Float64 results are widened by 2^-44 of the sum of all magnitudes that
enter, more than the rounding of up to 400 operations (Higham 2002, lemma 3.1).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.certification.intervals import Interval
from liquid_control.types import Floats

WIDENING = 2.0**-44
_FUNCTION_ERROR = 2.0**-46
"""Taken error of a tanh less a linear function, its argument within [-64, 64]."""
LARGEST = 64.0
"""tanh is constant within 2^-90 beyond this argument."""
KEPT = 0.8
"""Bounds that are not narrower than this share of a range are not worth its symbols."""


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """Rows of an affine form, B sets at once that share the blocks of their symbols.

    Attributes:
        centre: [B, K].
        symbols: coefficients of the symbols, [B, K, M].
        error: largest deviation besides, [B, K].
        starts: index of the first symbol of each block, increasing from 0; M > 0 symbols.
    """

    centre: Floats
    symbols: Floats
    error: Floats
    starts: NDArray[np.int64]

    @property
    def radius(self) -> Floats:
        """Largest deviation from the centre, [B, K]."""
        norms = np.sqrt(np.add.reduceat(self.symbols**2, self.starts, axis=2))
        return np.asarray((norms.sum(axis=2) + self.error) * (1.0 + WIDENING) + 2.0**-500)

    @property
    def size(self) -> Floats:
        """Bound of the sum of all magnitudes of a row, for its rounding, [B, K]."""
        widest = np.diff(self.starts, append=self.symbols.shape[2]).max()
        return np.asarray(np.abs(self.centre) + np.sqrt(widest) * self.radius)

    @property
    def interval(self) -> Interval:
        """Range of each row, [B, K]."""
        radius = self.radius + WIDENING * np.abs(self.centre)
        return Interval(self.centre - radius, self.centre + radius)

    def rows(self, which: slice | list[int]) -> "Form":
        """Return some of the rows."""
        return Form(
            self.centre[:, which], self.symbols[:, which], self.error[:, which], self.starts
        )

    def __add__(self, other: "Form") -> "Form":
        error = self.error + other.error + WIDENING * (self.size + other.size)
        return Form(self.centre + other.centre, self.symbols + other.symbols, error, self.starts)

    def __sub__(self, other: "Form") -> "Form":
        return self + other.scaled(-1.0)

    def scaled(self, factor: Floats | float) -> "Form":
        """Return the rows times constants, [K], [B, K] or one number."""
        factor = np.broadcast_to(np.asarray(factor, np.float64), self.centre.shape)
        error = np.abs(factor) * (self.error + WIDENING * self.size)
        return Form(factor * self.centre, factor[:, :, None] * self.symbols, error, self.starts)

    def shifted(self, by: Floats | float) -> "Form":
        """Return the rows plus constants."""
        centre = self.centre + by
        error = self.error + WIDENING * (np.abs(centre) + np.abs(by))
        return Form(centre, self.symbols, error, self.starts)

    def mapped(self, matrix: Floats) -> "Form":
        """Return the product of a matrix [P, K], K <= 128, and the rows."""
        size = np.abs(matrix)
        error = self.error @ size.T + WIDENING * (self.size @ size.T)
        return Form(self.centre @ matrix.T, matrix @ self.symbols, error, self.starts)

    def times(self, other: "Form") -> "Form":
        """Return the product with another form, row by row."""
        a, b, ra, rb = self.centre, other.centre, self.radius, other.radius
        symbols = a[:, :, None] * other.symbols + b[:, :, None] * self.symbols
        error = np.abs(a) * other.error + np.abs(b) * self.error + ra * rb
        error = error + WIDENING * (self.size * other.size) * 4.0
        return Form(a * b, symbols, error, self.starts)

    def widened(self, by: Floats) -> "Form":
        """Return the rows with further errors, [K]."""
        error = (self.error + by) * (1.0 + WIDENING)
        return Form(self.centre, self.symbols, error, self.starts)

    def tanh(self) -> "Form":
        """Return tanh of the rows: a line through both ends of the range, and its deviation."""
        slope, middle, error = tanh_line(self.interval)
        moved = self.scaled(slope).shifted(middle)
        return Form(moved.centre, moved.symbols, moved.error + error, self.starts)

    def within(self, bounds: Interval) -> "Form":
        """Return a form that also uses other bounds of its rows.

        A row whose bounds are narrower than `KEPT` of its own range becomes these bounds, without
        symbols.
        """
        middle = 0.5 * (bounds.lower + bounds.upper)
        half = np.maximum(bounds.upper - middle, middle - bounds.lower) + WIDENING * (
            1.0 + np.abs(middle)
        )
        narrower = half < KEPT * self.radius
        return Form(
            np.where(narrower, middle, self.centre),
            np.where(narrower[:, :, None], 0.0, self.symbols),
            np.where(narrower, half, self.error),
            self.starts,
        )

    def with_blocks(self, sizes: list[int]) -> "Form":
        """Return the form with further blocks of symbols, of these sizes, all without effect."""
        batch, rows, known = self.symbols.shape
        more = np.zeros((batch, rows, sum(sizes)))
        starts = known + np.cumsum([0, *sizes[:-1]])
        return Form(
            self.centre,
            np.concatenate([self.symbols, more], axis=2),
            self.error,
            np.concatenate([self.starts, starts.astype(np.int64)]),
        )

    def settled(self) -> "Form":
        """Return the form with its errors as symbols of their own."""
        rows = self.centre.shape[1]
        form = self.with_blocks([1] * rows)
        own = np.arange(rows)
        form.symbols[:, own, own - rows] = self.error
        return Form(form.centre, form.symbols, np.zeros_like(self.error), form.starts)

    def reduced(self, limit: int) -> "Form":
        """Return a form with at most `limit` symbols.

        The oldest blocks are replaced by the box around them, whose symbols are the newest
        (order reduction, Girard 2005, doi 10.1007/978-3-540-31954-2_19).
        """
        count, rows = self.symbols.shape[2], self.centre.shape[1]
        if count <= limit:
            return self
        later = self.starts[self.starts >= count + rows - limit]
        cut = int(later[0]) if len(later) else count
        error, kept = self.error, self.symbols[:, :, cut:]
        old = self.symbols[:, :, :cut]
        norms = np.sqrt(np.add.reduceat(old**2, self.starts[self.starts < cut], axis=2))
        error = (error + norms.sum(axis=2)) * (1.0 + WIDENING)
        starts = self.starts[self.starts >= cut] - cut
        return Form(self.centre, kept, error, starts).settled()


def joined(*forms: Form) -> Form:
    """Return the rows of several forms with the same symbols as one."""
    return Form(
        np.concatenate([form.centre for form in forms], axis=1),
        np.concatenate([form.symbols for form in forms], axis=1),
        np.concatenate([form.error for form in forms], axis=1),
        forms[0].starts,
    )


def tanh_line(ends: Interval) -> tuple[Floats, Floats, Floats]:
    """Return slope, intercept and deviation of a linear function from tanh over intervals.

    The deviation tanh(x) - slope x is extreme at an end, or where 1 - tanh(x)^2 is the slope
    (Rudin 1976, theorem 5.8).
    """
    low, high = (np.clip(end, -LARGEST, LARGEST) for end in ends)
    width = high - low
    flat = width < 1e-9
    slope = (np.tanh(high) - np.tanh(low)) / np.where(flat, 1.0, width)
    slope = np.clip(np.where(flat, 1.0 - np.tanh(low) ** 2, slope), 0.0, 1.0)
    # Beyond the clipped range the argument has no bound, so its slope must be zero.
    unbounded = (ends.lower < -LARGEST) | (ends.upper > LARGEST)
    slope = np.where(unbounded, 0.0, slope)
    turn = np.arctanh(np.minimum(np.sqrt(1.0 - slope), 1.0 - 1e-15))
    points = [low, high, np.clip(turn, low, high), np.clip(-turn, low, high)]
    values = np.stack([np.tanh(x) - slope * x for x in points])
    most, least = values.max(axis=0), values.min(axis=0)
    middle = 0.5 * (most + least)
    error = np.maximum(most - middle, middle - least) + _FUNCTION_ERROR
    # The second derivative of tanh is below 0.77, so a turning point that is off by 1e-6 of the
    # exact one changes the extreme by less than 1e-12; near slope 0 the function is flat.
    return slope, middle, error + 1e-12

"""Samples of Dryden turbulence near the ground (MIL-F-8785C, low altitude).

The continuous shaping filters are discretised exactly, so that intensities and correlations hold
at any sampling rate:

    H_u(s) = s_u sqrt(2 L_u / (pi V)) / (1 + L_u s / V)
    H_v(s) = s_v sqrt(L_v / (pi V)) (1 + sqrt(3) L_v s / V) / (1 + L_v s / V)^2, and H_w alike.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from liquid_control.types import Floats
from liquid_control_sim.compiling import Compiler

Vector: TypeAlias = tuple[float, float, float]

compiled = Compiler("air", Path(__file__).parent)
"""Decorator that compiles the loops of this package."""

FOOT_M = 0.3048
LOWEST_M = 10.0 * FOOT_M
"""The specification starts at 10 feet; flights below it use the turbulence of that height."""
INTENSITY_HEIGHT_M = 20.0 * FOOT_M
"""The specification derives intensities from the mean wind at 20 feet."""
_BLOCK = 1024
_ROOT_3 = math.sqrt(3.0)


class Dryden(NamedTuple):
    """Intensities and length scales along the mean wind, to its left and up.

    Attributes:
        sigma: standard deviations (u, v, w), m/s.
        length: scales (L_u, L_v, L_w), m.
        airspeed: speed at which the frozen field is advected, m/s.
    """

    sigma: Vector
    length: Vector
    airspeed: float


def dryden(height_m: float, wind_at_20_ft_mps: float, airspeed_mps: float) -> Dryden:
    """Return the low-altitude model of MIL-F-8785C (section 3.7.3.4) at a height.

    L_w = h, L_u = L_v = h / (0.177 + 0.000823 h)^1.2 with h in feet;
    s_w = 0.1 W_20, s_u = s_v = s_w / (0.177 + 0.000823 h)^0.4.
    """
    feet = max(height_m, LOWEST_M) / FOOT_M
    ratio = 0.177 + 0.000823 * feet
    sigma_w = 0.1 * wind_at_20_ft_mps
    sigma_u = sigma_w / ratio**0.4
    length = feet * FOOT_M
    return Dryden(
        (sigma_u, sigma_u, sigma_w),
        (length / ratio**1.2, length / ratio**1.2, length),
        airspeed_mps,
    )


def gusts_of(model: Dryden, generator: np.random.Generator, dt: float) -> Iterator[Vector]:
    """Yield (u, v, w), m/s, every `dt` seconds, endless and stationary from the first sample."""
    for block in gust_blocks(model, generator, dt):
        yield from map(tuple, block.tolist())


def gust_blocks(model: Dryden, generator: np.random.Generator, dt: float) -> Iterator[Floats]:
    """Yield the samples of `gusts_of` in blocks, float64 [1024, 3], m/s."""
    bu, bv, bw = (model.airspeed / length for length in model.length)
    keep = math.exp(-bu * dt)
    fresh = math.sqrt(1.0 - keep * keep)
    v_filter, w_filter = _Transverse(bv, dt), _Transverse(bw, dt)
    first = generator.standard_normal(5).tolist()
    state = (first[0], *v_filter.start(*first[1:3]), *w_filter.start(*first[3:5]))
    constants = (*model.sigma, keep, fresh), v_filter.constants, w_filter.constants
    while True:
        block = np.empty((_BLOCK, 3))
        state = _fill(*constants, state, generator.standard_normal((_BLOCK, 5)), block)
        yield block


Five = tuple[float, float, float, float, float]
Seven = tuple[float, float, float, float, float, float, float]


@compiled
def _fill(
    along: Five, across: Seven, up: Seven, state: Five, noise: Floats, block: Floats
) -> Five:
    """Fill a block of samples; return the state after it.

    Args:
        along: three standard deviations, and the factors of value and noise of the first filter.
        across: constants of the transverse filter to the left.
        up: those of the one upwards.
        state: value of the first filter, then two of each transverse one.
        noise: float64 [K, 5], standard normal.
        block: float64 [K, 3], overwritten.
    """
    su, sv, sw, keep, fresh = along
    u, v, v_lagged, w, w_lagged = state
    for row in range(len(block)):
        block[row, 0] = su * u
        block[row, 1] = sv * _output(across, v, v_lagged)
        block[row, 2] = sw * _output(up, w, w_lagged)
        u = keep * u + fresh * noise[row, 0]
        v, v_lagged = _step(across, v, v_lagged, noise[row, 1], noise[row, 2])
        w, w_lagged = _step(up, w, w_lagged, noise[row, 3], noise[row, 4])
    return u, v, v_lagged, w, w_lagged


@compiled
def _step(
    constants: Seven, x: float, y: float, first: float, second: float
) -> tuple[float, float]:
    keep, couple, xx, yx, yy = constants[:5]
    after = keep * y + couple * x + yx * first + yy * second
    return keep * x + xx * first, after


@compiled
def _output(constants: Seven, x: float, y: float) -> float:
    return constants[5] * x + constants[6] * y


class _Transverse:
    """Second-order filter with unit variance, dx = -b x dt + dW, dy = (x - b y) dt.

    (1 + sqrt(3) s / b) / (1 + s / b)^2 = sqrt(3) b / (s + b) + (1 - sqrt(3)) b^2 / (s + b)^2,
    and white noise of unit intensity has variance b at its output.
    """

    def __init__(self, b: float, dt: float) -> None:
        self._keep, self._couple = math.exp(-b * dt), dt * math.exp(-b * dt)
        self._direct, self._lagged = _ROOT_3 * math.sqrt(b), (1.0 - _ROOT_3) * b * math.sqrt(b)
        self._stationary = _lower(0.5 / b, 0.25 / b**2, 0.25 / b**3)
        # Covariance added by one step, from the integrals of (1, t, t^2) exp(-2 b t) over it.
        x = 2.0 * b * dt
        decay = math.exp(-x)
        self._added = _lower(
            (1.0 - decay) / (2.0 * b),
            (1.0 - decay * (1.0 + x)) / (2.0 * b) ** 2,
            2.0 * (1.0 - decay * (1.0 + x + 0.5 * x * x)) / (2.0 * b) ** 3,
        )

    def start(self, first: float, second: float) -> tuple[float, float]:
        xx, yx, yy = self._stationary
        return xx * first, yx * first + yy * second

    @property
    def constants(self) -> Seven:
        """Factors of one step, then those of the output."""
        return self._keep, self._couple, *self._added, self._direct, self._lagged

    def step(self, state: tuple[float, float], first: float, second: float) -> tuple[float, float]:
        after: tuple[float, float] = _step(self.constants, *state, first, second)
        return after

    def output(self, state: tuple[float, float]) -> float:
        return _output(self.constants, *state)


def _lower(xx: float, xy: float, yy: float) -> Vector:
    """Return the three entries of the Cholesky factor of [[xx, xy], [xy, yy]]."""
    root = math.sqrt(xx)
    return root, xy / root, math.sqrt(yy - xy * xy / xx)


def markov(generator: np.random.Generator, rate: float, dt: float) -> Iterator[Vector]:
    """Yield three independent values of unit variance every `dt` seconds, endless.

    x' = e x + sqrt(1 - e^2) n with e = exp(-rate dt): correlation exp(-rate |t|), stationary from
    the first sample.

    Args:
        generator: random generator.
        rate: inverse of the correlation time, 1/s.
        dt: time step, s.
    """
    keep = math.exp(-rate * dt)
    fresh = math.sqrt(1.0 - keep * keep)
    x, y, z = generator.standard_normal(3).tolist()
    while True:
        for a, b, c in generator.standard_normal((_BLOCK, 3)).tolist():
            yield x, y, z
            x, y, z = keep * x + fresh * a, keep * y + fresh * b, keep * z + fresh * c

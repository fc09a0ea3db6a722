"""IMU with bias, noise and dropouts, sampled at every physics step."""

from collections.abc import Iterator

import numpy as np

from liquid_control.config import ImuSettings
from liquid_control.seeding import stream
from liquid_control.types import Floats


def bursts(generator: np.random.Generator, rate: float, mean_length: float) -> Iterator[bool]:
    """Yield for each sample whether it is lost, by a two-state Markov chain (Gilbert 1960).

    A burst ends with probability 1 / m after each sample and begins with probability
    r / (m (1 - r)). The long-run fraction of lost samples is r, in bursts of m on average. The
    first sample is never lost.

    Args:
        generator: random generator; one value is drawn per sample.
        rate: r, in (0, 1).
        mean_length: m, samples; longer where r is too high for a gap between bursts.
    """
    mean = max(mean_length, rate / (1.0 - rate))
    begin, end = rate / (mean * (1.0 - rate)), 1.0 / mean
    lost = False
    while True:
        yield lost
        drawn = generator.random()
        lost = drawn >= end if lost else drawn < begin


WALK_PER_ROOT_S = 0.02
"""Random walk of the bias in one second, relative to its turn-on deviation."""
DROPOUT_S = 0.05
"""Mean length of a dropout: a camera frame at 20 Hz."""
_BLOCK = 1024


class Imu:
    """Gyroscope and accelerometer in base_link; errors are drawn from the stream `imu`.

    Dropouts are drawn from the stream `imu.dropout`. During a dropout the driver repeats its last
    reading with new stamps, as many drivers do.
    """

    def __init__(
        self, settings: ImuSettings, seed: int, rate_hz: float = 240.0, name: str = "imu"
    ) -> None:
        """Draw the turn-on bias.

        Args:
            settings: noise, bias and dropouts.
            seed: seed of the flight.
            rate_hz: rate at which `sample` is called.
            name: of the random stream; dropouts have one of their own.
        """
        self._generator = stream(seed, name)
        self._noise = np.repeat((settings.gyro_noise, settings.accel_noise), 3)
        turn_on = np.repeat((settings.gyro_bias, settings.accel_bias), 3)
        self._walk = turn_on * (WALK_PER_ROOT_S / rate_hz**0.5)
        self._bias = turn_on * self._generator.standard_normal(6)
        self._errors = np.empty((0, 6))
        self._next = 0
        self._losses: Iterator[bool] | None = None
        if settings.dropout_rate:
            lengths = DROPOUT_S * rate_hz
            self._losses = bursts(stream(seed, f"{name}.dropout"), settings.dropout_rate, lengths)
        self._last = np.zeros((1, 3)), np.zeros((1, 3))

    def sample(self, angular_velocity: Floats, specific_force: Floats) -> tuple[Floats, Floats]:
        """Return the next sample: angular velocity, rad/s, and acceleration, m/s^2.

        Args:
            angular_velocity: true, float64 [3], rad/s, base_link.
            specific_force: true, float64 [3], m/s^2, base_link; +9.81 on z at rest.
        """
        rates, forces = self.samples(angular_velocity[None], specific_force[None])
        return rates[0], forces[0]

    def samples(self, angular_velocity: Floats, specific_force: Floats) -> tuple[Floats, Floats]:
        """Return the next K samples; the arguments of `sample`, float64 [K, 3]."""
        errors = self._next_errors(len(angular_velocity))
        readings = angular_velocity + errors[:, :3], specific_force + errors[:, 3:]
        return readings if self._losses is None else self._repeated(self._losses, readings)

    def _repeated(
        self, losses: Iterator[bool], readings: tuple[Floats, Floats]
    ) -> tuple[Floats, Floats]:
        """Replace each lost reading by the one before it."""
        whole = [np.concatenate(pair) for pair in zip(self._last, readings, strict=True)]
        source = list(range(len(whole[0])))
        for index in source[1:]:
            if next(losses):
                source[index] = source[index - 1]
        rates, forces = (part[source] for part in whole)
        self._last = rates[-1:], forces[-1:]
        return rates[1:], forces[1:]

    def _next_errors(self, count: int) -> Floats:
        """Return the errors of the next samples, float64 [count, 6]."""
        if self._next + count > len(self._errors):
            rest, self._next = [self._errors[self._next :]], 0
            while sum(map(len, rest)) < count:
                rest.append(self._draw())
            self._errors = np.concatenate(rest)
        self._next += count
        return self._errors[self._next - count : self._next]

    def _draw(self) -> Floats:
        """Draw the errors of the next block: white noise and a random walk of the bias."""
        white, steps = self._generator.standard_normal((2, _BLOCK, 6))
        bias = self._bias + np.cumsum(self._walk * steps, axis=0)
        self._bias = bias[-1]
        return np.asarray(bias + self._noise * white)

"""IMU with bias, noise and dropouts, sampled at every physics step."""

from collections.abc import Iterator
from itertools import repeat

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

    def __init__(self, settings: ImuSettings, seed: int, rate_hz: float = 240.0) -> None:
        """Draw the turn-on bias.

        Args:
            settings: noise, bias and dropouts.
            seed: seed of the flight.
            rate_hz: rate at which `sample` is called.
        """
        self._generator = stream(seed, "imu")
        self._noise = np.repeat((settings.gyro_noise, settings.accel_noise), 3)
        turn_on = np.repeat((settings.gyro_bias, settings.accel_bias), 3)
        self._walk = turn_on * (WALK_PER_ROOT_S / rate_hz**0.5)
        self._bias = turn_on * self._generator.standard_normal(6)
        self._errors = np.empty((0, 6))
        self._next = 0
        self._losses: Iterator[bool] = repeat(False)
        if settings.dropout_rate:
            lengths = DROPOUT_S * rate_hz
            self._losses = bursts(stream(seed, "imu.dropout"), settings.dropout_rate, lengths)
        self._reading = np.zeros(3), np.zeros(3)

    def sample(self, angular_velocity: Floats, specific_force: Floats) -> tuple[Floats, Floats]:
        """Return the next sample: angular velocity, rad/s, and acceleration, m/s^2.

        Args:
            angular_velocity: true, float64 [3], rad/s, base_link.
            specific_force: true, float64 [3], m/s^2, base_link; +9.81 on z at rest.
        """
        if self._next == len(self._errors):
            self._draw()
        error = self._errors[self._next]
        self._next += 1
        if not next(self._losses):
            self._reading = angular_velocity + error[:3], specific_force + error[3:]
        return self._reading

    def _draw(self) -> None:
        """Draw the errors of the next block: white noise and a random walk of the bias."""
        white, steps = self._generator.standard_normal((2, _BLOCK, 6))
        bias = self._bias + np.cumsum(self._walk * steps, axis=0)
        self._errors = bias + self._noise * white
        self._bias = bias[-1]
        self._next = 0

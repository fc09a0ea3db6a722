"""IMU errors: none without noise, and the stated deviations with noise."""

from itertools import islice

import numpy as np
import pytest

from liquid_control.config import ImuSettings
from liquid_control_sim.sensors.imu import WALK_PER_ROOT_S, Imu, bursts

pytestmark = pytest.mark.sim

RATE = np.array([0.1, -0.2, 0.3])
FORCE = np.array([0.5, 0.0, 9.81])
PERFECT = ImuSettings(gyro_noise=0.0, accel_noise=0.0, gyro_bias=0.0, accel_bias=0.0)


def read(settings, seed, count):
    """Return the errors of `count` samples, [count, 6]."""
    imu = Imu(settings, seed)
    return np.array([np.concatenate(imu.sample(RATE, FORCE)) for _ in range(count)]) - [
        *RATE,
        *FORCE,
    ]


def test_an_imu_without_errors_reads_the_truth():
    angular_velocity, acceleration = Imu(PERFECT, 0).sample(RATE, FORCE)
    assert (angular_velocity.tolist(), acceleration.tolist()) == (RATE.tolist(), FORCE.tolist())


def test_white_noise_has_the_stated_deviation_and_no_correlation():
    # 20,000 samples: deviations deviate by 0.5 %, correlations by 0.7 %; 4 % is 5.6 times that.
    errors = read(PERFECT.model_copy(update={"gyro_noise": 0.01, "accel_noise": 0.2}), 1, 20_000)
    assert errors.std(axis=0) == pytest.approx([0.01] * 3 + [0.2] * 3, rel=0.04)
    scaled = errors / ([0.01] * 3 + [0.2] * 3)
    assert abs((scaled[1:] * scaled[:-1]).mean(axis=0)).max() < 0.04


def test_turn_on_bias_has_the_stated_deviation():
    settings = PERFECT.model_copy(update={"gyro_bias": 0.02, "accel_bias": 0.1})
    first = np.array([read(settings, seed, 1)[0] for seed in range(300)])
    # 900 draws each: the deviation deviates by 2.4 %; 15 % fails with probability below 1e-8.
    assert first[:, :3].std() == pytest.approx(0.02, rel=0.15)
    assert first[:, 3:].std() == pytest.approx(0.1, rel=0.15)


def test_bias_random_walk_continues_across_blocks():
    settings = PERFECT.model_copy(update={"gyro_bias": 1.0, "accel_bias": 1.0})
    errors = read(settings, 2, 20 * 240)
    step = WALK_PER_ROOT_S / 240**0.5
    # 28,800 steps: the deviation deviates by 0.4 %; the largest of them beyond 7 deviations: 1e-7.
    assert np.diff(errors, axis=0).std() == pytest.approx(step, rel=0.03)
    assert abs(np.diff(errors, axis=0)).max() < 7.0 * step


def test_dropouts_repeat_the_last_reading_and_do_not_change_the_noise():
    settings = ImuSettings()
    sound = read(settings, 3, 20_000)
    faulty = read(settings.model_copy(update={"dropout_rate": 0.2}), 3, 20_000)
    kept = (sound == faulty).all(axis=1)
    before = np.roll(faulty, 1, axis=0)
    assert kept[0]
    assert (faulty[~kept] == before[~kept]).all()


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.97])
def test_dropouts_have_the_stated_rate_and_burst_length(rate):
    """200,000 correlated samples: each bound is at least 6 standard deviations.

    The rate deviates by sqrt(r (1 - r) (2 m (1 - r) - 1) / n), 0.0023 at 5 %, and the mean of
    830 or more bursts by 3.5 %: a failure has probability below 1e-8 for a random seed.
    """
    lost = np.fromiter(islice(bursts(np.random.default_rng(5), rate, 12.0), 200_000), bool)
    assert lost.mean() == pytest.approx(rate, abs=0.3 * min(rate, 1.0 - rate))
    starts = np.count_nonzero(lost[1:] & ~lost[:-1])
    mean = max(12.0, rate / (1.0 - rate))
    assert lost.sum() / starts == pytest.approx(mean, rel=0.3)


def test_errors_are_reproducible_and_depend_on_the_seed():
    settings = ImuSettings()
    assert read(settings, 3, 2000).tolist() == read(settings, 3, 2000).tolist()
    assert not np.array_equal(read(settings, 3, 10), read(settings, 4, 10))


@pytest.mark.parametrize("dropout_rate", [0.0, 0.3])
def test_samples_of_a_window_equal_single_samples(dropout_rate):
    settings = ImuSettings(dropout_rate=dropout_rate)
    rates, forces = (np.random.default_rng(s).standard_normal((3000, 3)) for s in (0, 1))
    single, windows = Imu(settings, 5), Imu(settings, 5)
    expected = [single.sample(*pair) for pair in zip(rates, forces, strict=True)]
    ends = [1, 7, 19, 1030, 1031, 3000]
    found = [
        windows.samples(rates[first:last], forces[first:last])
        for first, last in zip([0, *ends], ends, strict=False)
    ]
    for column in range(2):
        joined = np.concatenate([part[column] for part in found])
        assert np.array_equal(joined, [reading[column] for reading in expected])

"""Dryden filters against the closed forms of the specification."""

import itertools
import math

import numpy as np
import pytest
import scipy.signal

from liquid_control_sim.air import turbulence
from liquid_control_sim.air.turbulence import Dryden, _Transverse, dryden, gusts_of

pytestmark = pytest.mark.sim

FOOT = 0.3048


def test_scales_at_10_feet():
    model = dryden(0.5, 5.0, 4.0)
    ratio = 0.177 + 0.00823
    assert model.sigma == pytest.approx((0.5 / ratio**0.4, 0.5 / ratio**0.4, 0.5), rel=1e-12)
    lengths = (3.048 / ratio**1.2, 3.048 / ratio**1.2, 3.048)
    assert model.length == pytest.approx(lengths, rel=1e-12)


def test_scales_are_isotropic_at_1000_feet():
    model = dryden(1000.0 * FOOT, 10.0, 20.0)
    assert model.sigma == pytest.approx((1.0, 1.0, 1.0), rel=1e-9)
    assert model.length == pytest.approx((304.8, 304.8, 304.8), rel=1e-9)


@pytest.mark.parametrize("dt", [0.01, 0.2])
def test_variances_and_correlations(dt):
    """At any sampling rate: exp(-x) along, (1 - x / 2) exp(-x) across, x = V t / L.

    4e3 correlation times: standard deviations of at most 2.3 % of the variance. 12 % fails with
    probability below 1e-6 for a random seed.
    """
    model = Dryden((1.5, 1.0, 0.5), (1.0, 1.0, 0.5), 1.0)
    count = round(4000.0 / dt)
    samples = gusts_of(model, np.random.default_rng(7), dt)
    series = np.array(list(itertools.islice(samples, count))) / model.sigma
    assert series.var(axis=0) == pytest.approx([1.0, 1.0, 1.0], abs=0.12)
    assert series.mean(axis=0) == pytest.approx([0.0, 0.0, 0.0], abs=0.12)
    lag = round(1.0 / dt)
    got = (series[lag:] * series[:-lag]).mean(axis=0)
    expected = [math.exp(-1.0), 0.5 * math.exp(-1.0), (1.0 - 1.0) * math.exp(-2.0)]
    assert got == pytest.approx(expected, abs=0.12)


@pytest.fixture(scope="module")
def long_series():
    """30,000 s at 20 Hz at 10 feet, 5 m/s at 20 feet, advected at 4 m/s: [600,000, 3], m/s."""
    samples = gusts_of(dryden(FOOT * 10.0, 5.0, 4.0), np.random.default_rng(17), 0.05)
    return np.array(list(itertools.islice(samples, 600_000)))


SIGMA_W = 0.1 * 5.0
SIGMA_U = SIGMA_W / (0.177 + 0.000823 * 10.0) ** 0.4
LENGTH_W = 10.0 * FOOT
LENGTH_U = LENGTH_W / (0.177 + 0.000823 * 10.0) ** 1.2


@pytest.mark.parametrize(("axis", "sigma"), [(0, SIGMA_U), (1, SIGMA_U), (2, SIGMA_W)])
def test_variances_are_those_of_mil_f_8785c_within_10_percent(long_series, axis, sigma):
    """The variance of u, the slowest, deviates by sqrt(2 L / (V T)) = 2 %: 10 % is 5 deviations.

    Fails with probability below 1e-6 for a random seed.
    """
    assert long_series[:, axis].var() == pytest.approx(sigma**2, rel=0.10)


def along_spectrum(omega, sigma, length):
    """Phi_u(Omega) = s^2 (2 L / pi) / (1 + (L Omega)^2), MIL-F-8785C section 3.7.1.2."""
    return sigma**2 * (2.0 * length / math.pi) / (1.0 + (length * omega) ** 2)


def across_spectrum(omega, sigma, length):
    """Phi_v(Omega) = s^2 (L / pi) (1 + 3 (L Omega)^2) / (1 + (L Omega)^2)^2."""
    square = (length * omega) ** 2
    return sigma**2 * (length / math.pi) * (1.0 + 3.0 * square) / (1.0 + square) ** 2


SPECTRA = [
    (0, along_spectrum, SIGMA_U, LENGTH_U),
    (1, across_spectrum, SIGMA_U, LENGTH_U),
    (2, across_spectrum, SIGMA_W, LENGTH_W),
]


@pytest.mark.parametrize(("axis", "form", "sigma", "length"), SPECTRA)
def test_welch_spectra_are_those_of_mil_f_8785c_within_10_percent(
    long_series, axis, form, sigma, length
):
    """Four bands from 0.02 to 1.25 Hz, a sixteenth of the sampling rate (aliasing: 1 %).

    292 segments: a bin deviates by 6 %, the mean of the narrowest band's 16 bins by 2 %. 10 %
    fails with probability below 1e-5 for a random seed.
    """
    frequency, density = scipy.signal.welch(long_series[:, axis], fs=20.0, nperseg=4096)
    expected = form(2.0 * math.pi * frequency / 4.0, sigma, length) * 2.0 * math.pi / 4.0
    for low, high in itertools.pairwise((0.02, 0.1, 0.25, 0.6, 1.25)):
        band = (frequency >= low) & (frequency < high)
        assert density[band].mean() == pytest.approx(expected[band].mean(), rel=0.10)


def test_the_first_sample_is_stationary(monkeypatch):
    """Over 1,500 starts the variance deviates by 3.7 %; 20 % fails with probability below 1e-6."""
    monkeypatch.setattr(turbulence, "_BLOCK", 1)
    model = Dryden((1.0, 1.0, 1.0), (20.0, 20.0, 3.0), 4.0)
    generator = np.random.default_rng(11)
    firsts = np.array([next(gusts_of(model, generator, 1 / 240)) for _ in range(1500)])
    assert firsts.var(axis=0) == pytest.approx([1.0, 1.0, 1.0], abs=0.20)
    assert abs(np.corrcoef(firsts.T) - np.eye(3)).max() < 0.15


def test_one_step_keeps_the_stationary_covariance():
    b, dt = 4.0 / 23.0, 1.0 / 240.0
    filter_ = _Transverse(b, dt)

    def factor(entries):
        return np.array([[entries[0], 0.0], [entries[1], entries[2]]])

    stationary = factor(filter_._stationary) @ factor(filter_._stationary).T
    added = factor(filter_._added) @ factor(filter_._added).T
    keep = math.exp(-b * dt) * np.array([[1.0, 0.0], [dt, 1.0]])
    assert keep @ stationary @ keep.T + added == pytest.approx(stationary, rel=1e-9)
    out = np.array([filter_._direct, filter_._lagged])
    assert out @ stationary @ out == pytest.approx(1.0, rel=1e-12)

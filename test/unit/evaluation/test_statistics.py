import pytest
from scipy.stats import binomtest

from liquid_control.errors import ConfigError
from liquid_control.evaluation import wilson_interval

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_values(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("trials", [1, 7, 50, 100])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_equal_to_scipy(trials, confidence):
    for successes in range(trials + 1):
        interval = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
        ours = wilson_interval(successes, trials, confidence)
        assert ours == pytest.approx((interval.low, interval.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts(successes, trials):
    with pytest.raises(ConfigError, match=f"got {successes} of {trials}"):
        wilson_interval(successes, trials)


@pytest.mark.parametrize("confidence", [0.0, 1.0, float("nan")])
def test_impossible_confidence(confidence):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        wilson_interval(1, 2, confidence)

"""How sure a success rate is."""

from math import sqrt
from statistics import NormalDist

from liquid_control.errors import ConfigError


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (E. B. Wilson, JASA 22, 1927).

    With z the normal quantile and p = successes/trials, its bounds are
    (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n). Unlike Wald's it stays within [0, 1] and
    has width at 0 and at 1.

    Args:
        successes: how many of the trials succeeded.
        trials: how many there were, at least one.
        confidence: two-sided coverage, between 0 and 1.

    Raises:
        ConfigError: the counts do not fit each other or the confidence is not in (0, 1).
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ConfigError(f"expected 0 <= successes <= trials >= 1, got {successes} of {trials}")
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence: expected between 0 and 1, got {confidence}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    half = z * sqrt(rate * (1.0 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1.0 + z * z / trials
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == trials else (centre + half) / scale
    return low, high

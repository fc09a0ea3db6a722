"""Statistics of a benchmark: intervals, exact paired tests, correction for many comparisons.

**What is inferred.** Forests are the sample: every arm flies the same ones, so the unit of every
test is a forest, and the flights of several training seeds on one forest are averaged first. The
networks are fixed. A result says how these trained networks fly in further forests; with two or
three training seeds nothing can be tested about further trainings (a permutation of 3 seeds
against 3 has p >= 0.1), so tables state whether all seeds agree instead.

**Tests.** `sign_flip_test` permutes the two arms within each forest (R. A. Fisher, The Design of
Experiments, 1935, section 21). Its distribution is computed exactly (M. Pagano and D. Tritchler,
J. Am. Stat. Assoc. 78, 1983, 435). With one training seed each it is the exact McNemar test.

**Intervals.** Wilson's, with the number of flights divided by the design effect of forests that
several seeds share (L. Kish, Survey Sampling, 1965, section 5.4). Differences in one entry combine
the two intervals and the correlation over forests (R. G. Newcombe, Stat. Med. 17, 1998, 2635,
method 10; G. Y. Zou and A. Donner, Stat. Med. 27, 2008, 1693); with one seed each they equal
`paired.difference_interval`. Differences of means over several entries, and differences of
differences, have Student's interval over forests. `test_benchmark_statistics.py` measures the
coverage of both and the rate of false results by simulation.

**Many comparisons.** `compare` corrects a family by Holm's step-down procedure (S. Holm, Scand. J.
Stat. 6, 1979, 65), which bounds the probability of any false "better" in the family by 5 %. The
interval of a comparison has the level at which Holm's procedure tests it, and "better" also
requires that it excludes zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ConfigError
from liquid_control.evaluation.results import wilson_interval
from liquid_control.types import Floats

LEVEL = 0.05
"""Probability of any false difference in a family of comparisons."""

Values: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Outcomes of one arm in some entries, over the forests that all its models have flown.

    Attributes:
        seeds: of the forests, ascending.
        values: bool [E, T, N], whether a flight succeeded, by entry, training seed and forest.
    """

    seeds: tuple[int, ...]
    values: Values

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[2] != len(self.seeds) or not self.seeds:
            raise ConfigError(
                f"expected outcomes [entries, training seeds, {len(self.seeds)} forests], at "
                f"least one of each, got {self.values.shape}"
            )

    @property
    def successes(self) -> int:
        """Number of flights that succeeded."""
        return int(self.values.sum())

    @property
    def flights(self) -> int:
        """Number of flights."""
        return self.values.size

    @property
    def rate(self) -> float:
        """Fraction of the flights that succeeded."""
        return self.successes / self.flights

    @property
    def of_forests(self) -> Floats:
        """Success rate in each forest, float64 [N]."""
        return np.asarray(self.values.mean(axis=(0, 1)), np.float64)

    @property
    def of_models(self) -> Floats:
        """Success rate of each training seed, float64 [T]."""
        return np.asarray(self.values.mean(axis=(0, 2)), np.float64)

    def on(self, seeds: Sequence[int]) -> "Outcomes":
        """Return the outcomes on some of the forests."""
        places = {seed: place for place, seed in enumerate(self.seeds)}
        return Outcomes(tuple(seeds), self.values[:, :, [places[seed] for seed in seeds]])

    def interval(self, design_effect: float, confidence: float = 0.95) -> tuple[float, float]:
        """Return Wilson's interval of the rate for the effective number of flights."""
        effective = self.flights / design_effect
        return wilson_interval(self.rate * effective, effective, confidence)


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Return the outcomes of several entries on the forests that all of them have."""
    seeds = sorted(set.intersection(*(set(part.seeds) for part in parts)))
    return Outcomes(tuple(seeds), np.concatenate([part.on(seeds).values for part in parts]))


def design_effect(cells: Sequence[Outcomes]) -> float:
    """Return by how much shared forests raise the variance of a rate, pooled over cells.

    It is the observed variance of forest means over the binomial one, from 1 (independent
    flights) to the number of flights on a forest (all equal). Cells in which all flights have one
    outcome say nothing; if there are no others, the largest value counts.
    """
    most = max((cell.values.shape[0] * cell.values.shape[1] for cell in cells), default=1)
    observed = expected = 0.0
    for cell in cells:
        number = len(cell.seeds)
        if number > 1 and 0.0 < cell.rate < 1.0:
            per_forest = cell.values.shape[0] * cell.values.shape[1]
            observed += float(cell.of_forests.var(ddof=1))
            # The unbiased estimate of p (1 - p) from N M flights, over the M flights of a forest.
            spread = cell.rate * (1.0 - cell.rate) * cell.flights / (cell.flights - 1)
            expected += spread / per_forest
    return min(max(observed / expected, 1.0), float(most)) if expected > 0.0 else float(most)


def sign_flip_test(differences: Sequence[int] | NDArray[np.int64]) -> float:
    """Return the exact two-sided p value of the sign-flip test of paired differences.

    Under the hypothesis that the two arms are exchangeable in each forest, every difference has
    either sign with probability 1/2. The p value is the probability that the sum is at least as
    far from zero as the observed one.

    Args:
        differences: whole numbers, one a forest.
    """
    sizes = [abs(int(value)) for value in differences if value]
    observed, total = abs(int(sum(int(value) for value in differences))), sum(sizes)
    chances = np.zeros(2 * total + 1)
    chances[total] = 1.0
    for size in sizes:
        chances = 0.5 * (np.roll(chances, size) + np.roll(chances, -size))
    return float(
        min(1.0, chances[: total - observed + 1].sum() + chances[total + observed :].sum())
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for each other by Holm's procedure, in the same order."""
    order = sorted(range(len(p_values)), key=lambda index: (p_values[index], index))
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def holm_levels(p_values: Sequence[float], level: float = LEVEL) -> list[float]:
    """Return the level at which Holm's procedure tests each hypothesis, in the same order."""
    order = sorted(range(len(p_values)), key=lambda index: (p_values[index], index))
    levels = [0.0] * len(p_values)
    for place, index in enumerate(order):
        levels[index] = level / (len(p_values) - place)
    return levels


def difference_bounds(
    first: Outcomes, second: Outcomes, effects: tuple[float, float], confidence: float
) -> tuple[float, float]:
    """Return the interval of the paired difference of success rates, second minus first.

    Args:
        first: outcomes of one arm.
        second: those of another on the same forests.
        effects: design effects of both.
        confidence: two-sided coverage.
    """
    number = len(first.seeds)
    rates = first.rate, second.rate
    (low1, high1) = first.interval(effects[0], confidence)
    (low2, high2) = second.interval(effects[1], confidence)
    one, other = first.of_forests, second.of_forests
    covariance = float(((one - rates[0]) * (other - rates[1])).mean())
    if covariance > 0.0:  # Newcombe's continuity correction, for means of several flights
        per_forest = min(first.flights, second.flights) / number
        covariance = max(covariance - 0.5 / (number * per_forest), 0.0)
    spread = 1.0
    for arm, effect in zip((first, second), effects, strict=True):
        spread *= arm.rate * (1.0 - arm.rate) * number * effect / arm.flights
    phi = min(max(covariance / sqrt(spread), -1.0), 1.0) if spread > 0.0 else 0.0
    down1, up1, down2, up2 = rates[0] - low1, high1 - rates[0], rates[1] - low2, high2 - rates[1]
    below = sqrt(max(down2**2 - 2 * phi * down2 * up1 + up1**2, 0.0))
    above = sqrt(max(up2**2 - 2 * phi * up2 * down1 + down1**2, 0.0))
    difference = rates[1] - rates[0]
    return max(difference - below, -1.0), min(difference + above, 1.0)


@dataclass(frozen=True, slots=True)
class Pair:
    """One question of a family of comparisons.

    Attributes:
        name: of the row, by column of the table.
        first: outcomes of the reference.
        second: outcomes of the arm compared with it.
        calm: undisturbed outcomes of both, if the question is how much more of its undisturbed
            success the arm loses; None for a comparison of success rates.
        effects: design effects of first and second.
    """

    name: Mapping[str, str]
    first: Outcomes
    second: Outcomes
    calm: tuple[Outcomes, Outcomes] | None = None
    effects: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class ArmComparison:
    """Answer to a `Pair`.

    Attributes:
        name: of the pair.
        forests: number of forests.
        rates: success rates of reference and arm.
        difference: of the success rates, arm minus reference; of the losses for a pair with
            `calm`, positive if the arm keeps more.
        low, high: its interval, at the level at which Holm's procedure tests it.
        p_value: exact, not corrected.
        adjusted: corrected by Holm's procedure.
        agree: whether every training seed of the arm differs in the same direction from every one
            of the reference.
        verdict: `better`, `worse` or `no difference shown`.
    """

    name: Mapping[str, str]
    forests: int
    rates: tuple[float, float]
    difference: float
    low: float
    high: float
    p_value: float
    adjusted: float
    agree: bool
    verdict: str


def compare(pairs: Sequence[Pair]) -> list[ArmComparison]:
    """Answer a family of questions, corrected for their number."""
    p_values = [sign_flip_test(_whole_differences(_arms_of(pair))) for pair in pairs]
    levels, adjusted = holm_levels(p_values), holm(p_values)
    return [
        _comparison(pair, p, level, corrected)
        for pair, p, level, corrected in zip(pairs, p_values, levels, adjusted, strict=True)
    ]


Signed: TypeAlias = list[tuple[int, Outcomes]]


def _arms_of(pair: Pair) -> Signed:
    """Return the outcomes of a pair with their signs, on the forests that all of them have."""
    signed = [(1, pair.second), (-1, pair.first)]
    if pair.calm is not None:
        signed += [(-1, pair.calm[1]), (1, pair.calm[0])]
    shared = set.intersection(*(set(outcomes.seeds) for _, outcomes in signed))
    if not shared:
        raise ConfigError(f"{', '.join(pair.name.values())}: expected forests flown by both arms")
    seeds = sorted(shared)
    return [(sign, outcomes.on(seeds)) for sign, outcomes in signed]


def _whole_differences(signed: Signed) -> NDArray[np.int64]:
    """Return the differences of forest means as whole multiples of a common fraction."""
    sizes = [outcomes.values.shape[0] * outcomes.values.shape[1] for _, outcomes in signed]
    whole = lcm(*sizes)
    parts = [
        sign * (whole // size) * outcomes.values.sum(axis=(0, 1), dtype=np.int64)
        for (sign, outcomes), size in zip(signed, sizes, strict=True)
    ]
    return np.asarray(np.sum(parts, axis=0), np.int64)


def _comparison(pair: Pair, p_value: float, level: float, adjusted: float) -> ArmComparison:
    signed = _arms_of(pair)
    (_, second), (_, first) = signed[:2]
    of_forests = np.sum([sign * outcomes.of_forests for sign, outcomes in signed], axis=0)
    difference = float(of_forests.mean())
    if pair.calm is None and len(first.values) == len(second.values) == 1:
        low, high = difference_bounds(first, second, pair.effects, 1.0 - level)
    else:
        reach = 1.0 if pair.calm is None else 2.0
        low, high = student_bounds(of_forests, 1.0 - level, reach)
    if pair.calm is None:
        models = second.of_models[:, None] - first.of_models[None, :]
    else:
        lost = [signed[0][1].of_models - signed[2][1].of_models]
        lost += [signed[1][1].of_models - signed[3][1].of_models]
        models = lost[0][:, None] - lost[1][None, :]
    shown = adjusted < LEVEL and (low > 0.0 or high < 0.0)
    verdict = ("better" if difference > 0.0 else "worse") if shown else "no difference shown"
    return ArmComparison(
        name=pair.name,
        forests=len(first.seeds),
        rates=(first.rate, second.rate),
        difference=difference,
        low=low,
        high=high,
        p_value=p_value,
        adjusted=adjusted,
        agree=bool((models > 0.0).all() or (models < 0.0).all()),
        verdict=verdict,
    )


def student_bounds(values: Floats, confidence: float, reach: float) -> tuple[float, float]:
    """Return Student's interval of the mean over forests.

    Where all values are equal, their spread is unknown. Then Wilson's upper bound of the fraction
    of other forests, all with the most extreme value, gives the interval.

    Args:
        values: one a forest, float64 [N].
        confidence: two-sided coverage.
        reach: the largest magnitude of a value.
    """
    from scipy import stats

    if len(values) > 1 and np.ptp(values) > 0.0:
        interval = stats.ttest_1samp(values, 0.0).confidence_interval(confidence)
        return max(float(interval.low), -reach), min(float(interval.high), reach)
    value, (_, others) = float(values[0]), wilson_interval(0, len(values), confidence)
    return value - others * (value + reach), value + others * (reach - value)

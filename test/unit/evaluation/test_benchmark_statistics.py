"""Statistics of a benchmark, against exact values, scipy, published examples and simulation."""

from math import comb

import numpy as np
import pytest

from liquid_control.errors import ConfigError
from liquid_control.evaluation.benchmark_statistics import (
    LEVEL,
    Outcomes,
    Pair,
    compare,
    design_effect,
    difference_bounds,
    holm,
    holm_levels,
    joined,
    sign_flip_test,
    student_bounds,
)
from liquid_control.evaluation.paired import difference_interval, mcnemar
from liquid_control.evaluation.results import wilson_interval

pytestmark = pytest.mark.unit
stats = pytest.importorskip("scipy.stats")


def outcomes(values, seeds=None):
    """Return outcomes of one entry and one training seed, or of an array [E, T, N]."""
    array = np.array(values, np.bool_)
    array = array[None, None] if array.ndim == 1 else array
    return Outcomes(tuple(range(array.shape[2])) if seeds is None else tuple(seeds), array)


def drawn(rng, shape, skill, forest):
    """Draw flights whose success depends on the forest: [E, T, N]."""
    chance = 1.0 / (1.0 + np.exp(-2.0 * (skill + forest + rng.normal(0.0, 0.5, shape[2]))))
    return outcomes(rng.random(shape) < chance)


# --- the exact test


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 7), (3, 3), (0, 6), (9, 24)])
def test_with_one_flight_a_forest_it_is_the_exact_mcnemar_test(first, second):
    p_value = sign_flip_test([-1] * first + [1] * second + [0] * 5)
    assert p_value == pytest.approx(mcnemar(first, second), rel=1e-12)
    if first + second:
        exact = stats.binomtest(first, first + second).pvalue
        assert p_value == pytest.approx(exact, rel=1e-9)


def test_fishers_darwin_data_have_the_published_p_value():
    """Fisher 1935, section 21: 863 of 2^15 sums of each side are at least as far from zero."""
    eighths = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert sign_flip_test(eighths) == pytest.approx(2 * 863 / 2**15, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_scipys_permutation_test(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(-6, 7, 9)
    expected = stats.permutation_test(
        (values, np.zeros(9)),
        lambda a, b, axis: (a - b).sum(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
    ).pvalue
    assert sign_flip_test(values) == pytest.approx(expected, rel=1e-12)
    assert sign_flip_test(-values) == sign_flip_test(values)


def test_small_p_values_keep_their_precision():
    assert sign_flip_test([3] * 100) == pytest.approx(2.0**-99, rel=1e-9)
    assert sign_flip_test([1] * 99 + [-1]) == pytest.approx(2 * (1 + comb(100, 1)) / 2**100)
    assert sign_flip_test([0, 0]) == 1.0


# --- correction for many comparisons


def test_holms_procedure_has_the_values_of_r():
    """p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm") and an unordered family."""
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.04, 0.001, 0.6]) == pytest.approx([0.08, 0.003, 0.6])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_hypothesis_is_tested_at_the_level_of_its_step():
    assert holm_levels([0.04, 0.001, 0.6]) == pytest.approx([0.05 / 2, 0.05 / 3, 0.05])


# --- intervals


def test_flights_of_several_seeds_count_as_what_they_say():
    rng = np.random.default_rng(1)
    once = rng.random(40) < 0.5
    copies, apart = outcomes([[once] * 3]), outcomes(rng.random((1, 3, 4000)) < 0.5)
    assert design_effect([copies]) == pytest.approx(3.0, rel=0.03)
    assert design_effect([apart]) == pytest.approx(1.0, abs=0.07)
    assert design_effect([outcomes(once)]) == pytest.approx(1.0, rel=1e-12)
    assert design_effect([outcomes(np.ones((1, 3, 20)))]) == 3.0
    assert copies.interval(3.0) == pytest.approx(wilson_interval(int(once.sum()), 40))


@pytest.mark.parametrize("counts", [(36, 2, 12, 0), (1, 7, 1, 12), (0, 20, 0, 0), (5, 5, 5, 5)])
def test_with_one_seed_each_the_interval_is_newcombes(counts):
    both, first_only, second_only, neither = counts
    first = outcomes([1] * both + [1] * first_only + [0] * second_only + [0] * neither)
    second = outcomes([1] * both + [0] * first_only + [1] * second_only + [0] * neither)
    found = difference_bounds(first, second, (1.0, 1.0), 0.95)
    assert found == pytest.approx(difference_interval(*counts), abs=1e-12)


def test_students_interval_and_what_replaces_it_without_spread():
    values = np.array([0.1, 0.3, -0.2, 0.4])
    low, high = student_bounds(values, 0.95, 1.0)
    half = stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2.0
    assert (low, high) == pytest.approx((0.15 - half, 0.15 + half))
    low, high = student_bounds(np.full(20, 1.0), 0.95, 2.0)
    assert high == pytest.approx(1.0 + wilson_interval(0, 20)[1])
    assert low == pytest.approx(1.0 - 3.0 * wilson_interval(0, 20)[1])


def coverage(shape, trials, interval):
    """Return how many of the trials have an interval that holds the true difference."""
    rng, held = np.random.default_rng(5), 0
    skills = (0.6, 1.2)
    far = np.random.default_rng(6)
    forest = far.normal(0.0, 1.0, 200_000)
    rates = [float(drawn(far, (1, 1, 200_000), skill, forest).rate) for skill in skills]
    for _ in range(trials):
        forest = rng.normal(0.0, 1.0, shape[2])
        first, second = (drawn(rng, shape, skill, forest) for skill in skills)
        low, high = interval(first, second)
        held += low <= rates[1] - rates[0] <= high
    return held


def test_both_intervals_cover_as_often_as_they_state():
    """With a coverage of 95 %, fewer than 555 of 600 happen with a probability below 0.5 %."""
    assert stats.binom.cdf(554, 600, 0.95) < 0.005

    def one_entry(first, second):
        effects = design_effect([first]), design_effect([second])
        return difference_bounds(first, second, effects, 0.95)

    def several(first, second):
        return student_bounds(second.of_forests - first.of_forests, 0.95, 1.0)

    assert coverage((1, 2, 20), 600, one_entry) >= 555
    assert coverage((8, 2, 20), 600, several) >= 555


# --- verdicts


def test_false_results_are_rarer_than_the_level():
    """Arms of equal skill, 3 training seeds against 2, six comparisons a family.

    A family with any false result has a probability of at most 5 %; more than 23 of 200 families
    happen with a probability below 0.01 %.
    """
    assert stats.binom.sf(23, 200, LEVEL) < 1e-4
    rng, false = np.random.default_rng(11), 0
    for _ in range(200):
        pairs = []
        for entries in (1, 1, 1, 4, 4, 4):
            forest = rng.normal(0.0, 1.0, 12)
            first = drawn(rng, (entries, 3, 12), 0.5, forest)
            second = drawn(rng, (entries, 2, 12), 0.5, forest)
            effects = design_effect([first]), design_effect([second])
            pairs.append(Pair({"arm": "x"}, first, second, None, effects))
        false += any(row.verdict != "no difference shown" for row in compare(pairs))
    assert false <= 23


def test_a_clear_difference_is_shown_and_its_direction():
    worse, better = np.zeros((1, 2, 20)), np.ones((1, 2, 20))
    worse[:, :, :4], better[:, :, 19] = 1, 0
    rows = compare(
        [
            Pair({"arm": "a"}, outcomes(worse), outcomes(better)),
            Pair({"arm": "b"}, outcomes(better), outcomes(worse)),
            Pair({"arm": "c"}, outcomes(better), outcomes(better)),
        ]
    )
    assert [row.verdict for row in rows] == ["better", "worse", "no difference shown"]
    assert [row.agree for row in rows] == [True, True, False]
    assert rows[0].difference == pytest.approx(0.75)
    assert rows[0].p_value == pytest.approx(2.0**-14)
    assert rows[0].adjusted == pytest.approx(3 * 2.0**-14)
    assert (rows[2].p_value, rows[2].difference) == (1.0, 0.0)
    assert rows[2].low < 0.0 < rows[2].high


def test_a_small_p_value_alone_is_no_result():
    """Six forests of six have p = 0.03, and 0.06 in a family of two."""
    arm = outcomes([1] * 6 + [0] * 6), outcomes([0] * 12)
    alone, corrected = compare([Pair({}, *arm)])[0], compare([Pair({}, *arm)] * 2)[0]
    assert alone.p_value == corrected.p_value == pytest.approx(0.03125)
    assert (alone.verdict, corrected.verdict) == ("worse", "no difference shown")


def test_what_is_kept_is_the_difference_of_the_losses():
    calm = outcomes(np.ones((1, 1, 20)))
    loses, keeps = outcomes(np.zeros((2, 1, 20))), outcomes(np.ones((2, 1, 20)))
    (row,) = compare([Pair({}, loses, keeps, (calm, calm))])
    assert (row.difference, row.verdict) == (1.0, "better")
    both_weak = outcomes(np.zeros((1, 1, 20)))
    (row,) = compare([Pair({}, loses, keeps, (both_weak, calm))])
    assert (row.difference, row.verdict) == (0.0, "no difference shown")


def test_only_forests_that_both_have_flown_are_compared():
    first = outcomes([1, 1, 0], seeds=(1, 2, 3))
    second = outcomes([0, 0, 1], seeds=(2, 3, 9))
    (row,) = compare([Pair({}, first, second)])
    assert (row.forests, row.rates) == (2, (0.5, 0.0))
    apart = outcomes([1], seeds=(7,))
    with pytest.raises(ConfigError, match="expected forests flown by both arms"):
        compare([Pair({"arm": "x"}, first, apart)])


def test_entries_are_joined_over_their_common_forests():
    one, other = outcomes([1, 0, 1], seeds=(1, 2, 3)), outcomes([0, 1], seeds=(2, 3))
    both = joined([one, other])
    assert both.seeds == (2, 3)
    assert both.values[:, 0].tolist() == [[False, True], [False, True]]
    with pytest.raises(ConfigError, match="expected outcomes"):
        Outcomes((1, 2), np.ones((1, 1, 3), np.bool_))

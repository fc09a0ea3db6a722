import json
from math import comb

import pytest

from liquid_control.cli.main import main
from liquid_control.errors import ConfigError
from liquid_control.evaluation import compare_flights, load_flights
from liquid_control.evaluation.paired import difference_interval, mcnemar, median_interval

pytestmark = pytest.mark.unit


def rows(model, outcomes, entry="calm", first_seed=0, cross_track=0.1):
    return [
        {
            "model": model,
            "entry": entry,
            "scenario": "trail",
            "perturbation": "none",
            "severity": 0.0,
            "seed": first_seed + index,
            "success": bool(outcome),
            "cross_track_rms_m": cross_track + 0.001 * index,
        }
        for index, outcome in enumerate(outcomes)
    ]


@pytest.fixture
def results(tmp_path):
    def write(name, flights, **more):
        path = tmp_path / name / "results.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"schema": 1, "rows": flights, "config": {}, **more}))
        return path

    return write


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 7), (3, 3), (0, 6), (20, 41), (300, 351)])
def test_the_test_is_the_binomial_one(b, c):
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(b, c) == mcnemar(c, b)


def test_the_test_is_exact():
    assert mcnemar(1, 7) == 2 * (comb(8, 0) + comb(8, 1)) / 2**8 == 0.0703125
    assert mcnemar(0, 1) == 1.0
    assert mcnemar(50_000, 50_000) == 1.0


def test_the_interval_is_that_of_the_literature():
    """Newcombe 1998, table II, method 10; Fagerland, Lydersen and Laake 2014, table IV."""
    assert difference_interval(36, 2, 12, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    assert difference_interval(1, 7, 1, 12) == pytest.approx((-0.507, -0.026), abs=5e-4)


@pytest.mark.parametrize("counts", [(50, 0, 0, 0), (0, 0, 0, 50), (0, 50, 0, 0), (1, 0, 0, 0)])
def test_the_interval_stays_within_its_range(counts):
    low, high = difference_interval(*counts)
    assert -1.0 <= low <= (counts[2] - counts[1]) / sum(counts) <= high <= 1.0


def test_the_interval_of_a_median():
    assert median_interval(range(1, 11)) == (2, 9)  # 97.9 %; (3, 8) would be 89.1 %
    assert median_interval(range(1, 7)) == (1, 6)
    assert median_interval(range(1, 6)) is None
    assert median_interval([]) is None


def test_pairs_have_equal_entry_and_seed(results):
    one = results("a", rows("x", [1, 0, 0, 1, 0]) + rows("x", [1, 1], "wind"))
    other = results("b", rows("y", [1, 1, 1, 0], first_seed=1) + rows("y", [0, 1], "wind"))
    calm, wind, total = compare_flights(load_flights(one), load_flights(other))
    assert (calm.entry, wind.entry, total.entry) == ("calm", "wind", "all")
    assert (calm.both, calm.first_only, calm.second_only, calm.neither) == (1, 0, 2, 1)
    assert (wind.both, wind.first_only, wind.second_only, wind.neither) == (1, 1, 0, 0)
    assert (total.pairs, total.difference) == (6, pytest.approx(1 / 6))


def test_the_command_prints_a_table_and_one_line(results, capsys):
    one = results("a", rows("x", [0] * 10 + [1] * 10))
    other = results("b", rows("y", [1] * 20, cross_track=0.15))
    assert main(["compare", str(one), str(other.parent)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "y minus x, paired by entry and seed" in out[0]
    assert out[-1] == (
        "y succeeds more often than x (y minus x: +50.0 points, 95 % interval +24.3 to +70.1, "
        "exact McNemar p = 0.002, 20 pairs)."
    )
    row = next(line for line in out if "calm" in line)
    assert "10 of 20" in row
    assert "20 of 20" in row
    assert "+0.050 (+0.050 to +0.050)" in row


def test_equal_results_show_no_difference(results, capsys):
    one = results("a", rows("x", [1, 0, 1]))
    assert main(["compare", str(one), str(one)]) == 0
    assert "No difference in success between A and B is shown (+0.0" in capsys.readouterr().out


def test_two_models_of_one_file(results, capsys):
    path = results("a", rows("x", [1, 0, 1]) + rows("expert", [1, 1, 1]))
    assert main(["compare", str(path), str(path), "--first", "x", "--second", "expert"]) == 0
    assert "expert minus x" in capsys.readouterr().out
    assert main(["compare", str(path), str(path)]) == 2
    assert "expected one model, got x, expert; choose with --first" in capsys.readouterr().err


def test_flights_without_a_partner_and_other_options_are_reported(results, capsys):
    one = results("a", rows("x", [1, 0, 1, 1]), config={"set": {"wind.gust_mps": 6}})
    other = results("b", rows("y", [1, 0]))
    assert main(["compare", str(one), str(other)]) == 0
    err = capsys.readouterr().err
    assert "2 of 4 flights of" in err
    assert "warning: --set differs: {'wind.gust_mps': 6} and {}" in err


def test_files_without_a_pair_are_refused(results):
    one = load_flights(results("a", rows("x", [1, 1])))
    other = load_flights(results("b", rows("y", [1, 1], first_seed=100)))
    with pytest.raises(ConfigError, match=r"calm, seeds 0 to 1; .* has calm, seeds 100 to 101$"):
        compare_flights(one, other)


def test_other_conditions_are_no_pair(results):
    changed = [{**row, "severity": 3.0} for row in rows("y", [1])]
    one, other = load_flights(results("a", rows("x", [1]))), load_flights(results("b", changed))
    with pytest.raises(ConfigError, match=r"'calm', seed 0: severity is 0\.0 in .* and 3\.0 in"):
        compare_flights(one, other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", r"expected a results\.json with rows"),
        ('{"rows": [], "schema": 2}', "expected schema 1, got 2"),
        ('{"rows": [], "schema": 1}', "expected rows of flights"),
        ('{"rows": [{"success": true}, 3], "schema": 1}', "expected rows of flights"),
        (json.dumps({"schema": 1, "rows": rows("x", [1]) * 2}), "'calm', seed 0 is there twice"),
    ],
)
def test_a_file_that_is_no_result_is_one_line(tmp_path, text, message):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_flights(path)
    assert "\n" not in str(caught.value)

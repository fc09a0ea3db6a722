"""Rank correlation of the numbers of record with success, and the results it is read from."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from liquid_control.errors import ConfigError, DependencyError
from liquid_control.inspection.predictions import (
    missing_rates,
    predictions,
    rate_of,
    spearman,
    success_rates,
)

pytestmark = pytest.mark.unit


def of(values, success, name="m"):
    (found,) = predictions([{name: value} for value in values], success)
    return found


def test_three_models_have_the_exact_p_value_and_no_interval():
    found = of([0.9, 0.7, 0.3], [0.2, 0.5, 0.9])
    assert (found.correlation, found.models) == (pytest.approx(-1.0), 3)
    assert found.p_value == found.adjusted == pytest.approx(2 / 6)
    assert np.isnan([found.low, found.high]).all()
    assert predictions([{"m": 1.0}, {"m": 2.0}], [0.1, 0.2]) == []
    assert predictions([], []) == []


def test_a_measure_that_all_models_share_has_no_correlation():
    found = of([0.5, 0.5, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4])
    assert np.isnan([found.correlation, found.p_value, found.adjusted]).all()


def test_a_model_without_a_measure_is_left_out_of_it():
    found = of([0.1, np.nan, 0.2, 0.3], [0.1, 0.9, 0.2, 0.3])
    assert (found.models, found.correlation) == (3, pytest.approx(1.0))


def test_a_perfect_order_of_many_models_has_no_p_value_of_zero():
    values = [float(value) for value in range(14)]
    # One of 40,320 random orders is as extreme with a probability of 1e-6.
    assert of(values, values).p_value == pytest.approx(1 / 40321)


def test_p_values_of_five_models_are_those_of_all_orders_and_are_corrected():
    values, success = [1.0, 2.0, 3.0, 5.0, 4.0], [0.1, 0.2, 0.3, 0.4, 0.5]
    one = of(values, success)
    assert one.correlation == pytest.approx(0.9)
    assert one.p_value == pytest.approx(10 / 120)
    assert one.low < one.correlation <= one.high <= 1.0
    two = predictions([{"a": value, "b": -value} for value in values], success)
    assert [each.adjusted for each in two] == pytest.approx([20 / 120, 20 / 120])
    assert of(values, success) == one


def test_nine_models_have_the_published_values():
    """The values of `lipschitz 0.3` and `first component` in docs/inspect.md, from nine cores."""
    success = [26, 32, 23, 34, 30, 33, 33, 31, 31]
    components = [0.527, 0.628, 0.560, 0.542, 0.642, 0.388, 0.425, 0.604, 0.330]
    lipschitz = [15.4, 11.6, 5.2, 19.5, 8.3, 39.6, 68.6, 71.1, 78.4]
    found = [of(values, success) for values in (components, lipschitz)]
    assert [round(one.correlation, 2) for one in found] == [-0.29, 0.45]
    assert [round(one.p_value, 2) for one in found] == [0.44, 0.22]
    assert [(round(one.low, 2), round(one.high, 2)) for one in found] == [
        (-0.74, 0.39),
        (-0.35, 0.88),
    ]


def test_a_missing_scipy_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(DependencyError, match=r"scipy.* is needed to correlate .*\[inspect\]"):
        of([0.9, 0.7, 0.3], [0.2, 0.5, 0.9])


def test_fourteen_models_agree_with_scipy():
    """Of 40320 random orders, p differs by more than 0.015 with a probability below 1e-8."""
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    values = rng.normal(size=14)
    success = np.round(values + rng.normal(size=14), 0)
    found = of(values.tolist(), success.tolist())
    expected = stats.spearmanr(values, success)
    assert found.correlation == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.015)
    assert found.low < found.correlation < found.high
    assert found.low > 0.0


def test_spearman_ranks_signs_and_refuses_what_has_no_order():
    assert spearman(np.array([1.0, -2.0, 3.0]), np.array([0.0, -9.0, 1.0])) == pytest.approx(1.0)
    assert np.isnan(spearman(np.ones(3), np.arange(3.0)))
    assert np.isnan(spearman(np.array([1.0, np.nan, 2.0]), np.arange(3.0)))


def model(path, name="n"):
    return SimpleNamespace(path=Path(path), name=name)


def test_success_rates_come_from_a_results_file(tmp_path):
    path = tmp_path / "results.json"
    rows = [{"model": "models/a", "success": flown} for flown in (True, False)]
    path.write_text(json.dumps({"rows": rows}))
    assert success_rates(tmp_path) == success_rates(path) == {"a": 0.5}
    path.write_text("[]")
    with pytest.raises(ConfigError, match=r"expected a results\.json"):
        success_rates(path)


def test_a_model_is_found_by_its_run_its_folder_or_its_name():
    assert rate_of({"run-1": 0.5, "m": 0.2}, model("run-1/m")) == 0.5
    assert rate_of({"m": 0.2, "n": 0.1}, model("run-1/m")) == 0.2
    assert rate_of({"o": 0.2}, model("run-1/m")) is None


def test_models_that_the_results_lack_are_one_line():
    rates, flown = {"b": 0.5, "a": 0.2}, model("runs/a")
    assert missing_rates(Path("r.json"), rates, [flown]) == ""
    assert missing_rates(Path("r.json"), rates, [flown, model("runs/c", "c")]) == (
        "--results r.json: no flights of c; it has those of a, b"
    )

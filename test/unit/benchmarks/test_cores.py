"""Benchmark of the cores: comparisons with ncps and the table of their ratios."""

import sys

import pytest

from benchmarks import cores
from benchmarks.cores import CoreComparison, comparisons, core_table, measure_cores
from liquid_control.errors import DependencyError

pytestmark = pytest.mark.unit


def test_every_comparison_runs_and_results_agree(monkeypatch):
    monkeypatch.setattr(cores, "BATCH", 8)
    monkeypatch.setattr(cores, "STEPS", 8)
    with comparisons() as found:
        by_name = {comparison.what: comparison for comparison in found}
        assert [comparison.at_least for comparison in found] == [10, 5, 1, 150, 15, 10, 10]
        lstm = by_name["training, 19 neurons"]
        assert (lstm.ours, lstm.peer, lstm.difference) == ("CfC wired", "torch.nn.LSTM", None)
        assert lstm.time_ours() > 0.0
        assert lstm.time_peer() > 0.0
        for name in ("training, CfC-19 wired", "one step, exported C", "one step, NumPy"):
            comparison = by_name[name]
            assert comparison.difference < 1e-5
            assert comparison.time_ours() > 0.0
            assert comparison.time_peer() > 0.0


def test_ratios_are_of_consecutive_measurements(monkeypatch):
    ours, peer = iter([9.0, 1e-6, 2e-6, 4e-6]), iter([9.0, 8e-6, 8e-6, 4e-6])

    class Given:
        def __enter__(self):
            return [
                CoreComparison("a", "b", "c", lambda: next(ours), lambda: next(peer), 3.0, 0.0)
            ]

        def __exit__(self, *_):
            pass

    monkeypatch.setattr("benchmarks.cores.comparisons", Given)
    (row,), config = measure_cores(3)
    assert (row.ours_us, row.peer_us) == pytest.approx((2.0, 8.0))
    assert (row.ratio, row.ratio_least, row.ratio_most) == pytest.approx((4.0, 1.0, 8.0))
    assert config["turns"] == 3
    assert core_table([row]).row_count == 1


def test_missing_ncps_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "ncps.torch", None)
    with (
        pytest.raises(DependencyError, match=r"ncps is not installed.*pip install ncps"),
        comparisons(),
    ):
        pass

import sys

import pytest

from benchmarks.cores import CoreComparison, comparisons, core_table, measure_cores
from liquid_control.errors import DependencyError

pytestmark = pytest.mark.unit


def test_every_contest_runs_and_both_sides_answer_the_same():
    with comparisons() as found:
        by_name = {contest.what: contest for contest in found}
        assert [contest.at_least for contest in found] == [10, 5, 150, 15, 10, 10]
        for name in ("training, CfC-19 wired", "one step, exported C", "one step, NumPy"):
            contest = by_name[name]
            assert contest.difference < 1e-5
            assert contest.time_ours() > 0.0
            assert contest.time_peer() > 0.0


def test_ratios_are_of_turns_that_follow_each_other(monkeypatch):
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


def test_names_ncps_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ncps.torch", None)
    with (
        pytest.raises(DependencyError, match=r"ncps is not installed.*pip install ncps"),
        comparisons(),
    ):
        pass

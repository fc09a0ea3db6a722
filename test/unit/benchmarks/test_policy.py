"""Benchmark of the stages of a policy: percentiles, shares of a core, exported C."""

import shutil
from pathlib import Path

import pytest

from benchmarks import policy
from benchmarks.measured import Measured
from benchmarks.policy import StageTime, measure_policy, policy_table
from liquid_control.config import shipped

pytestmark = pytest.mark.unit


def test_percentiles_and_share_of_a_core():
    row = StageTime.of("a", [float(value) for value in range(1, 1002)])
    percentiles = (row.p50_us, row.p99_us, row.p999_us)
    assert percentiles == pytest.approx((501.0, 991.0, 1000.0))
    assert row.core_percent == pytest.approx(501e-6 * 30 * 100)
    assert row.samples == 1001


def test_means_have_no_percentiles():
    row = StageTime.of("a", [1.0, 3.0, 2.0], means=True)
    assert row.p50_us == 2.0
    assert (row.p99_us, row.p999_us) == (None, None)
    assert policy_table([row]).row_count == 1


@pytest.mark.parametrize("name", ["trail_cfc19", "trail_gru"])
def test_every_stage_is_measured(monkeypatch, name):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    monkeypatch.setattr(policy, "FRAMES", 20)
    rows, config = measure_policy(shipped(Path(name)), 2, Measured())
    names = [row.stage for row in rows]
    python = [
        "standardise the picture",
        "encoder, ONNX Runtime",
        "IMU and inputs",
        "controller",
        "whole policy",
    ]
    in_c = ["whole policy, exported C", "controller, exported C"]
    # Only trail_cfc19 has a certificate with a box.
    assert names == python + (["online adaptation", *in_c] if name == "trail_cfc19" else [])
    assert all(row.p50_us > 0.0 for row in rows)
    assert [row.samples for row in rows[:5]] == [40] * 5
    assert config["model"]["name"] == name
    assert policy_table(rows).row_count == len(rows)

"""Benchmark of training an encoder: both ways agree, and every comparison runs."""

import numpy as np
import pytest
import torch

from benchmarks import training
from benchmarks.training import comparisons, measure_training, random_store, training_table
from liquid_control.errors import CellError

pytestmark = pytest.mark.unit


@pytest.fixture
def small(monkeypatch):
    for name, value in {"batch": 4, "width": 24, "height": 18, "frames": 16}.items():
        monkeypatch.setitem(training.SETTINGS, name, value)


def test_every_comparison_runs_and_states_its_aim(small, tmp_path):
    found = comparisons(torch, random_store(tmp_path))
    assert {comparison.what: comparison.at_least for comparison in found} == {
        "loading": None,
        "forward and backward": None,
        "loading, forward, backward": 2.0,
        "frozen encoder": 2.0,
    }
    for comparison in found:
        assert comparison.time_ours() > 0.0
        assert comparison.time_peer() > 0.0
        assert comparison.difference is None or comparison.difference < 1e-4


def test_rows_and_table(small):
    rows, config = measure_training(2)
    assert (config["turns"], config["batch"], config["threads"]) == (2, 4, 1)
    assert training_table(rows).row_count == len(rows) == 4
    for row in rows:
        assert row.ratio_least <= row.ratio <= row.ratio_most


def test_both_ways_load_the_same_pictures(small, tmp_path):
    store = random_store(tmp_path)
    images, means, scales = (part.numpy() for part in training._load(torch, store, 3))
    assert images.dtype == np.uint8
    expected = (images - means[:, None, None, None]) * scales[:, None, None, None]
    plain = training._load_plain(torch, store, 3)
    assert plain.is_contiguous()
    assert plain.numpy() == pytest.approx(expected.transpose(0, 3, 1, 2), abs=1e-6)


def test_different_features_are_refused(small, tmp_path, monkeypatch):
    plain = training._plain_features
    monkeypatch.setattr("benchmarks.training._plain_features", lambda *given: plain(*given) + 0.01)
    with pytest.raises(CellError, match=r"features within 0.0001 of each other, got 0.0"):
        comparisons(torch, random_store(tmp_path))

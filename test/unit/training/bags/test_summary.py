"""Sentences about the bags in a model card follow from the run."""

import numpy as np
import pytest

from liquid_control.training.bags.summary import bag_lines
from liquid_control.training.training_settings import BagSettings
from liquid_control.training.windows import split_flights

pytestmark = pytest.mark.unit


def bag(name, frames):
    return {"name": name, "frames": frames, "sha256": "0" * 64, "duration_s": 60.0}


@pytest.mark.parametrize(
    ("flights", "sentence"),
    [
        (1, "The offline loss was measured on the training flight itself: there was no other."),
        (2, "Of 2 flights, 1 whole flight was held out to measure the offline loss."),
        (19, "Of 19 flights, 1 whole flight was held out to measure the offline loss."),
        (40, "Of 40 flights, 2 whole flights were held out to measure the offline loss."),
    ],
)
def test_flights_held_out_are_those_of_the_split(flights, sentence):
    lines = bag_lines(BagSettings(), [bag("a.mcap", 10)] * flights, flights, 20)
    assert sentence in lines[0]
    split = split_flights(np.arange(flights), 20)
    shared = set(split.train.tolist()) & set(split.validation.tolist())
    assert (len(shared) > 0) == ("itself" in sentence)
    if not shared:
        assert f"{len(split.validation)} whole" in sentence


def test_bags_without_frames_are_not_counted_as_used():
    lines = bag_lines(BagSettings(), [bag("a.mcap", 10), bag("b.mcap", 0)], 1, 20)
    assert lines[0].startswith("10 frames, 2.0 min, of 1 of 2 bags;")

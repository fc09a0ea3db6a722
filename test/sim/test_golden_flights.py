"""Seeded flights equal test/golden/flights.json on every machine."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.sim
GOLDEN = Path(__file__).parents[1] / "golden"

spec = importlib.util.spec_from_file_location("make_flights", GOLDEN / "make_flights.py")
make_flights = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_flights)


@pytest.mark.parametrize("name", make_flights.FLIGHTS)
def test_seeded_flights_equal_the_golden_file(name):
    expected, flown = json.loads(make_flights.PATH.read_text())[name], make_flights.flown(name)
    assert flown["reason"] == expected["reason"] == "completed"
    assert np.array(flown["position_m"]) == pytest.approx(
        np.array(expected["position_m"]), abs=2e-6
    )
    assert flown["sha256"] == expected["sha256"]

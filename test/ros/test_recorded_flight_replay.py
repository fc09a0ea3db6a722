"""On one machine the bag of a lockstep flight replays to the recorded commands, bit for bit."""

import json

import pytest

from liquid_control.cli.main import main

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("name", ["plain", "hard, PNG"])
def test_a_lockstep_flight_replays_bit_for_bit(model, flown, tmp_path, name):
    flight = flown(name).flight
    options = ["--model", str(model), "--out", str(tmp_path / "r")]
    assert main(["replay", str(flight.bag), *options]) == 0
    document = json.loads((tmp_path / "r" / "replay.json").read_text())
    assert document["identical"] is True, document["first_difference"]
    assert document["identical_parts"] == ["policy", "guarded", "features", "states", "gates"]
    assert document["frames"]["seen"] == flight.statistics["frames"] > 40
    assert document["guard"]["mode"] == "lockstep"
    assert document["recorded_model"]["name"] == "random"
    if name != "plain":
        assert document["guard"]["events"]["stale"] > 0

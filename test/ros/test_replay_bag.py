"""The bag of a lockstep flight replays to what was recorded, bit for bit."""

import json

import pytest

from liquid_control.cli.main import main
from liquid_control.graph.flight_graph import fly_through_graph

pytestmark = pytest.mark.ros

LOSSES = ["time_limit_s=4", "camera.rate_hz=30", "camera.drop_rate=0.4", "wind.gust_mps=6"]


@pytest.mark.parametrize(
    ("overrides", "options"),
    [(["time_limit_s=3"], {}), (LOSSES, {"image": "png", "compression": "zstd"})],
    ids=["plain", "30 Hz, 40 % lost, PNG, zstd"],
)
def test_a_lockstep_flight_replays_bit_for_bit(model, tmp_path, overrides, options):
    flown = fly_through_graph("trail", 10_003, overrides, model, tmp_path / "f", **options)
    words = ["replay", str(flown["bag"]), "--model", str(model), "--out", str(tmp_path / "r")]
    assert main(words) == 0
    document = json.loads((tmp_path / "r" / "replay.json").read_text())
    assert document["identical"] is True, document["first_difference"]
    assert document["identical_parts"] == ["policy", "guarded", "features", "states", "gates"]
    assert document["frames"]["seen"] == flown["statistics"]["frames"] > 40
    assert document["guard"]["mode"] == "lockstep"
    assert document["recorded_model"]["name"] == "random"
    if overrides is LOSSES:
        assert document["guard"]["events"]["stale"] > 0

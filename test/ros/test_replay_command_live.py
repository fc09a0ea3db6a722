"""`liquid-control replay --live` on the flight in the repository."""

import json
from pathlib import Path

import pytest

from liquid_control.bags import read_bag
from liquid_control.cli.main import main

pytestmark = pytest.mark.ros

BAG = Path(__file__).parents[1] / "golden" / "flight.mcap"


@pytest.mark.parametrize("more", [[], ["--rate", "2"]], ids=["lockstep", "real time"])
def test_live_answers_are_those_of_the_offline_replay(tmp_path, capfd, more):
    out = tmp_path / "out"
    words = ["replay", str(BAG), "--duration", "2", "--live", *more, "--out", str(out)]
    assert main(words) == 0
    told = capfd.readouterr().out
    live, flown = read_bag(out / "live" / "replay.mcap"), read_bag(BAG)
    answered = live.policy_commands
    assert len(answered.stamp_ns) > 25
    stamps = flown.policy_commands.stamp_ns.tolist()
    rows = [stamps.index(stamp_ns) for stamp_ns in answered.stamp_ns.tolist()]
    if "without an answer" in told and " 0 without an answer" not in told:
        pytest.skip("the machine was too busy to answer every frame in real time")
    assert "live answers are those of the offline replay, bit for bit" in told
    assert (answered.values == flown.policy_commands.values[rows]).all()
    assert json.loads((out / "replay.json").read_text())["identical"] is True


def test_a_rate_is_for_live(tmp_path, capfd):
    assert main(["replay", str(BAG), "--rate", "2", "--out", str(tmp_path / "out")]) == 2
    assert "--rate: is for --live" in capfd.readouterr().err


def test_live_takes_one_bag(tmp_path, capfd):
    assert main(["replay", str(BAG), str(BAG), "--live", "--out", str(tmp_path / "out")]) == 2
    assert "--live: expected one bag" in capfd.readouterr().err

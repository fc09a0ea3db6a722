"""`liquid-control replay --live` on the bag in the repository, recorded on another machine."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from liquid_control.bags import read_bag
from liquid_control.cli.main import main
from liquid_control.errors import ConfigError
from liquid_control.graph.live_replay import check_constant_inputs
from liquid_control.replay import ReplayRequest
from liquid_control.replay.comparison import MACHINE_TOLERANCE
from liquid_control.replay.given_inputs import GivenInputs

pytestmark = pytest.mark.ros

BAG = Path(__file__).parents[1] / "golden" / "flight.mcap"


@pytest.mark.parametrize("options", [[], ["--rate", "2"]], ids=["lockstep", "real time"])
def test_live_answers_equal_the_offline_replay_and_agree_with_the_recording(
    tmp_path, capfd, options
):
    out = tmp_path / "out"
    assert (
        main(["replay", str(BAG), "--duration", "2", "--live", *options, "--out", str(out)]) == 0
    )
    text = capfd.readouterr().out
    live, recorded = read_bag(out / "live" / "replay.mcap"), read_bag(BAG)
    answered = live.policy_commands
    assert len(answered.stamp_ns) > 25
    stamps = recorded.policy_commands.stamp_ns.tolist()
    rows = [stamps.index(stamp_ns) for stamp_ns in answered.stamp_ns.tolist()]
    frames = int(re.search(r"live, \w+: (\d+) frames", text)[1])
    if options and (" 0 without an answer" not in text or len(rows) < frames):
        pytest.skip("the machine was too busy to answer and record every frame in real time")
    assert len(rows) == frames
    assert "live answers are those of the offline replay, bit for bit" in text
    with np.load(out / "replay.npz") as offline:
        assert (offline["replayed/policy/stamp_ns"] == answered.stamp_ns).all()
        assert (offline["replayed/policy"] == answered.values).all()
    difference = answered.values - recorded.policy_commands.values[rows]
    assert np.abs(difference).max() <= MACHINE_TOLERANCE
    document = json.loads((out / "replay.json").read_text())
    for part in ("policy", "guarded"):
        for error in document[part]["axes"].values():
            assert error["maximum"] <= MACHINE_TOLERANCE


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (GivenInputs(pitch_down_deg=15.0), "cruise_speed_mps"),
        (GivenInputs(cruise_mps=2.0), "camera_pitch_down_deg"),
    ],
)
def test_live_needs_parameters_that_are_recorded_with_the_frames_only(given, missing):
    request = replace(ReplayRequest.for_bag(str(BAG)), given=given)
    message = rf"--live: {missing} is not among .* add --input {missing}=NUMBER$"
    with pytest.raises(ConfigError, match=message):
        check_constant_inputs(request)


def test_rate_requires_live(tmp_path, capfd):
    assert main(["replay", str(BAG), "--rate", "2", "--out", str(tmp_path / "out")]) == 2
    assert "--rate: is for --live" in capfd.readouterr().err


def test_live_takes_one_bag(tmp_path, capfd):
    assert main(["replay", str(BAG), str(BAG), "--live", "--out", str(tmp_path / "out")]) == 2
    assert "--live: expected one bag" in capfd.readouterr().err

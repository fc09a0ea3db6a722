"""The public entry: a request for a bag, its evaluation, and its files."""

import json
from pathlib import Path

import numpy as np
import pytest

from liquid_control.cli.main import main
from liquid_control.command import GuardRules
from liquid_control.errors import BagError, ConfigError, ModelError
from liquid_control.replay import ReplayRequest, evaluate_replay, verdict, write_replay_files
from liquid_control.replay.replay_evaluation import recorded_guard, recorded_lockstep

pytestmark = pytest.mark.unit

BAG = Path(__file__).parents[2] / "golden" / "flight.mcap"
FILES = {"replay.json", "replay.npz", "report.html", "timing.json"}


def test_five_lines_evaluate_a_bag_and_write_its_files(tmp_path):
    request = ReplayRequest.for_bag(str(BAG), model="models/trail_cfc19")
    result = evaluate_replay(request)
    write_replay_files(tmp_path / "new" / "folder", request, result)
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == FILES
    assert verdict(result).startswith(("identical to the recorded", "differs from the recorded"))
    assert result.timing.wall_s > 0.0
    assert result.losses == ()
    assert result.disturbed is None


def test_the_entry_writes_what_the_command_writes(tmp_path):
    options = ["--against", "onnx", "--start", "1", "--duration", "2.5"]
    options += ["--disturb", "delta_noise=2", "--out", str(tmp_path / "command")]
    assert main(["replay", str(BAG), *options]) == 0
    request = ReplayRequest.for_bag(
        [BAG], against="onnx", start_s=1.0, duration_s=2.5, disturb=["delta_noise=2"]
    )
    write_replay_files(tmp_path / "entry", request, evaluate_replay(request))
    for name in sorted(FILES - {"timing.json"}):
        one, two = ((tmp_path / folder / name).read_bytes() for folder in ("command", "entry"))
        assert one == two, name
    document = json.loads((tmp_path / "entry" / "replay.json").read_text())
    assert [row["disturbance"] for row in document["disturbed"]] == ["delta_noise"]


def test_a_disturbed_replay_leaves_the_undisturbed_result():
    plain = evaluate_replay(ReplayRequest.for_bag(BAG))
    disturbed = evaluate_replay(ReplayRequest.for_bag(BAG, disturb=["delta_noise=3"]))
    np.testing.assert_array_equal(
        disturbed.replayed.track.policy.values, plain.replayed.track.policy.values
    )
    assert [row.frames for row in disturbed.disturbed.rows] == [plain.replayed.frames]


def test_requests_choose_model_and_comparison():
    request = ReplayRequest.for_bag(BAG)
    assert request.choice.model.name == "trail_cfc19"
    assert request.choice.why == "which the bag was recorded with"
    assert request.choice.warning == ""
    assert request.against == "recorded"
    assert request.command_line("yaw=1") == (
        "liquid-control replay flight.mcap --model trail_cfc19 --against recorded "
        "--backend flight --max-rmse yaw=1"
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"backend": "gpu"}, ConfigError, "unknown backend 'gpu'; there are flight, reference"),
        ({"against": "models/none"}, ConfigError, "or a model's folder, got 'models/none'"),
        ({"model": "models/none"}, ModelError, "models/none does not exist"),
        ({"disturb": ["nois"]}, ConfigError, "did you mean noise"),
    ],
)
def test_requests_reject_options(options, error, message):
    with pytest.raises(error, match=message):
        ReplayRequest.for_bag(BAG, **options)


def test_a_part_without_frames_is_an_error():
    with pytest.raises(BagError, match="holds no frame on /camera/image_raw/compressed"):
        evaluate_replay(ReplayRequest.for_bag(BAG, start_s=999.0))


def test_guard_and_mode_are_those_of_the_metadata():
    metadata = {
        "parameters/guard_node": {"max_forward_mps": "0.5", "mode": "lockstep"},
        "liquid_control": {"mode": "realtime"},
    }
    assert recorded_guard(metadata).envelope.max_forward_mps == 0.5
    assert recorded_lockstep(metadata) is False
    assert recorded_lockstep({}) is None
    with pytest.raises(BagError, match="parameters of guard_node are not an envelope"):
        recorded_guard({"parameters/guard_node": {"max_forward_mps": "fast"}})


def test_the_rules_of_the_guard_are_those_of_the_metadata_without_unread_ones():
    parameters = {
        "fence_corners": "[0.0, 0.0, 9.0, 0.0, 9.0, 9.0]",
        "fence_floor_m": "null",
        "fence_ceiling_m": "12.5",
        "fence_action": "land",
        "picture_max_repeats": "4",
        "imu_max_age_s": "0.1",
        "min_battery": "0.3",
    }
    rules = recorded_guard({"parameters/guard_node": parameters}).rules
    assert rules == GuardRules(
        fence_corners=[0.0, 0.0, 9.0, 0.0, 9.0, 9.0],
        fence_ceiling_m=12.5,
        fence_action="land",
        picture_max_repeats=4,
    )
    ranged = {"barrier": "True", "min_forward_m": "1.5", "barrier_delay_s": "0.2"}
    rules = recorded_guard({"parameters/guard_node": ranged}).rules
    assert (rules.barrier, rules.min_forward_m, rules.barrier_delay_s) == (True, 0.0, 0.2)
    with pytest.raises(BagError, match="the fence crosses itself"):
        recorded_guard({"parameters/guard_node": {"fence_corners": "[0, 0, 9, 9, 9, 0, 0, 9]"}})

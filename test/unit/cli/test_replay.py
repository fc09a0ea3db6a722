"""`liquid-control replay` on the flight in the repository, as CI runs it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from liquid_control.bags import BagWriter, Losses, open_bag
from liquid_control.bags.writing.messages import camera_info_cdr, compressed_image_cdr
from liquid_control.cli.main import main
from liquid_control.config import CameraSettings, project_file
from liquid_control.errors import ConfigError
from liquid_control.export import model_graphs
from liquid_control.message_types import CAMERA_INFO
from liquid_control.policy import load_model, save_model
from liquid_control.replay import parse_limits
from liquid_control.replay.comparison import MACHINE_TOLERANCE
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS

pytestmark = pytest.mark.unit

BAG = Path(__file__).parents[2] / "golden" / "flight.mcap"
PICTURES = "/camera/image_raw/compressed"
GATE = "forward=0.001,left=0.001,up=0.001,yaw=0.001"
FILES = {"replay.json", "report.html", "replay.npz", "timing.json"}


def replayed(folder, *words):
    status = main(["replay", str(BAG), "--out", str(folder), *map(str, words)])
    return status, json.loads((folder / "replay.json").read_text())


def copied(target, topics=None, change=None):
    """Copy the flight's bag: some topics, its pictures changed."""
    bag = open_bag(BAG)
    kept = list(topics or bag.topics)
    types = {topic: bag.topics[topic].type for topic in kept}
    with BagWriter(target, types, metadata=bag.metadata) as writer:
        for message in bag.messages(kept, Losses()):
            data = message.data
            if message.topic == PICTURES and change is not None:
                picture = bag.decode(message)
                stamp = picture.header.stamp
                image = cv2.imdecode(np.asarray(picture.data), cv2.IMREAD_COLOR)
                coded = cv2.imencode(".png", change(image))[1].tobytes()
                stamp_ns = stamp.sec * NANOSECONDS + stamp.nanosec
                data = compressed_image_cdr(coded, "rgb8; png compressed bgr8", stamp_ns)
            writer.write(message.topic, data, message.log_ns)
    return target


def test_the_flight_in_the_repository_is_small_and_its_commands_are_reproduced(tmp_path, capsys):
    assert BAG.stat().st_size <= 2_000_000
    status, document = replayed(tmp_path / "r", "--max-rmse", GATE)
    assert status == 0
    assert {path.name for path in (tmp_path / "r").iterdir()} == FILES
    assert document["policy"]["by_stamp"] == document["frames"]["seen"] == 96
    assert document["guarded"]["pairs"] == 227
    assert document["frames"]["refused"] == 0
    assert document["model"]["sha256"] == document["recorded_model"]["sha256"]
    for part in ("policy", "guarded"):
        for error in document[part]["axes"].values():
            assert error["maximum"] <= MACHINE_TOLERANCE
    output = capsys.readouterr()
    assert "model: trail_cfc19, which the bag was recorded with" in output.out
    (last,) = output.err.splitlines()
    assert last.startswith("next: ")
    assert str(tmp_path / "r" / "report.html") in last


def test_two_replays_write_the_same_bytes_and_no_paths(tmp_path):
    for name in ("one", "two"):
        replayed(tmp_path / name)
    for name in sorted(FILES - {"timing.json"}):
        one, two = ((tmp_path / folder / name).read_bytes() for folder in ("one", "two"))
        assert one == two, name
        assert str(tmp_path).encode() not in one
        assert str(BAG.parent).encode() not in one


def test_onnx_and_reference_agree_over_a_whole_replay(tmp_path):
    status, document = replayed(tmp_path, "--backend", "onnx", "--against", "reference")
    assert status == 0
    assert document["policy"]["by_stamp"] == 96
    for error in document["policy"]["axes"].values():
        assert error["maximum"] < 1e-5
    with np.load(tmp_path / "replay.npz") as arrays:
        np.testing.assert_allclose(
            arrays["replayed/states"], arrays["other/states"], atol=1e-5, rtol=0
        )


@pytest.fixture(scope="module")
def worse(tmp_path_factory) -> Path:
    """Return the shipped model with its weights a little off, drawn from a seed."""
    model = load_model(project_file("models/trail_cfc19"))
    rng = stream(7, "worse")
    arrays = {
        name: (array + rng.normal(0.0, 0.02, array.shape) * (array != 0)).astype(np.float32)
        for name, array in model.arrays.items()
    }
    settings = model.settings.model_copy(update={"name": "worse", "sha256": {}})
    path = tmp_path_factory.mktemp("models") / "worse"
    save_model(path, settings, arrays, model_graphs(settings, arrays), "# worse\n")
    return path


def test_a_worse_model_exceeds_the_gate_and_the_files_are_written_all_the_same(
    tmp_path, capsys, worse
):
    status, document = replayed(tmp_path, "--model", worse, "--max-rmse", GATE)
    assert status == 2
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert document["identical"] is False
    error = capsys.readouterr().err.splitlines()
    assert error[0].startswith("liquid-control: warning: the bag was recorded with trail_cfc19 ")
    assert error[1].startswith("liquid-control: --max-rmse exceeded: forward ")
    assert len(error) == 2
    rmse = document["policy"]["axes"]["forward"]["rmse"]
    assert f"forward {rmse:.4g} m/s > 0.001" in error[1]


def test_a_changed_picture_exceeds_the_gate(tmp_path):
    rng = stream(3, "pictures")

    def noisy(image):
        return np.clip(image + rng.normal(0.0, 20.0, image.shape), 0, 255).astype(np.uint8)

    bag = copied(tmp_path / "noisy.mcap", change=noisy)
    out = tmp_path / "out"
    assert main(["replay", str(bag), "--out", str(out), "--max-rmse", GATE]) == 2
    same = copied(tmp_path / "same.mcap", change=lambda image: image)
    assert main(["replay", str(same), "--out", str(tmp_path / "s"), "--max-rmse", GATE]) == 0


def test_too_few_answered_frames_are_no_verdict_and_the_files_are_written(tmp_path, capsys):
    number = iter(range(1000))
    bag = copied(tmp_path / "small.mcap", change=lambda i: i if next(number) < 40 else i[:20, :20])
    out = tmp_path / "out"
    assert main(["replay", str(bag), "--out", str(out)]) == 3
    assert {path.name for path in out.iterdir()} == FILES
    captured = capsys.readouterr()
    (error,) = captured.err.splitlines()
    assert error.startswith(
        "liquid-control: cannot judge: 40 of 96 frames (42 %) answered, expected at least 80 % "
        "(--min-coverage 0.8); refused were 56 because: "
    )
    assert "96 frames: 40 answered, 56 refused (56 because: " in captured.out
    document = json.loads((out / "replay.json").read_text())
    assert document["frames"]["answered"] == 40
    assert document["frames"]["min_coverage"] == 0.8
    words = ["--min-coverage", "0.3", "--against", "none"]
    assert main(["replay", str(bag), "--out", str(tmp_path / "two"), *words]) == 0
    command = json.loads((tmp_path / "two" / "replay.json").read_text())["command"]
    assert "--min-coverage 0.3" in command


def test_few_commands_are_no_verdict(tmp_path, capsys):
    bag = open_bag(BAG)
    types = {topic: info.type for topic, info in bag.topics.items()}
    kept_ns = bag.start_ns + NANOSECONDS
    with BagWriter(tmp_path / "few.mcap", types, metadata=bag.metadata) as writer:
        for message in bag.messages(list(types), Losses()):
            if not message.topic.endswith("cmd_vel") or message.log_ns < kept_ns:
                writer.write(message.topic, message.data, message.log_ns)
    words = ["replay", str(tmp_path / "few.mcap"), "--max-rmse", GATE]
    assert main([*words, "--out", str(tmp_path / "out")]) == 3
    error = capsys.readouterr().err
    assert "frames (1" in error
    assert "covered by the recorded commands, expected at least 80 %" in error
    assert main([*words, "--min-coverage", "0.1", "--out", str(tmp_path / "low")]) == 0


def test_bag_info_and_replay_refuse_a_camera_for_the_same_reason(tmp_path, capsys):
    bag = open_bag(BAG)
    info = "/camera/camera_info"
    types = {topic: entry.type for topic, entry in bag.topics.items()} | {info: CAMERA_INFO}
    camera = CameraSettings(width=128, height=72, horizontal_fov_deg=60.0)
    with BagWriter(tmp_path / "narrow.mcap", types, metadata=bag.metadata) as writer:
        for message in bag.messages([topic for topic in types if topic != info], Losses()):
            writer.write(message.topic, message.data, message.log_ns)
        writer.write(info, camera_info_cdr(camera, bag.end_ns), bag.end_ns)
    reason = "the model expects a horizontal field of view of 70 +- 1 degrees or more, got 60"
    assert main(["replay", str(tmp_path / "narrow.mcap"), "--out", str(tmp_path / "out")]) == 3
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("liquid-control: cannot judge: ")
    assert f"none of 96 frames on {PICTURES} fits: {reason}" in error
    assert not (tmp_path / "out").exists()
    assert main(["bag", "info", str(tmp_path / "narrow.mcap")]) == 2
    captured = capsys.readouterr()
    assert f"cannot be replayed: 0 of 96 pictures fit trail_cfc19: {reason}" in captured.err
    assert "replay no" in captured.out
    options = ["--topic", f"camera={PICTURES},90"]
    assert main(["bag", "info", str(tmp_path / "narrow.mcap"), *options]) == 0
    assert main(["replay", str(tmp_path / "narrow.mcap"), *options, "--out", str(tmp_path)]) == 0


def test_against_another_model_and_a_part_of_the_bag(tmp_path, worse):
    _, document = replayed(tmp_path, "--against", worse, "--start", 2, "--duration", "1.5")
    assert document["against"] == "worse"
    assert document["span"] == {"start_s": 2.0, "duration_s": 1.5}
    assert 15 < document["frames"]["seen"] < 31
    assert document["frames"]["first_stamp_ns"] >= 2 * NANOSECONDS
    assert document["policy"]["axes"]["yaw"]["rmse"] > 0.0


def test_video(tmp_path):
    assert replayed(tmp_path, "--video", "--duration", "1")[0] == 0
    assert (tmp_path / "replay.mp4").stat().st_size > 10_000


def test_a_bag_without_commands_is_replayed_against_nothing(tmp_path, capsys):
    bag = copied(tmp_path / "bare.mcap", topics=[PICTURES, "/camera/camera_info", "/imu/data"])
    out = tmp_path / "out"
    given = ["--input", "cruise_speed_mps=2.0", "--input", "camera_pitch_down_deg=15"]
    assert main(["replay", str(bag), *given, "--out", str(out)]) == 0
    document = json.loads((out / "replay.json").read_text())
    assert document["identical"] is None
    assert document["policy"] is None
    assert document["against"] == "none"
    assert "there is nothing to compare with" in capsys.readouterr().out
    for words, text in (
        (
            ("--against", "recorded"),
            "--against recorded: the bag has no command; --topic command=",
        ),
        (("--max-rmse", "yaw=1"), "--max-rmse: there is nothing to compare with"),
    ):
        assert main(["replay", str(bag), *given, "--out", str(tmp_path / "x"), *words]) == 2
        assert text in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--max-rmse", "roll=0.1"], "unknown axis 'roll'; accepted are forward=NUMBER, left="),
        (["--max-rmse", "yaw"], "--max-rmse yaw: expected a number of at least 0, got ''"),
        (["--max-rmse", "yaw=-1"], "expected a number of at least 0, got '-1'"),
        (["--max-rmse", "yaw=nan"], "expected a number of at least 0, got 'nan'"),
        (["--max-rmse", ""], "unknown axis ''"),
        (
            ["--backend", "gpu"],
            "--backend: unknown backend 'gpu'; there are flight, reference, on",
        ),
        (["--against", "nothing"], "or a model's folder, got 'nothing'"),
        (["--min-coverage", "1.5"], "expected a fraction from 0 to 1, got '1.5'"),
        (["--min-coverage", "nan"], "expected a number >= 0, got 'nan'"),
        (["--start", "-1"], "expected a number >= 0, got '-1'"),
        (["--model", "models/none"], "models/none does not exist"),
        (["--start", "999"], "holds no frame on /camera/image_raw/compressed"),
        (["--model", "models/trail_cfc19", "--model", "models/trail_cfc19"], "--model: "),
    ],
)
def test_an_error_is_one_line_and_leaves_no_folder(tmp_path, capsys, words, text):
    out = tmp_path / "out"
    assert main(["replay", str(BAG), "--out", str(out), *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert text in error
    assert not out.exists()


def test_limits():
    assert parse_limits("forward=0.1, yaw=1e-3") == {"forward": 0.1, "yaw": 0.001}
    assert parse_limits(None) == {}
    with pytest.raises(ConfigError, match=r"--max-rmse yaw: expected a number"):
        parse_limits("yaw=1.2.3")

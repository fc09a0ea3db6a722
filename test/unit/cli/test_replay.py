"""`liquid-control replay` on the flight in the repository, as CI runs it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from liquid_control.bags import BagWriter, Losses, open_bag
from liquid_control.bags.writing.messages import compressed_image_cdr
from liquid_control.cli.main import main
from liquid_control.cli.replay import parse_limits
from liquid_control.config import project_file
from liquid_control.errors import ConfigError
from liquid_control.export import model_graphs
from liquid_control.policy import load_model, save_model
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
    assert document["policy"]["by_stamp"] == document["frames"]["seen"] == 111
    assert document["guarded"]["pairs"] == 270
    assert document["frames"]["refused"] == 0
    assert document["model"]["sha256"] == document["recorded_model"]["sha256"]
    for part in ("policy", "guarded"):
        for error in document[part]["axes"].values():
            assert error["maximum"] <= MACHINE_TOLERANCE
    output = capsys.readouterr()
    assert "model: trail_cfc19, which the bag was recorded with" in output.out
    assert output.err == ""


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
    assert document["policy"]["by_stamp"] == 111
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
    bag = copied(tmp_path / "bare.mcap", topics=[PICTURES, "/imu/data"])
    out = tmp_path / "out"
    assert main(["replay", str(bag), "--out", str(out)]) == 0
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
        assert main(["replay", str(bag), "--out", str(tmp_path / "x"), *words]) == 2
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

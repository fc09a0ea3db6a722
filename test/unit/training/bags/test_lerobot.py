"""Bags as a LeRobotDataset and back: exact rows, statistics, rejections, and lerobot's reading."""

import json
import math

import numpy as np
import pytest
from toy_bags import HEIGHT, MS, WIDTH, command, picture, write_bag

from liquid_control.cli.main import main
from liquid_control.command.motors import MotorScaling
from liquid_control.config import CameraSettings
from liquid_control.errors import BagError, ConfigError, OutputError
from liquid_control.perception import CameraView
from liquid_control.training.bags.job import BagJob, piece_path, read_summary
from liquid_control.training.bags.lerobot_format import CAMERA, INFO, STATS, TASKS, Statistics
from liquid_control.training.bags.lerobot_writer import convert_to_lerobot, rows_at_rate
from liquid_control.training.bags.sources import bag_data, load_data
from liquid_control.training.dataset import read_flight
from liquid_control.training.training_settings import BagLabel, BagSettings

parquet = pytest.importorskip("pyarrow.parquet", reason="the extra lerobot is not installed")

pytestmark = pytest.mark.unit

VIEW = CameraView(WIDTH, HEIGHT, CameraSettings().horizontal_fov_deg)
STEADY = [50 * MS * number for number in range(40)]
LOSSY = [50 * MS * n + (n % 3) * MS for n in range(40) if n not in (7, 8, 20)]
"""Stamps with jitter and three lost frames."""
SMOOTH = [np.full((HEIGHT, WIDTH, 3), 40 + 4 * number, np.uint8) for number in range(40)]
"""Pictures of one grey value, which a lossy video keeps within two levels."""
KEPT = {"min_speed_mps": 0.0, "min_contrast": 0.0, "keep_frozen": True, "min_frames": 2}


def smooth(stamps):
    return [SMOOTH[round(stamp / (50 * MS))] for stamp in stamps]


@pytest.fixture(scope="module")
def bags(tmp_path_factory):
    """Return two bags; the second has jitter and lost frames."""
    folder = tmp_path_factory.mktemp("bags")
    trail = {"flight": {"scenario": "trail", "seed": "7"}}
    odometry = {"speeds": [(stamp, 1.0 + stamp * 1e-9) for stamp in STEADY]}
    return [
        write_bag(folder / "a.mcap", STEADY, SMOOTH, metadata=trail, **odometry),
        write_bag(folder / "b.mcap", LOSSY, smooth(LOSSY), **odometry),
    ]


@pytest.fixture(scope="module")
def dataset(bags, tmp_path_factory):
    made = convert_to_lerobot(bag_data(bags)[0], tmp_path_factory.mktemp("lerobot") / "flights")
    assert (made.episodes, made.rows, made.repeated, dict(+made.drops)) == (2, 80, 3, {})
    return made.path


def pieces(path, folder, **settings):
    """Read a bag or dataset as training does; return its summaries and flights."""
    summaries, flights = [], []
    for number, source in enumerate(bag_data([path])[0].sources):
        home = folder / f"{number}.json"
        options = BagSettings(**{**KEPT, **settings})
        BagJob(source, bag_data([path])[0], options, VIEW, MotorScaling(), home).run()
        summaries.append(read_summary(home))
        count = range(len(summaries[-1].pieces))
        flights += [read_flight(piece_path(home, index))[0] for index in count]
    return summaries, flights


def test_rows_have_the_rate_and_hold_commands_states_and_recorded_stamps(dataset):
    rows = parquet.read_table(dataset / "data/chunk-000/file-000.parquet").to_pydict()
    assert rows["index"] == list(range(80))
    assert rows["frame_index"] == [*range(40), *range(40)]
    assert rows["episode_index"] == [0] * 40 + [1] * 40
    assert rows["task_index"] == [0] * 40 + [1] * 40
    times = (np.arange(40) / 20).astype(np.float32)
    np.testing.assert_array_equal(np.float32(rows["timestamp"]), [*times, *times])
    held = [number - (number in (7, 20)) - 2 * (number == 8) for number in range(40)]
    recorded = {round(stamp / (50 * MS)): stamp for stamp in LOSSY}
    assert rows["stamp_ns"] == STEADY + [recorded[number] for number in held]
    order = [LOSSY.index(recorded[number]) for number in held]
    expected = [command(number).values for number in [*range(40), *order]]
    np.testing.assert_array_equal(np.float32(rows["action"]), np.float32(expected))
    state = np.float32(rows["observation.state"])
    np.testing.assert_array_equal(state[:40, 1], np.float32(1.0 + np.array(STEADY) * 1e-9))
    np.testing.assert_array_equal(state[:, 3], np.float32(0.5))
    np.testing.assert_allclose(state[:40, 4], np.array(STEADY) * 1e-9 / 2.0, rtol=1e-6)


def test_metadata_states_rate_features_tasks_and_origin(dataset, bags):
    info = json.loads((dataset / INFO).read_text())
    assert (info["codebase_version"], info["fps"]) == ("v3.0", 20)
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (2, 80, 2)
    assert info["features"]["action"]["names"][0] == "forward_mps"
    assert info["features"][CAMERA]["shape"] == [HEIGHT, WIDTH, 3]
    tasks = parquet.read_table(dataset / TASKS)
    assert tasks["task"].to_pylist() == ["Fly the scenario trail.", "Fly as recorded."]
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]
    episodes = parquet.read_table(dataset / "meta/episodes/chunk-000/file-000.parquet")
    assert episodes["length"].to_pylist() == [40, 40]
    assert episodes["dataset_from_index"].to_pylist() == [0, 40]
    assert episodes[f"videos/{CAMERA}/from_timestamp"].to_pylist() == [0.0, 2.0]
    origin = json.loads((dataset / "meta/origin.json").read_text())
    assert origin["label"] == "policy_command"
    sources = [source["sha256"] for source in origin["sources"]]
    assert sources == [source.sha256 for source in bag_data(bags)[0].sources]


def test_statistics_are_those_of_numpy(dataset):
    stored = json.loads((dataset / STATS).read_text())
    rows = parquet.read_table(dataset / "data/chunk-000/file-000.parquet").to_pydict()
    values = {key: np.array(rows[key], np.float64).reshape(80, -1) for key in rows}
    assert set(stored) == {*values, CAMERA}
    for key, columns in values.items():
        assert stored[key]["count"] == [80]
        for name, reduce in {"min": np.min, "max": np.max, "mean": np.mean, "std": np.std}.items():
            np.testing.assert_allclose(stored[key][name], reduce(columns, axis=0), rtol=1e-12)
        np.testing.assert_allclose(stored[key]["q90"], np.quantile(columns, 0.9, axis=0))
    # Three rows of the second episode repeat the picture before them.
    levels = np.array([*range(40), *range(7), 6, 6, *range(9, 20), 19, *range(21, 40)])
    shown = (40.0 + 4.0 * levels) / 255.0
    picture_stats = {name: np.array(value) for name, value in stored[CAMERA].items()}
    assert picture_stats["mean"].shape == (3, 1, 1)
    np.testing.assert_allclose(picture_stats["mean"][:, 0, 0], shown.mean(), rtol=1e-12)
    np.testing.assert_allclose(picture_stats["std"][:, 0, 0], shown.std(), rtol=1e-12)
    exact = np.quantile(shown, 0.1, method="inverted_cdf")
    np.testing.assert_allclose(picture_stats["q10"][:, 0, 0], exact, rtol=1e-12)


def test_picture_statistics_of_noise_are_those_of_numpy():
    images = np.random.default_rng(5).integers(0, 200, (4, 6, 8, 3), np.uint8)
    histogram = np.stack([np.bincount(images[..., c].ravel(), minlength=256) for c in range(3)])
    values = Statistics.of_pictures(histogram, 4).values
    pixels = images.reshape(-1, 3) / 255.0
    np.testing.assert_allclose(values["std"].ravel(), pixels.std(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(values["min"].ravel(), pixels.min(axis=0))
    np.testing.assert_array_equal(values["max"].ravel(), pixels.max(axis=0))
    exact = np.quantile(pixels, 0.5, axis=0, method="inverted_cdf")
    np.testing.assert_array_equal(values["q50"].ravel(), exact)


def test_training_reads_the_same_flights_from_dataset_and_bags(dataset, bags, tmp_path):
    summaries, back = pieces(dataset, tmp_path / "dataset")
    assert [summary.error for summary in summaries] == ["", ""]
    assert summaries[0].recorder["flight"]["scenario"] == "trail"
    direct = [flight for n, bag in enumerate(bags) for flight in pieces(bag, tmp_path / f"{n}")[1]]
    assert len(back) == len(direct) == 2
    for ours, recorded in zip(back, direct, strict=True):
        np.testing.assert_array_equal(ours.stamps_ns, recorded.stamps_ns)
        np.testing.assert_array_equal(ours.labels, recorded.labels)
        np.testing.assert_allclose(ours.imu, recorded.imu, atol=1e-7)
        difference = ours.images.astype(int) - recorded.images
        assert np.abs(difference).max() <= 2


def test_a_run_learns_from_a_dataset_and_its_card_lists_the_episodes(dataset, tmp_path):
    pytest.importorskip("torch", reason="the extra train is not installed")
    from toy_run import begin, toy_settings

    settings = toy_settings(
        bags=KEPT,
        flights={"cloning": 0, "dagger": 0, "rounds": 0},
        learner={"cloning_steps": 2, "windows": 2, "window_steps": 8, "held_out": 2},
        validation={"flights": 0, "final_flights": 0},
    )
    data, _ = bag_data([dataset])
    begin(tmp_path / "run", settings, resume=False, data=data).run()
    data.save(tmp_path)
    assert load_data(tmp_path) == data
    card = (tmp_path / "run" / "toy" / "README.md").read_text()
    assert "77 frames, 0.1 min, of 2 bags" in card
    assert "| flights episode 0 | unknown | trail, seed 7 | 40 | 0 |" in card


def test_the_measured_velocity_is_a_label_and_another_command_is_refused(dataset, tmp_path):
    summaries, (first, _) = pieces(dataset, tmp_path / "a", label=BagLabel.ODOMETRY)
    assert summaries[0].error == ""
    np.testing.assert_array_equal(first.labels[:, 1], np.float32(1.0 + np.array(STEADY) * 1e-9))
    summaries, _ = pieces(dataset, tmp_path / "b", label=BagLabel.COMMAND)
    assert "bags.label is command, the dataset's action is policy_command" in summaries[0].error


def test_a_lower_rate_keeps_the_nearest_frames(bags, tmp_path):
    made = convert_to_lerobot(bag_data(bags[:1])[0], tmp_path / "slow", fps=10, task="Go.")
    rows = parquet.read_table(made.path / "data/chunk-000/file-000.parquet").to_pydict()
    # The last frame is as near to the period after it.
    assert rows["stamp_ns"] == [*STEADY[::2], STEADY[-1]]
    assert {drop.value: count for drop, count in made.drops.items() if count} == {
        "between two periods": 19
    }
    assert parquet.read_table(made.path / TASKS)["task"].to_pylist() == ["Go."]


@pytest.mark.parametrize(
    ("stamps", "rows"),
    [
        ([0, 50, 100], [0, 1, 2]),
        ([0, 50, 200], [0, 1, 1, 1, 2]),
        ([0, 48, 53, 101], [0, 1, 3]),
        ([0, 47, 52, 101], [0, 2, 3]),
        ([3, 53], [0, 1]),
    ],
)
def test_rows_at_a_rate(stamps, rows):
    assert rows_at_rate(np.array(stamps) * MS, 20).tolist() == rows


def test_a_gap_of_more_than_a_second_begins_another_episode(tmp_path):
    stamps = [*STEADY, *(stamp + 4000 * MS for stamp in STEADY)]
    bag = write_bag(tmp_path / "a.mcap", stamps)
    made = convert_to_lerobot(bag_data([bag])[0], tmp_path / "out")
    assert (made.episodes, made.rows, made.repeated) == (2, 80, 0)


def test_frames_without_a_measured_state_are_left_out(tmp_path):
    speeds = [(stamp, 1.0) for stamp in STEADY[:15]]
    bag = write_bag(tmp_path / "a.mcap", STEADY, speeds=speeds)
    made = convert_to_lerobot(bag_data([bag])[0], tmp_path / "out")
    # A state holds for 0.5 s: the last one is of 0.7 s.
    assert made.rows == 25
    assert sum(made.drops.values()) == 15


def test_pictures_of_an_odd_size_keep_their_size(tmp_path):
    images = [np.full((17, 31, 3), 90, np.uint8)] * 40
    bag = write_bag(tmp_path / "a.mcap", STEADY, images)
    made = convert_to_lerobot(bag_data([bag])[0], tmp_path / "out")
    info = json.loads((made.path / INFO).read_text())
    assert info["features"][CAMERA]["shape"] == [17, 31, 3]
    assert info["features"][CAMERA]["info"]["video.pix_fmt"] == "yuv444p"


def test_what_cannot_be_converted_is_refused_and_nothing_is_left(bags, tmp_path):
    data, _ = bag_data(bags[:1])
    with pytest.raises(ConfigError, match="--fps: expected a whole number from 1 to 240, got 0"):
        convert_to_lerobot(data, tmp_path / "out", fps=0)
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="taken: exists already"):
        convert_to_lerobot(data, tmp_path / "taken")
    with pytest.raises(BagError, match=r"bags\.label is command, which the bag lacks"):
        convert_to_lerobot(data, tmp_path / "out", label=BagLabel.COMMAND)
    larger = [np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8)] * 2
    other = write_bag(tmp_path / "b.mcap", STEADY[:2], larger)
    with pytest.raises(BagError, match=r"of one size, got 32x18 in a\.mcap and 64x36 in b\.mcap"):
        convert_to_lerobot(bag_data([bags[0], other])[0], tmp_path / "out")
    growing = write_bag(tmp_path / "c.mcap", STEADY[:3], [picture(0), *larger])
    with pytest.raises(BagError, match="expected pictures of 32x18, got 64x36"):
        convert_to_lerobot(bag_data([growing])[0], tmp_path / "out")
    single = write_bag(tmp_path / "d.mcap", STEADY[:1])
    with pytest.raises(BagError, match="expected frames of several times, got 1"):
        convert_to_lerobot(bag_data([single])[0], tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"taken", "b.mcap", "c.mcap", "d.mcap"}


def test_the_command_converts_and_reports(bags, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["bag", "convert", *map(str, bags), "--to", "lerobot", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "80 rows of 2 episodes at 20 Hz" in printed
    assert "3 rows repeat the frame before" in printed
    words = ["bag", "convert", str(bags[0]), str(tmp_path / "b")]
    for option, value, message in (
        ("--to", "rlds", "--to: expected lerobot, got 'rlds'"),
        ("--label", "joints", "--label: expected one of policy_command, command, odometry"),
    ):
        assert main([*words, option, value]) == 2
        assert message in capsys.readouterr().err
    assert main(["bag", "convert", str(out), str(tmp_path / "b")]) == 2
    assert "is a LeRobotDataset already" in capsys.readouterr().err


def change_info(root, **changes):
    content = json.loads((root / INFO).read_text())
    (root / INFO).write_text(json.dumps({**content, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codebase_version": "v2.1"}, "expected a LeRobotDataset of version v3.0, got v2.1"),
        ({"total_episodes": 0}, "expected a LeRobotDataset with episodes, got 0"),
        ({"features": []}, "is not that of a LeRobotDataset"),
    ],
)
def test_a_dataset_of_another_form_is_refused_before_the_run(bags, tmp_path, changes, message):
    made = convert_to_lerobot(bag_data(bags[:1])[0], tmp_path / "out")
    change_info(made.path, **changes)
    with pytest.raises(BagError, match=message):
        bag_data([made.path])


def test_damaged_and_foreign_datasets_have_one_line(bags, tmp_path):
    made = convert_to_lerobot(bag_data(bags[:1])[0], tmp_path / "out")
    features = json.loads((made.path / INFO).read_text())["features"]
    joints = {"action": {"dtype": "float32", "shape": [2], "names": ["shoulder", "elbow"]}}
    change_info(made.path, features=features | joints)
    with pytest.raises(BagError, match=r"feature action .*, got shoulder, elbow"):
        bag_data([made.path])
    change_info(made.path, features={key: features[key] for key in ("action", "timestamp")})
    with pytest.raises(BagError, match="expected one video"):
        bag_data([made.path])
    change_info(made.path, features=features)
    video = made.path / f"videos/{CAMERA}/chunk-000/file-000.mp4"
    video.write_bytes(video.read_bytes()[:200])
    assert "file-000.mp4: cannot be read" in pieces(made.path, tmp_path / "3")[0][0].error
    (made.path / "data/chunk-000/file-000.parquet").write_bytes(b"PAR1")
    assert "file-000.parquet: cannot be read" in pieces(made.path, tmp_path / "4")[0][0].error


def test_a_dataset_without_our_origin_has_the_times_of_its_rows(bags, tmp_path):
    made = convert_to_lerobot(bag_data(bags[:1])[0], tmp_path / "out")
    features = json.loads((made.path / INFO).read_text())["features"]
    del features["stamp_ns"]
    change_info(made.path, features=features)
    (made.path / "meta/origin.json").unlink()
    summaries, (flight,) = pieces(made.path, tmp_path / "run")
    assert summaries[0].error == ""
    assert flight.stamps_ns.tolist() == STEADY


@pytest.mark.slow
def test_lerobot_loads_rows_pictures_and_tasks(dataset, monkeypatch):
    """Needs `lerobot`, which is no requirement of the tests: it pins versions of its own."""
    pytest.importorskip("lerobot", reason="lerobot is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    try:
        from lerobot.datasets.lerobot_dataset import LeRobotDataset
    except (ImportError, RuntimeError) as error:  # a torchvision of another torch
        pytest.skip(f"lerobot cannot be imported: {error}")
    loaded = LeRobotDataset("local/flights", root=dataset, video_backend="pyav")
    assert (len(loaded), loaded.num_episodes, loaded.fps) == (80, 2, 20)
    for number in (0, 5, 39, 40, 79):
        row = loaded[number]
        assert row["index"].item() == number
        assert math.isclose(row["timestamp"].item(), number % 40 / 20, abs_tol=1e-6)
        assert row["action"].shape == (4,)
        assert row["task"] == ("Fly the scenario trail." if number < 40 else "Fly as recorded.")
        grey = 40 + 4 * (number % 40)
        assert row[CAMERA].shape == (3, HEIGHT, WIDTH)
        assert abs(row[CAMERA].numpy() * 255.0 - grey).max() <= 2.5
    np.testing.assert_array_equal(loaded[5]["action"].numpy(), np.float32(command(5).values))
    assert loaded.meta.stats["action"]["mean"].shape == (4,)
    ahead = LeRobotDataset(
        "local/flights",
        root=dataset,
        video_backend="pyav",
        delta_timestamps={"action": [0.0, 0.05, 0.1]},
    )
    assert ahead[39]["action_is_pad"].tolist() == [False, True, True]

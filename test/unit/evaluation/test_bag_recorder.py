"""Bags of in-process flights: messages, stamps and metadata."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore
from toy_evaluation import PERIOD_NS, ToyPilot, toy_fly

from liquid_control.errors import ConfigError, OutputError
from liquid_control.evaluation import CampaignEntry, plan_flights, run_flights
from liquid_control.evaluation.bag_recorder import (
    CODECS,
    RecordingOptions,
    fly_and_record,
    picture_message,
)
from liquid_control.types import Command

pytestmark = pytest.mark.unit

TICKS_NS = [0, PERIOD_NS, 2 * PERIOD_NS]
FRAMES_NS = TICKS_NS[::2]
SAMPLES_NS = [0, PERIOD_NS // 2, PERIOD_NS, 3 * PERIOD_NS // 2, 2 * PERIOD_NS]


class Demonstrating(ToyPilot):
    """Flies one command and shows another."""

    shown = Command(1.0, 2.0, 3.0, 4.0)

    def command(self, observation, truth):
        return Command(0.5, 0.0, 0.0, 0.0)


def job(seeds="0", entry="calm", model="hover"):
    return plan_flights([CampaignEntry(name=entry, seeds=seeds, set={"light.gain": 0.5})], [model])


def messages(path: Path) -> dict[str, list]:
    """Return decoded messages by topic, in the order of the file."""
    found: dict[str, list] = {}
    with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
        for connection, log_ns, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            found.setdefault(connection.topic, []).append((log_ns, message))
    return found


def stamp(message) -> int:
    time = message.clock if hasattr(message, "clock") else message.header.stamp
    return time.sec * 10**9 + time.nanosec


def test_each_tick_frame_and_sample_has_one_message_with_its_own_stamp(tmp_path):
    path = tmp_path / "bags" / "a.mcap"
    (planned,) = job()
    fly_and_record(toy_fly, planned, ToyPilot(), path)
    found = messages(path)
    stamps = {topic: [stamp(message) for _, message in rows] for topic, rows in found.items()}
    assert stamps == {
        "/imu/data": SAMPLES_NS,
        "/odom": TICKS_NS,
        "/camera/camera_info": FRAMES_NS,
        "/camera/image_raw": FRAMES_NS,
        "/policy/cmd_vel": FRAMES_NS,
        "/cmd_vel": TICKS_NS,
        "/guard/actions": TICKS_NS[:1],
        "/clock": TICKS_NS,
    }
    for rows in found.values():
        assert all(log_ns == stamp(message) for log_ns, message in rows)
    pictures = [message.data.reshape(54, 96, 3) for _, message in found["/camera/image_raw"]]
    assert [np.unique(picture).tolist() for picture in pictures] == [[0], [2]]
    last = found["/imu/data"][-1][1]
    assert (last.angular_velocity.x, last.linear_acceleration.z) == (0.05, 8.81)


def test_the_same_flight_makes_the_same_bytes(tmp_path):
    (planned,) = job()
    paths = [tmp_path / name for name in ("a.mcap", "b.mcap")]
    for path in paths:
        fly_and_record(toy_fly, planned, ToyPilot(), path, "png")
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_demonstrator_shows_one_command_and_flies_another(tmp_path):
    (planned,) = job()
    fly_and_record(toy_fly, planned, Demonstrating(), tmp_path / "a.mcap")
    found = messages(tmp_path / "a.mcap")
    shown = found["/policy/cmd_vel"][0][1].twist
    flown = found["/cmd_vel"][0][1].twist
    assert (shown.linear.x, shown.linear.y, shown.linear.z, shown.angular.z) == (1, 2, 3, 4)
    assert (flown.linear.x, flown.angular.z) == (0.5, 0.0)


def test_metadata_holds_flight_pilot_and_result(tmp_path):
    (planned,) = job(seeds="7")
    record = fly_and_record(toy_fly, planned, ToyPilot(), tmp_path / "a.mcap")
    with (tmp_path / "a.mcap").open("rb") as stream:
        metadata = {record.name: record.metadata for record in make_reader(stream).iter_metadata()}
    assert (metadata["flight"]["scenario"], metadata["flight"]["seed"]) == ("trail", "7")
    assert json.loads(metadata["flight"]["overrides"]) == {"light.gain": 0.5}
    assert json.loads(metadata["flight"]["settings"])["light"]["gain"] == 0.5
    assert metadata["model"] == {"name": "hover"}
    assert metadata["liquid_control"]["mode"] == "lockstep"
    assert metadata["result"]["reason"] == record.result.reason
    assert json.loads(metadata["result"]["success"]) is record.result.success


@pytest.mark.parametrize("codec", ["png", "jpeg"])
def test_compressed_pictures_name_their_layout_and_decode_to_rgb(codec):
    rows = np.linspace(0, 255, 54).astype(np.uint8)[:, None]
    image = np.stack([rows + np.zeros(96, np.uint8)] * 3, axis=2)
    image[..., 2] //= 4
    topic, cdr = picture_message(image, codec, 5)
    assert topic == "camera/image_raw/compressed"
    store = get_typestore(Stores.ROS2_JAZZY)
    message = store.deserialize_cdr(cdr, "sensor_msgs/msg/CompressedImage")
    assert message.format == f"rgb8; {codec} compressed bgr8"
    decoded = cv2.imdecode(message.data, cv2.IMREAD_COLOR)[..., ::-1]
    worst = np.abs(decoded.astype(int) - image).max()
    assert worst == 0 if codec == "png" else 0 < worst < 16
    assert len(message.data) < image.size


def test_codecs_are_those_of_the_command_line():
    from liquid_control.cli.evaluate import ImageCodec

    assert [choice.value for choice in ImageCodec] == list(CODECS)


def flown(tmp_path, failures_only):
    jobs = job(seeds="0:6")
    recording = RecordingOptions(tmp_path, failures_only)
    rows = run_flights(jobs, toy_fly, {"hover": ToyPilot}, 1, recording=recording)
    return rows, sorted(path.name for path in (tmp_path / "bags").iterdir())


def test_all_flights_have_a_bag_that_their_row_names(tmp_path):
    rows, bags = flown(tmp_path, failures_only=False)
    assert [row.bag for row in rows] == [f"bags/calm-hover-{seed}.mcap" for seed in range(6)]
    assert bags == [f"calm-hover-{seed}.mcap" for seed in range(6)]


def test_with_failures_only_failed_flights_have_a_bag(tmp_path):
    rows, bags = flown(tmp_path, failures_only=True)
    failed = [row.seed for row in rows if not row.success]
    assert 0 < len(failed) < 6
    assert bags == [f"calm-hover-{seed}.mcap" for seed in failed]
    assert [row.bag is None for row in rows] == [row.success for row in rows]


def test_a_bag_that_exists_is_not_overwritten_and_nothing_is_flown(tmp_path):
    recording = RecordingOptions(tmp_path)
    (planned,) = job()
    recording.path(planned).parent.mkdir()
    recording.path(planned).write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"calm-hover-0\.mcap: exists already"):
        run_flights([planned], toy_fly, {}, recording=recording)
    assert recording.path(planned).read_bytes() == b"precious"


def test_two_entries_that_would_share_a_bag_are_refused(tmp_path):
    jobs = [*job(entry="fog: 3"), *job(entry="fog 3")]
    with pytest.raises(ConfigError, match=r"'fog: 3' and 'fog 3' would both write bags/fog-3-hov"):
        run_flights(jobs, toy_fly, {}, recording=RecordingOptions(tmp_path))


def test_entries_that_randomise_draw_keys_by_seed_and_set_keys_win():
    spread = {"light.gain": {"low": 0.5, "high": 1.5}, "forest.trees": {"low": 10, "high": 20}}
    entry = CampaignEntry(name="a", seeds="5,6", randomise=spread, set={"forest.trees": 33})
    five, six = plan_flights([entry], ["hover"])
    assert five.overrides["light.gain"] != six.overrides["light.gain"]
    assert five.scenario.light.gain == five.overrides["light.gain"]
    assert (five.scenario.forest.trees, six.scenario.forest.trees) == (33, 33)
    assert plan_flights([entry], ["hover"])[1] == six

"""The table of Foxglove and PlotJuggler in docs/other_tools.md against a recorded bag."""

import re
from functools import reduce
from pathlib import Path

import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
BAG = ROOT / "test" / "golden" / "flight.mcap"
ROW = re.compile(r"^\| [^|]+ \| `(/[^`]+)` \| (?:`(/[^`]+)`|–) \|", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "other_tools.md").read_text("utf-8"))


@pytest.fixture(scope="module")
def messages():
    """Return the second message of each topic: the first neurons are those of a fresh state."""
    found = {}
    with BAG.open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        for schema, channel, _, message in reader.iter_decoded_messages():
            before = found.get(channel.topic, ("", None, 0))[2]
            if before < 2:
                found[channel.topic] = (schema.name, message, before + 1)
    return {topic: (kind, message) for topic, (kind, message, _) in found.items()}


def member(value, step):
    """Return a field of a message, or an element of it."""
    name, _, index = step.partition("[")
    value = getattr(value, name)
    return value[int(index.rstrip("]"))] if index else value


def test_the_table_is_found():
    assert len(ROWS) >= 15


@pytest.mark.parametrize(("path", "series"), ROWS, ids=[path for path, _ in ROWS])
def test_every_path_is_in_a_recorded_bag(messages, path, series):
    topic, *steps = path.split(".")
    kind, message = messages[topic]
    value = reduce(member, steps, message)
    if not steps:
        assert kind in ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
        assert not series
        return
    assert isinstance(value, float | int)
    if kind == "sensor_msgs/msg/JointState":
        field, index = re.fullmatch(r"(\w+)\[(\d+)\]", steps[-1]).groups()
        assert series == f"{topic}/{message.name[int(index)]}/{field}"
    else:
        assert series == "/".join([topic, *steps])


def test_the_units_of_the_table_hold_for_neurons_features_and_force(messages):
    _, neurons = messages["/policy/neurons"]
    assert len(neurons.name) == len(neurons.position) == len(neurons.velocity) == 19
    assert all(-1.0 <= value <= 1.0 for value in neurons.position)
    assert all(0.0 <= value <= 1.0 for value in neurons.velocity)
    _, features = messages["/perception/features"]
    assert (features.height, features.encoding) == (1, "32FC1")
    _, imu = messages["/imu/data"]
    assert imu.header.frame_id == "base_link"
    assert imu.linear_acceleration.z == pytest.approx(9.81, abs=2.0)
    _, odometry = messages["/odom"]
    assert (odometry.header.frame_id, odometry.child_frame_id) == ("map", "base_link")

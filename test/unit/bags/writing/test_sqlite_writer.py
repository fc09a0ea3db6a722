"""Writing of rosbag2 folders with an SQLite database."""

from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader

from liquid_control.bags import Losses, open_bag
from liquid_control.bags.writing import SqliteBagWriter, open_sink
from liquid_control.bags.writing.messages import command_cdr
from liquid_control.errors import OutputError
from liquid_control.message_types import TWIST_STAMPED
from liquid_control.types import Command

pytestmark = pytest.mark.unit

TOPICS = {"cmd_vel": TWIST_STAMPED}
STEP_NS = 50_000_000


def command(number: int) -> bytes:
    return command_cdr(Command(float(number), 0.0, 0.0, 0.0), number * STEP_NS)


def numbers(path: Path) -> list[int]:
    """Return the forward velocity, the number of the message, of every /cmd_vel of a bag."""
    bag = open_bag(path)
    messages = map(bag.decode, bag.messages({"/cmd_vel"}, Losses()))
    return [int(message.twist.linear.x) for message in messages]


def test_name_without_suffix_writes_a_rosbag2_folder(tmp_path):
    path = tmp_path / "flight"
    bag = open_sink(path, TOPICS, compression="zstd")
    assert isinstance(bag, SqliteBagWriter)
    bag.add_metadata("model", {"name": "trail"})
    for number in range(20):
        bag.write("cmd_vel", command(number), number * STEP_NS)
    bag.close()
    bag.close()
    assert sorted(found.name for found in path.iterdir()) == ["flight.db3", "metadata.yaml"]
    assert [found.name for found in tmp_path.iterdir()] == ["flight"]
    with AnyReader([path]) as reader:
        assert reader.message_count == 20
    assert numbers(path) == list(range(20))
    assert open_bag(path).metadata["custom_data"] == {"model/name": "trail"}
    with pytest.raises(OutputError, match="exists already"):
        open_sink(path, TOPICS)


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%20b"])
def test_path_that_sqlite_would_misread_is_rejected(tmp_path, name):
    with pytest.raises(OutputError, match=r"where the path has \?, # or %"):
        open_sink(tmp_path / name, TOPICS)
    assert list(tmp_path.iterdir()) == []
    with open_sink(tmp_path / f"{name}.mcap", TOPICS) as bag:
        bag.write("cmd_vel", command(1), 1)
    assert numbers(tmp_path / f"{name}.mcap") == [1]

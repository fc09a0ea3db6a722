"""Type definitions of a bag take precedence; an invalid definition is counted as a loss."""

import struct

import pytest
from bag_files import IMU, START_NS, Written, message, read, write_mcap

from liquid_control.bags import Loss, Losses, open_bag
from liquid_control.errors import BagError

pytestmark = pytest.mark.unit
CDR = b"\x00\x01\x00\x00"
OWN = "/my_msgs/msg/Own"


def bag_with(tmp_path, topic, text, data=CDR + b"\x07", encoding="ros2msg"):
    found = [Written(topic, START_NS, data)]
    return write_mcap(tmp_path / "a.mcap", found, definitions={topic: text}, encoding=encoding)


def decoded(path):
    bag = open_bag(path)
    (raw,) = bag.messages(list(bag.topics), Losses())
    return bag.decode(raw)


def test_type_defined_in_the_bag(tmp_path):
    path = bag_with(tmp_path, OWN, "uint8 a\nmy_msgs/Inner b\n" + "=" * 80 +
                    "\nMSG: my_msgs/Inner\nuint8[2] c\n", CDR + bytes([7, 8, 9]))  # fmt: skip
    found = decoded(path)
    assert found.__msgtype__ == "my_msgs/msg/Own"
    assert (found.a, found.b.c.tolist()) == (7, [8, 9])


def test_type_defined_in_idl(tmp_path):
    text = "module my_msgs { module msg { struct Own { uint8 a; }; }; };"
    path = bag_with(tmp_path, OWN, text, encoding="ros2idl")
    assert decoded(path).a == 7


@pytest.mark.parametrize("value", ["((((1))))", "1 << 99999999999", "- - - - - - 1"])
def test_unbounded_idl_is_counted(tmp_path, value):
    constant = f"const uint32 X = {value};"
    text = f"module my_msgs {{ module msg {{ {constant} struct Own {{ uint8 a; }}; }}; }};"
    messages, losses = read(bag_with(tmp_path, OWN, text, encoding="ros2idl"))
    assert (messages, losses.counts) == ([], {Loss.NO_TYPE: 1})
    assert "it computes constants" in losses.reasons[Loss.NO_TYPE]


def test_idl_comments_and_annotations_are_ignored(tmp_path):
    text = """// generated ((from)) 1 << 2
        module my_msgs { module msg {
        @verbatim (language="comment", text="a ((b)) << \\" (" " c")
        struct Own { @default (value=-1) uint8 a; /* (( */ }; }; };"""
    assert decoded(bag_with(tmp_path, OWN, text, encoding="ros2idl")).a == 7


def test_nested_types_may_come_from_the_distribution(tmp_path):
    path = bag_with(tmp_path, OWN, "builtin_interfaces/Time t\n", CDR + struct.pack("<iI", 3, 4))
    assert (decoded(path).t.sec, decoded(path).t.nanosec) == (3, 4)


def test_definition_in_the_bag_takes_precedence(tmp_path):
    path = bag_with(tmp_path, IMU, "uint8 other\n")
    assert decoded(path).other == 7
    assert not hasattr(decoded(path), "header")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("uint8 = = 3\n", "Could not parse"),
        ("missing_msgs/Thing a\n", "missing_msgs/msg/Thing is not defined"),
        ("my_msgs/Own a\n", "nested deeper than 32"),
        ("string[99999999999] a\n", "an array of 99999999999 elements"),
        ("uint8 a\n" * 50_000, "its text has 400000 characters"),
        ("uint8 a\nuint8 a\n", "cannot be used"),
    ],
)
def test_unusable_definition_is_counted(tmp_path, text, reason):
    path = bag_with(tmp_path, OWN, text)
    messages, losses = read(path)
    assert messages == []
    assert losses.counts == {Loss.NO_TYPE: 1}
    assert reason in losses.reasons[Loss.NO_TYPE]


def test_common_type_is_decoded_despite_an_unusable_definition(tmp_path):
    found = [message(IMU, 3, START_NS)]
    path = write_mcap(tmp_path / "a.mcap", found, definitions={IMU: "this is damaged"})
    assert decoded(path).angular_velocity.x == 3.0


def test_messages_of_an_unknown_type_are_returned_but_not_decoded(tmp_path):
    path = bag_with(tmp_path, OWN, "")
    messages, losses = read(path)
    assert (len(messages), losses.counts) == (1, {})
    with pytest.raises(BagError, match="defined neither in the bag nor in ROS 2 Jazzy"):
        open_bag(path).decode(messages[0])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\x01", b"\x00\x07\x00\x00abcd", CDR, CDR + b"\xff" * 400],
    ids=["empty-message", "short", "other-encoding", "empty", "noise"],
)
def test_invalid_bytes_raise_a_one_line_error(tmp_path, data):
    path = write_mcap(tmp_path / "a.mcap", [Written(IMU, START_NS, data)])
    bag = open_bag(path)
    (raw,) = bag.messages([IMU], Losses())
    with pytest.raises(BagError, match="expected a sensor_msgs/msg/Imu, got") as caught:
        bag.decode(raw)
    assert "\n" not in str(caught.value)

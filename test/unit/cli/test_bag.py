"""Output and exit status of `liquid-control bag info`."""

import json

import numpy as np
import pytest
import typer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from liquid_control.bags.flight_result import recorded_result, result_values
from liquid_control.cli.bag import LARGE_BYTES, bag, reading_progress
from liquid_control.errors import BagError, ConfigError
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit

STORE = get_typestore(Stores.ROS2_JAZZY)
T = STORE.types
START = 1_700_000_000 * 10**9
STEP_NS = 50_000_000


def header(stamp_ns):
    return T["std_msgs/msg/Header"](
        T["builtin_interfaces/msg/Time"](stamp_ns // 10**9, stamp_ns % 10**9), ""
    )


def image(stamp_ns, encoding="rgb8"):
    return T["sensor_msgs/msg/Image"](
        header(stamp_ns), 72, 128, encoding, 0, 384, np.zeros(72 * 384, np.uint8)
    )


def twist(stamp_ns):
    zero = T["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0)
    return T["geometry_msgs/msg/TwistStamped"](
        header(stamp_ns), T["geometry_msgs/msg/Twist"](zero, zero)
    )


def write(path, topics, number=5, metadata=()):
    """Write messages made from their stamps, 50 ms apart on each topic; the fourth is late."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for key, value in metadata:
            writer.set_custom_data(key, value)
        for topic, make in topics.items():
            kind = make(START).__msgtype__
            connection = writer.add_connection(topic, kind, typestore=STORE)
            for index in range(number):
                stamp_ns = START + index * STEP_NS + (index > 2) * STEP_NS
                data = STORE.serialize_cdr(make(stamp_ns), kind)
                writer.write(connection, stamp_ns, data)
    return path


FLIGHT = {"/camera/image_raw": image, "/cmd_vel": twist}


def run(*arguments):
    status = typer.main.get_command(bag).main(
        ["info", *map(str, arguments)], prog_name="bag", standalone_mode=False
    )
    return status or 0


def test_json_document_of_a_flight(tmp_path, capsys):
    marks = [("model/name", "trail_cfc19"), ("parameters/guard_node/period_s", "0.025")]
    path = write(tmp_path / "bag", FLIGHT, metadata=marks)
    assert run(path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert document["duration_s"] == 0.25
    assert document["start_ns"] == START
    assert {entry["name"]: entry for entry in document["topics"]}["/cmd_vel"] == {
        "name": "/cmd_vel",
        "type": "geometry_msgs/msg/TwistStamped",
        "count": 5,
        "size_bytes": 5 * 68,
        "rate_hz": 16.0,
        "longest_gap_s": 0.1,
        "lag_s": 0.0,
        "frame_id": None,
        "encoding": "cdr",
        "defined": True,
    }
    assert document["roles"]["command"] == {
        "topic": "/cmd_vel",
        "manner": "velocity in the heading frame",
        "problem": None,
        "choices": [],
    }
    assert document["roles"]["imu"]["problem"].startswith("no imu (sensor_msgs/Imu or px4_msgs/")
    assert document["pictures"]["frames"] == 5
    assert document["pictures"]["sizes"] == {"128x72": 5}
    assert document["commands"] == {"policy": 0, "guard": 5}
    assert document["metadata"]["model"] == {"name": "trail_cfc19"}
    assert document["metadata"]["parameters/guard_node"] == {"period_s": "0.025"}
    assert document["losses"] == {}
    assert document["replay"] == {"possible": True, "obstacle": None}
    assert document["training"] == {"possible": True, "obstacle": None}


def test_the_result_of_the_flight_is_shown(tmp_path, capsys):
    result = FlightResult(False, "left_trail", 34.25, 1.2, 0.8, 20.5)
    marks = [(f"result/{key}", value) for key, value in result_values(result).items()]
    path = write(tmp_path / "bag", FLIGHT, metadata=marks)
    assert run(path) == 0
    assert "result failed: left trail after 20.50 s and 34.2 m" in capsys.readouterr().out
    assert run(path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["metadata"]["result"]["reason"] == "left_trail"
    assert recorded_result(document["metadata"]["result"]) == result


def test_table_of_a_flight(tmp_path, capsys):
    assert run(write(tmp_path / "bag", FLIGHT)) == 0
    printed = capsys.readouterr().out
    for line in (
        "duration 0.25 s, from 2023-11-14 22:13:20 UTC",
        "pictures 5 of 128x72, not calibrated",
        "replay yes",
        "training yes",
    ):
        assert line in printed
    row = next(line for line in printed.splitlines() if line.strip().startswith("/cmd_vel"))
    assert " ".join(row.split()[1:]) == "geometry_msgs/TwistStamped 5 16.0 Hz 0.100 s 340 B"


def stated(make, frame, ahead_s=0.0):
    """Return messages in a frame, stamped a time ahead of their log times."""

    def made(stamp_ns):
        message = make(stamp_ns + round(ahead_s * 10**9))
        message.header.frame_id = frame
        return message

    return made


def rows_of(printed):
    """Return the words of each row of the table of roles, by role."""
    rows = printed[printed.index("  role ") :].splitlines()
    return {row.split()[0]: " ".join(row.split()[1:]) for row in rows if row.strip()}


def test_frame_of_the_header_is_shown(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run(write(tmp_path / "bag", {**FLIGHT, "/cmd_vel": stated(twist, "odom")})) == 0
    rows = rows_of(capsys.readouterr().out)
    assert rows["command"] == "/cmd_vel velocity in the map frame (header: odom) 0.000 s"
    assert rows["camera"] == "/camera/image_raw sensor_msgs/Image 0.000 s"


def test_lag_is_shown_and_its_flag_can_be_followed(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    path = write(tmp_path / "bag", {**FLIGHT, "/cmd_vel": stated(twist, "base_link", 5.0)})
    assert run(path) == 0
    printed = capsys.readouterr().out
    assert rows_of(printed)["command"].endswith("heading frame (header: base_link) -5.000 s")
    assert "warning /cmd_vel: its times are 5.00 s ahead of those of the camera" in printed
    assert "training no: /cmd_vel: its times are 5.00 s ahead" in printed
    line = next(line for line in printed.splitlines() if "shift=-5.00" in line)
    flag = line.partition("pass --topic ")[2].partition(";")[0]
    run(path, "--topic", flag)
    printed = capsys.readouterr().out
    assert "warning" not in printed
    assert "training yes" in printed
    run(path, "--json")
    document = json.loads(capsys.readouterr().out)
    assert "5.00 s ahead" in document["warnings"][0]
    (topic,) = [topic for topic in document["topics"] if topic["name"] == "/cmd_vel"]
    assert (topic["lag_s"], topic["frame_id"]) == (-5.0, "base_link")


@pytest.mark.parametrize(
    ("topic", "frame"),
    [
        ("/mavros/setpoint_velocity/cmd_vel", "map"),
        ("/uav1/mavros/setpoint_velocity/cmd_vel", "map"),
        ("/stick", "heading"),
    ],
)
def test_every_flag_that_is_offered_has_the_right_frame(tmp_path, capsys, topic, frame):
    path = write(tmp_path / "bag", {"/camera/image_raw": image, topic: twist})
    run(path, "--json")
    roles = json.loads(capsys.readouterr().out)["roles"]
    for role in ("command", "policy_command"):
        offered = roles[role]["problem"].partition("pass ")[2].split(" or ")
        for flag in offered:
            run(path, *flag.split(), "--json")
            found = json.loads(capsys.readouterr().out)["roles"][role]
            assert found["topic"] == topic
            assert found["manner"] == f"velocity in the {frame} frame"


def test_missing_topic_is_reported_with_its_option(tmp_path, capsys):
    path = write(tmp_path / "bag", {"/camera/image_raw": image, "/stick": twist})
    assert run(path) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "no command by name; if it is /stick, pass --topic command=/stick" in printed
    assert "replay yes training no: see above" in printed
    assert run(path, "--topic", "command=/stick") == 0
    assert "training yes" in capsys.readouterr().out


def test_ambiguous_camera_is_reported_with_both_names_and_the_option(tmp_path, capsys):
    path = write(tmp_path / "bag", {"/left/image_raw": image, "/right/image_raw": image})
    with pytest.raises(
        BagError, match=r"cannot be replayed: two .* --topic camera=/left/image_raw"
    ):
        run(path)
    assert "replay no: see above" in capsys.readouterr().out
    assert run(path, "--topic", "camera=/right/image_raw") == 0


def test_bag_without_usable_pictures_cannot_be_replayed(tmp_path, capsys):
    path = write(tmp_path / "bag", {"/camera/image_raw": lambda ns: image(ns, "32SC4")})
    with pytest.raises(BagError, match="no picture of /camera/image_raw can be used"):
        run(path, "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["losses"]["bad_picture"]["count"] == 5
    assert "got '32SC4'" in document["losses"]["bad_picture"]["first"]


def test_topic_presets_are_selected_by_option(tmp_path, capsys):
    path = write(tmp_path / "bag", {"/image_raw": image, "/right/image_raw": image})
    assert run(path, "--topics", "usb_cam", "--json") == 0
    assert json.loads(capsys.readouterr().out)["roles"]["camera"]["topic"] == "/image_raw"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--topic", "camera"], "--topic expects role=/name, got 'camera'"),
        (["--topic", "camera="], "--topic expects role=/name"),
        (["--topic", "imu=/a", "--topic", "imu=/b"], "--topic imu was given twice: /a and /b"),
        (["--topics", "ardupilot"], "one of: liquid_control, mavros"),
    ],
)
def test_invalid_options_are_reported_in_one_line(tmp_path, words, message):
    with pytest.raises(ConfigError, match=message):
        run(write(tmp_path / "bag", FLIGHT), *words)


def test_missing_bag_is_reported_in_one_line(tmp_path):
    with pytest.raises(BagError, match=r"none\.mcap: expected a bag"):
        run(tmp_path / "none.mcap")


def test_progress_is_shown_for_large_bags_only(capsys):
    with reading_progress(LARGE_BYTES - 1) as bar:
        bar.advance(steps=LARGE_BYTES)
    assert capsys.readouterr().err == ""
    with reading_progress(100 << 20) as bar:
        for _ in range(4):
            bar.advance(steps=25 << 20)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"reading: {mib} of 100 MiB" for mib in (25, 50, 75, 100)]

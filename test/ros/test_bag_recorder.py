"""A bag written in process has the same messages as the graph's recorder writes."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from liquid_control.config import parse_settings
from liquid_control.evaluation import CampaignEntry, plan_flights
from liquid_control.evaluation.bag_recorder import fly_and_record
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control_sim.flight import fly

from .conftest import HARD, SEED

pytestmark = pytest.mark.ros

COMPARED = {
    "/camera/image_raw",
    "/camera/camera_info",
    "/imu/data",
    "/odom",
    "/perception/features",
    "/policy/cmd_vel",
    "/policy/neurons",
    "/cmd_vel",
    "/guard/actions",
    "/clock",
}


def test_messages_equal_those_of_the_graph_topic_by_topic_and_stamp_by_stamp(
    model, flown, tmp_path
):
    entry = CampaignEntry(name="trail", seeds=str(SEED), set=parse_settings(HARD))
    (job,) = plan_flights([entry], ["random"])
    fly_and_record(fly, job, PolicyPilot(Policy(load_model(model))), tmp_path / "process.mcap")
    process, graph = messages(tmp_path / "process.mcap"), messages(flown("hard").flight.bag)
    assert set(process) == COMPARED
    for topic in sorted(COMPARED):
        assert [row[:2] for row in process[topic]] == [row[:2] for row in graph[topic]], topic
        for one, other in zip(process[topic], graph[topic], strict=True):
            assert plain(one[2]) == plain(other[2]), (topic, one[0])
    assert len(process["/imu/data"]) > 700
    assert len(process["/camera/image_raw"]) < len(process["/clock"])


def messages(path: Path) -> dict[str, list[tuple[int, int, object]]]:
    """Return (own stamp, log time, message) by topic, in the order of the stamps."""
    found: dict[str, list] = {}
    with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
        for connection, log_ns, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            time = message.clock if connection.topic == "/clock" else message.header.stamp
            row = (time.sec * 10**9 + time.nanosec, log_ns, message)
            found.setdefault(connection.topic, []).append(row)
    return {topic: sorted(rows, key=lambda row: row[0]) for topic, rows in found.items()}


def plain(message: object) -> object:
    """Return a message as plain values that can be compared."""
    if is_dataclass(message):
        return {field.name: plain(getattr(message, field.name)) for field in fields(message)}
    return message.tolist() if isinstance(message, np.ndarray) else message

"""A bag written in process holds what the graph's recorder writes of the same flight."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from liquid_control.config import parse_settings
from liquid_control.evaluation import CampaignEntry, plan_flights
from liquid_control.evaluation.bag_recorder import fly_and_record
from liquid_control.graph.flight_graph import fly_through_graph
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control_sim.flight import fly

pytestmark = pytest.mark.ros

SEED = 3
HARD = ["time_limit_s=3", "camera.rate_hz=30", "camera.drop_rate=0.3", "wind.mean_mps=4"]
COMPARED = {
    "/camera/image_raw",
    "/camera/camera_info",
    "/imu/data",
    "/odom",
    "/perception/features",
    "/policy/cmd_vel",
    "/policy/neurons",
    "/cmd_vel",
    "/clock",
}


def test_messages_equal_those_of_the_graph_topic_by_topic_and_stamp_by_stamp(model, tmp_path):
    outcome = fly_through_graph("trail", SEED, HARD, model, tmp_path / "graph")
    entry = CampaignEntry(name="trail", seeds=str(SEED), set=parse_settings(HARD))
    (job,) = plan_flights([entry], ["random"])
    fly_and_record(fly, job, PolicyPilot(Policy(load_model(model))), tmp_path / "here.mcap")
    here, there = messages(tmp_path / "here.mcap"), messages(outcome["bag"])
    assert set(here) == COMPARED
    for topic in sorted(COMPARED):
        assert [row[:2] for row in here[topic]] == [row[:2] for row in there[topic]], topic
        for ours, theirs in zip(here[topic], there[topic], strict=True):
            assert plain(ours[2]) == plain(theirs[2]), (topic, ours[0])
    assert len(here["/imu/data"]) > 700
    assert len(here["/camera/image_raw"]) < len(here["/clock"])


def messages(path: Path) -> dict[str, list[tuple[int, int, object]]]:
    """Return (own stamp, filing stamp, message) by topic, in the order of the stamps."""
    found: dict[str, list] = {}
    with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
        for connection, filed_ns, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            time = message.clock if connection.topic == "/clock" else message.header.stamp
            row = (time.sec * 10**9 + time.nanosec, filed_ns, message)
            found.setdefault(connection.topic, []).append(row)
    return {topic: sorted(rows, key=lambda row: row[0]) for topic, rows in found.items()}


def plain(message: object) -> object:
    """Return a message as plain values, which compare."""
    if is_dataclass(message):
        return {field.name: plain(getattr(message, field.name)) for field in fields(message)}
    return message.tolist() if isinstance(message, np.ndarray) else message

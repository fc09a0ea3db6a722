"""The layout in config/foxglove against the schemas of a recorded bag and of a live flight.

Foxglove does not validate a layout: an invalid path gives an empty panel.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from mcap.reader import make_reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from liquid_control import frames, topics
from liquid_control.bags import BagWriter
from liquid_control.bags.writing.messages import FLIGHT_TOPICS, clock_cdr
from liquid_control.config import project_file
from liquid_control.message_types import CLOCK, COMPRESSED_IMAGE, JOINT_STATE
from liquid_control.viewers.feed import (
    CAMERA,
    EVENTS,
    FOXGLOVE,
    PASSED,
    POSE,
    SALIENCY,
    SCENE,
    TIME_CONSTANTS,
    WIRING,
)

pytestmark = pytest.mark.unit

LAYOUT = json.loads(project_file("config/foxglove/flight.json").read_text(encoding="utf-8"))
PANELS: dict[str, dict[str, Any]] = LAYOUT["configById"]
RECORDED = {
    **FLIGHT_TOPICS,
    "diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
    "camera/image_raw/compressed": COMPRESSED_IMAGE,
    **{name: PASSED[name] for name in (topics.WIND,)},
    SALIENCY.removeprefix("/"): COMPRESSED_IMAGE,
    WIRING.removeprefix("/"): COMPRESSED_IMAGE,
    TIME_CONSTANTS.removeprefix("/"): JOINT_STATE,
}
"""Types of the topics with a ROS type, as bags have them and `foxglove_node` sends them."""
NUMBERS = {"float32", "float64", "int32", "uint32", "uint8", "int8", "int64", "uint64"}
PATH = re.compile(r"(?P<topic>/[\w/]+)(?P<fields>(\.\w+(\[\d+\])?)*)")


@pytest.fixture(scope="module")
def schemas(tmp_path_factory) -> dict[str, tuple[str, Any]]:
    """Return the type and a type store of each topic of a bag, from the schemas in the bag."""
    path = tmp_path_factory.mktemp("bag") / "flight.mcap"
    with BagWriter(path, RECORDED) as bag:
        bag.write(topics.CLOCK, clock_cdr(0), 0)
    found = {}
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
        for channel in summary.channels.values():
            schema = summary.schemas[channel.schema_id]
            store = get_typestore(Stores.EMPTY)
            store.register(get_types_from_msg(schema.data.decode(), schema.name))
            found[channel.topic] = (schema.name, store)
    assert found["/clock"][0] == CLOCK
    return found


def paths() -> Iterator[tuple[str, str]]:
    for panel, config in PANELS.items():
        for series in config.get("paths", []):
            assert series["enabled"] is True, panel
            assert series["timestampMethod"] in ("headerStamp", "receiveTime")
            yield panel, series["value"]
        if "xAxisPath" in config:
            yield panel, config["xAxisPath"]["value"]


def end_of(path: str, schemas: dict[str, tuple[str, Any]]) -> str:
    """Return the primitive type at a message path; raise KeyError for an invalid path."""
    parsed = PATH.fullmatch(path)
    assert parsed is not None, f"{path} is not a message path"
    kind, store = schemas[parsed["topic"]]
    for step in parsed["fields"].split(".")[1:]:
        name, _, index = step.partition("[")
        fields = dict(store.fielddefs[kind][1])
        node, detail = fields[name]
        if node.name in ("ARRAY", "SEQUENCE"):
            assert index, f"{path}: {name} is an array"
            node, detail = detail[0]
        else:
            assert not index, f"{path}: {name} is not an array"
        kind = detail if isinstance(detail, str) else detail[0]
    return kind


@pytest.mark.parametrize(("panel", "path"), list(paths()))
def test_every_path_leads_to_a_number(schemas, panel, path):
    assert end_of(path, schemas) in NUMBERS


@pytest.mark.parametrize(
    "path", ["/nowhere.x", "/odom.pose.position.x", "/policy/neurons.position.x", "/odom.pose[0]"]
)
def test_invalid_paths_are_detected(schemas, path):
    with pytest.raises((KeyError, AssertionError)):
        assert end_of(path, schemas) in NUMBERS


def test_every_topic_has_a_type_supported_by_its_panel(schemas):
    images, diagnostics = [], []
    for panel, config in PANELS.items():
        kind = panel.partition("!")[0]
        if kind == "Image":
            mode = config["imageMode"]
            images.append(schemas[mode["imageTopic"]][0])
            if mode["imageTopic"] not in (SALIENCY, WIRING):
                assert schemas[mode["calibrationTopic"]][0] == "sensor_msgs/msg/CameraInfo"
        elif kind == "DiagnosticSummary":
            diagnostics.append(schemas[config["topicToRender"]][0])
        elif kind == "RawMessages":
            assert config["topicPath"] in schemas
        elif kind == "3D":
            shown = {topic for topic, one in config["topics"].items() if one["visible"]}
            assert shown == {SCENE, POSE}
            assert config["followTf"] == frames.BASE_LINK
        elif kind == "RosOut":
            assert FOXGLOVE[config["topicToRender"]] == "Log"
            assert config["topicToRender"] == EVENTS
        else:
            assert kind in ("Plot", "Tab")
    assert images == ["sensor_msgs/msg/Image", *["sensor_msgs/msg/CompressedImage"] * 3]
    assert diagnostics == ["diagnostic_msgs/msg/DiagnosticArray"]


def leaves(layout: Any) -> Iterator[str]:
    if isinstance(layout, str):
        yield layout
        for tab in PANELS[layout].get("tabs", []):
            yield from leaves(tab["layout"])
        return
    assert layout["direction"] in ("row", "column")
    assert 0 < layout["splitPercentage"] < 100
    yield from leaves(layout["first"])
    yield from leaves(layout["second"])


def test_every_panel_is_in_the_layout_once():
    assert sorted(leaves(LAYOUT["layout"])) == sorted(PANELS)


def test_a_live_flight_has_the_topics_of_the_layout():
    live = {f"/{name}" for name in PASSED}
    live |= {CAMERA, SALIENCY, SCENE, POSE, EVENTS, TIME_CONSTANTS, WIRING}
    shown = {PATH.match(path)["topic"] for _, path in paths()}
    shown |= {
        config["imageMode"]["imageTopic"] for config in PANELS.values() if "imageMode" in config
    }
    assert shown - live == {"/camera/image_raw"}


def test_layout_shows_commands_neurons_imu_and_position():
    shown = {path for _, path in paths()}
    for field in ("linear.x", "linear.y", "linear.z", "angular.z"):
        assert {f"/policy/cmd_vel.twist.{field}", f"/cmd_vel.twist.{field}"} <= shown
    for index in range(19):
        for field in ("position", "velocity"):
            assert f"/policy/neurons.{field}[{index}]" in shown
        assert f"{TIME_CONSTANTS}.position[{index}]" in shown
    assert {f"/imu/data.linear_acceleration.{axis}" for axis in "xyz"} <= shown
    assert {f"/odom.pose.pose.position.{axis}" for axis in "xyz"} <= shown

"""The page on nodes has every parameter, topic, service and diagnostic key of the code."""

import ast
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path

import pytest

from liquid_control import topics
from liquid_control.autopilots import LinkEvent
from liquid_control.bags import Loss
from liquid_control.command import GuardEvent

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
NODES = ROOT / "liquid_control" / "nodes"
REFERENCE = run_path(str(ROOT / "docs" / "ros_reference.py"))
SHARED = ("publisher_binding.py",)
BRIDGES = (topics.MAVLINK, topics.PX4, topics.MAVROS, topics.BETAFLIGHT)
LINK_KEYS = {event.value for event in LinkEvent} | {
    *("frames_damaged", "messages_lost", "second_publisher", "message_of_second_publisher")
}
SOURCES = {
    topics.PERCEPTION: ("perception_node.py", "lifecycle.py", *SHARED),
    topics.CONTROLLER: ("controller_node.py", "lifecycle.py", *SHARED),
    topics.GUARD: ("guard_node.py", *SHARED),
    topics.RECORDER: ("recorder_node.py", "recorder/subscriptions.py"),
    topics.REPLAY: ("replay_node.py",),
    topics.SIMULATOR: ("simulator_node.py",),
    topics.MANAGER: ("lifecycle_manager.py",),
    topics.FOXGLOVE: ("viewer_node.py",),
    **dict.fromkeys(BRIDGES, ("autopilot_node.py",)),
}
"""Modules of each node that count events."""
COUNTED_ELSEWHERE = {
    topics.GUARD: {event.value for event in GuardEvent} | {"action"},
    topics.REPLAY: {loss.name.lower() for loss in Loss} | {"warnings"},
    topics.RECORDER: {"pictures_not_compressed"},
    topics.FOXGLOVE: {
        *("dropped", "dropped_pictures", "slow_viewers", "viewers"),
        "step_left_out",
    },
    **dict.fromkeys(BRIDGES, LINK_KEYS),
}
"""Keys that come from the counts of other classes."""


def counted_keys(path: Path) -> Iterator[str]:
    """Yield the keys that a module counts: literals and constants of `count` and `counts[…]`."""
    tree = ast.parse(path.read_text("utf-8"))
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("count", "_refuse") and node.args:
                yield from _keys(node.args[0], constants)
        elif isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "counts":
            yield from _keys(node.slice, constants)


def _keys(key: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    if isinstance(key, ast.Name) and key.id == "event":
        # a name of `SensorSync`, whose sentences are keyed by it
        key = constants.get("SYNC_EVENTS", key)
    if isinstance(key, ast.Name):
        key = constants.get(key.id, key)
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        yield key.value
    elif isinstance(key, ast.Dict):
        yield from (one.value for one in key.keys)


def test_the_tables_of_the_page_are_those_of_the_code():
    page = REFERENCE["PAGE"].read_text("utf-8")
    assert REFERENCE["with_tables"](page) == page, "run python docs/ros_reference.py"


@pytest.mark.parametrize("node", SOURCES)
def test_every_diagnostic_key_of_a_node_is_on_the_page(node):
    counted = {key for file in SOURCES[node] for key in counted_keys(NODES / file)}
    counted |= COUNTED_ELSEWHERE.get(node, set())
    assert set(REFERENCE["KEYS"].get(node, {})) == counted


def test_no_other_module_of_the_nodes_counts_events():
    known = {NODES / file for files in SOURCES.values() for file in files}
    others = set(NODES.rglob("*.py")) - known - {NODES / "diagnostics.py"}
    assert {path.name: keys for path in others if (keys := list(counted_keys(path)))} == {}


def test_every_topic_of_the_graph_is_on_the_page():
    names = {name for name in vars(topics) if name.isupper() and not name.endswith("TYPES")}
    nodes = {
        *("SIMULATOR", "PERCEPTION", "CONTROLLER", "GUARD", "GUARD_STANDBY", "RECORDER"),
        *("REPLAY", "MANAGER", "MAVLINK", "PX4", "MAVROS", "BETAFLIGHT", "FOXGLOVE"),
    }
    assert set(REFERENCE["TOPICS"]) == {getattr(topics, name) for name in names - nodes}
    for topic, kind in (topics.TYPES | topics.GUARD_TYPES).items():
        assert REFERENCE["TOPICS"][topic][0] == kind

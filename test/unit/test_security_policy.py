"""The SROS 2 policy file: its form, and that only the guard may command."""

import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatch
from typing import NamedTuple

import pytest

from liquid_control import topics
from liquid_control.autopilots import px4_topics
from liquid_control.config import project_file

pytestmark = pytest.mark.unit

BRIDGES = {topics.MAVLINK, topics.PX4, topics.MAVROS, topics.BETAFLIGHT}
FORMATS = (px4_topics.REQUEST, px4_topics.RESPONSE)
FILE = project_file("config/security/flight.policy.xml")
CHILDREN = {
    "policy": {"enclaves"},
    "enclaves": {"enclave"},
    "enclave": {"profiles"},
    "profiles": {"profile"},
    "profile": {"topics", "services", "actions"},
    "topics": {"topic"},
    "services": {"service"},
    "actions": {"action"},
}
"""Elements of version 0.2.0 of SROS 2's access control policies, each with its children."""
QUALIFIERS = {
    "topics": {"publish", "subscribe"},
    "services": {"reply", "request"},
    "actions": {"call", "execute"},
}
ATTRIBUTES = {"policy": {"version"}, "enclave": {"path"}, "profile": {"ns", "node"}}


class Permission(NamedTuple):
    node: str
    use: str
    name: str


def permissions() -> set[Permission]:
    root = ElementTree.parse(FILE).getroot()
    return {
        Permission(profile.attrib["node"], use, entry.text)
        for profile in root.iter("profile")
        for group in profile
        for use in group.attrib
        for entry in group
    }


def users(use: str, name: str) -> set[str]:
    """Return the nodes that may use a name, where a `*` is any."""
    return {one.node for one in permissions() if one.use == use and fnmatch(name, one.name)}


def test_the_file_has_the_form_of_version_0_2_0():
    root = ElementTree.parse(FILE).getroot()
    assert (root.tag, root.attrib) == ("policy", {"version": "0.2.0"})
    for element in root.iter():
        if element.tag not in CHILDREN:
            assert not len(element)
            assert element.text == element.text.strip() != ""
            continue
        assert len(element), element.tag
        assert {child.tag for child in element} <= CHILDREN[element.tag]
        if element.tag in QUALIFIERS:
            assert set(element.attrib) <= QUALIFIERS[element.tag]
            assert set(element.attrib.values()) == {"ALLOW"}
        else:
            assert set(element.attrib) == ATTRIBUTES.get(element.tag, set())


def test_each_process_has_an_enclave_of_its_own_node():
    root = ElementTree.parse(FILE).getroot()
    nodes = {
        enclave.attrib["path"].removeprefix("/liquid_control/"): [
            profile.attrib["node"] for profile in enclave.iter("profile")
        ]
        for enclave in root.iter("enclave")
    }
    assert {profile.attrib["ns"] for profile in root.iter("profile")} == {"/"}
    assert nodes.pop("policy_node") == [topics.PERCEPTION, topics.CONTROLLER]
    assert {name: [name] for name in nodes} == nodes
    flown = {
        *(topics.PERCEPTION, topics.CONTROLLER, topics.GUARD, topics.GUARD_STANDBY),
        *(*BRIDGES, topics.MANAGER, topics.RECORDER, "drivers"),
    }
    assert set(nodes) == flown


@pytest.mark.parametrize("node", [topics.PERCEPTION, topics.CONTROLLER])
def test_one_process_of_the_policy_may_do_what_its_two_nodes_may(node):
    root = ElementTree.parse(FILE).getroot()
    found = [ElementTree.tostring(one) for one in root.iter("profile") if one.get("node") == node]
    assert len(found) == 2
    assert found[0].split() == found[1].split()


def test_only_the_guard_may_command_and_only_the_controller_may_command_the_guard():
    assert users("publish", topics.COMMAND) == {topics.GUARD, topics.GUARD_STANDBY}
    assert users("publish", topics.POLICY_COMMAND) == {topics.CONTROLLER}
    assert users("publish", topics.FEATURES) == {topics.PERCEPTION}
    assert users("publish", topics.PICTURE) == {topics.PERCEPTION}
    assert users("publish", topics.AUTOPILOT) == BRIDGES
    assert users("subscribe", topics.COMMAND) == {*BRIDGES, topics.RECORDER}
    assert users("publish", "fmu/in/trajectory_setpoint_v1") == {topics.PX4}
    assert users("publish", "mavros/setpoint_velocity/cmd_vel") == {topics.MAVROS}


def test_nobody_may_publish_everything_and_every_name_is_known():
    known = {*topics.TYPES, *topics.GUARD_TYPES, *topics.ADAPTATION_TYPES, topics.COMPRESSED}
    known |= {"parameter_events", "rosout", "mavros/state", "mavros/setpoint_velocity/cmd_vel"}
    known |= {f"{one.name}*" for one in (*px4_topics.USED, *FORMATS)}
    for node, use, name in permissions():
        if use == "publish":
            assert name in known or name == f"{node}/transition_event"
        elif use == "subscribe" and node != topics.RECORDER:
            assert name in known

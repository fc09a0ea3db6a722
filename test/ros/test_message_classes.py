"""Classes and definitions of message types, against those of ROS 2 and of the bag writer."""

import pytest

from liquid_control import topics
from liquid_control.bags.writing import definition_of, messages, type_hash
from liquid_control.errors import OutputError
from liquid_control.nodes.message_classes import (
    begins_with_stamp,
    message_class,
    name_of,
    type_definition,
)
from liquid_control.nodes.qos import CLASSES

pytestmark = pytest.mark.ros


def test_the_classes_of_the_graphs_topics_have_the_names_of_the_table():
    names = {topic: name_of(kind) for topic, kind in CLASSES.items()}
    assert names == topics.TYPES | topics.GUARD_TYPES | topics.ADAPTATION_TYPES
    names = {topic: names[topic] for topic in topics.TYPES}
    del names[topics.DIAGNOSTICS]
    assert names == messages.FLIGHT_TOPICS


@pytest.mark.parametrize(
    "kind",
    [
        "sensor_msgs/msg/Imu",
        "sensor_msgs/msg/JointState",
        "sensor_msgs/msg/CompressedImage",
        "rcl_interfaces/msg/ParameterDescriptor",
        "rcl_interfaces/msg/ParameterEvent",
        "shape_msgs/msg/SolidPrimitive",
    ],
)
def test_a_definition_made_from_a_class_is_the_definition_of_the_type(kind):
    """A type's hash covers names, types, bounds and parts of all fields."""
    text = type_definition(message_class(kind))
    renamed = text.replace("rcl_interfaces", "my_msgs").replace("sensor_msgs", "my_msgs")
    expected = definition_of(kind).replace("rcl_interfaces", "my_msgs")
    name = kind.split("/")[-1]
    assert type_hash(f"my_msgs/msg/{name}", renamed) == type_hash(
        f"my_msgs/msg/{name}", expected.replace("sensor_msgs", "my_msgs")
    )


def test_a_type_that_is_not_installed_is_reported_with_its_package():
    with pytest.raises(OutputError, match="source the workspace that has px4_msgs"):
        message_class("px4_msgs/msg/VehicleOdometry")
    assert begins_with_stamp(message_class("sensor_msgs/msg/Imu"))
    assert begins_with_stamp(message_class("rosgraph_msgs/msg/Clock"))
    assert not begins_with_stamp(message_class("geometry_msgs/msg/Twist"))

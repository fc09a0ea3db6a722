"""Roles of the topics of a recording, and the rules that find them."""

from liquid_control.bags.topics.resolution import find_roles, obstacle, resolve
from liquid_control.bags.topics.sources import RoleFinding, Source, TopicMap
from liquid_control.bags.topics.topic_rules import (
    Axes,
    Role,
    TopicRules,
    VelocityFrame,
    load_rules,
)

__all__ = [
    "Axes",
    "Role",
    "RoleFinding",
    "Source",
    "TopicMap",
    "TopicRules",
    "VelocityFrame",
    "find_roles",
    "load_rules",
    "obstacle",
    "resolve",
]

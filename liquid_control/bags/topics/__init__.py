"""Which topics of a recording play which role, and how their recorder spoke."""

from liquid_control.bags.topics.resolution import (
    RoleFinding,
    Source,
    TopicMap,
    find_roles,
    obstacle,
    resolve,
)
from liquid_control.bags.topics.roles import Role
from liquid_control.bags.topics.topic_rules import TopicRules, load_rules

__all__ = [
    "Role",
    "RoleFinding",
    "Source",
    "TopicMap",
    "TopicRules",
    "find_roles",
    "load_rules",
    "obstacle",
    "resolve",
]

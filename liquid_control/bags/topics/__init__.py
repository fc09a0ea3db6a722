"""Which topics of a recording play which role, and how their recorder spoke."""

from liquid_control.bags.topics.map import Finding, Source, TopicMap
from liquid_control.bags.topics.resolving import obstacle, resolve
from liquid_control.bags.topics.roles import Role
from liquid_control.bags.topics.rules import TopicRules, load_rules
from liquid_control.bags.topics.search import find_roles

__all__ = [
    "Finding",
    "Role",
    "Source",
    "TopicMap",
    "TopicRules",
    "find_roles",
    "load_rules",
    "obstacle",
    "resolve",
]

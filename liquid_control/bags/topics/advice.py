"""What to say where no topic plays a role: what is there, and which flag would fix it."""

from collections.abc import Collection, Iterable, Mapping

from liquid_control.bags.bag import TopicInfo
from liquid_control.bags.topics.map import Finding
from liquid_control.bags.topics.roles import COMPRESSED_IMAGE, TYPES, Role
from liquid_control.bags.topics.rules import preset_rules

NO_CAMERA = ("depth", "disparity", "/perception/features")
"""Words in the names of images that are no pictures."""
LISTED = (Role.CAMERA, Role.COMMAND)
"""Roles without which it helps to see everything that a bag has."""
ONLY_BY_NAME = (Role.FEATURES, Role.NEURONS, Role.CLOCK)
"""Roles that nothing but this project's own graph fills."""
NAMES_SHOWN = 12


def advise(role: Role, topics: Mapping[str, TopicInfo], taken: Collection[str]) -> Finding:
    """Return why a role is empty.

    Args:
        role: which.
        topics: everything that the bag has.
        taken: topics that play other roles.
    """
    if role in ONLY_BY_NAME:
        return Finding(None, f"no {role.value}")
    choices = [name for name in of_type(role, topics) if name not in taken]
    if not choices:
        return Finding(None, _nothing(role, topics))
    flag = f"--topic {role.value}={choices[0]}"
    if preset := _preset_for(role, choices):
        flag = f"{preset} or {flag}"
    if len(choices) == 1:
        return Finding(None, f"no {role.value} by name; if it is {choices[0]}, say {flag}")
    number = {2: "two"}.get(len(choices), str(len(choices)))
    problem = f"{number} topics could be the {role.value}: {names(choices)}; choose with {flag}"
    return Finding(None, problem, tuple(choices))


def of_type(role: Role, topics: Mapping[str, TopicInfo]) -> list[str]:
    """Return the topics with messages of a type that can play a role, likeliest first."""
    kinds = TYPES[role]
    found = {name: info for name, info in topics.items() if info.type in kinds and info.count != 0}
    if role is Role.CAMERA:
        found = {name: info for name, info in found.items() if _is_camera(info, found)}
    return sorted(found, key=lambda name: (kinds.index(found[name].type), name))


def names(topics: Iterable[str]) -> str:
    """Return names in a line; of very many, the first."""
    listed = list(topics)
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return (", ".join(listed[:NAMES_SHOWN]) + more) or "no topics"


def short(kind: str) -> str:
    """Return a type as people write it, `sensor_msgs/Imu`."""
    return kind.replace("/msg/", "/")


def _is_camera(info: TopicInfo, among: Collection[str]) -> bool:
    """Return whether a topic of images is a camera, and not one of them compressed once more."""
    if any(word in info.name.lower() for word in NO_CAMERA):
        return False
    return info.type != COMPRESSED_IMAGE or info.name.rpartition("/")[0] not in among


def _nothing(role: Role, topics: Mapping[str, TopicInfo]) -> str:
    kinds = TYPES[role]
    empty = sorted(n for n, info in topics.items() if info.type in kinds and info.count == 0)
    if empty:
        return f"no {role.value}: {names(empty)} holds no messages"
    expected = " or ".join(short(kind) for kind in kinds)
    has = f"; the bag has {names(sorted(topics))}" if role in LISTED else ""
    return f"no {role.value} ({expected}){has}"


def _preset_for(role: Role, choices: Collection[str]) -> str:
    """Return the flag of the preset that knows one of the topics by name, if there is one."""
    for preset, rules in preset_rules().items():
        rule = rules.get(role)
        if rule is not None and any(name in choices for name in rule.topics):
            return f"--topics {preset}"
    return ""

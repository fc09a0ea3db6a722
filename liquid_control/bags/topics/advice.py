"""Candidate topics of a role, and advice on how to select one."""

from collections.abc import Collection, Iterable, Mapping

from liquid_control.bags.bag import TopicInfo
from liquid_control.bags.topics.sources import RoleFinding
from liquid_control.bags.topics.topic_rules import COMMANDS, TYPES, Role, preset_rules
from liquid_control.message_types import COMPRESSED_IMAGE, IMU

NO_CAMERA = ("depth", "disparity", "/perception/features")
"""Words in the names of image topics that are not camera pictures."""
LISTED = (Role.CAMERA, Role.COMMAND)
"""Roles whose error message lists all topics of the bag."""
ONLY_BY_NAME = (
    Role.FEATURES,
    Role.NEURONS,
    Role.INPUTS,
    Role.ADAPTATION,
    Role.GUARD,
    Role.CLOCK,
)
"""Roles that only the graph of this project publishes."""
NAMES_SHOWN = 12
RATES, FORCES = "gyro", "accel"
"""Words in the names of IMU topics that hold only angular rates, or only accelerations."""


def advise(role: Role, topics: Mapping[str, TopicInfo], taken: Collection[str]) -> RoleFinding:
    """Return the reason why a role has no topic, with advice.

    Args:
        role: the role.
        topics: all topics of the bag.
        taken: topics that have other roles.
    """
    if role in ONLY_BY_NAME:
        return RoleFinding(None, f"no {role.value}")
    choices = [name for name in of_type(role, topics) if name not in taken]
    if not choices:
        return RoleFinding(None, _no_candidate(role, topics))
    preset, name = _preset_for(role, choices)
    flag = f"--topic {role.value}={name or choices[0]}"
    if preset:
        flag = f"--topics {preset} or {flag}"
    if len(choices) == 1 and role is Role.IMU and half_of(choices[0]) and "+" not in choices[0]:
        problem = f"{choices[0]} has only half of an IMU's readings by its name"
        return RoleFinding(None, f"no imu: {problem}; if it has both, pass {flag}")
    if len(choices) == 1:
        return RoleFinding(None, f"no {role.value} by name; if it is {choices[0]}, pass {flag}")
    number = {2: "two"}.get(len(choices), str(len(choices)))
    problem = f"{number} topics could be the {role.value}: {names(choices)}; choose with {flag}"
    if role is Role.IMU and not preset and not any("+" in choice for choice in choices):
        problem += (
            ", or if one has the rates and another the accelerations, --topic imu=/RATES+/ACCELS"
        )
    return RoleFinding(None, problem, tuple(choices))


def of_type(role: Role, topics: Mapping[str, TopicInfo]) -> list[str]:
    """Return the topics with messages of a type accepted for a role, most likely first.

    Two topics with the rates and the accelerations of an IMU are one candidate, joined by `+`.
    """
    kinds = TYPES[role]
    found = {
        name: info
        for name, info in topics.items()
        if info.type in kinds and info.count != 0 and info.is_ros2
    }
    if role is Role.CAMERA:
        found = {name: info for name, info in found.items() if _is_camera(info, found)}
    ordered = sorted(found, key=lambda name: (kinds.index(found[name].type), name))
    return _imus(ordered, found) if role is Role.IMU else ordered


def half_of(topic: str) -> str:
    """Return `RATES` or `FORCES` for the topic of half an IMU, by its name; else empty."""
    words = "/".join(topic.lower().rsplit("/", 2)[1:])
    found = [half for half in (RATES, FORCES) if half in words]
    return found[0] if len(found) == 1 else ""


def other_half(topic: str, topics: Collection[str]) -> str:
    """Return the topic with the other half of an IMU, the one with the most similar name."""
    half = half_of(topic)
    wanted = FORCES if half == RATES else RATES
    others = [other for other in topics if half and half_of(other) == wanted]
    same = [other for other in others if other.lower() == topic.lower().replace(half, wanted)]
    return same[0] if same else others[0] if len(others) == 1 else ""


def _imus(choices: list[str], topics: Mapping[str, TopicInfo]) -> list[str]:
    """Return whole IMUs, else pairs of halves, else single halves."""
    halves = [name for name in choices if topics[name].type == IMU and half_of(name)]
    whole = [name for name in choices if name not in halves]
    pairs = [
        f"{name}+{other}"
        for name in halves
        if half_of(name) == RATES and (other := other_half(name, halves))
    ]
    return whole or pairs or halves


def names(topics: Iterable[str]) -> str:
    """Return topic names in one line, shortened to the first ones."""
    listed = list(topics)
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return (", ".join(listed[:NAMES_SHOWN]) + more) or "no topics"


def short(kind: str) -> str:
    """Return the short form of a type, `sensor_msgs/Imu`."""
    return kind.replace("/msg/", "/")


def foreign_lines(topics: Mapping[str, TopicInfo]) -> list[str]:
    """Return a line for each encoding of messages that are not those of ROS 2."""
    found: dict[str, list[str]] = {}
    for info in topics.values():
        if not info.is_ros2:
            found.setdefault(info.encoding, []).append(f"{info.name} ({info.type or 'no type'})")
    return [_foreign(encoding, listed) for encoding, listed in sorted(found.items())]


def _foreign(encoding: str, listed: Collection[str]) -> str:
    if encoding == "ros1":
        return (
            f"not read: the messages of ROS 1 on {names(listed)}; convert their .bag file with "
            "`rosbags-convert --src FILE.bag --dst FOLDER`"
        )
    return (
        f"not read: the {encoding} messages on {names(listed)}; record the topics of ROS 2 with "
        "`ros2 bag record` to use them"
    )


def _is_camera(info: TopicInfo, among: Collection[str]) -> bool:
    """Return whether an image topic is a camera and not a compressed copy of another topic."""
    if any(word in info.name.lower() for word in NO_CAMERA):
        return False
    return info.type != COMPRESSED_IMAGE or info.name.rpartition("/")[0] not in among


def _no_candidate(role: Role, topics: Mapping[str, TopicInfo]) -> str:
    kinds = TYPES[role]
    empty = sorted(n for n, info in topics.items() if info.type in kinds and info.count == 0)
    if empty:
        return f"no {role.value}: {names(empty)} holds no messages"
    expected = " or ".join(short(kind) for kind in kinds)
    has = f"; the bag has {names(sorted(topics))}" if role in LISTED else ""
    foreign = "".join(f"; {line}" for line in foreign_lines(topics)) if role in LISTED else ""
    return f"no {role.value} ({expected}){has}{foreign}"


def _preset_for(role: Role, choices: Collection[str]) -> tuple[str, str]:
    """Return the preset that lists one of the topics for the role, and that topic; else empty."""
    for preset, rules in preset_rules().items():
        rule = rules.get(role)
        found = [name for name in rule.topics if name in choices] if rule is not None else []
        if found:
            return preset, found[0]
    others = [other for other in COMMANDS if role in COMMANDS and other is not role]
    for rules in preset_rules().values():
        for rule in (rules[other] for other in others if other in rules):
            for name in rule.topics:
                if name in choices:
                    return "", name
    return "", ""

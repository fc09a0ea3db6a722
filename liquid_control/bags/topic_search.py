"""Look for the topic of every role: by flag, by name, or by type where only one can be it."""

from collections.abc import Iterable, Mapping

from liquid_control.bags.bag import TopicInfo
from liquid_control.bags.roles import (
    COMPRESSED_IMAGE,
    ODOMETRY,
    TWIST,
    TWIST_STAMPED,
    TYPES,
    Axes,
    Role,
    VelocityFrame,
)
from liquid_control.bags.topic_map import Finding, Source
from liquid_control.bags.topic_rules import Flag, Rule, TopicRules

BY_TYPE = (Role.CAMERA, Role.IMU, Role.ODOMETRY)
"""Roles that a single topic of their type takes, whatever its name."""
NO_CAMERA = ("depth", "disparity", "/perception/features")
"""Words in the names of images that are no pictures."""
NAMES_SHOWN = 12
_TWISTS = (TWIST, TWIST_STAMPED)


def find_roles(topics: Mapping[str, TopicInfo], rules: TopicRules) -> dict[Role, Finding]:
    """Return what was found for every role, without judging whether it is enough."""
    heard = {name: info for name, info in topics.items() if info.count != 0}
    search = _Search(heard, topics, rules)
    findings = {Role.CAMERA: search.find(Role.CAMERA)}
    for role in Role:
        if role is Role.CAMERA_INFO:
            findings[role] = search.camera_info(findings[Role.CAMERA].source)
        elif role is not Role.CAMERA:
            findings[role] = search.find(role)
    return findings


class _Search:
    """Looks for roles among the topics that hold messages."""

    def __init__(
        self, heard: Mapping[str, TopicInfo], told: Mapping[str, TopicInfo], rules: TopicRules
    ) -> None:
        self._heard = heard
        self._told = told
        self._rules = rules
        self._namespace = self._camera_namespace()

    def find(self, role: Role) -> Finding:
        """Return a role's topic by flag, by name, by name in the camera's namespace, by type."""
        if (flag := self._rules.flags.get(role)) is not None:
            return self._flagged(role, flag)
        for namespace in dict.fromkeys(("", self._namespace)):
            for rule in self._rules.rules[role]:
                for name in rule.topics:
                    if (info := self._playing(role, f"{namespace}{name}")) is not None:
                        return Finding(_source(role, info, rule))
        choices = self._of_type(role)
        if role in BY_TYPE and len(choices) == 1:
            return Finding(_source(role, self._heard[choices[0]], self._rules.rules[role][-1]))
        return Finding(None, self._advice(role, choices), tuple(choices))

    def camera_info(self, camera: Source | None) -> Finding:
        """Return the intrinsics that lie beside the camera."""
        role = Role.CAMERA_INFO
        if camera is None or role in self._rules.flags:
            return self.find(role)
        parent = camera.topic
        for _ in range(2):
            parent = parent.rpartition("/")[0]
            if (info := self._playing(role, f"{parent}/camera_info")) is not None:
                return Finding(_source(role, info, None))
        choices = self._of_type(role)
        return Finding(None, self._advice(role, choices), tuple(choices))

    def _playing(self, role: Role, name: str) -> TopicInfo | None:
        info = self._heard.get(name)
        return info if info is not None and info.type in TYPES[role] else None

    def _flagged(self, role: Role, flag: Flag) -> Finding:
        if flag.topic is None:
            return Finding(None)
        asked = f"--topic {role.value}={flag.topic}"
        info = self._told.get(flag.topic)
        if info is None:
            return Finding(None, f"{asked}: no such topic; the bag has {_names(self._told)}")
        if info.type not in TYPES[role]:
            expected = " or ".join(_short(kind) for kind in TYPES[role])
            return Finding(None, f"{asked}: expected {expected}, got {_short(info.type)}")
        rule = next((r for r in self._rules.rules[role] if flag.topic in r.topics), None)
        return Finding(_source(role, info, rule or self._rules.rules[role][0], flag))

    def _of_type(self, role: Role) -> list[str]:
        named = {info.name for info in self._heard.values() if info.type in TYPES[role]}
        if role is Role.CAMERA:
            named -= {name for name in named if any(word in name.lower() for word in NO_CAMERA)}
            named -= {
                n for n in named if self._told[n].type == COMPRESSED_IMAGE and _raw(n) in named
            }
        return sorted(named)

    def _advice(self, role: Role, choices: list[str]) -> str:
        flag = f"--topic {role.value}="
        if not choices:
            expected = " or ".join(_short(kind) for kind in TYPES[role])
            empty = [n for n, i in self._told.items() if i.count == 0 and i.type in TYPES[role]]
            if empty:
                return f"{role.value}: {', '.join(sorted(empty))} holds no messages"
            return f"no {role.value} ({expected}); the bag has {_names(self._told)}"
        if len(choices) == 1:
            return f"no {role.value} by name; if it is {choices[0]}, say {flag}{choices[0]}"
        number = {2: "two"}.get(len(choices), str(len(choices)))
        return (
            f"{number} topics could be the {role.value}: {_names(choices)}; "
            f"choose with {flag}{choices[0]}"
        )

    def _camera_namespace(self) -> str:
        """Return what stands before the camera's name, where just one camera is so called."""
        for rule in self._rules.rules[Role.CAMERA]:
            for name in rule.topics:
                found = {
                    topic.removesuffix(name)
                    for topic in self._heard
                    if topic.endswith(name) and self._playing(Role.CAMERA, topic)
                }
                if len(found) == 1:
                    return found.pop()
        return ""


def _source(role: Role, info: TopicInfo, rule: Rule | None, flag: Flag | None = None) -> Source:
    frame = (flag and flag.frame) or (rule and rule.frame if info.type in _TWISTS else None)
    axes = (flag and flag.axes) or (rule and rule.axes)
    default = VelocityFrame.BODY if info.type == ODOMETRY else VelocityFrame.HEADING
    return Source(info.name, info.type, frame or default, axes or Axes.FLU)


def _raw(name: str) -> str:
    """Return the topic that a compressed one is made from, as image_transport names them."""
    return name.rpartition("/")[0]


def _short(kind: str) -> str:
    return kind.replace("/msg/", "/")


def _names(topics: Iterable[str]) -> str:
    names = sorted(topics)
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return (", ".join(names[:NAMES_SHOWN]) + more) or "no topics"

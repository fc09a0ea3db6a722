"""Look for the topic of every role: by flag, by name, or by type where only one can be it."""

from collections.abc import Mapping

from liquid_control.bags.bag import TopicInfo
from liquid_control.bags.topics.advice import advise, names, of_type, short
from liquid_control.bags.topics.map import Finding, Source
from liquid_control.bags.topics.roles import (
    ODOMETRY,
    TWIST,
    TWIST_STAMPED,
    TYPES,
    Axes,
    Role,
    VelocityFrame,
)
from liquid_control.bags.topics.rules import Flag, Rule, TopicRules

BY_TYPE = (Role.CAMERA, Role.IMU, Role.ODOMETRY)
"""Roles that a single topic of their type takes, whatever its name."""
COMMANDS = (Role.COMMAND, Role.POLICY_COMMAND)
"""One does for the other."""
_TWISTS = (TWIST, TWIST_STAMPED)


def find_roles(topics: Mapping[str, TopicInfo], rules: TopicRules) -> dict[Role, Finding]:
    """Return what was found for every role, without judging whether it is enough."""
    heard = {name: info for name, info in topics.items() if info.count != 0}
    search = _Search(heard, topics, rules)
    found: dict[Role, Finding | None] = {}
    for role in Role:
        found[role] = None if role is Role.CAMERA_INFO else search.find(role)
    camera = found[Role.CAMERA]
    found[Role.CAMERA_INFO] = search.camera_info(camera.source if camera else None)
    sources = [finding.source for finding in found.values() if finding and finding.source]
    taken = {source.topic for source in sources}
    for role, other in (COMMANDS, COMMANDS[::-1]):
        if found[role] is None and found[other] is not None:
            found[role] = Finding(None, f"no {role.value}")
    return {role: found[role] or advise(role, topics, taken) for role in Role}


class _Search:
    """Looks for roles among the topics that hold messages."""

    def __init__(
        self, heard: Mapping[str, TopicInfo], told: Mapping[str, TopicInfo], rules: TopicRules
    ) -> None:
        self._heard = heard
        self._told = told
        self._rules = rules
        self._namespace = self._camera_namespace()

    def find(self, role: Role) -> Finding | None:
        """Return a role's topic by flag, by name, by name in the camera's namespace, by type.

        None where there is none, or not just one; a flag that cannot be followed is a finding.
        """
        if (flag := self._rules.flags.get(role)) is not None:
            return self._flagged(role, flag)
        for namespace in dict.fromkeys(("", self._namespace)):
            for rule in self._rules.rules[role]:
                for name in rule.topics:
                    if (info := self._playing(role, f"{namespace}{name}")) is not None:
                        return Finding(_source(role, info, rule))
        choices = of_type(role, self._heard)
        if role in BY_TYPE and len(choices) == 1:
            return Finding(_source(role, self._heard[choices[0]], self._rules.rules[role][-1]))
        return None

    def camera_info(self, camera: Source | None) -> Finding | None:
        """Return the intrinsics that lie beside the camera."""
        role = Role.CAMERA_INFO
        if camera is None or role in self._rules.flags:
            return self.find(role)
        parent = camera.topic
        for _ in range(2):
            parent = parent.rpartition("/")[0]
            if (info := self._playing(role, f"{parent}/camera_info")) is not None:
                return Finding(_source(role, info, None))
        return None

    def _playing(self, role: Role, name: str) -> TopicInfo | None:
        info = self._heard.get(name)
        return info if info is not None and info.type in TYPES[role] else None

    def _flagged(self, role: Role, flag: Flag) -> Finding:
        if flag.topic is None:
            return Finding(None)
        asked = f"--topic {role.value}={flag.topic}"
        info = self._told.get(flag.topic)
        if info is None:
            return Finding(
                None, f"{asked}: no such topic; the bag has {names(sorted(self._told))}"
            )
        if info.type not in TYPES[role]:
            expected = " or ".join(short(kind) for kind in TYPES[role])
            return Finding(None, f"{asked}: expected {expected}, got {short(info.type)}")
        rule = next((r for r in self._rules.rules[role] if flag.topic in r.topics), None)
        return Finding(_source(role, info, rule or self._rules.rules[role][0], flag))

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
    fov_deg = (flag and flag.horizontal_fov_deg) or (rule and rule.horizontal_fov_deg)
    return Source(info.name, info.type, frame or default, axes or Axes.FLU, fov_deg or None)

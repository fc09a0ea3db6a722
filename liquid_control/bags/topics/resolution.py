"""Find the topic of each role in a bag, or the reason why there is none."""

from collections.abc import Collection, Mapping

from liquid_control.bags.bag import Bag, TopicInfo
from liquid_control.bags.topics.advice import advise, half_of, names, of_type, other_half, short
from liquid_control.bags.topics.sources import (
    Convention,
    RoleFinding,
    Source,
    TopicMap,
    has_convention,
)
from liquid_control.bags.topics.topic_rules import (
    COMMANDS,
    DEFAULT,
    TYPES,
    Axes,
    Flag,
    Role,
    Rule,
    TopicRules,
    VelocityFrame,
    known_rule,
    preset_rules,
)
from liquid_control.errors import BagError
from liquid_control.message_types import IMU, ODOMETRY

BY_TYPE = (Role.CAMERA, Role.IMU, Role.ODOMETRY)
"""Roles assigned by message type alone if exactly one topic matches."""


def find_roles(topics: Mapping[str, TopicInfo], rules: TopicRules) -> dict[Role, RoleFinding]:
    """Return the search result of every role; a missing role is not an error here."""
    search = _Search(topics, rules)
    found: dict[Role, RoleFinding | None] = {}
    for role in Role:
        found[role] = None if role is Role.CAMERA_INFO else search.find(role)
    camera = found[Role.CAMERA]
    found[Role.CAMERA_INFO] = search.camera_info(camera.source if camera else None)
    sources = [finding.source for finding in found.values() if finding and finding.source]
    taken = {source.topic for source in sources}
    for role, other in (COMMANDS, COMMANDS[::-1]):
        if found[role] is None and found[other] is not None:
            found[role] = RoleFinding(None, f"no {role.value}")
    return {role: found[role] or advise(role, topics, taken) for role in Role}


class _Search:
    """Searches the topics of a bag; only a flag selects a topic without messages."""

    def __init__(self, topics: Mapping[str, TopicInfo], rules: TopicRules) -> None:
        self._topics = topics
        self._active = {
            name: info for name, info in topics.items() if info.count != 0 and info.is_ros2
        }
        self._rules = rules
        self._namespace = self._camera_namespace()

    def find(self, role: Role) -> RoleFinding | None:
        """Return the topic of a role by flag, by name, by name in the camera's namespace, by type.

        Returns:
            None if there is no topic or more than one. An invalid flag is a finding without a
            source.
        """
        if (flag := self._rules.flags.get(role)) is not None:
            return self._flagged(role, flag)
        for namespace in dict.fromkeys(("", self._namespace)):
            for rule in self._rules.rules[role]:
                for name in rule.topics:
                    if (found := self._listed(role, namespace, name)) is not None:
                        return RoleFinding(_source(role, *found, rule, listed=True))
        choices = of_type(role, self._active)
        if role in BY_TYPE and len(choices) == 1:
            topic, pair, force_topic = choices[0].partition("+")
            if role is not Role.IMU or pair or not half_of(topic):
                rule = self._rules.rules[role][-1]
                return RoleFinding(_source(role, self._active[topic], force_topic or None, rule))
        return None

    def _listed(
        self, role: Role, namespace: str, name: str
    ) -> tuple[TopicInfo, str | None] | None:
        """Return the topic of a name in a rule, and that of its accelerometer after a `+`."""
        topics = [f"{namespace}{topic}" for topic in name.split("+")]
        found = [self._with_accepted_type(role, topic) for topic in topics]
        if found[0] is None or None in found:
            return None
        return found[0], topics[1] if topics[1:] else None

    def camera_info(self, camera: Source | None) -> RoleFinding | None:
        """Return the intrinsics topic next to the camera topic."""
        role = Role.CAMERA_INFO
        if camera is None or role in self._rules.flags:
            return self.find(role)
        parent = camera.topic
        for _ in range(2):
            parent = parent.rpartition("/")[0]
            if (info := self._with_accepted_type(role, f"{parent}/camera_info")) is not None:
                return RoleFinding(_source(role, info, None, None))
        return None

    def _with_accepted_type(self, role: Role, name: str) -> TopicInfo | None:
        info = self._active.get(name)
        return info if info is not None and info.type in TYPES[role] else None

    def _flagged(self, role: Role, flag: Flag) -> RoleFinding:
        if flag.topic is None:
            return RoleFinding(None)
        for topic in filter(None, (flag.topic, flag.force_topic)):
            if problem := self._flag_problem(role, topic):
                return RoleFinding(None, f"--topic {role.value}={topic}: {problem}")
        info = self._topics[flag.topic]
        other = other_half(flag.topic, self._active) if info.type == IMU else ""
        if role is Role.IMU and other and flag.force_topic is None:
            (pair,) = of_type(role, {name: self._topics[name] for name in (flag.topic, other)})
            problem = f"has only half of an IMU's readings; pass --topic imu={pair}"
            return RoleFinding(None, f"--topic imu={flag.topic}: {problem}")
        rules = self._rules.rules[role]
        rule = next((r for r in rules if flag.topic in r.topics), None)
        found = _source(role, info, flag.force_topic, rule or rules[0], flag, bool(rule))
        return RoleFinding(found)

    def _flag_problem(self, role: Role, topic: str) -> str:
        """Return why a topic cannot have a role; empty if it can."""
        info = self._topics.get(topic)
        if info is None:
            return f"no such topic; the bag has {names(sorted(self._topics))}"
        if not info.is_ros2:
            return f"expected messages of ROS 2, got {info.encoding} ({info.type or 'no type'})"
        if info.type not in TYPES[role]:
            expected = " or ".join(short(kind) for kind in TYPES[role])
            return f"expected {expected}, got {short(info.type)}"
        return ""

    def _camera_namespace(self) -> str:
        """Return the namespace of the camera topic, if exactly one topic has such a name."""
        for rule in self._rules.rules[Role.CAMERA]:
            for name in rule.topics:
                found = {
                    topic.removesuffix(name)
                    for topic in self._active
                    if topic.endswith(name) and self._with_accepted_type(Role.CAMERA, topic)
                }
                if len(found) == 1:
                    return found.pop()
        return ""


def _source(
    role: Role,
    info: TopicInfo,
    force_topic: str | None,
    rule: Rule | None,
    flag: Flag | None = None,
    listed: bool = False,
) -> Source:
    """Return a topic with the conventions of a flag, of a rule that knows its name, or a default.

    Args:
        role: role of the topic.
        info: the topic.
        force_topic: topic of the accelerometer of an IMU of two topics.
        rule: rule of a preset.
        flag: the flag that selects the topic.
        listed: whether the rule lists the topic.
    """
    own = rule == preset_rules()[DEFAULT].get(role)
    known = rule if listed and not own else known_rule(role, info.name)
    conventions = known or rule
    frame, axes = (flag and flag.frame), (flag and flag.axes)
    convention = Convention.FLAG if frame or axes else Convention.DEFAULT
    knows = known is not None and (known.axes if role is Role.IMU else known.frame) is not None
    if convention is Convention.DEFAULT and knows and has_convention(role, info.type):
        convention = Convention.PRESET
    if conventions is not None and has_convention(role, info.type):
        frame, axes = frame or conventions.frame, axes or conventions.axes
    default = VelocityFrame.BODY if info.type == ODOMETRY else VelocityFrame.HEADING
    return Source(
        info.name,
        info.type,
        frame or default,
        axes or Axes.FLU,
        (flag and flag.horizontal_fov_deg) or (rule and rule.horizontal_fov_deg) or None,
        (flag and flag.encoding) or (rule and rule.encoding) or None,
        convention,
        force_topic,
        None if flag is None else flag.shift_s,
    )


def resolve(bag: Bag, rules: TopicRules, needed: Collection[str] = (Role.CAMERA,)) -> TopicMap:
    """Find the topics of a flight.

    Args:
        bag: the bag.
        rules: which topics to search for.
        needed: required roles; a command before the guard substitutes for one after it, and vice
            versa.

    Raises:
        BagError: a required role has no topic, the camera or IMU is ambiguous, or a flag names a
            topic that is missing or of another type.
    """
    findings = find_roles(bag.topics, rules)
    if problem := obstacle(findings, rules, needed):
        raise BagError(f"{bag.path}: {problem}")
    return TopicMap({r: f.source for r, f in findings.items() if f.source is not None})


def obstacle(
    findings: Mapping[Role, RoleFinding], rules: TopicRules, needed: Collection[str]
) -> str:
    """Return the reason why `resolve` would raise, in one line; empty if it would not."""
    required = {Role(role) for role in needed}
    for role, finding in findings.items():
        ambiguous = len(finding.choices) > 1 and role in (Role.CAMERA, Role.IMU)
        missing = role in required and not _has_substitute(findings, role)
        relevant = ambiguous or missing or role in rules.flags
        if finding.source is None and relevant and finding.problem:
            return finding.problem
    return ""


def _has_substitute(findings: Mapping[Role, RoleFinding], role: Role) -> bool:
    pair = {Role.COMMAND: Role.POLICY_COMMAND, Role.POLICY_COMMAND: Role.COMMAND}
    other = findings.get(pair.get(role, role))
    return other is not None and other.source is not None

"""Find the topic of each role in a bag, or the reason why there is none."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from liquid_control.bags.bag import Bag, TopicInfo
from liquid_control.bags.topics.topic_rules import (
    TYPES,
    Axes,
    Flag,
    Role,
    Rule,
    TopicRules,
    VelocityFrame,
    preset_rules,
)
from liquid_control.errors import BagError
from liquid_control.message_types import COMPRESSED_IMAGE, ODOMETRY, TWIST, TWIST_STAMPED


@dataclass(frozen=True, slots=True)
class Source:
    """A topic that has a role.

    Attributes:
        topic: topic name with the leading slash.
        type: message type such as `sensor_msgs/msg/Image`.
        frame: velocity frame of commands; message types that define a frame override it.
        axes: axes of a `sensor_msgs/Imu`.
        horizontal_fov_deg: field of view of the camera from the rules, degrees; None if not given.
    """

    topic: str
    type: str
    frame: VelocityFrame = VelocityFrame.HEADING
    axes: Axes = Axes.FLU
    horizontal_fov_deg: float | None = None


@dataclass(frozen=True, slots=True)
class TopicMap:
    """Topics of a flight by role.

    Attributes:
        sources: source of each role that was found.
    """

    sources: Mapping[Role, Source]

    def __contains__(self, role: str) -> bool:
        return Role(role) in self.sources

    def topic(self, role: str) -> str | None:
        """Return the topic name of a role (`Role` or its value); None if it was not found."""
        source = self.sources.get(Role(role))
        return None if source is None else source.topic

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of all topics that have a role."""
        return tuple(dict.fromkeys(source.topic for source in self.sources.values()))

    @property
    def has_commands(self) -> bool:
        """Whether there is a command topic, before or after the guard."""
        return Role.COMMAND in self.sources or Role.POLICY_COMMAND in self.sources


@dataclass(frozen=True, slots=True)
class RoleFinding:
    """Result of the search for a role.

    Attributes:
        source: the topic; None if there is none.
        problem: why there is none, and which flag would help; empty if there is no problem.
        choices: candidate topics of an ambiguous role.
    """

    source: Source | None
    problem: str = ""
    choices: tuple[str, ...] = ()


NO_CAMERA = ("depth", "disparity", "/perception/features")
"""Words in the names of image topics that are not camera pictures."""
LISTED = (Role.CAMERA, Role.COMMAND)
"""Roles whose error message lists all topics of the bag."""
ONLY_BY_NAME = (Role.FEATURES, Role.NEURONS, Role.CLOCK)
"""Roles that only the graph of this project publishes."""
NAMES_SHOWN = 12


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
    flag = f"--topic {role.value}={choices[0]}"
    if preset := _preset_for(role, choices):
        flag = f"{preset} or {flag}"
    if len(choices) == 1:
        return RoleFinding(None, f"no {role.value} by name; if it is {choices[0]}, pass {flag}")
    number = {2: "two"}.get(len(choices), str(len(choices)))
    problem = f"{number} topics could be the {role.value}: {names(choices)}; choose with {flag}"
    return RoleFinding(None, problem, tuple(choices))


def of_type(role: Role, topics: Mapping[str, TopicInfo]) -> list[str]:
    """Return the topics with messages of a type accepted for a role, most likely first."""
    kinds = TYPES[role]
    found = {name: info for name, info in topics.items() if info.type in kinds and info.count != 0}
    if role is Role.CAMERA:
        found = {name: info for name, info in found.items() if _is_camera(info, found)}
    return sorted(found, key=lambda name: (kinds.index(found[name].type), name))


def names(topics: Iterable[str]) -> str:
    """Return topic names in one line, shortened to the first ones."""
    listed = list(topics)
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return (", ".join(listed[:NAMES_SHOWN]) + more) or "no topics"


def short(kind: str) -> str:
    """Return the short form of a type, `sensor_msgs/Imu`."""
    return kind.replace("/msg/", "/")


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
    return f"no {role.value} ({expected}){has}"


def _preset_for(role: Role, choices: Collection[str]) -> str:
    """Return the flag of the preset that lists one of the topics; empty if there is none."""
    for preset, rules in preset_rules().items():
        rule = rules.get(role)
        if rule is not None and any(name in choices for name in rule.topics):
            return f"--topics {preset}"
    return ""


BY_TYPE = (Role.CAMERA, Role.IMU, Role.ODOMETRY)
"""Roles assigned by message type alone if exactly one topic matches."""
COMMANDS = (Role.COMMAND, Role.POLICY_COMMAND)
"""Roles of which one substitutes for the other."""
_TWISTS = (TWIST, TWIST_STAMPED)


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
        self._active = {name: info for name, info in topics.items() if info.count != 0}
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
                    if (info := self._with_accepted_type(role, f"{namespace}{name}")) is not None:
                        return RoleFinding(_source(role, info, rule))
        choices = of_type(role, self._active)
        if role in BY_TYPE and len(choices) == 1:
            return RoleFinding(
                _source(role, self._active[choices[0]], self._rules.rules[role][-1])
            )
        return None

    def camera_info(self, camera: Source | None) -> RoleFinding | None:
        """Return the intrinsics topic next to the camera topic."""
        role = Role.CAMERA_INFO
        if camera is None or role in self._rules.flags:
            return self.find(role)
        parent = camera.topic
        for _ in range(2):
            parent = parent.rpartition("/")[0]
            if (info := self._with_accepted_type(role, f"{parent}/camera_info")) is not None:
                return RoleFinding(_source(role, info, None))
        return None

    def _with_accepted_type(self, role: Role, name: str) -> TopicInfo | None:
        info = self._active.get(name)
        return info if info is not None and info.type in TYPES[role] else None

    def _flagged(self, role: Role, flag: Flag) -> RoleFinding:
        if flag.topic is None:
            return RoleFinding(None)
        option = f"--topic {role.value}={flag.topic}"
        info = self._topics.get(flag.topic)
        if info is None:
            return RoleFinding(
                None, f"{option}: no such topic; the bag has {names(sorted(self._topics))}"
            )
        if info.type not in TYPES[role]:
            expected = " or ".join(short(kind) for kind in TYPES[role])
            return RoleFinding(None, f"{option}: expected {expected}, got {short(info.type)}")
        rule = next((r for r in self._rules.rules[role] if flag.topic in r.topics), None)
        return RoleFinding(_source(role, info, rule or self._rules.rules[role][0], flag))

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


def _source(role: Role, info: TopicInfo, rule: Rule | None, flag: Flag | None = None) -> Source:
    frame = (flag and flag.frame) or (rule and rule.frame if info.type in _TWISTS else None)
    axes = (flag and flag.axes) or (rule and rule.axes)
    default = VelocityFrame.BODY if info.type == ODOMETRY else VelocityFrame.HEADING
    fov_deg = (flag and flag.horizontal_fov_deg) or (rule and rule.horizontal_fov_deg)
    return Source(info.name, info.type, frame or default, axes or Axes.FLU, fov_deg or None)


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

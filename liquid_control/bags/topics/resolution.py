"""Which topic of a bag plays which role, or why a bag is of no use without it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from liquid_control.bags.bag import Bag, TopicInfo
from liquid_control.bags.topics.roles import TYPES, Axes, Role, VelocityFrame
from liquid_control.bags.topics.topic_rules import Flag, Rule, TopicRules, preset_rules
from liquid_control.errors import BagError
from liquid_control.message_types import COMPRESSED_IMAGE, ODOMETRY, TWIST, TWIST_STAMPED


@dataclass(frozen=True, slots=True)
class Source:
    """A topic that plays a role.

    Attributes:
        topic: its name, with the leading slash.
        type: such as `sensor_msgs/msg/Image`.
        frame: of commands; types that say it themselves go before.
        axes: of `sensor_msgs/Imu`.
        horizontal_fov_deg: of the camera, where the rules tell it, degrees.
    """

    topic: str
    type: str
    frame: VelocityFrame = VelocityFrame.HEADING
    axes: Axes = Axes.FLU
    horizontal_fov_deg: float | None = None


@dataclass(frozen=True, slots=True)
class TopicMap:
    """The topics of a flight.

    Attributes:
        sources: by role (`Role` or its word); a role that is not there was not found.
    """

    sources: Mapping[Role, Source]

    def __contains__(self, role: str) -> bool:
        return Role(role) in self.sources

    def topic(self, role: str) -> str | None:
        """Return the name of a role's topic, None where it was not found."""
        source = self.sources.get(Role(role))
        return None if source is None else source.topic

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of all topics that play a role."""
        return tuple(dict.fromkeys(source.topic for source in self.sources.values()))

    @property
    def has_commands(self) -> bool:
        """Whether there is a command, before or after the guard."""
        return Role.COMMAND in self.sources or Role.POLICY_COMMAND in self.sources


@dataclass(frozen=True, slots=True)
class RoleFinding:
    """What was found for a role.

    Attributes:
        source: the topic; None where there is none.
        problem: why there is none, and which flag would help; empty where all is well.
        choices: topics that could be it, where that is not decided.
    """

    source: Source | None
    problem: str = ""
    choices: tuple[str, ...] = ()


NO_CAMERA = ("depth", "disparity", "/perception/features")
"""Words in the names of images that are no pictures."""
LISTED = (Role.CAMERA, Role.COMMAND)
"""Roles without which it helps to see everything that a bag has."""
ONLY_BY_NAME = (Role.FEATURES, Role.NEURONS, Role.CLOCK)
"""Roles that nothing but this project's own graph fills."""
NAMES_SHOWN = 12


def advise(role: Role, topics: Mapping[str, TopicInfo], taken: Collection[str]) -> RoleFinding:
    """Return why a role is empty.

    Args:
        role: which.
        topics: everything that the bag has.
        taken: topics that play other roles.
    """
    if role in ONLY_BY_NAME:
        return RoleFinding(None, f"no {role.value}")
    choices = [name for name in of_type(role, topics) if name not in taken]
    if not choices:
        return RoleFinding(None, _nothing(role, topics))
    flag = f"--topic {role.value}={choices[0]}"
    if preset := _preset_for(role, choices):
        flag = f"{preset} or {flag}"
    if len(choices) == 1:
        return RoleFinding(None, f"no {role.value} by name; if it is {choices[0]}, say {flag}")
    number = {2: "two"}.get(len(choices), str(len(choices)))
    problem = f"{number} topics could be the {role.value}: {names(choices)}; choose with {flag}"
    return RoleFinding(None, problem, tuple(choices))


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


BY_TYPE = (Role.CAMERA, Role.IMU, Role.ODOMETRY)
"""Roles that a single topic of their type takes, whatever its name."""
COMMANDS = (Role.COMMAND, Role.POLICY_COMMAND)
"""One does for the other."""
_TWISTS = (TWIST, TWIST_STAMPED)


def find_roles(topics: Mapping[str, TopicInfo], rules: TopicRules) -> dict[Role, RoleFinding]:
    """Return what was found for every role, without judging whether it is enough."""
    heard = {name: info for name, info in topics.items() if info.count != 0}
    search = _Search(heard, topics, rules)
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
    """Looks for roles among the topics that hold messages."""

    def __init__(
        self, heard: Mapping[str, TopicInfo], told: Mapping[str, TopicInfo], rules: TopicRules
    ) -> None:
        self._heard = heard
        self._told = told
        self._rules = rules
        self._namespace = self._camera_namespace()

    def find(self, role: Role) -> RoleFinding | None:
        """Return a role's topic by flag, by name, by name in the camera's namespace, by type.

        None where there is none, or not just one; a flag that cannot be followed is a finding.
        """
        if (flag := self._rules.flags.get(role)) is not None:
            return self._flagged(role, flag)
        for namespace in dict.fromkeys(("", self._namespace)):
            for rule in self._rules.rules[role]:
                for name in rule.topics:
                    if (info := self._playing(role, f"{namespace}{name}")) is not None:
                        return RoleFinding(_source(role, info, rule))
        choices = of_type(role, self._heard)
        if role in BY_TYPE and len(choices) == 1:
            return RoleFinding(_source(role, self._heard[choices[0]], self._rules.rules[role][-1]))
        return None

    def camera_info(self, camera: Source | None) -> RoleFinding | None:
        """Return the intrinsics that lie beside the camera."""
        role = Role.CAMERA_INFO
        if camera is None or role in self._rules.flags:
            return self.find(role)
        parent = camera.topic
        for _ in range(2):
            parent = parent.rpartition("/")[0]
            if (info := self._playing(role, f"{parent}/camera_info")) is not None:
                return RoleFinding(_source(role, info, None))
        return None

    def _playing(self, role: Role, name: str) -> TopicInfo | None:
        info = self._heard.get(name)
        return info if info is not None and info.type in TYPES[role] else None

    def _flagged(self, role: Role, flag: Flag) -> RoleFinding:
        if flag.topic is None:
            return RoleFinding(None)
        asked = f"--topic {role.value}={flag.topic}"
        info = self._told.get(flag.topic)
        if info is None:
            return RoleFinding(
                None, f"{asked}: no such topic; the bag has {names(sorted(self._told))}"
            )
        if info.type not in TYPES[role]:
            expected = " or ".join(short(kind) for kind in TYPES[role])
            return RoleFinding(None, f"{asked}: expected {expected}, got {short(info.type)}")
        rule = next((r for r in self._rules.rules[role] if flag.topic in r.topics), None)
        return RoleFinding(_source(role, info, rule or self._rules.rules[role][0], flag))

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


def resolve(bag: Bag, rules: TopicRules, needed: Collection[str] = (Role.CAMERA,)) -> TopicMap:
    """Find the topics of a flight.

    Args:
        bag: what is there.
        rules: what to look for.
        needed: roles without which the bag is of no use; a command before the guard does for one
            after it, and the other way round.

    Raises:
        BagError: a role that is needed has no topic, several topics could be a camera or IMU, or
            a flag names a topic that is not there or is of another type.
    """
    findings = find_roles(bag.topics, rules)
    if problem := obstacle(findings, rules, needed):
        raise BagError(f"{bag.path}: {problem}")
    return TopicMap({r: f.source for r, f in findings.items() if f.source is not None})


def obstacle(
    findings: Mapping[Role, RoleFinding], rules: TopicRules, needed: Collection[str]
) -> str:
    """Return what `resolve` would refuse, in a line; empty where it would not."""
    wanted = {Role(role) for role in needed}
    for role, finding in findings.items():
        undecided = len(finding.choices) > 1 and role in (Role.CAMERA, Role.IMU)
        missed = role in wanted and not _other(findings, role)
        matters = undecided or missed or role in rules.flags
        if finding.source is None and matters and finding.problem:
            return finding.problem
    return ""


def _other(findings: Mapping[Role, RoleFinding], role: Role) -> bool:
    pair = {Role.COMMAND: Role.POLICY_COMMAND, Role.POLICY_COMMAND: Role.COMMAND}
    other = findings.get(pair.get(role, role))
    return other is not None and other.source is not None

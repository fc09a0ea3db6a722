"""Topics that have a role in a flight, with the conventions of their messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from liquid_control.bags.topics.topic_rules import COMMANDS, Axes, Role, VelocityFrame
from liquid_control.message_types import IMU, TWIST, TWIST_STAMPED

TWISTS = (TWIST, TWIST_STAMPED)


class Convention(str, Enum):
    """Origin of the frame or axes of a source."""

    FLAG = "flag"
    PRESET = "preset"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Source:
    """A topic that has a role.

    Attributes:
        topic: topic name with the leading slash.
        type: message type such as `sensor_msgs/msg/Image`.
        frame: velocity frame of commands; message types that define a frame override it.
        axes: axes of a `sensor_msgs/Imu`.
        horizontal_fov_deg: field of view of the camera from the rules, degrees; None if not given.
        encoding: encoding of the camera's pictures from the rules; None to follow the pictures.
        convention: origin of `frame` and `axes`; messages that state another frame replace a
            default.
        force_topic: topic of the accelerometer if `topic` has only angular rates; else None.
        shift_s: time to add to the stamps, s; None if not given.
    """

    topic: str
    type: str
    frame: VelocityFrame = VelocityFrame.HEADING
    axes: Axes = Axes.FLU
    horizontal_fov_deg: float | None = None
    encoding: str | None = None
    convention: Convention = Convention.DEFAULT
    force_topic: str | None = None
    shift_s: float | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of its topics."""
        return (self.topic,) if self.force_topic is None else (self.topic, self.force_topic)

    @property
    def name(self) -> str:
        """Name of the topic or topics, as in a flag."""
        return "+".join(self.topics)

    def flag(self, role: Role, *, convention: str | None = None, shift_s: float | None) -> str:
        """Return the flag that selects this source.

        Args:
            role: the role of the source.
            convention: frame or axes to write; None to write the source's if they come from a
                flag.
            shift_s: time to add to the stamps, s; None to write none.
        """
        words = [f"{role.value}={self.name}"]
        own = self.axes.value if role is Role.IMU else self.frame.value
        if convention is not None:
            words.append(convention)
        elif self.convention is Convention.FLAG:
            words.append(own)
        if self.horizontal_fov_deg is not None:
            words.append(f"{self.horizontal_fov_deg:g}")
        if shift_s is not None:
            words.append(f"shift={shift_s:.2f}")
        return f"--topic {','.join(words)}"


def has_convention(role: Role, kind: str) -> bool:
    """Return whether the rules define the frame or axes of the messages of a type."""
    return kind == IMU if role is Role.IMU else role in COMMANDS and kind in TWISTS


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
        sources = self.sources.values()
        return tuple(dict.fromkeys(name for source in sources for name in source.topics))

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

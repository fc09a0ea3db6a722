"""The topics that play a flight's roles, and what was found for each."""

from collections.abc import Mapping
from dataclasses import dataclass

from liquid_control.bags.topics.roles import Axes, Role, VelocityFrame


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
class Finding:
    """What was found for a role.

    Attributes:
        source: the topic; None where there is none.
        problem: why there is none, and which flag would help; empty where all is well.
        choices: topics that could be it, where that is not decided.
    """

    source: Source | None
    problem: str = ""
    choices: tuple[str, ...] = ()

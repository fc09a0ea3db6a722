"""Which topics to look for, and how their recorder spoke: files of `config/topics` and flags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from liquid_control.bags.topics.roles import Axes, Role, VelocityFrame
from liquid_control.config.loading import Settings, load_yaml, validate
from liquid_control.config.locations import project_file
from liquid_control.errors import ConfigError

FOLDER = "config/topics"
DEFAULT = "liquid_control"
NOTHING = "none"
"""Stands for a topic where a role shall stay empty: `--topic imu=none`."""


class Rule(Settings):
    """Where a role may be found, and how it speaks."""

    topics: tuple[str, ...] = Field(min_length=1, description="names to look for, best first")
    frame: VelocityFrame | None = Field(
        None, description="of commands told as a twist: heading, body, map or ned"
    )
    axes: Axes | None = Field(None, description="of sensor_msgs/Imu: flu, frd or optical")
    horizontal_fov_deg: float | None = Field(
        None, gt=1.0, lt=180.0, description="of the camera, in place of camera_info's, degrees"
    )


class Preset(Settings):
    """One file of `config/topics`."""

    camera: Rule | None = None
    camera_info: Rule | None = None
    imu: Rule | None = None
    odometry: Rule | None = None
    policy_command: Rule | None = None
    command: Rule | None = None
    features: Rule | None = None
    neurons: Rule | None = None
    clock: Rule | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """What `--topic ROLE=/NAME[,FRAME]` said.

    Attributes:
        topic: its name; None where the role shall stay empty.
        frame: of a command, where it was given.
        axes: of an IMU, where they were given.
        horizontal_fov_deg: of the camera, where it was given, degrees.
    """

    topic: str | None
    frame: VelocityFrame | None = None
    axes: Axes | None = None
    horizontal_fov_deg: float | None = None


@dataclass(frozen=True, slots=True)
class TopicRules:
    """What to look for.

    Attributes:
        rules: by role, best first.
        flags: by role; they win over every rule.
    """

    rules: Mapping[Role, tuple[Rule, ...]]
    flags: Mapping[Role, Flag] = field(default_factory=dict)


def load_rules(presets: Sequence[str] = (), flags: Mapping[str, str] | None = None) -> TopicRules:
    """Put rules together: presets in their order, this project's own topics after them.

    Args:
        presets: names of files in `config/topics`, or paths of files like them.
        flags: role to topic, `/name` or `/name,FRAME` or `none`.

    Raises:
        ConfigError: a preset, a role or a frame is not known, or a file is not valid.
    """
    files = [_file(name) for name in dict.fromkeys((*presets, DEFAULT))]
    loaded = [_rules(path) for path in files]
    rules = {role: tuple(some[role] for some in loaded if role in some) for role in Role}
    return TopicRules(rules, dict(_flag(*pair) for pair in (flags or {}).items()))


@lru_cache(maxsize=1)
def preset_rules() -> Mapping[str, Mapping[Role, Rule]]:
    """Return the rules of every file in `config/topics`, by its name."""
    return {name: _rules(_file(name)) for name in preset_names()}


def preset_names() -> list[str]:
    """Return the names of the files in `config/topics`."""
    return sorted(path.stem for path in project_file(FOLDER).glob("*.yaml"))


def _rules(path: Path) -> dict[Role, Rule]:
    preset = validate(Preset, load_yaml(path), str(path))
    return {role: rule for role in Role if (rule := getattr(preset, role.value)) is not None}


def _file(name: str) -> Path:
    if name in preset_names():
        return project_file(f"{FOLDER}/{name}.yaml")
    path = Path(name)
    if path.is_file():
        return path
    raise ConfigError(f"--topics {name}: expected a file, or one of: {', '.join(preset_names())}")


def _flag(role: str, text: str) -> tuple[Role, Flag]:
    roles = [known.value for known in Role]
    if role not in roles:
        raise ConfigError(f"--topic {role}={text}: unknown role; there are: {', '.join(roles)}")
    topic, _, manner = text.partition(",")
    if not topic.strip("/"):
        raise ConfigError(f"--topic {role}={text}: expected a topic such as {role}=/name")
    known_role = Role(role)
    if topic == NOTHING:
        return known_role, Flag(None)
    absolute = topic if topic.startswith("/") else f"/{topic}"
    if not manner:
        return known_role, Flag(absolute)
    return known_role, _told(known_role, absolute, manner)


def _told(role: Role, topic: str, manner: str) -> Flag:
    """Return a flag with what stands after its comma."""
    if role is Role.CAMERA:
        return Flag(topic, horizontal_fov_deg=_field_of_view(topic, manner))
    known: tuple[str, ...] = ()
    if role is Role.IMU:
        known = tuple(axes.value for axes in Axes)
    elif role in (Role.COMMAND, Role.POLICY_COMMAND):
        known = tuple(frame.value for frame in VelocityFrame)
    if manner not in known:
        expected = f"one of {', '.join(known)}" if known else "nothing"
        raise ConfigError(
            f"--topic {role.value}={topic},{manner}: expected {expected} after the comma"
        )
    if role is Role.IMU:
        return Flag(topic, axes=Axes(manner))
    return Flag(topic, frame=VelocityFrame(manner))


def _field_of_view(topic: str, text: str) -> float:
    try:
        return Rule(topics=(topic,), horizontal_fov_deg=float(text)).horizontal_fov_deg or 0.0
    except ValueError:
        raise ConfigError(
            f"--topic camera={topic},{text}: expected the camera's horizontal field of view after "
            "the comma, between 1 and 180 degrees"
        ) from None

"""Topic roles, and the rules that find them: files of `config/topics` and command-line flags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from liquid_control import message_types
from liquid_control.config import Settings, load_yaml, project_file, validate
from liquid_control.errors import ConfigError


class Role(str, Enum):
    """Role of a topic in a flight; the values are the names in flags and files."""

    CAMERA = "camera"
    CAMERA_INFO = "camera_info"
    IMU = "imu"
    ODOMETRY = "odometry"
    POLICY_COMMAND = "policy_command"
    COMMAND = "command"
    FEATURES = "features"
    NEURONS = "neurons"
    CLOCK = "clock"


class VelocityFrame(str, Enum):
    """Frame of the velocity of a command.

    `heading` is `base_link` without roll and pitch, `body` is `base_link` (FLU) with them, `map`
    is ENU, `ned` is north-east-down.
    """

    HEADING = "heading"
    BODY = "body"
    MAP = "map"
    NED = "ned"


class Axes(str, Enum):
    """Axes of an IMU: `base_link` (FLU), forward-right-down, or optical as for a camera."""

    FLU = "flu"
    FRD = "frd"
    OPTICAL = "optical"


_STATES = (
    message_types.ODOMETRY,
    message_types.VEHICLE_ODOMETRY,
    message_types.VEHICLE_LOCAL_POSITION,
)
_COMMANDS = (
    message_types.TWIST_STAMPED,
    message_types.TWIST,
    message_types.TRAJECTORY_SETPOINT,
    message_types.POSITION_TARGET,
    *_STATES,
)

TYPES: dict[Role, tuple[str, ...]] = {
    Role.CAMERA: (message_types.IMAGE, message_types.COMPRESSED_IMAGE),
    Role.CAMERA_INFO: (message_types.CAMERA_INFO,),
    Role.IMU: (message_types.IMU, message_types.SENSOR_COMBINED),
    Role.ODOMETRY: _STATES,
    Role.POLICY_COMMAND: _COMMANDS,
    Role.COMMAND: _COMMANDS,
    Role.FEATURES: (message_types.IMAGE,),
    Role.NEURONS: (message_types.JOINT_STATE,),
    Role.CLOCK: (message_types.CLOCK,),
}
"""Message types accepted for each role; a vehicle state as a command means its velocity."""

FOLDER = "config/topics"
DEFAULT = "liquid_control"
NO_TOPIC = "none"
"""Topic name that leaves a role empty: `--topic imu=none`."""


class Rule(Settings):
    """Topic names of a role, and the conventions of its messages."""

    topics: tuple[str, ...] = Field(
        min_length=1, description="topic names to search for, best first"
    )
    frame: VelocityFrame | None = Field(
        None, description="of commands sent as a twist: heading, body, map or ned"
    )
    axes: Axes | None = Field(None, description="of sensor_msgs/Imu: flu, frd or optical")
    horizontal_fov_deg: float | None = Field(
        None, gt=1.0, lt=180.0, description="of the camera, degrees; replaces camera_info"
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
    """Value of one `--topic ROLE=/NAME[,FRAME]` flag.

    Attributes:
        topic: topic name; None to leave the role empty.
        frame: velocity frame of a command, if given.
        axes: axes of an IMU, if given.
        horizontal_fov_deg: field of view of the camera, degrees, if given.
    """

    topic: str | None
    frame: VelocityFrame | None = None
    axes: Axes | None = None
    horizontal_fov_deg: float | None = None


@dataclass(frozen=True, slots=True)
class TopicRules:
    """Rules for finding the topics of a flight.

    Attributes:
        rules: rules by role, best first.
        flags: flags by role; a flag takes precedence over every rule.
    """

    rules: Mapping[Role, tuple[Rule, ...]]
    flags: Mapping[Role, Flag] = field(default_factory=dict)


def load_rules(presets: Sequence[str] = (), flags: Mapping[str, str] | None = None) -> TopicRules:
    """Load presets in the given order, followed by the topics of this project.

    Args:
        presets: names of files in `config/topics`, or paths of files in the same format.
        flags: topic by role: `/name`, `/name,FRAME` or `none`.

    Raises:
        ConfigError: a preset, role or frame is unknown, or a file is invalid.
    """
    files = [_file(name) for name in dict.fromkeys((*presets, DEFAULT))]
    loaded = [_rules(path) for path in files]
    rules = {role: tuple(file[role] for file in loaded if role in file) for role in Role}
    return TopicRules(rules, dict(_flag(*pair) for pair in (flags or {}).items()))


@lru_cache(maxsize=1)
def preset_rules() -> Mapping[str, Mapping[Role, Rule]]:
    """Return the rules of every file in `config/topics`, by file name."""
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
    topic, _, suffix = text.partition(",")
    if not topic.strip("/"):
        raise ConfigError(f"--topic {role}={text}: expected a topic such as {role}=/name")
    known_role = Role(role)
    if topic == NO_TOPIC:
        return known_role, Flag(None)
    absolute = topic if topic.startswith("/") else f"/{topic}"
    if not suffix:
        return known_role, Flag(absolute)
    return known_role, _flag_with_suffix(known_role, absolute, suffix)


def _flag_with_suffix(role: Role, topic: str, suffix: str) -> Flag:
    """Return a flag with the value after its comma."""
    if role is Role.CAMERA:
        return Flag(topic, horizontal_fov_deg=_field_of_view(topic, suffix))
    known: tuple[str, ...] = ()
    if role is Role.IMU:
        known = tuple(axes.value for axes in Axes)
    elif role in (Role.COMMAND, Role.POLICY_COMMAND):
        known = tuple(frame.value for frame in VelocityFrame)
    if suffix not in known:
        expected = f"one of {', '.join(known)}" if known else "nothing"
        raise ConfigError(
            f"--topic {role.value}={topic},{suffix}: expected {expected} after the comma"
        )
    if role is Role.IMU:
        return Flag(topic, axes=Axes(suffix))
    return Flag(topic, frame=VelocityFrame(suffix))


def _field_of_view(topic: str, text: str) -> float:
    try:
        return Rule(topics=(topic,), horizontal_fov_deg=float(text)).horizontal_fov_deg or 0.0
    except ValueError:
        raise ConfigError(
            f"--topic camera={topic},{text}: expected the camera's horizontal field of view after "
            "the comma, between 1 and 180 degrees"
        ) from None

"""Topic roles, and the rules that find them: files of `config/topics` and command-line flags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from liquid_control import message_types
from liquid_control.config import Settings, load_yaml, project_file, validate
from liquid_control.errors import ConfigError
from liquid_control.perception.encodings import PICTURE_ENCODINGS


class Role(str, Enum):
    """Role of a topic in a flight; the values are the names in flags and files."""

    CAMERA = "camera"
    CAMERA_INFO = "camera_info"
    IMU = "imu"
    RANGE = "range"
    ODOMETRY = "odometry"
    POLICY_COMMAND = "policy_command"
    COMMAND = "command"
    FEATURES = "features"
    NEURONS = "neurons"
    INPUTS = "inputs"
    ADAPTATION = "adaptation"
    GUARD = "guard"
    CLOCK = "clock"


class VelocityFrame(str, Enum):
    """Frame of the velocity of a command.

    `heading` is `base_link` without roll and pitch, `body` is `base_link` (FLU) with them, `frd`
    is the same with forward-right-down axes, `map` is ENU, `ned` is north-east-down.
    """

    HEADING = "heading"
    BODY = "body"
    MAP = "map"
    NED = "ned"
    FRD = "frd"


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
    Role.RANGE: (message_types.RANGE,),
    Role.ODOMETRY: _STATES,
    Role.POLICY_COMMAND: _COMMANDS,
    Role.COMMAND: _COMMANDS,
    Role.FEATURES: (message_types.IMAGE,),
    Role.NEURONS: (message_types.JOINT_STATE,),
    Role.INPUTS: (message_types.JOINT_STATE,),
    Role.ADAPTATION: (message_types.JOINT_STATE,),
    Role.GUARD: (message_types.JOINT_STATE,),
    Role.CLOCK: (message_types.CLOCK,),
}
COMMANDS = (Role.COMMAND, Role.POLICY_COMMAND)
"""Roles of which one substitutes for the other."""
"""Message types accepted for each role; a vehicle state as a command means its velocity."""

FOLDER = "config/topics"
DEFAULT = "liquid_control"
NO_TOPIC = "none"
"""Topic name that leaves a role empty: `--topic imu=none`."""
SHIFT = "shift="
MAX_SHIFT_S = 1e9


class Rule(Settings):
    """Topic names of a role, and the conventions of its messages."""

    topics: tuple[str, ...] = Field(
        min_length=1, description="topic names to search for, best first"
    )
    frame: VelocityFrame | None = Field(
        None, description="of commands sent as a twist: heading, body, frd, map or ned"
    )
    axes: Axes | None = Field(None, description="of sensor_msgs/Imu: flu, frd or optical")
    horizontal_fov_deg: float | None = Field(
        None, gt=1.0, lt=180.0, description="of the camera, degrees; replaces camera_info"
    )
    encoding: str | None = Field(
        None,
        pattern=f"^({'|'.join(PICTURE_ENCODINGS)})$",
        description="of the camera's pictures; replaces the one that they declare",
    )


class Preset(Settings):
    """One file of `config/topics`."""

    camera: Rule | None = None
    camera_info: Rule | None = None
    imu: Rule | None = None
    range: Rule | None = None
    odometry: Rule | None = None
    policy_command: Rule | None = None
    command: Rule | None = None
    features: Rule | None = None
    neurons: Rule | None = None
    inputs: Rule | None = None
    adaptation: Rule | None = None
    guard: Rule | None = None
    clock: Rule | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """Value of one `--topic ROLE=/NAME[,FRAME][,shift=S]` flag.

    Attributes:
        topic: topic name; None to leave the role empty.
        frame: velocity frame of a command, if given.
        axes: axes of an IMU, if given.
        horizontal_fov_deg: field of view of the camera, degrees, if given.
        encoding: encoding of the camera's pictures, if given.
        force_topic: topic of the accelerometer if that of the IMU has only rates, after a `+`.
        shift_s: time to add to the stamps, s, if given.
    """

    topic: str | None
    frame: VelocityFrame | None = None
    axes: Axes | None = None
    horizontal_fov_deg: float | None = None
    encoding: str | None = None
    force_topic: str | None = None
    shift_s: float | None = None


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


def known_rule(role: Role, topic: str) -> Rule | None:
    """Return the rule of the shipped preset that lists a topic, with or without a namespace.

    The conventions of a command hold for both roles of commands. A name of one component, such as
    `/imu`, is not known: recorders of different axes use it.
    """
    roles = (Role.COMMAND, Role.POLICY_COMMAND) if role in COMMANDS else (role,)
    found = [
        (len(name), rule)
        for preset, rules in preset_rules().items()
        for rule in (rules[known] for known in roles if known in rules and preset != DEFAULT)
        for listed in rule.topics
        for name in listed.split("+")
        if name.count("/") > 1 and topic.endswith(name)
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None


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
    topic, *values = text.split(",")
    topic, plus, force_topic = topic.partition("+")
    if not topic.strip("/") or (plus and not force_topic.strip("/")):
        raise ConfigError(f"--topic {role}={text}: expected a topic such as {role}=/name")
    known_role = Role(role)
    if topic == NO_TOPIC:
        return known_role, Flag(None)
    if plus and known_role is not Role.IMU:
        raise ConfigError(f"--topic {role}={text}: expected one topic, got two joined by +")
    suffix = ",".join(value for value in values if not value.startswith(SHIFT))
    flag = Flag(_absolute(topic))
    if suffix:
        flag = _flag_with_suffix(known_role, _absolute(topic), suffix)
    shifts = [_shift(role, text, value) for value in values if value.startswith(SHIFT)]
    return known_role, replace(
        flag,
        force_topic=_absolute(force_topic) if plus else None,
        shift_s=shifts[0] if shifts else None,
    )


def _absolute(topic: str) -> str:
    return topic if topic.startswith("/") else f"/{topic}"


def _shift(role: str, text: str, value: str) -> float:
    try:
        shift_s = float(value.removeprefix(SHIFT))
    except ValueError:
        shift_s = float("nan")
    if not abs(shift_s) <= MAX_SHIFT_S:
        raise ConfigError(
            f"--topic {role}={text}: expected seconds to add to the stamps, such as shift=-5.0, "
            f"got {value}"
        )
    return shift_s


def _flag_with_suffix(role: Role, topic: str, suffix: str) -> Flag:
    """Return a flag with the value after its comma."""
    if role is Role.CAMERA:
        return _camera_flag(topic, suffix)
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


def _camera_flag(topic: str, suffix: str) -> Flag:
    """Return a camera's flag from degrees, an encoding, or both in any order."""
    flag = Flag(topic)
    for word in suffix.split(","):
        if word.lower() in PICTURE_ENCODINGS and flag.encoding is None:
            flag = replace(flag, encoding=word.lower())
        elif flag.horizontal_fov_deg is None:
            flag = replace(flag, horizontal_fov_deg=_field_of_view(topic, suffix, word))
        else:
            raise ConfigError(_camera_problem(topic, suffix))
    return flag


def _field_of_view(topic: str, suffix: str, text: str) -> float:
    try:
        return Rule(topics=(topic,), horizontal_fov_deg=float(text)).horizontal_fov_deg or 0.0
    except ValueError:
        raise ConfigError(_camera_problem(topic, suffix)) from None


def _camera_problem(topic: str, suffix: str) -> str:
    return (
        f"--topic camera={topic},{suffix}: expected the camera's horizontal field of view after "
        "the comma, between 1 and 180 degrees, or the encoding of its pictures, one of "
        f"{', '.join(PICTURE_ENCODINGS)}"
    )

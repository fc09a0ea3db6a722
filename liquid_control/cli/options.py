"""The options by which every command that reads bags is told which topics play which role."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liquid_control.errors import ConfigError

if TYPE_CHECKING:
    from liquid_control.bags.topics import TopicRules


Topics = Annotated[
    list[str] | None,
    typer.Option(
        "--topics",
        metavar="PRESET|FILE",
        help="Topics of a recorder: px4, mavros, realsense, usb_cam, or a file like those in "
        "config/topics. Again for more; the first that fits wins.",
        show_default="liquid_control",
    ),
]
"""`--topics`, repeatable."""

Topic = Annotated[
    list[str] | None,
    typer.Option(
        "--topic",
        metavar="ROLE=/NAME",
        help="The topic of one role: camera, camera_info, imu, odometry, policy_command, command, "
        "features, neurons, clock. ROLE=none leaves it empty. A command's frame (heading, body, "
        "map, ned), an IMU's axes (flu, frd, optical) or a camera's horizontal field of view in "
        "degrees may follow: command=/cmd_vel,map or camera=/image_raw,69.4.",
        show_default=False,
    ),
]
"""`--topic`, repeatable."""


def rules_of(topics: Sequence[str] | None, topic: Iterable[str] | None) -> "TopicRules":
    """Return the rules that the two options ask for.

    Raises:
        ConfigError: a word is not `role=/name`, or a preset, role or frame is not known.
    """
    from liquid_control.bags.topics import load_rules

    flags: dict[str, str] = {}
    for word in topic or ():
        role, sign, name = word.partition("=")
        if not (sign and role and name):
            raise ConfigError(f"--topic expects role=/name, got {word!r}")
        if role in flags:
            raise ConfigError(f"--topic {role} was given twice: {flags[role]} and {name}")
        flags[role] = name
    return load_rules(topics or (), flags)


def whole_number(least: int) -> Callable[[str], int]:
    """Return a parser of whole numbers that are not below `least`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise typer.BadParameter(f"expected a whole number >= {least}, got {str(text)!r}")
        return number

    return parse


def factor(text: str) -> float:
    """Parse a number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise typer.BadParameter(f"expected a number > 0, got {str(text)!r}")
    return number


def at_least(least: float) -> Callable[[str], float]:
    """Return a parser of finite numbers that are not below `least`."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = least - 1.0
        if not least <= number < float("inf"):
            raise typer.BadParameter(f"expected a number >= {least:g}, got {str(text)!r}")
        return number

    return parse


def override_words(overrides: Mapping[str, Any]) -> list[str]:
    """Return `key=value` words that `parse_settings` reads back as they were."""
    return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]

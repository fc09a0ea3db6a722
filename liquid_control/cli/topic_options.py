"""The options by which every command that reads bags is told which topics play which role."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

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

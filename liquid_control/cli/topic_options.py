"""Options of the commands that read bags: topics and their roles."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.errors import ConfigError

if TYPE_CHECKING:
    from liquid_control.bags import TopicRules


Topics = Annotated[
    list[str] | None,
    typer.Option(
        "--topics",
        metavar="PRESET|FILE",
        help="Topic preset of a recorder: px4, mavros, realsense, usb_cam, or a file like those "
        "in config/topics. Repeatable; the first match applies.",
        show_default="liquid_control",
    ),
]
"""`--topics`, repeatable."""

Topic = Annotated[
    list[str] | None,
    typer.Option(
        "--topic",
        metavar="ROLE=/NAME",
        help="Topic of a role: camera, camera_info, imu, range, odometry, policy_command, "
        "command, features, neurons, inputs, adaptation or clock. ROLE=none leaves the role "
        "empty. Append the frame of a command (heading, body, frd, map, ned), the axes of an IMU "
        "(flu, frd, optical) or the horizontal field of view of a camera in degrees and the "
        "encoding of its pictures after a comma: command=/cmd_vel,map, camera=/image_raw,69.4 or "
        "camera=/image_raw,bgr8. shift=S after a comma adds S seconds to the stamps: "
        "command=/cmd_vel,shift=-5. An IMU can be two topics: imu=/gyro+/accel. Repeatable.",
        show_default=False,
    ),
]
"""`--topic`, repeatable."""


def rules_of(topics: Sequence[str] | None, topic: Iterable[str] | None) -> "TopicRules":
    """Return the topic rules of `--topics` and `--topic`.

    Raises:
        ConfigError: a value of `--topic` is not `role=/name`, or a preset, role or frame is
            unknown.
    """
    from liquid_control.bags import load_rules

    flags: dict[str, str] = {}
    for value in topic or ():
        role, sign, name = value.partition("=")
        if not (sign and role and name):
            raise ConfigError(f"--topic expects role=/name, got {value!r}")
        if role in flags:
            raise ConfigError(f"--topic {role} was given twice: {flags[role]} and {name}")
        flags[role] = name
    return load_rules(topics or (), flags)

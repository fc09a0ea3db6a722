"""What launch files share: nodes with their parameter files, and how a launch ends."""

from collections.abc import Sequence

from launch.actions import (
    DeclareLaunchArgument,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext
from liquid_control.config import project_file
from liquid_control.errors import ConfigError, GraphError

YES_OR_NO = ["true", "false"]
BACKLOG_S = "60"
"""For a recorder to compress and write what waits, between SIGTERM and SIGKILL."""


def argument(
    name: str, default: str, description: str, choices: Sequence[str] | None = None
) -> DeclareLaunchArgument:
    """Return an argument with what it is given if nothing is said."""
    return DeclareLaunchArgument(
        name,
        default_value=default,
        description=description,
        choices=None if choices is None else list(choices),
    )


def model_argument() -> DeclareLaunchArgument:
    """Return the argument for the model that flies."""
    return argument("model", str(project_file("models") / "trail_cfc19"), "model folder")


def given(arguments: Sequence[DeclareLaunchArgument], context: LaunchContext) -> dict[str, str]:
    """Return the arguments as they were given."""
    return {one.name: LaunchConfiguration(one.name).perform(context) for one in arguments}


def number(name: str, text: str, kind: type[float] = float) -> float:
    """Return an argument's number.

    Raises:
        ConfigError: it is none.
    """
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"{name}: expected a number ({kind.__name__}), got {text!r}") from None


def node(executable: str, parameters: dict[str, object], *files: str, **options: object) -> Node:
    """Return a node of ours: parameters go before those of the files in `config/nodes`."""
    configured = [str(project_file("config/nodes") / file) for file in files]
    return Node(
        package="liquid_control",
        executable=executable,
        name=executable,
        output="screen",
        parameters=[*configured, parameters],
        **options,
    )


def recorder(parameters: dict[str, object], **options: object) -> Node:
    """Return a recorder, with time to write what waits before it is ended by force."""
    return node("recorder_node", parameters, sigkill_timeout=BACKLOG_S, **options)


def ends_together(nodes: Sequence[Node], reason: str) -> list[RegisterEventHandler]:
    """Return what ends the launch with the first process: well if it ended well, else badly."""

    def end(event: ProcessExited, context: LaunchContext) -> list[Shutdown]:
        if context.is_shutdown:
            return []
        if event.returncode != 0:
            raise GraphError(f"{event.process_name} ended with status {event.returncode}")
        return [Shutdown(reason=reason)]

    return [RegisterEventHandler(OnProcessExit(target_action=one, on_exit=end)) for one in nodes]


def middleware() -> list[SetEnvironmentVariable]:
    """Return what makes room for pictures in Fast DDS's shared memory, under both its names."""
    profile = str(project_file("config/fastdds.xml"))
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    return [SetEnvironmentVariable(name, profile) for name in names]

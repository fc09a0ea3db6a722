"""Parts that the launch files share: arguments, nodes with their parameter files, shutdown."""

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
"""For a recorder to compress and write its backlog, between SIGTERM and SIGKILL."""


def argument(
    name: str, default: str, description: str, choices: Sequence[str] | None = None
) -> DeclareLaunchArgument:
    """Return an argument with its default."""
    return DeclareLaunchArgument(
        name,
        default_value=default,
        description=description,
        choices=None if choices is None else list(choices),
    )


def model_argument() -> DeclareLaunchArgument:
    """Return the argument for the model."""
    return argument("model", str(project_file("models") / "trail_cfc19"), "model folder")


def values_of(
    arguments: Sequence[DeclareLaunchArgument], context: LaunchContext
) -> dict[str, str]:
    """Return the values of the arguments."""
    return {one.name: LaunchConfiguration(one.name).perform(context) for one in arguments}


def number(name: str, text: str, kind: type[float] = float) -> float:
    """Return an argument as a number.

    Raises:
        ConfigError: it is not a number.
    """
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"{name}: expected a number ({kind.__name__}), got {text!r}") from None


def node(executable: str, parameters: dict[str, object], *files: str, **options: object) -> Node:
    """Return a node of this package; parameters take precedence over files of `config/nodes`."""
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
    """Return a recorder, with time to write its backlog before it is killed."""
    return node("recorder_node", parameters, sigkill_timeout=BACKLOG_S, **options)


def shut_down_together(nodes: Sequence[Node], reason: str) -> list[RegisterEventHandler]:
    """Return handlers that end the launch with the first process, with an error if it failed."""

    def end(event: ProcessExited, context: LaunchContext) -> list[Shutdown]:
        if context.is_shutdown:
            return []
        if event.returncode != 0:
            raise GraphError(f"{event.process_name} ended with status {event.returncode}")
        return [Shutdown(reason=reason)]

    return [RegisterEventHandler(OnProcessExit(target_action=one, on_exit=end)) for one in nodes]


def middleware() -> list[SetEnvironmentVariable]:
    """Return the actions that make Fast DDS's shared memory large enough for pictures."""
    profile = str(project_file("config/fastdds.xml"))
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    return [SetEnvironmentVariable(name, profile) for name in names]

"""Parts that the launch files share: arguments, nodes with their parameter files, shutdown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessExit, OnProcessIO
from launch.events.process import ProcessExited, ProcessIO
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import Action, LaunchContext
from liquid_control.config import node_parameters, project_file
from liquid_control.errors import ConfigError, GraphError, error_line
from liquid_control.nodes.camera_drivers import CameraDriver
from liquid_control.nodes.node_settings import FoxgloveSettings

YES_OR_NO = ["true", "false"]
LOG_LEVELS = ["debug", "info", "warn", "error", "fatal"]
BACKLOG_S = "60"
"""For a recorder to compress and write its backlog, between SIGTERM and SIGKILL."""
RESPAWN_DELAY_S = 1.0
OUTPUT_DELAY_S = 0.3
"""From the end of a process to that of the launch: its last lines may still be on their way."""
OUTPUT_BYTES = 16384
"""Length of each process's output in which its error line is looked for."""
REFUSED = 2
"""Exit status of a node that refuses its configuration, as for a model that does not load."""


def _is_installed(driver: CameraDriver) -> bool:
    try:
        prefix = Path(get_package_prefix(driver.package))
    except PackageNotFoundError:
        return False
    return (prefix / "lib" / driver.package / driver.executable).is_file()


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


INPUTS = {
    "cruise_speed_mps": "speed that the policy is asked to hold, m/s",
    "camera_pitch_down_deg": "optical axis of the camera below the body's x axis, degrees",
}
"""Parameters of perception_node that are arguments: inputs of some models."""


def input_arguments(otherwise: str) -> list[DeclareLaunchArgument]:
    """Return the arguments for inputs of a policy.

    Args:
        otherwise: what an empty value means.
    """
    return [argument(name, "", f"{text}; empty: {otherwise}") for name, text in INPUTS.items()]


def input_parameters(values: Mapping[str, str]) -> dict[str, object]:
    """Return the parameters of perception_node for the values that are not empty."""
    return {name: number(name, values[name]) for name in INPUTS if values[name]}


def common_arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments that every launch file has."""
    return [
        argument("namespace", "", "namespace of all nodes, topics and services of this vehicle"),
        argument(
            "params_file",
            "",
            "YAML file of node parameters; it wins over config/nodes, and arguments that are "
            "changed here win over it",
        ),
        argument("log_level", "info", "of all nodes", LOG_LEVELS),
        argument(
            "use_respawn", "false", "start perception and controller again if they die", YES_OR_NO
        ),
        argument("foxglove", "false", "serve viewers of Foxglove", YES_OR_NO),
        argument("foxglove_port", "8765", "TCP port of that server, on 127.0.0.1"),
    ]


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


@dataclass(frozen=True)
class NodeMaker:
    """Makes the nodes of a launch.

    Attributes:
        namespace: of all nodes; empty for the root.
        params_file: YAML file of parameters; empty for none.
        log_level: of all nodes.
        respawns: whether nodes of the policy are started again if they die.
        common: parameters of all nodes; they win over every file.
        remappings: of all nodes.
    """

    namespace: str
    params_file: str
    log_level: str
    respawns: bool
    common: Mapping[str, object] = field(default_factory=dict)
    remappings: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(
        cls,
        values: Mapping[str, str],
        common: Mapping[str, object],
        remappings: Sequence[tuple[str, str]] = (),
    ) -> "NodeMaker":
        """Return the maker for the values of `common_arguments`.

        Raises:
            ConfigError: `params_file` does not exist.
        """
        file = values["params_file"]
        if file and not Path(file).is_file():
            raise ConfigError(f"params_file: expected a YAML file, {file} does not exist")
        respawns = values["use_respawn"] == "true"
        return cls(
            values["namespace"], file, values["log_level"], respawns, common, list(remappings)
        )

    def node(
        self,
        executable: str,
        parameters: Mapping[str, object] | None = None,
        file: str = "",
        defaults: Mapping[str, object] | None = None,
        like: str = "",
        named: bool = True,
        **options: object,
    ) -> Node:
        """Return a node of this package.

        Args:
            executable: also the name of the node, if it is `named`.
            parameters: they win over every file.
            file: in `config/nodes`.
            defaults: parameters that `params_file` wins over.
            like: name of a node whose sections of both files hold for this one too.
            named: False for a process of several nodes, which keep their names.
            options: of the launch action.
        """
        shipped = [str(project_file("config/nodes") / file)] if file else []
        own = [self.params_file] if self.params_file else []
        alike = [node_parameters(Path(one), like) for one in (*shipped, *own)] if like else []
        fixed = {**self.common, **(parameters or {})}
        layers = [*shipped, dict(defaults or {}), *alike, *own, fixed]
        return Node(
            package="liquid_control",
            executable=executable,
            name=executable if named else None,
            namespace=self.namespace,
            output="screen",
            parameters=[layer for layer in layers if layer],
            remappings=list(self.remappings),
            ros_arguments=["--log-level", self.log_level],
            **options,
        )

    def policy(self, executable: str, *args: object, **named: object) -> Node:
        """Return a node of the policy, which is started again if it dies and that is wanted."""
        return self.node(
            executable, *args, respawn=self.respawns, respawn_delay=RESPAWN_DELAY_S, **named
        )

    def driver(
        self,
        driver: CameraDriver,
        file: str,
        remappings: Sequence[tuple[str, str]],
        respawn_delay_s: float,
    ) -> Node:
        """Return the driver of a camera, which is started again if it dies.

        Args:
            driver: the driver.
            file: YAML file of its parameters, which wins over the others; empty for none.
            remappings: from its topics.
            respawn_delay_s: time until it is started again.

        Raises:
            ConfigError: `file` does not exist, or the driver is not installed. Launch itself finds
                that out after it has started other nodes, and leaves these running.
        """
        if file and not Path(file).is_file():
            raise ConfigError(f"camera_params: expected a YAML file, {file} does not exist")
        if not _is_installed(driver):
            raise ConfigError(
                f"camera_driver: package {driver.package!r} not found; install it, or source its "
                "workspace"
            )
        files = [str(project_file(driver.file)), self.params_file, file]
        return Node(
            package=driver.package,
            executable=driver.executable,
            name=driver.name,
            namespace=self.namespace,
            output="screen",
            parameters=[one for one in files if one],
            remappings=list(remappings),
            ros_arguments=["--log-level", self.log_level],
            respawn=True,
            respawn_delay=respawn_delay_s,
        )

    def recorder(self, parameters: Mapping[str, object], **named: object) -> Node:
        """Return a recorder, with time to write its backlog before it is killed."""
        return self.node(
            "recorder_node",
            parameters,
            "recorder.yaml",
            sigkill_timeout=BACKLOG_S,
            **named,
        )


def viewer(
    make: NodeMaker,
    values: Mapping[str, str],
    defaults: Mapping[str, object] = MappingProxyType({}),
) -> list[Node]:
    """Return the server of viewers, if one is wanted; its end does not end the launch.

    Args:
        make: makes the node.
        values: of the arguments.
        defaults: parameters that `params_file` wins over, besides the model.

    Raises:
        ConfigError: the port is not a number.
    """
    if values["foxglove"] != "true":
        return []
    port = number("foxglove_port", values["foxglove_port"], int)
    changed = {"port": port} if values["foxglove_port"] != "8765" else {}
    known = {"model": values["model"], **defaults}
    pitched = {key: known[key] for key in known if key in FoxgloveSettings.model_fields}
    return [make.node("foxglove_node", {"autostart": True} | changed, "foxglove.yaml", pitched)]


class OutputTails:
    """Keeps the end of each process's output, for the reason why it ended."""

    def __init__(self) -> None:
        self._tails: dict[str, str] = {}

    def handlers(self, nodes: Iterable[Node]) -> list[RegisterEventHandler]:
        """Return the event handlers that keep the output of nodes."""
        return [
            RegisterEventHandler(
                OnProcessIO(target_action=one, on_stdout=self._keep, on_stderr=self._keep)
            )
            for one in nodes
        ]

    def _keep(self, event: ProcessIO) -> None:
        text = self._tails.get(event.process_name, "") + event.text.decode(errors="replace")
        self._tails[event.process_name] = text[-OUTPUT_BYTES:]

    def failure(self, event: ProcessExited) -> GraphError:
        """Return the error for a process that failed: its name, status and error line."""
        reason = error_line(self._tails.get(event.process_name, ""))
        return GraphError(f"{event.process_name} ended with status {event.returncode}: {reason}")

    def fail(self, event: ProcessExited) -> list[Action]:
        """Return the actions that end the launch with the reason of a process that failed."""

        def raise_failure(context: LaunchContext) -> None:
            raise self.failure(event)

        raising = OpaqueFunction(function=raise_failure)
        return [TimerAction(period=OUTPUT_DELAY_S, actions=[raising])]


def end_together(
    nodes: Sequence[Node], reason: str, respawned: Sequence[Node] = ()
) -> list[Action]:
    """Return handlers that end the launch with the first process, with an error if it failed.

    Args:
        nodes: all.
        reason: why the launch ends with a process that did not fail.
        respawned: those that are started again; only a refused configuration ends the launch.
    """
    tails = OutputTails()

    def end(event: ProcessExited, context: LaunchContext) -> list[Action]:
        if context.is_shutdown:
            return []
        if event.returncode == 0:
            return [Shutdown(reason=reason)]
        if event.action in respawned and event.returncode != REFUSED:
            return []
        return tails.fail(event)

    exits = [RegisterEventHandler(OnProcessExit(target_action=one, on_exit=end)) for one in nodes]
    return [*tails.handlers(nodes), *exits]


def end_if_refused(nodes: Sequence[Node]) -> list[Action]:
    """Return handlers that end the launch if a node's first process refuses its configuration.

    A later process that does so must not end the others in flight.
    """
    tails = OutputTails()
    ended: set[Node] = set()

    def handler(one: Node) -> RegisterEventHandler:
        def end(event: ProcessExited, context: LaunchContext) -> list[Action]:
            first = one not in ended
            ended.add(one)
            if context.is_shutdown or not first or event.returncode != REFUSED:
                return []
            return tails.fail(event)

        return RegisterEventHandler(OnProcessExit(target_action=one, on_exit=end))

    return [*tails.handlers(nodes), *map(handler, nodes)]


def middleware() -> list[SetEnvironmentVariable]:
    """Return the actions that make Fast DDS's shared memory large enough for pictures."""
    profile = str(project_file("config/fastdds.xml"))
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    return [SetEnvironmentVariable(name, profile) for name in names]

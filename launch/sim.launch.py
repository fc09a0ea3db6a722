"""The simulated flight: world, perception, controller and guard, and a recorder if wanted.

    ros2 launch liquid_control sim.launch.py scenario:=trail seed:=3 wind:=gusty lighting:=dusk
    ros2 launch liquid_control sim.launch.py --show-args

Everything ends when the simulator does, that is with the flight, or when a process dies.
"""

from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from liquid_control.config import project_file
from liquid_control.config.presets import preset_names
from liquid_control.errors import ConfigError, GraphError

NONE = "none"
"""A preset argument that leaves the scenario as it is."""


def arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments with descriptions, defaults and choices."""

    def preset(kind: str) -> DeclareLaunchArgument:
        return DeclareLaunchArgument(
            kind,
            default_value=NONE,
            choices=[NONE, *preset_names(kind)],
            description=f"{kind} by name (config/presets.yaml); {NONE}: as the scenario says",
        )

    return [
        DeclareLaunchArgument(
            "scenario", default_value="trail", description="name of a scenario, or path to a .yaml"
        ),
        DeclareLaunchArgument(
            "seed", default_value="0", description="of every random stream, 0 or above"
        ),
        preset("wind"),
        preset("lighting"),
        preset("fog"),
        DeclareLaunchArgument(
            "model",
            default_value=str(project_file("models") / "trail_cfc19"),
            description="model folder",
        ),
        DeclareLaunchArgument(
            "rate",
            default_value="1.0",
            description="simulated seconds in a second; 0: lockstep, as fast as the machine can",
        ),
        DeclareLaunchArgument(
            "record", default_value="", description="bag to write (.mcap); empty: none"
        ),
        DeclareLaunchArgument(
            "gui",
            default_value="false",
            choices=["true", "false"],
            description="PyBullet's window",
        ),
    ]


def nodes(context: LaunchContext) -> list[Node | RegisterEventHandler]:
    """Return the nodes for the arguments as they were given."""
    given = {
        argument.name: LaunchConfiguration(argument.name).perform(context)
        for argument in arguments()
    }
    rate, seed = _number("rate", given["rate"], float), _number("seed", given["seed"], int)
    lockstep = rate == 0.0
    common = {"mode": "lockstep" if lockstep else "realtime", "use_sim_time": True}
    policy = common | {"model": given["model"], "autostart": True}
    presets = {kind: given[kind] for kind in ("wind", "lighting", "fog") if given[kind] != NONE}
    simulator = (
        common
        | presets
        | {
            "scenario": given["scenario"],
            "seed": seed,
            "gui": given["gui"] == "true",
            "recorder": bool(given["record"]),
        }
    )
    if not lockstep:
        simulator["rate"] = rate
    flight = _node("simulator_node", simulator, "simulator.yaml")
    others = [
        _node("perception_node", policy, "perception.yaml"),
        _node("controller_node", policy),
        _node("guard_node", common, "guard.yaml"),
    ]
    if given["record"]:
        path = str(Path(given["record"]).resolve())
        others.append(_node("recorder_node", common | {"path": path}))
    handlers = [
        RegisterEventHandler(OnProcessExit(target_action=node, on_exit=_end))
        for node in (*others, flight)
    ]
    return [*others, flight, *handlers]


def _end(event: ProcessExited, context: LaunchContext) -> list[Shutdown]:
    """End the launch with the first process: well if it ended well, else with status 1."""
    if context.is_shutdown:
        return []
    if event.returncode != 0:
        raise GraphError(f"{event.process_name} ended with status {event.returncode}")
    return [Shutdown(reason="the flight has ended")]


def _number(name: str, text: str, kind: type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"{name}: expected a number ({kind.__name__}), got {text!r}") from None


def _node(executable: str, parameters: dict[str, object], *files: str) -> Node:
    configured = [str(project_file("config/nodes") / file) for file in files]
    return Node(
        package="liquid_control",
        executable=executable,
        name=executable,
        output="screen",
        parameters=[*configured, parameters],
    )


def generate_launch_description() -> LaunchDescription:
    """Return what `ros2 launch` runs."""
    profile = str(project_file("config/fastdds.xml"))
    return LaunchDescription(
        [
            *arguments(),
            SetEnvironmentVariable("FASTRTPS_DEFAULT_PROFILES_FILE", profile),
            SetEnvironmentVariable("FASTDDS_DEFAULT_PROFILES_FILE", profile),
            OpaqueFunction(function=nodes),
        ]
    )

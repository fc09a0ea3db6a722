"""A simulated flight: world, perception, controller and guard, and optionally a recorder.

    ros2 launch liquid_control sim.launch.py scenario:=trail seed:=3 wind:=gusty lighting:=dusk
    ros2 launch liquid_control sim.launch.py --show-args

The launch ends with the flight, or when a process dies.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction, RegisterEventHandler
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from liquid_control.config.overrides import preset_names
from liquid_control.nodes.launching import (
    YES_OR_NO,
    argument,
    middleware,
    model_argument,
    node,
    number,
    recorder,
    shut_down_together,
    values_of,
)

NONE = "none"
"""Value of a preset argument that does not change the scenario."""


def arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments with descriptions, defaults and choices."""

    def preset(kind: str) -> DeclareLaunchArgument:
        return argument(
            kind,
            NONE,
            f"{kind} by name (config/presets.yaml); {NONE}: as in the scenario",
            [NONE, *preset_names(kind)],
        )

    return [
        argument("scenario", "trail", "name of a scenario, or path to a .yaml"),
        argument("seed", "0", "of every random stream, 0 or above"),
        preset("wind"),
        preset("lighting"),
        preset("fog"),
        model_argument(),
        argument("rate", "1.0", "simulated seconds per second; 0: lockstep, as fast as possible"),
        argument("record", "", "bag to write (.mcap); empty: none"),
        argument("gui", "false", "PyBullet's window", YES_OR_NO),
    ]


def nodes(context: LaunchContext) -> list[Node | RegisterEventHandler]:
    """Return the nodes for the values of the arguments."""
    values = values_of(arguments(), context)
    rate, seed = number("rate", values["rate"]), number("seed", values["seed"], int)
    lockstep = rate == 0.0
    common = {"mode": "lockstep" if lockstep else "realtime", "use_sim_time": True}
    policy = common | {"model": values["model"], "autostart": True}
    presets = {kind: values[kind] for kind in ("wind", "lighting", "fog") if values[kind] != NONE}
    simulator = (
        common
        | presets
        | {
            "scenario": values["scenario"],
            "seed": seed,
            "gui": values["gui"] == "true",
            "recorder": bool(values["record"]),
        }
    )
    if not lockstep:
        simulator["rate"] = rate
    flight = node("simulator_node", simulator, "simulator.yaml")
    others = [
        node("perception_node", policy, "perception.yaml"),
        node("controller_node", policy),
        node("guard_node", common, "guard.yaml"),
    ]
    if values["record"]:
        path = str(Path(values["record"]).resolve())
        others.append(recorder(common | {"path": path, "model": values["model"]}))
    all_nodes = [*others, flight]
    return [*all_nodes, *shut_down_together(all_nodes, "the flight has ended")]


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription([*arguments(), *middleware(), OpaqueFunction(function=nodes)])

"""The simulated flight: world, perception, controller and guard, and a recorder if wanted.

    ros2 launch liquid_control sim.launch.py scenario:=trail seed:=3 wind:=gusty lighting:=dusk
    ros2 launch liquid_control sim.launch.py --show-args

Everything ends when the simulator does, that is with the flight, or when a process dies.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction, RegisterEventHandler
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from liquid_control.config.presets import preset_names
from liquid_control.nodes.launching import (
    YES_OR_NO,
    argument,
    ends_together,
    given,
    middleware,
    model_argument,
    node,
    number,
    recorder,
)

NONE = "none"
"""A preset argument that leaves the scenario as it is."""


def arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments with descriptions, defaults and choices."""

    def preset(kind: str) -> DeclareLaunchArgument:
        return argument(
            kind,
            NONE,
            f"{kind} by name (config/presets.yaml); {NONE}: as the scenario says",
            [NONE, *preset_names(kind)],
        )

    return [
        argument("scenario", "trail", "name of a scenario, or path to a .yaml"),
        argument("seed", "0", "of every random stream, 0 or above"),
        preset("wind"),
        preset("lighting"),
        preset("fog"),
        model_argument(),
        argument(
            "rate", "1.0", "simulated seconds in a second; 0: lockstep, as fast as the machine can"
        ),
        argument("record", "", "bag to write (.mcap); empty: none"),
        argument("gui", "false", "PyBullet's window", YES_OR_NO),
    ]


def nodes(context: LaunchContext) -> list[Node | RegisterEventHandler]:
    """Return the nodes for the arguments as they were given."""
    said = given(arguments(), context)
    rate, seed = number("rate", said["rate"]), number("seed", said["seed"], int)
    lockstep = rate == 0.0
    common = {"mode": "lockstep" if lockstep else "realtime", "use_sim_time": True}
    policy = common | {"model": said["model"], "autostart": True}
    presets = {kind: said[kind] for kind in ("wind", "lighting", "fog") if said[kind] != NONE}
    simulator = (
        common
        | presets
        | {
            "scenario": said["scenario"],
            "seed": seed,
            "gui": said["gui"] == "true",
            "recorder": bool(said["record"]),
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
    if said["record"]:
        path = str(Path(said["record"]).resolve())
        others.append(recorder(common | {"path": path, "model": said["model"]}))
    all_nodes = [*others, flight]
    return [*all_nodes, *ends_together(all_nodes, "the flight has ended")]


def generate_launch_description() -> LaunchDescription:
    """Return what `ros2 launch` runs."""
    return LaunchDescription([*arguments(), *middleware(), OpaqueFunction(function=nodes)])

"""Replay of a recorded flight through perception, controller and guard.

    ros2 launch liquid_control replay.launch.py bag:=flight.mcap
    ros2 launch liquid_control replay.launch.py bag:=flight.mcap rate:=0.5 loop:=true
    ros2 launch liquid_control replay.launch.py --show-args

While it runs: `ros2 service call /replay_node/pause std_srvs/srv/SetBool "{data: true}"`,
`ros2 service call /replay_node/step std_srvs/srv/Trigger`, and
`ros2 param set /replay_node position_s 12.0` (also `rate` and `loop`).

The launch ends with the bag, or when a process dies: then with status 1 and the reason.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction

from launch import Action, LaunchContext, LaunchDescription
from liquid_control.bags import open_bag
from liquid_control.bags.topics.topic_rules import preset_names
from liquid_control.errors import BagError, ConfigError
from liquid_control.nodes.launching import (
    YES_OR_NO,
    NodeMaker,
    argument,
    common_arguments,
    end_together,
    input_arguments,
    input_parameters,
    middleware,
    model_argument,
    number,
    values_of,
    viewer,
)
from liquid_control.replay.given_inputs import given_inputs


def arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments with descriptions, defaults and choices."""
    presets = ", ".join(preset_names())
    return [
        argument("bag", "", "bag to replay: .mcap or .db3 file, or folder"),
        model_argument(),
        argument(
            "rate",
            "0",
            "recorded seconds per second; 0: lockstep, each frame waits for its answer",
        ),
        argument("loop", "false", "begin again at the end", YES_OR_NO),
        argument("paused", "false", "begin paused", YES_OR_NO),
        argument("start", "0.0", "begin here, s after the bag's start"),
        argument("duration", "0.0", "length to replay, s; 0: to the end"),
        argument(
            "topics", "", f"topic presets, several with spaces: {presets}, or files of that kind"
        ),
        argument("topic", "", "topics by role, as 'camera=/cam imu=/imu,frd'"),
        *input_arguments("as in the bag"),
        argument("record", "", "bag to write of the replay (.mcap); empty: none"),
        *common_arguments(),
    ]


def nodes(context: LaunchContext) -> list[Action]:
    """Return the nodes for the values of the arguments."""
    values = values_of(arguments(), context)
    if not values["bag"]:
        raise ConfigError("expected a bag, as bag:=flight.mcap")
    rate = number("rate", values["rate"])
    make = NodeMaker.of(values, {"mode": "realtime" if rate else "lockstep", "use_sim_time": True})
    if make.respawns and not rate:
        raise ConfigError("use_respawn: expected rate above 0; in lockstep no answer may be lost")
    defaults = {"model": values["model"]}
    replay: dict[str, object] = {
        "bag": str(Path(values["bag"]).resolve()),
        "loop": values["loop"] == "true",
        "paused": values["paused"] == "true",
        "start_s": number("start", values["start"]),
        "duration_s": number("duration", values["duration"]),
        "recorder": bool(values["record"]),
    }
    replay |= {"rate": rate} if rate else {}
    replay |= {name: values[name].split() for name in ("topics", "topic") if values[name].split()}
    respawned = [
        make.policy(
            "perception_node",
            {"autostart": True} | input_parameters(values),
            "perception.yaml",
            defaults | _inputs(Path(values["bag"])),
        ),
        make.policy("controller_node", {"autostart": True}, defaults=defaults),
        make.policy("guard_node", file="guard.yaml"),
    ]
    all_nodes = [*respawned, make.node("replay_node", replay, "replay.yaml")]
    if values["record"]:
        path = str(Path(values["record"]).resolve())
        all_nodes.append(make.recorder({"path": path, "model": values["model"]}))
    ends = end_together(all_nodes, "the bag has ended", respawned if make.respawns else ())
    viewers = viewer(make, values, _inputs(Path(values["bag"])))
    return [*all_nodes, *viewers, *ends]


def _inputs(bag: Path) -> dict[str, object]:
    """Return the inputs of the recorded policy as parameters of perception_node.

    None for a bag that cannot be read: replay_node reports why.
    """
    try:
        return dict(given_inputs((), open_bag(bag).metadata).parameters)
    except BagError:
        return {}


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription([*arguments(), *middleware(), OpaqueFunction(function=nodes)])

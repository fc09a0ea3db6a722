"""Nodes of a companion computer: perception, controller and guard, and optionally a recorder.

    ros2 launch liquid_control flight.launch.py camera:=/camera/color/image_raw \\
        camera_info:=/camera/color/camera_info imu:=/mavros/imu/data odom:=/mavros/odometry/in \\
        cmd_vel:=/mavros/setpoint_velocity/cmd_vel record:=true
    ros2 launch liquid_control flight.launch.py --show-args

It does not arm the vehicle or take off. Perception and controller wait to be configured and
activated (`ros2 lifecycle set /perception_node configure`, then `activate`, and the same for
`/controller_node`). Until then, and whenever they send no commands, the guard hovers.

No process ends because another one did. A guard that dies is restarted at once. A recorder that
dies is restarted with another file. Perception and controller are not restarted; the guard hovers.
"""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited

from launch import Action, LaunchContext, LaunchDescription
from liquid_control.nodes.launching import (
    YES_OR_NO,
    argument,
    middleware,
    model_argument,
    node,
    number,
    recorder,
    values_of,
)

REMAPPED = {
    "camera": "camera/image_raw",
    "camera_info": "camera/camera_info",
    "imu": "imu/data",
    "odom": "odom",
    "cmd_vel": "cmd_vel",
}
GUARD_DELAY_S = 0.1
RECORDER_DELAY_S = 1.0
WAITING = (
    "perception_node and controller_node wait for: ros2 lifecycle set NAME configure, activate"
)
RECORDER_PARTS = 9
"""Largest number of files: a recorder that dies so often has a lasting reason, as a full disk."""


def arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments with descriptions, defaults and choices."""
    topics = [
        argument(name, topic, f"topic to use instead of {topic}")
        for name, topic in REMAPPED.items()
    ]
    return [
        model_argument(),
        argument(
            "autostart", "false", "configure and activate the policy at the start", YES_OR_NO
        ),
        *topics,
        argument(
            "transport",
            "raw",
            "compressed: subscribe to the camera on …/compressed",
            ["raw", "compressed"],
        ),
        argument("camera_fov_deg", "0.0", "horizontal field of view; 0: from camera_info"),
        argument("record", "false", "write a bag", YES_OR_NO),
        argument("bag", "", "bag to write (.mcap); empty: bags/<UTC time>.mcap"),
        argument(
            "image",
            "raw",
            "pictures in the bag; compressed: as the camera's driver publishes them",
            ["raw", "png", "jpeg", "compressed"],
        ),
        argument("use_sim_time", "false", "time from /clock, for a replay", YES_OR_NO),
    ]


def nodes(context: LaunchContext) -> list[Action]:
    """Return the nodes for the values of the arguments."""
    values = values_of(arguments(), context)
    common = {"mode": "realtime", "use_sim_time": values["use_sim_time"] == "true"}
    policy = common | {"model": values["model"], "autostart": values["autostart"] == "true"}
    perception = policy | {
        "transport": values["transport"],
        "horizontal_fov_deg": number("camera_fov_deg", values["camera_fov_deg"]),
    }
    remappings = _remappings(values)
    actions: list[Action] = [
        node("perception_node", perception, "perception.yaml", remappings=remappings),
        node("controller_node", policy, remappings=remappings),
        node(
            "guard_node",
            common,
            "guard.yaml",
            remappings=remappings,
            respawn=True,
            respawn_delay=GUARD_DELAY_S,
        ),
    ]
    if values["record"] == "true":
        recorded = common | {"image": values["image"], "model": values["model"]}
        actions += _recorder(recorded, remappings, _paths(values["bag"]))
    if values["autostart"] != "true":
        actions.append(LogInfo(msg=WAITING))
    return actions


def _remappings(values: dict[str, str]) -> list[tuple[str, str]]:
    """Return the remapped topics; the compressed picture is remapped with the raw one."""
    pairs = [(topic, values[name]) for name, topic in REMAPPED.items() if values[name] != topic]
    compressed = [
        (f"{topic}/compressed", f"{other}/compressed")
        for topic, other in pairs
        if topic == REMAPPED["camera"]
    ]
    return [*pairs, *compressed]


def _paths(bag: str) -> Iterator[Path]:
    """Yield the bag's path, then those of further parts; no bag is overwritten."""
    now = datetime.now(timezone.utc)
    first = Path(bag) if bag else Path("bags") / f"{now:%Y%m%dT%H%M%SZ}.mcap"
    first.parent.mkdir(parents=True, exist_ok=True)
    yield first.resolve()
    for part in range(2, RECORDER_PARTS + 1):
        yield first.with_name(f"{first.stem}-{part}{first.suffix}").resolve()


def _recorder(
    parameters: dict[str, object], remappings: list[tuple[str, str]], paths: Iterator[Path]
) -> list[Action]:
    """Return a recorder, and a handler that starts another with the next path if it dies."""
    path = next(paths, None)
    if path is None:
        return [LogInfo(msg="the recorder died too often: no bag is being written")]
    process = recorder(parameters | {"path": str(path)}, remappings=remappings)

    def restart(event: ProcessExited, context: LaunchContext) -> list[Action]:
        if context.is_shutdown or event.returncode == 0:
            return []
        return [
            TimerAction(period=RECORDER_DELAY_S, actions=_recorder(parameters, remappings, paths))
        ]

    return [process, RegisterEventHandler(OnProcessExit(target_action=process, on_exit=restart))]


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription([*arguments(), *middleware(), OpaqueFunction(function=nodes)])

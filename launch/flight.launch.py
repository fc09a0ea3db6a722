"""What runs on a companion computer: perception, controller and guard, and a recorder if wanted.

    ros2 launch liquid_control flight.launch.py camera:=/camera/color/image_raw \\
        camera_info:=/camera/color/camera_info imu:=/mavros/imu/data odom:=/mavros/odometry/in \\
        cmd_vel:=/mavros/setpoint_velocity/cmd_vel record:=true
    ros2 launch liquid_control flight.launch.py --show-args

It arms nothing and takes off nothing. Perception and controller wait to be configured and
activated (`ros2 lifecycle set /perception_node configure`, then `activate`, and the same for
`/controller_node`); until then, and whenever they fall silent, the guard says hover.

Nothing ends because something else did. A guard that dies is started again at once; a recorder
that dies goes on in a file of its own; the network stays away, and the guard hovers.
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
    given,
    middleware,
    model_argument,
    node,
    number,
    recorder,
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
"""A recorder that has died so often has a reason that lasts, such as a full disk."""


def arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments with descriptions, defaults and choices."""
    topics = [
        argument(name, topic, f"topic in place of {topic}") for name, topic in REMAPPED.items()
    ]
    return [
        model_argument(),
        argument("autostart", "false", "configure and activate the policy at once", YES_OR_NO),
        *topics,
        argument(
            "transport",
            "raw",
            "compressed: hear the camera on …/compressed",
            ["raw", "compressed"],
        ),
        argument("camera_fov_deg", "0.0", "horizontal field of view; 0: as camera_info says"),
        argument("record", "false", "write a bag", YES_OR_NO),
        argument("bag", "", "bag to write (.mcap); empty: bags/<UTC time>.mcap"),
        argument(
            "image",
            "raw",
            "pictures in the bag; compressed: as the camera's driver publishes them",
            ["raw", "png", "jpeg", "compressed"],
        ),
        argument("use_sim_time", "false", "time from /clock, for a replay in front", YES_OR_NO),
    ]


def nodes(context: LaunchContext) -> list[Action]:
    """Return the nodes for the arguments as they were given."""
    said = given(arguments(), context)
    common = {"mode": "realtime", "use_sim_time": said["use_sim_time"] == "true"}
    policy = common | {"model": said["model"], "autostart": said["autostart"] == "true"}
    perception = policy | {
        "transport": said["transport"],
        "horizontal_fov_deg": number("camera_fov_deg", said["camera_fov_deg"]),
    }
    remappings = _remappings(said)
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
    if said["record"] == "true":
        kept = common | {"image": said["image"], "model": said["model"]}
        actions += _recorder(kept, remappings, _paths(said["bag"]))
    if said["autostart"] != "true":
        actions.append(LogInfo(msg=WAITING))
    return actions


def _remappings(said: dict[str, str]) -> list[tuple[str, str]]:
    """Return what is heard and said by other names; the compressed picture goes with the raw."""
    pairs = [(topic, said[name]) for name, topic in REMAPPED.items() if said[name] != topic]
    compressed = [
        (f"{topic}/compressed", f"{other}/compressed")
        for topic, other in pairs
        if topic == REMAPPED["camera"]
    ]
    return [*pairs, *compressed]


def _paths(bag: str) -> Iterator[Path]:
    """Yield the bag's path, then those of further parts: nothing is written over."""
    now = datetime.now(timezone.utc)
    first = Path(bag) if bag else Path("bags") / f"{now:%Y%m%dT%H%M%SZ}.mcap"
    first.parent.mkdir(parents=True, exist_ok=True)
    yield first.resolve()
    for part in range(2, RECORDER_PARTS + 1):
        yield first.with_name(f"{first.stem}-{part}{first.suffix}").resolve()


def _recorder(
    parameters: dict[str, object], remappings: list[tuple[str, str]], paths: Iterator[Path]
) -> list[Action]:
    """Return a recorder, and what starts another one, with the next path, if it dies."""
    path = next(paths, None)
    if path is None:
        return [LogInfo(msg="the recorder died too often: no bag is being written")]
    process = recorder(parameters | {"path": str(path)}, remappings=remappings)

    def again(event: ProcessExited, context: LaunchContext) -> list[Action]:
        if context.is_shutdown or event.returncode == 0:
            return []
        return [
            TimerAction(period=RECORDER_DELAY_S, actions=_recorder(parameters, remappings, paths))
        ]

    return [process, RegisterEventHandler(OnProcessExit(target_action=process, on_exit=again))]


def generate_launch_description() -> LaunchDescription:
    """Return what `ros2 launch` runs."""
    return LaunchDescription([*arguments(), *middleware(), OpaqueFunction(function=nodes)])

"""Nodes of a companion computer: perception, controller and guard, and optionally a recorder.

    ros2 launch liquid_control flight.launch.py camera:=/camera/color/image_raw \\
        camera_info:=/camera/color/camera_info autopilot:=mavros record:=true
    ros2 launch liquid_control flight.launch.py camera_driver:=camera_ros autopilot:=mavlink \\
        link:=serial:///dev/ttyAMA0:921600 params_file:=config/companion/raspberry_pi_5.yaml
    ros2 launch liquid_control flight.launch.py --show-args

It does not arm the vehicle or take off. Perception and controller wait to be configured and
activated, which `lifecycle_manager` does:

    ros2 service call /lifecycle_manager/set_active std_srvs/srv/SetBool "{data: true}"

`{data: false}` deactivates them, and `/lifecycle_manager/is_active` reports their states. While
they are not active, and whenever they send no commands, the guard hovers.

No process ends because another one did, except that the launch ends with the reason if a node
refuses its configuration at its start, as with `autostart:=true` and a model that does not load,
or with no autopilot where `autopilot` names one. A guard that dies is restarted at once; meanwhile
`guard_standby` sends commands. A recorder that dies is restarted with another file, a camera
driver and the autopilot's node after a second. Perception and controller are restarted with
`use_respawn:=true`; else the guard hovers.
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
from launch_ros.actions import Node

from launch import Action, LaunchContext, LaunchDescription
from liquid_control import topics
from liquid_control.errors import ConfigError
from liquid_control.nodes.camera_drivers import DRIVERS
from liquid_control.nodes.launching import (
    YES_OR_NO,
    NodeMaker,
    argument,
    common_arguments,
    end_if_refused,
    input_arguments,
    input_parameters,
    middleware,
    model_argument,
    number,
    values_of,
    viewer,
)

REMAPPED = {
    "camera": "camera/image_raw",
    "camera_info": "camera/camera_info",
    "imu": "imu/data",
    "range": "range",
    "range_forward": "range/forward",
    "battery": "battery_state",
    "odom": "odom",
    "cmd_vel": "cmd_vel",
    "clock": "clock",
}
BRIDGES = {
    "mavlink": topics.MAVLINK,
    "px4": topics.PX4,
    "mavros": topics.MAVROS,
    "betaflight": topics.BETAFLIGHT,
}
"""Node that connects an autopilot, by the value of `autopilot`."""
LINKED = ("mavlink", "betaflight")
"""Those with a link of their own."""
OF_MAVROS = {
    "imu": "mavros/imu/data",
    "odom": "mavros/local_position/odom",
    "battery": "mavros/battery",
}
"""Topics of MAVROS by their argument."""
GUARD_DELAY_S = 0.1
RECORDER_DELAY_S = 1.0
DRIVER_DELAY_S = 1.0
WAITING = (
    "perception_node and controller_node wait for: ros2 service call "
    '{}/lifecycle_manager/set_active std_srvs/srv/SetBool "{{data: true}}"'
)
RECORDER_PARTS = 9
"""Largest number of files: a recorder that dies so often has a lasting reason, as a full disk."""


def arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments with descriptions, defaults and choices."""
    remapped = [
        argument(name, topic, f"topic to use instead of {topic}")
        for name, topic in REMAPPED.items()
    ]
    return [
        model_argument(),
        argument(
            "autostart", "false", "configure and activate the policy at the start", YES_OR_NO
        ),
        *remapped,
        argument(
            "transport",
            "raw",
            "compressed: subscribe to the camera on …/compressed",
            ["raw", "compressed"],
        ),
        argument("camera_fov_deg", "0.0", "horizontal field of view; 0: from camera_info"),
        argument(
            "camera_driver",
            "none",
            "package of a camera driver to start; its topics become camera and camera_info",
            ["none", *DRIVERS],
        ),
        argument("camera_params", "", "YAML file for the driver; empty: config/drivers"),
        argument(
            "autopilot",
            "none",
            "start the node that connects it; px4: over px4_msgs; mavros: MAVROS runs already, "
            "and its topics are used for imu, odom and battery where these are not given",
            ["none", *BRIDGES],
        ),
        argument(
            "link", "", "of mavlink_node or betaflight_node; empty: as in its parameter file"
        ),
        *input_arguments("not set, which is refused by a model that needs it"),
        argument("record", "false", "write a bag", YES_OR_NO),
        argument("bag", "", "bag to write (.mcap); empty: bags/<UTC time>.mcap"),
        argument(
            "image",
            "raw",
            "pictures in the bag; compressed: as the camera's driver publishes them",
            ["raw", "png", "jpeg", "compressed"],
        ),
        argument("use_sim_time", "false", "time from clock, for a replay", YES_OR_NO),
        argument(
            "composed",
            "false",
            "perception and controller in one process, so commands leave earlier",
            YES_OR_NO,
        ),
        argument(
            "standby", "true", "a second guard, which takes over when the first dies", YES_OR_NO
        ),
        *common_arguments(),
    ]


def nodes(context: LaunchContext) -> list[Action]:
    """Return the nodes for the values of the arguments."""
    values = _with_mavros(values_of(arguments(), context))
    common = {"mode": "realtime", "use_sim_time": values["use_sim_time"] == "true"}
    make = NodeMaker.of(values, common, _remappings(values))
    starts = values["autostart"] == "true"
    always = [
        *_policy(make, values, starts),
        make.policy("lifecycle_manager"),
        *_guards(make, values["standby"] == "true"),
        *_bridges(make, values),
    ]
    actions: list[Action] = [*always, *end_if_refused(always), *_camera(make, values)]
    actions += viewer(make, values, _perception(values))
    if values["record"] == "true":
        image = {"image": values["image"]} if values["image"] != "raw" else {}
        actions += _recorder(make, {"model": values["model"], **image}, _paths(values["bag"]))
    if not starts:
        space = values["namespace"].strip("/")
        actions.append(LogInfo(msg=WAITING.format(f"/{space}" if space else "")))
    return actions


def _policy(make: NodeMaker, values: dict[str, str], starts: bool) -> list[Node]:
    """Return perception and controller, in one process or in two."""
    own, model = {"autostart": starts}, {"model": values["model"]}
    given = (_perception(values) | own, "perception.yaml", model)
    if values["composed"] == "true":
        return [make.policy("policy_node", *given, named=False)]
    return [
        make.policy("perception_node", *given),
        make.policy("controller_node", own, defaults=model),
    ]


def _perception(values: dict[str, str]) -> dict[str, object]:
    """Return the parameters of perception_node that are not the default."""
    fov_deg = number("camera_fov_deg", values["camera_fov_deg"])
    changed: dict[str, object] = {"horizontal_fov_deg": fov_deg} if fov_deg else {}
    if values["transport"] != "raw":
        changed["transport"] = values["transport"]
    return changed | input_parameters(values)


def _guards(make: NodeMaker, standby: bool) -> list[Node]:
    """Return the guard and its standby; both are started again at once if they die."""
    options = {"respawn": True, "respawn_delay": GUARD_DELAY_S}
    if not standby:
        return [make.node("guard_node", file="guard.yaml", **options)]
    return [
        make.node("guard_node", {"pair": "first"}, "guard.yaml", **options),
        make.node(
            "guard_standby", {"pair": "standby"}, "guard.yaml", like="guard_node", **options
        ),
    ]


def _bridges(make: NodeMaker, values: dict[str, str]) -> list[Node]:
    """Return the node that connects the autopilot, if one is wanted."""
    if values["autopilot"] == "none":
        return []
    kind = values["autopilot"]
    if values["link"] and kind not in LINKED:
        raise ConfigError(f"link: expected autopilot:={' or '.join(LINKED)}, got {kind}")
    link = {"link": values["link"]} if values["link"] else {}
    options = {"respawn": True, "respawn_delay": DRIVER_DELAY_S}
    return [make.node(BRIDGES[kind], link, f"{kind}.yaml", **options)]


def _with_mavros(values: dict[str, str]) -> dict[str, str]:
    """Return the values with MAVROS's topics in place of those that were not changed."""
    if values["autopilot"] != "mavros":
        return values
    given = {name for name in OF_MAVROS if values[name] != REMAPPED[name]}
    return values | {name: topic for name, topic in OF_MAVROS.items() if name not in given}


def _camera(make: NodeMaker, values: dict[str, str]) -> list[Node]:
    """Return the driver of the camera, if one is wanted; it is started again if it dies."""
    if values["camera_driver"] == "none":
        return []
    driver = DRIVERS[values["camera_driver"]]
    rules = driver.remappings(values["camera"], values["camera_info"])
    return [make.driver(driver, values["camera_params"], rules, DRIVER_DELAY_S)]


def _remappings(values: dict[str, str]) -> list[tuple[str, str]]:
    """Return the remapped topics; the compressed picture is remapped with the raw one."""
    pairs = [(topic, values[name]) for name, topic in REMAPPED.items() if values[name] != topic]
    compressed = [
        (f"{topic}/compressed", f"{other}/compressed")
        for topic, other in pairs
        if topic == REMAPPED["camera"]
    ]
    simulated = [("/clock", other) for topic, other in pairs if topic == REMAPPED["clock"]]
    return [*pairs, *compressed, *simulated]


def _paths(bag: str) -> Iterator[Path]:
    """Yield the bag's path, then those of further parts; no bag is overwritten."""
    now = datetime.now(timezone.utc)
    first = Path(bag) if bag else Path("bags") / f"{now:%Y%m%dT%H%M%SZ}.mcap"
    first.parent.mkdir(parents=True, exist_ok=True)
    yield first.resolve()
    for part in range(2, RECORDER_PARTS + 1):
        yield first.with_name(f"{first.stem}-{part}{first.suffix}").resolve()


def _recorder(
    make: NodeMaker, parameters: dict[str, object], paths: Iterator[Path]
) -> list[Action]:
    """Return a recorder, and a handler that starts another with the next path if it dies."""
    path = next(paths, None)
    if path is None:
        return [LogInfo(msg="the recorder died too often: no bag is being written")]
    process = make.recorder(parameters | {"path": str(path)})

    def restart(event: ProcessExited, context: LaunchContext) -> list[Action]:
        if context.is_shutdown or event.returncode == 0:
            return []
        return [TimerAction(period=RECORDER_DELAY_S, actions=_recorder(make, parameters, paths))]

    return [process, RegisterEventHandler(OnProcessExit(target_action=process, on_exit=restart))]


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription([*arguments(), *middleware(), OpaqueFunction(function=nodes)])

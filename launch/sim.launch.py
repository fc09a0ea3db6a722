"""A simulated flight: world, perception, controller and guard, and optionally a recorder.

    ros2 launch liquid_control sim.launch.py scenario:=trail seed:=3 wind:=gusty lighting:=dusk
    ros2 launch liquid_control sim.launch.py set:='camera.rate_hz=30 speed_mps=3' disturb:=fog=3
    ros2 launch liquid_control sim.launch.py namespace:=drone1 seed:=1
    ros2 launch liquid_control sim.launch.py set:='range.enabled=true' cruise_speed_mps:=3.0
    ros2 launch liquid_control sim.launch.py --show-args

With `autostart:=false` the flight begins once the policy is active, which `lifecycle_manager`
does: `ros2 service call /lifecycle_manager/set_active std_srvs/srv/SetBool "{data: true}"`.

The launch ends with the flight, or when a process dies: with status 0 for a flight that was flown
to its end, whatever its result, and else with 1 and the reason.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction

from launch import Action, LaunchContext, LaunchDescription
from liquid_control.config import validate
from liquid_control.config.overrides import preset_names
from liquid_control.errors import ConfigError
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
from liquid_control.nodes.node_settings import SimulatorSettings

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
        argument(
            "set", "", "scenario keys, several with spaces, as 'wind.gust_mps=6 speed_mps=3'"
        ),
        argument("disturb", "", "disturbances by severity, as 'fog=3 dirt=2'; set wins over them"),
        argument("vehicle", "", "vehicle by name, or path to a .yaml; empty: as in the scenario"),
        preset("wind"),
        preset("lighting"),
        preset("fog"),
        model_argument(),
        *input_arguments("as in the scenario"),
        argument(
            "autostart",
            "true",
            "activate the policy at once; else lifecycle_manager does",
            YES_OR_NO,
        ),
        argument("rate", "1.0", "simulated seconds per second; 0: lockstep, as fast as possible"),
        argument("record", "", "bag to write (.mcap); empty: none"),
        argument("gui", "false", "PyBullet's window", YES_OR_NO),
        *common_arguments(),
    ]


def nodes(context: LaunchContext) -> list[Action]:
    """Return the nodes for the values of the arguments."""
    values = values_of(arguments(), context)
    rate = number("rate", values["rate"])
    mode = "realtime" if rate else "lockstep"
    make = NodeMaker.of(values, {"mode": mode, "use_sim_time": True})
    if make.respawns and not rate:
        raise ConfigError("use_respawn: expected rate above 0; in lockstep no answer may be lost")
    starts = values["autostart"] == "true"
    defaults = {"model": values["model"]}
    simulator = _simulator(values, rate)
    respawned = [
        make.policy(
            "perception_node",
            {"autostart": starts} | input_parameters(values),
            "perception.yaml",
            defaults | _inputs(simulator),
        ),
        make.policy("controller_node", {"autostart": starts}, defaults=defaults),
        make.policy("guard_node", file="guard.yaml"),
    ]
    others = [] if starts else [make.policy("lifecycle_manager")]
    if values["record"]:
        path = str(Path(values["record"]).resolve())
        others.append(make.recorder({"path": path, "model": values["model"]}))
    flight = make.node("simulator_node", simulator, "simulator.yaml")
    all_nodes = [*respawned, *others, flight]
    return [
        *all_nodes,
        *viewer(make, values, _inputs(simulator)),
        *end_together(
            all_nodes, "the flight has ended", respawned=respawned if make.respawns else ()
        ),
    ]


def _simulator(values: dict[str, str], rate: float) -> dict[str, object]:
    """Return the parameters of simulator_node."""
    presets = {kind: values[kind] for kind in ("wind", "lighting", "fog") if values[kind] != NONE}
    lists = {name: values[name].split() for name in ("set", "disturb")}
    parameters: dict[str, object] = {
        **presets,
        **{name: words for name, words in lists.items() if words},
        "scenario": values["scenario"],
        "seed": number("seed", values["seed"], int),
        "gui": values["gui"] == "true",
        "recorder": bool(values["record"]),
    }
    if values["vehicle"]:
        parameters["vehicle"] = values["vehicle"]
    if rate:
        parameters["rate"] = rate
    return parameters


def _inputs(simulator: dict[str, object]) -> dict[str, object]:
    """Return the inputs of a policy that the scenario has, as parameters of perception_node.

    None for a scenario that does not load: simulator_node reports why.
    """
    try:
        scenario = validate(SimulatorSettings, simulator, "simulator_node").load_scenario()
    except ConfigError:
        return {}
    pitch_deg = scenario.camera.pitch_down_deg
    return {"cruise_speed_mps": scenario.cruise_mps, "camera_pitch_down_deg": pitch_deg}


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription([*arguments(), *middleware(), OpaqueFunction(function=nodes)])

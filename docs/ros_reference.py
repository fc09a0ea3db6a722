"""Write the tables of `docs/ros.md`: topics, services, parameters, diagnostic keys of the nodes.

Run it with `python docs/ros_reference.py` after a change; a test compares page, tables and nodes.
ROS is not needed.
"""

import re
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from liquid_control import message_types, topics
from liquid_control.autopilots import LinkEvent
from liquid_control.bags import Loss
from liquid_control.command import Envelope, GuardEvent, sentence
from liquid_control.nodes import autopilot_settings as bridges
from liquid_control.nodes import node_settings as settings

PAGE = Path(__file__).with_name("ros.md")

SETTINGS: dict[str, type[settings.NodeSettings]] = {
    topics.SIMULATOR: settings.SimulatorSettings,
    topics.PERCEPTION: settings.PerceptionSettings,
    topics.CONTROLLER: settings.ControllerSettings,
    topics.GUARD: settings.GuardSettings,
    topics.RECORDER: settings.RecorderSettings,
    topics.REPLAY: settings.ReplaySettings,
    topics.MANAGER: settings.ManagerSettings,
    topics.MAVLINK: bridges.MavlinkNodeSettings,
    topics.PX4: bridges.Px4NodeSettings,
    topics.MAVROS: bridges.MavrosNodeSettings,
    topics.BETAFLIGHT: bridges.BetaflightNodeSettings,
    topics.FOXGLOVE: settings.FoxgloveSettings,
}
"""Parameters of each node; `guard_standby` has those of `guard_node`."""

SENSORS = f"`{topics.SIMULATOR}`, `{topics.REPLAY}` or drivers"
STATE = f"`{topics.SIMULATOR}`, `{topics.REPLAY}`, `{topics.MAVLINK}` or drivers"
TOPICS: dict[str, tuple[str, str, str]] = {
    topics.IMAGE: (topics.TYPES[topics.IMAGE], SENSORS, "pictures of the camera"),
    topics.COMPRESSED: (
        "sensor_msgs/msg/CompressedImage",
        "a driver",
        "its compressed pictures, with `transport: compressed`",
    ),
    topics.CAMERA_INFO: (topics.TYPES[topics.CAMERA_INFO], SENSORS, "intrinsics of the camera"),
    topics.IMU: (
        topics.TYPES[topics.IMU],
        STATE,
        "angular velocity and specific force; orientation where it is estimated",
    ),
    topics.RANGE: (
        topics.TYPES[topics.RANGE],
        SENSORS,
        "distance to the ground along -z of `base_link`; read only by models that need it",
    ),
    topics.FORWARD_RANGE: (
        topics.GUARD_TYPES[topics.FORWARD_RANGE],
        "a driver",
        "distance ahead along x of `base_link`, for the guard's `min_forward_m`",
    ),
    topics.BATTERY: (
        topics.GUARD_TYPES[topics.BATTERY],
        f"`{topics.MAVLINK}` or drivers",
        "charge and voltage of the battery, for the guard's `min_battery`",
    ),
    topics.AUTOPILOT: (
        topics.GUARD_TYPES[topics.AUTOPILOT],
        f"`{topics.MAVLINK}`",
        "link, mode and arming of the autopilot, for rules of the guard",
    ),
    topics.PICTURE: (
        topics.GUARD_TYPES[topics.PICTURE],
        f"`{topics.PERCEPTION}`",
        "health of a frame's picture, with `picture_health`: repeats, brightness, contrast, score",
    ),
    topics.ODOM: (topics.TYPES[topics.ODOM], STATE, "pose in `map`, twist in `base_link`"),
    topics.FEATURES: (
        topics.TYPES[topics.FEATURES],
        f"`{topics.PERCEPTION}`",
        "features of a frame, one row of 32FC1, with the frame's stamp",
    ),
    topics.POLICY_COMMAND: (
        topics.TYPES[topics.POLICY_COMMAND],
        f"`{topics.CONTROLLER}`",
        "the network's command for a frame",
    ),
    topics.NEURONS: (
        topics.TYPES[topics.NEURONS],
        f"`{topics.CONTROLLER}`",
        "state of each neuron (position) and its time gate (velocity)",
    ),
    topics.INPUTS: (
        topics.TYPES[topics.INPUTS],
        f"`{topics.PERCEPTION}`",
        "readings (position) that a model was given besides picture and IMU samples, by name, "
        "with the frame's stamp; NaN for none",
    ),
    topics.ADAPTATION: (
        topics.ADAPTATION_TYPES[topics.ADAPTATION],
        f"`{topics.CONTROLLER}`",
        "with `online_adaptation`: gain (position), offset (velocity) and innovation (effort) of "
        "each command, then updates, doubts and rollbacks, with the frame's stamp",
    ),
    topics.COMMAND: (
        topics.TYPES[topics.COMMAND],
        f"`{topics.GUARD}`",
        "the command for the autopilot, heading frame",
    ),
    topics.GUARD_ACTIONS: (
        topics.TYPES[topics.GUARD_ACTIONS],
        f"`{topics.GUARD}`",
        "whenever they change: the events of the rules that act (name) and the numbers of their "
        "actions (position), with the time of the guard's run",
    ),
    topics.DIAGNOSTICS: (
        topics.TYPES[topics.DIAGNOSTICS],
        "every node but the manager",
        "level, message and counts, once a second",
    ),
    topics.WIND: (
        message_types.VECTOR_STAMPED,
        f"`{topics.SIMULATOR}`",
        "velocity of the air at the vehicle, m/s in `map`, while someone subscribes",
    ),
    topics.CLOCK: (
        topics.TYPES[topics.CLOCK],
        f"`{topics.SIMULATOR}`, `{topics.REPLAY}`",
        "simulated time; in a namespace each graph has its own",
    ),
    topics.RESULT: (
        "diagnostic_msgs/msg/DiagnosticStatus",
        f"`{topics.SIMULATOR}`",
        "how the flight ended; the recorder writes it to the bag's metadata",
    ),
    topics.DESCRIPTION: (
        "std_msgs/msg/String",
        f"`{topics.SIMULATOR}`",
        "URDF with `base_link` and the camera's mount",
    ),
    topics.TF: (
        "tf2_msgs/msg/TFMessage",
        f"`{topics.SIMULATOR}`, `{topics.REPLAY}`",
        "`odom` to `base_link`; where tf2_msgs is installed",
    ),
    topics.TF_STATIC: (
        "tf2_msgs/msg/TFMessage",
        f"`{topics.SIMULATOR}`, `{topics.REPLAY}`",
        "`map` to `odom`, `base_link` to `camera_optical_frame` and `range_frame`; where tf2_msgs "
        "is installed",
    ),
}
RECORDED = "recorded/…"

SERVICES: dict[str, tuple[str, str]] = {
    f"{topics.MANAGER}/set_active": (
        "std_srvs/srv/SetBool",
        "configure and activate the policy, or deactivate it",
    ),
    f"{topics.MANAGER}/reset": ("std_srvs/srv/Trigger", "deactivate the policy and clean it up"),
    f"{topics.MANAGER}/is_active": ("std_srvs/srv/Trigger", "whether every node is active"),
    f"{topics.REPLAY}/pause": ("std_srvs/srv/SetBool", "pause the replay, or continue"),
    f"{topics.REPLAY}/step": ("std_srvs/srv/Trigger", "replay one frame"),
}

BOUND_KEYS = {
    "second_publisher": "changes in who publishes a topic that must have one publisher",
    "message_of_second_publisher": "messages that were not used because of a second publisher",
}
KEYS: dict[str, dict[str, str]] = {
    topics.PERCEPTION: {
        "camera_info_refused": "camera_info that cannot be used",
        "camera_stopped": "gaps longer than `camera_timeout_s` between frames",
        "frame_overrun": "frames dropped because too many waited for the IMU",
        "frame_stamp_backwards": "frames not later than the one before",
        "image_refused": "pictures that cannot be decoded",
        "imu_late": "frames used without all their IMU samples, after `imu_timeout_s`",
        "imu_stamp_backwards": "IMU samples not later than the one before",
        "observation_refused": "frames that the model or the plausible ranges refuse, or that "
        "lack an input of the model",
        "range_stamp_backwards": "ranges not later than the one before",
        **BOUND_KEYS,
    },
    topics.CONTROLLER: {
        "features_refused": "features that cannot be used; the answer is hover",
        "odometry_refused": "odometry that is not finite, for an online adaptation",
        "fresh_state": "restarts of the network after a gap longer than the model's",
        **BOUND_KEYS,
    },
    topics.GUARD: {
        **{event.value: sentence(event, Envelope()) for event in GuardEvent},
        "action": "the action in force: 0 none, 1 clamp, 2 slow, 3 hover, 4 land, 5 hand back; "
        "with rules only",
        "readings_missing": "ticks in lockstep that were answered without all readings of the "
        "rules",
        "takeover": "a standby took over",
        **BOUND_KEYS,
    },
    topics.RECORDER: {
        "message_lost": "messages that the middleware lost",
        "message_refused": "messages that the disk or compression was too slow for",
        "pictures_not_compressed": "pictures recorded as they came",
        "topic_of_another_type": "topics with another message type, not recorded",
        "topic_without_type": "topics whose message type is not installed, not recorded",
    },
    topics.FOXGLOVE: {
        "dropped": "messages that a viewer was not sent because it is slow",
        "dropped_pictures": "pictures among these",
        "message_refused": "messages of the graph that cannot be decoded or do not fit the model",
        "slow_viewers": "viewers that are behind at present",
        "step_left_out": "steps of the network that time constants and wiring leave out",
        "viewers": "viewers that have come so far",
    },
    topics.REPLAY: {
        **{loss.name.lower(): loss.value for loss in Loss},
        "warnings": "facts that make the recording doubtful; the log has them",
    },
}
LINK_KEYS = {
    **{event.value: event.meaning for event in LinkEvent},
    "frame_refused": "commands in another frame than `base_link`, not used",
    "frames_damaged": "frames with a wrong checksum, and in MAVLink bytes between frames",
    "messages_lost": "MAVLink messages that are missing, by their sequence numbers",
    **BOUND_KEYS,
}
KEYS |= dict.fromkeys((topics.MAVLINK, topics.PX4, topics.MAVROS, topics.BETAFLIGHT), LINK_KEYS)
"""The nodes of all autopilots have the same keys."""


def topic_table() -> str:
    """Return the table of topics."""
    rows = [(f"`/{name}`", *values) for name, values in TOPICS.items()]
    rows.append(
        (
            f"`/{RECORDED}`",
            "as recorded",
            f"`{topics.REPLAY}`",
            "the recorded features and commands",
        )
    )
    return _table(("topic", "type", "from", "content"), rows)


def service_table() -> str:
    """Return the table of services."""
    rows = [(f"`/{name}`", kind, text) for name, (kind, text) in SERVICES.items()]
    return _table(("service", "type", "does"), rows)


def parameter_tables() -> str:
    """Return one table of parameters a node."""
    parts = []
    for node, model in SETTINGS.items():
        rows = [
            (f"`{name}`", _kind(field), _default(field), _meaning(field, name in model.changeable))
            for name, field in sorted(model.model_fields.items())
        ]
        parts.append(f"### {node}\n\n{_table(('parameter', 'type', 'default', 'meaning'), rows)}")
    return "\n\n".join(parts)


def key_tables() -> str:
    """Return one table of diagnostic keys a node."""
    parts = []
    for node, keys in KEYS.items():
        rows = [(f"`{key}`", text) for key, text in sorted(keys.items())]
        parts.append(f"### Keys of {node}\n\n{_table(('key', 'counts'), rows)}")
    return "\n\n".join(parts)


TABLES = {
    "topics": topic_table,
    "services": service_table,
    "parameters": parameter_tables,
    "keys": key_tables,
}


def with_tables(page: str) -> str:
    """Return a page with every table between its markers made anew."""
    for name, make in TABLES.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        text = f"{begin}\n\n{make()}\n\n{end}"
        page, count = pattern.subn(lambda _, text=text: text, page)
        if count != 1:
            raise ValueError(f"{PAGE}: expected {begin} … {end} once, got it {count} times")
    return page


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _kind(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(map(str, get_args(field.annotation)))
    kinds = {bool: "bool", int: "integer", float: "double", str: "string"}
    kinds[float | None] = "double"
    kinds[list[float]] = "double array"
    text = kinds.get(field.annotation, "string array")
    bounds = []
    for constraint in field.metadata:
        bounds += [f"≥ {one:g}" for one in [getattr(constraint, "ge", None)] if one is not None]
        bounds += [f"> {one:g}" for one in [getattr(constraint, "gt", None)] if one is not None]
        bounds += [f"≤ {one:g}" for one in [getattr(constraint, "le", None)] if one is not None]
        bounds += [f"< {one:g}" for one in [getattr(constraint, "lt", None)] if one is not None]
    return ", ".join([text, *bounds])


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(f"`{one}`" for one in value) or "empty"
    return "empty" if value == "" else f"`{value}`"


def _meaning(field: FieldInfo, changeable: bool) -> str:
    text = (field.description or "").replace("|", "\\|").replace("*", "\\*")
    return f"{text} (changeable)" if changeable and "may be changed" not in text else text


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")

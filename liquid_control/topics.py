"""Topics and node names of a flight's graph, with the message type of each topic."""

from liquid_control import message_types

IMAGE = "camera/image_raw"
CAMERA_INFO = "camera/camera_info"
IMU = "imu/data"
RANGE = "range"
ODOM = "odom"
FEATURES = "perception/features"
POLICY_COMMAND = "policy/cmd_vel"
NEURONS = "policy/neurons"
INPUTS = "policy/inputs"
ADAPTATION = "policy/adaptation"
"""State of an online adaptation; not in `TYPES`."""
COMMAND = "cmd_vel"
GUARD_ACTIONS = "guard/actions"
DIAGNOSTICS = "diagnostics"
CLOCK = "clock"
"""Relative, as every topic: `nodes.shutdown` remaps the `/clock` of `use_sim_time` to it."""
RESULT = "flight_result"
"""How a simulated flight ended, for its recorder; not in `TYPES`."""
TF, TF_STATIC, DESCRIPTION = "tf", "tf_static", "robot_description"
"""Frames of a simulated or replayed vehicle; not in `TYPES`."""
COMPRESSED = f"{IMAGE}/compressed"
"""Topic of a camera driver that publishes compressed pictures only; not in `TYPES`."""

WIND = "wind"
"""Velocity of the air at a simulated vehicle, m/s in the map, for viewers; not in `TYPES`."""

PICTURE = "perception/picture"
FORWARD_RANGE = "range/forward"
BATTERY = "battery_state"
AUTOPILOT = "autopilot/status"

GUARD_TYPES: dict[str, str] = {
    PICTURE: message_types.JOINT_STATE,
    FORWARD_RANGE: message_types.RANGE,
    BATTERY: message_types.BATTERY,
    AUTOPILOT: message_types.DIAGNOSTICS,
}
"""Message type of the topics that only rules of the guard need; a recorder records them on
request."""

ADAPTATION_TYPES: dict[str, str] = {ADAPTATION: message_types.JOINT_STATE}
"""Message type of the topic that only a controller with an online adaptation publishes."""

TYPES: dict[str, str] = {
    IMAGE: message_types.IMAGE,
    CAMERA_INFO: message_types.CAMERA_INFO,
    IMU: message_types.IMU,
    RANGE: message_types.RANGE,
    ODOM: message_types.ODOMETRY,
    FEATURES: message_types.IMAGE,
    POLICY_COMMAND: message_types.TWIST_STAMPED,
    NEURONS: message_types.JOINT_STATE,
    INPUTS: message_types.JOINT_STATE,
    COMMAND: message_types.TWIST_STAMPED,
    GUARD_ACTIONS: message_types.JOINT_STATE,
    DIAGNOSTICS: message_types.DIAGNOSTICS,
    CLOCK: message_types.CLOCK,
}
"""Message type by topic, for nodes, recorders and simulated bags."""

SIMULATOR = "simulator_node"
PERCEPTION = "perception_node"
CONTROLLER = "controller_node"
GUARD = "guard_node"
GUARD_STANDBY = "guard_standby"
RECORDER = "recorder_node"
MANAGER = "lifecycle_manager"
REPLAY = "replay_node"
MAVLINK = "mavlink_node"
PX4 = "px4_node"
MAVROS = "mavros_setpoint_node"
BETAFLIGHT = "betaflight_node"
FOXGLOVE = "foxglove_node"

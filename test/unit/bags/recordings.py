"""Bags written by rosbags' own writer with the real message layouts of other recorders."""

from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from liquid_control.bags import Losses, load_rules, open_bag, read_flight, resolve

MS = 1_000_000
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
"""A wall clock time, as recorders use it."""

# Fields of the definitions of px4_msgs and mavros_msgs.
DEFINITIONS = {
    "px4_msgs/msg/SensorCombined": """
        uint64 timestamp
        float32[3] gyro_rad
        uint32 gyro_integral_dt
        int32 accelerometer_timestamp_relative
        float32[3] accelerometer_m_s2
        uint32 accelerometer_integral_dt
        uint8 accelerometer_clipping
        uint8 gyro_clipping
        uint8 accel_calibration_count
        uint8 gyro_calibration_count""",
    "px4_msgs/msg/TrajectorySetpoint": """
        uint64 timestamp
        float32[3] position
        float32[3] velocity
        float32[3] acceleration
        float32[3] jerk
        float32 yaw
        float32 yawspeed""",
    "px4_msgs/msg/VehicleOdometry": """
        uint64 timestamp
        uint64 timestamp_sample
        uint8 pose_frame
        float32[3] position
        float32[4] q
        uint8 velocity_frame
        float32[3] velocity
        float32[3] angular_velocity
        float32[3] position_variance
        float32[3] orientation_variance
        float32[3] velocity_variance
        uint8 reset_counter
        int8 quality""",
    "px4_msgs/msg/VehicleLocalPosition": """
        uint64 timestamp
        uint64 timestamp_sample
        bool xy_valid
        bool z_valid
        bool v_xy_valid
        bool v_z_valid
        float32 x
        float32 y
        float32 z
        float32[2] delta_xy
        uint8 xy_reset_counter
        float32 delta_z
        uint8 z_reset_counter
        float32 vx
        float32 vy
        float32 vz
        float32 z_deriv
        float32[2] delta_vxy
        uint8 vxy_reset_counter
        float32 delta_vz
        uint8 vz_reset_counter
        float32 ax
        float32 ay
        float32 az
        float32 heading
        float32 heading_var""",
    "mavros_msgs/msg/PositionTarget": """
        std_msgs/Header header
        uint8 coordinate_frame
        uint16 type_mask
        geometry_msgs/Point position
        geometry_msgs/Vector3 velocity
        geometry_msgs/Vector3 acceleration_or_force
        float32 yaw
        float32 yaw_rate""",
}

STORE = get_typestore(Stores.ROS2_JAZZY)
for _name, _text in DEFINITIONS.items():
    STORE.register(get_types_from_msg(_text, _name))
T = STORE.types


def header(stamp_ns, frame=""):
    time = T["builtin_interfaces/msg/Time"](stamp_ns // SECOND, stamp_ns % SECOND)
    return T["std_msgs/msg/Header"](time, frame)


def vector(x, y, z):
    return T["geometry_msgs/msg/Vector3"](float(x), float(y), float(z))


def twist(linear=(0, 0, 0), angular=(0, 0, 0)):
    return T["geometry_msgs/msg/Twist"](vector(*linear), vector(*angular))


def twist_stamped(stamp_ns, linear=(0, 0, 0), angular=(0, 0, 0)):
    return T["geometry_msgs/msg/TwistStamped"](header(stamp_ns), twist(linear, angular))


def image(stamp_ns, encoding="rgb8", height=2, width=4, data=None, step=None, big=0):
    if data is None:
        data = np.zeros(height * width * 3, np.uint8)
    data = np.asarray(data, np.uint8).reshape(-1)
    step = len(data) // height if step is None else step
    return T["sensor_msgs/msg/Image"](header(stamp_ns), height, width, encoding, big, step, data)


def compressed(stamp_ns, layout, data):
    data = np.frombuffer(bytes(data), np.uint8)
    return T["sensor_msgs/msg/CompressedImage"](header(stamp_ns), layout, data)


def camera_info(stamp_ns, width=640, height=480, focal_px=320.0):
    roi = T["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    k = np.array([focal_px, 0, width / 2, 0, focal_px, height / 2, 0, 0, 1.0])
    return T["sensor_msgs/msg/CameraInfo"](
        header(stamp_ns),
        height,
        width,
        "plumb_bob",
        np.zeros(5),
        k,
        np.eye(3).reshape(-1),
        np.zeros(12),
        0,
        0,
        roi,
    )


def imu(stamp_ns, rate=(0, 0, 0), force=(0, 0, 9.81), frame="base_link"):
    zeros = np.zeros(9)
    level = T["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    return T["sensor_msgs/msg/Imu"](
        header(stamp_ns, frame), level, zeros, vector(*rate), zeros, vector(*force), zeros
    )


def odometry(
    stamp_ns, position=(0, 0, 0), quaternion=(0, 0, 0, 1), linear=(0, 0, 0), angular=(0, 0, 0)
):
    pose = T["geometry_msgs/msg/Pose"](
        T["geometry_msgs/msg/Point"](*map(float, position)),
        T["geometry_msgs/msg/Quaternion"](*map(float, quaternion)),
    )
    zeros = np.zeros(36)
    return T["nav_msgs/msg/Odometry"](
        header(stamp_ns, "map"),
        "base_link",
        T["geometry_msgs/msg/PoseWithCovariance"](pose, zeros),
        T["geometry_msgs/msg/TwistWithCovariance"](twist(linear, angular), zeros),
    )


def floats(*values):
    return np.array(values, np.float32)


def sensor_combined(stamp_us, rate=(0, 0, 0), force=(0, 0, -9.81)):
    return T["px4_msgs/msg/SensorCombined"](
        stamp_us, floats(*rate), 5000, 0, floats(*force), 5000, 0, 0, 0, 0
    )


def trajectory_setpoint(stamp_us, velocity, yawspeed=float("nan")):
    unused = floats(*[float("nan")] * 3)
    return T["px4_msgs/msg/TrajectorySetpoint"](
        stamp_us, unused, floats(*velocity), unused, unused, float("nan"), yawspeed
    )


def vehicle_odometry(
    stamp_us, position, q, velocity, rates=(0, 0, 0), pose_frame=1, velocity_frame=1
):
    zeros = floats(0, 0, 0)
    return T["px4_msgs/msg/VehicleOdometry"](
        stamp_us,
        stamp_us,
        pose_frame,
        floats(*position),
        floats(*q),
        velocity_frame,
        floats(*velocity),
        floats(*rates),
        zeros,
        zeros,
        zeros,
        0,
        0,
    )


def vehicle_local_position(stamp_us, position, velocity, heading):
    zeros = floats(0, 0)
    return T["px4_msgs/msg/VehicleLocalPosition"](
        stamp_us, stamp_us, True, True, True, True, *position, zeros, 0, 0.0, 0, *velocity, 0.0,
        zeros, 0, 0.0, 0, 0.0, 0.0, 0.0, heading, 0.0,
    )  # fmt: skip


def position_target(stamp_ns, velocity, yaw_rate, frame=1, mask=0):
    return T["mavros_msgs/msg/PositionTarget"](
        header(stamp_ns), frame, mask, T["geometry_msgs/msg/Point"](0.0, 0.0, 0.0),
        vector(*velocity), vector(0, 0, 0), 0.0, yaw_rate,
    )  # fmt: skip


def cdr(message):
    return bytes(STORE.serialize_cdr(message, message.__msgtype__))


class RecordingBuilder:
    """Collects messages and writes them to a bag in the order in which they were added."""

    def __init__(self):
        self.messages = []

    def add(self, topic, message, log_ns=None, raw=None):
        stamp = getattr(getattr(message, "header", None), "stamp", None)
        if log_ns is None:
            log_ns = stamp.sec * SECOND + stamp.nanosec
        self.messages.append((log_ns, topic, message.__msgtype__, raw or cdr(message)))
        return self

    def write(self, path: Path, storage=StoragePlugin.MCAP) -> Path:
        with Writer(path, version=9, storage_plugin=storage) as writer:
            connections = {}
            for log_ns, topic, kind, data in self.messages:
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
                writer.write(connections[topic], log_ns, data)
        return path

    def read(self, path: Path, presets=(), flags=None, **more):
        """Write a bag and read it as a flight; return events and losses."""
        bag = open_bag(self.write(path))
        losses = Losses()
        topics = resolve(bag, load_rules(presets, flags or {}), **more)
        return list(read_flight(bag, topics, losses)), losses

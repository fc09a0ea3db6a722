"""The topics of the graph with their types: one table for nodes, recorder and waiting."""

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, Imu, JointState

IMAGE = "camera/image_raw"
CAMERA_INFO = "camera/camera_info"
IMU = "imu/data"
ODOM = "odom"
FEATURES = "perception/features"
POLICY_COMMAND = "policy/cmd_vel"
NEURONS = "policy/neurons"
COMMAND = "cmd_vel"
DIAGNOSTICS = "diagnostics"
CLOCK = "/clock"
COMPRESSED = f"{IMAGE}/compressed"
"""Stands in for the image where a driver publishes it so; `TYPES` leaves it out."""

TYPES: dict[str, type] = {
    IMAGE: Image,
    CAMERA_INFO: CameraInfo,
    IMU: Imu,
    ODOM: Odometry,
    FEATURES: Image,
    POLICY_COMMAND: TwistStamped,
    NEURONS: JointState,
    COMMAND: TwistStamped,
    DIAGNOSTICS: DiagnosticArray,
    CLOCK: Clock,
}

SIMULATOR = "simulator_node"
PERCEPTION = "perception_node"
CONTROLLER = "controller_node"
GUARD = "guard_node"
RECORDER = "recorder_node"
REPLAY = "replay_node"

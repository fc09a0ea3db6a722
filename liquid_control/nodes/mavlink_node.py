"""Node that connects ArduPilot or PX4 over MAVLink: `cmd_vel` out, IMU and odometry in."""

from rclpy.node import Node

from liquid_control import topics
from liquid_control.autopilots import MavlinkAutopilot
from liquid_control.autopilots.interface import OnSample
from liquid_control.nodes.autopilot_node import AutopilotNode
from liquid_control.nodes.autopilot_settings import MavlinkNodeSettings
from liquid_control.nodes.shutdown import main_of


def connect(node: Node, settings: MavlinkNodeSettings, on_sample: OnSample) -> MavlinkAutopilot:
    """Return the bridge; warn if it requests mode and arming."""
    autopilot = MavlinkAutopilot(settings.mavlink, on_sample)
    if settings.allow_arm:
        node.get_logger().warning(
            "allow_arm is set: this node requests mode and arming; for simulation only"
        )
    return autopilot


def main() -> None:
    """Run mavlink_node."""
    main_of(
        lambda shutdown: [AutopilotNode(topics.MAVLINK, MavlinkNodeSettings, connect, shutdown)]
    )


if __name__ == "__main__":
    main()

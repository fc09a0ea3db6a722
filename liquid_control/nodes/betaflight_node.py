"""Node that connects Betaflight over MSP: `cmd_vel` and `odom` in, sticks of angle mode out."""

from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

from liquid_control import topics
from liquid_control.autopilots import BetaflightAutopilot
from liquid_control.autopilots.interface import OnSample
from liquid_control.nodes.autopilot_node import AutopilotNode
from liquid_control.nodes.autopilot_settings import BetaflightNodeSettings
from liquid_control.nodes.conversions import vehicle_state_from
from liquid_control.nodes.shutdown import main_of


def connect(
    node: Node, settings: BetaflightNodeSettings, on_sample: OnSample
) -> BetaflightAutopilot:
    """Return the bridge; it takes the vehicle's state from the topic `odom`."""
    autopilot = BetaflightAutopilot(settings.betaflight)

    def on_odometry(message: Odometry) -> None:
        if (state := vehicle_state_from(message)) is not None:
            autopilot.odometry(state)

    node.create_subscription(Odometry, topics.ODOM, on_odometry, qos_profile_sensor_data)
    return autopilot


def main() -> None:
    """Run betaflight_node."""
    main_of(
        lambda shutdown: [
            AutopilotNode(
                topics.BETAFLIGHT, BetaflightNodeSettings, connect, shutdown, samples=False
            )
        ]
    )


if __name__ == "__main__":
    main()

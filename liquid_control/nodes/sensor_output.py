"""What a simulated vehicle's drivers publish: IMU samples, odometry, pictures, simulated time."""

from rclpy.node import Node
from rclpy.publisher import Publisher

from liquid_control import topics
from liquid_control.config import Scenario
from liquid_control.nodes import conversions
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control_sim.flight import Tick

PUBLISHED = (topics.IMAGE, topics.CAMERA_INFO, topics.IMU, topics.ODOM, topics.CLOCK)


class SensorOutput:
    """Publishes ticks.

    Attributes:
        publishers: by topic.
    """

    def __init__(self, node: Node, scenario: Scenario, mode: str) -> None:
        self._info = conversions.camera_info_message(scenario.camera, 0)
        self.publishers: dict[str, Publisher] = {
            topic: node.create_publisher(CLASSES[topic], topic, profile(topic, mode))
            for topic in PUBLISHED
        }

    def publish_samples(self, tick: Tick) -> None:
        """Publish what came before the picture: IMU samples, odometry, the camera's intrinsics."""
        imu = self.publishers[topics.IMU]
        window = tick.imu
        for stamp_ns, rate, force in zip(
            window.stamps_ns.tolist(),
            window.angular_velocity.tolist(),
            window.linear_acceleration.tolist(),
            strict=True,
        ):
            imu.publish(conversions.imu_message(rate, force, stamp_ns))
        self.publishers[topics.ODOM].publish(
            conversions.odometry_message(tick.truth, tick.stamp_ns)
        )
        if tick.framed:
            self._info.header.stamp = conversions.time_message(tick.stamp_ns)
            self.publishers[topics.CAMERA_INFO].publish(self._info)

    def publish_picture(self, tick: Tick) -> None:
        """Publish the frame, if one was delivered."""
        if tick.image is not None:
            self.publishers[topics.IMAGE].publish(
                conversions.image_message(tick.image, tick.stamp_ns)
            )

    def publish_clock(self, stamp_ns: int) -> None:
        """Publish simulated time."""
        self.publishers[topics.CLOCK].publish(conversions.clock_message(stamp_ns))

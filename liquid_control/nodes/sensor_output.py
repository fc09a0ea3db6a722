"""Publishers of a simulated vehicle's drivers: IMU, range, odometry, camera and time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from geometry_msgs.msg import Vector3Stamped
from rclpy.node import Node
from rclpy.publisher import Publisher

from liquid_control import topics
from liquid_control.config import Scenario
from liquid_control.config.driver_faults import DriverFault
from liquid_control.nodes import conversions
from liquid_control.nodes.faulty_drivers import FaultyPublisher, MessagePublisher
from liquid_control.nodes.frame_output import FrameOutput
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.types import Floats, ImuWindow

if TYPE_CHECKING:
    from liquid_control_sim.flight import Tick

PUBLISHED = (topics.IMAGE, topics.CAMERA_INFO, topics.IMU, topics.ODOM, topics.CLOCK)
"""Topics of the drivers, of a simulated vehicle and of a replay."""


def driver_publishers(node: Node, mode: str, ranged: bool) -> dict[str, Publisher]:
    """Return the publishers of a vehicle's drivers and of ROS time, by topic.

    The range comes first: a subscriber of pictures then knows whether it is published.

    Args:
        node: the publisher.
        mode: `lockstep` or `realtime`.
        ranged: whether the vehicle has a range sensor.
    """
    names = (topics.RANGE, *PUBLISHED) if ranged else PUBLISHED
    return {
        topic: node.create_publisher(CLASSES[topic], topic, profile(topic, mode))
        for topic in names
    }


def publish_imu(
    publisher: MessagePublisher, window: ImuWindow, orientation: Floats | None = None
) -> None:
    """Publish the samples of a window, one message each; the last one has the orientation."""
    stamps_ns = window.stamps_ns.tolist()
    for stamp_ns, rate, force in zip(
        stamps_ns,
        window.angular_velocity.tolist(),
        window.linear_acceleration.tolist(),
        strict=True,
    ):
        turned = orientation if stamp_ns == stamps_ns[-1] else None
        publisher.publish(conversions.imu_message(rate, force, stamp_ns, turned))


class SensorOutput:
    """Publishes the ticks of a simulated flight.

    Attributes:
        publishers: by topic.
    """

    def __init__(
        self,
        node: Node,
        scenario: Scenario,
        mode: str,
        faults: Sequence[DriverFault] = (),
        seed: int = 0,
    ) -> None:
        self._info = conversions.camera_info_message(scenario.camera, 0)
        self.publishers = driver_publishers(node, mode, scenario.range.enabled)
        self._drivers: Mapping[str, MessagePublisher] = self.publishers
        if faults:
            self._drivers = {
                topic: FaultyPublisher(publisher, topic, faults, seed)
                for topic, publisher in self.publishers.items()
            }
        self._frames = FrameOutput(node, scenario.camera, scenario.range.enabled)
        self._wind = node.create_publisher(Vector3Stamped, topics.WIND, profile(topics.WIND, mode))

    def publish_samples(self, tick: "Tick") -> None:
        """Publish everything that precedes the picture.

        The attitude and the range are measured at a frame.
        """
        frame = tick.observation
        orientation = None if frame is None else frame.orientation
        publish_imu(self._drivers[topics.IMU], tick.imu, orientation)
        if frame is not None and topics.RANGE in self._drivers:
            reading = conversions.range_message(frame.range_m, tick.stamp_ns)
            self._drivers[topics.RANGE].publish(reading)
        odometry = conversions.odometry_message(tick.truth, tick.stamp_ns)
        self._drivers[topics.ODOM].publish(odometry)
        self._frames.publish(tick.truth, tick.stamp_ns)
        if self._wind.get_subscription_count():
            self._wind.publish(conversions.wind_message(tick.wind, tick.stamp_ns))
        if tick.framed:
            self._info.header.stamp = conversions.time_message(tick.stamp_ns)
            self._drivers[topics.CAMERA_INFO].publish(self._info)

    def publish_picture(self, tick: "Tick") -> None:
        """Publish the camera frame, if one was delivered."""
        if tick.image is not None:
            image = conversions.image_message(tick.image, tick.stamp_ns)
            self._drivers[topics.IMAGE].publish(image)

    def publish_clock(self, stamp_ns: int) -> None:
        """Publish simulated time."""
        self._drivers[topics.CLOCK].publish(conversions.clock_message(stamp_ns))

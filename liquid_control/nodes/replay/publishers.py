"""What a replay publishes: the drivers' topics as in flight, and beside them what was recorded.

Commands, features and neurons of the bag go to `recorded/…`, where nobody obeys them and a viewer
can lay them over the live ones.
"""

from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo

from liquid_control import topics
from liquid_control.bags.events import (
    CameraInfoEvent,
    CommandEvent,
    CommandSource,
    FeaturesEvent,
    NeuronsEvent,
    OdometryEvent,
)
from liquid_control.nodes import conversions
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.nodes.replay.timeline import BagTick, Told
from liquid_control.types import ImuWindow

PUBLISHED = (topics.IMAGE, topics.CAMERA_INFO, topics.IMU, topics.ODOM, topics.CLOCK)
RECORDED = (topics.FEATURES, topics.POLICY_COMMAND, topics.NEURONS, topics.COMMAND)
COMMAND_SOURCES = {
    CommandSource.POLICY: topics.POLICY_COMMAND,
    CommandSource.GUARD: topics.COMMAND,
}


class ReplayOutput:
    """Publishes ticks.

    Attributes:
        publishers: of the drivers' topics, by topic.
    """

    def __init__(self, node: Node, mode: str) -> None:
        self._camera: CameraInfoEvent | None = None
        self.publishers: dict[str, Publisher] = {
            topic: node.create_publisher(CLASSES[topic], topic, profile(topic, mode))
            for topic in PUBLISHED
        }
        self._recorded: dict[str, Publisher] = {
            topic: node.create_publisher(
                CLASSES[topic], f"recorded/{topic}", profile(topic, "realtime")
            )
            for topic in RECORDED
        }

    def publish(self, tick: BagTick) -> None:
        """Publish everything of a tick but its time: the picture last."""
        for event in tick.told:
            self._publish_told(event)
        frame = tick.frame
        if frame is None:
            return
        if self._camera is not None:
            self.publishers[topics.CAMERA_INFO].publish(_intrinsics(self._camera, frame.stamp_ns))
        self._publish_imu(frame.imu, frame.stamp_ns)
        self.publishers[topics.IMAGE].publish(
            conversions.image_message(frame.image, frame.stamp_ns)
        )

    def publish_clock(self, stamp_ns: int) -> None:
        """Publish ROS time."""
        self.publishers[topics.CLOCK].publish(conversions.clock_message(stamp_ns))

    def _publish_imu(self, window: ImuWindow, until_ns: int) -> None:
        imu = self.publishers[topics.IMU]
        reached_ns = None
        for stamp_ns, rate, force in zip(
            window.stamps_ns.tolist(),
            window.angular_velocity.tolist(),
            window.linear_acceleration.tolist(),
            strict=True,
        ):
            imu.publish(conversions.imu_message(rate, force, stamp_ns))
            reached_ns = stamp_ns
        if reached_ns != until_ns:
            imu.publish(conversions.imu_mark(until_ns))

    def _publish_told(self, event: Told) -> None:
        match event:
            case CameraInfoEvent():
                self._camera = event
            case OdometryEvent(stamp_ns, state):
                message = conversions.odometry_message(state, stamp_ns)
                self.publishers[topics.ODOM].publish(message)
            case CommandEvent(speaker, command, stamp_ns, _):
                message = conversions.command_message(command, stamp_ns)
                self._recorded[COMMAND_SOURCES[speaker]].publish(message)
            case FeaturesEvent(stamp_ns, features):
                message = conversions.features_message(features, stamp_ns)
                self._recorded[topics.FEATURES].publish(message)
            case NeuronsEvent(stamp_ns, names, states, gates):
                message = conversions.neurons_message(list(names), states, gates, stamp_ns)
                self._recorded[topics.NEURONS].publish(message)


def _intrinsics(camera: CameraInfoEvent, stamp_ns: int) -> CameraInfo:
    focal_px = conversions.focal_length_px(camera.width, camera.horizontal_fov_deg)
    distortion = camera.distortion.tolist() or [0.0] * 5
    return conversions.intrinsics_message(
        camera.width, camera.height, focal_px, distortion, stamp_ns
    )

"""Publishers of a replay: the drivers' topics as in flight, and the recorded outputs.

Commands, features and neurons of the bag are published on `recorded/…`. No node obeys them there,
and a viewer can overlay them on the live ones.
"""

from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo

from liquid_control import topics
from liquid_control.bags import events
from liquid_control.nodes import conversions
from liquid_control.nodes.frame_output import FrameOutput
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.nodes.replay.timeline import BagTick, SideEvent
from liquid_control.nodes.sensor_output import driver_publishers, publish_imu
from liquid_control.types import Observation

RECORDED = (topics.FEATURES, topics.POLICY_COMMAND, topics.NEURONS, topics.COMMAND)
COMMAND_TOPICS = {
    events.CommandSource.POLICY: topics.POLICY_COMMAND,
    events.CommandSource.GUARD: topics.COMMAND,
}


class ReplayOutput:
    """Publishes the ticks of a bag.

    Attributes:
        publishers: of the drivers' topics, by topic.
    """

    def __init__(self, node: Node, mode: str, ranged: bool) -> None:
        self._camera: events.CameraInfoEvent | None = None
        self.publishers = driver_publishers(node, mode, ranged)
        self._frames = FrameOutput(node)
        self._recorded: dict[str, Publisher] = {
            topic: node.create_publisher(
                CLASSES[topic], f"recorded/{topic}", profile(topic, "realtime")
            )
            for topic in RECORDED
        }

    def publish_samples(self, tick: BagTick) -> None:
        """Publish everything that precedes the picture."""
        for event in tick.side_events:
            self._publish_side_event(event)
        if tick.frame is None:
            return
        stamp_ns = tick.frame.stamp_ns
        if self._camera is not None:
            self.publishers[topics.CAMERA_INFO].publish(_intrinsics(self._camera, stamp_ns))
        if topics.RANGE in self.publishers:
            reading = conversions.range_message(tick.frame.range_m, stamp_ns)
            self.publishers[topics.RANGE].publish(reading)
        self._publish_imu(tick.frame, stamp_ns)

    def publish_picture(self, tick: BagTick) -> None:
        """Publish the camera frame, if the tick has one."""
        if tick.frame is not None:
            image = conversions.image_message(tick.frame.image, tick.frame.stamp_ns)
            self.publishers[topics.IMAGE].publish(image)

    def publish_clock(self, stamp_ns: int) -> None:
        """Publish ROS time."""
        self.publishers[topics.CLOCK].publish(conversions.clock_message(stamp_ns))

    def _publish_imu(self, frame: Observation, until_ns: int) -> None:
        """Publish the samples before a frame, and a mark where none has the frame's stamp."""
        window, orientation = frame.imu, frame.orientation
        publish_imu(self.publishers[topics.IMU], window, orientation)
        if not len(window.stamps_ns):
            self.publishers[topics.IMU].publish(conversions.imu_mark(until_ns, orientation))
        elif window.stamps_ns[-1] != until_ns:
            self.publishers[topics.IMU].publish(conversions.imu_mark(until_ns))

    def _publish_side_event(self, event: SideEvent) -> None:
        match event:
            case events.CameraInfoEvent():
                self._camera = event
            case events.OdometryEvent(stamp_ns, state):
                message = conversions.odometry_message(state, stamp_ns, variance=0.0)
                self.publishers[topics.ODOM].publish(message)
                self._frames.publish(state, stamp_ns)
            case events.CommandEvent(source, command, stamp_ns, _):
                message = conversions.command_message(command, stamp_ns)
                self._recorded[COMMAND_TOPICS[source]].publish(message)
            case events.FeaturesEvent(stamp_ns, features):
                message = conversions.features_message(features, stamp_ns)
                self._recorded[topics.FEATURES].publish(message)
            case events.NeuronsEvent(stamp_ns, names, states, gates):
                message = conversions.neurons_message(list(names), states, gates, stamp_ns)
                self._recorded[topics.NEURONS].publish(message)


def _intrinsics(camera: events.CameraInfoEvent, stamp_ns: int) -> CameraInfo:
    if camera.model is not None:
        return conversions.camera_model_message(camera.model, stamp_ns)
    focal_px = conversions.focal_length_px(camera.width, camera.horizontal_fov_deg)
    distortion = camera.distortion.tolist() or [0.0] * 5
    return conversions.intrinsics_message(
        camera.width, camera.height, focal_px, distortion, stamp_ns
    )

"""Node that publishes what a camera and an autopilot give, and reports frames and commands."""

import json
import time

import numpy as np
from geometry_msgs.msg import TwistStamped
from pydantic import Field
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from benchmarks.recording_load import synthetic_pictures
from liquid_control import topics
from liquid_control.config import CameraSettings
from liquid_control.nodes import conversions
from liquid_control.nodes.node_settings import NodeSettings
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.nodes.shutdown import Shutdown, main_of

NAME = "link_load"
IMU_HZ = 200.0
LEVEL = np.array([0.0, 0.0, 0.0, 1.0])


class LinkLoadSettings(NodeSettings):
    """Parameters of link_load."""

    width: int = Field(128, ge=16, le=1920, description="of pictures, pixels")
    height: int = Field(72, ge=16, le=1080, description="of pictures, pixels")
    rate_hz: float = Field(30.0, ge=1.0, le=120.0, description="of pictures, 1/s")
    horizontal_fov_deg: float = Field(90.0, gt=0.0, lt=180.0, description="of the camera, degrees")


class LinkLoad(Node):
    """Publishes pictures and IMU samples with the time of their publication as their stamp.

    Each frame, and each new command of the guard, is a line of JSON: the stamp, and the steady
    clock before the picture is published or after the command has arrived, ns.
    """

    def __init__(self) -> None:
        super().__init__(NAME)
        settings = declare(self, LinkLoadSettings)
        names = (topics.IMAGE, topics.CAMERA_INFO, topics.IMU)
        self._out = {
            name: self.create_publisher(CLASSES[name], name, profile(name, "realtime"))
            for name in names
        }
        self._camera = CameraSettings(
            width=settings.width,
            height=settings.height,
            horizontal_fov_deg=settings.horizontal_fov_deg,
        )
        self._pictures = [
            conversions.image_message(p, 0) for p in synthetic_pictures(self._camera)
        ]
        self._count = self._stamp_ns = 0
        self.create_subscription(
            TwistStamped, topics.COMMAND, self._on_command, profile(topics.COMMAND, "realtime")
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0 / settings.rate_hz, self._on_frame, clock=steady)
        self.create_timer(1.0 / IMU_HZ, self._on_imu, clock=steady)

    def _on_frame(self) -> None:
        picture = self._pictures[self._count % len(self._pictures)]
        self._count += 1
        self._on_imu()
        stamp_ns, now_ns = time.time_ns(), time.monotonic_ns()
        picture.header.stamp = conversions.time_message(stamp_ns)
        info = conversions.camera_info_message(self._camera, stamp_ns)
        self._out[topics.CAMERA_INFO].publish(info)
        self._out[topics.IMAGE].publish(picture)
        self._on_imu()
        self._report("frame", stamp_ns, now_ns, ())

    def _on_imu(self) -> None:
        rate, force = np.array([0.01, 0.02, 0.03]), np.array([0.0, 0.0, 9.81])
        self._out[topics.IMU].publish(conversions.imu_message(rate, force, time.time_ns(), LEVEL))

    def _on_command(self, message: TwistStamped) -> None:
        command, stamp_ns = conversions.command_from(message)
        if stamp_ns > self._stamp_ns:
            self._stamp_ns = stamp_ns
            self._report("command", stamp_ns, time.monotonic_ns(), command.values)

    def _report(self, event: str, stamp_ns: int, now_ns: int, values: tuple[float, ...]) -> None:
        line = {"event": event, "stamp_ns": stamp_ns, "now_ns": now_ns, "values": list(values)}
        print(json.dumps(line), flush=True)


def build(shutdown: Shutdown) -> list[Node]:
    """Return the node."""
    return [LinkLoad()]


def main() -> None:
    """Run the load."""
    main_of(build)


if __name__ == "__main__":
    main()

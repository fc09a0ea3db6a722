"""Node that publishes a camera, an IMU, odometry and commands at full rate."""

import json
import time
from collections import Counter
from collections.abc import Callable

import cv2
import numpy as np
from pydantic import Field
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from liquid_control import topics
from liquid_control.config import CameraSettings
from liquid_control.nodes import conversions
from liquid_control.nodes.node_settings import NodeSettings
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS, Command, Pixels, VehicleState

NAME = "recording_load"
RATES_HZ: dict[str, int] = {
    topics.IMAGE: 30,
    topics.CAMERA_INFO: 30,
    topics.IMU: 400,
    topics.ODOM: 50,
    topics.POLICY_COMMAND: 30,
    topics.COMMAND: 40,
}
PICTURES = 16
NOISE = 3.0
"""Standard deviation of a sensor's noise, of 255; without it pictures compress too well."""
PERIOD_S = 1.0 / 400.0
READY_S = 1.0
"""After all subscribers were found: they may still be discovering the publishers."""


class RecordingLoadSettings(NodeSettings):
    """Parameters of recording_load."""

    width: int = Field(640, ge=16, le=1920, description="of pictures, pixels")
    height: int = Field(480, ge=16, le=1080, description="of pictures, pixels")
    seconds: float = Field(20.0, gt=0.0, le=3600.0, description="publish for this long, s")


class RecordingLoad(Node):
    """Publishes the topics of a vehicle for a limited time.

    Stamps are the times at which messages were due. Publishing begins once the recorder has
    subscribed to all topics. The node prints two lines of JSON: the duration when it begins, and
    the number of messages by topic at the end.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(NAME)
        self._shutdown = shutdown
        self._settings = declare(self, RecordingLoadSettings)
        self._topic_publishers = {
            topic: self.create_publisher(CLASSES[topic], topic, profile(topic, "realtime"))
            for topic in RATES_HZ
        }
        camera = CameraSettings(width=self._settings.width, height=self._settings.height)
        self._factories = _message_factories(camera)
        self._published: Counter[str] = Counter()
        self._begun_ns: int | None = None
        self._found_s: float | None = None
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(PERIOD_S, self._on_timer, clock=steady)

    def _on_timer(self) -> None:
        if self._begun_ns is None:
            self._begin_if_subscribed()
            return
        elapsed_s = (time.time_ns() - self._begun_ns) / NANOSECONDS
        for topic, rate_hz in RATES_HZ.items():
            due = int(min(elapsed_s, self._settings.seconds) * rate_hz)
            while self._published[topic] < due:
                stamp_ns = self._begun_ns + self._published[topic] * NANOSECONDS // rate_hz
                message = self._factories[topic](self._published[topic], stamp_ns)
                self._topic_publishers[topic].publish(message)
                self._published[topic] += 1
        if elapsed_s > self._settings.seconds:
            self._timer.cancel()
            print(json.dumps(self._published), flush=True)
            self._shutdown.request(0)

    def _begin_if_subscribed(self) -> None:
        if any(p.get_subscription_count() == 0 for p in self._topic_publishers.values()):
            return
        self._found_s = self._found_s or time.monotonic()
        if time.monotonic() - self._found_s > READY_S:
            self._begun_ns = time.time_ns()
            print(json.dumps({"seconds": self._settings.seconds}), flush=True)


def _message_factories(camera: CameraSettings) -> dict[str, Callable[[int, int], object]]:
    """Return a function per topic that makes a message from its number and stamp."""
    pictures = [conversions.image_message(one, 0) for one in synthetic_pictures(camera)]
    rate, force = np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.0, 9.81])
    still = np.zeros(3)
    state = VehicleState(still, np.array([0.0, 0.0, 0.0, 1.0]), still, still)

    def picture(number: int, stamp_ns: int) -> object:
        message = pictures[number % PICTURES]
        message.header.stamp = conversions.time_message(stamp_ns)
        return message

    def command(number: int, stamp_ns: int) -> object:
        return conversions.command_message(Command(1.0, 0.0, 0.0, 1e-3 * number), stamp_ns)

    return {
        topics.IMAGE: picture,
        topics.CAMERA_INFO: lambda _, ns: conversions.camera_info_message(camera, ns),
        topics.IMU: lambda _, ns: conversions.imu_message(rate, force, ns),
        topics.ODOM: lambda _, ns: conversions.odometry_message(state, ns),
        topics.POLICY_COMMAND: command,
        topics.COMMAND: command,
    }


def synthetic_pictures(camera: CameraSettings) -> list[Pixels]:
    """Return synthetic pictures of smooth shapes at three scales, with sensor noise."""
    random = stream(0, NAME)
    size = (camera.width, camera.height)
    pictures = []
    for _ in range(PICTURES):
        picture = np.full((camera.height, camera.width, 3), 128.0, np.float32)
        for cells, weight in ((4, 60.0), (16, 30.0), (64, 12.0)):
            coarse = random.uniform(-1.0, 1.0, (cells, cells, 3)).astype(np.float32)
            picture += weight * cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
        picture += NOISE * random.standard_normal(picture.shape).astype(np.float32)
        pictures.append(np.clip(picture, 0.0, 255.0).astype(np.uint8))
    return pictures


def main() -> None:
    """Run the load."""
    main_of(lambda shutdown: [RecordingLoad(shutdown)], linger_s=1.0)


if __name__ == "__main__":
    main()

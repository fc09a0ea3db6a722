"""A camera, an IMU, odometry and commands at full rate: what `bench record` has recorded."""

import json
import time
from collections import Counter
from collections.abc import Callable

import cv2
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from liquid_control import topics
from liquid_control.config.scenario import CameraSettings
from liquid_control.nodes import conversions
from liquid_control.nodes.node_settings import RecordingLoadSettings
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
"""Of 255, standard deviation: a sensor's; without it pictures would compress too well."""
PERIOD_S = 1.0 / 400.0
READY_S = 1.0
"""After everybody was found: discovery of the last reader may still be on its way."""


class RecordingLoad(Node):
    """Publishes for a while what a vehicle publishes.

    Stamps are those at which messages were due. Publishing begins once the recorder hears all. It
    prints two lines of JSON: for how long, as it begins, and how many messages it was, at the end.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(NAME)
        self._ending = shutdown
        self._settings = declare(self, RecordingLoadSettings)
        self._outlets = {
            topic: self.create_publisher(CLASSES[topic], topic, profile(topic, "realtime"))
            for topic in RATES_HZ
        }
        camera = CameraSettings(width=self._settings.width, height=self._settings.height)
        self._makers = _makers(camera)
        self._sent: Counter[str] = Counter()
        self._begun_ns: int | None = None
        self._found_s: float | None = None
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(PERIOD_S, self._on_timer, clock=steady)

    def _on_timer(self) -> None:
        if self._begun_ns is None:
            self._begin_if_heard()
            return
        elapsed_s = (time.time_ns() - self._begun_ns) / NANOSECONDS
        for topic, rate_hz in RATES_HZ.items():
            due = int(min(elapsed_s, self._settings.seconds) * rate_hz)
            while self._sent[topic] < due:
                stamp_ns = self._begun_ns + self._sent[topic] * NANOSECONDS // rate_hz
                message = self._makers[topic](self._sent[topic], stamp_ns)
                self._outlets[topic].publish(message)
                self._sent[topic] += 1
        if elapsed_s > self._settings.seconds:
            self._timer.cancel()
            print(json.dumps(self._sent), flush=True)
            self._ending.request(0)

    def _begin_if_heard(self) -> None:
        if any(p.get_subscription_count() == 0 for p in self._outlets.values()):
            return
        self._found_s = self._found_s or time.monotonic()
        if time.monotonic() - self._found_s > READY_S:
            self._begun_ns = time.time_ns()
            print(json.dumps({"seconds": self._settings.seconds}), flush=True)


def _makers(camera: CameraSettings) -> dict[str, Callable[[int, int], object]]:
    """Return what makes the message of a topic from its number and stamp."""
    pictures = [conversions.image_message(one, 0) for one in _pictures(camera)]
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


def _pictures(camera: CameraSettings) -> list[Pixels]:
    """Return synthetic pictures: smooth shapes from coarse to fine, and a sensor's noise."""
    random = stream(0, NAME)
    size = (camera.width, camera.height)
    found = []
    for _ in range(PICTURES):
        picture = np.full((camera.height, camera.width, 3), 128.0, np.float32)
        for cells, weight in ((4, 60.0), (16, 30.0), (64, 12.0)):
            coarse = random.uniform(-1.0, 1.0, (cells, cells, 3)).astype(np.float32)
            picture += weight * cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
        picture += NOISE * random.standard_normal(picture.shape).astype(np.float32)
        found.append(np.clip(picture, 0.0, 255.0).astype(np.uint8))
    return found


def main() -> None:
    """Run the load."""
    main_of(lambda shutdown: [RecordingLoad(shutdown)], linger_s=1.0)


if __name__ == "__main__":
    main()

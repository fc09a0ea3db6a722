"""Perception node: computes features of pictures and IMU samples, with the frame's stamp."""

from collections.abc import Callable
from dataclasses import replace
from math import nan

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, Range

from liquid_control import topics
from liquid_control.errors import LiquidControlError, ObservationError
from liquid_control.nodes import conversions
from liquid_control.nodes.conversions import picture_from
from liquid_control.nodes.guard_inputs import picture_health_message
from liquid_control.nodes.lifecycle import ModelNode
from liquid_control.nodes.node_settings import PerceptionSettings
from liquid_control.nodes.parameters import on_parameter_change
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control.perception import (
    READING_AGE_NS,
    CameraModel,
    CameraModelError,
    PictureDistribution,
    PictureMemory,
    SensorSync,
    Viewfinder,
    fit,
    picture_health,
    readings_of,
)
from liquid_control.plausibility import ImuRange
from liquid_control.types import Observation, Pixels

CHECK_PERIOD_S = 0.1
CAMERA_INFO_S = 2.0
"""In lockstep, the first frame waits so long for the camera_info that a model's mount needs."""
SYNC_EVENTS = {
    "imu_stamp_backwards": "an IMU sample at {:.3f} s is not later than the one before it",
    "frame_stamp_backwards": "a frame at {:.3f} s is not later than the one before it",
    "frame_overrun": "too many frames wait for the IMU at {:.3f} s: the oldest is dropped",
    "range_stamp_backwards": "a range at {:.3f} s is not later than the one before it",
}
"""Sentences on the events of `SensorSync`."""


class PerceptionNode(ModelNode[PerceptionSettings]):
    """Runs `Policy.features` on every frame, once the IMU stream has reached its stamp.

    A frame that cannot be used is answered with features of NaN. The controller then hovers at
    once. All frames are answered so while a second node publishes pictures, camera_info, ranges
    or IMU samples. The optional inputs of the model are read only where it needs them.
    """

    subscribed = (topics.IMAGE, topics.COMPRESSED, topics.CAMERA_INFO, topics.IMU, topics.RANGE)

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.PERCEPTION, PerceptionSettings, shutdown)
        self.controller: Callable[[Image], None] | None = None
        on_parameter_change(self, PerceptionSettings, self._on_change)

    def check(self) -> None:
        """Check the camera's pitch, if known, against the range that the model was trained for.

        Raises:
            ModelError: it is outside, or the file with the training pictures is damaged.
        """
        wanted = self.settings.picture_health
        self._learned = PictureDistribution.load(self.policy.model.path) if wanted else None
        if self.settings.camera_pitch_down_deg is not None:
            view = self.policy.model.settings.camera.view
            view.check_pitch(self.settings.camera_pitch_down_deg)

    def connect(self) -> None:
        """Create publishers, subscriptions and timers."""
        self._features = self.publish_to(topics.FEATURES)
        self._inputs = self.publish_to(topics.INPUTS)
        if self.settings.picture_health:
            self._health = self.publish_to(topics.PICTURE)
        if "range" in self._needed:
            self.subscribe_to(topics.RANGE, self._on_range)
        self.subscribe_to(topics.IMU, self._on_imu)
        self.subscribe_to(topics.CAMERA_INFO, self._on_camera_info)
        if self.settings.horizontal_fov_deg:
            self.inputs.forget(topics.CAMERA_INFO)
        compressed = self.settings.transport == "compressed"
        self._image_topic = topics.COMPRESSED if compressed else topics.IMAGE
        kind = CompressedImage if compressed else None
        self.subscribe_to(topics.IMAGE, self._on_image, self._image_topic, kind)
        if self.settings.mode == "realtime":
            self._imu_timer = self.every(self.settings.imu_timeout_s, self._on_imu_timeout)
            self._imu_timer.cancel()
            self.every(CHECK_PERIOD_S, self._check_camera)
        self._info_timer = self.every(CAMERA_INFO_S, self._on_info_known)
        self._info_timer.cancel()

    def reset(self) -> None:
        """Begin a flight."""
        self._needed = self.policy.needed_inputs
        self._sync = SensorSync()
        if "range" in self._needed:
            self._sync.range_age_ns = READING_AGE_NS if self.settings.mode == "realtime" else 0
        view, settings = self.policy.model.settings.camera.view, self.settings
        calibrates = "mount" in self._needed and not settings.horizontal_fov_deg
        self._info_awaited = calibrates and settings.mode == "lockstep"
        self._imu_range = ImuRange(settings.imu_max_rate_radps, settings.imu_max_accel_mps2)
        self._memory = PictureMemory()
        self._viewfinder = Viewfinder(view, settings.crop, settings.horizontal_fov_deg or None)
        self._camera_model: CameraModel | None = None
        self._frame_ns: int | None = None
        self.diagnostics.problem = "no frame yet"

    def _on_change(self, settings: PerceptionSettings) -> None:
        """Apply changed parameters to the frames from now on."""
        self.settings = settings

    def _on_imu(self, message: Imu) -> None:
        if self.bound.refuses(topics.IMU):
            return
        stamp_ns, rate, force = conversions.imu_from(message)
        if "attitude" in self._needed:
            orientation = conversions.orientation_from(message)
            if orientation is not None:
                self._sync.orientations.add(stamp_ns, orientation)
        if conversions.is_imu_mark(message):
            self._sync.reach(stamp_ns)
        elif event := self._sync.add_sample(stamp_ns, rate, force):
            self.diagnostics.count(event, SYNC_EVENTS[event].format(stamp_ns * 1e-9))
        self._process()

    def _on_range(self, message: Range) -> None:
        if self.bound.refuses(topics.RANGE):
            return
        stamp_ns, range_m = conversions.range_from(message)
        if not self._sync.ranges.add(stamp_ns, range_m):
            event = "range_stamp_backwards"
            self.diagnostics.count(event, SYNC_EVENTS[event].format(stamp_ns * 1e-9))
        self._process()

    def _on_camera_info(self, message: CameraInfo) -> None:
        if self.bound.refuses(topics.CAMERA_INFO):
            return
        self._set_camera(message)
        if self._info_awaited:
            self._on_info_known()

    def _on_info_known(self) -> None:
        """Answer the frames that waited for the first camera_info, also if none has come."""
        self._info_timer.cancel()
        self._info_awaited = False
        self._process()

    def _set_camera(self, message: CameraInfo) -> None:
        try:
            model = conversions.camera_model(message)
            if model == self._camera_model:
                return
            fov_deg = model.horizontal_fov_deg
        except CameraModelError as error:
            self.diagnostics.count("camera_info_refused", f"camera_info refused: {error}")
            self._camera_model = None
            self._viewfinder.set_camera(message.width, message.height, nan, problem=str(error))
            return
        except ObservationError as error:
            self.diagnostics.count("camera_info_refused", f"camera_info refused: {error}")
            return
        self._camera_model = model
        self._viewfinder.set_camera(model.width, model.height, fov_deg, model)

    def _on_image(self, message: Image | CompressedImage) -> None:
        stamp_ns = conversions.stamp_of(message.header.stamp)
        self._frame_ns = self._steady.now().nanoseconds
        self.diagnostics.problem = ""
        if self.bound.refuses(self._image_topic) or self.bound.refusal:
            self._publish_nothing(stamp_ns)
            return
        try:
            image = picture_from(message, self.settings.encoding or None)
        except ObservationError as error:
            self._refuse("image_refused", error, stamp_ns)
            return
        event = self._sync.add_frame(stamp_ns, image)
        if event:
            self.diagnostics.count(event, SYNC_EVENTS[event].format(stamp_ns * 1e-9))
        self._expect_range()
        self._process()

    def _expect_range(self) -> None:
        """In lockstep, do not wait for a range that nothing publishes: the frame is refused."""
        needed = "range" in self._needed and self.settings.mode == "lockstep"
        if needed and self._sync.ranges.newest_ns is None:
            found = self.count_publishers(self.resolve_topic_name(topics.RANGE))
            self._sync.range_age_ns = 0 if found else None

    def _process(self, force: bool = False) -> None:
        if not self.active:
            return
        if self._info_awaited and self._sync.waiting:
            if self._info_timer.is_canceled():
                self._info_timer.reset()
            return
        while (observation := self._sync.take(force)) is not None:
            self._publish(observation)
        waits = self.settings.mode == "realtime" and self._sync.waiting
        if waits and self._imu_timer.is_canceled():
            self._imu_timer.reset()

    def _publish(self, observation: Observation) -> None:
        if self.bound.refusal:
            self._publish_nothing(observation.stamp_ns)
            return
        try:
            self._imu_range.check(observation.imu)
            whole = self._completed(observation)
        except LiquidControlError as error:
            self._refuse("observation_refused", error, observation.stamp_ns)
            return
        self._answer(whole)
        if self._needed:
            readings = readings_of(self._needed, whole)
            self._inputs.publish(conversions.inputs_message(readings, whole.stamp_ns))

    def _completed(self, observation: Observation) -> Observation:
        """Return an observation of the model's view, with the inputs that parameters give."""
        framed = self._viewfinder.frame(observation.image)
        if not self._needed:
            return replace(observation, image=framed)
        fov_deg, pitch_deg = self._viewfinder.fov_deg, self.settings.camera_pitch_down_deg
        mount = None if fov_deg is None or pitch_deg is None else (fov_deg, pitch_deg)
        cruise_mps = self.settings.cruise_speed_mps
        return replace(observation, image=framed, cruise_mps=cruise_mps, mount=mount)

    def _answer(self, observation: Observation) -> None:
        try:
            picture = fit(observation.image, self.policy.model.settings.camera.view)
            if self.settings.picture_health:
                self._publish_health(picture, observation.stamp_ns)
            features = self.policy.features_of_fitted(picture, observation)
        except LiquidControlError as error:
            self._refuse("observation_refused", error, observation.stamp_ns)
            return
        self._send(features, observation.stamp_ns)

    def _send(self, features: NDArray[np.float32], stamp_ns: int) -> None:
        message = conversions.features_message(features, stamp_ns)
        if self.controller is not None:
            self.controller(message)
        self._features.publish(message)

    def _publish_health(self, picture: Pixels, stamp_ns: int) -> None:
        health, self._memory = picture_health(picture, stamp_ns, self._memory, self._learned)
        self._health.publish(picture_health_message(health))

    def _refuse(self, event: str, error: LiquidControlError, stamp_ns: int) -> None:
        self.diagnostics.count(event, f"frame refused, hovering: {error}")
        self._publish_nothing(stamp_ns)

    def _publish_nothing(self, stamp_ns: int) -> None:
        if self.active:
            nothing = np.full(self.policy.feature_count, np.nan, np.float32)
            self._send(nothing, stamp_ns)

    def _on_imu_timeout(self) -> None:
        self._imu_timer.cancel()
        if not self._sync.waiting:
            return
        if self._sync.imu_is_late:
            waited_s = self.settings.imu_timeout_s
            self.diagnostics.count(
                "imu_late", f"no IMU samples for {waited_s:g} s: a frame is used without them"
            )
        self._process(force=True)

    def _check_camera(self) -> None:
        if self._frame_ns is None or self.diagnostics.problem or not self.active:
            return
        silence_s = (self._steady.now().nanoseconds - self._frame_ns) * 1e-9
        if silence_s > self.settings.camera_timeout_s:
            self.diagnostics.problem = "the camera stopped"
            self.diagnostics.count("camera_stopped", f"no frame for {silence_s:.2f} s")


def main() -> None:
    """Run perception_node."""
    main_of(lambda shutdown: [PerceptionNode(shutdown)])


if __name__ == "__main__":
    main()

"""Features and pictures of recorded frames, computed once a frame for all consumers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.bags.bag import Bag
from liquid_control.bags.events import CameraInfoEvent, FrameEvent
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.losses import Losses
from liquid_control.bags.topics import Role, TopicMap
from liquid_control.errors import LiquidControlError
from liquid_control.interfaces import PictureChange, StatefulChange
from liquid_control.perception import Viewfinder, fit
from liquid_control.policy import Policy
from liquid_control.replay.given_inputs import GivenInputs
from liquid_control.types import ImuWindow, Observation, Pixels


@dataclass(frozen=True, slots=True, eq=False)
class FrameFeatures:
    """Picture and features of one frame.

    Attributes:
        picture: of the model's size, as the network receives it; None where the recorded picture
            cannot be used.
        features: float32 [F]; None where they cannot be computed.
        error: the reason; None where there are features.
    """

    picture: Pixels | None
    features: NDArray[np.float32] | None
    error: LiquidControlError | None


class FeatureExtractor:
    """Crops and fits recorded pictures to the model's view and runs the perception network.

    Several consumers of one model share an extractor. Each frame is then fitted and encoded once.

    Args:
        policy: the model's policy.
        change: applied to every picture at the model's size; None for unchanged pictures. Each
            replay needs a new one.
        given: inputs that the recording may lack.
    """

    def __init__(
        self,
        policy: Policy,
        change: PictureChange | None = None,
        given: GivenInputs | None = None,
    ) -> None:
        self.policy = policy
        self._given = GivenInputs() if given is None else given
        self._has_inputs = bool(policy.needed_inputs)
        self._change = change
        self._view = policy.model.settings.camera.view
        self._viewfinder = Viewfinder(self._view)
        self._last: tuple[FrameEvent, FrameFeatures | None] | None = None
        self._count = 0
        self._undelivered: list[ImuWindow] = []

    def set_camera(self, camera: CameraInfoEvent) -> None:
        """Set the camera's picture size and field of view."""
        self._viewfinder.set_camera(
            camera.width,
            camera.height,
            camera.horizontal_fov_deg,
            camera.model,
            camera.problem,
        )

    def crop(self, image: Pixels) -> Pixels:
        """Return the part of a recorded picture inside the model's view, without a copy.

        Raises:
            LiquidControlError: the camera shows less than the model's view, or its field of view
                is not known.
        """
        return self._viewfinder.frame(image)

    def completed(self, observation: Observation) -> Observation:
        """Return the observation of the last cropped picture with the inputs of the model."""
        if not self._has_inputs:
            return observation
        return self._given.completed(observation, self._viewfinder.fov_deg)

    def extract(self, frame: FrameEvent) -> FrameFeatures | None:
        """Return a frame's features; None where the change of pictures does not deliver it."""
        if self._last is None or self._last[0] is not frame:
            self._last = frame, self._extract(frame.observation)
        return self._last[1]

    def extract_fitted(self, picture: Pixels, observation: Observation) -> FrameFeatures | None:
        """Return a frame's features from its picture as another extractor fitted it.

        Args:
            picture: uint8 [H, W, 3] RGB of the model's size.
            observation: the other readings of the frame, completed by that extractor.
        """
        index, changed = self._count, picture
        self._count += 1
        try:
            if self._change is not None:
                delivered = self._change(picture, observation.stamp_ns, index)
                if delivered is None:
                    self._undelivered.append(observation.imu)
                    return None
                changed = delivered
            whole = replace(observation, imu=self._window(observation.imu))
            features = self.policy.features_of_fitted(changed, whole)
        except LiquidControlError as error:
            return FrameFeatures(changed, None, error)
        return FrameFeatures(changed, features, None)

    def state(self) -> dict[str, Any]:
        """Return the state of the change between two frames, for `restore`."""
        windows = [
            [window.stamps_ns, window.angular_velocity, window.linear_acceleration]
            for window in self._undelivered
        ]
        changed = self._change.state() if isinstance(self._change, StatefulChange) else None
        return {"count": self._count, "undelivered": windows, "change": changed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from the state of an extractor of the same policy and change."""
        self._count = state["count"]
        self._undelivered = [ImuWindow(*window) for window in state["undelivered"]]
        if isinstance(self._change, StatefulChange):
            self._change.restore(state["change"])

    def _extract(self, observation: Observation) -> FrameFeatures | None:
        try:
            picture = fit(self.crop(observation.image), self._view)
        except LiquidControlError as error:
            self._count += 1
            return FrameFeatures(None, None, error)
        return self.extract_fitted(picture, self.completed(observation))

    def _window(self, imu: ImuWindow) -> ImuWindow:
        """Return a frame's samples after those of the undelivered frames before it."""
        if not self._undelivered:
            return imu
        window = ImuWindow.joined([*self._undelivered, imu])
        self._undelivered.clear()
        return window


def frame_pictures(
    bag: Bag, topics: TopicMap, policy: Policy, start_ns: int | None = None
) -> Iterator[tuple[int, Pixels]]:
    """Yield log time and picture of every frame: the part inside the model's view.

    Args:
        bag: the recording.
        topics: topics by role.
        policy: of the model.
        start_ns: log time to begin at; None for the beginning.
    """
    extractor = FeatureExtractor(policy)
    roles = (Role.CAMERA, Role.CAMERA_INFO)
    cameras = TopicMap({role: topics.sources[role] for role in roles if role in topics.sources})
    for event in read_flight(bag, cameras, Losses(), start_ns):
        if isinstance(event, CameraInfoEvent):
            extractor.set_camera(event)
        elif isinstance(event, FrameEvent):
            try:
                picture = extractor.crop(event.observation.image)
            except LiquidControlError:
                continue
            yield event.log_ns, picture

"""From a recorded frame to features, as the perception node does it, once a frame for all."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from liquid_control.bags.events import CameraInfoEvent, FrameEvent
from liquid_control.errors import LiquidControlError
from liquid_control.interfaces import PictureChange
from liquid_control.perception.camera_view import fit
from liquid_control.perception.viewfinder import Viewfinder
from liquid_control.policy import Policy
from liquid_control.types import ImuWindow, Pixels


@dataclass(frozen=True, slots=True, eq=False)
class FrameFeatures:
    """What came of a frame.

    Attributes:
        picture: at the model's size, as the network is shown it; None where it could not be used.
        features: float32 [F]; None where they could not be made.
        error: why not; None where they could.
    """

    picture: Pixels | None
    features: NDArray[np.float32] | None
    error: LiquidControlError | None


class FeatureExtractor:
    """Frames a recorded picture as the model's camera would, and runs the perception network.

    Players of one model share a perceiver: a frame is then looked at once.

    Args:
        policy: the model's.
        change: made to every picture at the model's size; None for none. New for each replay.
    """

    def __init__(self, policy: Policy, change: PictureChange | None = None) -> None:
        self.policy = policy
        self._change = change
        self._view = policy.model.settings.camera.view
        self._finder = Viewfinder(self._view)
        self._last: tuple[FrameEvent, FrameFeatures | None] | None = None
        self._number = 0
        self._left_over: list[ImuWindow] = []

    def calibrated(self, calibration: CameraInfoEvent) -> None:
        """Learn the camera's field of view."""
        self._finder.calibrated(
            calibration.width, calibration.height, calibration.horizontal_fov_deg
        )

    def perceive(self, seen: FrameEvent) -> FrameFeatures | None:
        """Return what came of a frame; None where the change of pictures does not deliver it."""
        if self._last is None or self._last[0] is not seen:
            self._last = seen, self._look(seen)
        return self._last[1]

    def framed(self, image: Pixels) -> Pixels:
        """Return the part of a recorded picture that the model's camera would show, a view.

        Raises:
            LiquidControlError: the camera shows less than the model needs, or nobody knows what.
        """
        return self._finder.frame(image)

    def _look(self, seen: FrameEvent) -> FrameFeatures | None:
        observation, number = seen.observation, self._number
        self._number += 1
        picture: Pixels | None = None
        try:
            picture = fit(self.framed(observation.image), self._view)
            if self._change is not None:
                picture = self._change(picture, observation.stamp_ns, number)
            if picture is None:
                self._left_over.append(observation.imu)
                return None
            features = self.policy.features(
                replace(observation, image=picture, imu=self._window(observation.imu))
            )
        except LiquidControlError as error:
            return FrameFeatures(picture, None, error)
        return FrameFeatures(picture, features, None)

    def _window(self, own: ImuWindow) -> ImuWindow:
        """Return a frame's samples after those of the frames before it that were not delivered."""
        if not self._left_over:
            return own
        window = ImuWindow.joined([*self._left_over, own])
        self._left_over.clear()
        return window

"""Resize pictures to the view a model was trained with, and normalise brightness and contrast."""

from dataclasses import dataclass
from math import isfinite

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception.area_average import area_average, is_simple
from liquid_control.types import Pixels

FOV_TOLERANCE_DEG = 1.0
ASPECT_TOLERANCE = 0.02
"""Relative tolerance: 96x54 and 95x54 have the same shape, 4:3 and 16:9 do not."""
PITCH_TOLERANCE_DEG = 3.0
CONTRAST_FLOOR = 2.0
"""Smallest standard deviation, on a scale of 255, by which a picture is divided."""


@dataclass(frozen=True, slots=True)
class CameraView:
    """Camera view that a model was trained with.

    Attributes:
        width: picture width, pixels.
        height: picture height, pixels.
        horizontal_fov_deg: horizontal field of view, degrees.
        pitch_down_deg: optical axis below the body's x axis, degrees.
        fov_range_deg: smallest and largest horizontal field of view in training, degrees; None
            for `horizontal_fov_deg` alone.
        pitch_range_deg: smallest and largest pitch in training, degrees; None for
            `pitch_down_deg` alone.
    """

    width: int
    height: int
    horizontal_fov_deg: float
    pitch_down_deg: float = 15.0
    fov_range_deg: tuple[float, float] | None = None
    pitch_range_deg: tuple[float, float] | None = None

    def check_camera(
        self,
        width: int,
        height: int,
        horizontal_fov_deg: float,
        encoding: str = "rgb8",
        pitch_down_deg: float | None = None,
    ) -> None:
        """Check that a camera matches this view.

        Args:
            width: picture width, pixels.
            height: picture height, pixels.
            horizontal_fov_deg: horizontal field of view, degrees.
            encoding: ROS name of the encoding of its images.
            pitch_down_deg: pitch of the camera, degrees; None if unknown.

        Raises:
            ObservationError: the encoding is not rgb8.
            ModelError: shape, size, field of view or pitch differ from this view.
        """
        if encoding != "rgb8":
            raise ObservationError(f"expected images in encoding rgb8, got {encoding!r}")
        check_size(self, width, height, ModelError)
        fov_range = self.fov_range_deg or (self.horizontal_fov_deg,) * 2
        if not _within(horizontal_fov_deg, fov_range, FOV_TOLERANCE_DEG):
            raise ModelError(
                f"the model expects a horizontal field of view of {_text(fov_range)} "
                f"+- {FOV_TOLERANCE_DEG:g} degrees, got {horizontal_fov_deg:g}"
            )
        if pitch_down_deg is not None:
            self.check_pitch(pitch_down_deg)

    def check_pitch(self, pitch_down_deg: float) -> None:
        """Check the pitch of a camera, degrees.

        Raises:
            ModelError: it is outside of the range of this view.
        """
        pitch_range = self.pitch_range_deg or (self.pitch_down_deg,) * 2
        if not _within(pitch_down_deg, pitch_range, PITCH_TOLERANCE_DEG):
            raise ModelError(
                f"the model expects a camera pitched down by {_text(pitch_range)} "
                f"+- {PITCH_TOLERANCE_DEG:g} degrees, got {pitch_down_deg:g}"
            )


def _within(value: float, allowed: tuple[float, float], tolerance: float) -> bool:
    return allowed[0] - tolerance <= value <= allowed[1] + tolerance


def _text(allowed: tuple[float, float]) -> str:
    low, high = allowed
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def fit(image: Pixels, view: CameraView) -> Pixels:
    """Return an RGB picture at the size of the model; a larger picture is averaged over areas.

    Args:
        image: uint8 [H, W, 3].
        view: view of the model.

    Raises:
        ObservationError: the array is not a uint8 RGB picture, is smaller than the view, or has
            another aspect ratio.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        received = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise ObservationError(f"expected an image of uint8, got {received}")
    if image.ndim != 3 or image.shape[2] != 3:
        raise ObservationError(f"expected an image of shape (height, width, 3), got {image.shape}")
    height, width = image.shape[:2]
    if (width, height) == (view.width, view.height):
        return image
    check_size(view, width, height, ObservationError)
    if is_simple(width, view.width) and is_simple(height, view.height):
        return area_average(image, view.width, view.height)
    fitted = cv2.resize(image, (view.width, view.height), interpolation=cv2.INTER_AREA)
    return np.asarray(fitted, dtype=np.uint8)


def standardise(image: Pixels) -> NDArray[np.float32]:
    """Return a picture minus its mean, divided by its standard deviation.

    Both are computed over all pixels and channels, which keeps colour and removes exposure. The
    divisor is at least `CONTRAST_FLOOR`, so an almost constant picture is not amplified.

    Args:
        image: uint8 [H, W, 3].

    Returns:
        float32 [3, H, W].
    """
    mean, deviation = moments(image)
    centred = np.subtract(image.transpose(2, 0, 1), np.float32(mean), order="C")
    centred *= np.float32(1.0 / max(deviation, CONTRAST_FLOOR))
    return centred


def moments(image: Pixels) -> tuple[float, float]:
    """Return mean and standard deviation of all values, from exact integer sums."""
    mean = sum(cv2.sumElems(image)) / image.size
    variance = cv2.norm(image, cv2.NORM_L2SQR) / image.size - mean * mean
    return float(mean), max(float(variance), 0.0) ** 0.5


def check_size(
    view: CameraView, width: int, height: int, error: type[ModelError] | type[ObservationError]
) -> None:
    """Check that a picture is at least as large as a view, and of its shape."""
    expected = f"the model expects at least {view.width}x{view.height} of that shape"
    if width < view.width or height < view.height:
        raise error(f"{expected}, got a smaller image, {width}x{height}")
    ratio = (width / height) / (view.width / view.height)
    if not isfinite(ratio) or abs(ratio - 1.0) > ASPECT_TOLERANCE:
        raise error(f"{expected}, got another aspect ratio, {width}x{height}")

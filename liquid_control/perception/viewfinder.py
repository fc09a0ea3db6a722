"""What a camera shows of the model's view: nothing else reaches the network."""

from liquid_control.errors import ObservationError
from liquid_control.perception.framing import Framing
from liquid_control.perception.image import ASPECT_TOLERANCE, CameraView
from liquid_control.types import Pixels


class Viewfinder:
    """Frames pictures of a camera whose field of view becomes known, or not.

    A picture of another shape than the model's is cut only where the field of view is known:
    which part of it the model knows would else be a guess.

    Args:
        view: the model's.
        crop: whether pictures may be cut; else they must show the model's view as they are.
        horizontal_fov_deg: the camera's, degrees; it goes before what `calibrated` is told.
    """

    def __init__(
        self, view: CameraView, crop: bool = True, horizontal_fov_deg: float | None = None
    ) -> None:
        self._view = view
        self._crop = crop
        self._given_deg = horizontal_fov_deg
        self._told: tuple[int, int, float] | None = None
        self._framing: Framing | None = None

    def calibrated(self, width: int, height: int, horizontal_fov_deg: float) -> None:
        """Learn the camera's picture size, pixels, and field of view, degrees."""
        told = width, height, horizontal_fov_deg
        if told != self._told:
            self._told, self._framing = told, None

    def frame(self, image: Pixels) -> Pixels:
        """Return the part of a picture that shows the model's view, itself where all of it does.

        Raises:
            ObservationError: the picture is too small, or what it shows is not known.
            ModelError: the camera shows less than the model's view, or more and may not be cut.
        """
        height, width = image.shape[:2]
        framing = self._framing
        if framing is None or (framing.width, framing.height) != (width, height):
            self._framing = framing = self._framed(width, height)
        return framing.crop(image)

    def _framed(self, width: int, height: int) -> Framing:
        fov_deg = self._fov_deg(width, height)
        if not self._crop:
            known_deg = self._view.horizontal_fov_deg if fov_deg is None else fov_deg
            self._view.check_camera(width, height, known_deg)
            return Framing(width, height, 0, 0, width, height)
        shape = self._view.width, self._view.height
        if fov_deg is None and not _is_like((width, height), shape):
            raise ObservationError(
                f"expected pictures in the shape of {shape[0]}x{shape[1]}, got {width}x{height}; "
                "to cut them needs camera_info or the camera's field of view (perception_node: "
                "horizontal_fov_deg; bags: --topic camera=/name,DEGREES)"
            )
        return Framing.of(self._view, width, height, fov_deg)

    def _fov_deg(self, width: int, height: int) -> float | None:
        if self._given_deg is not None or self._told is None:
            return self._given_deg
        told_width, told_height, fov_deg = self._told
        if not _is_like((width, height), (told_width, told_height)):
            raise ObservationError(
                f"camera_info tells of {told_width}x{told_height} pixels, got pictures of another "
                f"shape, {width}x{height}"
            )
        return fov_deg


def _is_like(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether two sizes have about the same shape; one without pixels has none."""
    if min(*size, *other) < 1:
        return False
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1.0) <= ASPECT_TOLERANCE

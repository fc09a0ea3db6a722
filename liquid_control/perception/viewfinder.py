"""What a camera shows of the model's view: nothing else reaches the network."""

from dataclasses import dataclass
from math import atan, degrees, isfinite, radians, tan

from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception.camera_view import ASPECT_TOLERANCE, FOV_TOLERANCE_DEG, CameraView
from liquid_control.types import Pixels


@dataclass(frozen=True, slots=True)
class Framing:
    """The central part of a camera's picture.

    Attributes:
        width: of the camera's picture, pixels.
        height: of the camera's picture, pixels.
        left: first column of the part.
        top: first row of the part.
        part_width: columns of the part.
        part_height: rows of the part.
    """

    width: int
    height: int
    left: int
    top: int
    part_width: int
    part_height: int

    @classmethod
    def of(
        cls, view: CameraView, width: int, height: int, horizontal_fov_deg: float | None
    ) -> "Framing":
        """Find the part of a camera's picture that shows the model's view.

        A pinhole camera sees the half angle a at f tan(a) pixels from the centre, so the part is
        `width * tan(model / 2) / tan(camera / 2)` columns wide, and as high as the model's aspect
        ratio asks for. Where the field of view is not known, it is taken to be the model's: the
        part is as large as the model's shape allows.

        Args:
            view: the model's.
            width: pixels.
            height: pixels.
            horizontal_fov_deg: the camera's, degrees; None where it is not known.

        Raises:
            ObservationError: the picture has fewer pixels than the model needs, or no size.
            ModelError: the camera sees less than the model's camera does.
        """
        if width < 1 or height < 1:
            raise ObservationError(f"expected a picture with pixels, got {width}x{height}")
        part_width = _part_width(view, width, horizontal_fov_deg)
        part_height = round(part_width * view.height / view.width)
        if part_height > height and horizontal_fov_deg is None:
            part_width, part_height = round(height * view.width / view.height), height
        elif part_height > height:
            part_height = _all_rows(view, width, height, part_width)
        if part_width < view.width or part_height < view.height:
            raise ObservationError(
                f"the model expects at least {view.width}x{view.height} pixels of its view, got "
                f"{part_width}x{part_height} of a {width}x{height} picture"
            )
        left, top = (width - part_width) // 2, (height - part_height) // 2
        return cls(width, height, left, top, part_width, part_height)

    def crop(self, image: Pixels) -> Pixels:
        """Return the part, a view into the picture, uint8 [part_height, part_width, 3].

        Raises:
            ObservationError: the picture is not of the camera's size.
        """
        if image.shape[:2] != (self.height, self.width):
            got = "x".join(str(size) for size in image.shape[1::-1])
            raise ObservationError(f"expected {self.width}x{self.height} pixels, got {got}")
        rows = slice(self.top, self.top + self.part_height)
        return image[rows, self.left : self.left + self.part_width]


def _part_width(view: CameraView, width: int, fov_deg: float | None) -> int:
    if fov_deg is None or abs(fov_deg - view.horizontal_fov_deg) <= FOV_TOLERANCE_DEG:
        return width
    if not (isfinite(fov_deg) and 0.0 < fov_deg < 180.0):
        raise ObservationError(
            f"expected a horizontal field of view between 0 and 180 degrees, got {fov_deg:g}"
        )
    if fov_deg < view.horizontal_fov_deg:
        raise ModelError(
            f"the model expects a horizontal field of view of {view.horizontal_fov_deg:g} +- "
            f"{FOV_TOLERANCE_DEG:g} degrees or more, got {fov_deg:g}"
        )
    return round(width * tan(radians(view.horizontal_fov_deg / 2)) / tan(radians(fov_deg / 2)))


def _all_rows(view: CameraView, width: int, height: int, part_width: int) -> int:
    """Return all rows where they just suffice, or say what the camera lacks."""
    wanted = part_width * view.height / view.width
    if wanted <= height * (1.0 + ASPECT_TOLERANCE):
        return height
    seen = degrees(2.0 * atan(tan(radians(view.horizontal_fov_deg / 2)) * height / wanted))
    raise ModelError(
        f"the model expects {wanted:.0f} rows in the shape of its {view.width}x{view.height}, got "
        f"a {width}x{height} camera: its rows suffice for a field of view of {seen:.0f} degrees, "
        f"the model has {view.horizontal_fov_deg:g}"
    )


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

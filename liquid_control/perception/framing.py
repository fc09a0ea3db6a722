"""Take from a larger or wider camera's picture the part that shows what a model's camera shows."""

from dataclasses import dataclass
from math import atan, degrees, isfinite, radians, tan

from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception.image import ASPECT_TOLERANCE, FOV_TOLERANCE_DEG, CameraView
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

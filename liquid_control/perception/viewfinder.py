"""Crop pictures of a camera to the view that a model was trained with."""

from dataclasses import dataclass
from math import atan, degrees, floor, isfinite, radians, tan

from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception.camera_model import CameraModel
from liquid_control.perception.camera_view import (
    ASPECT_TOLERANCE,
    FOV_TOLERANCE_DEG,
    PITCH_TOLERANCE_DEG,
    CameraView,
    check_size,
)
from liquid_control.types import Pixels


@dataclass(frozen=True, slots=True)
class Framing:
    """Part of a camera's picture around its optical axis.

    Attributes:
        width: width of the camera's picture, pixels.
        height: height of the camera's picture, pixels.
        left: first column of the part.
        top: first row of the part.
        part_width: number of columns of the part.
        part_height: number of rows of the part.
        fov_deg: horizontal field of view of the part, degrees; None if unknown.
    """

    width: int
    height: int
    left: int
    top: int
    part_width: int
    part_height: int
    fov_deg: float | None = None

    @classmethod
    def of(
        cls,
        view: CameraView,
        width: int,
        height: int,
        horizontal_fov_deg: float | None,
        model: CameraModel | None = None,
    ) -> "Framing":
        """Find the part of a camera's picture that shows the model's view.

        For a model with a range of fields of view, it is the whole picture of a camera in this
        range, and the widest view of the range in the picture of a wider camera.
        A pinhole camera maps the half angle a to f tan(a) pixels from the centre, so the part is
        `width * tan(model / 2) / tan(camera / 2)` columns wide; its height follows from the
        model's aspect ratio. An unknown field of view is assumed to be the model's: the part is
        then as large as the model's shape allows. With a camera model, the part's left and right
        edge are at the angles of the model's view under its distortion, and its centre is on the
        optical axis, as far as the picture reaches.

        Args:
            view: view of the model.
            width: width of the picture, pixels.
            height: height of the picture, pixels.
            horizontal_fov_deg: field of view of the camera, degrees; None if unknown.
            model: model of a camera of that field of view; None for a pinhole with its optical
                axis at the centre of the picture.

        Raises:
            ObservationError: the picture has fewer pixels than the model needs, or no pixels.
            ModelError: the field of view of the camera is smaller than the model's smallest, also
                on one side of the optical axis.
        """
        if width < 1 or height < 1:
            raise ObservationError(f"expected a picture with pixels, got {width}x{height}")
        if model is not None:
            model = model.resized(width, height)
        part_width, part_height, fov_deg = _part(view, width, height, horizontal_fov_deg, model)
        if part_width < view.width or part_height < view.height:
            raise ObservationError(
                f"the model expects at least {view.width}x{view.height} pixels of its view, got "
                f"{part_width}x{part_height} of a {width}x{height} picture"
            )
        left, top = (width - part_width) // 2, (height - part_height) // 2
        if model is not None:
            shown_deg = view.horizontal_fov_deg if fov_deg is None else fov_deg
            left, top = _around_axis(shown_deg, model, part_width, part_height)
        return cls(width, height, left, top, part_width, part_height, fov_deg)

    def crop(self, image: Pixels) -> Pixels:
        """Return the part as a view into the picture, uint8 [part_height, part_width, 3].

        Raises:
            ObservationError: the picture has another size than the camera.
        """
        if image.shape[:2] != (self.height, self.width):
            received = "x".join(str(size) for size in image.shape[1::-1])
            raise ObservationError(f"expected {self.width}x{self.height} pixels, got {received}")
        rows = slice(self.top, self.top + self.part_height)
        return image[rows, self.left : self.left + self.part_width]


def _part(
    view: CameraView, width: int, height: int, camera_deg: float | None, model: CameraModel | None
) -> tuple[int, int, float | None]:
    """Return width and height of the part, pixels, and its field of view; None if unknown.

    A camera in the model's range that has too few rows is cropped to a narrower view in the range.
    """
    low_height = round(width * view.height / view.width)
    narrow = round(height * view.width / view.height)
    if camera_deg is None:
        fits = low_height <= height
        return (width, low_height, None) if fits else (narrow, height, None)
    fov_deg = _part_fov_deg(view, camera_deg, model)
    part_width = width
    if fov_deg != camera_deg:
        part_width = _columns(width, fov_deg, camera_deg, model)
    part_height = round(part_width * view.height / view.width)
    if part_height <= height:
        return part_width, part_height, fov_deg
    if view.fov_range_deg is not None:
        narrow_deg = _covered_deg(narrow, width, camera_deg, model)
        if narrow_deg >= view.fov_range_deg[0] - FOV_TOLERANCE_DEG:
            return narrow, height, narrow_deg
    return part_width, _all_rows(view, width, height, part_width, fov_deg), fov_deg


def _part_fov_deg(view: CameraView, fov_deg: float, model: CameraModel | None) -> float:
    """Return the field of view of the part: the camera's, or the model's largest if smaller.

    Raises:
        ObservationError: the camera's is not between 0 and 180 degrees.
        ModelError: it is smaller than the model's smallest.
    """
    if not (isfinite(fov_deg) and 0.0 < fov_deg < (180.0 if model is None else 361.0)):
        raise ObservationError(
            f"expected a horizontal field of view between 0 and 180 degrees, got {fov_deg:g}"
        )
    low_deg, high_deg = view.fov_range_deg or (view.horizontal_fov_deg,) * 2
    if fov_deg < low_deg - FOV_TOLERANCE_DEG:
        raise ModelError(
            f"the model expects a horizontal field of view of {low_deg:g} +- "
            f"{FOV_TOLERANCE_DEG:g} degrees or more, got {fov_deg:g}"
        )
    return fov_deg if fov_deg <= high_deg + FOV_TOLERANCE_DEG else high_deg


def _columns(width: int, part_deg: float, fov_deg: float, model: CameraModel | None) -> int:
    """Return the number of columns of a part of a camera's picture."""
    half_deg = part_deg / 2
    if model is not None:
        return min(width, round(model.column(half_deg) - model.column(-half_deg)))
    return round(width * tan(radians(half_deg)) / tan(radians(fov_deg / 2)))


def _covered_deg(part_width: int, width: int, fov_deg: float, model: CameraModel | None) -> float:
    """Return the field of view of the middle columns of a camera's picture, degrees."""
    if model is not None:
        middle = model.cx + 0.5
        return model.angle_deg(middle + part_width / 2) - model.angle_deg(middle - part_width / 2)
    return degrees(2.0 * atan(part_width / width * tan(radians(fov_deg / 2))))


def _around_axis(
    fov_deg: float, model: CameraModel, part_width: int, part_height: int
) -> tuple[int, int]:
    """Return first column and row of the part, inside the picture and closest to the axis.

    Raises:
        ModelError: the picture ends so near the axis that the part is off it by more than the
            tolerance of a camera's pitch.
    """
    half_deg = fov_deg / 2
    middle = model.cx + 0.5
    if part_width < model.width:
        middle = 0.5 * (model.column(half_deg) + model.column(-half_deg))
    left = floor(middle - part_width / 2)
    top = floor(model.cy + 0.5 - part_height / 2)
    kept_left = min(max(left, 0), model.width - part_width)
    kept_top = min(max(top, 0), model.height - part_height)
    for focal_px, off_px, sides in (
        (model.fx, left - kept_left, ("left", "right")),
        (model.fy, top - kept_top, ("top", "bottom")),
    ):
        off_deg = degrees(atan(off_px / focal_px))
        if abs(off_deg) > PITCH_TOLERANCE_DEG:
            raise ModelError(
                f"the model expects {fov_deg:g} degrees around the optical axis, "
                f"+- {PITCH_TOLERANCE_DEG:g} degrees, got a camera whose picture ends "
                f"{abs(off_deg):.1f} degrees too early at the {sides[off_px > 0]}"
            )
    return kept_left, kept_top


def _all_rows(view: CameraView, width: int, height: int, part_width: int, fov_deg: float) -> int:
    """Return all rows if they suffice within the tolerance.

    Raises:
        ModelError: the camera has too few rows.
    """
    needed = part_width * view.height / view.width
    if needed <= height * (1.0 + ASPECT_TOLERANCE):
        return height
    covered = degrees(2.0 * atan(tan(radians(fov_deg / 2)) * height / needed))
    raise ModelError(
        f"the model expects {needed:.0f} rows in the shape of its {view.width}x{view.height}, got "
        f"a {width}x{height} camera: its rows cover a field of view of {covered:.0f} degrees, "
        f"the model has {(view.fov_range_deg or (view.horizontal_fov_deg,))[0]:g}"
    )


class Viewfinder:
    """Crops pictures of a camera whose field of view may become known later.

    A picture of another shape than the model's is cropped only if the field of view is known;
    otherwise the matching part would be a guess.

    Args:
        view: view of the model.
        crop: whether pictures may be cropped; otherwise they must show exactly the model's view.
        horizontal_fov_deg: field of view of the camera, degrees; overrides `set_camera`.
    """

    def __init__(
        self, view: CameraView, crop: bool = True, horizontal_fov_deg: float | None = None
    ) -> None:
        self._view = view
        self._crop = crop
        self._given_deg = horizontal_fov_deg
        self._camera: tuple[int, int, float, CameraModel | None] | None = None
        self._problem = ""
        self._framing: Framing | None = None

    def set_camera(
        self,
        width: int,
        height: int,
        horizontal_fov_deg: float,
        model: CameraModel | None = None,
        problem: str = "",
    ) -> None:
        """Set the camera.

        Args:
            width: of the picture, pixels.
            height: of the picture, pixels.
            horizontal_fov_deg: field of view, degrees.
            model: the camera's model; None for a pinhole.
            problem: why the field of view does not follow from the calibration; pictures are then
                refused with it. Empty if it does.
        """
        camera = width, height, horizontal_fov_deg, model
        if (*camera, problem) != (*(self._camera or ()), self._problem):
            self._camera, self._problem, self._framing = camera, problem, None

    @property
    def fov_deg(self) -> float | None:
        """Horizontal field of view of the last framed part, degrees; None if unknown."""
        return None if self._framing is None else self._framing.fov_deg

    def frame(self, image: Pixels) -> Pixels:
        """Return the part of a picture that shows the model's view, possibly the whole picture.

        Raises:
            ObservationError: the picture is too small, or its field of view is needed but unknown.
            ModelError: the camera shows less than the model's view, or more if `crop` is False.
        """
        height, width = image.shape[:2]
        framing = self._framing
        if framing is None or (framing.width, framing.height) != (width, height):
            self._framing = framing = self._find_framing(width, height)
        return framing.crop(image)

    def check(self, image: Pixels) -> None:
        """Check that a picture can be framed and fitted to the view, without resizing it.

        Raises:
            LiquidControlError: as `frame` and `fit`.
        """
        part = self.frame(image)
        check_size(self._view, part.shape[1], part.shape[0], ObservationError)

    def _find_framing(self, width: int, height: int) -> Framing:
        fov_deg = self._fov_deg(width, height)
        if not self._crop:
            known_deg = self._view.horizontal_fov_deg if fov_deg is None else fov_deg
            self._view.check_camera(width, height, known_deg)
            return Framing(width, height, 0, 0, width, height, fov_deg)
        shape = self._view.width, self._view.height
        if fov_deg is None and not _is_like((width, height), shape):
            raise ObservationError(
                f"expected pictures in the shape of {shape[0]}x{shape[1]}, got {width}x{height}; "
                "cropping needs camera_info or the camera's field of view (perception_node: "
                "horizontal_fov_deg; bags: --topic camera=/name,DEGREES)"
            )
        model = None if self._given_deg is not None or not self._camera else self._camera[3]
        return Framing.of(self._view, width, height, fov_deg, model)

    def _fov_deg(self, width: int, height: int) -> float | None:
        if self._given_deg is not None or self._camera is None:
            return self._given_deg
        if self._problem:
            raise ObservationError(self._problem)
        camera_width, camera_height, fov_deg, _ = self._camera
        if not _is_like((width, height), (camera_width, camera_height)):
            raise ObservationError(
                f"camera_info has {camera_width}x{camera_height} pixels, got pictures of another "
                f"shape, {width}x{height}"
            )
        return fov_deg


def _is_like(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether two sizes have about the same aspect ratio; False if one has no pixels."""
    if min(*size, *other) < 1:
        return False
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1.0) <= ASPECT_TOLERANCE

"""Camera model of `sensor_msgs/CameraInfo`: angles and pixels of a delivered picture.

Angles are measured from the optical axis in the plane of a row or a column through the principal
point. Positions are in pixels from the picture's edge, so pixel `u` reaches from `u` to `u + 1`;
its centre, which `k` refers to, is at `u + 0.5`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan, degrees, isfinite, radians

import numpy as np

from liquid_control.errors import ObservationError
from liquid_control.types import Floats

POLYNOMIAL = ("plumb_bob", "rational_polynomial")
FISHEYE = ("equidistant", "fisheye")
ADVICE = (
    "state the horizontal field of view (perception_node: horizontal_fov_deg; bags: --topic "
    "camera=/name,DEGREES)"
)
_COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14)}
COVERED_DEG = 60.0
"""Angle up to which a distortion model must hold if it does not cover the picture."""
_STEPS = 1800
"""Number of angles at which the curve from angle to position is tabulated, on each side."""
_BISECTIONS = 60


class CameraModelError(ObservationError):
    """A camera is calibrated, but its field of view does not follow from its calibration."""


@dataclass(frozen=True, slots=True)
class CameraModel:
    """Intrinsics of a delivered picture, after region of interest and binning.

    Attributes:
        width: of the picture, pixels.
        height: of the picture, pixels.
        fx: focal length in the direction of rows, pixels.
        fy: focal length in the direction of columns, pixels.
        cx: column of the principal point.
        cy: row of the principal point.
        distortion: model of the distortion, as in `sensor_msgs/CameraInfo`; empty for none.
        coefficients: of the distortion.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: str = ""
    coefficients: tuple[float, ...] = ()

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        k: Sequence[float],
        distortion: str = "",
        coefficients: Sequence[float] = (),
        binning: tuple[int, int] = (0, 0),
        roi: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> "CameraModel":
        """Return the model of the fields of a `sensor_msgs/CameraInfo`.

        Args:
            size: width and height of the full picture, pixels.
            k: intrinsics of the full picture, nine values, row by row.
            distortion: name of the distortion model.
            coefficients: `d`.
            binning: binned pixels in x and y; 0 and 1 for none.
            roi: x and y offset, width and height of the part that is delivered, in pixels of the
                full picture; a width or height of 0 for all.

        Raises:
            CameraModelError: the distortion model is unknown, or the part is outside the picture.
            ObservationError: the camera is not calibrated (no focal length).
        """
        fx, cx, fy, cy = float(k[0]), float(k[2]), float(k[4]), float(k[5])
        width, height = size
        calibrated = all(map(isfinite, (fx, cx, fy, cy))) and fx > 0.0
        if not (calibrated and width > 0 and height > 0):
            raise ObservationError(
                f"expected a calibrated camera, got {width}x{height} with focal length {fx:g}"
            )
        left, top, part_width, part_height = roi
        if not (part_width and part_height):
            left, top, part_width, part_height = 0, 0, width, height
        if left + part_width > width or top + part_height > height:
            raise CameraModelError(
                f"expected a region of interest in {width}x{height} pixels, got "
                f"{part_width}x{part_height} at {left},{top}; {ADVICE}"
            )
        across, down = (max(1, factor) for factor in binning)
        fy = fy if fy > 0.0 else fx
        return cls(
            max(1, part_width // across),
            max(1, part_height // down),
            fx / across,
            fy / down,
            (cx + 0.5 - left) / across - 0.5,
            (cy + 0.5 - top) / down - 0.5,
            *_distortion(distortion, coefficients),
        )

    def resized(self, width: int, height: int) -> "CameraModel":
        """Return the model of the picture at another size."""
        across, down = width / self.width, height / self.height
        return CameraModel(
            width,
            height,
            self.fx * across,
            self.fy * down,
            (self.cx + 0.5) * across - 0.5,
            (self.cy + 0.5) * down - 0.5,
            self.distortion,
            self.coefficients,
        )

    @property
    def horizontal_fov_deg(self) -> float:
        """Angle between the left and the right edge of the row through the principal point.

        Raises:
            CameraModelError: the distortion model does not reach an edge.
        """
        return self.angle_deg(self.width) - self.angle_deg(0.0)

    def column(self, angle_deg: float) -> float:
        """Return the position at an angle to the right of the optical axis, pixels."""
        return self.cx + 0.5 + self.fx * float(self._curve(np.array(radians(angle_deg))))

    def angle_deg(self, column: float) -> float:
        """Return the angle of a position to the right of the optical axis, degrees.

        A position beyond the end of the distortion model has the angle at which the model ends,
        if that is at least `COVERED_DEG`.

        Raises:
            CameraModelError: the distortion model ends at a smaller angle.
        """
        wanted = (column - 0.5 - self.cx) / self.fx
        if not self.coefficients:
            return degrees(atan(wanted))
        sign = -1.0 if wanted < 0.0 else 1.0
        angles = sign * self._angles()
        reached = sign * self._curve(angles)
        with np.errstate(all="ignore"):
            falling = np.flatnonzero(~(np.diff(reached) > 0.0))
        last = int(falling[0]) if len(falling) else len(reached) - 1
        at = int(np.searchsorted(reached[: last + 1], sign * wanted))
        if at > last and degrees(abs(angles[last])) >= COVERED_DEG:
            return float(degrees(angles[last]))
        if at > last:
            raise CameraModelError(
                f"expected a distortion that covers the picture, got {self.distortion} "
                f"{list(self.coefficients)}, which ends {degrees(abs(angles[last])):.0f} degrees "
                f"from the axis; {ADVICE}"
            )
        low, high = abs(float(angles[max(at - 1, 0)])), abs(float(angles[at]))
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            short = sign * float(self._curve(np.array(sign * middle))) < sign * wanted
            low, high = (middle, high) if short else (low, middle)
        return sign * degrees(0.5 * (low + high))

    def _angles(self) -> Floats:
        most_deg = 180.0 if self.distortion in FISHEYE else 89.9
        return np.radians(np.linspace(0.0, most_deg, _STEPS + 1))

    def _curve(self, angles: Floats) -> Floats:
        """Return distances from the principal point along the row, in focal lengths."""
        if self.distortion in FISHEYE:
            k1, k2, k3, k4 = self.coefficients
            squared = angles**2
            with np.errstate(all="ignore"):
                series = 1.0 + squared * (k1 + squared * (k2 + squared * (k3 + squared * k4)))
                return np.asarray(angles * series)
        x = np.tan(angles)
        if not self.coefficients:
            return np.asarray(x)
        k1, k2, _, p2, k3, k4, k5, k6, s1, s2 = (*self.coefficients, *[0.0] * 10)[:10]
        squared = x**2
        with np.errstate(all="ignore"):
            radial = (1.0 + squared * (k1 + squared * (k2 + squared * k3))) / (
                1.0 + squared * (k4 + squared * (k5 + squared * k6))
            )
            return np.asarray(x * radial + 3.0 * p2 * squared + squared * (s1 + s2 * squared))


def _distortion(name: str, coefficients: Sequence[float]) -> tuple[str, tuple[float, ...]]:
    """Return a supported distortion; without coefficients it is none."""
    values = tuple(float(value) for value in coefficients)
    known = name in POLYNOMIAL
    if name in FISHEYE:
        if len(values) == 4 and all(map(isfinite, values)):
            return name, values
    elif not any(values):
        if known or not name or name == "none":
            return (name if known else ""), ()
    elif (
        known
        and len(values) in _COEFFICIENTS[name]
        and all(map(isfinite, values))
        and not any(values[12:])
    ):
        return name, values
    raise CameraModelError(
        "expected the distortion plumb_bob (5 coefficients), rational_polynomial (8) or "
        f"equidistant (4), got {name or 'no model'!r} with {len(values)}: {list(values)}; {ADVICE}"
    )

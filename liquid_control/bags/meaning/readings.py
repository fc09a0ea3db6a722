"""What else a flight's messages say: intrinsics, features, neurons."""

from math import atan, degrees, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.bags.events import Calibrated
from liquid_control.errors import ObservationError
from liquid_control.types import Floats


def calibration_of(content: Any) -> Calibrated:
    """Return what `sensor_msgs/CameraInfo` says.

    Raises:
        ObservationError: the camera is not calibrated: it has no focal length.
    """
    focal_px, width, height = float(content.k[0]), int(content.width), int(content.height)
    if not (isfinite(focal_px) and focal_px > 0.0 and width > 0 and height > 0):
        raise ObservationError(
            f"expected a calibrated camera, got {width}x{height} with focal length {focal_px:g}"
        )
    fov_deg = degrees(2.0 * atan(0.5 * width / focal_px))
    return Calibrated(width, height, fov_deg, np.array(content.d, np.float64))


def features_of(content: Any) -> NDArray[np.float32]:
    """Return features, float32 [F], NaN where perception refused the frame.

    Raises:
        ObservationError: it is not one row of 32FC1.
    """
    expected = ("32FC1", 1, 4 * int(content.width))
    got = (content.encoding, int(content.height), len(content.data))
    if got != expected:
        raise ObservationError(
            f"expected features as (encoding, rows, bytes) {expected}, got {got}"
        )
    order = ">f4" if content.is_bigendian else "<f4"
    features: NDArray[np.float32] = content.data.view(order).astype(np.float32)
    return features


def neurons_of(content: Any) -> tuple[tuple[str, ...], Floats, Floats]:
    """Return names, states and time gates of neurons, float64 [N]; gates of 0 where none are told.

    Raises:
        ObservationError: there are not as many states or gates as names.
    """
    names, states, gates = tuple(content.name), content.position, content.velocity
    if len(gates) == 0:
        gates = np.zeros(len(names))
    if not len(names) == len(states) == len(gates):
        raise ObservationError(
            f"expected a state and a gate a neuron, got {len(states)} and {len(gates)} for "
            f"{len(names)}"
        )
    return names, states, gates

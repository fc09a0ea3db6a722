"""Calibration of a camera against the gyro: field of view, mount and delay from a recording.

Example:
    >>> calibration = calibrate("turns.mcap")
    >>> print(*calibration.lines, sep=", ")
    >>> write_calibration("runs/calibrate", calibration)
"""

from liquid_control.calibration.camera_calibration import (
    DOCUMENT,
    CalibratedValue,
    Calibration,
    calibrate,
    write_calibration,
)

__all__ = ["DOCUMENT", "CalibratedValue", "Calibration", "calibrate", "write_calibration"]

"""Flight modes of ArduPilot Copter and PX4 in MAVLink's heartbeat, and how each is requested."""

from collections.abc import Mapping
from typing import NamedTuple

from liquid_control.autopilots.interface import Firmware

FIRMWARES: Mapping[int, Firmware] = {3: Firmware.ARDUPILOT, 12: Firmware.PX4}
"""By MAV_AUTOPILOT."""
NO_AUTOPILOT = 8
"""MAV_AUTOPILOT_INVALID: the sender is not an autopilot."""
MULTIROTORS = frozenset({2, 3, 4, 13, 14, 15, 29, 35})
"""MAV_TYPE of vehicles that hover: quadrotor, coaxial, helicopter, hexa-, octo-, tri-, dodeca- and
decarotor."""
CUSTOM_MODE_ENABLED = 1
ARMED = 128
"""Bits of MAV_MODE_FLAG in `base_mode`."""

COPTER_MODES: Mapping[int, str] = {
    0: "STABILIZE",
    1: "ACRO",
    2: "ALT_HOLD",
    3: "AUTO",
    4: "GUIDED",
    5: "LOITER",
    6: "RTL",
    7: "CIRCLE",
    9: "LAND",
    11: "DRIFT",
    13: "SPORT",
    14: "FLIP",
    15: "AUTOTUNE",
    16: "POSHOLD",
    17: "BRAKE",
    18: "THROW",
    19: "AVOID_ADSB",
    20: "GUIDED_NOGPS",
    21: "SMART_RTL",
    22: "FLOWHOLD",
    23: "FOLLOW",
    24: "ZIGZAG",
}
"""Names of ArduPilot Copter's `custom_mode`."""
PX4_MODES: Mapping[int, str] = {
    1: "MANUAL",
    2: "ALTCTL",
    3: "POSCTL",
    4: "AUTO",
    5: "ACRO",
    6: "OFFBOARD",
    7: "STABILIZED",
}
"""Names of PX4's main mode, bits 16 to 23 of `custom_mode`."""
PX4_AUTO_MODES: Mapping[int, str] = {
    1: "READY",
    2: "TAKEOFF",
    3: "LOITER",
    4: "MISSION",
    5: "RTL",
    6: "LAND",
}
"""Names of PX4's sub-mode of AUTO, bits 24 to 31."""


class FirmwareProfile(NamedTuple):
    """What a bridge needs to know about a firmware.

    Attributes:
        mode: the mode that follows set-points.
        custom_mode: its number in MAV_CMD_DO_SET_MODE.
        imu: message of the IMU to request.
        hold_parameter: parameter with the time for which the last set-point is held, s.
        hold_s: largest recommended value.
    """

    mode: str
    custom_mode: int
    imu: str
    hold_parameter: str
    hold_s: float


PROFILES: Mapping[Firmware, FirmwareProfile] = {
    Firmware.ARDUPILOT: FirmwareProfile("GUIDED", 4, "SCALED_IMU", "GUID_TIMEOUT", 0.5),
    Firmware.PX4: FirmwareProfile("OFFBOARD", 6, "HIGHRES_IMU", "COM_OF_LOSS_T", 0.5),
}


def mode_name(firmware: Firmware, custom_mode: int) -> str:
    """Return the name of the mode in a heartbeat."""
    if firmware is Firmware.ARDUPILOT:
        return COPTER_MODES.get(custom_mode, f"mode {custom_mode}")
    main, sub = custom_mode >> 16 & 0xFF, custom_mode >> 24 & 0xFF
    name = PX4_MODES.get(main, f"mode {main}")
    return f"{name}.{PX4_AUTO_MODES.get(sub, sub)}" if name == "AUTO" else name

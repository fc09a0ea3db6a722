"""What an autopilot states about itself: mode, arming, failed checks, and how long it holds."""

from collections import deque
from typing import Any

from liquid_control.autopilots.interface import (
    ArmCheck,
    AutopilotStatus,
    BatteryStatus,
    LinkEvent,
    LinkNotice,
)
from liquid_control.autopilots.mavlink_modes import ARMED, PROFILES, FirmwareProfile, mode_name
from liquid_control.autopilots.mavlink_search import MavlinkVehicle
from liquid_control.errors import AutopilotError

PREARM_CHECK = 1 << 28
"""MAV_SYS_STATUS_PREARM_CHECK, in the bit fields of SYS_STATUS."""
FAILED_CHECKS = ("prearm:", "arm:", "preflight fail", "arming denied")
"""Beginnings of the texts about failed checks, of ArduPilot and PX4, in lower case."""
REASONS = 5
NO_VOLTAGE, NO_CHARGE = 0xFFFF, -1
"""Of SYS_STATUS, for what the autopilot does not measure."""


class VehicleStatus:
    """Status of one autopilot, from its messages.

    Args:
        vehicle: the autopilot.
        heartbeat: its latest one.

    Raises:
        AutopilotError: its firmware is not known.

    Attributes:
        state: mode and arming.
        profile: facts about its firmware.
        battery: its battery; None before the first SYS_STATUS.
    """

    def __init__(self, vehicle: MavlinkVehicle, heartbeat: Any) -> None:
        if vehicle.firmware is None:
            raise AutopilotError(f"{vehicle.named}: unknown firmware {vehicle.autopilot}")
        self._firmware = vehicle.firmware
        self._system = vehicle.system
        self.profile: FirmwareProfile = PROFILES[self._firmware]
        self.state = self._state(heartbeat)
        self._ready: bool | None = None
        self._reasons: deque[str] = deque(maxlen=REASONS)
        self.hold_s: float | None = None
        self.battery: BatteryStatus | None = None

    def _state(self, heartbeat: Any) -> AutopilotStatus:
        mode = mode_name(self._firmware, heartbeat.custom_mode)
        armed = bool(heartbeat.base_mode & ARMED)
        return AutopilotStatus(
            self._firmware, self._system, mode, mode == self.profile.mode, armed
        )

    def heartbeat(self, message: Any) -> LinkNotice | None:
        """Process a heartbeat; return a notice if mode or arming changed."""
        before, self.state = self.state, self._state(message)
        if self.state == before:
            return None
        text = str(self.state)
        if before.obeys and not self.state.obeys:
            text += f": the pilot has control, set-points need {self.profile.mode}"
        if self.state.armed:
            self._reasons.clear()
        return LinkNotice(LinkEvent.MODE_CHANGED, text)

    def sys_status(self, message: Any) -> None:
        """Process SYS_STATUS: the battery, and whether the checks before arming pass.

        An empty battery has a voltage: a charge of 0 without one is not measured.
        """
        charge, millivolts = message.battery_remaining, message.voltage_battery
        measured = millivolts not in (0, NO_VOLTAGE)
        known = charge != NO_CHARGE and (charge > 0 or measured)
        self.battery = BatteryStatus(
            charge / 100.0 if known else None, millivolts / 1000.0 if measured else None
        )
        if message.onboard_control_sensors_present & PREARM_CHECK:
            self._ready = bool(message.onboard_control_sensors_health & PREARM_CHECK)
            if self._ready:
                self._reasons.clear()

    def status_text(self, message: Any) -> None:
        """Process STATUSTEXT: keep messages about failed checks."""
        text = " ".join(str(message.text).split())
        text = "".join(one if one.isprintable() else "?" for one in text)
        if text.lower().startswith(FAILED_CHECKS) and text not in self._reasons:
            self._reasons.append(text)

    def parameter(self, message: Any) -> LinkNotice | None:
        """Process PARAM_VALUE; return a notice if set-points are held for too long."""
        if message.param_id != self.profile.hold_parameter:
            return None
        self.hold_s = float(message.param_value)
        warning = self._warning()
        return LinkNotice(LinkEvent.HOLD_TIME, warning) if warning else None

    def arm_check(self) -> ArmCheck:
        """Return the checks before arming."""
        warning = self._warning()
        return ArmCheck(self._ready, tuple(self._reasons), (warning,) if warning else ())

    def waiting_line(self) -> str:
        """Return what is missing until set-points are followed."""
        needs = f"{self.state}; set-points need {self.profile.mode}, armed"
        return f"{needs}; {'; '.join(self._reasons)}" if self._reasons else needs

    def _warning(self) -> str:
        name, allowed_s = self.profile.hold_parameter, self.profile.hold_s
        if self.hold_s is None or self.hold_s <= allowed_s:
            return ""
        return (
            f"{name} is {self.hold_s:g} s: {self._firmware.value} acts on missing set-points only "
            f"after this time; set it to {allowed_s:g} s or less"
        )

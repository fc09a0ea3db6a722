"""Conversion of motor neurons to safe commands: scaling, and the guard before the autopilot."""

from liquid_control.command.geofence import Fence
from liquid_control.command.guard import Envelope, Guard, GuardState
from liquid_control.command.guard_events import sentence, status_line
from liquid_control.command.guard_pair import GuardLock
from liquid_control.command.guard_rules import (
    AutopilotReading,
    GuardInputs,
    PoseReading,
    RangeReading,
)
from liquid_control.command.guard_settings import (
    GuardAction,
    GuardEvent,
    GuardRules,
    load_guard_rules,
)
from liquid_control.command.motors import MOTORS, Motor, MotorScaling

__all__ = [
    "MOTORS",
    "AutopilotReading",
    "Envelope",
    "Fence",
    "Guard",
    "GuardAction",
    "GuardEvent",
    "GuardInputs",
    "GuardLock",
    "GuardRules",
    "GuardState",
    "Motor",
    "MotorScaling",
    "PoseReading",
    "RangeReading",
    "load_guard_rules",
    "sentence",
    "status_line",
]

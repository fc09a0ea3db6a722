"""Conversion of motor neurons to safe commands: scaling, and the guard before the autopilot."""

from liquid_control.command.geofence import Fence
from liquid_control.command.guard import Envelope, Guard, GuardState
from liquid_control.command.guard_events import sentence, status_line
from liquid_control.command.guard_pair import GuardLock
from liquid_control.command.guard_record import (
    ChangeWatch,
    GuardChange,
    RuleAction,
    RulePeriod,
    acting_of,
    rule_periods,
)
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
    "ChangeWatch",
    "Envelope",
    "Fence",
    "Guard",
    "GuardAction",
    "GuardChange",
    "GuardEvent",
    "GuardInputs",
    "GuardLock",
    "GuardRules",
    "GuardState",
    "Motor",
    "MotorScaling",
    "PoseReading",
    "RangeReading",
    "RuleAction",
    "RulePeriod",
    "acting_of",
    "load_guard_rules",
    "rule_periods",
    "sentence",
    "status_line",
]

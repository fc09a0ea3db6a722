"""Conversion of motor neurons to safe commands: scaling, and the guard before the autopilot."""

from liquid_control.command.guard import Envelope, Guard, GuardEvent, GuardState
from liquid_control.command.guard_events import sentence
from liquid_control.command.guard_pair import GuardLock
from liquid_control.command.motors import MOTORS, Motor, MotorScaling

__all__ = [
    "MOTORS",
    "Envelope",
    "Guard",
    "GuardEvent",
    "GuardLock",
    "GuardState",
    "Motor",
    "MotorScaling",
    "sentence",
]

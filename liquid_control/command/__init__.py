"""Conversion of motor neurons to safe commands: scaling, and the guard before the autopilot."""

from liquid_control.command.guard import Envelope, Guard, GuardEvent, GuardState
from liquid_control.command.motors import MOTORS, Motor, MotorScaling

__all__ = ["MOTORS", "Envelope", "Guard", "GuardEvent", "GuardState", "Motor", "MotorScaling"]

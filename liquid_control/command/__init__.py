"""From motor neurons to safe commands: scaling, and the guard that stands before the autopilot."""

from liquid_control.command.guard import Envelope, Guard, GuardEvent, GuardState

__all__ = ["Envelope", "Guard", "GuardEvent", "GuardState"]

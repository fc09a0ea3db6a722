"""Sentences on the guard's events, for logs."""

from liquid_control.command.guard import Envelope, GuardEvent
from liquid_control.command.motors import MOTORS
from liquid_control.types import Command

UNITS = ("m/s", "m/s", "m/s", "rad/s")


def sentence(event: GuardEvent, envelope: Envelope, command: Command | None = None) -> str:
    """Return a sentence on an event.

    Args:
        event: the event.
        envelope: the guard's.
        command: the command that caused it; None where none did.
    """
    limit_s = f"{envelope.timeout_s:g} s"
    sentences = {
        GuardEvent.NOT_FINITE: f"a command is not finite{_values(command)}: hovering",
        GuardEvent.IMPOSSIBLE: f"a command is impossible{_excess(envelope, command)}: hovering",
        GuardEvent.CLAMPED: "a command is clamped to the envelope",
        GuardEvent.SLEWED: "a command changes faster than the envelope allows: slewed",
        GuardEvent.STALE: f"no command for {limit_s}: hovering",
        GuardEvent.STAMP_BACKWARDS: "a command is not newer than the one before it: dropped",
        GuardEvent.STAMP_AHEAD: f"a command is stamped more than {limit_s} ahead: dropped",
        GuardEvent.LATE: f"a command is more than {limit_s} old: dropped",
    }
    return sentences[event]


def _values(command: Command | None) -> str:
    return "" if command is None else f" {tuple(float(value) for value in command.values)}"


def _excess(envelope: Envelope, command: Command | None) -> str:
    """Return the first value beyond what is possible, with the limit."""
    if command is None:
        return ""
    rows = zip(MOTORS, command.values, envelope.possible, UNITS, strict=True)
    for name, value, possible, unit in rows:
        if abs(value) > possible:
            return f", {name} {value:g} {unit} where {possible:g} {unit} is the limit"
    return ""

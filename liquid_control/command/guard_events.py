"""Sentences on the guard's events, for logs."""

from liquid_control.command.guard import Envelope, Guard, GuardState
from liquid_control.command.guard_settings import GuardAction, GuardEvent, GuardRules
from liquid_control.command.motors import MOTORS
from liquid_control.types import Command

UNITS = ("m/s", "m/s", "m/s", "rad/s")
DOES = {"slow": "slower", "hover": "hovering", "land": "landing", "hand_back": "handing back"}


def sentence(
    event: GuardEvent,
    envelope: Envelope,
    command: Command | None = None,
    rules: GuardRules | None = None,
) -> str:
    """Return a sentence on an event.

    Args:
        event: the event.
        envelope: the guard's.
        command: the command that caused it; None where none did.
        rules: the guard's; None for the default.
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
    return sentences[event] if event in sentences else _of_rule(event, rules or GuardRules())


def status_line(state: GuardState, guard: Guard) -> str:
    """Return why the guard stops the vehicle at present; empty if it does not.

    It is the message of the guard's diagnostics, with the level ERROR.
    """
    if state.action >= GuardAction.HOVER and (state.active or state.latched):
        reasons = [
            sentence(event, guard.envelope, rules=guard.rules)
            for event in GuardEvent
            if event in state.active
        ]
        if state.latched and not reasons:
            reasons = [f"{DOES[state.latched.name.lower()]}, until the pilot takes over"]
        return "; ".join(reasons)
    return "hovering: no command" if state.stale else ""


def _of_rule(event: GuardEvent, rules: GuardRules) -> str:
    """Return a sentence on an event of `RULES`."""
    sensor, picture = DOES[rules.sensor_action], DOES[rules.picture_action]
    sentences = {
        GuardEvent.FENCE_NEAR: "the fence is near: slower",
        GuardEvent.FENCE_LEFT: "the vehicle is outside of the fence, or its position is not "
        f"known: {DOES[rules.fence_action]}",
        GuardEvent.BARRIER: "a command would cross a bound: the nearest one that does not",
        GuardEvent.BARRIER_BRAKED: "no command keeps the bounds, or position or velocity are not "
        "known: hovering",
        GuardEvent.RANGE_FORWARD: _near("an obstacle ahead", rules.min_forward_m, rules),
        GuardEvent.RANGE_GROUND: _near("the ground", rules.min_ground_m, rules),
        GuardEvent.CAMERA_STALE: f"no camera_info{_for(rules.camera_max_age_s)}: {sensor}",
        GuardEvent.IMU_STALE: f"no IMU sample{_for(rules.imu_max_age_s)}: {sensor}",
        GuardEvent.ODOMETRY_STALE: f"no odometry{_for(rules.odometry_max_age_s)}: {sensor}",
        GuardEvent.PICTURE_FROZEN: f"the picture does not change any more: {picture}",
        GuardEvent.PICTURE_DARK: f"the pictures are too dark: {picture}",
        GuardEvent.PICTURE_BRIGHT: f"the pictures are too bright: {picture}",
        GuardEvent.PICTURE_UNKNOWN: f"the pictures are unlike those of training: {picture}",
        GuardEvent.STALL: f"the guard did not run{_for(rules.stall_s)}: "
        f"{DOES[rules.stall_action]}",
        GuardEvent.LINK_LOST: f"no link to the autopilot: {DOES[rules.link_action]}",
        GuardEvent.BATTERY_LOW: f"the battery is low: {DOES[rules.battery_action]}",
        GuardEvent.OTHER_MODE: "the autopilot's mode does not follow set-points: "
        f"{DOES.get(rules.mode_action, 'no action')}",
    }
    return sentences[event]


def _for(limit_s: float) -> str:
    return f" for {limit_s:g} s" if limit_s else ""


def _near(thing: str, least_m: float, rules: GuardRules) -> str:
    distance = f" {least_m:g} m" if least_m else ""
    return (
        f"{thing} is near the least distance{distance}, or its sensor is silent: "
        f"{DOES[rules.range_action]} or {DOES[rules.sensor_action]}"
    )


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

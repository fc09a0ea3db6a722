"""Rules of the guard beyond the envelope: what each needs, and what it answers.

Each rule is a pure function of settings, readings and time. The node, flights in process and
replays give the same readings and get the same answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf, isfinite
from typing import NamedTuple

from liquid_control.command.barrier import (
    BarrierFilter,
    SentVelocity,
    VehicleMotion,
    pending_displacement,
)
from liquid_control.command.geofence import SpeedLimit, allowed_speed, slowed
from liquid_control.command.guard_settings import ACTIONS, GuardAction, GuardEvent, GuardRules
from liquid_control.frames import heading_of
from liquid_control.types import NANOSECONDS, Command, PictureHealth, VehicleState


class PoseReading(NamedTuple):
    """Position, m, yaw, rad counter-clockwise from east, and velocity, m/s, in the map.

    The velocity is None where it is not known or not finite.
    """

    stamp_ns: int
    position: tuple[float, float, float]
    yaw_rad: float
    velocity: tuple[float, float, float] | None = None

    @classmethod
    def of(cls, stamp_ns: int, state: VehicleState) -> "PoseReading | None":
        """Return the pose of a state; None where it is not finite."""
        x, y, z = state.position.tolist()
        vx, vy, vz = state.velocity.tolist()
        yaw_rad = heading_of(state.quaternion)
        if not isfinite(x + y + z + yaw_rad):
            return None
        velocity = (vx, vy, vz) if isfinite(vx + vy + vz) else None
        return cls(stamp_ns, (x, y, z), yaw_rad, velocity)


class RangeReading(NamedTuple):
    """Distance of a range sensor, m: infinite for nothing, 0 for an object that is too near."""

    stamp_ns: int
    distance_m: float


class AutopilotReading(NamedTuple):
    """State of an autopilot: its link, whether its mode follows set-points, its arming."""

    stamp_ns: int
    connected: bool
    obeys: bool
    armed: bool


@dataclass(frozen=True, slots=True)
class GuardInputs:
    """Newest readings of the guard, each up to the present time; None for none yet.

    Attributes:
        pose: of the vehicle.
        camera_ns: stamp of the newest frame.
        imu_ns: stamp of the newest IMU sample.
        forward: reading of the range sensor that looks forward.
        ground: reading of the one that looks down.
        picture: health of the newest picture.
        dark: pictures in succession that are too dark, up to the newest.
        bright: those that are too bright.
        unknown: those too far from the training pictures.
        battery: charge, of 1.
        autopilot: its state.
    """

    pose: PoseReading | None = None
    camera_ns: int | None = None
    imu_ns: int | None = None
    forward: RangeReading | None = None
    ground: RangeReading | None = None
    picture: PictureHealth | None = None
    dark: int = 0
    bright: int = 0
    unknown: int = 0
    battery: float | None = None
    autopilot: AutopilotReading | None = None

    def with_picture(self, health: PictureHealth, rules: GuardRules) -> "GuardInputs":
        """Return the readings with the health of the next picture; others are ignored."""
        if self.picture is not None and health.stamp_ns <= self.picture.stamp_ns:
            return self
        dark = health.brightness < rules.picture_min_brightness
        bright = health.brightness > rules.picture_max_brightness
        unknown = 0.0 < rules.picture_max_score < health.score
        return replace(
            self,
            picture=health,
            dark=self.dark + 1 if dark else 0,
            bright=self.bright + 1 if bright else 0,
            unknown=self.unknown + 1 if unknown else 0,
        )


NO_INPUTS = GuardInputs()
POSE_AGE_NS = 500_000_000
"""Age beyond which odometry and ranges are not used by the rules that need them."""


class RuleAnswer(NamedTuple):
    """Answer of one rule: the event, the action, and what `SLOW` does.

    Attributes:
        event: that is counted.
        action: of the rule.
        limits: of the command's speed, for `SLOW`.
        command: that replaces it, for `SLOW`; None for none.
    """

    event: GuardEvent
    action: GuardAction
    limits: tuple[SpeedLimit, ...] = ()
    command: Command | None = None

    def applied_to(self, command: Command) -> Command:
        """Return the command that results from `SLOW`."""
        return slowed(command if self.command is None else self.command, self.limits)


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What a rule sees.

    Attributes:
        rules: settings.
        inputs: readings.
        now_ns: present time.
        run_ns: time of the guard's run before; None at its first.
        filtered: command after the barrier filter; None where it found none.
    """

    rules: GuardRules
    inputs: GuardInputs = field(default_factory=GuardInputs)
    now_ns: int = 0
    run_ns: int | None = None
    filtered: Command | None = None

    def is_old(self, stamp_ns: int | None, limit_ns: float) -> bool:
        """Return whether a reading is missing, too old, or as far ahead of the present time."""
        return stamp_ns is None or not abs(self.now_ns - stamp_ns) <= limit_ns

    def brake_speed(self, distance_m: float) -> float:
        """Return the speed from which the vehicle stops within a distance, m/s."""
        return allowed_speed(distance_m, self.rules.brake_decel_mps2, self.rules.brake_reaction_s)


GuardRule = Callable[[RuleContext], RuleAnswer | None]


def _fence_left(context: RuleContext) -> RuleAnswer | None:
    rules, pose = context.rules, context.inputs.pose
    if not rules.fence.exists:
        return None
    known = pose is not None and not context.is_old(pose.stamp_ns, POSE_AGE_NS)
    if known and pose is not None and rules.fence.contains(pose.position):
        return None
    return RuleAnswer(GuardEvent.FENCE_LEFT, ACTIONS[rules.fence_action])


def _fence_near(context: RuleContext) -> RuleAnswer | None:
    """Slow down before the fence; outside `_fence_left` answers."""
    rules, pose = context.rules, context.inputs.pose
    if not rules.fence.exists or pose is None or not rules.fence.contains(pose.position):
        return None
    limits = rules.fence.limits(
        pose.position,
        pose.yaw_rad,
        rules.fence_margin_m,
        rules.brake_decel_mps2,
        rules.brake_reaction_s,
    )
    return RuleAnswer(GuardEvent.FENCE_NEAR, GuardAction.SLOW, limits)


def barrier_filter(
    rules: GuardRules, limits: tuple[float, float, float, float]
) -> BarrierFilter | None:
    """Return the filter of the rules within the limits of an envelope; None where it is off."""
    if not rules.barrier:
        return None
    return BarrierFilter(
        rules.fence,
        limits,
        rules.fence_margin_m,
        rules.brake_decel_mps2,
        rules.brake_reaction_s,
        rules.barrier_rate_per_s,
        rules.barrier_speed_mps or inf,
        rules.min_forward_m,
        rules.min_ground_m,
    )


def filtered_command(
    barrier: BarrierFilter,
    command: Command,
    context: RuleContext,
    sent: Sequence[SentVelocity],
) -> Command | None:
    """Return a command after the filter; None where there is none that keeps the bounds.

    Without odometry of the last 0.5 s, or without its velocity, there is none. Ranges of this age
    are not used either: the rules on ranges answer.

    Args:
        barrier: the filter.
        command: within its limits.
        context: readings and time.
        sent: commands before this one.
    """
    pose, inputs = context.inputs.pose, context.inputs
    if pose is None or pose.velocity is None or context.is_old(pose.stamp_ns, POSE_AGE_NS):
        return None
    since_ns = pose.stamp_ns - round(context.rules.barrier_delay_s * NANOSECONDS)
    pending = pending_displacement(sent, since_ns, context.now_ns)
    motion = VehicleMotion(pose.position, pose.velocity, pose.yaw_rad, pending)
    ahead_m, below_m = (
        inf if one is None or context.is_old(one.stamp_ns, POSE_AGE_NS) else one.distance_m
        for one in (inputs.forward, inputs.ground)
    )
    return barrier.command(command, motion, ahead_m, below_m)


def _barrier(context: RuleContext) -> RuleAnswer | None:
    if context.filtered is None:
        return None
    return RuleAnswer(GuardEvent.BARRIER, GuardAction.SLOW, command=context.filtered)


def _barrier_braked(context: RuleContext) -> RuleAnswer | None:
    if context.filtered is not None:
        return None
    return RuleAnswer(GuardEvent.BARRIER_BRAKED, GuardAction.HOVER)


def _range(context: RuleContext, event: GuardEvent) -> RuleAnswer | None:
    rules, forward = context.rules, event is GuardEvent.RANGE_FORWARD
    least_m = rules.min_forward_m if forward else rules.min_ground_m
    reading = context.inputs.forward if forward else context.inputs.ground
    if least_m == 0.0:
        return None
    if reading is None or context.is_old(reading.stamp_ns, POSE_AGE_NS):
        return RuleAnswer(event, ACTIONS[rules.sensor_action])
    if reading.distance_m <= least_m and rules.range_action != "slow":
        return RuleAnswer(event, ACTIONS[rules.range_action])
    if rules.barrier:
        return None
    direction = (1.0, 0.0, 0.0) if forward else (0.0, 0.0, -1.0)
    limit = SpeedLimit(*direction, context.brake_speed(reading.distance_m - least_m))
    return RuleAnswer(event, GuardAction.SLOW, (limit,))


def _age(context: RuleContext, event: GuardEvent) -> RuleAnswer | None:
    rules, inputs = context.rules, context.inputs
    pose_ns = None if inputs.pose is None else inputs.pose.stamp_ns
    limit_s, stamp_ns = {
        GuardEvent.CAMERA_STALE: (rules.camera_max_age_s, inputs.camera_ns),
        GuardEvent.IMU_STALE: (rules.imu_max_age_s, inputs.imu_ns),
        GuardEvent.ODOMETRY_STALE: (rules.odometry_max_age_s, pose_ns),
    }[event]
    if limit_s == 0.0 or not context.is_old(stamp_ns, limit_s * NANOSECONDS):
        return None
    return RuleAnswer(event, ACTIONS[rules.sensor_action])


def _picture(context: RuleContext, event: GuardEvent) -> RuleAnswer | None:
    rules, inputs = context.rules, context.inputs
    repeats = 0 if inputs.picture is None else inputs.picture.repeats
    number, limit = {
        GuardEvent.PICTURE_DARK: (inputs.dark, rules.picture_frames),
        GuardEvent.PICTURE_BRIGHT: (inputs.bright, rules.picture_frames),
        GuardEvent.PICTURE_UNKNOWN: (inputs.unknown, rules.picture_frames),
        GuardEvent.PICTURE_FROZEN: (repeats, rules.picture_max_repeats),
    }[event]
    return RuleAnswer(event, ACTIONS[rules.picture_action]) if 0 < limit <= number else None


def _stall(context: RuleContext) -> RuleAnswer | None:
    rules, run_ns = context.rules, context.run_ns
    if rules.stall_s == 0.0 or run_ns is None:
        return None
    stalled = context.now_ns - run_ns > rules.stall_s * NANOSECONDS
    return RuleAnswer(GuardEvent.STALL, ACTIONS[rules.stall_action]) if stalled else None


def _link(context: RuleContext) -> RuleAnswer | None:
    rules, autopilot = context.rules, context.inputs.autopilot
    if rules.link_timeout_s == 0.0:
        return None
    limit_ns = rules.link_timeout_s * NANOSECONDS
    linked = autopilot is not None and autopilot.connected
    if linked and autopilot is not None and not context.is_old(autopilot.stamp_ns, limit_ns):
        return None
    return RuleAnswer(GuardEvent.LINK_LOST, ACTIONS[rules.link_action])


def _battery(context: RuleContext) -> RuleAnswer | None:
    charge, rules = context.inputs.battery, context.rules
    if charge is None or not charge < rules.min_battery:
        return None
    return RuleAnswer(GuardEvent.BATTERY_LOW, ACTIONS[rules.battery_action])


def _mode(context: RuleContext) -> RuleAnswer | None:
    autopilot, rules = context.inputs.autopilot, context.rules
    if rules.mode_action == "off" or autopilot is None or autopilot.obeys:
        return None
    return RuleAnswer(GuardEvent.OTHER_MODE, ACTIONS[rules.mode_action])


_AGES = (GuardEvent.CAMERA_STALE, GuardEvent.IMU_STALE, GuardEvent.ODOMETRY_STALE)
_PICTURES = (
    GuardEvent.PICTURE_FROZEN,
    GuardEvent.PICTURE_DARK,
    GuardEvent.PICTURE_BRIGHT,
    GuardEvent.PICTURE_UNKNOWN,
)
_RANGES = (GuardEvent.RANGE_FORWARD, GuardEvent.RANGE_GROUND)
RULES: Mapping[GuardEvent, GuardRule] = {
    GuardEvent.FENCE_NEAR: _fence_near,
    GuardEvent.FENCE_LEFT: _fence_left,
    GuardEvent.BARRIER: _barrier,
    GuardEvent.BARRIER_BRAKED: _barrier_braked,
    **{event: partial(_range, event=event) for event in _RANGES},
    **{event: partial(_age, event=event) for event in _AGES},
    **{event: partial(_picture, event=event) for event in _PICTURES},
    GuardEvent.STALL: _stall,
    GuardEvent.LINK_LOST: _link,
    GuardEvent.BATTERY_LOW: _battery,
    GuardEvent.OTHER_MODE: _mode,
}
"""Rule by the event that it counts."""


def enabled_rules(rules: GuardRules) -> tuple[GuardRule, ...]:
    """Return the rules that settings switch on, in the order of `RULES`."""
    fence = rules.fence.exists
    on = {
        GuardEvent.FENCE_NEAR: fence and not rules.barrier,
        GuardEvent.FENCE_LEFT: fence,
        GuardEvent.BARRIER: rules.barrier,
        GuardEvent.BARRIER_BRAKED: rules.barrier,
        GuardEvent.RANGE_FORWARD: rules.min_forward_m > 0.0,
        GuardEvent.RANGE_GROUND: rules.min_ground_m > 0.0,
        GuardEvent.CAMERA_STALE: rules.camera_max_age_s > 0.0,
        GuardEvent.IMU_STALE: rules.imu_max_age_s > 0.0,
        GuardEvent.ODOMETRY_STALE: rules.odometry_max_age_s > 0.0,
        GuardEvent.PICTURE_FROZEN: rules.picture_max_repeats > 0,
        GuardEvent.PICTURE_DARK: rules.picture_min_brightness > 0.0,
        GuardEvent.PICTURE_BRIGHT: rules.picture_max_brightness < 255.0,
        GuardEvent.PICTURE_UNKNOWN: rules.picture_max_score > 0.0,
        GuardEvent.STALL: rules.stall_s > 0.0,
        GuardEvent.LINK_LOST: rules.link_timeout_s > 0.0,
        GuardEvent.BATTERY_LOW: rules.min_battery > 0.0,
        GuardEvent.OTHER_MODE: rules.mode_action != "off",
    }
    return tuple(rule for event, rule in RULES.items() if on[event])

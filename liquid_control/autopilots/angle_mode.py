"""Velocity commands for a firmware that follows angles and throttle only.

Betaflight has no velocity loop. This one has the structure of the simulator's cascade (a smoothed
reference whose acceleration is fed forward, PI on the velocity error, altitude hold) and ends in
stick positions: roll and pitch angle, yaw rate, throttle. State and time are arguments.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from liquid_control.errors import ConfigError
from liquid_control.frames import heading_of, rotation_from_quaternion
from liquid_control.types import Command, VehicleState

GRAVITY_MPS2 = 9.80665
DEADBAND_MPS = 0.1
"""The altitude is held while less vertical velocity is commanded."""
_MOST_INTEGRAL = (2.0, 2.0, 4.0)
"""Largest integrals, m/s^2, map."""
_LEAST_LIFT, _MOST_LIFT = 0.4, 1.7
"""Vertical acceleration of the thrust over gravity."""
Triple = tuple[float, float, float]


class Sticks(NamedTuple):
    """Stick positions of a remote control.

    Attributes:
        roll: in [-1, 1], positive rolls to the right.
        pitch: in [-1, 1], positive lowers the nose: forward.
        yaw: in [-1, 1], positive turns clockwise, to the right.
        throttle: in [0, 1].
    """

    roll: float
    pitch: float
    yaw: float
    throttle: float


@dataclass(frozen=True, slots=True)
class AngleModeSettings:
    """Vehicle and gains of `AngleMode`.

    Attributes:
        hover_throttle: throttle that hovers, in (0, 1); an error of it costs height at take-off,
            until the integrator has found it.
        thrust_expo: e of the thrust over throttle u, proportional to (1 - e) u + e u^2.
        angle_limit_deg: angle of a full stick, as set in the firmware (`angle_limit`).
        yaw_rate_limit_radps: yaw rate of a full stick, as set in the firmware; linear.
        tilt_deg: largest angle that is commanded.
        horizontal_p, horizontal_i: gains of the horizontal velocity, 1/s and 1/s^2.
        vertical_p, vertical_i: gains of the vertical velocity, 1/s and 1/s^2.
        altitude_p: gain of the held altitude, 1/s.
        reference_radps: bandwidth of the smoothed command, rad/s.
        accel_mps2: largest acceleration of the smoothed command, m/s^2.

    Raises:
        ConfigError: a value is out of range.
    """

    hover_throttle: float = 0.5
    thrust_expo: float = 0.65
    angle_limit_deg: float = 45.0
    yaw_rate_limit_radps: float = 3.49
    tilt_deg: float = 30.0
    horizontal_p: float = 3.0
    horizontal_i: float = 1.2
    vertical_p: float = 4.0
    vertical_i: float = 2.0
    altitude_p: float = 1.5
    reference_radps: float = 5.0
    accel_mps2: float = 4.0

    def __post_init__(self) -> None:
        if not 0.05 <= self.hover_throttle <= 0.9:
            raise ConfigError(f"hover_throttle: expected 0.05 to 0.9, got {self.hover_throttle:g}")
        if not 0.0 <= self.thrust_expo <= 1.0:
            raise ConfigError(f"thrust_expo: expected 0 to 1, got {self.thrust_expo:g}")
        if not 0.0 < self.tilt_deg <= self.angle_limit_deg <= 80.0:
            raise ConfigError(
                "tilt_deg: expected more than 0 and at most angle_limit_deg, which is at most "
                f"80, got {self.tilt_deg:g} and {self.angle_limit_deg:g}"
            )


class AngleState(NamedTuple):
    """State of `AngleMode` between two steps.

    Attributes:
        reference: smoothed command, m/s, heading frame.
        acceleration: its rate of change, m/s^2.
        integral: acceleration of the integrators, m/s^2, map.
        altitude: altitude that is held, m, map; NaN while a vertical velocity is tracked.
    """

    reference: Triple = (0.0, 0.0, 0.0)
    acceleration: Triple = (0.0, 0.0, 0.0)
    integral: Triple = (0.0, 0.0, 0.0)
    altitude: float = math.nan


@dataclass(frozen=True, slots=True)
class AngleMode:
    """Computes sticks from velocity commands in the heading frame."""

    settings: AngleModeSettings = AngleModeSettings()

    def step(
        self, command: Command, vehicle: VehicleState, dt: float, state: AngleState
    ) -> tuple[Sticks, AngleState]:
        """Return the sticks and the next state.

        Args:
            command: velocity and yaw rate, heading frame.
            vehicle: estimated state of the vehicle.
            dt: time since the step before, s.
            state: of the step before; `AngleState()` at the start.
        """
        s = self.settings
        heading = heading_of(vehicle.quaternion)
        c, sn = math.cos(heading), math.sin(heading)
        reference, ahead = self._smooth(command, dt, state)
        climb, altitude = self._hold(command, reference[2], dt, vehicle, state)
        forward, left, _ = reference
        setpoint = (c * forward - sn * left, sn * forward + c * left, climb)
        turn = command.yaw_rate_radps
        along, aside = ahead[0] - turn * left, ahead[1] + turn * forward
        feedforward = (c * along - sn * aside, sn * along + c * aside, ahead[2])
        velocity = vehicle.velocity.tolist()
        error = tuple(wanted - got for wanted, got in zip(setpoint, velocity, strict=True))
        p = (s.horizontal_p, s.horizontal_p, s.vertical_p)
        ax, ay, az = (
            ahead + gain * off + total
            for ahead, gain, off, total in zip(feedforward, p, error, state.integral, strict=True)
        )
        i = (s.horizontal_i, s.horizontal_i, s.vertical_i)
        x, y, z = (
            _limited(total + gain * off * dt, most)
            for total, gain, off, most in zip(
                state.integral, i, error, _MOST_INTEGRAL, strict=True
            )
        )
        sticks = self._sticks((ax, ay, az), (c, sn), command, vehicle)
        return sticks, AngleState(reference, ahead, (x, y, z), altitude)

    def neutral(self, state: AngleState) -> Sticks:
        """Return level sticks with the throttle that hovered last."""
        lift = 1.0 + state.integral[2] / GRAVITY_MPS2
        return Sticks(0.0, 0.0, 0.0, self.throttle(lift))

    def throttle(self, thrust: float) -> float:
        """Return the throttle, in [0, 1], of a thrust over the weight.

        It is the root of (1 - e) u + e u^2 = thrust f(hover_throttle).
        """
        e, hover = self.settings.thrust_expo, self.settings.hover_throttle
        wanted = max(thrust, 0.0) * ((1.0 - e) * hover + e * hover * hover)
        if e < 1e-6:
            return min(wanted, 1.0)
        return min((math.sqrt((1.0 - e) ** 2 + 4.0 * e * wanted) - (1.0 - e)) / (2.0 * e), 1.0)

    def _smooth(self, command: Command, dt: float, state: AngleState) -> tuple[Triple, Triple]:
        """Filter the command: second order, critically damped, with limited acceleration."""
        w = self.settings.reference_radps
        up = 0.0 if abs(command.up_mps) < DEADBAND_MPS else command.up_mps
        wanted = (command.forward_mps, command.left_mps, up)
        x, y, z = (
            rate + dt * w * (w * (target - value) - 2.0 * rate)
            for target, value, rate in zip(
                wanted, state.reference, state.acceleration, strict=True
            )
        )
        size = math.hypot(x, y)
        scale = min(1.0, self.settings.accel_mps2 / size) if size > 0.0 else 1.0
        change = (x * scale, y * scale, _limited(z, self.settings.accel_mps2))
        vx, vy, vz = (
            value + dt * rate for value, rate in zip(state.reference, change, strict=True)
        )
        return (vx, vy, vz), change

    def _hold(
        self, command: Command, climb: float, dt: float, vehicle: VehicleState, state: AngleState
    ) -> tuple[float, float]:
        """Return the vertical velocity to track and the altitude to hold, or NaN."""
        if abs(command.up_mps) >= DEADBAND_MPS:
            return climb, math.nan
        height = float(vehicle.position[2])
        held = (height if math.isnan(state.altitude) else state.altitude) + climb * dt
        return climb + _limited(self.settings.altitude_p * (held - height), 1.0), held

    def _sticks(
        self, accel: Triple, turn: tuple[float, float], command: Command, vehicle: VehicleState
    ) -> Sticks:
        """Return the sticks of an acceleration in `map`; the vertical component has priority."""
        s, (c, sn) = self.settings, turn
        ax, ay, az = accel
        lift = min(max(az + GRAVITY_MPS2, _LEAST_LIFT * GRAVITY_MPS2), _MOST_LIFT * GRAVITY_MPS2)
        reach, size = lift * math.tan(math.radians(s.tilt_deg)), math.hypot(ax, ay)
        if size > reach:
            ax, ay = ax * reach / size, ay * reach / size
        forward, left = c * ax + sn * ay, c * ay - sn * ax
        pitch = math.degrees(math.atan2(forward, lift))
        roll = -math.degrees(math.atan2(left, math.hypot(forward, lift)))
        up = rotation_from_quaternion(vehicle.quaternion)[:, 2].tolist()
        thrust = (up[0] * ax + up[1] * ay + up[2] * lift) / GRAVITY_MPS2
        return Sticks(
            _limited(roll / s.angle_limit_deg, 1.0),
            _limited(pitch / s.angle_limit_deg, 1.0),
            _limited(-command.yaw_rate_radps / s.yaw_rate_limit_radps, 1.0),
            self.throttle(thrust),
        )


def _limited(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)

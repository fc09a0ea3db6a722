"""Online adaptation of a policy's read-out inside a certified box.

Each command c of a policy should become the velocity v of the vehicle through a first-order lag
of time constant T. The vehicle is taken to follow

    T dv/dt = k u + d - v

with an unknown gain k, 1 without a fault, and an unknown offset d. With the signals filtered by
the same lag (u_f of u, 1_f of the constant 1 from the start, v_0f of the first velocity, which
decays) it is linear in both without a derivative, v - v_0f = k u_f + d 1_f (Slotine, Li 1991,
Applied Nonlinear Control, section 8.7). Recursive least squares with stabilised forgetting
(Kulhavy, Zarrop 1993, International Journal of Control 58, 905) estimates (k, d): in the
information form

    L <- r L + (1 - r) L0 + w phi phi^T,   eta <- r eta + (1 - r) L0 theta0 + w phi y

the estimate L^-1 eta is that of weighted least squares with a prior, L >= L0, and so its gain is
bounded for any input. The command u = (c - d) / k then cancels both, clipped to the box.
"""

from dataclasses import dataclass, replace
from math import exp
from typing import NamedTuple, Protocol

import numpy as np

from liquid_control import frames
from liquid_control.command.motors import MOTORS, MotorScaling
from liquid_control.policy.controllers import Decision
from liquid_control.policy.model import Model
from liquid_control.policy.readout_box import CERTIFIED, ReadoutBox, certified_box, origins
from liquid_control.types import NANOSECONDS, Command, Floats, VehicleState


class VelocityReading(NamedTuple):
    """Measured motion of the vehicle, from odometry.

    Attributes:
        stamp_ns: time of the measurement.
        values: forward, left, up, m/s, heading frame, and yaw rate, rad/s: [4], as a command.
    """

    stamp_ns: int
    values: tuple[float, float, float, float]


def velocity_reading(state: VehicleState, stamp_ns: int) -> VelocityReading:
    """Return the motion of a vehicle state as messages of odometry carry it: through base_link.

    The velocity of an odometry message is in base_link. Both ways, here and in the graph, compute
    the same bits from it.
    """
    turn = frames.rotation_from_quaternion(state.quaternion)
    body = turn.T @ state.velocity
    return reading_of_twist(state.quaternion, body, state.angular_velocity, stamp_ns)


def reading_of_twist(
    quaternion: Floats, body_velocity: Floats, body_rates: Floats, stamp_ns: int
) -> VelocityReading:
    """Return the motion of an odometry message.

    Args:
        quaternion: float64 [4], (x, y, z, w), base_link to map.
        body_velocity: float64 [3], m/s, base_link.
        body_rates: float64 [3], rad/s, base_link.
        stamp_ns: of the message.
    """
    velocity = frames.rotation_from_quaternion(quaternion) @ body_velocity
    heading_rad = frames.heading_of(quaternion)
    forward, left, up = frames.heading_from_world(velocity, heading_rad).tolist()
    return VelocityReading(stamp_ns, (forward, left, up, float(body_rates[2])))


@dataclass(frozen=True, slots=True)
class AdaptationSettings:
    """Constants of the estimator; those of one value a command are in the order of MOTORS.

    Attributes:
        lag_s: time constants of the vehicle's response, fitted, s.
        adapts: whether a command is adapted. The vertical one is not: the autopilot holds the
            altitude within its deadband, so the velocity is no lag of the command there.
        noise: standard deviation of the response that the model leaves, m/s and rad/s.
        correlation_s: time over which that is correlated, s.
        memory_s: time constant of forgetting, s.
        prior_gain: standard deviation of k around 1.
        prior_offset: standard deviation of d around 0, m/s and rad/s.
        rates: largest change of gain, 1/s, and of offset, m/s^2 and rad/s^2.
        bounds: largest innovation that is believed, m/s and rad/s.
        limit: largest velocity or rate that is believed, m/s and rad/s.
        max_age_s: largest age of a reading at its frame, s.
        max_gap_s: longest elapsed time between frames, s.
        trust_s: time of good readings before anything is adapted, s: three lags, after which the
            first velocity has decayed and `bounds` holds for a constant error too. What was
            learned in the last `trust_s` to 2 `trust_s` before bad data is rolled back.
    """

    lag_s: tuple[float, ...] = (0.5, 0.65, 0.65, 0.125)
    adapts: tuple[bool, ...] = (True, True, False, True)
    noise: tuple[float, ...] = (0.2, 0.2, 0.2, 0.2)
    correlation_s: float = 0.5
    memory_s: float = 5.0
    prior_gain: float = 0.15
    prior_offset: float = 0.4
    rates: tuple[float, float] = (0.2, 0.4)
    bounds: tuple[float, ...] = (1.5, 1.5, 1.5, 1.5)
    limit: float = 30.0
    max_age_s: float = 0.1
    max_gap_s: float = 0.5
    trust_s: float = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class AdaptationState:
    """State of the estimator between two frames; nothing else is kept.

    Attributes:
        gain, offset: applied to the commands, float64 [4].
        command: the command of the last frame, float64 [4].
        filtered: u_f, 1_f and v_0f, float64 [3, 4].
        information: L of (k, k), (k, d), (d, d) and eta of k and d, float64 [5, 4].
        trusted, candidate: the information up to two of `trust_s` ago, and up to one.
        innovation: of the last reading, float64 [4]; zero where none was used.
        reading_ns: stamp of the last good reading; None before the first.
        reading: its values; another reading with the same values repeats it.
        good_s: time of good readings in succession, s.
        since_s: time since `candidate` was kept, s.
        running: whether the filters have begun.
        updates, doubts, rollbacks: numbers of readings used, of those refused, and of rollbacks.
    """

    gain: Floats
    offset: Floats
    command: Floats
    filtered: Floats
    information: Floats
    trusted: Floats
    candidate: Floats
    innovation: Floats
    reading_ns: int | None = None
    reading: tuple[float, ...] = ()
    good_s: float = 0.0
    since_s: float = 0.0
    running: bool = False
    updates: int = 0
    doubts: int = 0
    rollbacks: int = 0

    @property
    def rows(self) -> dict[str, tuple[float, float, float]]:
        """Name, then gain, offset and innovation of each command, and the three counters."""
        triples = np.stack([self.gain, self.offset, self.innovation], axis=1).tolist()
        counters = (float(self.updates), float(self.doubts), float(self.rollbacks))
        return {**{n: tuple(t) for n, t in zip(MOTORS, triples, strict=True)}, COUNTERS: counters}


COUNTERS = "counters"
"""Name of the last row of a recorded state: updates, doubts and rollbacks."""


class CommandAdaptation(Protocol):
    """Changes the commands of a policy by what the vehicle does; states are explicit."""

    def init_state(self) -> AdaptationState:
        """Return the state at the start of a flight: nothing is adapted."""
        ...

    def step(
        self,
        decision: Decision,
        state: AdaptationState,
        reading: VelocityReading | None,
        stamp_ns: int,
        dt_s: float,
    ) -> tuple[Command, AdaptationState]:
        """Return the command for a decision, and the new state.

        Args:
            decision: of the policy.
            state: from `init_state` or the frame before.
            reading: the newest motion of the vehicle at the frame; None without one.
            stamp_ns: of the frame.
            dt_s: elapsed since the last answered frame, s.
        """
        ...


def initial_state(information: Floats) -> AdaptationState:
    """Return the state at the start of a flight, with gains of 1, for a prior information."""
    zeros = np.zeros(len(MOTORS))
    filtered = np.zeros((3, len(MOTORS)))
    ones, prior = np.ones(len(MOTORS)), information
    return AdaptationState(ones, zeros, zeros, filtered, prior, prior, prior, zeros)


class OnlineAdaptation:
    """Adapts gains and offsets of a read-out inside a box.

    Attributes:
        box: of gains and offsets.
        settings: constants.
    """

    def __init__(
        self, box: ReadoutBox, motors: MotorScaling, settings: AdaptationSettings | None = None
    ) -> None:
        """Prepare the constants of the estimator.

        Args:
            box: of gains and offsets.
            motors: read-out of the model.
            settings: constants; None for the default.
        """
        self.box = box
        self.settings = own = settings or AdaptationSettings()
        low, high = box.fixed(~np.array(own.adapts))
        self._low, self._high = low, high
        self._inverse = 1.0 / high[0], 1.0 / low[0]
        self._origin = origins(motors)
        self._lag = np.array(own.lag_s)
        k, d = own.prior_gain**-2, own.prior_offset**-2
        self._prior = np.array([[k], [0.0], [d], [k], [0.0]]) * np.ones(len(MOTORS))
        self._weight = 1.0 / (np.array(own.noise) ** 2 * own.correlation_s)
        self._bounds = np.array(own.bounds)
        self._rates = np.array(own.rates)[:, None]

    @classmethod
    def for_model(
        cls,
        model: Model,
        requested: str = CERTIFIED,
        settings: AdaptationSettings | None = None,
    ) -> "OnlineAdaptation":
        """Return the adaptation of a model that has a certificate.

        Raises:
            CertificateError: the certificate is missing, of other weights, or its box is smaller.
            ConfigError: `requested` is neither `certified` nor `GAIN,OFFSET`.
        """
        return cls(certified_box(model, requested), model.settings.motors, settings)

    def init_state(self) -> AdaptationState:
        """Return the state at the start of a flight: gains of 1, offsets of 0."""
        return initial_state(self._prior)

    def step(
        self,
        decision: Decision,
        state: AdaptationState,
        reading: VelocityReading | None,
        stamp_ns: int,
        dt_s: float,
    ) -> tuple[Command, AdaptationState]:
        """Return the command and the new state, as `CommandAdaptation.step` describes.

        A reading that is missing, not finite, older than `max_age_s` or newer than the frame, not
        newer than the one before, equal to it in every bit, or farther from the model than
        `bounds` is refused. Then the command is the policy's, bit for bit, and so it stays for
        `trust_s`; what was learned shortly before is rolled back.
        """
        nominal = np.array(decision.command.values)
        if reading is None or self._is_refused(state, reading, stamp_ns, dt_s):
            return decision.command, self._rolled_back(state, nominal)
        value = np.array(reading.values)
        filters = self._filtered(state, value, dt_s)
        theta = estimate(state.information)
        innovation = value - filters[2] - theta[0] * filters[0] - theta[1] * filters[1]
        if not np.all(np.abs(innovation) <= self._bounds):
            return decision.command, self._rolled_back(state, nominal)
        good_s = state.good_s + dt_s
        changes = {
            "filtered": filters,
            "innovation": innovation,
            "reading_ns": reading.stamp_ns,
            "reading": reading.values,
            "good_s": good_s,
            "running": True,
        }
        if good_s < self.settings.trust_s:
            return decision.command, replace(state, command=nominal, **changes)
        information = self._updated(state.information, filters, value, dt_s)
        changes |= self._kept(state, information, dt_s)
        gain, offset = self._moved(state, information, dt_s)
        command = nominal + ((gain - 1.0) * (nominal - self._origin) + offset)
        after = replace(
            state,
            gain=gain,
            offset=offset,
            command=command,
            information=information,
            updates=state.updates + 1,
            **changes,
        )
        return Command(*command.tolist()), after

    def _is_refused(
        self, state: AdaptationState, reading: VelocityReading, stamp_ns: int, dt_s: float
    ) -> bool:
        """Return whether a reading cannot be used, whatever the model says."""
        if not all(abs(v) <= self.settings.limit for v in reading.values):
            return True
        age_ns, most_ns = stamp_ns - reading.stamp_ns, self.settings.max_age_s * NANOSECONDS
        if not 0 <= age_ns <= most_ns or not 0.0 < dt_s <= self.settings.max_gap_s:
            return True
        old = state.reading_ns is not None and reading.stamp_ns <= state.reading_ns
        return old or reading.values == state.reading

    def _filtered(self, state: AdaptationState, value: Floats, dt_s: float) -> Floats:
        """Return u_f, 1_f and v_0f at this frame; they begin at the first reading."""
        filters = np.zeros((3, len(MOTORS)))
        if not state.running:
            filters[2] = value
            return filters
        filters[0], filters[1] = state.command, 1.0
        return filters + np.exp(-dt_s / self._lag) * (state.filtered - filters)

    def _updated(self, information: Floats, filters: Floats, value: Floats, dt_s: float) -> Floats:
        """Return the information with one more measurement of a weight that grows with dt."""
        keep = exp(-dt_s / self.settings.memory_s)
        u, one, y = filters[0], filters[1], value - filters[2]
        added = np.empty((5, len(MOTORS)))
        added[0], added[1], added[2], added[3], added[4] = (
            u * u,
            u * one,
            one * one,
            u * y,
            one * y,
        )
        return keep * information + (1.0 - keep) * self._prior + (self._weight * dt_s) * added

    def _moved(
        self, state: AdaptationState, information: Floats, dt_s: float
    ) -> tuple[Floats, Floats]:
        """Return gain and offset, moved towards those that cancel the estimate, in the box.

        With a gain at its limit the offset is the best one for it: the minimiser of the same
        quadratic function on the face of the box.
        """
        low, high = self._inverse
        k = np.minimum(np.maximum(estimate(information)[0], low), high)
        d = (information[4] - information[1] * k) / information[2]
        change, most = np.empty((2, len(MOTORS))), self._rates * dt_s
        change[0], change[1] = 1.0 / k - state.gain, (self._origin - d) / k - self._origin
        change[1] -= state.offset
        change = np.minimum(np.maximum(change, -most), most)
        change[0] += state.gain
        change[1] += state.offset
        moved = np.minimum(np.maximum(change, self._low), self._high)
        return moved[0], moved[1]

    def _kept(self, state: AdaptationState, information: Floats, dt_s: float) -> dict[str, object]:
        """Return the kept information: every `trust_s` a candidate becomes the trusted one."""
        since_s = state.since_s + dt_s
        if since_s < self.settings.trust_s:
            return {"since_s": since_s}
        return {"since_s": 0.0, "trusted": state.candidate, "candidate": information}

    def _rolled_back(self, state: AdaptationState, nominal: Floats) -> AdaptationState:
        fresh = self.init_state()
        rolled = state.information is not state.trusted
        return replace(
            fresh,
            command=nominal,
            information=state.trusted,
            trusted=state.trusted,
            candidate=state.trusted,
            reading_ns=state.reading_ns,
            reading=state.reading,
            updates=state.updates,
            doubts=state.doubts + 1,
            rollbacks=state.rollbacks + rolled,
        )


def estimate(information: Floats) -> Floats:
    """Return L^-1 eta, the estimate of (k, d) of each command, float64 [2, 4]."""
    kk, kd, dd, k, d = information
    determinant = kk * dd - kd * kd
    found = np.empty((2, information.shape[1]))
    found[0], found[1] = dd * k - kd * d, kk * d - kd * k
    return np.asarray(found / determinant)

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

from liquid_control.command.motors import MOTORS, MotorScaling
from liquid_control.policy.controllers import Decision
from liquid_control.policy.model import Model
from liquid_control.policy.readout_box import CERTIFIED, ReadoutBox, certified_box, origins
from liquid_control.policy.velocity_reading import VelocityReading
from liquid_control.types import NANOSECONDS, Command


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


Row = tuple[float, ...]
Rows = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class AdaptationState:
    """State of the estimator between two frames; nothing else is kept.

    Numbers are kept as tuples, because arrays of four cost more than the arithmetic on them.

    Attributes:
        gain, offset: applied to the commands, [4].
        command: the command of the last frame, [4].
        filtered: u_f, 1_f and v_0f of each command, [4, 3].
        information: L of (k, k), (k, d), (d, d) and eta of k and d of each command, [4, 5].
        trusted, candidate: the information up to two of `trust_s` ago, and up to one.
        innovation: of the last reading, [4]; zero where none was used.
        reading_ns: stamp of the last good reading; None before the first.
        reading: its values; another reading with the same values repeats it.
        good_s: time of good readings in succession, s.
        since_s: time since `candidate` was kept, s.
        running: whether the filters have begun.
        updates, doubts, rollbacks: numbers of readings used, of those refused, and of rollbacks.
    """

    gain: Row
    offset: Row
    command: Row
    filtered: Rows
    information: Rows
    trusted: Rows
    candidate: Rows
    innovation: Row
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
        triples = zip(self.gain, self.offset, self.innovation, strict=True)
        counters = (float(self.updates), float(self.doubts), float(self.rollbacks))
        return {**dict(zip(MOTORS, triples, strict=True)), COUNTERS: counters}


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


def initial_state(information: Rows) -> AdaptationState:
    """Return the state at the start of a flight, with gains of 1, for a prior information."""
    ones, zeros = (1.0,) * len(MOTORS), (0.0,) * len(MOTORS)
    filtered = ((0.0,) * 3,) * len(MOTORS)
    return AdaptationState(
        ones, zeros, zeros, filtered, information, information, information, zeros
    )


class _Axis(NamedTuple):
    """Constants of one command: of the estimator, of its motor, and its ends of the box."""

    lag_s: float
    bound: float
    weight: float
    origin: float
    gain_low: float
    offset_low: float
    gain_high: float
    offset_high: float


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
        noise = np.array(own.noise)
        weight = 1.0 / (noise**2 * own.correlation_s)
        columns = (own.lag_s, own.bounds, weight, origins(motors), *low, *high)
        self._axes = [
            _Axis(*row) for row in np.stack([np.asarray(c) for c in columns], axis=1).tolist()
        ]
        k, d = own.prior_gain**-2, own.prior_offset**-2
        self._prior = (k, 0.0, d, k, 0.0)

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
        return initial_state((self._prior,) * len(MOTORS))

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
        if reading is None or self._is_refused(state, reading, stamp_ns, dt_s):
            return decision.command, self._rolled_back(state, decision)
        filters = self._filtered(state, reading.values, dt_s)
        innovation = tuple(
            value - first - k * u - d * one
            for value, (u, one, first), (k, d) in zip(
                reading.values, filters, map(estimate, state.information), strict=True
            )
        )
        for error, axis in zip(innovation, self._axes, strict=True):
            if not abs(error) <= axis.bound:
                return decision.command, self._rolled_back(state, decision)
        good_s, command = state.good_s + dt_s, decision.command
        gain, offset, updates = state.gain, state.offset, state.updates
        kept = state.information, state.trusted, state.candidate, state.since_s
        if good_s >= self.settings.trust_s:
            information = self._updated(state.information, filters, reading.values, dt_s)
            gain, offset = self._moved(state, information, dt_s)
            command, updates = self._adapted(command, gain, offset), updates + 1
            kept = self._kept(state, information, dt_s)
        information, trusted, candidate, since_s = kept
        return command, AdaptationState(
            gain,
            offset,
            command.values,
            filters,
            information,
            trusted,
            candidate,
            innovation,
            reading.stamp_ns,
            reading.values,
            good_s,
            since_s,
            True,
            updates,
            state.doubts,
            state.rollbacks,
        )

    def _adapted(self, command: Command, gain: Row, offset: Row) -> Command:
        values = zip(command.values, self._axes, gain, offset, strict=True)
        return Command(*(c + ((g - 1.0) * (c - axis.origin) + b) for c, axis, g, b in values))

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

    def _filtered(self, state: AdaptationState, values: Row, dt_s: float) -> Rows:
        """Return u_f, 1_f and v_0f of each command; they begin at the first reading."""
        if not state.running:
            return tuple((0.0, 0.0, value) for value in values)
        found = []
        for axis, u, (u_f, one_f, first_f) in zip(
            self._axes, state.command, state.filtered, strict=True
        ):
            keep = exp(-dt_s / axis.lag_s)
            found.append((u + keep * (u_f - u), 1.0 + keep * (one_f - 1.0), keep * first_f))
        return tuple(found)

    def _updated(self, known: Rows, filters: Rows, values: Row, dt_s: float) -> Rows:
        """Return the information with one more measurement of a weight that grows with dt."""
        keep = exp(-dt_s / self.settings.memory_s)
        pk, _, pd, p, _ = (prior * (1.0 - keep) for prior in self._prior)
        rows = []
        for axis, (kk, kd, dd, k, d), (u, one, first), value in zip(
            self._axes, known, filters, values, strict=True
        ):
            y, weight = value - first, axis.weight * dt_s
            wu, wone = weight * u, weight * one
            rows.append(
                (
                    keep * kk + pk + wu * u,
                    keep * kd + wu * one,
                    keep * dd + pd + wone * one,
                    keep * k + p + wu * y,
                    keep * d + wone * y,
                )
            )
        return tuple(rows)

    def _moved(self, state: AdaptationState, known: Rows, dt_s: float) -> tuple[Row, Row]:
        """Return gains and offsets, moved towards those that cancel the estimate, in the box.

        With a gain at its limit the offset is the best one for it: the minimiser of the same
        quadratic function on the face of the box.
        """
        most_gain, most_offset = (rate * dt_s for rate in self.settings.rates)
        gains, offsets = [], []
        for axis, row, gain, offset in zip(
            self._axes, known, state.gain, state.offset, strict=True
        ):
            k = _clipped(estimate(row)[0], 1.0 / axis.gain_high, 1.0 / axis.gain_low)
            d = (row[4] - row[1] * k) / row[2]
            goal = (axis.origin - d) / k - axis.origin
            gain += _clipped(1.0 / k - gain, -most_gain, most_gain)
            offset += _clipped(goal - offset, -most_offset, most_offset)
            gains.append(_clipped(gain, axis.gain_low, axis.gain_high))
            offsets.append(_clipped(offset, axis.offset_low, axis.offset_high))
        return tuple(gains), tuple(offsets)

    def _kept(
        self, state: AdaptationState, information: Rows, dt_s: float
    ) -> tuple[Rows, Rows, Rows, float]:
        """Return the information, and of it what is trusted, the candidate, and its age.

        Every `trust_s` the candidate becomes the trusted one.
        """
        since_s = state.since_s + dt_s
        if since_s < self.settings.trust_s:
            return information, state.trusted, state.candidate, since_s
        return information, state.candidate, information, 0.0

    def _rolled_back(self, state: AdaptationState, decision: Decision) -> AdaptationState:
        fresh = self.init_state()
        rolled = state.information is not state.trusted
        return replace(
            fresh,
            command=decision.command.values,
            information=state.trusted,
            trusted=state.trusted,
            candidate=state.trusted,
            reading_ns=state.reading_ns,
            reading=state.reading,
            updates=state.updates,
            doubts=state.doubts + 1,
            rollbacks=state.rollbacks + rolled,
        )


def estimate(information: Row) -> tuple[float, float]:
    """Return L^-1 eta, the estimate of k and d of one command.

    Args:
        information: L of (k, k), (k, d), (d, d) and eta of k and d.
    """
    kk, kd, dd, k, d = information
    determinant = kk * dd - kd * kd
    return (dd * k - kd * d) / determinant, (kk * d - kd * k) / determinant


def _clipped(value: float, low: float, high: float) -> float:
    # Two comparisons cost a quarter of the built-in functions min and max.
    return low if value < low else high if value > high else value

"""Last-layer adaptation after Neural-Fly, as a baseline for the adaptation of the read-out.

The response that is missing is a linear function of the activations before the read-out, whose
weights a Kalman filter with decay estimates, driven by prediction and tracking error (O'Connell et
al. 2022, Science Robotics 7, doi 10.1126/scirobotics.abm6597, equations 5 to 7). The basis of the
paper is a network trained for it over winds; here it is the policy's own last layer.
"""

from dataclasses import dataclass, field, replace
from math import exp

import numpy as np

from liquid_control.command.motors import MOTORS
from liquid_control.policy import (
    AdaptationSettings,
    AdaptationState,
    Decision,
    Model,
    OnlineAdaptation,
    ReadoutBox,
    VelocityReading,
)
from liquid_control.policy.online_adaptation import Rows, initial_state
from liquid_control.types import Command, Floats


@dataclass(frozen=True)
class LastLayerAdaptation:
    """Adapts each command by a linear function of a constant and the command neurons' states.

    Its parameters are not bounded by a certificate; the correction is clipped to the offsets of
    the same box. `AdaptationState.information` holds covariance and weights, [n n + n, 4],
    `filtered` the lagged command, first velocity, reference and activations, [3 + n, 4], and
    `candidate` the same without lag.

    Attributes:
        box: whose offsets limit the correction.
        neurons: of the last layer before the read-out, in the state.
        settings: lag, noise and limits of readings of the estimator.
        decay: lambda of the paper, 1/s.
        process: diagonal of Q, 1/s.
        prior: diagonal of the first covariance.
    """

    box: ReadoutBox
    neurons: slice
    settings: AdaptationSettings = field(default_factory=AdaptationSettings)
    decay: float = 0.05
    process: float = 0.01
    prior: float = 0.05

    @classmethod
    def for_model(cls, model: Model) -> "LastLayerAdaptation":
        """Return the adaptation of a model with a wired CfC and a certified box.

        Raises:
            CertificateError: the model has no such certificate.
        """
        box = OnlineAdaptation.for_model(model).box
        return cls(box, model.weights.wiring.slices[-2])

    @property
    def size(self) -> int:
        """Number of basis functions."""
        return 1 + int(self.neurons.stop - self.neurons.start)

    def init_state(self) -> AdaptationState:
        """Return the state at the start of a flight: weights of 0."""
        n = self.size
        covariance = (self.prior * np.eye(n)).reshape(n * n, 1) * np.ones(len(MOTORS))
        state = initial_state(_rows(np.concatenate([covariance, np.zeros((n, len(MOTORS)))])))
        return replace(state, filtered=_rows(np.zeros((3 + n, len(MOTORS)))))

    def step(
        self,
        decision: Decision,
        state: AdaptationState,
        reading: VelocityReading | None,
        stamp_ns: int,
        dt_s: float,
    ) -> tuple[Command, AdaptationState]:
        """Return the command and the new state, as `CommandAdaptation.step` describes."""
        nominal, n = np.array(decision.command.values), self.size
        basis = np.concatenate([[1.0], decision.state[self.neurons].astype(np.float64)])
        # Held until the next frame: the commands as the policy gave them, and their corrections.
        if reading is None or not np.isfinite(reading.values).all():
            return decision.command, replace(self.init_state(), doubts=state.doubts + 1)
        value, lag = np.array(reading.values), np.array(self.settings.lag_s)
        filtered, information = np.array(state.filtered), np.array(state.information)
        if not state.running:
            filtered[1] = filtered[2] = value
        else:
            held = np.array(state.candidate)
            filtered = held + np.exp(-dt_s / lag) * (filtered - held)
        weights, covariance = information[n * n :], information[: n * n].reshape(n, n, -1)
        weights *= exp(-self.decay * dt_s)
        covariance *= exp(-2.0 * self.decay * dt_s)
        covariance += (self.process * dt_s * np.eye(n))[:, :, None]
        for axis, noise in enumerate(self.settings.noise):
            if state.running and self.settings.adapts[axis]:
                phi, p = filtered[3:, axis], covariance[:, :, axis]
                spread = p @ phi
                gain = spread / (phi @ spread + noise**2 * self.settings.correlation_s / dt_s)
                error = value[axis] - filtered[:2, axis].sum() - phi @ weights[:, axis]
                tracking = value[axis] - filtered[2, axis]
                weights[:, axis] += gain * error + dt_s * spread * tracking
                covariance[:, :, axis] = p - np.outer(gain, spread)
        change = -np.clip(basis @ weights, self.box.offset_low, self.box.offset_high)
        command = nominal + change * np.array(self.settings.adapts)
        zeros = np.zeros(len(MOTORS))
        held = np.stack([command, zeros, nominal, *(one + zeros for one in basis)])
        return Command(*command.tolist()), replace(
            state,
            offset=tuple(change.tolist()),
            command=tuple(command.tolist()),
            filtered=_rows(filtered),
            candidate=_rows(held),
            information=_rows(np.concatenate([covariance.reshape(n * n, -1), weights])),
            running=True,
            updates=state.updates + 1,
        )


def _rows(values: Floats) -> Rows:
    return tuple(tuple(row) for row in values.tolist())

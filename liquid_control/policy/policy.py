"""The policy: observation to command, the one path that flies, is evaluated and is replayed.

`features` runs in the perception node and `act` in the controller node; `step` runs both in one
process. What passes between them is float32, so that both ways give the same bits.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ModelError, ObservationError
from liquid_control.liquid.flight_step import FlightCfC
from liquid_control.perception.camera_view import fit, standardise
from liquid_control.perception.encoder import Encoder
from liquid_control.perception.imu_features import imu_features
from liquid_control.policy.model import Model
from liquid_control.types import Command, Observation

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What the controller answers to one frame.

    Attributes:
        command: to be guarded and obeyed.
        state: the new state, float32 [N], in (-1, 1).
        gates: the time gates, float32 [N] in [0, 1]: the share of ff2 in each neuron's state.
    """

    command: Command
    state: Array
    gates: Array


class Policy:
    """A loaded model that answers observations.

    Attributes:
        model: what it was built from.
    """

    def __init__(self, model: Model) -> None:
        """Start the perception network.

        Raises:
            ModelError: the graph does not load, or does not fit the model's settings.
        """
        self.model = model
        self._settings = model.settings
        self._view = model.settings.camera.view
        self._encoder = Encoder(model.perception)
        self._cell = FlightCfC(model.weights)
        self._motors = slice(-model.weights.wiring.outputs, None)
        expected = (self._view.height, self._view.width, self._settings.features.image)
        got = (self._encoder.height, self._encoder.width, self._encoder.features)
        if got != expected:
            raise ModelError(
                f"{model.path}: expected a perception graph of (height, width, features) "
                f"{expected}, got {got}"
            )

    @property
    def neuron_names(self) -> tuple[str, ...]:
        """Names of the state's neurons, in its order."""
        return self.model.weights.wiring.names

    @property
    def feature_count(self) -> int:
        """Number of features that `features` returns and `act` takes."""
        return self._settings.features.total

    def check_camera(
        self,
        width: int,
        height: int,
        horizontal_fov_deg: float,
        encoding: str = "rgb8",
        pitch_down_deg: float | None = None,
    ) -> None:
        """Check a camera's picture size, view and encoding against the model's, before flight.

        Raises:
            ModelError: the view is another than the model's.
            ObservationError: the encoding is not rgb8.
        """
        self._view.check_camera(width, height, horizontal_fov_deg, encoding, pitch_down_deg)

    def init_state(self) -> Array:
        """Return the state at the start of a flight, float32 [N]."""
        return self._cell.init_state()

    def features(self, observation: Observation) -> Array:
        """Return what the controller hears of one observation, float32 [F].

        Raises:
            ObservationError: the image or the IMU samples do not fit.
        """
        picture = standardise(fit(observation.image, self._view))
        return np.concatenate([self._encoder.encode(picture), imu_features(observation.imu)])

    def act(self, features: Array, state: Array, dt: float) -> Decision:
        """Answer features.

        Args:
            features: float32 [F], from `features`.
            state: float32 [N].
            dt: elapsed seconds since the frame answered before, from `FrameClock`.

        Raises:
            ObservationError: a feature is NaN or infinite.
            CellError: a shape does not fit, or dt is negative or not finite.
        """
        if not isfinite(float(features.sum())):
            raise ObservationError(f"expected finite features, got {features}")
        after, gates = self._cell.step(features, state, dt)
        return Decision(self._settings.motors.command(after[self._motors]), after, gates)

    def step(self, observation: Observation, state: Array, dt: float) -> tuple[Command, Array]:
        """Answer an observation: `features`, then `act`; returns the command and the new state."""
        decision = self.act(self.features(observation), state, dt)
        return decision.command, decision.state

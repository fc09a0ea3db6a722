"""The policy: from an observation to a command, in flight, in evaluation and in replay.

`features` runs in the perception node and `act` in the controller node; `step` runs both in one
process. Features and states are float32, so both ways give the same bits.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ModelError, ObservationError
from liquid_control.liquid.flight_step import FlightCfC
from liquid_control.perception import Encoder, fit, imu_features, standardise
from liquid_control.policy.model import PERCEPTION, Model
from liquid_control.types import Command, ImuWindow, Observation, Pixels

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The controller's output for one frame.

    Attributes:
        command: the command, before the guard.
        state: the new state, float32 [N], in (-1, 1).
        gates: the time gates, float32 [N] in [0, 1]: the fraction of ff2 in each neuron's state.
    """

    command: Command
    state: Array
    gates: Array


class Policy:
    """A loaded model that computes commands from observations; it keeps no state.

    Attributes:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        """Start the perception network.

        Raises:
            ModelError: the graph does not load, or does not fit the model's settings.
        """
        self.model = model
        self._settings = model.settings
        self._view = model.settings.camera.view
        try:
            self._encoder = Encoder(model.perception)
        except ModelError as error:
            raise ModelError(f"{model.path / PERCEPTION}: {error}") from error
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
            ModelError: the size or the view differs from the model's.
            ObservationError: the encoding is not rgb8.
        """
        self._view.check_camera(width, height, horizontal_fov_deg, encoding, pitch_down_deg)

    def init_state(self) -> Array:
        """Return the state at the start of a flight, float32 [N]."""
        return self._cell.init_state()

    def features(self, observation: Observation) -> Array:
        """Return the controller's input for one observation, float32 [F].

        Raises:
            ObservationError: the image or the IMU samples do not fit.
        """
        return self.features_of_fitted(fit(observation.image, self._view), observation.imu)

    def features_of_fitted(self, picture: Pixels, imu: ImuWindow) -> Array:
        """Return the controller's input for a picture that is already fitted, float32 [F].

        Args:
            picture: uint8 [H, W, 3] RGB of the model's size, from `perception.camera_view.fit`.
            imu: the samples since the previous frame.

        Raises:
            ObservationError: the picture or the IMU samples do not fit.
        """
        expected = (self._view.height, self._view.width, 3)
        if picture.shape != expected or picture.dtype != np.uint8:
            raise ObservationError(
                f"expected a fitted picture uint8 {expected}, got {picture.dtype} {picture.shape}"
            )
        return np.concatenate([self._encoder.encode(standardise(picture)), imu_features(imu)])

    def act(self, features: Array, state: Array, dt: float) -> Decision:
        """Return the decision on features.

        Args:
            features: float32 [F], from `features`.
            state: float32 [N].
            dt: seconds since the previous answered frame, from `FrameClock`.

        Raises:
            ObservationError: a feature is NaN or infinite.
            CellError: a shape does not fit, or dt is negative or not finite.
        """
        if not isfinite(float(features.sum())):
            raise ObservationError(f"expected finite features, got {features}")
        after, gates = self._cell.step(features, state, dt)
        return Decision(self._settings.motors.command(after[self._motors]), after, gates)

    def step(self, observation: Observation, state: Array, dt: float) -> tuple[Command, Array]:
        """Return command and new state for an observation: `features`, then `act`."""
        decision = self.act(self.features(observation), state, dt)
        return decision.command, decision.state

"""The policy: from an observation to a command, in flight, in evaluation and in replay.

`features` runs in the perception node and `act` in the controller node; `step` runs both in one
process. Features and states are float32, so both ways give the same bits.
"""

import numpy as np

from liquid_control.errors import ModelError, ObservationError
from liquid_control.perception import Encoder, fit, imu_features, input_values, standardise
from liquid_control.policy.controllers import Array, Decision, flight_controller
from liquid_control.policy.model import PERCEPTION, Model
from liquid_control.types import Command, Observation, Pixels


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
        self._controller = flight_controller(model)
        expected = (self._view.height, self._view.width, self._settings.features.image)
        got = (self._encoder.height, self._encoder.width, self._encoder.features)
        if got != expected:
            raise ModelError(
                f"{model.path}: expected a perception graph of (height, width, features) "
                f"{expected}, got {got}"
            )

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the numbers in a state, in its order: those of the neurons of a wired CfC."""
        return self._settings.core.state_names

    @property
    def feature_count(self) -> int:
        """Number of features that `features` returns and `act` takes."""
        return self._settings.features.total

    @property
    def needed_inputs(self) -> tuple[str, ...]:
        """Optional inputs that an observation must have, keys of `perception.INPUTS`."""
        return self._settings.needed_inputs

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
        return self._controller.init_state()

    def features(self, observation: Observation) -> Array:
        """Return the controller's input for one observation, float32 [F].

        Raises:
            ObservationError: the image or the IMU samples do not fit.
        """
        return self.features_of_fitted(fit(observation.image, self._view), observation)

    def features_of_fitted(self, picture: Pixels, observation: Observation) -> Array:
        """Return the controller's input for a picture that is already fitted, float32 [F].

        Args:
            picture: uint8 [H, W, 3] RGB of the model's size, from `perception.camera_view.fit`.
            observation: the other readings; its image is not used.

        Raises:
            ObservationError: the picture, the IMU samples or an input do not fit.
        """
        expected = (self._view.height, self._view.width, 3)
        if picture.shape != expected or picture.dtype != np.uint8:
            raise ObservationError(
                f"expected a fitted picture uint8 {expected}, got {picture.dtype} {picture.shape}"
            )
        mount = input_values(("mount",), observation) if self._encoder.mounted else None
        return np.concatenate(
            [
                self._encoder.encode(standardise(picture), mount),
                imu_features(observation.imu),
                input_values(self._settings.features.inputs, observation),
            ]
        )

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
        return self._controller.act(features, state, dt)

    def step(self, observation: Observation, state: Array, dt: float) -> tuple[Command, Array]:
        """Return command and new state for an observation: `features`, then `act`."""
        decision = self.act(self.features(observation), state, dt)
        return decision.command, decision.state

"""Backends of the controller: the one that flies, and those that it is checked against."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from liquid_control.errors import ModelError
from liquid_control.liquid.reference import CfC
from liquid_control.onnx_runtime import cpu_session
from liquid_control.policy.model import CONTROLLER, Model
from liquid_control.policy.policy import Array, Decision, Policy
from liquid_control.policy.session import Controller


class ReferenceController:
    """The controller in plain NumPy, the specification of the others."""

    def __init__(self, model: Model) -> None:
        self._cell = CfC(model.weights)
        self._motors = model.settings.motors
        self._outputs = slice(-model.weights.wiring.outputs, None)

    def init_state(self) -> Array:
        """Return the state at the start of a flight, float32 [N]."""
        return np.zeros(self._cell.weights.wiring.neurons, np.float32)

    def act(self, features: Array, state: Array, dt: float) -> Decision:
        """Return the decision on features, float32 [F], after dt seconds from a state [N]."""
        _, states, gates = self._cell.step_with_gates(features[None], state[None], np.array([dt]))
        after = states[0].astype(np.float32)
        command = self._motors.command(after[self._outputs])
        return Decision(command, after, gates[0].astype(np.float32))


class OnnxController:
    """The controller of `controller.onnx` in ONNX Runtime, on one thread.

    Raises:
        ModelError: the graph cannot be read or does not load.
    """

    def __init__(self, model: Model) -> None:
        path = model.path / CONTROLLER
        try:
            self._session: Any = cpu_session(path.read_bytes())
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"{path}: expected an ONNX graph that loads ({reason})") from error
        self._neurons = model.weights.wiring.neurons
        self._motors = model.settings.motors
        self._outputs = slice(-model.weights.wiring.outputs, None)

    def init_state(self) -> Array:
        """Return the state at the start of a flight, float32 [N]."""
        return np.zeros(self._neurons, np.float32)

    def act(self, features: Array, state: Array, dt: float) -> Decision:
        """Return the decision on features, float32 [F], after dt seconds from a state [N]."""
        inputs = {
            "features": features[None],
            "state": state[None],
            "dt": np.array([dt], np.float32),
        }
        after, gates = self._session.run(["next_state", "gates"], inputs)
        return Decision(self._motors.command(after[0, self._outputs]), after[0], gates[0])


BACKENDS: Mapping[str, Callable[[Policy], Controller]] = {
    "flight": lambda policy: policy,
    "reference": lambda policy: ReferenceController(policy.model),
    "onnx": lambda policy: OnnxController(policy.model),
}
"""Backends of the controller by name; the perception network is the same for all."""

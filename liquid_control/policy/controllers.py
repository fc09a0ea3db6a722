"""Controllers: one step from features, state and elapsed time to a command, on each backend.

`WiredController` flies a wired CfC in NumPy. `OnnxController` flies every core, through
`controller.onnx`. `ReferenceController` is the specification of the wired CfC. None needs torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError, ModelError, ObservationError
from liquid_control.liquid.flight_step import FlightCfC
from liquid_control.liquid.reference import CfC
from liquid_control.onnx_runtime import cpu_session
from liquid_control.policy.model import CONTROLLER, Model
from liquid_control.types import HOVER, Command

Array = NDArray[np.float32]

NO_GATES: Array = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The controller's output for one frame.

    Attributes:
        command: the command, before the guard.
        state: the new state, float32 [S]; in (-1, 1) for a wired CfC.
        gates: the time gates of a wired CfC, float32 [S] in [0, 1]: the fraction of ff2 in each
            neuron's state. Empty for a core without such gates.
    """

    command: Command
    state: Array
    gates: Array


class Controller(Protocol):
    """Computes a decision from features; `Policy` is one."""

    def init_state(self) -> Array:
        """Return the state at the start of a flight, float32 [S]."""
        ...

    def act(self, features: Array, state: Array, dt: float) -> Decision:
        """Return the decision on features, float32 [F], after dt seconds from a state [S].

        Raises:
            ObservationError: a feature is NaN or infinite.
            CellError: a shape does not fit, or dt is negative or not finite.
        """
        ...


class WiredController:
    """The wired CfC in few NumPy operations: the controller that flies it."""

    def __init__(self, model: Model) -> None:
        weights = model.weights
        self._cell = FlightCfC(weights)
        self._scaling = model.settings.motors
        self._outputs = slice(-weights.wiring.outputs, None)

    def init_state(self) -> Array:
        """Return the state at the start of a flight, float32 [S]."""
        return self._cell.init_state()

    def act(self, features: Array, state: Array, dt: float) -> Decision:
        """Return the decision, as `Controller.act` describes."""
        _check_finite(features)
        after, gates = self._cell.step(features, state, dt)
        return Decision(self._scaling.command(after[self._outputs]), after, gates)


class ReferenceController:
    """The wired CfC in plain NumPy, the specification of the others."""

    def __init__(self, model: Model) -> None:
        self._cell = CfC(model.weights)
        self._scaling = model.settings.motors
        self._outputs = slice(-model.weights.wiring.outputs, None)

    def init_state(self) -> Array:
        """Return the state at the start of a flight, float32 [S]."""
        return np.zeros(self._cell.weights.wiring.neurons, np.float32)

    def act(self, features: Array, state: Array, dt: float) -> Decision:
        """Return the decision, as `Controller.act` describes."""
        _check_finite(features)
        _, states, gates = self._cell.step_with_gates(features[None], state[None], np.array([dt]))
        after = states[0].astype(np.float32)
        command = self._scaling.command(after[self._outputs])
        return Decision(command, after, gates[0].astype(np.float32))


class OnnxController:
    """The controller of `controller.onnx` in ONNX Runtime, on one thread; for every core.

    Raises:
        ModelError: the graph does not load, or does not fit the model's settings.
    """

    def __init__(self, model: Model) -> None:
        path = model.path / CONTROLLER
        try:
            self._session: Any = cpu_session(model.controller, deterministic=True)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"{path}: expected an ONNX graph that loads ({reason})") from error
        self._initial = model.initial_state
        self._features = model.settings.features.total
        expected = {
            "features": self._features,
            "state": len(self._initial),
            "next_state": len(self._initial),
            "command": len(HOVER.values),
        }
        nodes = [*self._session.get_inputs(), *self._session.get_outputs()]
        sizes = {node.name: node.shape[-1] for node in nodes if node.name in expected}
        if sizes != expected:
            raise ModelError(f"{path}: expected a graph with sizes {expected}, got {sizes}")
        self._gated = any(node.name == "gates" for node in nodes)

    def init_state(self) -> Array:
        """Return the state at the start of a flight, float32 [S]."""
        return self._initial.copy()

    def act(self, features: Array, state: Array, dt: float) -> Decision:
        """Return the decision, as `Controller.act` describes."""
        _check_finite(features)
        if features.shape != (self._features,) or state.shape != self._initial.shape:
            raise CellError(
                f"expected features [{self._features}] and state [{len(self._initial)}], got "
                f"{list(features.shape)} and {list(state.shape)}"
            )
        if not (isfinite(dt) and dt >= 0.0):
            raise CellError(f"expected dt >= 0 and finite, got {dt}")
        inputs = {
            "features": features[None],
            "state": state[None],
            "dt": np.array([dt], np.float32),
        }
        names = ["command", "next_state", "gates"] if self._gated else ["command", "next_state"]
        command, after, *gates = self._session.run(names, inputs)
        return Decision(
            Command(*command[0].tolist()), after[0], gates[0][0] if gates else NO_GATES
        )


def flight_controller(model: Model) -> Controller:
    """Return the controller that flies a model."""
    return WiredController(model) if model.settings.core.wiring else OnnxController(model)


BACKENDS: Mapping[str, Callable[[Model], Controller]] = {
    "flight": flight_controller,
    "reference": ReferenceController,
    "onnx": OnnxController,
}
"""Controllers by the name of their backend; the perception network is the same for all."""


def _check_finite(features: Array) -> None:
    if not isfinite(float(features.sum())):
        raise ObservationError(f"expected finite features, got {features}")

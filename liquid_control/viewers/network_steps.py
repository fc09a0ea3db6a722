"""Steps of a wired CfC in flight, put together from the messages of its features and neurons.

A message of neurons has the state after a step; the state before it is that of the message before,
if none was missed, and a fresh one at a start. The model's own step decides: from the right state
before, it gives the state that was published. Other steps are left out, so that no time constant
is made from a message that was lost or from another model.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control import message_types, topics
from liquid_control.bags.decoding.sensors import features_of, neurons_of
from liquid_control.bags.decoding.stamps import own_stamp
from liquid_control.bags.writing.messages import neurons_cdr
from liquid_control.errors import ObservationError
from liquid_control.liquid import CfCWeights, FlightCfC
from liquid_control.liquid.time_constants import gate_slopes
from liquid_control.policy import FrameClock, Model

Array = NDArray[np.float32]

TOLERANCE = 1e-4
"""Largest difference of a published state from that of the model's step; backends of a controller
differ less."""
KEPT = 8
"""Messages of features that wait for their neurons."""
LONGEST_S = 10.0
"""Longer time constants, infinite ones among them, are shown as this one."""


class NetworkStep(NamedTuple):
    """One step of a network.

    Attributes:
        stamp_ns: of its frame.
        features: float32 [I].
        before: state before, float32 [N].
        after: state after, float32 [N].
        dt_s: elapsed time, s.
    """

    stamp_ns: int
    features: Array
    before: Array
    after: Array
    dt_s: float


class _Neurons(NamedTuple):
    """A message of neurons, and what was before it, the likelier state first."""

    stamp_ns: int
    after: Array
    before: list[tuple[Array, float]]


class NetworkSteps:
    """Puts the steps of a model's network together; features and neurons come in either order.

    Args:
        model: with a wired CfC.
        decode: returns the content of a message of a topic of the graph.

    Attributes:
        left_out: steps of which the state before, or the features, are not known.
    """

    def __init__(self, model: Model, decode: Callable[[str, bytes], Any]) -> None:
        self.weights: CfCWeights = model.weights
        self.left_out = 0
        settings = model.settings
        self._names, self._name = settings.core.state_names, settings.name
        self._clock = FrameClock(settings.nominal_dt_s, settings.max_gap_s)
        self._cell, self._decode = FlightCfC(self.weights), decode
        self._features: dict[int, bytes] = {}
        self._waiting: _Neurons | None = None
        self._last: tuple[int, Array] | None = None

    def add_features(self, message: bytes) -> NetworkStep | None:
        """Take the features of a frame; return its step if its neurons came before.

        Raises:
            LiquidControlError: the message, or the features, cannot be used.
        """
        stamp_ns = own_stamp(message_types.IMAGE, message) or 0
        self._features[stamp_ns] = message
        while len(self._features) > KEPT:
            del self._features[next(iter(self._features))]
        return self._completed()

    def add_neurons(self, message: bytes) -> NetworkStep | None:
        """Take the neurons of a frame; return its step if its features came before.

        Raises:
            LiquidControlError: the message cannot be used, or is that of another network.
        """
        stamp_ns = own_stamp(message_types.JOINT_STATE, message) or 0
        names, states, _ = neurons_of(self._decode(topics.NEURONS, message))
        if names != tuple(self._names):
            self._last = None
            raise ObservationError(
                f"expected the {len(self._names)} neurons of {self._name}, got {len(names)} of "
                "another network"
            )
        after, last = states.astype(np.float32), self._last
        self._last = stamp_ns, after
        if self._waiting is not None:
            self.left_out += 1
        fresh = self._cell.init_state(), self._clock.nominal_dt_s
        before = [fresh]
        if last is not None and stamp_ns > last[0]:
            elapsed = self._clock.elapsed(stamp_ns, last[0])
            before = [fresh] if elapsed.fresh else [(last[1], elapsed.dt_s), fresh]
        self._waiting = _Neurons(stamp_ns, after, before)
        return self._completed()

    def _completed(self) -> NetworkStep | None:
        """Return the step that waits if its features are there and its state before is known."""
        waiting = self._waiting
        if waiting is None or waiting.stamp_ns not in self._features:
            return None
        self._waiting = None
        features = features_of(self._decode(topics.FEATURES, self._features.pop(waiting.stamp_ns)))
        for before, dt_s in waiting.before:
            after, _ = self._cell.step(features, before, dt_s)
            if np.abs(after - waiting.after).max() <= TOLERANCE:
                return NetworkStep(waiting.stamp_ns, features, before, waiting.after, dt_s)
        self.left_out += 1
        return None


def time_constants_message(weights: CfCWeights, step: NetworkStep) -> bytes:
    """Serialise effective time constants as a joint state.

    Position is the time constant, s, at most `LONGEST_S`; velocity is the signed rate of the gate,
    1/s, whose magnitude is the inverse of the unlimited time constant and which is never infinite.

    Args:
        weights: of the network.
        step: of the network.
    """
    rates = gate_slopes(weights, step.features, step.before, step.after)
    constants_s = 1.0 / np.maximum(np.abs(rates), 1.0 / LONGEST_S)
    return neurons_cdr(weights.wiring.names, constants_s, rates, step.stamp_ns)

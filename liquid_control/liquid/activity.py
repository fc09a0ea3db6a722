"""What a wired CfC does in one step: derivatives of a layer, and what passes through synapses.

What passes through a synapse is the derivative of the target's new state with respect to the
source, times the source's value: the first-order part of the new state that comes from there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.time_constants import TIME_A, TIME_B
from liquid_control.liquid.weights import MAPS, CfCWeights, Mode
from liquid_control.types import Floats

Array = NDArray[np.floating]

FF1, FF2 = MAPS.index("ff1"), MAPS.index("ff2")


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """What a wiring does at one moment.

    Attributes:
        states: of the neurons, float [N] in (-1, 1).
        sensory: what passes through each synapse from an input, signed, float [I, N].
        recurrent: what passes through each synapse between neurons, signed, float [N, N].
    """

    states: Floats
    sensory: Floats
    recurrent: Floats

    @property
    def passed(self) -> tuple[Floats, Floats]:
        """What passes through the synapses from inputs and between neurons."""
        return self.sensory, self.recurrent


@dataclass(frozen=True, slots=True, eq=False)
class LayerStep:
    """One layer at one step, one row for each sequence: state and its derivatives.

    Attributes:
        after: [rows, H].
        slopes: [rows, H, K + H], d after / d [input, own state before].
    """

    after: Floats
    slopes: Floats


def layer_step(weight: Floats, bias: Floats, joined: Floats, ticks: Floats) -> LayerStep:
    """Return one step of one layer, as `liquid.reference` defines it, with its derivatives.

    Args:
        weight: [4, H, K + H], of mode `default`.
        bias: [4, H].
        joined: input and own state before, [rows, K + H].
        ticks: elapsed time in time units, [rows, 1].
    """
    maps = joined @ weight.swapaxes(1, 2) + bias[:, None, :]
    first, second = np.tanh(maps[FF1]), np.tanh(maps[FF2])
    gate = 1.0 / (1.0 + np.exp(-(maps[TIME_A] * ticks + maps[TIME_B])))
    slopes = (
        ((1.0 - first**2) * (1.0 - gate))[:, :, None] * weight[FF1]
        + ((1.0 - second**2) * gate)[:, :, None] * weight[FF2]
        + ((second - first) * gate * (1.0 - gate))[:, :, None]
        * (ticks[:, :, None] * weight[TIME_A] + weight[TIME_B])
    )
    return LayerStep(first * (1.0 - gate) + second * gate, slopes)


def step_activity(weights: CfCWeights, x: Array, before: Array, dt_s: float) -> Activity:
    """Return what a wired CfC does in one step, in float64.

    A synapse within a layer carries the state before the step, one from the preceding layer the
    state after it. A neuron's dependence on its own state is left out where no synapse is drawn.

    Args:
        weights: in mode `default`.
        x: features of the step, [I].
        before: state before it, [N].
        dt_s: elapsed time, s.

    Raises:
        CellError: the mode is another one, or a shape does not fit.
    """
    wiring = weights.wiring
    if weights.mode is not Mode.DEFAULT:
        raise CellError(
            f"expected a CfC in mode 'default', got one in mode {weights.mode.value!r}"
        )
    if (x.shape, before.shape) != ((wiring.inputs,), (wiring.neurons,)):
        raise CellError(
            f"expected features [{wiring.inputs}] and a state [{wiring.neurons}], got "
            f"{list(x.shape)} and {list(before.shape)}"
        )
    states = np.zeros(wiring.neurons)
    sensory, recurrent = np.zeros(wiring.sensory.shape), np.zeros(wiring.recurrent.shape)
    ticks = np.array([[dt_s / weights.time_unit_s]])
    value, into = x.astype(np.float64), sensory
    for own, layer in zip(wiring.slices, weights.layers, strict=True):
        joined = np.concatenate([value, before[own]])
        maps = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
        step = layer_step(*maps, joined[None], ticks)
        passed = (step.slopes[0] * joined).T
        into[:, own] = passed[: len(value)]
        recurrent[own, own] = passed[len(value) :]
        states[own] = value = step.after[0]
        into = recurrent[own]
    return Activity(states, sensory * (wiring.sensory != 0), recurrent * (wiring.recurrent != 0))

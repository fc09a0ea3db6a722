"""Which weights of a wired CfC exist: the wiring turned into masks for the maps of every layer."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.wiring import Wiring

MAPS = ("ff1", "ff2", "time_a", "time_b")
"""The four linear maps of a CfC layer, in the order in which they are stacked everywhere."""


class Mode(str, Enum):
    """How a CfC's maps make the new state; the equations are in `liquid_control.liquid.reference`.

    `DEFAULT`: a time gate between two heads. `NO_GATE`: the gate opens the second head only.
    `PURE`: the closed-form solution of the liquid time constant network itself, with one map.
    """

    DEFAULT = "default"
    NO_GATE = "no_gate"
    PURE = "pure"

    @property
    def maps(self) -> tuple[str, ...]:
        """The linear maps of a layer, in the order in which they are stacked."""
        return MAPS[:1] if self is Mode.PURE else MAPS


class Masking(str, Enum):
    """How a wiring is applied to the maps of a layer.

    `SYNAPSES`: every map has the wiring's synapses and each neuron's own previous state, nothing
    else.
    `LAYERS`: as ncps connects them, each neuron also with the previous states of its whole layer,
    but in every map.
    `NCPS`: as `LAYERS` for ff1 and ff2, while time_a and time_b see everything, as in ncps 1.0.1.
    """

    SYNAPSES = "synapses"
    LAYERS = "layers"
    NCPS = "ncps"


def layer_masks(
    wiring: Wiring, masking: Masking, mode: Mode = Mode.DEFAULT
) -> tuple[NDArray[np.bool_], ...]:
    """Return, for each layer, the mask of its maps.

    The columns are the layer's inputs (the sensory inputs, or the layer before), then the layer's
    own previous states.

    Returns:
        bool [M, H, K + H] for every layer, the M maps in the order of `mode.maps`, K inputs, H
        neurons.

    Raises:
        CellError: a synapse joins layers that do not follow each other, so no layer can carry it.
    """
    _check_synapses_fit(wiring)
    masks = []
    slices = wiring.slices
    for index, own in enumerate(slices):
        incoming = wiring.sensory if index == 0 else wiring.recurrent[slices[index - 1]]
        joined = np.concatenate([incoming[:, own] != 0, _own(wiring, own, masking)])
        stacked = np.repeat(joined.T[np.newaxis], len(mode.maps), axis=0)
        if masking is Masking.NCPS:
            stacked[2:] = True
        masks.append(stacked)
    return tuple(masks)


def weight_count(wiring: Wiring, masking: Masking, mode: Mode = Mode.DEFAULT) -> int:
    """Return how many numbers are learned: weights and biases of all maps, w_tau and A if pure."""
    masks = layer_masks(wiring, masking, mode)
    a_neuron = len(mode.maps) + (2 if mode is Mode.PURE else 0)
    return sum(int(mask.sum()) for mask in masks) + a_neuron * wiring.neurons


def _own(wiring: Wiring, own: slice, masking: Masking) -> NDArray[np.bool_]:
    within: NDArray[np.bool_] = wiring.recurrent[own, own] != 0
    if masking is not Masking.SYNAPSES:
        return np.ones(within.shape, dtype=np.bool_)
    np.fill_diagonal(within, True)
    return within


def _check_synapses_fit(wiring: Wiring) -> None:
    slices = wiring.slices
    allowed = np.zeros_like(wiring.recurrent, dtype=bool)
    for index, own in enumerate(slices):
        allowed[own, own] = True
        if index:
            allowed[slices[index - 1], own] = True
    stray = np.argwhere((wiring.recurrent != 0) & ~allowed)
    if len(stray):
        source, target = (wiring.names[i] for i in stray[0])
        raise CellError(
            f"a wired cell joins neighbouring layers only, got a synapse {source} -> {target}"
        )
    if wiring.sensory[:, slices[0].stop :].any():
        raise CellError(f"sensory synapses must end in the first layer, {wiring.layers[0].role}")

"""The numbers of a wired CfC, as arrays that every backend reads."""

from collections.abc import Mapping
from dataclasses import dataclass
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


Array = NDArray[np.float32]

PURE_ROWS = ("w_tau", "A")
"""What a neuron of a pure CfC has beside its map: its own decay and its resting value."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerWeights:
    """The M maps of one layer, stacked in the order of `Mode.maps`: four, or one if pure.

    Attributes:
        weight: float32 [M, H, K + H], from K inputs and the H own previous states.
        bias: float32 [M, H].
        pure: float32 [2, H], in the order of `PURE_ROWS`; None in the other modes.
    """

    weight: Array
    bias: Array
    pure: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CfCWeights:
    """A wired CfC: its wiring, how it masks, its time unit, and its maps.

    Weights outside the masks must be zero, so that no backend needs to mask again.

    Attributes:
        wiring: who feeds whom.
        masking: how the wiring is applied.
        time_unit_s: elapsed time is divided by it before it meets the time gates, s.
        layers: one entry for each layer of the wiring.
        mode: how the maps make the new state.
    """

    wiring: Wiring
    masking: Masking
    time_unit_s: float
    layers: tuple[LayerWeights, ...]
    mode: Mode = Mode.DEFAULT

    def __post_init__(self) -> None:
        if not 0.0 < self.time_unit_s < float("inf"):
            raise CellError(f"time_unit_s must be positive, got {self.time_unit_s}")
        masks = layer_masks(self.wiring, self.masking, self.mode)
        if len(masks) != len(self.layers):
            raise CellError(
                f"the wiring has {len(masks)} layers, got weights of {len(self.layers)}"
            )
        for index, (mask, layer) in enumerate(zip(masks, self.layers, strict=True)):
            _check_array(f"weight of layer {index}", layer.weight, mask.shape)
            _check_array(f"bias of layer {index}", layer.bias, mask.shape[:2])
            _check_pure(index, layer.pure, self.mode, mask.shape[1])
            if np.any(layer.weight[~mask]):
                raise CellError(
                    f"weight of layer {index}: expected zeros where masking "
                    f"{self.masking.value!r} has no synapse, got {layer.weight[~mask].max():g}"
                )

    def arrays(self) -> dict[str, Array]:
        """Return the maps by name, as they are stored: `cfc.0.weight` and so on."""
        named = {}
        for index, layer in enumerate(self.layers):
            named[f"cfc.{index}.weight"] = layer.weight
            named[f"cfc.{index}.bias"] = layer.bias
            if layer.pure is not None:
                named[f"cfc.{index}.pure"] = layer.pure
        return named

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, Array],
        wiring: Wiring,
        masking: Masking,
        time_unit_s: float,
        mode: Mode = Mode.DEFAULT,
    ) -> "CfCWeights":
        """Build from what `arrays` returned.

        Raises:
            CellError: an array is missing or does not fit the wiring.
        """
        layers = []
        for index in range(len(wiring.layers)):
            parts = ("weight", "bias", "pure") if mode is Mode.PURE else ("weight", "bias")
            names = [f"cfc.{index}.{part}" for part in parts]
            missing = [name for name in names if name not in arrays]
            if missing:
                raise CellError(f"expected an array {missing[0]}, got {sorted(arrays)}")
            layers.append(LayerWeights(*(arrays[name] for name in names)))
        return cls(wiring, masking, time_unit_s, tuple(layers), mode)


def _check_pure(index: int, pure: Array | None, mode: Mode, neurons: int) -> None:
    if mode is Mode.PURE and pure is not None:
        _check_array(f"w_tau and A of layer {index}", pure, (len(PURE_ROWS), neurons))
    elif (mode is Mode.PURE) != (pure is not None):
        expected, got = ("", "none") if pure is None else ("no ", "some")
        raise CellError(
            f"layer {index}: expected {expected}w_tau and A in mode {mode.value!r}, got {got}"
        )


def _check_array(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype != np.float32:
        raise CellError(f"{name}: expected float32 {shape}, got {array.dtype} {array.shape}")
    if not np.isfinite(array).all():
        raise CellError(f"{name}: expected finite numbers, got NaN or infinity")


def random_weights(
    wiring: Wiring,
    rng: np.random.Generator,
    *,
    masking: Masking = Masking.SYNAPSES,
    time_unit_s: float = 0.05,
    mode: Mode = Mode.DEFAULT,
) -> CfCWeights:
    """Draw weights to start training from.

    Weights have the variance 1 / fan-in, counted over the synapses there are, and biases are zero.
    So time gates start about half open, and states depend on inputs and on their own past alike.
    Starting from leaky neurons instead (ff1 copies the state, gates with spread time constants)
    was tried: changes of the input from one step to the next were then hardly learned.
    In pure mode w_tau starts between 0 and 1 and A at 1: at a w_tau of zero, where ncps starts,
    the gradient of |w_tau| is zero, and it never learns.

    Args:
        wiring: who feeds whom.
        rng: source of the draws.
        masking: how the wiring is applied.
        time_unit_s: elapsed time that counts as one, best the nominal dt, s.
        mode: how the maps make the new state.
    """
    masks = layer_masks(wiring, masking, mode)
    layers = tuple(_fresh_layer(mask, rng, mode) for mask in masks)
    return CfCWeights(wiring, masking, time_unit_s, layers, mode)


def _fresh_layer(mask: NDArray[np.bool_], rng: np.random.Generator, mode: Mode) -> LayerWeights:
    fan_in = np.maximum(mask.sum(axis=2, keepdims=True), 1)
    weight = np.where(mask, rng.standard_normal(mask.shape) / np.sqrt(fan_in), 0.0)
    maps = weight.astype(np.float32), np.zeros(mask.shape[:2], dtype=np.float32)
    if mode is not Mode.PURE:
        return LayerWeights(*maps)
    w_tau = rng.uniform(0.0, 1.0, mask.shape[1])
    return LayerWeights(*maps, np.stack([w_tau, np.ones_like(w_tau)]).astype(np.float32))

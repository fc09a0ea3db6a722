"""Weights of a wired CfC as NumPy arrays that every backend reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.wiring import Wiring

MAPS = ("ff1", "ff2", "time_a", "time_b")
"""The four linear maps of a CfC layer, in stacking order."""


class Mode(str, Enum):
    """Equation from a CfC's maps to the new state; see `liquid_control.liquid.reference`.

    `DEFAULT`: a time gate between two heads. `NO_GATE`: the gate applies to the second head only.
    `PURE`: the closed-form solution of the liquid time-constant network, with one map.
    """

    DEFAULT = "default"
    NO_GATE = "no_gate"
    PURE = "pure"

    @property
    def maps(self) -> tuple[str, ...]:
        """The linear maps of a layer, in stacking order."""
        return MAPS[:1] if self is Mode.PURE else MAPS


class Masking(str, Enum):
    """How a wiring masks the maps of a layer.

    `SYNAPSES`: every map has the wiring's synapses and each neuron's own previous state, nothing
    else.
    `LAYERS`: every map also connects each neuron with the previous states of its whole layer, as
    ff1 and ff2 of ncps do.
    `NCPS`: as `LAYERS` for ff1 and ff2; time_a and time_b are unmasked, as in ncps 1.0.1.
    """

    SYNAPSES = "synapses"
    LAYERS = "layers"
    NCPS = "ncps"


def layer_masks(
    wiring: Wiring, masking: Masking, mode: Mode = Mode.DEFAULT
) -> tuple[NDArray[np.bool_], ...]:
    """Return, for each layer, the mask of its maps.

    The columns are the layer's inputs (the sensory inputs or the preceding layer), then the
    layer's own previous states.

    Returns:
        bool [M, H, K + H] for every layer, the M maps in the order of `mode.maps`, K inputs, H
        neurons.

    Raises:
        CellError: a synapse joins layers that are not adjacent.
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
    """Return the number of parameters: weights and biases of all maps, w_tau and A if pure."""
    masks = layer_masks(wiring, masking, mode)
    per_neuron = len(mode.maps) + (2 if mode is Mode.PURE else 0)
    return sum(int(mask.sum()) for mask in masks) + per_neuron * wiring.neurons


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
"""Parameters of a neuron of a pure CfC in addition to its map: decay and resting value."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerWeights:
    """The M maps of one layer in the order of `Mode.maps`: four, or one if pure.

    Attributes:
        weight: float32 [M, H, K + H], for K inputs and the layer's H previous states.
        bias: float32 [M, H].
        pure: float32 [2, H], in the order of `PURE_ROWS`; None in the other modes.
    """

    weight: Array
    bias: Array
    pure: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CfCWeights:
    """Weights of a wired CfC with its wiring, masking, time unit and mode.

    Weights outside the masks must be zero; backends do not mask again.

    Attributes:
        wiring: synapses between inputs and neurons.
        masking: how the wiring masks the maps.
        time_unit_s: unit of elapsed time in the equations, s.
        layers: one entry for each layer of the wiring.
        mode: equation from the maps to the new state.
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
        """Return the maps by the names under which they are stored: `cfc.0.weight` and so on."""
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
        """Build weights from the result of `arrays`.

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


def synapses(
    weights: CfCWeights,
) -> tuple[list[int], list[int], NDArray[np.float32]]:
    """List the synapses of a CfC neuron by neuron; a synapse has the weights of all four maps.

    Returns:
        The number of synapses of each neuron; the source of each synapse, an index among the
        features, the states before the step and the states after it; and the weights [S, 4].
    """
    wiring, counts, sources, values = weights.wiring, [], [], []
    for index, (own, layer) in enumerate(zip(wiring.slices, weights.layers, strict=True)):
        before = list(range(wiring.inputs + own.start, wiring.inputs + own.stop))
        fresh = wiring.inputs + wiring.neurons
        inputs = wiring.slices[index - 1] if index else slice(-fresh, wiring.inputs - fresh)
        places = np.array([*range(fresh + inputs.start, fresh + inputs.stop), *before])
        for neuron in range(own.stop - own.start):
            present = np.flatnonzero(layer.weight[:, neuron].any(axis=0))
            counts.append(len(present))
            sources += places[present].tolist()
            values.append(layer.weight[:, neuron, present].T)
    return counts, sources, np.concatenate(values)


def random_weights(
    wiring: Wiring,
    rng: np.random.Generator,
    *,
    masking: Masking = Masking.SYNAPSES,
    time_unit_s: float = 0.05,
    mode: Mode = Mode.DEFAULT,
) -> CfCWeights:
    """Draw initial weights for training.

    Weights have variance 1 / fan-in, counted over the existing synapses; biases are zero. Time
    gates then start about half open, and states depend equally on inputs and on their own past.
    An initialisation as leaky neurons (ff1 copies the state, gates with spread time constants) was
    tried: changes of the input from one step to the next were then hardly learned.
    In pure mode w_tau starts between 0 and 1 and A at 1: at w_tau = 0, the initial value in ncps,
    the gradient of |w_tau| is zero, and w_tau never changes.

    Args:
        wiring: synapses between inputs and neurons.
        rng: random generator.
        masking: how the wiring masks the maps.
        time_unit_s: unit of elapsed time in the equations, preferably the nominal dt, s.
        mode: equation from the maps to the new state.
    """
    masks = layer_masks(wiring, masking, mode)
    layers = tuple(_random_layer(mask, rng, mode) for mask in masks)
    return CfCWeights(wiring, masking, time_unit_s, layers, mode)


def _random_layer(mask: NDArray[np.bool_], rng: np.random.Generator, mode: Mode) -> LayerWeights:
    fan_in = np.maximum(mask.sum(axis=2, keepdims=True), 1)
    weight = np.where(mask, rng.standard_normal(mask.shape) / np.sqrt(fan_in), 0.0)
    maps = weight.astype(np.float32), np.zeros(mask.shape[:2], dtype=np.float32)
    if mode is not Mode.PURE:
        return LayerWeights(*maps)
    w_tau = rng.uniform(0.0, 1.0, mask.shape[1])
    return LayerWeights(*maps, np.stack([w_tau, np.ones_like(w_tau)]).astype(np.float32))

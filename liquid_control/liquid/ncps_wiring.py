"""Conversion of ncps wirings and the weights of wired ncps CfCs to those of this package.

ncps 1.0.1 and this package order the state of a wired cell by layers (inter, command, motor). ncps
numbers the neurons of its wiring starting with the motor neurons; this package does not. The wired
CfC of ncps feeds the neurons of a layer with all previous states of that layer, regardless of the
wiring's recurrent synapses, and leaves the time gates unmasked: `Masking.NCPS`. The `timespans` of
ncps are in time units; dt here is in seconds and is divided by `time_unit_s`.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.weights import (
    PURE_ROWS,
    CfCWeights,
    LayerWeights,
    Masking,
    Mode,
    layer_masks,
)
from liquid_control.liquid.wiring import Layer, Wiring


class NcpsWiring(Protocol):
    """Protocol for a built `ncps.wirings.Wiring`."""

    num_layers: int
    output_dim: int | None
    adjacency_matrix: NDArray[Any]
    sensory_adjacency_matrix: NDArray[Any] | None

    def get_neurons_of_layer(self, layer_id: int) -> list[int]:
        """Return the indices of a layer's neurons."""
        ...

    def get_type_of_neuron(self, neuron_id: int) -> str:
        """Return a neuron's role."""
        ...


def wiring_from_ncps(wiring: NcpsWiring) -> Wiring:
    """Return a built ncps wiring as a `Wiring`, neurons in the order of its layers.

    A layer with neurons of several roles, as in the fully connected and random wirings of ncps, is
    split into one layer per role. The motor neurons come last: they are the outputs.

    Raises:
        CellError: the wiring has not been built for a number of inputs, or has no outputs.
    """
    if wiring.sensory_adjacency_matrix is None or wiring.output_dim is None:
        raise CellError(
            "expected a built ncps wiring with outputs, got one without; call build(inputs) and "
            "set_output_dim(outputs)"
        )
    groups = [group for index in range(wiring.num_layers) for group in _roles(wiring, index)]
    order = [neuron for group in groups for neuron in group]
    layers = tuple(Layer(wiring.get_type_of_neuron(group[0]), len(group)) for group in groups)
    return Wiring(
        layers,
        wiring.sensory_adjacency_matrix[:, order].astype(np.int8),
        wiring.adjacency_matrix[np.ix_(order, order)].astype(np.int8),
    )


def _roles(wiring: NcpsWiring, index: int) -> list[list[int]]:
    """Return the neurons of one layer grouped by role, motor neurons last."""
    groups: dict[str, list[int]] = {}
    for neuron in wiring.get_neurons_of_layer(index):
        groups.setdefault(wiring.get_type_of_neuron(neuron), []).append(neuron)
    return [groups[role] for role in sorted(groups, key=lambda role: role == "motor")]


def weights_from_ncps(
    state_dict: Mapping[str, Any],
    wiring: Wiring,
    time_unit_s: float = 1.0,
    mode: Mode = Mode.DEFAULT,
) -> CfCWeights:
    """Return the weights of a wired `ncps.torch.CfC` as `CfCWeights`.

    In ncps the neurons of a fully connected or random wiring form one layer, and all of them are
    outputs of a CfC, whatever their role. The returned weights then have a wiring of one layer,
    with the neurons in the order of ncps.

    Args:
        state_dict: of the module, tensors or arrays, named `rnn_cell.layer_0.ff1.weight` and so
            on.
        wiring: wiring of the module, from `wiring_from_ncps` or from `auto_ncp` with the same
            arguments.
        time_unit_s: seconds per unit of the timespans of ncps.
        mode: mode of the module; its weights do not distinguish `default` from `no_gate`.

    Raises:
        CellError: a tensor is missing or does not fit the wiring.
    """
    layers = []
    if len(wiring.layers) > 1 and _is_one_layer(state_dict, wiring.neurons):
        wiring = _one_layer(wiring)
    for index, mask in enumerate(layer_masks(wiring, Masking.NCPS, mode)):
        prefix = f"rnn_cell.layer_{index}"
        weight, bias, pure = maps_from_ncps(state_dict, prefix, mode)
        if weight.shape != mask.shape:
            raise CellError(f"{prefix}: expected maps of {mask.shape}, got {weight.shape}")
        layers.append(LayerWeights(np.where(mask, weight, np.float32(0.0)), bias, pure))
    return CfCWeights(wiring, Masking.NCPS, time_unit_s, tuple(layers), mode)


def ncps_order(wiring: Wiring) -> NDArray[np.intp]:
    """Return this package's index of each neuron of ncps, which numbers the last layer first."""
    places = np.split(np.arange(wiring.neurons), [own.stop for own in wiring.slices])[:-1]
    return np.concatenate(places[::-1])


def _is_one_layer(state_dict: Mapping[str, Any], neurons: int) -> bool:
    first = state_dict.get("rnn_cell.layer_0.ff1.weight")
    return first is not None and len(first) == neurons


def _one_layer(wiring: Wiring) -> Wiring:
    order = ncps_order(wiring)
    layers = (Layer(wiring.layers[-1].role, wiring.neurons),)
    return Wiring(layers, wiring.sensory[:, order], wiring.recurrent[np.ix_(order, order)])


def maps_from_ncps(
    state_dict: Mapping[str, Any], prefix: str, mode: Mode
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the stacked maps of one `ncps.torch.CfCCell`.

    Returns:
        Weights [M, H, K], biases [M, H], and w_tau and A [2, H] in mode `pure`.

    Raises:
        CellError: a tensor is missing, or the tensors belong to another mode.
    """
    if mode is not Mode.PURE and f"{prefix}.w_tau" in state_dict:
        raise CellError(f"expected an ncps CfC in mode {mode.value!r}, got one in mode 'pure'")
    weight = np.stack([_array(state_dict, f"{prefix}.{name}.weight") for name in mode.maps])
    bias = np.stack([_array(state_dict, f"{prefix}.{name}.bias") for name in mode.maps])
    if mode is not Mode.PURE:
        return weight, bias, None
    rows = [_array(state_dict, f"{prefix}.{name}").reshape(-1) for name in PURE_ROWS]
    return weight, bias, np.stack(rows)


def _array(state_dict: Mapping[str, Any], name: str) -> NDArray[np.float32]:
    if name not in state_dict:
        raise CellError(f"expected {name} of an ncps CfC, got {sorted(state_dict)[:4]} …")
    value = state_dict[name]
    plain = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    return plain.astype(np.float32)

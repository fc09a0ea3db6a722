"""Construction of CfC and LTC cores from the weights of ncps modules.

Dense and wired CfCs in any mode and LTCs are read, with or without mixed memory. Differences from
ncps 1.0.1: elapsed time is seconds over `time_unit_s`, for every sample of every step. ncps
accepts one elapsed time per step for the whole batch and raises for more; if the batch is as large
as the state, it silently applies the elapsed times of samples to neurons.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from liquid_control.cores.base import Core
from liquid_control.cores.cfc import DenseCfC, MixedMemory
from liquid_control.cores.ltc import LTC, Positivity
from liquid_control.cores.solvers import Fused
from liquid_control.cores.wired_cfc import WiredCfC
from liquid_control.errors import CellError
from liquid_control.liquid.ncps_wiring import maps_from_ncps, ncps_order, weights_from_ncps
from liquid_control.liquid.weights import Mode
from liquid_control.liquid.wiring import Synapses, Wiring


def cfc_from_ncps(
    state_dict: Mapping[str, Any],
    *,
    wiring: Wiring | None = None,
    mode: Mode | str = Mode.DEFAULT,
    backbone_activation: str = "lecun_tanh",
    time_unit_s: float = 1.0,
) -> Core:
    """Return a core that computes what an `ncps.torch.CfC` computes.

    Args:
        state_dict: of the module, tensors or arrays.
        wiring: of a wired module, from `wiring_from_ncps`; None for a dense one. Of a fully
            connected or random wiring all neurons are outputs, as in ncps.
        mode: mode of the module; its weights do not distinguish `default` from `no_gate`.
        backbone_activation: activation of the module.
        time_unit_s: seconds per unit of the timespans of ncps.

    Returns:
        A `DenseCfC` (with a readout where the module has `proj_size`) or a `WiredCfC`, inside a
        `MixedMemory` if the module has one. Dropout is not read.

    Raises:
        CellError: a tensor is missing or does not fit, or a wired module has `proj_size`.
    """
    mode = Mode(mode)
    if wiring is None:
        core: Core = _dense(state_dict, mode, backbone_activation, time_unit_s)
    elif "fc.weight" in state_dict:
        raise CellError("expected a wired ncps CfC without proj_size, got one with it")
    else:
        core = WiredCfC.from_weights(weights_from_ncps(state_dict, wiring, time_unit_s, mode))
    return _with_memory(core, state_dict, np.arange(core.state_size))


def _with_memory(core: Core, state_dict: Mapping[str, Any], order: NDArray[np.intp]) -> Core:
    """Return a core behind the module's LSTM cell, or the core itself where it has none.

    Args:
        core: the module's cell.
        state_dict: of the module.
        order: index in ncps of each number of the core's state.
    """
    if "lstm.input_map.weight" not in state_dict:
        return core
    mixed = MixedMemory(core)
    _fill(mixed.input_map, state_dict, "lstm.input_map")
    _fill(mixed.recurrent_map, state_dict, "lstm.recurrent_map")
    rows = np.concatenate([gate * core.state_size + order for gate in range(4)])
    with torch.no_grad():
        for parameter in (*mixed.input_map.parameters(), mixed.recurrent_map.weight):
            parameter.copy_(parameter[rows])
        mixed.recurrent_map.weight.copy_(mixed.recurrent_map.weight[:, order])
    return mixed


def _dense(
    state_dict: Mapping[str, Any], mode: Mode, activation: str, time_unit_s: float
) -> DenseCfC:
    weight, bias, pure = maps_from_ncps(state_dict, "rnn_cell", mode)
    start, end = "rnn_cell.backbone.", ".weight"
    places = [n[len(start) : -len(end)] for n in state_dict if n.startswith(start) and end in n]
    backbone = [f"{start}{place}" for place in sorted(places, key=int)]
    first = state_dict[f"{backbone[0]}.weight"] if backbone else weight[0]
    units, readout = weight.shape[1], "fc.weight" in state_dict
    core = DenseCfC(
        first.shape[1] - units,
        state_dict["fc.weight"].shape[0] if readout else units,
        units=units,
        mode=mode,
        backbone_units=first.shape[0] if backbone else 1,
        backbone_layers=len(backbone),
        backbone_activation=activation,
        readout=readout,
        time_unit_s=time_unit_s,
    )
    for name, linear in zip(backbone, core.backbone, strict=True):
        _fill(linear, state_dict, name)
    _copy("maps", core.maps.weight, weight.reshape(-1, weight.shape[2]))
    _copy("maps", core.maps.bias, bias.reshape(-1))
    if core.pure is not None:
        _copy("w_tau and A", core.pure, pure)
    if readout:
        _fill(core.readout, state_dict, "fc")
    return core


def _fill(module: nn.Module, state_dict: Mapping[str, Any], name: str) -> None:
    for part, parameter in module.named_parameters():
        if f"{name}.{part}" not in state_dict:
            raise CellError(f"expected {name}.{part} of an ncps CfC, got {sorted(state_dict)[:4]}")
        _copy(f"{name}.{part}", parameter, state_dict[f"{name}.{part}"])


def _copy(
    name: str, parameter: Tensor, values: NDArray[np.float32] | Tensor | Sequence[float] | None
) -> None:
    tensor = torch.as_tensor(values)
    if tensor.shape != parameter.shape:
        expected, got = tuple(parameter.shape), tuple(tensor.shape)
        raise CellError(f"{name}: expected a tensor of shape {expected}, got {got}")
    with torch.no_grad():
        parameter.copy_(tensor)


NEURON_PARAMETERS = ("gleak", "vleak", "cm")
SYNAPSE_PARAMETERS = ("w", "sigma", "mu", "erev")
MAPPINGS = ("input_w", "input_b", "output_w", "output_b")
"""Absent where the ncps module has no mappings; ones and zeros, the defaults, are equivalent."""

POSITIVE = ("gleak", "cm", "recurrent.w", "sensory.w")

Array = NDArray[np.float32]


def ltc_from_ncps(
    state_dict: Mapping[str, Any],
    wiring: Wiring,
    *,
    implicit_param_constraints: bool = True,
    ode_unfolds: int = 6,
    epsilon: float = 1e-8,
    time_unit_s: float = 1.0,
) -> Core:
    """Return a core that computes what an `ncps.torch.LTC` or `LTCCell` computes.

    ncps 1.0.1 numbers neurons from the last layer to the first and stores full matrices of
    parameters with a mask. This package numbers them from the first layer to the last and stores
    the existing synapses only.

    Args:
        state_dict: of the module, tensors or arrays.
        wiring: wiring of the module, from `wiring_from_ncps` or generated with the same arguments.
        implicit_param_constraints: argument of the module; the default of ncps is True for LTC
            and False for LTCCell.
        ode_unfolds: argument of the module.
        epsilon: argument of the module.
        time_unit_s: seconds per unit of the timespans of ncps.

    Returns:
        An `LTC`, inside a `MixedMemory` if the module has one.

    Raises:
        CellError: a parameter is missing or negative, or does not fit the wiring.
    """
    arrays = _arrays(state_dict, wiring)
    negative = [name for name in POSITIVE if (arrays[name] < 0).any()]
    if negative and not implicit_param_constraints:
        raise CellError(
            f"expected {', '.join(negative)} >= 0 without implicit constraints, got "
            f"{min(float(arrays[name].min()) for name in negative):g}; apply ncps's "
            "apply_weight_constraints first"
        )
    core = LTC(
        wiring,
        solver=Fused(ode_unfolds),
        positivity=Positivity.SOFTPLUS if implicit_param_constraints else Positivity.CLIPPED,
        epsilon=epsilon,
        time_unit_s=time_unit_s,
    )
    fresh = {name: values for name, values in core.state_dict().items() if name not in arrays}
    core.load_state_dict(
        {**fresh, **{name: torch.tensor(values) for name, values in arrays.items()}}
    )
    return _with_memory(core, state_dict, np.argsort(ncps_order(wiring)))


def _arrays(state_dict: Mapping[str, Any], wiring: Wiring) -> dict[str, Array]:
    order, outputs = np.argsort(ncps_order(wiring)), wiring.outputs
    neurons = wiring.neurons
    arrays = {name: _read(state_dict, name, (neurons,))[order] for name in NEURON_PARAMETERS}
    for name in MAPPINGS:
        if _key(state_dict, name) is not None:
            size = wiring.inputs if name.startswith("input") else outputs
            arrays[name] = _read(state_dict, name, (size,))
    for bank, prefix, polarity in (
        ("recurrent", "", wiring.recurrent),
        ("sensory", "sensory_", wiring.sensory),
    ):
        rows = order if bank == "recurrent" else np.arange(wiring.inputs)
        at = np.ix_(rows, order)
        _check_mask(_read(state_dict, f"{prefix}sparsity_mask", polarity.shape)[at], polarity)
        for name in SYNAPSE_PARAMETERS:
            full = _read(state_dict, f"{prefix}{name}", polarity.shape)[at]
            arrays[f"{bank}.{name}"] = full[polarity != 0]
    return arrays


def _check_mask(mask: Array, polarity: Synapses) -> None:
    if not np.array_equal(mask != 0, polarity != 0):
        raise CellError(
            f"expected the wiring's {np.count_nonzero(polarity)} synapses, got a mask of "
            f"{np.count_nonzero(mask)} or other ones"
        )


def _key(state_dict: Mapping[str, Any], name: str) -> str | None:
    return next((key for key in (f"rnn_cell.{name}", name) if key in state_dict), None)


def _read(state_dict: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Array:
    key = _key(state_dict, name)
    if key is None:
        raise CellError(f"expected {name} of an ncps LTC, got {sorted(state_dict)[:4]} …")
    value = state_dict[key]
    array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    if array.shape != shape:
        raise CellError(f"{key}: expected shape {shape}, got {array.shape}")
    return array.astype(np.float32)

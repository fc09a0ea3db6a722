"""Read the weights of an ncps LTC into our core, which then computes what ncps computes.

ncps 1.0.1 numbers the neurons of a wiring from the last layer to the first and keeps full matrices
of parameters beside a mask; ours go from the first layer to the last, for synapses that exist.
Its elapsed time is in time units; ours is seconds over `time_unit_s`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.cores.fixed_step import Fused
from liquid_control.liquid.cores.ltc import LTC, Positivity
from liquid_control.liquid.wiring import Synapses, Wiring

NEURON_PARAMETERS = ("gleak", "vleak", "cm")
SYNAPSE_PARAMETERS = ("w", "sigma", "mu", "erev")
MAPPINGS = ("input_w", "input_b", "output_w", "output_b")
"""Absent where ncps was told to map nothing; a fresh core's ones and zeros map nothing too."""

POSITIVE = ("gleak", "cm", "recurrent.w", "sensory.w")

Array = NDArray[np.float32]


def ltc_from_ncps(
    state_dict: Mapping[str, Any],
    wiring: Wiring,
    *,
    implicit_param_constraints: bool = True,
    ode_unfolds: int = 6,
    time_unit_s: float = 1.0,
) -> LTC:
    """Return a core that computes what an `ncps.torch.LTC` or `LTCCell` computes.

    Args:
        state_dict: of the module, tensors or arrays.
        wiring: the module's, from `wiring_from_ncps` or drawn with the same arguments.
        implicit_param_constraints: as the module was given; ncps's default is True for LTC and
            False for LTCCell.
        ode_unfolds: as the module was given.
        time_unit_s: seconds that one of ncps's timespans stands for.

    Raises:
        CellError: a parameter is missing or negative, does not fit the wiring, or the module has
            a mixed memory.
    """
    if any(".lstm." in f".{name}" for name in state_dict):
        raise CellError("expected an ncps LTC without mixed memory, got one with an LSTM")
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
        time_unit_s=time_unit_s,
    )
    fresh = {name: values for name, values in core.state_dict().items() if name not in arrays}
    core.load_state_dict(
        {**fresh, **{name: torch.tensor(values) for name, values in arrays.items()}}
    )
    return core


def _arrays(state_dict: Mapping[str, Any], wiring: Wiring) -> dict[str, Array]:
    order, outputs = _ncps_order(wiring), wiring.outputs
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


def _ncps_order(wiring: Wiring) -> NDArray[np.intp]:
    """Return the index that ncps gives to each of our neurons."""
    places = np.split(np.arange(wiring.neurons), [own.stop for own in wiring.slices])[:-1]
    theirs = np.concatenate(places[::-1])
    order = np.empty(wiring.neurons, dtype=np.intp)
    order[theirs] = np.arange(wiring.neurons)
    return order


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

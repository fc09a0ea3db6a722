"""Training penalty on the memory of a wired CfC, so that its contraction can be certified.

For every derivative of a new state by a state before it takes the bound of
`liquid_control.certification.sensitivity` with heads anywhere in (-1, 1) and gates anywhere in
(0, 1), which does not depend on data:

    |J| <= sup over s of (1 - s) P(|wa|, s m) + s P(|wc|, (1 - s) m)
    P(h, k) = h + k^2 / (4 h) if k <= 2 h, else k;   m = max(|wtb|, |wta| t + |wtb|)

The rate of a layer is at most the largest (B d)_i / d_i for any positive d (Horn, Johnson 2013,
Matrix Analysis, theorem 8.1.26); d is a Perron vector, constant in the gradient. Where no rate
exceeds the target, the penalty is zero and a certificate of fading memory exists.
"""

import torch
from torch import Tensor

from liquid_control.cores import WiredCfC

_GATES = 33
_POWER_STEPS = 50


def contraction_penalty(core: WiredCfC, rate: float, dt_s: float) -> Tensor:
    """Return the sum over all neurons of how far their rates exceed a target; differentiable.

    Args:
        core: in mode `default`.
        rate: target of every neuron's rate, below 1.
        dt_s: largest elapsed time for which the rates hold, s.
    """
    total = torch.zeros(())
    for weight in core.state_weights():
        rates = layer_rates(weight, dt_s / core.time_unit_s)
        total = total + torch.relu(rates - rate).sum()
    return total


def layer_rates(weight: Tensor, ticks: float) -> Tensor:
    """Return the rates of the neurons of a layer, [H].

    Args:
        weight: of the four maps by the layer's own states, [4, H, H].
        ticks: largest elapsed time in time units.
    """
    bounds = derivative_bounds(weight, ticks)
    with torch.no_grad():
        scale = torch.ones(len(bounds))
        shifted = bounds + 1e-3 + torch.eye(len(bounds))
        for _ in range(_POWER_STEPS):
            scale = shifted @ scale
            scale = scale / scale.max()
    return (bounds @ scale) / scale


def derivative_bounds(weight: Tensor, ticks: float) -> Tensor:
    """Return bounds of the derivatives of the new states by the states before, [H, H]."""
    first, second, slope, offset = weight.abs()
    mixed = slope * ticks + offset
    gate = torch.linspace(0.0, 1.0, _GATES)[:, None, None]
    rest = 1.0 - gate
    parts = rest * _peak(first, gate * mixed) + gate * _peak(second, rest * mixed)
    return parts.amax(dim=0)


def _peak(height: Tensor, slope: Tensor) -> Tensor:
    """Return the largest height (1 - y^2) + slope |y| for y within [-1, 1]."""
    safe = height.clamp_min(1e-9)
    return torch.where(slope <= 2.0 * height, height + slope**2 / (4.0 * safe), slope)

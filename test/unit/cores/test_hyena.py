import pytest
import torch
from torch.nn import functional

from liquid_control.cores.hyena import Hyena

from .conftest import make_case

pytestmark = pytest.mark.unit


def test_a_layer_by_the_papers_recurrence():
    core = Hyena(3, 2, width=4, layers=1, filter_length=5).double()
    random = torch.Generator().manual_seed(0)
    x = torch.randn(1, 9, 3, generator=random, dtype=torch.float64)
    dt = torch.rand(1, 9, generator=random, dtype=torch.float64)
    layer, features = core.layers[0], core.embed(core.elapsed(x, dt))[0]
    new = functional.pad(layer.into(layer.norm(features)), (0, 0, 2, 0))
    taps = layer.short.weight[:, 0].t()
    mixed = sum(taps[j] * new[j : j + 9] for j in range(3)) + layer.short.bias
    value, *gates = mixed.chunk(3, dim=1)
    for gate, filters, through in zip(gates, layer.filters(), layer.through, strict=True):
        long = torch.stack(
            [sum(filters[:, 4 - j] * value[t - j] for j in range(min(t + 1, 5))) for t in range(9)]
        )
        value = gate * (long + through * value)
    expected = core.readout(features + layer.out(value))
    outputs, _ = core.sequence(x, core.init_state(1), dt)
    torch.testing.assert_close(outputs[0], expected)


def test_filters_have_finite_length():
    case = make_case(Hyena(3, 2, width=4, layers=1, filter_length=4), steps=25)
    x = case.x.clone().requires_grad_()
    outputs, _ = case.core.sequence(x, case.state, case.dt)
    outputs[:, 20].sum().backward()
    reached = x.grad.abs().sum(dim=(0, 2)).nonzero().squeeze(1)
    assert reached.min() == 20 - 2 * (4 - 1) - (3 - 1)
    assert reached.max() == 20

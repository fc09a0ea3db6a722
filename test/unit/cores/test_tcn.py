import pytest
import torch
from torch.nn import functional

from liquid_control.cores.tcn import TCN

from .conftest import make_case

pytestmark = pytest.mark.unit


def test_initial_state_equals_zero_padding():
    core = TCN(3, 2, channels=4, blocks=1, kernel=3).double()
    x = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    dt = torch.full((2, 7), 0.05, dtype=torch.float64)
    outputs, _ = core.sequence(x, core.init_state(2), dt)
    timed = torch.cat([x, torch.log1p(torch.ones(2, 7, 1))], dim=2).transpose(1, 2)
    features = timed
    for convolution in core.blocks[0].convolutions:
        features = torch.relu(convolution(functional.pad(features, (2, 0))))
    expected = torch.relu(core.blocks[0].skip(timed.transpose(1, 2)) + features.transpose(1, 2))
    torch.testing.assert_close(outputs, core.readout(expected))


def test_receptive_field_is_exact():
    core = TCN(3, 2, channels=8, blocks=3, kernel=2, seed=1)
    assert core.receptive_field == 1 + 2 * (1 + 2 + 4)
    case = make_case(core, steps=40)
    x = case.x.clone().requires_grad_()
    outputs, _ = case.core.sequence(x, case.state, case.dt)
    outputs[:, 30].sum().backward()
    reached = x.grad.abs().sum(dim=(0, 2)).nonzero().squeeze(1)
    assert reached.min() == 30 - core.receptive_field + 1
    assert reached.max() == 30

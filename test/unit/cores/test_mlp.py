import pytest
import torch

from liquid_control.cores.mlp import MLP

from .conftest import make_case

pytestmark = pytest.mark.unit


def test_has_no_state():
    case = make_case(MLP(3, 2, hidden=8))
    assert case.core.state_size == 0
    assert case.core.init_state(4).shape == (4, 0)
    outputs, after = case.core.sequence(case.x, case.state, case.dt)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    moved, _ = case.core.sequence(case.x[:, order], case.state, case.dt[:, order])
    torch.testing.assert_close(moved, outputs[:, order])
    assert after.shape == (4, 0)


def test_time_input_is_optional():
    case = make_case(MLP(3, 2, hidden=8, time_input=False))
    assert case.core.layers[0].in_features == 3
    outputs, _ = case.core.sequence(case.x, case.state, case.dt)
    later, _ = case.core.sequence(case.x, case.state, 5.0 * case.dt)
    assert torch.equal(outputs, later)


def test_time_feature_is_log1p_of_elapsed_units():
    core = MLP(3, 2, hidden=8, time_unit_s=0.1)
    x, dt = torch.ones(1, 3), torch.tensor([0.3])
    timed = torch.cat([x, torch.log(torch.tensor([[4.0]]))], dim=1)
    outputs, _ = core.step(x, core.init_state(1), dt)
    torch.testing.assert_close(outputs, core.layers(timed))

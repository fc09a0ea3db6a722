import pytest
import torch

from liquid_control.cores.gru_d import GRUD

from .conftest import make_case

pytestmark = pytest.mark.unit


def test_a_step_by_the_papers_equations():
    case = make_case(GRUD(3, 2, hidden=4))
    core, x, dt = case.core, case.x[:, 0], case.dt[:, 0]
    weight_r, weight_z, weight_h = core.drive.weight.chunk(3)
    bias_r, bias_z, bias_h = core.drive.bias.chunk(3)
    from_r, from_z = core.gates.weight.chunk(2)
    decay = torch.exp(-(dt[:, None] / 0.05 * core.decay_weight + core.decay_bias).clamp(min=0))
    old = decay * case.state
    reset = torch.sigmoid(x @ weight_r.T + old @ from_r.T + bias_r)
    update = torch.sigmoid(x @ weight_z.T + old @ from_z.T + bias_z)
    new = torch.tanh(x @ weight_h.T + (reset * old) @ core.candidate.weight.T + bias_h)
    expected = (1 - update) * old + update * new
    outputs, after = core.step(x, case.state, dt)
    torch.testing.assert_close(after, expected)
    torch.testing.assert_close(outputs, core.readout(expected))


def test_long_elapsed_time_clears_the_state():
    case = make_case(GRUD(3, 2, hidden=4))
    wait = torch.full((4,), 1e6, dtype=torch.float64)
    _, after = case.core.step(case.x[:, 0], case.state, wait)
    _, fresh = case.core.step(case.x[:, 0], torch.zeros_like(case.state), wait)
    torch.testing.assert_close(after, fresh)
    _, remembered = case.core.step(case.x[:, 0], case.state, 0.0 * wait)
    assert (remembered - after).abs().max() > 1e-3

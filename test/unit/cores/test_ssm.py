import pytest
import torch
from torch.nn import functional

from liquid_control.cores.ssm import SSM

from .conftest import make_case

pytestmark = pytest.mark.unit


def test_a_layer_by_the_papers_equations():
    core = SSM(3, 2, width=4, modes=3, layers=1, expand=1, kernel=2).double()
    random = torch.Generator().manual_seed(0)
    x = torch.randn(1, 6, 3, generator=random, dtype=torch.float64)
    dt = torch.rand(1, 6, generator=random, dtype=torch.float64)
    layer, features = core.layers[0], core.embed(x)[0]
    new, gate = layer.into(layer.norm(features)).chunk(2, dim=1)
    before, modes, expected = torch.zeros(4).double(), torch.zeros(4, 3).double(), []
    for t in range(6):
        taps = layer.mix.weight[:, 0]
        drive = functional.silu(taps[:, 0] * before + taps[:, 1] * new[t] + layer.mix.bias)
        before = new[t]
        rate, into, out = layer.select(drive).split([1, 3, 3])
        step = functional.softplus(layer.rate(rate)) * dt[0, t] / 0.05
        decay = -torch.exp(layer.log_decay)
        held = torch.exp(step[:, None] * decay)
        modes = held * modes + (held - 1) / decay * into * drive[:, None]
        read = (modes @ out + layer.skip * drive) * functional.silu(gate[t])
        expected.append(core.readout(features[t] + layer.out(read)))
    outputs, state = core.sequence(x, core.init_state(1), dt)
    torch.testing.assert_close(outputs[0], torch.stack(expected))
    torch.testing.assert_close(state[0, 4:].view(4, 3), modes)


def test_zero_and_very_long_elapsed_time():
    case = make_case(SSM(3, 2, width=4, modes=3, layers=1, kernel=2))
    _, same = case.core.step(case.x[:, 0], case.state, torch.zeros(4))
    assert torch.equal(same[:, 8:], case.state[:, 8:])
    _, after = case.core.step(case.x[:, 0], case.state, torch.full((4,), 1e12))
    _, later = case.core.step(case.x[:, 0], case.state, torch.full((4,), 1e15))
    torch.testing.assert_close(after, later)
    assert torch.isfinite(after).all()

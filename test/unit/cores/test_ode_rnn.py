import pytest
import torch

from liquid_control.cores.ode_cores import ODERNN
from liquid_control.cores.solvers import Dopri5
from liquid_control.errors import CellError

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_without_elapsed_time_it_is_torchs_gru():
    core = ODERNN(3, 2, hidden=5)
    x = torch.randn(4, 6, 3)
    outputs, after = core.sequence(x, core.init_state(4), torch.zeros(4, 6))
    state = core.init_state(4)
    for t in range(6):
        state = core.cell(x[:, t], state)
        torch.testing.assert_close(outputs[:, t], core.readout(state))
    torch.testing.assert_close(after, state)


def test_it_flows_for_the_elapsed_time_and_then_observes():
    """A constant speed, so that the flow is known: h' = h + tanh(b) dt / unit."""
    core = ODERNN(3, 2, hidden=5, time_unit_s=0.1)
    with torch.no_grad():
        core.outer.weight.zero_()
    x, state, dt = torch.randn(4, 3), torch.rand(4, 5), torch.rand(4)
    _, after = core.step(x, state, dt)
    flowed = state + torch.tanh(core.outer.bias) * (dt / 0.1)[:, None]
    torch.testing.assert_close(after, core.cell(x, flowed))


def test_default_solver_agrees_with_dopri5_and_so_do_gradients():
    x, dt = torch.randn(2, 4, 3).double(), torch.rand(2, 4).double() * 0.1
    results = []
    for solver in (None, Dopri5(1e-9, 1e-9), Dopri5(1e-9, 1e-9, adjoint=False)):
        core = ODERNN(3, 2, hidden=4, width=6, seed=1, solver=solver).double()
        outputs, _ = core.sequence(x, core.init_state(2), dt)
        outputs.pow(2).sum().backward()
        results.append([outputs, *(p.grad for p in core.parameters())])
    for default, adjoint, backpropagated in zip(*results, strict=True):
        torch.testing.assert_close(default, adjoint, atol=3e-3, rtol=3e-3)
        torch.testing.assert_close(adjoint, backpropagated, atol=1e-7, rtol=1e-6)


def test_the_longest_pause_gives_a_finite_state():
    core = ODERNN(3, 2, hidden=5)
    _, after = core.step(torch.randn(4, 3), core.init_state(4), torch.full((4,), 1e6))
    assert torch.isfinite(after).all()


def test_too_long_for_dopri5_is_an_error_that_names_the_step():
    core = ODERNN(3, 2, hidden=5, solver=Dopri5(max_steps=10))
    dt = torch.tensor([[0.0, 0.01, 1e3]])
    with pytest.raises(CellError, match="the dopri5 solver failed at step 2, of 20000 time"):
        core.sequence(torch.randn(1, 3, 3), core.init_state(1), dt)


def test_gradients_are_exact():
    core = ODERNN(2, 2, hidden=3).double()
    leaves = (torch.randn(2, 3, 2), torch.rand(2, 3), torch.rand(2, 3) * 0.1)
    assert torch.autograd.gradcheck(
        core.sequence, tuple(leaf.double().requires_grad_() for leaf in leaves)
    )


def test_rejects_sizes():
    with pytest.raises(CellError, match="expected width >= 1, got 0"):
        ODERNN(3, 2, width=0)

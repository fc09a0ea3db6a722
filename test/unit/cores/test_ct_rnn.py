import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.cores.ode_cores import CTRNN
from liquid_control.cores.solvers import Dopri5, Euler
from liquid_control.errors import CellError

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_without_recurrence_it_is_the_exponential_that_is_known():
    core = CTRNN(2, 3, hidden=4, solver=Dopri5(1e-10, 1e-12), time_unit_s=0.5).double()
    with torch.no_grad():
        core.recurrent.weight.zero_()
    x, state, dt = torch.randn(5, 2).double(), torch.rand(5, 4).double(), torch.rand(5).double()
    _, after = core.step(x, state, dt)
    speed = torch.nn.functional.softplus(core.rate)
    goal = torch.tanh(core.drive(x))
    expected = goal + (state - goal) * torch.exp(-speed * (dt / 0.5)[:, None])
    torch.testing.assert_close(after, expected, atol=1e-8, rtol=0)


def test_the_default_solver_tends_to_the_exact_one():
    x, dt = torch.randn(3, 8, 2), torch.rand(3, 8) * 0.05
    fused = CTRNN(2, 3, hidden=6, seed=1)
    exact = CTRNN(2, 3, hidden=6, seed=1, solver=Dopri5())
    first, _ = fused.sequence(x, fused.init_state(3), dt)
    second, _ = exact.sequence(x, exact.init_state(3), dt)
    torch.testing.assert_close(first, second, atol=0.03, rtol=0)
    assert not torch.allclose(first, second, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(dt=st.floats(0.0, 10.0, width=32), scale=st.floats(0.1, 1e6), seed=st.integers(0, 99))
def test_states_stay_in_their_interval(dt, scale, seed):
    core = CTRNN(2, 1, hidden=5, seed=seed)
    random = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(4, 3, 2, generator=random)
    _, after = core.sequence(x, core.init_state(4), torch.full((4, 3), dt))
    assert (after.abs() <= 1.0 + 1e-6).all()


def test_a_stiff_neuron_is_an_error_of_an_explicit_solver():
    core = CTRNN(2, 1, hidden=4, solver=Euler(6))
    with torch.no_grad():
        core.rate.fill_(1e4)
    with pytest.raises(CellError, match="the euler solver failed at step 0, of 1 time units"):
        core.sequence(torch.ones(1, 9, 2), core.init_state(1), torch.full((1, 9), 0.05))


def test_gradients_are_exact():
    core = CTRNN(2, 2, hidden=3).double()
    leaves = (torch.randn(2, 3, 2), torch.rand(2, 3), torch.rand(2, 3) * 0.1)
    assert torch.autograd.gradcheck(
        core.sequence, tuple(leaf.double().requires_grad_() for leaf in leaves)
    )

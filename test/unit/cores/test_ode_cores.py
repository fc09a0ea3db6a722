import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.cores import RK4, Dopri5, Euler
from liquid_control.cores.ode_cores import CTRNN, GRUODE, ODERNN
from liquid_control.errors import CellError

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_ct_rnn_without_recurrence_is_an_exponential():
    core = CTRNN(2, 3, hidden=4, solver=Dopri5(1e-10, 1e-12), time_unit_s=0.5).double()
    with torch.no_grad():
        core.recurrent.weight.zero_()
    x, state, dt = torch.randn(5, 2).double(), torch.rand(5, 4).double(), torch.rand(5).double()
    _, after = core.step(x, state, dt)
    speed = torch.nn.functional.softplus(core.rate)
    goal = torch.tanh(core.drive(x))
    expected = goal + (state - goal) * torch.exp(-speed * (dt / 0.5)[:, None])
    torch.testing.assert_close(after, expected, atol=1e-8, rtol=0)


def test_ct_rnn_default_solver_approximates_dopri5():
    x, dt = torch.randn(3, 8, 2), torch.rand(3, 8) * 0.05
    fused = CTRNN(2, 3, hidden=6, seed=1)
    exact = CTRNN(2, 3, hidden=6, seed=1, solver=Dopri5())
    first, _ = fused.sequence(x, fused.init_state(3), dt)
    second, _ = exact.sequence(x, exact.init_state(3), dt)
    torch.testing.assert_close(first, second, atol=0.03, rtol=0)
    assert not torch.allclose(first, second, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(dt=st.floats(0.0, 10.0, width=32), scale=st.floats(0.1, 1e6), seed=st.integers(0, 99))
def test_ct_rnn_states_stay_in_their_interval(dt, scale, seed):
    core = CTRNN(2, 1, hidden=5, seed=seed)
    random = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(4, 3, 2, generator=random)
    _, after = core.sequence(x, core.init_state(4), torch.full((4, 3), dt))
    assert (after.abs() <= 1.0 + 1e-6).all()


def test_ct_rnn_explicit_solver_refuses_a_stiff_neuron():
    core = CTRNN(2, 1, hidden=4, solver=Euler(6))
    with torch.no_grad():
        core.rate.fill_(1e4)
    with pytest.raises(CellError, match="the euler solver failed at step 0, of 1 time units"):
        core.sequence(torch.ones(1, 9, 2), core.init_state(1), torch.full((1, 9), 0.05))


def test_ct_rnn_gradients_are_exact():
    core = CTRNN(2, 2, hidden=3).double()
    leaves = (torch.randn(2, 3, 2), torch.rand(2, 3), torch.rand(2, 3) * 0.1)
    assert torch.autograd.gradcheck(
        core.sequence, tuple(leaf.double().requires_grad_() for leaf in leaves)
    )


def test_ode_rnn_without_elapsed_time_equals_the_torch_gru():
    core = ODERNN(3, 2, hidden=5)
    x = torch.randn(4, 6, 3)
    outputs, after = core.sequence(x, core.init_state(4), torch.zeros(4, 6))
    state = core.init_state(4)
    for t in range(6):
        state = core.cell(x[:, t], state)
        torch.testing.assert_close(outputs[:, t], core.readout(state))
    torch.testing.assert_close(after, state)


def test_ode_rnn_flows_for_the_elapsed_time_then_observes():
    """With a constant speed the flow is h' = h + tanh(b) dt / unit."""
    core = ODERNN(3, 2, hidden=5, time_unit_s=0.1)
    with torch.no_grad():
        core.outer.weight.zero_()
    x, state, dt = torch.randn(4, 3), torch.rand(4, 5), torch.rand(4)
    _, after = core.step(x, state, dt)
    flowed = state + torch.tanh(core.outer.bias) * (dt / 0.1)[:, None]
    torch.testing.assert_close(after, core.cell(x, flowed))


def test_ode_rnn_default_solver_and_gradients_agree_with_dopri5():
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


def test_ode_rnn_very_long_elapsed_time_gives_a_finite_state():
    core = ODERNN(3, 2, hidden=5)
    _, after = core.step(torch.randn(4, 3), core.init_state(4), torch.full((4,), 1e6))
    assert torch.isfinite(after).all()


def test_ode_rnn_error_of_dopri5_names_the_step():
    core = ODERNN(3, 2, hidden=5, solver=Dopri5(max_steps=10))
    dt = torch.tensor([[0.0, 0.01, 1e3]])
    with pytest.raises(CellError, match="the dopri5 solver failed at step 2, of 20000 time"):
        core.sequence(torch.randn(1, 3, 3), core.init_state(1), dt)


def test_ode_rnn_gradients_are_exact():
    core = ODERNN(2, 2, hidden=3).double()
    leaves = (torch.randn(2, 3, 2), torch.rand(2, 3), torch.rand(2, 3) * 0.1)
    assert torch.autograd.gradcheck(
        core.sequence, tuple(leaf.double().requires_grad_() for leaf in leaves)
    )


def test_ode_rnn_rejects_sizes():
    with pytest.raises(CellError, match="expected width >= 1, got 0"):
        ODERNN(3, 2, width=0)


def test_gru_ode_one_euler_step_equals_the_torch_gru():
    """h + (1 - z) (g - h) = (1 - z) g + z h, except for the bias at the reset gate."""
    core = GRUODE(3, 2, hidden=5, solver=Euler(1), time_unit_s=0.2)
    cell = torch.nn.GRUCell(3, 5)
    with torch.no_grad():
        cell.weight_ih.copy_(core.drive.weight)
        cell.bias_ih.copy_(core.drive.bias)
        cell.bias_hh.zero_()
        cell.weight_hh[:10] = core.gates.weight
        cell.weight_hh[10:] = core.candidate.weight
    x, state = torch.randn(4, 3), torch.rand(4, 5) - 0.5
    reset = torch.sigmoid(core.drive(x) + torch.cat([core.gates(state), state * 0], 1))[:, :5]
    _, after = core.step(x, state, torch.full((4,), 0.2))
    candidate = torch.tanh(core.drive(x)[:, 10:] + core.candidate(reset * state))
    update = torch.sigmoid(core.drive(x)[:, 5:10] + core.gates(state)[:, 5:])
    torch.testing.assert_close(after, (1 - update) * candidate + update * state)
    with torch.no_grad():
        core.candidate.weight.zero_()
        cell.weight_hh[10:] = 0.0
    torch.testing.assert_close(core.step(x, state, torch.full((4,), 0.2))[1], cell(x, state))


def test_gru_ode_solvers_agree():
    x, dt = torch.randn(3, 5, 2).double(), torch.rand(3, 5).double() * 0.1
    results = []
    for solver in (Dopri5(1e-9, 1e-9), RK4(20), Euler(500), None):
        core = GRUODE(2, 2, hidden=6, seed=1, solver=solver).double()
        results.append(core.sequence(x, core.init_state(3), dt)[0])
    torch.testing.assert_close(results[1], results[0], atol=1e-7, rtol=0)
    torch.testing.assert_close(results[2], results[0], atol=1e-3, rtol=0)
    torch.testing.assert_close(results[3], results[0], atol=0.05, rtol=0)


@settings(max_examples=30, deadline=None)
@given(dt=st.floats(0.0, 10.0, width=32), scale=st.floats(0.1, 1e6), seed=st.integers(0, 99))
def test_gru_ode_states_stay_in_their_interval(dt, scale, seed):
    core = GRUODE(2, 1, hidden=5, seed=seed)
    random = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(4, 3, 2, generator=random)
    _, after = core.sequence(x, core.init_state(4), torch.full((4, 3), dt))
    assert (after.abs() <= 1.0 + 1e-6).all()


def test_gru_ode_gradients_are_exact():
    core = GRUODE(2, 2, hidden=3).double()
    leaves = (torch.randn(2, 3, 2), torch.rand(2, 3), torch.rand(2, 3) * 0.1)
    assert torch.autograd.gradcheck(
        core.sequence, tuple(leaf.double().requires_grad_() for leaf in leaves)
    )

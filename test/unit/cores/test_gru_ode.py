import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.cores.ode_cores import GRUODE
from liquid_control.cores.solvers import RK4, Dopri5, Euler

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_one_euler_step_of_one_time_unit_is_torchs_gru():
    """h + (1 - z) (g - h) = (1 - z) g + z h, but for where the reset gate meets a bias."""
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


def test_solvers_agree():
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
def test_states_stay_in_their_interval(dt, scale, seed):
    core = GRUODE(2, 1, hidden=5, seed=seed)
    random = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(4, 3, 2, generator=random)
    _, after = core.sequence(x, core.init_state(4), torch.full((4, 3), dt))
    assert (after.abs() <= 1.0 + 1e-6).all()


def test_gradients_are_exact():
    core = GRUODE(2, 2, hidden=3).double()
    leaves = (torch.randn(2, 3, 2), torch.rand(2, 3), torch.rand(2, 3) * 0.1)
    assert torch.autograd.gradcheck(
        core.sequence, tuple(leaf.double().requires_grad_() for leaf in leaves)
    )

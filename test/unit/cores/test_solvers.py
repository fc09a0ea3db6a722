"""Comparison of solvers with analytical solutions."""

import math
import sys

import pytest
import torch

from liquid_control.cores.solvers import (
    RK4,
    SOLVERS,
    Dopri5,
    Euler,
    Flow,
    Fused,
    make_solver,
    march,
)
from liquid_control.errors import CellError, ConfigError, DependencyError

pytestmark = pytest.mark.unit

LOGISTIC = Flow(lambda v: (v, v))
"""dv/dt = v (1 - v), v = 1 / (1 + (1 / v0 - 1) exp(-t))."""


def logistic(start, t):
    return 1.0 / (1.0 + (1.0 / start - 1.0) * torch.exp(-t))


def prothero_robinson(stiffness):
    """Return dy/dt = -stiffness (y - cos t) - sin t, y = cos t, together with dt/dt = 1.

    The problem of Prothero and Robinson: a smooth solution of an equation of any stiffness.
    """

    def rates(state):
        t = state[:, 0]
        gain = torch.stack([torch.ones_like(t), stiffness * torch.cos(t) - torch.sin(t)], dim=1)
        return gain, torch.tensor([0.0, stiffness], dtype=state.dtype)

    return Flow(rates)


def logistic_error(solver):
    start, elapsed = torch.tensor([[0.1], [0.4]]).double(), torch.tensor([2.0, 3.0]).double()
    got = solver.solve(LOGISTIC, start, elapsed)
    return float((got[:, 0] - logistic(start[:, 0], elapsed)).abs().max())


@pytest.mark.parametrize(("solver", "order"), [(Euler, 1), (Fused, 1), (RK4, 4)])
def test_order(solver, order):
    """Half the step gives 2^-order of the error."""
    coarse, fine = logistic_error(solver(20)), logistic_error(solver(40))
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("rtol", [1e-3, 1e-5, 1e-8])
def test_dopri5_meets_its_tolerance_on_a_problem_that_is_not_stiff(rtol):
    assert logistic_error(Dopri5(rtol, rtol)) < 5 * rtol


@pytest.mark.parametrize("rtol", [1e-4, 1e-6])
def test_dopri5_meets_its_tolerance_on_a_stiff_problem(rtol):
    start = torch.tensor([[0.0, 1.0]]).double()
    after = Dopri5(rtol, rtol).solve(prothero_robinson(500.0), start, torch.ones(1).double())
    torch.testing.assert_close(
        after, torch.tensor([[1.0, math.cos(1.0)]]).double(), atol=5 * rtol, rtol=0
    )


def test_stiff_problem_needs_the_fused_solver_at_fixed_steps():
    start, elapsed = torch.tensor([[0.0, 1.0]]).double(), torch.ones(1, 1).double()
    for solver in (Euler(100), RK4(100)):
        with pytest.raises(CellError, match=rf"the {solver.name} solver failed at step 0"):
            march(solver, lambda _: prothero_robinson(1e3), start, elapsed, bound=1.0)
    after = Fused(100).solve(prothero_robinson(1e3), start, elapsed[:, 0])
    assert float(after[0, 1]) == pytest.approx(math.cos(1.0), abs=0.01)


def test_each_sample_meets_the_tolerance():
    """A hundred easy samples must not hide the error of a hard one."""
    start = torch.full((101, 1), 0.999, dtype=torch.float64)
    start[0] = 0.001
    elapsed = torch.full((101,), 1e-3, dtype=torch.float64)
    elapsed[0] = 12.0
    after = Dopri5(1e-6, 1e-8).solve(LOGISTIC, start, elapsed)
    torch.testing.assert_close(after[:, 0], logistic(start[:, 0], elapsed), atol=5e-6, rtol=0)


@pytest.mark.parametrize("stiffness", [1.0, 20.0])
@pytest.mark.parametrize("rtol", [1e-5, 1e-8])
def test_adjoint_gradients_equal_backpropagation(stiffness, rtol):
    """The tolerance is multiplied by the stiffness, by which a slope amplifies a state's error."""

    def gradients(adjoint):
        goal = torch.tensor([[0.3], [0.8]], dtype=torch.float64, requires_grad=True)
        start = torch.tensor([[0.5], [0.2]], dtype=torch.float64, requires_grad=True)
        elapsed = torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)
        decay = torch.tensor([stiffness]).double()
        flow = Flow(lambda v: (decay * torch.tanh(goal) + 0.1 * torch.sin(v), decay), (goal,))
        after = Dopri5(rtol, rtol, adjoint=adjoint).solve(flow, start, elapsed)
        return torch.autograd.grad(after.pow(2).sum(), (goal, start, elapsed))

    for adjoint, backpropagated in zip(gradients(True), gradients(False), strict=True):
        allowed = 10 * stiffness * rtol
        torch.testing.assert_close(adjoint, backpropagated, atol=allowed, rtol=allowed)


def test_gradients_of_dopri5_are_exact_derivatives():
    start = torch.tensor([[0.1]], dtype=torch.float64, requires_grad=True)
    elapsed = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    after = Dopri5(1e-10, 1e-10).solve(LOGISTIC, start, elapsed)
    got = torch.autograd.grad(after.sum(), (start, elapsed))
    expected = torch.autograd.grad(logistic(start[:, 0], elapsed).sum(), (start, elapsed))
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-8, rtol=1e-8)


def test_error_names_solver_step_and_reason():
    start, elapsed = torch.ones(2, 1), torch.ones(2, 5)
    wild = Flow(lambda v: (v * v, torch.zeros(())))

    def flow_at(step):
        return wild if step == 3 else Flow(lambda v: (torch.zeros_like(v), torch.zeros(())))

    with pytest.raises(CellError, match="the rk4 solver failed at step 3, of 1 time units"):
        march(RK4(50), flow_at, start, elapsed, bound=1.0)
    with pytest.raises(CellError, match=r"the dopri5 solver failed at step 3.*too many solver"):
        march(Dopri5(max_steps=20), flow_at, start, elapsed)


def test_error_in_the_backward_solve_of_the_adjoint():
    """The forward solution contracts, so the backward solution diverges."""
    start = torch.full((1, 1), 2.0, requires_grad=True)
    flow = Flow(lambda v: (torch.zeros_like(v), 1.0 + v * v))
    after = Dopri5(checkpoints=1, max_steps=60).solve(flow, start, torch.full((1,), 40.0))
    with pytest.raises(CellError, match="the dopri5 solver failed at step 0"):
        after.sum().backward()
    after = Dopri5(checkpoints=16).solve(flow, start, torch.full((1,), 40.0))
    after.sum().backward()
    assert float(start.grad) == pytest.approx(0.0, abs=1e-5)


def test_masked_step_may_diverge():
    start = torch.ones(1, 1)
    wild = Flow(lambda v: (v * float("inf"), torch.zeros(())))
    calm = Flow(lambda v: (torch.zeros_like(v), torch.ones(())))
    mask = torch.tensor([[False, True]])
    states = march(Euler(1), lambda t: calm if t else wild, start, torch.ones(1, 2) / 2, mask)
    torch.testing.assert_close(states, torch.tensor([[[1.0], [0.5]]]))


def test_fused_solver_handles_the_longest_elapsed_time():
    after = Fused(6).solve(LOGISTIC, torch.full((1, 1), 0.5), torch.full((1,), 3e38))
    torch.testing.assert_close(after, torch.ones(1, 1))


def test_rejects_settings():
    with pytest.raises(CellError, match="expected at least 1 unfold of a step, got 0"):
        RK4(0)
    with pytest.raises(CellError, match="expected rtol > 0, got 0"):
        Dopri5(rtol=0.0)


def test_error_when_torchdiffeq_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    with pytest.raises(DependencyError, match="the dopri5 solver needs torchdiffeq"):
        logistic_error(Dopri5())


def test_solvers_by_name():
    assert make_solver("rk4", unfolds=3) == RK4(3)
    assert all(make_solver(name).name == name for name in SOLVERS)
    with pytest.raises(ConfigError, match="'heun'; choose one of fused, euler, rk4, dopri5"):
        make_solver("heun")
    with pytest.raises(ConfigError, match="the dopri5 solver does not take unfolds"):
        make_solver("dopri5", unfolds=3)

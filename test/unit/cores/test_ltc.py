import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.cores import LTC, RK4, Dopri5, Euler, Fused, Positivity
from liquid_control.errors import CellError
from liquid_control.liquid import Wiring, auto_ncp
from liquid_control.liquid.wiring_generators import fully_connected, random_wiring

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


SMALL = random_wiring(3, 5, 2, sparsity_level=0.4, seed=2)


@pytest.mark.parametrize("epsilon", [-0.1, float("nan"), float("inf")])
def test_rejects_an_epsilon(epsilon):
    with pytest.raises(CellError, match=f"expected epsilon >= 0, got {epsilon}"):
        LTC(SMALL, epsilon=epsilon)


@pytest.mark.parametrize("masked", [False, True])
def test_fast_path_equals_the_step_loop(masked):
    """Values and all gradients, including that of dt."""
    core = LTC(auto_ncp(34, 19, 4), seed=1)
    leaves = (
        torch.randn(8, 12, 34, requires_grad=True),
        (torch.rand(8, 19) - 0.5).requires_grad_(),
        (torch.rand(8, 12) * 0.1).requires_grad_(),
    )
    mask = torch.rand(8, 12) < 0.7 if masked else None
    wanted = torch.randn(8, 12, 4)

    def run(forward):
        outputs, after = forward(*leaves, mask)
        if masked:
            outputs = outputs * mask[..., None]
        loss = (outputs * wanted).sum() + after.sum()
        return [after, outputs, *torch.autograd.grad(loss, [*leaves, *core.parameters()])]

    for fast, plain in zip(run(core.sequence), run(core._march), strict=True):
        torch.testing.assert_close(fast, plain, atol=1e-5, rtol=1e-5)


def test_gradients_are_exact():
    core = LTC(SMALL, seed=3, time_unit_s=0.5).double()
    x, state = torch.randn(2, 3, 3).double(), torch.rand(2, 5).double()
    dt = torch.rand(2, 3).double()
    mask = torch.tensor([[True, True, False], [True, False, True]])
    names = [name for name, _ in core.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in core.parameters()]

    def fast(x, state, dt, *values):
        return torch.func.functional_call(
            _Sequence(core),
            {f"core.{n}": v for n, v in zip(names, values, strict=True)},
            (x, state, dt, mask),
        )

    leaves = [leaf.requires_grad_() for leaf in (x, state, dt)]
    assert torch.autograd.gradcheck(fast, (*leaves, *values))


class _Sequence(torch.nn.Module):
    def __init__(self, core):
        super().__init__()
        self.core = core

    def forward(self, *arguments):
        return self.core.sequence(*arguments)


@pytest.mark.parametrize("solver", [Euler(4), RK4(2), Dopri5(1e-7, 1e-8)], ids=lambda s: s.name)
def test_step_gradients_are_exact_with_each_solver(solver):
    core = LTC(SMALL, solver=solver, seed=3, time_unit_s=0.5).double()
    x, state, dt = torch.randn(2, 3).double(), torch.rand(2, 5).double(), torch.rand(2).double()
    leaves = tuple(leaf.requires_grad_() for leaf in (x, state, dt))
    assert torch.autograd.gradcheck(core.step, leaves, atol=1e-5, fast_mode=True)


def test_solvers_agree():
    """All solvers converge to the same solution with many unfolds."""
    x, dt = torch.randn(3, 4, 34).double(), torch.rand(3, 4).double() * 0.1
    wiring = auto_ncp(34, 19, 4)
    results = []
    for solver in (Dopri5(1e-9, 1e-9), RK4(40), Euler(1000), Fused(1000)):
        core = LTC(wiring, solver=solver, seed=2).double()
        with torch.no_grad():
            results.append(core.sequence(x, core.init_state(3), dt)[0])
    torch.testing.assert_close(results[1], results[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(results[2], results[0], atol=3e-3, rtol=0)
    torch.testing.assert_close(results[3], results[0], atol=3e-3, rtol=0)


def test_adjoint_and_backpropagated_gradients_agree():
    x, dt = torch.randn(2, 3, 3).double(), torch.rand(2, 3).double()
    gradients = []
    for adjoint in (True, False):
        solver = Dopri5(1e-7, 1e-7, adjoint=adjoint)
        core = LTC(SMALL, solver=solver, time_unit_s=0.3).double()
        core.sequence(x, core.init_state(2), dt)[0].pow(2).sum().backward()
        gradients.append([p.grad for p in core.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=0)


@pytest.mark.parametrize("solver", [Euler(6), RK4(6), Dopri5(max_steps=30)], ids=lambda s: s.name)
def test_error_for_stiff_parameters_names_solver_and_step(solver):
    core = LTC(SMALL, solver=solver, positivity=Positivity.CLIPPED, time_unit_s=1.0)
    with torch.no_grad():
        core.cm.fill_(1e-5)
    dt = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    with pytest.raises(CellError, match=rf"the {solver.name} solver failed at step 2, of 1 time"):
        core.sequence(torch.ones(1, 4, 3), core.init_state(1), dt)
    stable = LTC(SMALL, positivity=Positivity.CLIPPED, time_unit_s=1.0)
    stable.load_state_dict(core.state_dict())
    _, after = stable.sequence(torch.ones(1, 4, 3), stable.init_state(1), dt)
    assert torch.isfinite(after).all()


def test_parameters_that_are_not_finite_are_refused():
    core = LTC(SMALL)
    with torch.no_grad():
        core.sensory.w[0] = float("nan")
    with pytest.raises(CellError, match="the fused solver failed at step 0"):
        core.sequence(torch.ones(1, 4, 3), core.init_state(1), torch.ones(1, 4))


FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=40, deadline=None)
@given(
    x=st.lists(FINITE, min_size=6, max_size=6),
    dt=st.lists(st.floats(0.0, 10.0, exclude_min=True, width=32), min_size=2, max_size=2),
    seed=st.integers(0, 1000),
    gain=st.floats(0.1, 30.0),
    clipped=st.booleans(),
)
def test_states_stay_in_their_interval(x, dt, seed, gain, clipped):
    positivity = Positivity.CLIPPED if clipped else Positivity.SOFTPLUS
    core = LTC(SMALL, seed=seed, positivity=positivity)
    with torch.no_grad():
        for parameter in core.parameters():
            parameter *= gain
    low, high = core.state_range()
    features, state = torch.tensor(x).view(1, 2, 3), core.init_state(1)
    _, fast = core.sequence(features, state, torch.tensor([dt]))
    for t in range(2):
        _, state = core.step(features[:, t], state, torch.tensor([dt[t]]))
        slack = 1e-5 * torch.maximum(high, -low)
        assert (state >= low - slack).all()
        assert (state <= high + slack).all()
    torch.testing.assert_close(fast, state, atol=1e-5, rtol=1e-4)


def test_state_range_is_tight():
    """With one open synapse a state converges to the weighted mean of two potentials."""
    wiring = Wiring.from_dict(
        {"layers": [{"role": "motor", "size": 1}], "sensory": ["-"], "recurrent": ["."]}
    )
    core = LTC(wiring, positivity=Positivity.CLIPPED)
    with torch.no_grad():
        core.vleak.fill_(0.5), core.gleak.fill_(1.0), core.sensory.w.fill_(3.0)
        core.sensory.erev.fill_(-2.0)
    low, high = core.state_range()
    assert (float(low), float(high)) == (-2.0, 0.5)
    _, settled = core.step(torch.full((1, 1), 1e9), core.init_state(1), torch.full((1,), 1e9))
    assert settled.item() == pytest.approx((0.5 - 6.0) / 4.0)


def test_zero_and_infinite_elapsed_time():
    core, x = LTC(SMALL, seed=1), torch.randn(4, 3)
    state = torch.rand(4, 5) - 0.5
    _, same = core.step(x, state, torch.zeros(4))
    assert torch.equal(same, state)
    _, far = core.step(x, state, torch.full((4,), 1e30))
    _, farther = core.step(x, state, torch.full((4,), 3e38))
    torch.testing.assert_close(far, farther, atol=1e-6, rtol=0)


def test_memory_for_training_grows_linearly():
    core = LTC(SMALL)

    def stored(steps):
        sizes = []
        hooks = torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: sizes.append(tensor.numel()) or tensor, lambda tensor: tensor
        )
        with hooks:
            core.sequence(torch.ones(2, steps, 3), core.init_state(2), torch.ones(2, steps))
        return sum(sizes)

    first, second, third = stored(10), stored(20), stored(40)
    assert third - second == 2 * (second - first)


def test_clipping_does_not_change_the_outputs():
    core = LTC(SMALL, positivity=Positivity.CLIPPED)
    with torch.no_grad():
        core.recurrent.w.sub_(10.0)
    before = core.step(torch.ones(1, 3), core.init_state(1), torch.ones(1))[0]
    core.clip_parameters()
    assert (core.recurrent.w == 0.0).all()
    assert torch.equal(core.step(torch.ones(1, 3), core.init_state(1), torch.ones(1))[0], before)


def test_same_seed_gives_the_same_core():
    first, second, third = (LTC(SMALL, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["cm"], third["cm"])
    low, high = np.log(np.expm1(0.4)), np.log(np.expm1(0.6))
    assert ((first["cm"] >= low) & (first["cm"] <= high)).all()


def test_large_circuits_work():
    core = LTC(fully_connected(4, 40, 3))
    outputs, _ = core.sequence(torch.randn(2, 3, 4), core.init_state(2), torch.ones(2, 3))
    assert outputs.shape == (2, 3, 3)


def test_rejects_a_time_unit():
    with pytest.raises(CellError, match="time_unit_s > 0, got 0"):
        LTC(SMALL, time_unit_s=0.0)
    with pytest.raises(CellError, match=r"expected features of shape \(batch, 3\), got \(1, 4\)"):
        LTC(SMALL).step(torch.ones(1, 4), torch.zeros(1, 5), torch.ones(1))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_gives_the_same_results():
    core, x, dt = LTC(SMALL), torch.randn(4, 9, 3), torch.rand(4, 9)
    expected, _ = core.sequence(x, core.init_state(4), dt)
    core = core.cuda()
    got, _ = core.sequence(x.cuda(), core.init_state(4), dt.cuda())
    torch.testing.assert_close(got.cpu(), expected, atol=1e-5, rtol=1e-5)

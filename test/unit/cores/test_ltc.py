import ncps.torch
import ncps.wirings
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.cores import LTC, RK4, Dopri5, Euler, Fused, Positivity, ltc_from_ncps
from liquid_control.errors import CellError
from liquid_control.liquid import Wiring, auto_ncp
from liquid_control.liquid.ncps_wiring import wiring_from_ncps
from liquid_control.liquid.wiring_generators import fully_connected, random_wiring

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


SMALL = random_wiring(3, 5, 2, sparsity_level=0.4, seed=2)


def their_wirings():
    return {
        "auto_ncp": ncps.wirings.AutoNCP(19, 4),
        "ncp": ncps.wirings.NCP(6, 4, 2, 3, 2, 3, 2),
        "fully_connected": ncps.wirings.FullyConnected(8, 3),
        "random": ncps.wirings.Random(9, 9, 0.5),
    }


@pytest.fixture(params=list(their_wirings()))
def theirs(request):
    torch.manual_seed(1)
    module = ncps.torch.LTC(5, their_wirings()[request.param])
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad and not name.endswith("mask"):
                parameter += 0.2 * torch.randn_like(parameter)
    return module


def ours(module, **options):
    wiring = wiring_from_ncps(module._wiring)
    return ltc_from_ncps(module.state_dict(), wiring, **options)


def theirs_first(state, wiring):
    """Return a state in the order of neurons in ncps, last layer first."""
    return torch.cat([state[..., own] for own in reversed(wiring.slices)], dim=-1)


def test_single_steps_equal_ncps(theirs):
    core = ours(theirs)
    x, state = torch.randn(7, 5), torch.rand(7, core.state_size) * 2 - 1
    for dt in (0.01, 0.5, 1.0, 9.0):
        expected, after = theirs.rnn_cell(x, theirs_first(state, core.wiring), dt)
        got, got_after = core.step(x, state, torch.full((7,), dt))
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(theirs_first(got_after, core.wiring), after, atol=1e-5, rtol=0)


def test_sequences_and_gradients_equal_ncps(theirs):
    core = ours(theirs)
    x = torch.randn(1, 20, 5, requires_grad=True)
    dt = torch.rand(1, 20) * 3
    expected, after = theirs(x, timespans=dt)
    got, got_after = core.sequence(x, core.init_state(1), dt)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(theirs_first(got_after, core.wiring), after, atol=1e-5, rtol=0)
    wanted = torch.randn_like(got)
    mine, other = (torch.autograd.grad((out * wanted).sum(), x)[0] for out in (got, expected))
    torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)
    core_w = torch.autograd.grad(
        (core.sequence(x, core.init_state(1), dt)[0] * wanted).sum(), core.gleak
    )[0]
    their_w = torch.autograd.grad(
        (theirs(x, timespans=dt)[0] * wanted).sum(), theirs.rnn_cell.gleak
    )[0]
    torch.testing.assert_close(theirs_first(core_w, core.wiring), their_w, atol=1e-5, rtol=1e-4)


def test_batches_equal_ncps_at_one_dt(theirs):
    core = ours(theirs, time_unit_s=0.1)
    x = torch.randn(6, 10, 5)
    expected, _ = theirs(x)
    got, _ = core.sequence(x, core.init_state(6), torch.full((6, 10), 0.1))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_explicit_constraints_and_no_mappings_equal_ncps():
    wiring = ncps.wirings.AutoNCP(12, 3)
    cell = ncps.torch.LTCCell(wiring, 4, None, "linear", ode_unfolds=3)
    core = ltc_from_ncps(
        cell.state_dict(),
        wiring_from_ncps(wiring),
        implicit_param_constraints=False,
        ode_unfolds=3,
    )
    x, state = torch.randn(5, 4), torch.rand(5, 12)
    expected, _ = cell(x, theirs_first(state, core.wiring), 0.7)
    got, _ = core.step(x, state, torch.full((5,), 0.7))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_ncps_is_wrong_with_batched_timespans():
    """It raises, or applies samples' times to neurons if the batch is as large as the state."""
    module = ncps.torch.LTC(5, ncps.wirings.AutoNCP(19, 4))
    core = ours(module)
    x, dt = torch.randn(19, 6, 5), torch.rand(19, 6) * 3
    with pytest.raises(RuntimeError, match="must match the size of tensor"):
        module(x[:7], timespans=dt[:7])
    one_by_one = torch.cat([module(x[i : i + 1], timespans=dt[i : i + 1])[0] for i in range(19)])
    silently, _ = module(x, timespans=dt)
    got, _ = core.sequence(x, core.init_state(19), dt)
    torch.testing.assert_close(got, one_by_one, atol=1e-5, rtol=0)
    assert not torch.allclose(silently, one_by_one, atol=0.01)


def test_synapse_counts_are_right_here_and_wrong_in_ncps():
    module = ncps.torch.LTC(34, ncps.wirings.AutoNCP(19, 4))
    core = ours(module)
    assert module.sensory_synapse_count == module.synapse_count == 45
    assert (core.wiring.synapse_count, core.wiring.sensory_synapse_count) == (45, 136)
    synapses = 4 * (45 + 136)
    assert sum(p.numel() for p in core.parameters()) == synapses + 3 * 19 + 2 * 34 + 2 * 4


def test_rejects_checkpoints_that_do_not_fit():
    wiring = auto_ncp(5, 19, 4)
    cell = ncps.torch.LTC(5, ncps.wirings.AutoNCP(19, 4)).state_dict()
    with pytest.raises(CellError, match=r"gleak: expected shape \(12,\), got \(19,\)"):
        ltc_from_ncps(cell, auto_ncp(5, 12, 4))
    with pytest.raises(CellError, match="expected the wiring's 45 synapses, got a mask of"):
        ltc_from_ncps(cell, auto_ncp(5, 19, 4, seed=1))
    with pytest.raises(CellError, match="expected gleak of an ncps LTC, got"):
        ltc_from_ncps({}, wiring)
    cell["rnn_cell.w"] = -cell["rnn_cell.w"]
    with pytest.raises(CellError, match=r"expected recurrent.w >= 0 without implicit .*, got -"):
        ltc_from_ncps(cell, wiring, implicit_param_constraints=False)
    mixed = ncps.torch.LTC(5, ncps.wirings.AutoNCP(19, 4), mixed_memory=True).state_dict()
    with pytest.raises(CellError, match="without mixed memory"):
        ltc_from_ncps(mixed, wiring)


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

"""LTC cores from the weights of ncps."""

import pytest
import torch

from liquid_control.cores import MixedMemory, ltc_from_ncps
from liquid_control.errors import CellError
from liquid_control.liquid import auto_ncp
from liquid_control.liquid.ncps_wiring import wiring_from_ncps

ncps = pytest.importorskip("ncps", reason="ncps is not installed: pip install ncps==1.0.1")
pytest.importorskip("ncps.torch")

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


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
    mixed["lstm.input_map.bias"] = torch.zeros(19)
    with pytest.raises(CellError, match=r"lstm.input_map.bias: expected .* \(76,\), got \(19,\)"):
        ltc_from_ncps(mixed, wiring)


@pytest.mark.parametrize("kind", list(their_wirings()))
def test_mixed_memory_equals_ncps(kind):
    """Outputs, both parts of the state and gradients, from a state that is not zero."""
    module = ncps.torch.LTC(5, their_wirings()[kind], mixed_memory=True)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad and not name.endswith("mask"):
                parameter += 0.2 * torch.randn_like(parameter)
    core = ours(module)
    assert isinstance(core, MixedMemory)
    wiring = core.core.wiring
    x, dt = torch.randn(1, 20, 5, requires_grad=True), torch.rand(1, 20) * 3
    state = torch.rand(1, core.state_size) * 2 - 1
    parts = tuple(theirs_first(part, wiring) for part in state.chunk(2, dim=1))
    expected, expected_after = module(x, parts, dt)
    got, after = core.sequence(x, state, dt)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    for part, wanted in zip(after.chunk(2, dim=1), expected_after, strict=True):
        torch.testing.assert_close(theirs_first(part, wiring), wanted, atol=1e-5, rtol=0)
    mine, other = (torch.autograd.grad(out.square().sum(), x)[0] for out in (got, expected))
    torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("epsilon", [0.05, 1.0])
@pytest.mark.parametrize("implicit", [False, True])
def test_epsilon_equals_that_of_ncps(epsilon, implicit):
    wiring = ncps.wirings.AutoNCP(12, 3)
    options = {"epsilon": epsilon, "implicit_param_constraints": implicit}
    module = ncps.torch.LTC(5, wiring, **options)
    core = ours(module, **options)
    x, dt = torch.randn(1, 20, 5), torch.rand(1, 20) + 0.1
    expected, after = module(x, timespans=dt)
    got, got_after = core.sequence(x, core.init_state(1), dt)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(theirs_first(got_after, core.wiring), after, atol=1e-5, rtol=0)
    without = ours(module, implicit_param_constraints=implicit)
    assert (without.sequence(x, core.init_state(1), dt)[0] - expected).abs().max() > 1e-4
    low, high = core.state_range()
    assert ((got_after >= low) & (got_after <= high)).all()

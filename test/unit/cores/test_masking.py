"""Masked steps of every core: what they hold has no effect on results and gradients."""

import numpy as np
import pytest
import torch

from liquid_control.cores import CORES, LTC, RK4, Dopri5, Euler, MixedMemory, make_core
from liquid_control.cores.ode_cores import GRUODE
from liquid_control.errors import CellError
from liquid_control.liquid import CfC, Mode, auto_ncp, random_weights

from .conftest import INPUTS, OUTPUTS

pytestmark = pytest.mark.unit

BATCH, STEPS = 4, 7
MASK = torch.rand(BATCH, STEPS, generator=torch.Generator().manual_seed(4)) < 0.6
MASK[1] = False
MASK[2] = True
HIDDEN = (float("nan"), float("inf"), float("-inf"), 1e38)


def gated(name):
    return name in ("cfc_wired", "cfc", "cfc_mm")


KINDS = {
    f"{name}-{size}-{mode.value}" if gated(name) else f"{name}-{size}": (
        lambda name=name, size=size, mode=mode: make_core(
            name, INPUTS, OUTPUTS, size=size, seed=3, **({"mode": mode} if gated(name) else {})
        )
    )
    for name in CORES
    for size in ("small", "base")
    for mode in (Mode if gated(name) else (None,))
} | {
    "ltc-euler": lambda: LTC(auto_ncp(INPUTS, 9, OUTPUTS), solver=Euler(), seed=3),
    "ltc-rk4": lambda: LTC(auto_ncp(INPUTS, 9, OUTPUTS), solver=RK4(), seed=3),
    "ltc-dopri5": lambda: LTC(auto_ncp(INPUTS, 9, OUTPUTS), solver=Dopri5(), seed=3),
    "ltc-mixed": lambda: MixedMemory(LTC(auto_ncp(INPUTS, 9, OUTPUTS), seed=3)),
    "gru_ode-dopri5": lambda: GRUODE(INPUTS, OUTPUTS, hidden=4, solver=Dopri5()),
}


def inputs(core, batch=BATCH):
    random = torch.Generator().manual_seed(5)
    x = torch.randn(batch, STEPS + 2, INPUTS, generator=random)
    dt = 0.2 * torch.rand(batch, STEPS + 2, generator=random)
    with torch.no_grad():
        _, state = core(x[:, STEPS:], dt[:, STEPS:])
    return x[:, :STEPS], state, dt[:, :STEPS]


def everything(core, x, state, dt, mask):
    """Return outputs, state and the gradients of inputs and parameters."""
    core.zero_grad()
    leaves = [value.clone().requires_grad_() for value in (x, state, dt)]
    outputs, after = core.sequence(*leaves, mask)
    loss = outputs.square().sum() + after.square().clamp(max=1e6).sum()
    loss.backward()
    gradients = [leaf.grad for leaf in (*leaves, *core.parameters())]
    return [outputs.detach(), after.detach(), *(g for g in gradients if g is not None)]


@pytest.mark.parametrize("kind", list(KINDS))
def test_hidden_values_have_no_effect(kind):
    """Outputs, states and all gradients are equal bit for bit, and finite."""
    core = KINDS[kind]()
    x, state, dt = inputs(core)
    x[~MASK], dt[~MASK] = 0.0, 0.0
    expected = everything(core, x, state, dt, MASK)
    assert all(torch.isfinite(value).all() for value in expected)
    for hidden in HIDDEN:
        x[~MASK], dt[~MASK] = hidden, hidden
        got = everything(core, x, state, dt, MASK)
        assert len(got) == len(expected)
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True)), hidden


@pytest.mark.parametrize("kind", list(KINDS))
def test_masked_steps_receive_no_gradient(kind):
    core = KINDS[kind]()
    x, state, dt = inputs(core)
    leaves = [value.clone().requires_grad_() for value in (x, dt)]
    outputs, after = core.sequence(leaves[0], state, leaves[1], MASK)
    (outputs.sum() + after.square().clamp(max=1e6).sum()).backward()
    for leaf in leaves:
        assert leaf.grad is None or not leaf.grad[~MASK].any()


@pytest.mark.parametrize("hidden", [0.0, float("nan")])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_fully_masked_sample_leaves_its_neighbours_alone(kind, hidden):
    """Its state is unchanged bit for bit, and the others have their gradients without it."""
    core = KINDS[kind]().double()
    x, state, dt = (value.double() for value in inputs(core))
    x[1], dt[1] = hidden, hidden
    rest, results = [0, 2, 3], []
    for rows in ([0, 1, 2, 3], rest):
        core.zero_grad()
        outputs, after = core.sequence(x[rows], state[rows], dt[rows], MASK[rows])
        assert torch.isfinite(outputs).all()
        keep = rest if len(rows) == BATCH else [0, 1, 2]
        if len(rows) == BATCH:
            assert torch.equal(after[1], state[1])
        loss = outputs[keep][MASK[rest]].square().sum() + after[keep].clamp(-9, 9).sum()
        loss.backward()
        results.append([loss.detach(), *(p.grad for p in core.parameters())])
    for whole, alone in zip(*results, strict=True):
        if whole is not None:
            torch.testing.assert_close(whole, alone, atol=1e-6 * float(alone.abs().max()), rtol=0)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_batch_of_fully_masked_samples_from_the_initial_state(kind):
    core = KINDS[kind]()
    x, dt = torch.full((2, 3, INPUTS), torch.nan), torch.full((2, 3), torch.nan)
    start = core.init_state(2)
    outputs, after = core.sequence(x, start, dt, torch.zeros(2, 3, dtype=torch.bool))
    outputs.sum().backward()
    assert torch.equal(after, start)
    assert torch.isfinite(outputs).all()
    for parameter in core.parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_hidden_values_have_no_effect_in_low_precision(name, dtype):
    core = make_core(name, INPUTS, OUTPUTS, seed=3).to(dtype)
    x, state, dt = inputs(core)
    x[~MASK], dt[~MASK] = 0.0, 0.0
    expected = core.sequence(x, state, dt, MASK)
    x[~MASK], dt[~MASK] = torch.nan, torch.inf
    got = core.sequence(x, state, dt, MASK)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_hidden_values_have_no_effect_in_an_exported_program(core):
    """Four steps: a program contains the operations of each of them."""
    x, state, dt = inputs(core)
    x, dt, mask = x[:, :4], dt[:, :4], MASK[:, :4]
    assert mask.any(dim=1).tolist() == [True, False, True, True]
    assert mask.all(dim=1).tolist() == [True, False, True, False]
    exported = torch.export.export(core, (x, dt, state, mask)).module()
    traced = torch.jit.trace(core, (x, dt, state, mask), check_trace=False)
    with torch.no_grad():
        outputs, after = core(x, dt, state, mask)
    for program in (exported, traced):
        x[~mask], dt[~mask] = 0.0, 0.0
        for _ in range(3):  # torch.jit optimises a program in its first runs
            expected = program(x, dt, state, mask)
        torch.testing.assert_close(expected[0][mask], outputs[mask], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(expected[1], after, atol=1e-5, rtol=1e-5)
        x[~mask], dt[~mask] = torch.nan, torch.nan
        got = program(x, dt, state, mask)
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


def test_hidden_values_have_no_effect_in_the_reference():
    cell = CfC(random_weights(auto_ncp(INPUTS, 9, OUTPUTS), np.random.default_rng(2)))
    random, mask = np.random.default_rng(3), MASK.numpy()
    x, dt = random.normal(size=(BATCH, STEPS, INPUTS)), random.uniform(0, 0.2, (BATCH, STEPS))
    state = random.uniform(-1, 1, (BATCH, 9)).astype(np.float32)
    x[~mask], dt[~mask] = 0.0, 0.0
    expected = cell.sequence(x, state, dt, mask)
    for hidden in HIDDEN:
        x[~mask], dt[~mask] = hidden, hidden
        got = cell.sequence(x, state, dt, mask)
        assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))
    assert np.array_equal(got[1][1], state[1])


def test_values_of_unmasked_steps_are_still_checked(core):
    x, state, dt = inputs(core)
    dt[~MASK] = torch.nan
    dt[2, 3] = torch.nan
    with pytest.raises(CellError, match="finite and >= 0, got nan"):
        core.sequence(x, state, dt, MASK)

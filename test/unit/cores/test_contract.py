"""Contract of every core in `CORES`."""

import pytest
import torch

from liquid_control.cores import make_core, scan
from liquid_control.errors import CellError

from .conftest import INPUTS, OUTPUTS, make_case

pytestmark = pytest.mark.unit

MASK = torch.rand(4, 9, generator=torch.Generator().manual_seed(2)) < 0.6
MASK[1] = False
MASK[2] = True


def close(a, b, atol=1e-10):
    torch.testing.assert_close(a, b, atol=atol, rtol=atol)


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_sequence_equals_repeated_steps(case, mask):
    with torch.no_grad():
        outputs, after = case.core.sequence(case.x, case.state, case.dt, mask)
        expected, last = scan(case.core.step, case.x, case.state, case.dt, mask)
    valid = torch.ones_like(MASK) if mask is None else mask
    close(outputs[valid], expected[valid])
    close(after, last)
    assert torch.isfinite(outputs).all()


def test_sequence_equals_repeated_steps_in_single_precision(core):
    case = make_case(core)
    core, x, state, dt = core.float(), case.x.float(), case.state.float(), case.dt.float()
    with torch.no_grad():
        outputs, after = core.sequence(x, state, dt, MASK)
        expected, last = scan(core.step, x, state, dt, MASK)
    close(outputs[MASK], expected[MASK], 1e-5)
    close(after, last, 1e-5)


def test_shapes_and_dtype(case):
    assert case.core.init_state(7).shape == (7, case.core.state_size)
    assert case.core.init_state().dtype == torch.float64
    outputs, after = case.core.sequence(case.x, case.state, case.dt)
    assert outputs.shape == (4, 9, OUTPUTS)
    assert after.shape == (4, case.core.state_size)


def test_step_changes_neither_state_nor_core(case):
    before = case.state.clone()
    first = case.core.step(case.x[:, 0], case.state, case.dt[:, 0])
    again = case.core.step(case.x[:, 0], case.state, case.dt[:, 0])
    assert torch.equal(case.state, before)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_splitting_a_sequence_in_two(case):
    whole, last = case.core.sequence(case.x, case.state, case.dt, MASK)
    head, middle = case.core.sequence(case.x[:, :4], case.state, case.dt[:, :4], MASK[:, :4])
    tail, end = case.core.sequence(case.x[:, 4:], middle, case.dt[:, 4:], MASK[:, 4:])
    close(torch.cat([head, tail], dim=1)[MASK], whole[MASK])
    close(end, last)


def test_calling_a_core_equals_sequence(case):
    for state in (None, case.state):
        start = case.core.init_state(4) if state is None else state
        for mask in (None, MASK):
            expected = case.core.sequence(case.x, start, case.dt, mask)
            for got in (
                case.core(case.x, case.dt, state, mask),
                case.core(case.x, dt=case.dt, state=state, mask=mask),
            ):
                assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


def test_one_number_is_the_elapsed_time_of_all_steps(case):
    expected = case.core(case.x, torch.full_like(case.dt, 0.05))
    got = case.core(case.x, 0.05)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
    with pytest.raises(CellError, match=r"finite and >= 0, got -0\.1"):
        case.core(case.x, -0.1)


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_permuting_a_batch(case, mask):
    order = torch.tensor([2, 0, 3, 1])
    outputs, after = case.core.sequence(case.x, case.state, case.dt, mask)
    moved, moved_after = case.core.sequence(
        case.x[order], case.state[order], case.dt[order], None if mask is None else mask[order]
    )
    valid = torch.ones_like(MASK) if mask is None else mask
    close(moved[valid[order]], outputs[order][valid[order]])
    close(moved_after, after[order])


def test_masked_steps_have_no_effect(case):
    outputs, after = case.core.sequence(case.x, case.state, case.dt, MASK)
    x, dt = case.x.clone(), case.dt.clone()
    x[~MASK], dt[~MASK] = 7.0, 3.0
    other, other_after = case.core.sequence(x, case.state, dt, MASK)
    close(other[MASK], outputs[MASK])
    close(other_after, after)
    close(after[1], case.state[1])


def test_fully_masked_sequence_from_the_initial_state(case):
    start, mask = case.core.init_state(4), MASK & False
    outputs, after = case.core.sequence(case.x, start, case.dt, mask)
    outputs.sum().backward()
    assert torch.equal(after, start)
    assert torch.isfinite(outputs).all()
    for parameter in case.core.parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


def test_padding_equals_the_shorter_sequence(case):
    mask = torch.arange(9).expand(4, 9) < 5
    outputs, after = case.core.sequence(case.x, case.state, case.dt, mask)
    short, short_after = case.core.sequence(case.x[:, :5], case.state, case.dt[:, :5])
    close(outputs[:, :5], short)
    close(after, short_after)


@pytest.mark.parametrize("dt", [0.0, 10.0, 1e5])
def test_results_are_finite_for_any_elapsed_time(case, dt):
    elapsed = torch.full_like(case.dt, dt).requires_grad_()
    x = case.x.clone().requires_grad_()
    outputs, after = case.core.sequence(x, case.state, elapsed)
    outputs.sum().backward()
    for value in (outputs, after, x.grad):
        assert torch.isfinite(value).all()
    assert elapsed.grad is None or torch.isfinite(elapsed.grad).all()


def test_outputs_depend_on_elapsed_time(case):
    outputs, _ = case.core.sequence(case.x, case.state, case.dt)
    slower, _ = case.core.sequence(case.x, case.state, 3.0 * case.dt)
    assert (outputs - slower).abs().max() > 1e-4


def test_batch_as_large_as_the_state(core):
    case = make_case(core, batch=max(core.state_size, 1) if core.state_size < 64 else 64, steps=2)
    outputs, after = case.core.sequence(case.x, case.state, case.dt)
    for row in (slice(0, 1), slice(-1, None)):
        alone, alone_after = case.core.sequence(case.x[row], case.state[row], case.dt[row])
        close(alone, outputs[row])
        close(alone_after, after[row])


@pytest.mark.parametrize("mask", [None, MASK[:2, :4]], ids=["whole", "masked"])
def test_gradients(name, mask):
    case = make_case(make_core(name, 2, 1, seed=4), batch=2, steps=4)
    names, values = zip(*case.core.named_parameters(), strict=True)
    valid = torch.ones(2, 4, dtype=torch.bool) if mask is None else mask

    def run(x, state, dt, *parameters):
        named = {f"core.{key}": value for key, value in zip(names, parameters, strict=True)}
        outputs, after = torch.func.functional_call(
            _Sequence(case.core), named, (x, state, dt, mask)
        )
        return (outputs[valid], after) if after.requires_grad else outputs[valid]

    x, dt = case.x.clone().requires_grad_(), case.dt.clone().requires_grad_()
    state = case.state.clone().requires_grad_(case.state.numel() > 0)
    fresh = tuple(value.detach().clone().requires_grad_() for value in values)
    assert torch.autograd.gradcheck(run, (x, state, dt, *fresh), fast_mode=True, atol=1e-5)


class _Sequence(torch.nn.Module):
    def __init__(self, core):
        super().__init__()
        self.core = core

    def forward(self, x, state, dt, mask):
        return self.core.sequence(x, state, dt, mask)


def test_every_parameter_has_a_gradient(case):
    outputs, _ = case.core.sequence(case.x, case.state, case.dt)
    outputs.square().sum().backward()
    for name, parameter in case.core.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_weights_depend_on_the_seed_and_torch_generator_is_restored(name):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (make_core(name, INPUTS, OUTPUTS, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    same = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    pairs = zip(first.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_state_dict_loads_into_another_core(case, name):
    other = make_core(name, INPUTS, OUTPUTS, seed=9).double()
    other.load_state_dict(case.core.state_dict())
    outputs, _ = case.core.sequence(case.x, case.state, case.dt)
    assert torch.equal(other.sequence(case.x, case.state, case.dt)[0], outputs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(4, 9, INPUTS + 1)}, r"expected features of shape \(batch, time, 5\)"),
        ({"dt": torch.zeros(4, 8)}, r"expected dt of shape \(4, 9\), got \(4, 8\)"),
        ({"dt": torch.zeros(4, 9, 1)}, r"expected dt of shape \(4, 9\)"),
        ({"dt": torch.full((4, 9), -0.1)}, "finite and >= 0, got -0.1"),
        ({"dt": torch.full((4, 9), torch.nan)}, "finite and >= 0, got nan"),
        ({"mask": torch.ones(4, 8, dtype=torch.bool)}, r"expected a mask of shape \(4, 9\)"),
        ({"mask": torch.ones(4, 9)}, "expected a mask of booleans"),
        ({"state": None}, r"expected a state of shape \(4, "),
    ],
    ids=["features", "dt", "dt-axis", "negative", "nan", "mask", "mask-dtype", "state"],
)
def test_invalid_sequence_arguments_are_refused(case, change, message):
    other = torch.zeros(4, case.core.state_size + 1, dtype=torch.float64)
    given = {"x": case.x, "state": case.state, "dt": case.dt, "mask": None} | change
    given["state"] = other if given["state"] is None else given["state"]
    with pytest.raises(CellError, match=message):
        case.core.sequence(**given)


def test_invalid_step_arguments_are_refused(case):
    with pytest.raises(CellError, match=r"expected features of shape \(batch, 5\)"):
        case.core.step(case.x, case.state, case.dt[:, 0])
    with pytest.raises(CellError, match=r"expected dt of shape \(4,\)"):
        case.core.step(case.x[:, 0], case.state, case.dt)

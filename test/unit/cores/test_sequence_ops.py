import pytest
import torch

from liquid_control.cores import StateLayout, linear_scan, make_core, scan, slide
from liquid_control.cores.sequence_ops import run_chunks, run_packed

pytestmark = pytest.mark.unit


def test_state_layout_splits_and_joins():
    layout = StateLayout([(2, 3), (4,), (0, 5)])
    state = torch.arange(20.0).view(2, 10)
    parts = layout.split(state)
    assert [tuple(part.shape) for part in parts] == [(2, 2, 3), (2, 4), (2, 0, 5)]
    assert parts[1][1].tolist() == [16.0, 17.0, 18.0, 19.0]
    assert torch.equal(layout.join(parts), state)
    assert layout.size == 10


def test_slide_by_the_number_of_valid_steps():
    past = torch.tensor([[1.0, 2.0]] * 3).unsqueeze(-1)
    new = torch.tensor([[3.0, 4.0, 5.0]] * 3).unsqueeze(-1)
    joined, kept = slide(past, new, torch.tensor([0, 1, 3]))
    assert joined[0, :, 0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert kept[..., 0].tolist() == [[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]]
    assert torch.equal(slide(past, new, None)[1], kept[2:].expand(3, -1, -1))


def running_sums(x, state, dt, count):
    """Sum features and elapsed times; outputs beyond the count are -99."""
    steps = torch.arange(x.shape[1])
    due = torch.ones_like(dt) if count is None else (steps < count[:, None]).double()
    sums = state[:, None] + (due[..., None] * (x + dt[..., None])).cumsum(dim=1)
    return torch.where(due[..., None] > 0, sums, -99.0), sums[:, -1]


@pytest.mark.parametrize("length", [1, 2, 7, 50])
def test_masked_steps_have_no_effect(length):
    mask = torch.tensor([[True, False, True, True, False], [False] * 5, [True] * 5])
    x = torch.arange(15.0, dtype=torch.float64).view(3, 5, 1)
    dt, state = 0.5 * torch.ones(3, 5, dtype=torch.float64), torch.ones(3, 1).double()

    def run(x, state, dt, count):
        return run_chunks(running_sums, x, state, dt, count, length=length)

    outputs, after = run_packed(run, x, state, dt, mask)
    assert outputs[0][mask[0], 0].tolist() == [1.5, 4.0, 7.5]
    assert after[:, 0].tolist() == [7.5, 1.0, 1.0 + 60.0 + 2.5]


def test_linear_scan_equals_its_recurrence():
    random = torch.Generator().manual_seed(0)
    decay, drive = torch.rand(2, 2, 6, 3, 4, generator=random, dtype=torch.float64)
    start = torch.rand(2, 3, 4, generator=random, dtype=torch.float64)
    states = linear_scan(decay, drive, start)
    before = start
    for t in range(6):
        before = decay[:, t] * before + drive[:, t]
        torch.testing.assert_close(states[:, t], before)


def test_gradients_of_a_linear_scan():
    random = torch.Generator().manual_seed(0)
    decay, drive = torch.rand(2, 2, 5, 3, generator=random, dtype=torch.float64)
    start = torch.rand(2, 3, generator=random, dtype=torch.float64)
    inputs = tuple(value.clone().requires_grad_() for value in (decay, drive, start))
    assert torch.autograd.gradcheck(linear_scan, inputs)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tcn", {"kernel": 1}),
        ("transformer", {"window": 1}),
        ("ssm", {"kernel": 1}),
        ("hyena", {"filter_length": 1}),
    ],
)
def test_buffer_may_be_empty(name, options):
    core = make_core(name, 3, 2, **options)
    x, dt = torch.ones(2, 5, 3), torch.full((2, 5), 0.05)
    outputs, after = core.sequence(x, core.init_state(2), dt, torch.ones(2, 5, dtype=torch.bool))
    steps, last = scan(core.step, x, core.init_state(2), dt, None)
    torch.testing.assert_close(outputs, steps)
    torch.testing.assert_close(after, last)

import numpy as np
import pytest
import torch

from liquid_control.cores import WiredCfC, scan
from liquid_control.cores.numpy_ticks import NumpyTicks
from liquid_control.cores.wired_scan import TorchTicks
from liquid_control.errors import CellError
from liquid_control.liquid import CfC, Masking, auto_ncp, layer_masks, random_weights

pytestmark = pytest.mark.unit


def random_inputs(batch, steps, inputs=34, neurons=19, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (batch, steps, inputs))
    return x, rng.uniform(-1, 1, (batch, neurons)), rng.uniform(0.0, 0.3, (batch, steps))


@pytest.mark.parametrize("batch", [1, 5, 19])
@pytest.mark.parametrize("steps", [1, 2, 20])
@pytest.mark.parametrize("masked", [False, True])
def test_equals_the_reference(weights, batch, steps, masked):
    x, state, dt = random_inputs(batch, steps)
    mask = np.random.default_rng(3).random((batch, steps)) < 0.6 if masked else None
    cell = WiredCfC.from_weights(weights).double()
    outputs, after = cell.sequence(
        torch.tensor(x),
        torch.tensor(state),
        torch.tensor(dt),
        None if mask is None else torch.tensor(mask),
    )
    expected, expected_after = CfC(weights, np.float64).sequence(x, state, dt, mask)
    np.testing.assert_allclose(outputs.detach(), expected, atol=1e-12)
    np.testing.assert_allclose(after.detach(), expected_after, atol=1e-12)


def test_step_equals_a_sequence_of_one_step(weights):
    x, state, dt = random_inputs(3, 1)
    cell = WiredCfC.from_weights(weights).double()
    output, after = cell.step(torch.tensor(x[:, 0]), torch.tensor(state), torch.tensor(dt[:, 0]))
    expected, expected_after = CfC(weights, np.float64).step(x[:, 0], state, dt[:, 0])
    np.testing.assert_allclose(output.detach(), expected, atol=1e-12)
    np.testing.assert_allclose(after.detach(), expected_after, atol=1e-12)


@pytest.mark.parametrize("masking", list(Masking))
@pytest.mark.parametrize("padded", [False, True])
def test_gradients(masking, padded):
    weights = random_weights(auto_ncp(2, 5, 1), np.random.default_rng(2), masking=masking)
    cell = WiredCfC.from_weights(weights).double()
    arrays = random_inputs(2, 3, 2, 5)
    x, state, dt = (torch.tensor(array, requires_grad=True) for array in arrays)
    mask = torch.tensor([[True, False, True], [True, False, False]])
    names = [name for name, _ in cell.named_parameters()]

    def run(x, state, dt, *values):
        parameters = dict(zip(names, values, strict=True))
        arguments = (x, state, dt, mask if padded else None)
        return torch.func.functional_call(_Sequence(cell), _named(parameters), arguments)

    inputs = (x, state, dt, *(p.detach().clone().requires_grad_() for p in cell.parameters()))
    assert torch.autograd.gradcheck(run, inputs, atol=1e-6)


class _Sequence(torch.nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, *arguments):
        return self.cell.sequence(*arguments)


def _named(parameters):
    return {f"cell.{name}": value for name, value in parameters.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (3, 2), (5, 20), (32, 64)])
def test_ticks_in_numpy_equal_those_in_torch(weights, batch, steps, masked, dtype):
    """Outputs, states and all gradients; other devices use the ticks in torch."""
    cell = WiredCfC.from_weights(weights).to(dtype)
    arrays = random_inputs(batch, steps)
    mask = torch.rand(batch, steps, generator=torch.Generator().manual_seed(1)) < 0.6
    results, scanner = [], cell._scanner
    for joint in (scanner._cpu_joint, None):
        scanner._cpu_joint = joint
        kind = NumpyTicks if joint else TorchTicks
        leaves = [torch.tensor(array, dtype=dtype, requires_grad=True) for array in arrays]
        assert isinstance(scanner.prepare(leaves[0].detach(), None, 0.05).ticks, kind)
        outputs, after = cell.sequence(*leaves, mask if masked else None)
        loss = (outputs * outputs.detach().cos()).sum() + after.square().sum()
        gradients = torch.autograd.grad(loss, [*leaves, *cell.parameters()])
        results.append((outputs, after, *gradients))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for numpy, plain in zip(*results, strict=True):
        scale = max(1.0, float(plain.detach().abs().max()))
        torch.testing.assert_close(numpy, plain, atol=tolerance * scale, rtol=0)


def test_outputs_can_be_changed_in_place(weights):
    """Results are copies of what the backward pass needs."""
    cell = WiredCfC.from_weights(weights)
    x, state, dt = (torch.tensor(a, dtype=torch.float32) for a in random_inputs(1, 1))
    gradients = []
    for factor in (1.0, 3.0):
        cell.zero_grad()
        outputs, after = cell.sequence(x, state, dt)
        outputs.mul_(factor)
        after.mul_(factor)
        ((outputs.sum() + after.sum()) / factor).backward()
        gradients.append([parameter.grad.clone() for parameter in cell.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.filterwarnings("error")
def test_overflowing_maps_saturate_without_warnings(weights):
    cell = WiredCfC.from_weights(weights)
    x, state, _ = (torch.tensor(a, dtype=torch.float32) for a in random_inputs(3, 4))
    x, dt = (1e30 * x).requires_grad_(), torch.full((3, 4), 1e12)
    outputs, _ = cell.sequence(x, state, dt)
    expected, _ = scan(cell._advance, x, state, dt, None)
    torch.testing.assert_close(outputs, expected, atol=1e-5, rtol=0)
    outputs.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_sequences_of_changing_lengths(weights):
    """Tables of one length are not used for another."""
    cell = WiredCfC.from_weights(weights).double()
    for steps, batch in ((5, 2), (3, 2), (5, 4), (1, 1)):
        x, state, dt = (torch.tensor(array) for array in random_inputs(batch, steps))
        expected, _ = scan(cell._advance, x, state, dt, None)
        torch.testing.assert_close(cell.sequence(x, state, dt)[0], expected)


def test_absent_synapses_stay_zero(weights):
    cell = WiredCfC.from_weights(weights)
    optimiser = torch.optim.Adam(cell.parameters(), lr=0.1)
    x, state, dt = (torch.tensor(a, dtype=torch.float32) for a in random_inputs(4, 5))
    for _ in range(3):
        optimiser.zero_grad()
        outputs, _ = cell.sequence(x, state, dt)
        outputs.square().sum().backward()
        optimiser.step()
    trained = cell.weights()
    for mask, before, after in zip(
        layer_masks(weights.wiring, weights.masking), weights.layers, trained.layers, strict=True
    ):
        assert not after.weight[~mask].any()
        assert np.mean(after.weight[mask] != before.weight[mask]) > 0.9


def test_truncated_backpropagation_in_two_parts(weights):
    cell = WiredCfC.from_weights(weights).double()
    x, state, dt = (torch.tensor(a) for a in random_inputs(2, 8))
    whole, _ = cell.sequence(x, state, dt)
    first, middle = cell.sequence(x[:, :3], state, dt[:, :3])
    second, _ = cell.sequence(x[:, 3:], middle.detach(), dt[:, 3:])
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    second.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in cell.parameters())


def test_initial_weights_depend_on_the_seed():
    wiring = auto_ncp(34, 19, 4)
    one, two, other = (WiredCfC(wiring, seed=seed) for seed in (1, 1, 2))
    torch.testing.assert_close(one.weight[0], two.weight[0], rtol=0, atol=0)
    assert (one.weight[0] != other.weight[0]).any()
    assert one.init_state(3).shape == (3, 19)


def test_learns_a_low_pass_filter_with_irregular_time():
    """The target needs memory and elapsed time; the error falls to a tenth of the variance."""
    torch.manual_seed(0)
    cell = WiredCfC(auto_ncp(2, 10, 1), seed=0)
    optimiser = torch.optim.Adam(cell.parameters(), lr=3e-2)

    def batch():
        dt = torch.empty(16, 20).uniform_(0.025, 0.2)
        x = torch.randint(0, 2, (16, 20, 2)).float().repeat_interleave(4, dim=1)[:, :20] * 2 - 1
        target, low = torch.zeros(16, 20, 1), torch.zeros(16)
        for t in range(20):
            low = low + (1 - torch.exp(-dt[:, t] / 0.4)) * (0.8 * x[:, t, 0] - low)
            target[:, t, 0] = low
        return x, dt, target

    for _ in range(100):
        x, dt, target = batch()
        outputs, _ = cell.sequence(x, cell.init_state(16), dt)
        loss = (outputs - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1 * target.var().item()


def test_rejects_invalid_arguments(weights):
    cell = WiredCfC.from_weights(weights)
    x, state, dt = (torch.tensor(a, dtype=torch.float32) for a in random_inputs(2, 3))
    with pytest.raises(
        CellError, match=r"features of shape \(batch, time, 34\), got \(2, 3, 30\)"
    ):
        cell.sequence(x[..., :30], state, dt)
    with pytest.raises(CellError, match=r"dt of shape \(2, 3\), got \(2, 3, 1\)"):
        cell.sequence(x, state, dt.unsqueeze(-1))
    with pytest.raises(CellError, match="finite and >= 0, got -"):
        cell.sequence(x, state, -dt)
    with pytest.raises(CellError, match=r"a state of shape \(2, 19\), got \(2, 4\)"):
        cell.sequence(x, state[:, :4], dt)
    with pytest.raises(CellError, match=r"a mask of shape \(2, 3\), got \(3, 2\)"):
        cell.sequence(x, state, dt, torch.ones(3, 2, dtype=torch.bool))
    with pytest.raises(CellError, match="a mask of booleans"):
        cell.sequence(x, state, dt, torch.ones(2, 3))

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.cores import DenseCfC, MixedMemory, WiredCfC, scan
from liquid_control.cores.cfc import ACTIVATIONS
from liquid_control.errors import CellError
from liquid_control.liquid import Layer, Mode, Wiring, auto_ncp

pytestmark = pytest.mark.unit

UNIT_S = 0.05


def wired(mode):
    return WiredCfC(auto_ncp(5, 9, 2), mode=mode, time_unit_s=UNIT_S, seed=1)


def dense(mode, layers=1, **options):
    sizes = {"units": 6, "backbone_units": 8, "backbone_layers": layers}
    return DenseCfC(5, 3, mode=mode, time_unit_s=UNIT_S, seed=1, **sizes, **options)


MAKE = {
    "wired": wired,
    "one layer": lambda mode: WiredCfC(one_layer(), mode=mode, seed=1),
    "dense": dense,
    "no backbone": lambda mode: dense(mode, 0),
    "deep backbone": lambda mode: dense(mode, 3),
    "mixed": lambda mode: MixedMemory(dense(mode), seed=2),
}


def one_layer():
    return Wiring((Layer("motor", 4),), np.ones((5, 4)), np.ones((4, 4)))


def random_inputs(core, batch, steps, seed=0):
    torch.manual_seed(seed)
    like = {"dtype": next(core.parameters()).dtype}
    x = torch.randn(batch, steps, core.input_size, **like)
    state = torch.rand(batch, core.state_size, **like) * 2 - 1
    dt = torch.rand(batch, steps, **like) * 0.2
    return x, state, dt, torch.rand(batch, steps) < 0.6


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("kind", list(MAKE))
@pytest.mark.parametrize("masked", [False, True])
def test_fast_sequence_equals_the_step_loop(kind, mode, masked):
    """Outputs, states and every gradient, in float32."""
    core = MAKE[kind](mode)
    x, state, dt, mask = random_inputs(core, 6, 12)
    leaves = [leaf.requires_grad_() for leaf in (x, state, dt)] + list(core.parameters())
    mask = mask if masked else torch.ones_like(mask)
    results = []
    for sequence in (core.sequence, lambda *given: scan(core._advance, *given)):
        outputs, after = sequence(x, state, dt, mask if masked else None)
        outputs = outputs * mask[..., None]
        loss = (outputs * outputs.detach().cos()).sum() + after.square().sum()
        results.append((outputs, after, *torch.autograd.grad(loss, leaves)))
    for fast, plain in zip(*results, strict=True):
        scale = max(1.0, plain.abs().max().item())
        torch.testing.assert_close(fast, plain, atol=1e-5 * scale, rtol=0)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("kind", list(MAKE))
def test_gradients(kind, mode):
    core = MAKE[kind](mode).double()
    x, state, dt, mask = random_inputs(core, 2, 3)
    leaves = [leaf.requires_grad_() for leaf in (x, state, dt + 0.01)]
    parameters = [p for p in core.parameters() if p.requires_grad]

    def run(*_):
        return core.sequence(leaves[0], leaves[1], leaves[2], mask)

    assert torch.autograd.gradcheck(run, (*leaves, *parameters), atol=1e-6, fast_mode=True)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_activations_of_the_backbone(activation):
    core = dense(Mode.DEFAULT, 2, backbone_activation=activation).double()
    x, state, dt, mask = random_inputs(core, 3, 5)
    fast, _ = core.sequence(x, state, dt, mask)
    plain, _ = scan(core._advance, x, state, dt, mask)
    torch.testing.assert_close(fast[mask], plain[mask])


def test_second_backward_gives_the_same_gradients():
    core = wired(Mode.DEFAULT)
    x, state, dt, _ = random_inputs(core, 2, 4)
    loss = core.sequence(x, state, dt)[0].square().sum()
    first = torch.autograd.grad(loss, list(core.parameters()), retain_graph=True)
    second = torch.autograd.grad(loss, list(core.parameters()))
    for one, two in zip(first, second, strict=True):
        torch.testing.assert_close(one, two, atol=0, rtol=0)


def test_memory_for_training_grows_linearly():
    """The bytes per step stored for the backward pass do not grow with the number of steps."""

    def stored(steps):
        core, total = wired(Mode.DEFAULT), 0

        def pack(tensor):
            nonlocal total
            total += tensor.numel() * tensor.element_size()
            return tensor

        x, state, dt, _ = random_inputs(core, 4, steps)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            core.sequence(x, state, dt)
        return total

    assert stored(256) - stored(128) == pytest.approx(stored(128) - stored(1), rel=0.02)


FLOATS = st.floats(-(2.0**100), 2.0**100, width=32)


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(Mode),
    kind=st.sampled_from(["wired", "dense"]),
    x=st.lists(FLOATS, min_size=5, max_size=5),
    first=st.floats(-1, 1, width=32),
    dt=st.floats(0, 10, exclude_min=True),
)
def test_states_stay_in_their_intervals(mode, kind, x, first, dt):
    """|h| <= 1, 2 without a gate; pure: |A| (1 + unit / (e dt)), see `reference`."""
    core = MAKE[kind](mode)
    state = torch.full((1, core.state_size), first)
    _, after = core.step(torch.tensor([x]), state, torch.tensor([dt]))
    unit = core.time_unit_s
    pure = 1 + unit / (torch.e * torch.tensor(dt, dtype=torch.float64))
    bound = {Mode.DEFAULT: 1.0, Mode.NO_GATE: 2.0, Mode.PURE: float(pure)}[mode]
    assert (after.abs() <= bound * (1 + 1e-5)).all()


def test_dropout_applies_in_training_only():
    core = dense(Mode.DEFAULT, 2, backbone_dropout=0.5)
    x, state, dt, _ = random_inputs(core, 3, 5)
    one, two = core.sequence(x, state, dt)[0], core.sequence(x, state, dt)[0]
    assert (one != two).any()
    core.eval()
    one, two = core.sequence(x, state, dt)[0], core.sequence(x, state, dt)[0]
    torch.testing.assert_close(one, two, atol=0, rtol=0)


def test_same_seed_gives_the_same_core():
    for make in (
        lambda seed: dense_of(seed),
        lambda seed: MixedMemory.with_dense_cfc(5, 3, units=6, seed=seed),
    ):
        one, two, other = (list(make(seed).parameters()) for seed in (1, 1, 2))
        for left, right in zip(one, two, strict=True):
            torch.testing.assert_close(left, right, atol=0, rtol=0)
        assert (one[0] != other[0]).any()


def dense_of(seed):
    return DenseCfC(5, 3, units=6, seed=seed)


def test_parameter_count_excludes_masked_weights():
    core = wired(Mode.DEFAULT)
    assert core.parameter_count < sum(p.numel() for p in core.parameters())
    learned = sum(int((p != 0).sum()) for p in core.weight) + sum(b.numel() for b in core.bias)
    assert core.parameter_count == learned


def test_initial_state_of_mixed_memory():
    core = MixedMemory.with_dense_cfc(5, 3, units=6)
    assert core.init_state(4).shape == (4, 12)
    assert not core.init_state(4).any()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", list(MAKE))
def test_gpu_gives_the_same_results(kind):
    core = MAKE[kind](Mode.DEFAULT)
    x, state, dt, mask = random_inputs(core, 6, 12)
    expected, _ = core.sequence(x, state, dt, mask)
    expected.square().sum().backward()
    gradients = [p.grad.clone() for p in core.parameters()]
    core.zero_grad()
    core.cuda()
    outputs, _ = core.sequence(x.cuda(), state.cuda(), dt.cuda(), mask.cuda())
    outputs.square().sum().backward()
    torch.testing.assert_close(outputs.cpu(), expected, atol=1e-5, rtol=0)
    for parameter, gradient in zip(core.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad.cpu(), gradient, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone_activation": "swish"}, "no activation 'swish'; choose one of lecun_tanh"),
        ({"backbone_layers": -1}, "expected backbone_layers >= 0, got -1"),
        ({"backbone_dropout": 1.0}, r"expected backbone_dropout in \[0, 1\), got 1.0"),
        ({"readout": False}, "expected 64 outputs without a readout, got 3"),
        ({"units": 0}, "expected units >= 1, got 0"),
        ({"time_unit_s": 0.0}, "expected time_unit_s > 0, got 0.0"),
    ],
)
def test_rejects_options(options, message):
    with pytest.raises(CellError, match=message):
        DenseCfC(5, 3, **options)


def test_rejects_weights_of_another_cell():
    core = wired(Mode.DEFAULT)
    with pytest.raises(CellError, match=r"their mode is <Mode\.PURE"):
        core.load_weights(wired(Mode.PURE).weights())
    with pytest.raises(CellError, match="their wiring is another"):
        core.load_weights(WiredCfC(auto_ncp(5, 10, 2), seed=1).weights())


def test_rejects_a_state_of_another_core():
    core, other = MixedMemory.with_dense_cfc(5, 3, units=6), dense(Mode.DEFAULT)
    x, _, dt, _ = random_inputs(core, 2, 3)
    with pytest.raises(CellError, match=r"a state of shape \(2, 12\), got \(2, 6\)"):
        core.sequence(x, other.init_state(2), dt)

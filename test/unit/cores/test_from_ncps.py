import pytest
import torch

from liquid_control.cores import cfc_from_ncps
from liquid_control.errors import CellError
from liquid_control.liquid import CfC, CfCWeights, FlightCfC
from liquid_control.liquid.ncps_wiring import wiring_from_ncps

pytestmark = pytest.mark.unit

ncps = pytest.importorskip("ncps", reason="ncps is not installed: pip install ncps==1.0.1")
pytest.importorskip("ncps.torch")

MODES = ("default", "no_gate", "pure")
TOLERANCE = {"atol": 1e-5, "rtol": 0}


def theirs(kind, mode, mixed=False):
    torch.manual_seed(1)
    if kind == "wired":
        wiring = ncps.wirings.AutoNCP(19, 4)
        module = ncps.torch.CfC(34, wiring, mode=mode, mixed_memory=mixed)
    else:
        layers = {"dense": 1, "deep": 3, "bare": 0}[kind]
        module = ncps.torch.CfC(
            34, 16, mode=mode, mixed_memory=mixed, proj_size=3, backbone_layers=layers
        )
    for parameter in module.parameters():
        if parameter.requires_grad and parameter.dim() == 1:
            torch.nn.init.uniform_(parameter, -1, 1)
    for name, parameter in module.named_parameters():
        if name.endswith(("w_tau", ".A")):
            torch.nn.init.uniform_(parameter, -1, 1)
    return module


def ours(module, mode):
    wiring = wiring_from_ncps(module.wiring) if hasattr(module, "wiring") else None
    return cfc_from_ncps(module.state_dict(), wiring=wiring, mode=mode)


def run(module, x, state, timespans):
    if module.use_mixed:
        output, after = module(x, tuple(state.chunk(2, dim=1)), timespans)
        return output, torch.cat(after, dim=1)
    return module(x, state, timespans)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["wired", "dense", "deep", "bare"])
def test_steps_and_sequences_equal_ncps(kind, mode, mixed):
    module = theirs(kind, mode, mixed)
    core = ours(module, mode)
    with torch.no_grad():
        state = torch.rand(1, core.state_size) * 2 - 1
        x, dt = torch.rand(1, 48, 34) * 2 - 1, torch.rand(1, 48) * 2
        expected, expected_after = run(module, x[:, :1], state, dt[:, :1])
        output, after = core.step(x[:, 0], state, dt[:, 0])
        torch.testing.assert_close(output, expected[:, 0], **TOLERANCE)
        torch.testing.assert_close(after, expected_after, **TOLERANCE)
        expected, expected_after = run(module, x, state, dt)
        outputs, after = core.sequence(x, state, dt)
        torch.testing.assert_close(outputs, expected, **TOLERANCE)
        torch.testing.assert_close(after, expected_after, **TOLERANCE)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_equal_ncps(mode):
    module = theirs("wired", mode)
    core = ours(module, mode)
    x = torch.rand(8, 20, 34)
    module(x)[0].square().sum().backward()
    core.sequence(x, core.init_state(8), torch.ones(8, 20))[0].square().sum().backward()
    first = module.rnn_cell.layer_0
    expected = torch.stack([getattr(first, name).weight.grad for name in core.mode.maps])
    torch.testing.assert_close(core.weight[0].grad, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_reference_equals_ncps(mode):
    module = theirs("wired", mode)
    weights = ours(module, mode).weights()
    x, dt = torch.rand(1, 30, 34), torch.rand(1, 30)
    expected, _ = module(x, timespans=dt)
    outputs, _ = CfC(weights).sequence(x.numpy(), CfC(weights).init_state(), dt.numpy())
    torch.testing.assert_close(torch.tensor(outputs), expected.detach(), **TOLERANCE)


UNSTRUCTURED = {
    "fully_connected": lambda: ncps.wirings.FullyConnected(12, 3),
    "without_self_connections": lambda: ncps.wirings.FullyConnected(9, 4, self_connections=False),
    "all_outputs": lambda: ncps.wirings.FullyConnected(7),
    "random": lambda: ncps.wirings.Random(12, 3, 0.5),
    "sparse": lambda: ncps.wirings.Random(10, 10, 0.9),
}


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", list(UNSTRUCTURED))
def test_cfcs_over_wirings_without_layers_equal_ncps(kind, mode, mixed):
    """In ncps all neurons of such a wiring are one layer, and outputs of a CfC."""
    torch.manual_seed(3)
    module = ncps.torch.CfC(5, UNSTRUCTURED[kind](), mode=mode, mixed_memory=mixed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad and not name.endswith("sparsity_mask"):
                parameter += 0.3 * torch.randn_like(parameter)
    core = ours(module, mode)
    units = module.wiring.units
    assert (core.input_size, core.output_size) == (5, units)
    assert core.state_size == (2 if mixed else 1) * units
    x, dt = torch.rand(1, 30, 5) * 2 - 1, torch.rand(1, 30) * 2
    state = torch.rand(1, core.state_size) * 2 - 1
    expected, expected_after = run(module, x, state, dt)
    outputs, after = core.sequence(x, state, dt)
    torch.testing.assert_close(outputs, expected, **TOLERANCE)
    torch.testing.assert_close(after, expected_after, **TOLERANCE)
    for t in range(30):
        output, state = core.step(x[:, t], state, dt[:, t])
        torch.testing.assert_close(output, expected[:, t], **TOLERANCE)


def test_weights_of_a_wiring_without_layers_fly():
    module = ncps.torch.CfC(5, ncps.wirings.Random(12, 3, 0.5))
    weights = ours(module, "default").weights()
    x, state = torch.rand(1, 1, 5), torch.rand(1, 12)
    expected, _ = module(x, state)
    flown, _ = FlightCfC(weights).step(x[0, 0].numpy(), state[0].numpy(), 1.0)
    torch.testing.assert_close(torch.tensor(flown), expected[0, 0].detach(), **TOLERANCE)
    stored = CfCWeights.from_arrays(weights.arrays(), weights.wiring, weights.masking, 1.0)
    assert stored.wiring.outputs == 12


def test_batched_timespans_work_here_and_raise_in_ncps():
    module = theirs("dense", "default")
    core = ours(module, "default")
    x, dt = torch.rand(5, 7, 34), torch.rand(5, 7) * 3
    with pytest.raises(RuntimeError):
        module(x, timespans=dt)
    outputs, _ = core.sequence(x, core.init_state(5), dt)
    for sample in range(5):
        expected, _ = module(x[sample : sample + 1], timespans=dt[sample : sample + 1])
        torch.testing.assert_close(outputs[sample : sample + 1], expected, **TOLERANCE)


def test_batch_as_large_as_the_state_is_silently_wrong_in_ncps():
    module = theirs("dense", "default")
    core = ours(module, "default")
    x, dt = torch.rand(16, 7, 34), torch.rand(16, 7) * 3
    outputs, _ = core.sequence(x, core.init_state(16), dt)
    alone = torch.cat([module(x[b : b + 1], timespans=dt[b : b + 1])[0] for b in range(16)])
    torch.testing.assert_close(outputs, alone, **TOLERANCE)
    together, _ = module(x, timespans=dt)
    assert (together - alone).abs().max() > 1e-2


def test_rejects_invalid_arguments():
    module = theirs("dense", "default")
    state = module.state_dict()
    with pytest.raises(CellError, match=r"expected rnn_cell\.ff1\.weight of an ncps CfC"):
        cfc_from_ncps({})
    with pytest.raises(CellError, match=r"expected rnn_cell\.backbone\.0\.bias of an ncps CfC"):
        cfc_from_ncps({n: v for n, v in state.items() if n != "rnn_cell.backbone.0.bias"})
    state["fc.bias"] = torch.zeros(2)
    with pytest.raises(CellError, match=r"fc\.bias: expected .* shape \(3,\), got \(2,\)"):
        cfc_from_ncps(state)
    projected = ncps.torch.CfC(34, ncps.wirings.AutoNCP(19, 4), proj_size=2)
    with pytest.raises(CellError, match="without proj_size"):
        cfc_from_ncps(projected.state_dict(), wiring=wiring_from_ncps(projected.wiring))

"""Autocast, bfloat16 and float16 with every core."""

import pytest
import torch

from liquid_control.cores import make_core

from .conftest import INPUTS, OUTPUTS

pytestmark = pytest.mark.unit

LOW = [torch.bfloat16, torch.float16]
NEAR = {torch.bfloat16: 0.02, torch.float16: 0.003}
"""Largest difference from a float32 core with unrounded parameters, over 9 steps."""


@pytest.fixture
def inputs():
    random = torch.Generator().manual_seed(0)
    x = torch.randn(4, 9, INPUTS, generator=random)
    dt = 0.2 * torch.rand(4, 9, generator=random)
    return x, dt, torch.rand(4, 9, generator=random) < 0.6


def gradients(core):
    found = [parameter.grad.clone() for parameter in core.parameters()]
    core.zero_grad()
    return found


def assert_equal(got, expected):
    for value, wanted in zip(got, expected, strict=True):
        torch.testing.assert_close(value, wanted, atol=0, rtol=0)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", LOW)
def test_autocast_does_not_change_results_and_gradients(core, inputs, dtype, masked):
    x, dt, mask = inputs
    mask = mask if masked else None
    plain = core(x, dt, mask=mask)
    plain[0].square().sum().backward()
    expected = gradients(core)
    with torch.autocast("cpu", dtype):
        results = core(x, dt, mask=mask)
        step = core.step(x[:, 0], core.init_state(4), dt[:, 0])
        assert_equal(step, core.step(x[:, 0], core.init_state(4), dt[:, 0]))
    results[0].square().sum().backward()
    assert_equal(results, plain)
    assert_equal(gradients(core), expected)
    assert all(result.dtype == torch.float32 for result in (*results, *step))


def test_backward_inside_autocast(core, inputs):
    x, dt, _ = inputs
    core(x, dt)[0].square().sum().backward()
    expected = gradients(core)
    with torch.autocast("cpu", torch.bfloat16):
        core(x, dt)[0].square().sum().backward()
    for gradient, wanted in zip(gradients(core), expected, strict=True):
        scale = max(1.0, wanted.abs().max().item())
        torch.testing.assert_close(gradient, wanted, atol=0.05 * scale, rtol=0)


def test_features_of_an_autocast_layer(core, inputs):
    x, dt, _ = inputs
    layer = torch.nn.Linear(INPUTS, INPUTS)
    with torch.autocast("cpu", torch.bfloat16):
        features = layer(x)
        assert features.dtype == torch.bfloat16
        outputs, after = core(features, dt)
    assert outputs.dtype == after.dtype == torch.float32
    assert_equal((outputs, after), core(features.float(), dt))
    outputs.sum().backward()
    assert torch.isfinite(layer.weight.grad).all()


@pytest.mark.parametrize("dtype", LOW)
def test_low_precision_parameters_compute_in_float32(core, name, inputs, dtype):
    x, dt, mask = inputs
    full, _ = core(x, dt)
    low = make_core(name, INPUTS, OUTPUTS, seed=3).to(dtype)
    rounded = make_core(name, INPUTS, OUTPUTS, seed=3).to(dtype).float()
    for given in (None, mask):
        outputs, after = low(x, dt, mask=given)
        expected, last = rounded(x, dt, mask=given)
        assert outputs.dtype == dtype
        assert after.dtype == low.init_state().dtype == torch.float32
        assert_equal((outputs, after), (expected.to(dtype), last))
    outputs, after = low.step(x[:, 0].to(dtype), after, dt[:, 0])
    expected, last = rounded.step(x[:, 0].to(dtype).float(), last, dt[:, 0])
    torch.testing.assert_close(after, last, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(outputs, expected.to(dtype), atol=0.01, rtol=0.01)
    outputs, _ = low(x, dt)
    torch.testing.assert_close(outputs.float(), full, atol=NEAR[dtype], rtol=0)


@pytest.mark.parametrize("dtype", LOW)
def test_low_precision_parameters_can_be_trained(core, inputs, dtype):
    x, dt, _ = inputs
    core.to(dtype)
    outputs, _ = core(x.to(dtype), dt)
    outputs.float().square().mean().backward()
    for name, parameter in core.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.dtype == dtype
        assert torch.isfinite(parameter.grad).all(), name


def test_inputs_are_converted_to_the_dtype_of_the_parameters(core, inputs):
    x, dt, _ = inputs
    expected = core(x, dt)
    assert_equal(core(x.double(), dt.double(), core.init_state(4).double()), expected)

import math

import pytest
import torch
from torch.nn import functional

from liquid_control.cores.transformer import EMPTY, Transformer

from .conftest import make_case

pytestmark = pytest.mark.unit


def naive(core, x, dt):
    """Return the outputs of a one-layer core from its start, step by step and head by head."""
    layer, now = core.layers[0], dt.cumsum(dim=0)
    features = core.embed(core.elapsed(x, dt))
    query, key, value = layer.query_key_value(layer.norm(features)).chunk(3, dim=1)
    strength, rate = functional.softplus(layer.strength), functional.softplus(layer.rate)
    size = query.shape[1] // layer.heads
    mixed = torch.zeros_like(query)
    for i in range(len(x)):
        first = max(0, i - core.window + 1)
        for head in range(layer.heads):
            own = slice(head * size, (head + 1) * size)
            scores = key[first : i + 1, own] @ query[i, own] / math.sqrt(size)
            elapsed = (now[i] - now[first : i + 1]) / core.time_unit_s
            attention = torch.softmax(
                scores - strength[head] * torch.log1p(rate[head] * elapsed), 0
            )
            mixed[i, own] = attention @ value[first : i + 1, own]
    features = features + layer.out(mixed)
    return core.readout(features + layer.forward_path(features))


def test_equals_naive_attention_over_the_window():
    core = Transformer(3, 2, width=6, heads=2, layers=1, window=4).double()
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 9, 3, generator=random, dtype=torch.float64)
    dt = torch.rand(2, 9, generator=random, dtype=torch.float64)
    outputs, state = core.sequence(x, core.init_state(2), dt)
    for row in range(2):
        torch.testing.assert_close(outputs[row], naive(core, x[row], dt[row]))
    ages = torch.stack([dt[:, -2:].sum(dim=1), dt[:, -1], torch.zeros(2).double()], dim=1)
    torch.testing.assert_close(state[:, :3], ages)


def test_outputs_do_not_depend_on_steps_outside_the_window():
    case = make_case(Transformer(3, 2, width=4, heads=1, layers=2, window=3), steps=20)
    x = case.x.clone().requires_grad_()
    outputs, _ = case.core.sequence(x, case.state, case.dt)
    outputs[:, 15].sum().backward()
    reached = x.grad.abs().sum(dim=(0, 2)).nonzero().squeeze(1)
    assert reached.tolist() == [11, 12, 13, 14, 15]


def test_unused_places_of_the_window_stay_empty():
    core = Transformer(3, 2, width=4, heads=1, layers=1, window=4)
    x, dt = torch.ones(1, 2, 3), torch.full((1, 2), 0.5)
    _, state = core.sequence(x, core.init_state(1), dt)
    assert state[0, :3].tolist() == [EMPTY, 0.5, 0.0]


def test_long_elapsed_time_does_not_round_short_ones():
    core = Transformer(3, 2, width=4, heads=1, layers=1, window=4)
    x, dt = torch.ones(1, 5, 3), torch.tensor([[1e7, 0.05, 0.05, 0.05, 0.05]])
    _, state = core.sequence(x, core.init_state(1), dt)
    torch.testing.assert_close(state[0, :3], torch.tensor([0.1, 0.05, 0.0]), atol=1e-6, rtol=0)

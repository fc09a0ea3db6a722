import ncps.torch
import ncps.wirings
import numpy as np
import pytest
import torch

from liquid_control.cores import WiredCfC
from liquid_control.errors import CellError
from liquid_control.liquid import CfC, FlightCfC, Masking, auto_ncp
from liquid_control.liquid.ncps_wiring import weights_from_ncps, wiring_from_ncps

pytestmark = pytest.mark.unit


@pytest.fixture(params=[(34, 19, 4, 0.5), (5, 34, 4, 0.75)], ids=["19", "34"])
def theirs(request):
    inputs, units, outputs, sparsity = request.param
    torch.manual_seed(1)
    wiring = ncps.wirings.AutoNCP(units, outputs, sparsity)
    module = ncps.torch.CfC(inputs, wiring)
    for parameter in module.parameters():
        if parameter.requires_grad and parameter.dim() == 1:
            torch.nn.init.uniform_(parameter, -1, 1)
    return module


def ours(module):
    return weights_from_ncps(module.state_dict(), wiring_from_ncps(module.wiring))


def test_single_steps_equal_ncps(theirs):
    weights = ours(theirs)
    rng = np.random.default_rng(0)
    cell, flight = CfC(weights), FlightCfC(weights)
    for _ in range(20):
        x = rng.uniform(-1, 1, (1, weights.wiring.inputs)).astype(np.float32)
        state = rng.uniform(-1, 1, (1, weights.wiring.neurons)).astype(np.float32)
        dt = rng.uniform(0, 3, 1)
        timespans = torch.tensor(dt, dtype=torch.float32)[None]
        output, after = theirs(torch.tensor(x)[:, None], torch.tensor(state), timespans)
        got, got_after = cell.step(x, state, dt)
        np.testing.assert_allclose(got, output[:, 0].detach(), atol=1e-6)
        np.testing.assert_allclose(got_after, after.detach(), atol=1e-6)
        flown, _ = flight.step(x[0], state[0], float(dt[0]))
        np.testing.assert_allclose(flown, after[0].detach(), atol=1e-6)


def test_sequences_equal_ncps(theirs):
    """Double precision: the comparison is of equations, not of rounding."""
    weights = ours(theirs)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (1, 64, weights.wiring.inputs))
    dt = rng.uniform(0, 3, (1, 64))
    output, after = theirs.double()(torch.tensor(x), timespans=torch.tensor(dt))
    state = np.zeros((1, weights.wiring.neurons))
    got, got_after = CfC(weights, np.float64).sequence(x, state, dt)
    np.testing.assert_allclose(got, output.detach(), atol=1e-6)
    np.testing.assert_allclose(got_after, after.detach(), atol=1e-6)


def test_batches_equal_ncps_at_one_dt(theirs):
    """ncps does not support one dt per sample; with a common dt, batches agree."""
    weights = ours(theirs)
    x = torch.rand(6, 20, weights.wiring.inputs, dtype=torch.float64)
    output, after = theirs.double()(x)
    cell = WiredCfC.from_weights(weights).double()
    got, got_after = cell.sequence(x, cell.init_state(6), torch.ones(6, 20))
    torch.testing.assert_close(got, output, atol=1e-6, rtol=0)
    torch.testing.assert_close(got_after, after, atol=1e-6, rtol=0)


def test_time_unit_is_the_seconds_of_a_timespan(theirs):
    wiring = wiring_from_ncps(theirs.wiring)
    weights = weights_from_ncps(theirs.state_dict(), wiring, time_unit_s=0.05)
    assert weights.masking is Masking.NCPS
    x = np.random.default_rng(0).uniform(-1, 1, (1, 3, wiring.inputs)).astype(np.float32)
    output, _ = theirs(torch.tensor(x))
    got, _ = CfC(weights).sequence(x, CfC(weights).init_state(), np.full((1, 3), 0.05))
    np.testing.assert_allclose(got, output.detach(), atol=1e-6)


def test_ncps_leaves_time_gates_dense():
    """Reason for `Masking.NCPS`: time gates have weights where the wiring has no synapse."""
    torch.manual_seed(0)
    module = ncps.torch.CfC(34, ncps.wirings.AutoNCP(19, 4))
    x, dt = torch.rand(1, 1, 34), torch.ones(1, 1)
    absent = np.argwhere(module.wiring.sensory_adjacency_matrix[:, 10:] == 0)[0]
    before, _ = module(x, timespans=dt)
    with torch.no_grad():
        module.rnn_cell.layer_0.time_b.weight[int(absent[1]), int(absent[0])] += 5.0
    after, _ = module(x, timespans=dt)
    assert (before != after).any()


def test_rejects_other_modules():
    module = ncps.torch.CfC(34, ncps.wirings.AutoNCP(19, 4), mode="pure")
    with pytest.raises(CellError, match="in mode 'default', got one in mode 'pure'"):
        weights_from_ncps(module.state_dict(), wiring_from_ncps(module.wiring))
    with pytest.raises(CellError, match=r"expected rnn_cell\.layer_0\.ff1\.weight of an ncps CfC"):
        weights_from_ncps({}, wiring_from_ncps(module.wiring))
    module = ncps.torch.CfC(30, ncps.wirings.AutoNCP(19, 4))
    with pytest.raises(CellError, match=r"expected maps of \(4, 9, 43\), got \(4, 9, 39\)"):
        weights_from_ncps(module.state_dict(), auto_ncp(34, 19, 4))
    with pytest.raises(CellError, match="expected a built ncps wiring"):
        wiring_from_ncps(ncps.wirings.AutoNCP(19, 4))

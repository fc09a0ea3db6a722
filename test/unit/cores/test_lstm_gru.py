import pytest
import torch
from torch import nn

from liquid_control.cores.lstm_gru import GRU, LSTM

from .conftest import make_case

pytestmark = pytest.mark.unit


def test_lstm_equals_the_torch_cell_with_elapsed_time_as_a_feature():
    case = make_case(LSTM(3, 2, hidden=6))
    cell = nn.LSTMCell(4, 6).double()
    cell.load_state_dict(
        {name.removesuffix("_l0"): value for name, value in case.core.cell.state_dict().items()}
    )
    outputs, after = case.core.sequence(case.x, case.state, case.dt)
    before = (case.state[:, :6], case.state[:, 6:])
    for t in range(9):
        timed = torch.cat([case.x[:, t], torch.log1p(case.dt[:, t, None] / 0.05)], dim=1)
        before = cell(timed, before)
        torch.testing.assert_close(outputs[:, t], case.core.readout(before[0]))
    torch.testing.assert_close(after, torch.cat(before, dim=1))


def test_lstm_time_input_is_optional():
    case = make_case(LSTM(3, 2, hidden=6, time_input=False))
    outputs, _ = case.core.sequence(case.x, case.state, case.dt)
    later, _ = case.core.sequence(case.x, case.state, 5.0 * case.dt)
    assert torch.equal(outputs, later)


def test_gru_equals_the_torch_cell_with_elapsed_time_as_a_feature():
    case = make_case(GRU(3, 2, hidden=6))
    cell = nn.GRUCell(4, 6).double()
    cell.load_state_dict(
        {name.removesuffix("_l0"): value for name, value in case.core.cell.state_dict().items()}
    )
    outputs, after = case.core.sequence(case.x, case.state, case.dt)
    before = case.state
    for t in range(9):
        timed = torch.cat([case.x[:, t], torch.log1p(case.dt[:, t, None] / 0.05)], dim=1)
        before = cell(timed, before)
        torch.testing.assert_close(outputs[:, t], case.core.readout(before))
    torch.testing.assert_close(after, before)


def test_gru_time_input_is_optional():
    case = make_case(GRU(3, 2, hidden=6, time_input=False))
    outputs, _ = case.core.sequence(case.x, case.state, case.dt)
    later, _ = case.core.sequence(case.x, case.state, 5.0 * case.dt)
    assert torch.equal(outputs, later)

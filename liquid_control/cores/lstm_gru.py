"""Long short-term memory and gated recurrent unit, as implemented by torch.

LSTM (Hochreiter & Schmidhuber 1997, doi 10.1162/neco.1997.9.8.1735).

With forget gates (Gers et al. 2000, doi 10.1162/089976600300015015):
i, f, o = σ(W x_t + U h_{t-1} + b),  g = tanh(W_g x_t + U_g h_{t-1} + b_g),
c_t = f ⊙ c_{t-1} + i ⊙ g,  h_t = o ⊙ tanh(c_t).
GRU (Cho et al. 2014, arXiv 1406.1078).
Neither models time: log1p(dt / unit) is an additional feature.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from liquid_control.cores.base import ElapsedInput, SequenceCore, seeded_init
from liquid_control.liquid.checks import check_sizes


def run_fused(
    cell: nn.LSTM | nn.GRU, x: Tensor, state: Tensor, count: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Run a recurrent layer; return hidden [B, T, H] and the state, h or [h, c], [B, S]."""
    parts = [
        part.unsqueeze(0).contiguous() for part in torch.split(state, cell.hidden_size, dim=1)
    ]
    start = tuple(parts) if isinstance(cell, nn.LSTM) else parts[0]
    if count is None:
        hidden, last = cell(x, start)
        return hidden, _flat(last)
    lengths = count.clamp(min=1).cpu()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    hidden, last = cell(packed, start)
    padded, _ = pad_packed_sequence(hidden, batch_first=True, total_length=x.shape[1])
    return padded, torch.where(count[:, None] > 0, _flat(last), state)


def _flat(last: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    return last[0] if isinstance(last, Tensor) else torch.cat(last, dim=-1)[0]


class LSTM(SequenceCore):
    """`nn.LSTM` and a linear readout; the state is [h, c]."""

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 64,
        time_input: bool = True,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        super().__init__(input_size, output_size, 2 * hidden)
        check_sizes(hidden=hidden)
        self.elapsed = ElapsedInput(input_size, time_input=time_input, time_unit_s=time_unit_s)
        with seeded_init(seed):
            self.cell = nn.LSTM(self.elapsed.size, hidden, batch_first=True)
            self.readout = nn.Linear(hidden, output_size)

    def _run(
        self, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        hidden, after = run_fused(self.cell, self.elapsed(x, dt), state, count)
        return self.readout(hidden), after


class GRU(SequenceCore):
    """`nn.GRU` and a linear readout; the state is h.

    r, z = σ(W x_t + U h_{t-1} + b),  n = tanh(W_n x_t + b_n + r ⊙ (U_n h_{t-1} + c_n)),
    h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}, the form that torch computes.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 64,
        time_input: bool = True,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        super().__init__(input_size, output_size, hidden)
        check_sizes(hidden=hidden)
        self.elapsed = ElapsedInput(input_size, time_input=time_input, time_unit_s=time_unit_s)
        with seeded_init(seed):
            self.cell = nn.GRU(self.elapsed.size, hidden, batch_first=True)
            self.readout = nn.Linear(hidden, output_size)

    def _run(
        self, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        hidden, after = run_fused(self.cell, self.elapsed(x, dt), state, count)
        return self.readout(hidden), after

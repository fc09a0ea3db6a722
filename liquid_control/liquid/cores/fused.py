"""torch's own recurrent layers over flat states and sequences of different lengths."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def run_fused(
    cell: nn.LSTM | nn.GRU, x: Tensor, state: Tensor, count: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Run one of torch's own recurrent layers; hidden [B, T, H] and state, h or (h, c), [B, S]."""
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

"""ONNX graph of one step of a core, for runtimes without PyTorch."""

import io
import warnings

import torch
from torch import Tensor, nn

from liquid_control.cores.base import Core

INPUTS = ("features", "state", "dt")
OUTPUTS = ("outputs", "next_state")
OPSET = 17


class _Step(nn.Module):
    def __init__(self, core: Core) -> None:
        super().__init__()
        self.core = core

    def forward(self, features: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        outputs, after = self.core.step(features, state, dt)
        # A state that is passed through unchanged would have no node of its own.
        return (outputs if self.core.bounded else torch.tanh(outputs)), after + 0.0


def step_graph(core: Core) -> bytes:
    """Return one step of a core as a serialised ONNX graph of static shapes.

    Inputs `features` [1, I], `state` [1, S] and `dt` [1] in s; outputs `outputs` [1, O] in (-1, 1)
    and `next_state` [1, S]; all float32. Outputs of a core that does not bound them pass through
    tanh, as in training.
    """
    step = _Step(core.eval())
    given = (torch.zeros(1, core.input_size), core.init_state(1), torch.full((1,), 0.05))
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            step,
            given,
            written,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
        )
    return written.getvalue()

"""A liquid time-constant network as the few matrices that its steps need."""

from dataclasses import dataclass

import torch
from torch import Tensor

from liquid_control.liquid.cores.solver import Flow


@dataclass(frozen=True, slots=True)
class LtcNet:
    """Parameters of an LTC with R sensory and S other synapses, divided by the capacitances.

    Attributes:
        offset_in: of the sensory synapses' activation, input mapping included, [R].
        slope_in: [I, R].
        collection_in: from open sensory synapses to currents and conductances, [R, 2 N].
        leak: current and conductance of the leaks, [2 N].
        offset: of the synapses between neurons, [S].
        slope: [N, S].
        collection: [S, 2 N].
    """

    offset_in: Tensor
    slope_in: Tensor
    collection_in: Tensor
    leak: Tensor
    offset: Tensor
    slope: Tensor
    collection: Tensor

    def drive(self, x: Tensor) -> Tensor:
        """Return current and conductance that do not come from neurons, [..., 2 N]."""
        opened = torch.sigmoid(self.offset_in + x @ self.slope_in)
        return self.leak + opened @ self.collection_in

    def flow(self, drive: Tensor) -> Flow:
        """Return the equation under one step's drive [B, 2 N]."""

        def rates(state: Tensor) -> tuple[Tensor, Tensor]:
            opened = torch.sigmoid(torch.addmm(self.offset, state, self.slope))
            current, conductance = torch.addmm(drive, opened, self.collection).chunk(2, dim=1)
            return current, conductance

        return Flow(rates, (drive, self.offset, self.slope, self.collection))

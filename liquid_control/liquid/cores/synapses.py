"""Chemical synapses with sigmoid activation, of a liquid time-constant network."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.liquid.wiring import Synapses as Polarity

W_RANGE = (0.001, 1.0)
SIGMA_RANGE = (3.0, 8.0)
MU_RANGE = (0.3, 0.8)
"""Ranges of fresh parameters, as ncps 1.0.1 draws them."""


class SynapseBank(nn.Module):
    """The synapses from K sources to N neurons, parameters for those S that exist only.

    A synapse from source j to neuron i conducts w * sigmoid(sigma * (u_j - mu)) towards its
    reversal potential erev, whose sign is the polarity to begin with.

    Attributes:
        w: raw maximum conductance, [S].
        sigma: slope of the activation, [S].
        mu: source potential at half activation, [S].
        erev: reversal potential, [S].
        source: index of each synapse's source, [S].
        target: index of each synapse's neuron, [S].
    """

    source: Tensor
    target: Tensor
    from_source: Tensor
    to_target: Tensor

    def __init__(self, polarity: Polarity) -> None:
        super().__init__()
        signs = torch.tensor(polarity, dtype=torch.get_default_dtype())
        source, target = signs.nonzero(as_tuple=True)
        count = len(source)
        self.w = nn.Parameter(uniform(W_RANGE, count))
        self.sigma = nn.Parameter(uniform(SIGMA_RANGE, count))
        self.mu = nn.Parameter(uniform(MU_RANGE, count))
        self.erev = nn.Parameter(signs[source, target])
        self.register_buffer("source", source, persistent=False)
        self.register_buffer("target", target, persistent=False)
        sources, neurons = (functional.one_hot(torch.arange(size)) for size in signs.shape)
        self.register_buffer("from_source", sources[source].t().to(signs), persistent=False)
        self.register_buffer("to_target", neurons[target].to(signs), persistent=False)

    def activation(self) -> tuple[Tensor, Tensor]:
        """Return offset [S] and slope [K, S]: synapses open by sigmoid(offset + u @ slope)."""
        return -self.sigma * self.mu, self.from_source * self.sigma

    def collection(self, w: Tensor) -> Tensor:
        """Return what takes open synapses to currents and conductances of neurons, [S, 2 N].

        Args:
            w: maximum conductance, [S], >= 0.
        """
        return torch.cat(
            [self.to_target * (w * self.erev)[:, None], self.to_target * w[:, None]], dim=1
        )

    def reversal_range(self) -> tuple[Tensor, Tensor]:
        """Return the least and greatest of 0 and each neuron's reversal potentials, [N] each."""
        erev = self.erev.detach()
        none = erev.new_zeros(self.to_target.shape[1])
        least = none.scatter_reduce(0, self.target, erev, "amin")
        return least, none.scatter_reduce(0, self.target, erev, "amax")


def uniform(span: tuple[float, float], count: int) -> Tensor:
    """Return uniform draws between two bounds, [count], from torch's generator."""
    return torch.empty(count).uniform_(*span)

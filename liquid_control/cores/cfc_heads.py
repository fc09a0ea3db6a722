"""Element-wise part of a CfC step, from its maps to the new state, with derivatives.

The equations are those of `liquid_control.liquid.reference`. A head works on maps stacked along
one axis. `solve` is the plain form for one step, which autograd differentiates. The other methods
serve `cfc_scan`, which runs all steps first and then computes all derivatives at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from liquid_control.liquid.weights import Mode

Tick = Callable[[Tensor, Tensor], object]
"""Takes the elapsed time of a tick and the tensor for its new state."""


class Head(ABC):
    """Last, element-wise part of a CfC step.

    Shapes: K ticks, M maps, N neurons, B samples; `maps` [K, M, N, B], `elapsed` [K, N or 1, B] in
    time units, `pure` [2, N, 1], rows w_tau and A, None where the mode has none.
    """

    @abstractmethod
    def solve(self, maps: Sequence[Tensor], elapsed: Tensor, pure: Sequence[Tensor]) -> Tensor:
        """Return the new state from M maps of the state's shape; `pure` holds w_tau and A."""

    @abstractmethod
    def arranged(self, rows: Tensor) -> Tensor:
        """Return weights or biases [M, …] in the order of `Mode.maps` as `tick` needs them.

        This map is linear and symmetric; it is also its own adjoint, for gradients.
        """

    @abstractmethod
    def tick(self, maps: Tensor, pure: Tensor | None) -> Tick:
        """Return a function that computes a tick's new state from arranged maps [M, N, B].

        It overwrites the maps with what the derivatives need.
        """

    @abstractmethod
    def slopes(self, maps: Tensor, elapsed: Tensor, pure: Tensor | None) -> Tensor:
        """Return the derivative of every new state by its arranged maps, [K, M, N, B].

        Args:
            maps: of all ticks, as `tick` left them.
            elapsed: of all ticks.
            pure: as in `tick`.
        """

    @abstractmethod
    def time_slope(
        self, maps: Tensor, elapsed: Tensor, pure: Tensor | None, slopes: Tensor
    ) -> Tensor:
        """Return the derivative of every new state by its elapsed time, [K, N, B]."""

    @abstractmethod
    def pure_slopes(self, maps: Tensor, elapsed: Tensor, pure: Tensor | None) -> Tensor | None:
        """Return the derivative of every new state by w_tau and A, [2, K, N, B], or None."""


class Gated(Head):
    """Two heads and a time gate: modes `default` and `no_gate`.

    Attributes:
        keeps_first: whether the gate leaves the first head ungated, as in `no_gate`.
    """

    def __init__(self, *, keeps_first: bool) -> None:
        """Set the mode."""
        self.keeps_first = keeps_first

    def solve(self, maps: Sequence[Tensor], elapsed: Tensor, pure: Sequence[Tensor]) -> Tensor:
        """Return the new state."""
        ff1, ff2, time_a, time_b = maps
        gate = torch.sigmoid(torch.addcmul(time_b, time_a, elapsed))
        if self.keeps_first:
            return torch.addcmul(torch.tanh(ff1), torch.tanh(ff2), gate)
        return torch.lerp(torch.tanh(ff1), torch.tanh(ff2), gate)

    def arranged(self, rows: Tensor) -> Tensor:
        """Return twice ff1, twice ff2, time_b and time_a."""
        return torch.cat([2.0 * rows[:2], rows[3:], rows[2:3]])

    def tick(self, maps: Tensor, pure: Tensor | None) -> Tick:
        """Overwrite the first three maps with tanh of both heads and the gate.

        One sigmoid computes all three, as tanh(v) = 2 sigmoid(2 v) - 1. On a CPU, torch's sigmoid
        takes less than half the time of its tanh.
        """
        first, second, gate, time_a = maps.unbind()
        heads, curved = maps[:2], maps[:3]
        minus_one = torch.full_like(heads, -1.0)
        mix = torch.addcmul if self.keeps_first else torch.lerp

        def tick(elapsed: Tensor, after: Tensor) -> None:
            gate.addcmul_(time_a, elapsed)
            curved.sigmoid_()
            torch.add(minus_one, heads, alpha=2, out=heads)
            mix(first, second, gate, out=after)

        return tick

    def slopes(self, maps: Tensor, elapsed: Tensor, pure: Tensor | None) -> Tensor:
        """Return the derivatives by twice ff1, twice ff2, time_b and time_a."""
        first, second, gate, _ = maps.unbind(1)
        slopes = torch.empty_like(maps)
        by_first, by_second, by_time_b, by_time_a = slopes.unbind(1)
        opened = second if self.keeps_first else second - first
        half = 0.5 * gate
        fraction = torch.full_like(gate, 0.5) if self.keeps_first else 0.5 - half
        aten = torch.ops.aten
        aten.sigmoid_backward.grad_input(opened, gate, grad_input=by_time_b)
        torch.mul(by_time_b, elapsed, out=by_time_a)
        aten.tanh_backward.grad_input(fraction, first, grad_input=by_first)
        aten.tanh_backward.grad_input(half, second, grad_input=by_second)
        return slopes

    def time_slope(
        self, maps: Tensor, elapsed: Tensor, pure: Tensor | None, slopes: Tensor
    ) -> Tensor:
        """Return the derivative through the gate."""
        return slopes[:, 2] * maps[:, 3]

    def pure_slopes(self, maps: Tensor, elapsed: Tensor, pure: Tensor | None) -> None:
        """Return None: these modes have neither w_tau nor A."""


class Pure(Head):
    """Closed form of a liquid time-constant neuron: mode `pure`."""

    def solve(self, maps: Sequence[Tensor], elapsed: Tensor, pure: Sequence[Tensor]) -> Tensor:
        """Return the new state."""
        (drive,), (w_tau, rest) = maps, pure
        decay = torch.exp(-elapsed * (w_tau.abs() + drive.abs()))
        return rest - rest * decay * drive

    def arranged(self, rows: Tensor) -> Tensor:
        """Return the map unchanged."""
        return rows

    def tick(self, maps: Tensor, pure: Tensor | None) -> Tick:
        """Keep the map unchanged."""
        assert pure is not None
        drive, parameters = maps[0], pure.unbind()

        def tick(elapsed: Tensor, after: Tensor) -> None:
            after.copy_(self.solve((drive,), elapsed, parameters))

        return tick

    def slopes(self, maps: Tensor, elapsed: Tensor, pure: Tensor | None) -> Tensor:
        """Return the derivative by ff1."""
        assert pure is not None
        drive = maps[:, 0]
        size = drive.abs()
        decay = torch.exp(-elapsed * (pure[0].abs() + size))
        return (-pure[1] * decay * (1 - elapsed * size)).unsqueeze(1)

    def time_slope(
        self, maps: Tensor, elapsed: Tensor, pure: Tensor | None, slopes: Tensor
    ) -> Tensor:
        """Return the derivative through the decay."""
        assert pure is not None
        drive = maps[:, 0]
        rate = pure[0].abs() + drive.abs()
        return pure[1] * drive * rate * torch.exp(-elapsed * rate)

    def pure_slopes(self, maps: Tensor, elapsed: Tensor, pure: Tensor | None) -> Tensor:
        """Return the derivatives by w_tau and by A."""
        assert pure is not None
        drive = maps[:, 0]
        decayed = drive * torch.exp(-elapsed * (pure[0].abs() + drive.abs()))
        return torch.stack([pure[1] * decayed * elapsed * pure[0].sign(), 1 - decayed])


HEADS: Mapping[Mode, Head] = MappingProxyType(
    {
        Mode.DEFAULT: Gated(keeps_first=False),
        Mode.NO_GATE: Gated(keeps_first=True),
        Mode.PURE: Pure(),
    }
)

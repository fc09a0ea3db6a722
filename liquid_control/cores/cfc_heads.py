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

Tick = Callable[[int], object]


class Head(ABC):
    """Last, element-wise part of a CfC step.

    Shapes: K ticks, M maps, N neurons, B samples; `maps` [K, M, N, B], `elapsed` [K, N or 1, B] in
    time units, `pure` [2, N, 1], rows w_tau and A, None where the mode has none.
    """

    @abstractmethod
    def solve(self, maps: Sequence[Tensor], elapsed: Tensor, pure: Sequence[Tensor]) -> Tensor:
        """Return the new state from M maps of the state's shape; `pure` holds w_tau and A."""

    @abstractmethod
    def ticks(
        self, maps: Tensor, elapsed: Tensor, pure: Tensor | None, after: Sequence[Tensor]
    ) -> Tick:
        """Return a function that computes tick k from maps[k] into after[k].

        It may overwrite the maps.
        """

    @abstractmethod
    def slopes(self, maps: Tensor, elapsed: Tensor, pure: Tensor | None) -> Tensor:
        """Return the derivative of every new state by its maps, [K, M, N, B].

        Args:
            maps: as `ticks` left them.
            elapsed: as in `ticks`.
            pure: as in `ticks`.
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
    """Two heads and a time gate: modes `default` and `no_gate`."""

    def __init__(self, *, keeps_first: bool) -> None:
        """Set the mode; `keeps_first` leaves the first head ungated."""
        self._keeps_first = keeps_first

    def solve(self, maps: Sequence[Tensor], elapsed: Tensor, pure: Sequence[Tensor]) -> Tensor:
        """Return the new state."""
        ff1, ff2, time_a, time_b = maps
        gate = torch.sigmoid(torch.addcmul(time_b, time_a, elapsed))
        if self._keeps_first:
            return torch.addcmul(torch.tanh(ff1), torch.tanh(ff2), gate)
        return torch.lerp(torch.tanh(ff1), torch.tanh(ff2), gate)

    def ticks(
        self, maps: Tensor, elapsed: Tensor, pure: Tensor | None, after: Sequence[Tensor]
    ) -> Tick:
        """Overwrite the four maps with tanh of both heads, time_a and the gate."""
        both = maps[:, :2].unbind()
        first, second, time_a, gate = (maps[:, index].unbind() for index in range(4))
        times = elapsed.unbind()
        mix = torch.addcmul if self._keeps_first else torch.lerp

        def tick(k: int) -> None:
            both[k].tanh_()
            gate[k].addcmul_(time_a[k], times[k]).sigmoid_()
            mix(first[k], second[k], gate[k], out=after[k])

        return tick

    def slopes(self, maps: Tensor, elapsed: Tensor, pure: Tensor | None) -> Tensor:
        """Return the derivatives by ff1, ff2, time_a and time_b."""
        first, second, _, gate = maps.unbind(1)
        slopes = torch.empty_like(maps)
        by_first, by_second, by_time_a, by_time_b = slopes.unbind(1)
        opened = second if self._keeps_first else second - first
        fraction = torch.ones_like(gate) if self._keeps_first else 1 - gate
        aten = torch.ops.aten
        aten.sigmoid_backward.grad_input(opened, gate, grad_input=by_time_b)
        torch.mul(by_time_b, elapsed, out=by_time_a)
        aten.tanh_backward.grad_input(fraction, first, grad_input=by_first)
        aten.tanh_backward.grad_input(gate, second, grad_input=by_second)
        return slopes

    def time_slope(
        self, maps: Tensor, elapsed: Tensor, pure: Tensor | None, slopes: Tensor
    ) -> Tensor:
        """Return the derivative through the gate."""
        return slopes[:, 3] * maps[:, 2]

    def pure_slopes(self, maps: Tensor, elapsed: Tensor, pure: Tensor | None) -> None:
        """Return None: these modes have neither w_tau nor A."""


class Pure(Head):
    """Closed form of a liquid time-constant neuron: mode `pure`."""

    def solve(self, maps: Sequence[Tensor], elapsed: Tensor, pure: Sequence[Tensor]) -> Tensor:
        """Return the new state."""
        (drive,), (w_tau, rest) = maps, pure
        decay = torch.exp(-elapsed * (w_tau.abs() + drive.abs()))
        return rest - rest * decay * drive

    def ticks(
        self, maps: Tensor, elapsed: Tensor, pure: Tensor | None, after: Sequence[Tensor]
    ) -> Tick:
        """Keep the maps unchanged."""
        assert pure is not None
        drives, times = maps[:, 0].unbind(), elapsed.unbind()
        parameters = pure.unbind()

        def tick(k: int) -> None:
            after[k].copy_(self.solve((drives[k],), times[k], parameters))

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

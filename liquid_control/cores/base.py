"""The one interface of everything that steps a controller: explicit state, elapsed seconds."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor, nn

from liquid_control.cores.sequence_ops import run_once, run_packed
from liquid_control.errors import CellError
from liquid_control.liquid.checks import check_sequence, check_step
from liquid_control.seeding import stream

Advance = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


class Core(nn.Module, ABC):
    """A recurrent core: features and elapsed time in, outputs and a new state out.

    A state is one tensor [B, S]; what a core keeps of its past it keeps there, so that a state can
    be stored, sent and compared whatever the core is. Subclasses say how one step and a sequence
    are computed; checks and signatures are the same for all.

    Attributes:
        input_size: number of features I.
        output_size: number of outputs O.
        state_size: numbers in a state, S.
    """

    def __init__(self, input_size: int, output_size: int, state_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.output_size = output_size
        self.state_size = state_size

    def init_state(self, batch: int = 1) -> Tensor:
        """Return the state before the first step, [B, S]."""
        first = next(self.parameters())
        return self._start(batch, first.dtype, first.device)

    def step(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Advance by one step.

        Args:
            x: features [B, I].
            state: [B, S].
            dt: elapsed seconds since the step before, [B], >= 0.

        Returns:
            Outputs [B, O] and the new state [B, S].

        Raises:
            CellError: a shape does not fit, or dt is negative or not finite.
        """
        check_step(
            self.input_size, self.state_size, x.shape, state.shape, dt.detach().cpu().numpy()
        )
        return self._advance(x, state, dt.to(x.dtype))

    def sequence(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Advance through a sequence; equal to repeated `step`.

        Args:
            x: features [B, T, I].
            state: [B, S].
            dt: elapsed seconds before each step, [B, T], >= 0.
            mask: bool [B, T]; a False step leaves the state as it was; its output is finite but
                has no meaning. None for all True.

        Returns:
            Outputs [B, T, O] and the state after the last step [B, S].

        Raises:
            CellError: a shape does not fit, or dt is negative or not finite.
        """
        check_sequence(
            self.input_size,
            self.state_size,
            x.shape,
            state.shape,
            dt.detach().cpu().numpy(),
            None if mask is None else mask.cpu().numpy(),
        )
        return self._scan(x, state, dt.to(x.dtype), mask)

    def _start(self, batch: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return the state before the first step, [B, S]: zeros unless a core says otherwise."""
        return torch.zeros(batch, self.state_size, dtype=dtype, device=device)

    @abstractmethod
    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Advance by one step of checked arguments."""

    @abstractmethod
    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Advance through a sequence of checked arguments; `scan` does so step by step."""


def scan(
    advance: Advance, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Advance through a sequence step by step, as `Core.sequence` describes."""
    outputs = []
    for t in range(x.shape[1]):
        output, after = advance(x[:, t], state, dt[:, t])
        state = after if mask is None else torch.where(mask[:, t, None], after, state)
        outputs.append(output)
    return torch.stack(outputs, dim=1), state


class SequenceCore(Core):
    """A core whose subclasses say how a sequence is computed whose first steps count."""

    @abstractmethod
    def _run(
        self, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return outputs [B, T, O] and the state afterwards [B, S].

        Args:
            x: features [B, T, I].
            state: [B, S].
            dt: elapsed seconds [B, T].
            count: how many steps of each sequence count, the first ones, [B]; None for all.
        """

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        return run_once(self._run, x, state, dt)

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        return run_packed(self._run, x, state, dt, mask)


class StateLayout:
    """How tensors of fixed shapes lie side by side in a flat state [B, S].

    Attributes:
        size: numbers in a state, S.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        self._shapes = tuple(shapes)
        self._sizes = [prod(shape) for shape in self._shapes]
        self.size = sum(self._sizes)

    def split(self, state: Tensor) -> list[Tensor]:
        """Return the parts [B, *shape] of a state [B, S]."""
        parts = torch.split(state, self._sizes, dim=1)
        return [
            part.reshape(len(state), *shape)
            for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the state [B, S] of parts [B, *shape]."""
        return torch.cat([part.flatten(1) for part in parts], dim=1)


@contextmanager
def seeded_init(seed: int) -> Iterator[None]:
    """Let torch draw from stream `liquid.cores` of a seed, its own generator left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(seed, "liquid.cores").integers(2**63 - 1)))
        yield


class ElapsedInput(nn.Module):
    """Append log1p(dt / time_unit_s) to the features, or leave them as they are.

    Attributes:
        size: number of features afterwards.
    """

    def __init__(self, input_size: int, *, time_input: bool, time_unit_s: float) -> None:
        super().__init__()
        check_time_unit(time_unit_s)
        self.time_input = time_input
        self.time_unit_s = time_unit_s
        self.size = input_size + int(time_input)

    def forward(self, x: Tensor, dt: Tensor) -> Tensor:
        """Return features [..., size] of features [..., I] and elapsed seconds [...]."""
        if not self.time_input:
            return x
        return torch.cat([x, torch.log1p(dt / self.time_unit_s).unsqueeze(-1)], dim=-1)


def check_time_unit(time_unit_s: float) -> None:
    """Raise CellError unless a unit of time is positive."""
    if not time_unit_s > 0.0:
        raise CellError(f"expected time_unit_s > 0, got {time_unit_s}")


def check_sizes(**sizes: int) -> None:
    """Raise CellError unless every named size is at least 1."""
    for name, size in sizes.items():
        if size < 1:
            raise CellError(f"expected {name} >= 1, got {size}")

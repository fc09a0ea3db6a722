"""The interface of all recurrent cores: explicit state, elapsed time in seconds."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor, nn

from liquid_control.cores.arguments import (
    check_tensors,
    check_values,
    elapsed_tensor,
    without_hidden,
)
from liquid_control.cores.execution import LOW_PRECISION, autocast_disabled, is_tracing
from liquid_control.cores.sequence_ops import run_once, run_packed
from liquid_control.errors import CellError
from liquid_control.liquid.checks import (
    check_count,
    check_mask_type,
    check_sequence,
    check_sizes,
    check_step,
)
from liquid_control.seeding import stream

Advance = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


class Core(nn.Module, ABC):
    """A recurrent core: features and elapsed time in, outputs and a new state out.

    A state is one tensor [B, S] that holds everything the core remembers. States can therefore be
    stored, sent and compared in the same way for every core. Subclasses define one step and a
    sequence; checks and signatures are the same for all.

    All cores treat arguments alike, and refuse what does not fit in one line of a `CellError`:

    - dt is a tensor, or one number for all samples and steps.
    - Batches of no samples, B = 0, and sequences of no steps, T = 0, work: outputs are empty, and
      the state is returned unchanged.
    - Tensors of any floating-point dtype are converted to the dtype of the parameters; other
      dtypes, wrong shapes, and objects that are not tensors are refused.
    - NaN and infinity are refused in features, state and dt, and so is a negative dt.
    - A masked step is hidden: its features and dt are replaced by zeros before any arithmetic and
      are not checked. It leaves the state unchanged, receives no gradient and has no effect on
      other steps and samples. Its output is finite and has no meaning. A sample whose steps are
      all masked keeps its state bit for bit.

    A core computes in the dtype of its parameters, and `torch.autocast` has no effect inside.
    Parameters in bfloat16 or float16 are storage only: the computation and the state are float32,
    and the outputs have the parameters' dtype.

    `torch.export.export`, `torch.jit.trace` and ONNX export record `forward` for a fixed number
    of steps T >= 1 and any batch size B >= 1. A trace contains no checks of values.

    Attributes:
        input_size: number of features I.
        output_size: number of outputs O.
        state_size: numbers in a state, S.
    """

    def __init__(self, input_size: int, output_size: int, state_size: int) -> None:
        super().__init__()
        check_sizes(input_size=input_size, output_size=output_size)
        self.input_size = input_size
        self.output_size = output_size
        self.state_size = state_size
        self._first: tuple[nn.Module, str] | None = None

    @property
    def bounded(self) -> bool:
        """Whether outputs lie in (-1, 1) by construction; a policy applies tanh to others."""
        return False

    def init_state(self, batch: int = 1) -> Tensor:
        """Return the state before the first step, [B, S].

        Raises:
            CellError: the batch is not an integer >= 0.
        """
        if not is_tracing():
            check_count("batch", batch, least=0)
        first = self._first_parameter()
        dtype = torch.float32 if first.dtype in LOW_PRECISION else first.dtype
        return self._start(batch, dtype, first.device)

    def forward(
        self,
        x: Tensor,
        dt: Tensor | float,
        state: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Advance through a sequence; `core(x, dt)` equals `sequence(x, init_state(B), dt)`.

        Args:
            x: features [B, T, I].
            dt: elapsed seconds before each step, [B, T] or one number for all steps, >= 0.
            state: [B, S]; None for `init_state`.
            mask: bool [B, T], as in `sequence`; None for all True.

        Returns:
            Outputs [B, T, O] and the state after the last step [B, S].

        Raises:
            CellError: an argument does not fit; see `Core`.
        """
        check_tensors(x)
        if state is None:
            state = self.init_state(x.shape[0] if x.dim() else 0)
        return self.sequence(x, state, dt, mask)

    def step(self, x: Tensor, state: Tensor, dt: Tensor | float) -> tuple[Tensor, Tensor]:
        """Advance by one step.

        Args:
            x: features [B, I].
            state: [B, S].
            dt: elapsed seconds since the previous step, [B] or one number for all samples, >= 0.

        Returns:
            Outputs [B, O] and the new state [B, S].

        Raises:
            CellError: an argument does not fit; see `Core`.
        """
        check_tensors(x, state)
        dt = elapsed_tensor(dt, x, axes=1)
        check_step(self.input_size, self.state_size, x.shape, state.shape, dt.shape)
        check_values(x, state, dt)
        if not is_tracing() and not len(x):
            outputs, state = self._without_steps(x[:, None], state)
            return outputs[:, 0], state
        dtype = self._first_parameter().dtype
        if dtype in LOW_PRECISION:
            outputs, after = self._in_single_precision(x[:, None], state, dt[:, None], None)
            return outputs[:, 0], after
        with autocast_disabled(x.device):
            return self._advance(x.to(dtype), state.to(dtype), dt.to(dtype))

    def sequence(
        self, x: Tensor, state: Tensor, dt: Tensor | float, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Advance through a sequence; equal to repeated `step`.

        Args:
            x: features [B, T, I].
            state: [B, S].
            dt: elapsed seconds before each step, [B, T] or one number for all steps, >= 0.
            mask: bool [B, T], False for masked steps, see `Core`; None for all True.

        Returns:
            Outputs [B, T, O] and the state after the last step [B, S].

        Raises:
            CellError: an argument does not fit; see `Core`.
        """
        check_tensors(x, state)
        dt = elapsed_tensor(dt, x, axes=2)
        if mask is not None:
            check_mask_type(getattr(mask, "dtype", type(mask).__name__), torch.bool)
        mask_shape = None if mask is None else mask.shape
        check_sequence(
            self.input_size, self.state_size, x.shape, state.shape, dt.shape, mask_shape
        )
        if mask is not None:
            x, dt = without_hidden(x, dt, mask)
        check_values(x, state, dt)
        if not is_tracing() and not x.shape[:2].numel():
            return self._without_steps(x, state)
        dtype = self._first_parameter().dtype
        if dtype in LOW_PRECISION:
            return self._in_single_precision(x, state, dt, mask)
        with autocast_disabled(x.device):
            return self._scan(x.to(dtype), state.to(dtype), dt.to(dtype), mask)

    def _without_steps(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the results for features [B, T, I] with B = 0 or T = 0."""
        dtype = self._first_parameter().dtype
        after = state.to(torch.float32 if dtype in LOW_PRECISION else dtype)
        return x.new_zeros(*x.shape[:2], self.output_size, dtype=dtype), after

    def _in_single_precision(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Run a sequence with parameters and buffers converted to float32."""
        tensors = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        widened = {
            name: tensor.float() for name, tensor in tensors.items() if tensor.is_floating_point()
        }
        arguments = (x, dt, state, mask)
        outputs, after = torch.func.functional_call(self, widened, arguments)
        return outputs.to(self._first_parameter().dtype), after

    def _first_parameter(self) -> Tensor:
        """Return the first of `parameters()`, without searching for it on every step."""
        if self._first is not None:
            module, name = self._first
            parameter = module._parameters.get(name)
            if parameter is not None:
                return parameter
        path, parameter = next(self.named_parameters())
        owner, _, name = path.rpartition(".")
        self._first = self.get_submodule(owner), name
        return parameter

    def _start(self, batch: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return the state before the first step, [B, S]; zeros unless a core overrides it."""
        return torch.zeros(batch, self.state_size, dtype=dtype, device=device)

    @abstractmethod
    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Advance by one step of checked arguments."""

    @abstractmethod
    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Advance through a sequence of checked arguments; `scan` does so step by step.

        Features and dt of masked steps are zeros.
        """


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
    """A core that computes all steps of a sequence at once.

    Subclasses define `_run` for sequences of which only the first steps count. A mask is reduced
    to this case by moving the unmasked steps to the front.
    """

    @abstractmethod
    def _run(
        self, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return outputs [B, T, O] and the state afterwards [B, S].

        Args:
            x: features [B, T, I].
            state: [B, S].
            dt: elapsed seconds [B, T].
            count: number of steps at the start of each sequence that count, [B]; None for all.
        """

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        return run_once(self._run, x, state, dt)

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if mask is not None and is_tracing():
            return scan(self._advance, x, state, dt, mask)
        return run_packed(self._run, x, state, dt, mask)


class StateLayout:
    """Layout of tensors of fixed shapes within a flat state [B, S].

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
            part.reshape(state.shape[0], *shape)
            for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the state [B, S] of parts [B, *shape]."""
        return torch.cat([part.flatten(1) for part in parts], dim=1)


@contextmanager
def seeded_init(seed: int) -> Iterator[None]:
    """Draw from stream `liquid.cores` of a seed in the block; torch's generator is restored."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(seed, "liquid.cores").integers(2**63 - 1)))
        yield


class ElapsedInput(nn.Module):
    """Append log1p(dt / time_unit_s) to the features, or return them unchanged.

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
    """Raise CellError unless the time unit is positive."""
    if not time_unit_s > 0.0:
        raise CellError(f"expected time_unit_s > 0, got {time_unit_s}")

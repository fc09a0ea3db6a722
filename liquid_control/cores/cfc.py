"""Dense closed-form continuous-time cell (CfC) with a backbone shared by its maps.

Hasani et al. 2022 (doi 10.1038/s42256-022-00556-7, arXiv 2106.13898). A backbone
transforms the features x and the state h; linear maps of its output give the new state:

    z  = backbone([x, h])
    s  = sigmoid(time_a(z) * dt / time_unit + time_b(z))
    h' = tanh(ff1(z)) * (1 - s) + tanh(ff2(z)) * s          mode default
    h' = tanh(ff1(z)) + s * tanh(ff2(z))                    mode no_gate
    h' = A - A * exp(-(|w_tau| + |ff1(z)|) * dt / time_unit) * ff1(z)    mode pure

Options and defaults are those of ncps 1.0.1, whose weights `cfc_from_ncps` loads.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.cores.base import Core, check_time_unit, scan, seeded_init
from liquid_control.cores.cfc_heads import HEADS
from liquid_control.cores.cfc_scan import Numbers, Stack, scan_cfc
from liquid_control.cores.execution import is_tracing
from liquid_control.errors import CellError
from liquid_control.liquid.checks import check_count, check_sizes
from liquid_control.liquid.weights import Mode


def lecun_tanh(values: Tensor) -> Tensor:
    """Return 1.7159 tanh(0.666 x) (LeCun et al. 1998, doi 10.1007/3-540-49430-8_2)."""
    return 1.7159 * torch.tanh(0.666 * values)


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "lecun_tanh": lecun_tanh,
        "tanh": torch.tanh,
        "relu": functional.relu,
        "silu": functional.silu,
        "gelu": functional.gelu,
    }
)


class DenseCfC(Core):
    """A dense CfC and a linear readout; the state is h [B, units].

    Attributes:
        mode: equation from the maps to the new state.
        time_unit_s: unit of elapsed time in the equations, s.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        units: int = 64,
        mode: Mode | str = Mode.DEFAULT,
        backbone_units: int = 128,
        backbone_layers: int = 1,
        backbone_activation: str = "lecun_tanh",
        backbone_dropout: float = 0.0,
        readout: bool = True,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        """Initialise a core with random weights.

        Args:
            input_size: number of features.
            output_size: number of outputs.
            units: size of the state.
            mode: `default`, `no_gate` or `pure`.
            backbone_units: size of each layer of the backbone.
            backbone_layers: number of its layers; 0 for no backbone.
            backbone_activation: a key of `ACTIVATIONS`.
            backbone_dropout: fraction of units dropped in training after each layer except the
                first, as in ncps.
            readout: whether a linear map gives the outputs; without one they are the state.
            time_unit_s: unit of elapsed time in the equations, preferably the nominal dt, s.
            seed: of the weights.

        Raises:
            CellError: a size, the activation or the time unit is out of range, or output_size
                differs from units without a readout.
        """
        super().__init__(input_size, output_size, units)
        check_sizes(input_size=input_size, units=units, backbone_units=backbone_units)
        check_time_unit(time_unit_s)
        _check(backbone_layers, backbone_activation, backbone_dropout)
        if not readout and output_size != units:
            raise CellError(f"expected {units} outputs without a readout, got {output_size}")
        self.mode = Mode(mode)
        self.time_unit_s = time_unit_s
        self._activation = ACTIVATIONS[backbone_activation]
        self._dropout = backbone_dropout if backbone_layers > 1 else 0.0
        self._head = HEADS[self.mode]
        widths = [input_size + units, *[backbone_units] * backbone_layers]
        with seeded_init(seed):
            self.backbone = nn.ModuleList(
                _xavier(nn.Linear(before, after), 1) for before, after in pairwise(widths)
            )
            maps = len(self.mode.maps)
            self.maps = _xavier(nn.Linear(widths[-1], maps * units), maps)
            self.pure = nn.Parameter(_initial_pure(units)) if self.mode is Mode.PURE else None
            self.readout: nn.Module = nn.Linear(units, output_size) if readout else nn.Identity()

    def _layers(self) -> list[nn.Linear]:
        return [layer for layer in self.backbone if isinstance(layer, nn.Linear)]

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        value = torch.cat([x, state], dim=1)
        for index, layer in enumerate(self._layers()):
            value = self._activation(layer(value))
            if index and self._dropout:
                value = functional.dropout(value, self._dropout, self.training)
        maps = self.maps(value).chunk(len(self.mode.maps), dim=1)
        elapsed = (dt / self.time_unit_s).unsqueeze(1)
        after = self._head.solve(maps, elapsed, () if self.pure is None else self.pure.unbind())
        return self.readout(after), after

    def _arranged(self, rows: Tensor) -> Tensor:
        """Return weights or biases of all maps [M N, …] as the head needs them."""
        maps = rows.view(len(self.mode.maps), self.state_size, *rows.shape[1:])
        return self._head.arranged(maps).flatten(0, 1)

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if is_tracing() or (self._dropout and self.training):
            return scan(self._advance, x, state, dt, mask)
        linears = [*self._layers(), self.maps]
        weights = [*(layer.weight for layer in linears[:-1]), self._arranged(self.maps.weight)]
        biases = [*(layer.bias for layer in linears[:-1]), self._arranged(self.maps.bias)]
        into, recurrent = weights[0][:, : self.input_size], weights[0][:, self.input_size :]
        steps = x.shape[1]
        driven = torch.bmm(into.expand(steps, -1, -1), x.permute(1, 2, 0))
        numbers = Numbers(
            drive=driven.unsqueeze(1),
            bias=biases[0].unsqueeze(1),
            elapsed=(dt / self.time_unit_s).t().unsqueeze(1),
            state=state.t(),
            recurrent=recurrent,
            pure=None if self.pure is None else self.pure.unsqueeze(2),
            deeper=[
                part
                for weight, bias in zip(weights[1:], biases[1:], strict=True)
                for part in (weight, bias.unsqueeze(1))
            ],
        )
        due = [None] * steps if mask is None else mask.t().unsqueeze(1).unbind()
        states = scan_cfc(Stack(self._head, self._activation, due), numbers)
        return self.readout(states.permute(2, 0, 1)), states[-1].t()


def _check(layers: int, activation: str, dropout: float) -> None:
    check_count("backbone_layers", layers, least=0)
    if activation not in ACTIVATIONS:
        raise CellError(f"no activation {activation!r}; choose one of {', '.join(ACTIVATIONS)}")
    if not 0.0 <= dropout < 1.0:
        raise CellError(f"expected backbone_dropout in [0, 1), got {dropout}")


def _xavier(linear: nn.Linear, maps: int) -> nn.Linear:
    """Initialise each of the stacked maps of a layer with Xavier-uniform weights, as ncps does."""
    for weight in linear.weight.detach().chunk(maps):
        nn.init.xavier_uniform_(weight)
    return linear


def _initial_pure(units: int) -> Tensor:
    """Return w_tau between 0 and 1, and A equal to 1; see `liquid_control.liquid.weights`."""
    return torch.stack([torch.rand(units), torch.ones(units)])


class MixedMemory(Core):
    """A core behind an LSTM cell; the state is the core's h, then c, [B, 2 S].

    Lechner and Hasani 2020 (arXiv 2006.04418); with a CfC it is the CfC-mmRNN of Hasani et al.
    2022 (arXiv 2106.13898). The core's state h is also the output of the LSTM cell:

        i, ig, fg, og = W x + b + R h
        c' = c * sigmoid(fg + 1) + tanh(i) * sigmoid(ig)
        h~ = tanh(c') * sigmoid(og)
        outputs, h' = core(x, h~, dt)

    A step needs the complete state of the previous step, so a sequence is computed step by step;
    only W x + b is computed for all steps at once.

    Attributes:
        core: the LSTM cell replaces its state before each step.
    """

    def __init__(self, core: Core, *, seed: int = 0) -> None:
        """Place an LSTM cell with random weights before a core."""
        super().__init__(core.input_size, core.output_size, 2 * core.state_size)
        self.core = core
        with seeded_init(seed):
            self.input_map = nn.Linear(core.input_size, 4 * core.state_size)
            self.recurrent_map = nn.Linear(core.state_size, 4 * core.state_size, bias=False)
            nn.init.xavier_uniform_(self.input_map.weight)
            nn.init.uniform_(self.input_map.bias, -0.1, 0.1)
            nn.init.orthogonal_(self.recurrent_map.weight)

    @classmethod
    def with_dense_cfc(
        cls, input_size: int, output_size: int, *, seed: int = 0, **options: Any
    ) -> "MixedMemory":
        """Return a dense CfC behind an LSTM cell, CfC-mmRNN; options are those of `DenseCfC`."""
        return cls(DenseCfC(input_size, output_size, seed=seed, **options), seed=seed)

    def _start(self, batch: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        first = self.core.init_state(batch)
        return torch.cat([first, torch.zeros_like(first)], dim=1)

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        return self._remember(torch.cat([x, self.input_map(x)], dim=1), state, dt)

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        return scan(self._remember, torch.cat([x, self.input_map(x)], dim=2), state, dt, mask)

    def _remember(self, both: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Advance by one step of x and W x + b, concatenated."""
        x, mapped = both[:, : self.input_size], both[:, self.input_size :]
        hidden, cell = state.chunk(2, dim=1)
        maps = torch.addmm(mapped, hidden, self.recurrent_map.weight.t())
        candidate, enter, forget, leave = maps.chunk(4, dim=1)
        cell = cell * torch.sigmoid(forget + 1.0) + torch.tanh(candidate) * torch.sigmoid(enter)
        hidden = torch.tanh(cell) * torch.sigmoid(leave)
        outputs, after = self.core._advance(x, hidden, dt)
        return outputs, torch.cat([after, cell], dim=1)

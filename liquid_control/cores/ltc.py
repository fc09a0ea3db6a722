"""Liquid time-constant networks: neurons whose time constants depend on their inputs.

Hasani, Lechner, Amini, Rus, Grosu, AAAI 2021 (arXiv 2006.04439), in the form used by neural
circuit policies (Lechner et al. 2020, doi 10.1038/s42256-020-00237-3): neuron i with a leak
and synapses from neurons and inputs j follows

    cm_i dv_i/dt = gleak_i (vleak_i - v_i) + sum_j w_ji s_ji (erev_ji - v_i),
    s_ji = sigmoid(sigma_ji (u_j - mu_ji)).

Theorem 2 of the paper bounds the states: every term of the right-hand side pulls v_i towards
vleak_i or some erev_ji. v_i therefore stays between the least and the greatest of these values and
its initial value. The fused solver keeps this bound for any elapsed time, since its step is a
weighted mean of these values and v_i.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.cores.base import Core, check_time_unit, seeded_init
from liquid_control.cores.execution import is_exporting_onnx, is_tracing
from liquid_control.cores.ltc_scan import fused_scan
from liquid_control.cores.solvers import Flow, Fused, Solver, check_solved, march
from liquid_control.errors import CellError
from liquid_control.liquid.checks import check_sizes
from liquid_control.liquid.wiring import Synapses as Polarity
from liquid_control.liquid.wiring import Wiring
from liquid_control.liquid.wiring_generators import auto_ncp


@dataclass(frozen=True, slots=True)
class LtcNet:
    """Parameters of an LTC with R sensory and S other synapses, divided by the capacitances.

    Attributes:
        offset_in: offset of the sensory synapses' activation, including the input mapping, [R].
        slope_in: slope of the same, [I, R].
        collection_in: map from open sensory synapses to currents and conductances, [R, 2 N].
        leak: current and conductance of the leaks, [2 N].
        offset: as `offset_in`, for the synapses between neurons, [S].
        slope: as `slope_in`, [N, S].
        collection: as `collection_in`, [S, 2 N].
    """

    offset_in: Tensor
    slope_in: Tensor
    collection_in: Tensor
    leak: Tensor
    offset: Tensor
    slope: Tensor
    collection: Tensor

    def drive(self, x: Tensor) -> Tensor:
        """Return current and conductance from inputs and leaks, [..., 2 N]."""
        opened = torch.sigmoid(self.offset_in + x @ self.slope_in)
        return self.leak + opened @ self.collection_in

    def flow(self, drive: Tensor) -> Flow:
        """Return the equation under the drive of one step, [B, 2 N]."""

        def rates(state: Tensor) -> tuple[Tensor, Tensor]:
            opened = torch.sigmoid(torch.addmm(self.offset, state, self.slope))
            current, conductance = torch.addmm(drive, opened, self.collection).chunk(2, dim=1)
            return current, conductance

        return Flow(rates, (drive, self.offset, self.slope, self.collection))


W_RANGE = (0.001, 1.0)
SIGMA_RANGE = (3.0, 8.0)
MU_RANGE = (0.3, 0.8)
"""Ranges of initial parameters, those of ncps 1.0.1."""


class SynapseBank(nn.Module):
    """Parameters of the S existing synapses from K sources to N neurons.

    A synapse from source j to neuron i conducts w * sigmoid(sigma * (u_j - mu)) towards its
    reversal potential erev, whose initial sign is the polarity.

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
        """Return the map from open synapses to currents and conductances of neurons, [S, 2 N].

        Args:
            w: maximum conductance, [S], >= 0.
        """
        return torch.cat(
            [self.to_target * (w * self.erev)[:, None], self.to_target * w[:, None]], dim=1
        )

    def reversal_range(self) -> tuple[Tensor, Tensor]:
        """Return the least and greatest of 0 and each neuron's reversal potentials, [N] each."""
        erev = self.erev.detach()
        zeros = erev.new_zeros(self.to_target.shape[1])
        least = zeros.scatter_reduce(0, self.target, erev, "amin")
        return least, zeros.scatter_reduce(0, self.target, erev, "amax")


def uniform(span: tuple[float, float], count: int) -> Tensor:
    """Return uniform random numbers between two bounds, [count], from torch's generator."""
    return torch.empty(count).uniform_(*span)


GLEAK_RANGE = (0.001, 1.0)
VLEAK_RANGE = (-0.2, 0.2)
CM_RANGE = (0.4, 0.6)
"""Ranges of initial parameters, those of ncps 1.0.1."""

LEAST_CM = 1e-8
"""A neuron with a capacitance this small follows its inputs at once, as it would at zero."""


class Positivity(str, Enum):
    """How conductances and capacitances are kept non-negative.

    `SOFTPLUS`: softplus of the stored parameter, as implicit_param_constraints=True in ncps.
    `CLIPPED`: the stored parameter, with negative values replaced by zero; call
    `LTC.clip_parameters` after each optimiser step, as apply_weight_constraints in ncps.
    """

    SOFTPLUS = "softplus"
    CLIPPED = "clipped"


class LTC(Core):
    """Wired liquid time-constant core; its outputs are a mapping of the wiring's last layer.

    Attributes:
        wiring: synapses and their polarities.
        solver: integrates states over elapsed time.
        positivity: how conductances and capacitances are kept non-negative.
        epsilon: conductance of each neuron towards zero, in addition to its leak.
        time_unit_s: unit of elapsed time in the equations, s.
    """

    def __init__(
        self,
        wiring: Wiring,
        *,
        solver: Solver | None = None,
        positivity: Positivity = Positivity.SOFTPLUS,
        epsilon: float = 0.0,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        """Initialise a core with random weights.

        Args:
            wiring: synapses and their polarities; a synapse may join any two neurons.
            solver: None for `Fused()`, six unfolds.
            positivity: how conductances and capacitances are kept non-negative.
            epsilon: conductance of each neuron towards zero, in addition to its leak; ncps adds
                1e-8 to its denominators.
            time_unit_s: unit of elapsed time in the equations, preferably the nominal dt, s.
            seed: of the weights.

        Raises:
            CellError: time_unit_s is not positive, or epsilon is negative.
        """
        super().__init__(wiring.inputs, wiring.outputs, wiring.neurons)
        check_time_unit(time_unit_s)
        self.wiring = wiring
        self.solver = solver or Fused()
        if not 0.0 <= epsilon < float("inf"):
            raise CellError(f"expected epsilon >= 0, got {epsilon}")
        self.positivity = Positivity(positivity)
        self.epsilon = epsilon
        self.time_unit_s = time_unit_s
        with seeded_init(seed):
            self.gleak = nn.Parameter(uniform(GLEAK_RANGE, wiring.neurons))
            self.vleak = nn.Parameter(uniform(VLEAK_RANGE, wiring.neurons))
            self.cm = nn.Parameter(uniform(CM_RANGE, wiring.neurons))
            self.recurrent = SynapseBank(wiring.recurrent)
            self.sensory = SynapseBank(wiring.sensory)
        self.input_w = nn.Parameter(torch.ones(wiring.inputs))
        self.input_b = nn.Parameter(torch.zeros(wiring.inputs))
        self.output_w = nn.Parameter(torch.ones(wiring.outputs))
        self.output_b = nn.Parameter(torch.zeros(wiring.outputs))
        if self.positivity is Positivity.SOFTPLUS:
            with torch.no_grad():
                for raw in self._positives():
                    raw.copy_(torch.log(torch.expm1(raw)))

    @classmethod
    def with_auto_ncp(
        cls, input_size: int, output_size: int, *, neurons: int = 19, **options: Any
    ) -> "LTC":
        """Return a core over `auto_ncp(input_size, neurons, output_size)`."""
        check_sizes(neurons=neurons)
        return cls(auto_ncp(input_size, neurons, output_size), **options)

    def state_range(self) -> tuple[Tensor, Tensor]:
        """Return the bounds of a state that starts at zero, low [N] and high [N]."""
        vleak = self.vleak.detach()
        spans = [(vleak, vleak)] + [bank.reversal_range() for bank in self._banks()]
        lows, highs = (torch.stack(ends) for ends in zip(*spans, strict=True))
        return lows.amin(dim=0).clamp(max=0.0), highs.amax(dim=0).clamp(min=0.0)

    def clip_parameters(self) -> None:
        """Set negative conductances and capacitances to zero if positivity is `CLIPPED`."""
        if self.positivity is Positivity.CLIPPED:
            with torch.no_grad():
                for raw in self._positives():
                    raw.clamp_(min=0.0)

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        outputs, after = self._march(x[:, None], state, dt[:, None], None)
        return outputs[:, 0], after

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        plain = is_tracing() or not torch.is_grad_enabled()
        if plain or not isinstance(self.solver, Fused):
            return self._march(x, state, dt, mask)
        elapsed = dt / self.time_unit_s
        net = self._net()
        drive = net.drive(x.transpose(0, 1)).contiguous()
        part = self.solver.part(elapsed).t().contiguous()
        inner = (net.offset, net.slope, net.collection)
        states = fused_scan(drive, state, part, *inner, self.solver.unfolds).transpose(0, 1)
        check_solved(self.solver.name, states, state, elapsed, self._bound())
        return self._read(states), states[:, -1]

    def _march(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        net = self._net()
        drives = net.drive(x)
        states = march(
            self.solver,
            lambda t: net.flow(drives[:, t]),
            state,
            dt / self.time_unit_s,
            mask,
            bound=self._bound(),
        )
        return self._read(states), states[:, -1]

    def _net(self) -> LtcNet:
        """Return the parameters in the form that the steps of a sequence use."""
        gleak, cm = self._positive(self.gleak), self._positive(self.cm)
        charge = (1.0 / cm.clamp(min=LEAST_CM)).repeat(2)
        offset, slope = self.sensory.activation()
        if is_exporting_onnx():
            offset = offset + slope.t() @ self.input_b
        else:
            offset = torch.addmv(offset, slope.t(), self.input_b)
        return LtcNet(
            offset_in=offset,
            slope_in=slope * self.input_w[:, None],
            collection_in=self.sensory.collection(self._positive(self.sensory.w)) * charge,
            leak=torch.cat([gleak * self.vleak, gleak + self.epsilon]) * charge,
            offset=self.recurrent.activation()[0],
            slope=self.recurrent.activation()[1],
            collection=self.recurrent.collection(self._positive(self.recurrent.w)) * charge,
        )

    def _read(self, states: Tensor) -> Tensor:
        motor = states[..., self.wiring.slices[-1]]
        return torch.addcmul(self.output_b, motor, self.output_w)

    def _bound(self) -> float:
        if is_tracing():
            return float("inf")
        return max(float(end.abs().max()) for end in self.state_range())

    def _banks(self) -> tuple[SynapseBank, SynapseBank]:
        return self.recurrent, self.sensory

    def _positives(self) -> list[nn.Parameter]:
        return [self.gleak, self.cm, *(bank.w for bank in self._banks())]

    def _positive(self, raw: Tensor) -> Tensor:
        if self.positivity is Positivity.SOFTPLUS:
            return functional.softplus(raw)
        return raw.clamp(min=0.0)

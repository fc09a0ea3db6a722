"""Event-driven form of the wired CfC in fixed point: what does not move is not computed again.

Every source of the cell (feature, neuron, elapsed time) holds the value that it sent last. It
sends its change when that is larger than a threshold (send-on-delta, Miskowicz 2006,
doi 10.3390/s6010049; for networks, delta networks, Neil et al. 2017, arXiv 1612.05571), and the
change times the weights is added to the sums of its targets. A neuron is computed again only
if one of its sums or the elapsed time has changed since it was computed last.

Sums are integers of 64 bits, so the order of additions does not matter and nothing drifts: after
any number of steps a sum equals, bit for bit, the sum over the values sent. With a threshold of 0
every value sent is the present one, and the step is that of `fixed_point.FixedCfC`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError, ConfigError
from liquid_control.liquid.fixed_point import (
    ARGUMENT_BITS,
    FEATURE_BITS,
    FEATURE_LIMIT,
    STATE_BITS,
    FixedWeights,
    Integers,
)

MAPS_OF_NEURON = 4
NEURON_MACS = 3
"""Of a neuron besides its synapses: time_a dt + time_b, and the two products of its new state."""
NEURON_ADDITIONS = 5
"""Four biases, and 1 - s."""
STEP_ROUNDING = 2.0**-13
"""More than the rounding of sums, tables and states moves the difference of two states."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Operations of a number of steps.

    Attributes:
        macs: multiply-accumulates: a weight times a value or a change, added to a sum.
        additions: without a product: biases, and the subtractions that test for a change.
        nonzero_macs: multiply-accumulates that the dense form does with values that are not 0.
        sent: values that were sent.
        sources: values that could have been sent.
        computed: neurons or activations that were computed.
        neurons: those that the dense form computes.
    """

    macs: int = 0
    additions: int = 0
    nonzero_macs: int = 0
    sent: int = 0
    sources: int = 0
    computed: int = 0
    neurons: int = 0

    def __add__(self, other: "Operations") -> "Operations":
        return Operations(*(a + b for a, b in zip(self.counts, other.counts, strict=True)))

    @property
    def counts(self) -> tuple[int, ...]:
        """The counts in the order of the attributes."""
        names = self.__dataclass_fields__
        return tuple(getattr(self, name) for name in names)

    @property
    def sparsity(self) -> float:
        """Fraction of values that were not sent; 0 without any."""
        return 1.0 - self.sent / self.sources if self.sources else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class EventState:
    """State of the cell between two steps.

    Attributes:
        states: of the neurons, [N], Q15.
        gates: their time gates when they were computed last, [N], Q15.
        sent: the value that each source sent last, [I + N], Q13 and Q15.
        sums: of products of weights and values sent, [N, 4].
        waiting: whether a sum of a neuron has changed since it was computed, bool [N].
        elapsed: time units that were sent last, Q16; -1 before the first step.
    """

    states: Integers
    gates: Integers
    sent: Integers
    sums: Integers
    waiting: NDArray[np.bool_]
    elapsed: int = -1


class EventCfC:
    """Wired CfC whose neurons are computed only where their inputs moved.

    Attributes:
        weights: in fixed point.
        threshold: largest change that is not sent. A feature and a state are in units of one, the
            elapsed time in units of the cell's time unit.
    """

    def __init__(self, weights: FixedWeights, threshold: float) -> None:
        """List the targets of each source.

        Raises:
            ConfigError: the threshold is negative or not below 4.
        """
        check_threshold("core", threshold, FEATURE_LIMIT)
        self.weights, self.threshold = weights, threshold
        wiring = weights.wiring
        sources = wiring.inputs + wiring.neurons
        self._outgoing = np.zeros((sources, wiring.neurons, MAPS_OF_NEURON), np.int64)
        self._reaches = np.zeros((sources, wiring.neurons), bool)
        targets = np.repeat(np.arange(wiring.neurons), weights.counts)
        origins = np.asarray(weights.sources, np.int64)
        origins = np.where(origins >= sources, origins - wiring.neurons, origins)
        self._outgoing[origins, targets] = weights.weights
        self._reaches[origins, targets] = True
        self._fan_out = self._reaches.sum(axis=1)
        self._steps = np.repeat(
            [integer_threshold(threshold, bits) for bits in (FEATURE_BITS, STATE_BITS)],
            [wiring.inputs, wiring.neurons],
        )
        self._elapsed_step = integer_threshold(threshold, ARGUMENT_BITS)

    @property
    def dense(self) -> Operations:
        """Operations of a step of the dense form in which no value is 0."""
        wiring = self.weights.wiring
        macs = MAPS_OF_NEURON * int(self._fan_out.sum()) + NEURON_MACS * wiring.neurons
        sources = wiring.inputs + wiring.neurons
        return Operations(
            macs=macs,
            additions=NEURON_ADDITIONS * wiring.neurons,
            nonzero_macs=macs,
            sent=sources,
            sources=sources,
            computed=wiring.neurons,
            neurons=wiring.neurons,
        )

    @property
    def state_bytes(self) -> int:
        """Memory of the state in exported C, bytes; the dense form needs two a neuron."""
        wiring = self.weights.wiring
        size = wiring.neurons * (8 * MAPS_OF_NEURON + 5) + 8 + 2 * wiring.inputs
        return -(-size // 8) * 8

    def init_state(self) -> EventState:
        """Return the state before the first step: zeros were sent."""
        wiring = self.weights.wiring
        neurons = np.zeros(wiring.neurons, np.int64)
        return EventState(
            states=neurons,
            gates=neurons.copy(),
            sent=np.zeros(wiring.inputs + wiring.neurons, np.int64),
            sums=np.zeros((wiring.neurons, MAPS_OF_NEURON), np.int64),
            waiting=np.ones(wiring.neurons, bool),
        )

    def step(
        self, inputs: Integers, state: EventState, dt_us: int
    ) -> tuple[EventState, Operations]:
        """Advance by one step.

        Args:
            inputs: features [I], Q13, from `fixed_features`.
            state: after the previous step.
            dt_us: microseconds since then, at least 0.

        Returns:
            The new state, and the operations of the step.

        Raises:
            CellError: the number of inputs does not fit, or dt is negative.
        """
        wiring = self.weights.wiring
        if inputs.shape != (wiring.inputs,) or dt_us < 0:
            raise CellError(
                f"expected {wiring.inputs} inputs and dt >= 0 us, got {inputs.shape} and {dt_us}"
            )
        after = EventState(
            state.states.copy(),
            state.gates.copy(),
            state.sent.copy(),
            state.sums.copy(),
            state.waiting.copy(),
            self._sent_elapsed(state.elapsed, self.weights.elapsed(dt_us)),
        )
        new_time = after.elapsed != state.elapsed
        sent = self._send(after, slice(0, wiring.inputs), inputs)
        fan_out, computed = int(self._fan_out[sent].sum()), 0
        events, nonzero = len(sent), int(self._fan_out[: wiring.inputs][inputs != 0].sum())
        for own in wiring.slices:
            chosen = np.zeros(wiring.neurons, bool)
            chosen[own] = after.waiting[own] | new_time
            after.waiting[own] = False
            new = self.weights.new_states(chosen, after.sums[chosen], after.elapsed)
            after.states[chosen], after.gates[chosen] = new
            computed += int(chosen.sum())
            place = slice(wiring.inputs + own.start, wiring.inputs + own.stop)
            sent = self._send(after, place, after.states[own])
            events, fan_out = events + len(sent), fan_out + int(self._fan_out[sent].sum())
            nonzero += int(self._fan_out[place][after.states[own] != 0].sum())
        return after, Operations(
            macs=MAPS_OF_NEURON * fan_out + NEURON_MACS * computed,
            additions=wiring.inputs + 1 + computed * (1 + NEURON_ADDITIONS),
            nonzero_macs=MAPS_OF_NEURON * nonzero + NEURON_MACS * wiring.neurons,
            sent=events,
            sources=wiring.inputs + wiring.neurons,
            computed=computed,
            neurons=wiring.neurons,
        )

    def step_bound(self, dt_us: int) -> NDArray[np.float64]:
        """Return the largest difference to a dense step from equal states, [N], in units of one.

        The bound holds for all inputs and states, if dt is the one sent last. A sum of a neuron
        differs by at most the threshold times its weights, plus that of new states of the layer
        before; tanh and the state are Lipschitz in the four sums:
        |h' - h| <= max(|d ff1|, |d ff2|) + (|d time_a| dt + |d time_b|) / 2.
        """
        wiring, fixed = self.weights.wiring, self.weights
        error = np.full(wiring.inputs + wiring.neurons, self.threshold)
        units = np.repeat([2.0**-FEATURE_BITS, 2.0**-STATE_BITS], [wiring.inputs, wiring.neurons])
        real = np.abs(self._outgoing) / units[:, None, None]
        real = real / 2.0 ** (fixed.shifts + ARGUMENT_BITS)[None]
        elapsed = fixed.elapsed(dt_us) / 2**ARGUMENT_BITS
        bound = np.zeros(wiring.neurons)
        for index, own in enumerate(wiring.slices):
            if index:
                before = wiring.slices[index - 1]
                place = slice(wiring.inputs + before.start, wiring.inputs + before.stop)
                error[place] = self.threshold + bound[before]
            maps = np.tensordot(error, real[:, own], 1)
            gate = 0.5 * (maps[:, 2] * elapsed + maps[:, 3])
            bound[own] = np.maximum(maps[:, 0], maps[:, 1]) + gate + (1 + elapsed) * STEP_ROUNDING
        return bound

    def _sent_elapsed(self, before: int, now: int) -> int:
        moved = before < 0 or abs(now - before) > self._elapsed_step
        return now if moved else before

    def _send(self, state: EventState, place: slice, values: Integers) -> Integers:
        """Send what moved among the sources of a slice; return the sources that sent."""
        change = values - state.sent[place]
        moved = np.flatnonzero(np.abs(change) > self._steps[place])
        sent: Integers = moved + place.start
        state.sent[sent] = values[moved]
        state.sums[:] += np.tensordot(change[moved], self._outgoing[sent], 1)
        state.waiting[:] |= self._reaches[sent].any(axis=0)
        return sent


def check_threshold(name: str, threshold: float, limit: float) -> None:
    """Check a threshold of an event-driven form.

    Raises:
        ConfigError: it is negative, not finite, or not below a limit.
    """
    if not 0.0 <= threshold < limit:
        raise ConfigError(f"expected a threshold of the {name} in [0, {limit:g}), got {threshold}")


def integer_threshold(threshold: float, bits: int) -> int:
    """Return the largest integer change that is within a threshold."""
    return int(np.floor(threshold * 2**bits))

"""Signed contributions of features, through the neurons of every layer, to a change of a command.

The command of a wired CfC at frame t is a function of the features of the last K frames and of
the state before them. Let the *held* command be the one at t if the features had stayed as they
were before these K frames, with the same elapsed times. Then

    command(t) - command(t - K) = (command(t) - held) + (held - command(t - K))

The second difference is the *memory*: what the state alone would have done. The first is divided
among the features by integrated gradients (M. Sundararajan et al., arXiv 1703.01365): with
x(a) = held + a (x - held),

    contribution of x_i(s) = (x_i(s) - held_i) * integral over a in [0, 1] of dy / dx_i(s),

whose sum over frames s and features i is command(t) - held. The same integral is divided a second
and a third time by where the influence crosses from one layer into the next: a wired CfC joins
neighbouring layers only, so all influence passes each boundary exactly once, and the flows
through the synapses of a boundary,

    dy / d(target) * d(target) / d(source) * d(source) / da,

summed over frames, add up to the same difference. So one matrix of flows for each boundary shows
through which inter and command neurons a change came. The integral is computed in float64 with
Gauss-Legendre nodes, doubled until the sum agrees within `TOLERANCE`.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from liquid_control.errors import ConfigError
from liquid_control.inspection.flight import InspectedFlight
from liquid_control.liquid.time_constants import TIME_A, TIME_B
from liquid_control.liquid.weights import CfCWeights
from liquid_control.policy import Model
from liquid_control.types import Floats

FF1, FF2 = 0, 1
TOLERANCE = 1e-6
"""Largest difference of a command from the sum of its parts, m/s or rad/s, in float64."""
NODES = (8, 16, 32, 64, 128, 256)
"""Numbers of nodes of the quadrature that are tried, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """What a change of all four commands consists of; A = 4 axes, as `Command.values`.

    Attributes:
        frame: index t of the frame.
        steps: K, how many frames before it are unrolled.
        change: float64 [A], command(t) - command(t - K), as flown, m/s and rad/s.
        memory: float64 [A], held - command(t - K).
        features: float64 [A, K, F], contribution of each feature at each of the K frames.
        flows: for each boundary between layers, from sources to targets, float64 [A, source,
            target]: features to the first layer, and so on to the last layer.
        nodes: nodes of the quadrature.
    """

    frame: int
    steps: int
    change: Floats
    memory: Floats
    features: Floats
    flows: tuple[Floats, ...]
    nodes: int

    @property
    def total(self) -> Floats:
        """Memory and all contributions, float64 [A]; equals `change` within 1e-4."""
        total: Floats = self.memory + self.features.sum(axis=(1, 2))
        return total

    @property
    def neurons(self) -> Floats:
        """What passes through each neuron, float64 [A, N]; of one layer they sum to the same."""
        return np.concatenate([flow.sum(axis=1) for flow in self.flows], axis=1)


def contributions(
    model: Model, flight: InspectedFlight, frame: int, steps: int = 1
) -> Contributions:
    """Return what the change of the command over the last frames consists of.

    Args:
        model: with a wired CfC.
        flight: of this model.
        frame: index of the frame.
        steps: frames to unroll; 1 for the change since the frame before. Fewer where the flight
            or the state begins later.

    Raises:
        ConfigError: there is no frame before this one with the same state.
        ModelError: the model has another core.
    """
    weights, scales = model.weights, model.settings.motors.scales.astype(np.float64)
    begun = np.flatnonzero(flight.fresh[: frame + 1])
    steps = min(steps, frame - int(begun[-1] if len(begun) else 0))
    if steps < 1:
        raise ConfigError(
            f"--at: expected a frame with one before it, got {flight.seconds[frame]:.2f} s, where "
            "the state is fresh"
        )
    window = slice(frame - steps + 1, frame + 1)
    actual = flight.features[window].astype(np.float64)
    held = np.broadcast_to(flight.features[frame - steps].astype(np.float64), actual.shape)
    ticks = flight.elapsed_s[window] / weights.time_unit_s
    start = flight.states[frame - steps].astype(np.float64)
    network = _Unrolled(weights, ticks, start)
    ends = network.outputs(np.stack([held, actual])) * scales
    for nodes in NODES:
        features, flows = network.integrated(held, actual, nodes)
        features = features * scales[:, None, None]
        error = np.abs(features.sum(axis=(1, 2)) - (ends[1] - ends[0])).max()
        if error < TOLERANCE:
            break
    before = flight.commands[frame - steps]
    return Contributions(
        frame=frame,
        steps=steps,
        change=flight.commands[frame] - before,
        memory=ends[0] + model.settings.motors.offsets - before,
        features=features,
        flows=tuple(flow * scales[:, None, None] for flow in flows),
        nodes=nodes,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One layer at one step, for Q values of a: state and its derivatives.

    Attributes:
        after: [Q, H].
        slopes: [Q, H, K + H], d after / d [input, own state before].
    """

    after: Floats
    slopes: Floats


class _Unrolled:
    """The cell over K frames from a fixed state, in float64, for a batch of feature sequences."""

    def __init__(self, weights: CfCWeights, ticks: Floats, start: Floats) -> None:
        self._layers = [
            (layer.weight.astype(np.float64), layer.bias.astype(np.float64))
            for layer in weights.layers
        ]
        self._slices = weights.wiring.slices
        self._ticks = ticks
        self._start = start

    def outputs(self, sequences: Floats) -> Floats:
        """Return the last layer after the last frame, [Q, A], for sequences [Q, K, F]."""
        return self._run(sequences)[-1][-1].after

    def integrated(
        self, held: Floats, actual: Floats, nodes: int
    ) -> tuple[Floats, tuple[Floats, ...]]:
        """Return contributions [A, K, F] and flows [A, source, target], before the scaling.

        Args:
            held: features at a = 0, [K, F].
            actual: features at a = 1, [K, F].
            nodes: of the quadrature.
        """
        at, weight = np.polynomial.legendre.leggauss(nodes)
        at, weight = (at + 1.0) / 2.0, weight / 2.0
        change = actual - held
        steps = self._run(held + at[:, None, None] * change)
        moving = self._tangents(steps, change)
        inputs = np.broadcast_to(change[:, None, :], (len(change), nodes, change.shape[1]))
        axes = self._slices[-1].stop - self._slices[-1].start
        features = np.zeros((axes, *change.shape))
        sizes = [own.stop - own.start for own in self._slices]
        sources = [change.shape[1], *sizes]
        flows = [np.zeros((axes, a, b)) for a, b in pairwise(sources)]
        adjoint = [np.zeros((nodes, axes, size)) for size in sizes]
        adjoint[-1][:] = np.eye(axes)
        for time in range(len(steps) - 1, -1, -1):
            carried = []
            for layer in range(len(sizes) - 1, -1, -1):
                slopes, width = steps[time][layer].slopes, sources[layer]
                source = moving[time][layer - 1] if layer else inputs[time]
                moved = weight[:, None, None] * slopes[:, :, :width] * source[:, None, :]
                # [target, A, Q] @ [target, Q, source]: all axes and nodes in one product.
                passed = adjoint[layer].transpose(2, 1, 0) @ moved.transpose(1, 0, 2)
                flow = passed.transpose(1, 2, 0)
                flows[layer] += flow
                back = adjoint[layer] @ slopes
                carried.append(back[:, :, width:])
                if layer:
                    adjoint[layer - 1] = adjoint[layer - 1] + back[:, :, :width]
                else:
                    features[:, time] = flow.sum(axis=2)
            adjoint = carried[::-1]
        return features, tuple(flows)

    def _run(self, sequences: Floats) -> list[list[_Step]]:
        """Return every step of every layer."""
        batch = len(sequences)
        states = [np.repeat(self._start[own][None], batch, axis=0) for own in self._slices]
        steps = []
        for time, ticks in enumerate(self._ticks.tolist()):
            value, layers = sequences[:, time], []
            for index, layer in enumerate(self._layers):
                joined = np.concatenate([value, states[index]], axis=1)
                layers.append(_advance(*layer, joined, ticks))
                value = states[index] = layers[-1].after
            steps.append(layers)
        return steps

    def _tangents(self, steps: list[list[_Step]], change: Floats) -> list[list[Floats]]:
        """Return d after / da of every layer at every step, [Q, H]."""
        batch = len(steps[0][0].after)
        before = [np.zeros_like(step.after) for step in steps[0]]
        moving = []
        for time, layers in enumerate(steps):
            value = np.repeat(change[time][None], batch, axis=0)
            for index, step in enumerate(layers):
                joined = np.concatenate([value, before[index]], axis=1)
                value = before[index] = (step.slopes @ joined[:, :, None])[:, :, 0]
            moving.append(list(before))
        return moving


def _advance(weight: Floats, bias: Floats, joined: Floats, ticks: float) -> _Step:
    """Return one step of one layer, as `liquid.reference` defines it, with its derivatives."""
    maps = joined @ weight.swapaxes(1, 2) + bias[:, None, :]
    first, second = np.tanh(maps[FF1]), np.tanh(maps[FF2])
    gate = 1.0 / (1.0 + np.exp(-(maps[TIME_A] * ticks + maps[TIME_B])))
    slopes = (
        ((1.0 - first**2) * (1.0 - gate))[:, :, None] * weight[FF1]
        + ((1.0 - second**2) * gate)[:, :, None] * weight[FF2]
        + ((second - first) * gate * (1.0 - gate))[:, :, None]
        * (ticks * weight[TIME_A] + weight[TIME_B])
    )
    return _Step(first * (1.0 - gate) + second * gate, slopes)


def steps_of_last_second(flight: InspectedFlight, frame: int, length_s: float = 1.0) -> int:
    """Return how many frames up to this one lie within the last second; at least one."""
    since = flight.seconds[frame] - length_s
    return max(frame - int(np.searchsorted(flight.seconds, since - 1e-9)), 1)

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

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ConfigError
from liquid_control.inspection.flight import InspectedFlight
from liquid_control.liquid.activity import LayerStep, layer_step
from liquid_control.liquid.weights import CfCWeights
from liquid_control.policy import Model
from liquid_control.types import Floats

TOLERANCE = 1e-6
"""Largest difference of a command from the sum of its parts, m/s or rad/s, in float64."""
NODES = (8, 16, 32, 64, 128, 256)
"""Numbers of nodes of the quadrature that are tried, in order."""
TOGETHER = 16
"""Frames whose contributions are computed at once."""


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
    steps = min(steps, _frames_since_start(flight)[frame])
    if steps < 1:
        raise ConfigError(
            f"--at: expected a frame with one before it, got {flight.seconds[frame]:.2f} s, where "
            "the state is fresh"
        )
    return _divided(model, flight, np.array([frame]), steps)[0]


def contributions_of_all(model: Model, flight: InspectedFlight) -> Iterator[Contributions]:
    """Yield what each change of the command over the last second consists of.

    Frames with a fresh state have none. Frames with as many steps are computed together, so they
    come in no order, and differ from those of `contributions` by rounding in float64.

    Args:
        model: with a wired CfC.
        flight: of this model.

    Raises:
        ModelError: the model has another core.
    """
    within = [steps_of_last_second(flight, frame) for frame in range(len(flight))]
    steps = np.minimum(within, _frames_since_start(flight))
    for count in np.unique(steps[steps > 0]).tolist():
        frames = np.flatnonzero(steps == count)
        for begin in range(0, len(frames), TOGETHER):
            yield from _divided(model, flight, frames[begin : begin + TOGETHER], count)


def _frames_since_start(flight: InspectedFlight) -> NDArray[np.int64]:
    """Return how many frames before each frame have the same state, int64 [T]."""
    index = np.arange(len(flight))
    return index - np.maximum.accumulate(np.where(flight.fresh, index, 0))


def _divided(
    model: Model, flight: InspectedFlight, frames: NDArray[np.int64], steps: int
) -> list[Contributions]:
    """Return the contributions at B frames, each of which has `steps` frames before it."""
    weights, scales = model.weights, model.settings.motors.scales.astype(np.float64)
    before = frames - steps
    window = before[:, None] + np.arange(1, steps + 1)
    actual = flight.features[window].astype(np.float64)
    held = np.repeat(flight.features[before].astype(np.float64)[:, None], steps, axis=1)
    ticks = flight.elapsed_s[window] / weights.time_unit_s
    network = _Unrolled(weights, ticks, flight.states[before].astype(np.float64))
    ends = network.outputs(np.stack([held, actual], axis=1)) * scales
    parts: dict[int, tuple[Floats, tuple[Floats, ...], int]] = {}
    for nodes in NODES:
        left = np.array([place for place in range(len(frames)) if place not in parts], np.int64)
        if not len(left):
            break
        found, through = network.part(left).integrated(held[left], actual[left], nodes)
        features = found * scales[:, None, None]
        flows = [flow * scales[:, None, None] for flow in through]
        error = np.abs(features.sum(axis=(2, 3)) - (ends[left, 1] - ends[left, 0])).max(axis=1)
        for index, place in enumerate(left.tolist()):
            if error[index] < TOLERANCE or nodes == NODES[-1]:
                parts[place] = features[index], tuple(flow[index] for flow in flows), nodes
    return [
        Contributions(
            frame=int(frame),
            steps=steps,
            change=flight.commands[frame] - flight.commands[frame - steps],
            memory=ends[place, 0] + model.settings.motors.offsets - flight.commands[frame - steps],
            features=parts[place][0],
            flows=parts[place][1],
            nodes=parts[place][2],
        )
        for place, frame in enumerate(frames)
    ]


class _Unrolled:
    """The cell over K frames, in float64, for Q sequences of features from each of B states.

    Args:
        weights: of the cell.
        ticks: elapsed times, [B, K].
        start: states before the first frame, [B, S].
    """

    def __init__(self, weights: CfCWeights, ticks: Floats, start: Floats) -> None:
        self._weights = weights
        self._layers = [
            (layer.weight.astype(np.float64), layer.bias.astype(np.float64))
            for layer in weights.layers
        ]
        self._slices = weights.wiring.slices
        self._ticks = ticks
        self._start = start

    def part(self, places: NDArray[np.int64]) -> "_Unrolled":
        """Return the cell from some of the B states."""
        return _Unrolled(self._weights, self._ticks[places], self._start[places])

    def outputs(self, sequences: Floats) -> Floats:
        """Return the last layer after the last frame, [B, Q, A], for sequences [B, Q, K, F]."""
        after = self._run(sequences)[-1][-1].after
        return after.reshape(*sequences.shape[:2], -1)

    def integrated(self, held: Floats, actual: Floats, nodes: int) -> tuple[Floats, list[Floats]]:
        """Return contributions [B, A, K, F] and flows [B, A, source, target], before the scaling.

        Args:
            held: features at a = 0, [B, K, F].
            actual: features at a = 1, [B, K, F].
            nodes: Q, of the quadrature.
        """
        at, weight = np.polynomial.legendre.leggauss(nodes)
        at, weight = (at + 1.0) / 2.0, weight / 2.0
        change = actual - held
        count, length, inputs = change.shape
        steps = self._run(held[:, None] + at[:, None, None] * change[:, None])
        repeated = np.repeat(change, nodes, axis=0)
        moving = _tangents(steps, repeated)
        sizes = [own.stop - own.start for own in self._slices]
        sources, axes = [inputs, *sizes], sizes[-1]
        features = np.zeros((count, axes, length, inputs))
        flows = [np.zeros((count, axes, a, b)) for a, b in pairwise(sources)]
        adjoint = [np.zeros((count * nodes, axes, size)) for size in sizes]
        adjoint[-1][:] = np.eye(axes)
        weights = np.tile(weight, count)[:, None, None]
        for time in range(length - 1, -1, -1):
            carried = []
            for layer in range(len(sizes) - 1, -1, -1):
                slopes, width = steps[time][layer].slopes, sources[layer]
                source = moving[time][layer - 1] if layer else repeated[:, time]
                moved = weights * slopes[:, :, :width] * source[:, None, :]
                flow = _summed(adjoint[layer], moved, nodes)
                flows[layer] += flow
                back = adjoint[layer] @ slopes
                carried.append(back[:, :, width:])
                if layer:
                    adjoint[layer - 1] = adjoint[layer - 1] + back[:, :, :width]
                else:
                    features[:, :, time] = flow.sum(axis=3)
            adjoint = carried[::-1]
        return features, flows

    def _run(self, sequences: Floats) -> list[list[LayerStep]]:
        """Return every step of every layer, for sequences [B, Q, K, F] in B * Q rows."""
        count, many, length, inputs = sequences.shape
        rows = sequences.reshape(count * many, length, inputs)
        states = [np.repeat(self._start[:, own], many, axis=0) for own in self._slices]
        ticks = np.repeat(self._ticks, many, axis=0)
        steps = []
        for time in range(length):
            value, layers = rows[:, time], []
            for index, (weight, bias) in enumerate(self._layers):
                joined = np.concatenate([value, states[index]], axis=1)
                layers.append(layer_step(weight, bias, joined, ticks[:, time, None]))
                value = states[index] = layers[-1].after
            steps.append(layers)
        return steps


def _summed(adjoint: Floats, moved: Floats, nodes: int) -> Floats:
    """Return flows [B, A, source, target], summed over the nodes.

    Args:
        adjoint: d output / d target, [B * Q, A, target].
        moved: weight * d target / d source * d source / da, [B * Q, target, source].
        nodes: Q.
    """
    count = len(adjoint) // nodes
    left = adjoint.reshape(count, nodes, *adjoint.shape[1:]).transpose(0, 3, 2, 1)
    right = moved.reshape(count, nodes, *moved.shape[1:]).transpose(0, 2, 1, 3)
    return (left @ right).transpose(0, 2, 3, 1)


def _tangents(steps: list[list[LayerStep]], change: Floats) -> list[list[Floats]]:
    """Return d after / da of every layer at every step, [rows, H], for changes [rows, K, F]."""
    before = [np.zeros_like(step.after) for step in steps[0]]
    moving = []
    for time, layers in enumerate(steps):
        value = change[:, time]
        for index, step in enumerate(layers):
            joined = np.concatenate([value, before[index]], axis=1)
            value = before[index] = (step.slopes @ joined[:, :, None])[:, :, 0]
        moving.append(list(before))
    return moving


def steps_of_last_second(flight: InspectedFlight, frame: int, length_s: float = 1.0) -> int:
    """Return how many frames up to this one lie within the last second; at least one."""
    since = flight.seconds[frame] - length_s
    return max(frame - int(np.searchsorted(flight.seconds, since - 1e-9)), 1)

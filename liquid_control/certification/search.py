"""Search for inputs that come close to the bounds of a certificate, or break them.

Commands are searched over sequences from rest by projected sign gradient ascent on features and
elapsed times (Madry et al. 2018, arXiv 1706.06083), from random starts; sensitivities by random
points that random sequences reach, improved by random changes. A value that is found is attained
in float64; a value above its bound is a defect of the prover.
"""

from dataclasses import dataclass

import numpy as np

from liquid_control.certification.cell import CertifiedCell
from liquid_control.seeding import stream
from liquid_control.types import Floats

_STEPS = 4
_ROUNDS = 120
_RESTARTS = 24
_POINTS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Largest values found.

    Attributes:
        lowest: of each command, [4]; `highest`: likewise.
        highest: see `lowest`.
        feature: largest derivative of each command by one feature, per unit, [4].
        all_features: largest sum of its derivatives by all features, [4].
        elapsed: largest derivative by elapsed time, per second, [4].
    """

    lowest: Floats
    highest: Floats
    feature: Floats
    all_features: Floats
    elapsed: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Values of one layer in one step, [B, H], and its inputs [B, K + H]."""

    inputs: Floats
    first: Floats
    second: Floats
    gate: Floats
    slope: Floats


class Rollout:
    """Steps of a cell in float64 over a batch, with gradients by the chain rule."""

    def __init__(self, cell: CertifiedCell) -> None:
        self.cell = cell

    def step(self, features: Floats, state: Floats, ticks: Floats) -> Floats:
        """Return the new states [B, N] for features [B, F], states [B, N] and time units [B]."""
        return self._forward(features, state, ticks)[0]

    def _forward(
        self, features: Floats, state: Floats, ticks: Floats
    ) -> tuple[Floats, list[_Layer]]:
        before, states, trace = features, [], []
        for layer in self.cell.layers:
            inputs = np.concatenate([before, state[:, layer.own]], axis=1)
            maps = inputs @ layer.weight.reshape(-1, layer.weight.shape[2]).T + layer.bias.ravel()
            a, c, slope, offset = np.split(maps, 4, axis=1)
            first, second = np.tanh(a), np.tanh(c)
            gate = 0.5 * (1.0 + np.tanh(0.5 * (slope * ticks[:, None] + offset)))
            before = first * (1.0 - gate) + second * gate
            trace.append(_Layer(inputs, first, second, gate, slope))
            states.append(before)
        return np.concatenate(states, axis=1), trace

    def _backward(
        self, by_state: Floats, trace: list[_Layer], ticks: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return gradients by features [B, F], state before [B, N] and time units [B]."""
        by_before = np.zeros_like(by_state)
        by_ticks, by_output = np.zeros(len(ticks)), np.zeros(1)
        for layer, one in zip(reversed(self.cell.layers), reversed(trace), strict=True):
            out = by_state[:, layer.own] + by_output
            gated = out * (one.second - one.first) * one.gate * (1.0 - one.gate)
            maps = (
                out * (1.0 - one.gate) * (1.0 - one.first**2),
                out * one.gate * (1.0 - one.second**2),
                gated * ticks[:, None],
                gated,
            )
            by_ticks = by_ticks + (gated * one.slope).sum(axis=1)
            stacked = np.concatenate(maps, axis=1)
            by_inputs = stacked @ layer.weight.reshape(-1, layer.weight.shape[2])
            by_before[:, layer.own] = by_inputs[:, -layer.size :]
            by_output = by_inputs[:, : -layer.size]
        return by_output, by_before, by_ticks

    def run(self, features: Floats, ticks: Floats) -> tuple[Floats, list[list[_Layer]]]:
        """Return the states after steps from rest for features [B, T, F], and what they passed."""
        state, traces = np.zeros((len(features), self.cell.neurons)), []
        for step in range(features.shape[1]):
            state, trace = self._forward(features[:, step], state, ticks[:, step])
            traces.append(trace)
        return state, traces

    def gradients(
        self, by_state: Floats, traces: list[list[_Layer]], ticks: Floats
    ) -> tuple[Floats, Floats]:
        """Return gradients by features [B, T, F] and time units [B, T] of a run."""
        parts = []
        for step in reversed(range(len(traces))):
            by_features, by_state, by_ticks = self._backward(
                by_state, traces[step], ticks[:, step]
            )
            parts.append((by_features, by_ticks))
        parts.reverse()
        return np.stack([f for f, _ in parts], axis=1), np.stack([t for _, t in parts], axis=1)

    def derivatives(self, features: Floats, state: Floats, ticks: Floats) -> tuple[Floats, Floats]:
        """Return |derivatives| of the commands by features [B, 4, F] and by seconds [B, 4]."""
        _, trace = self._forward(features, state, ticks)
        by_features, by_time = [], []
        for motor, scale in enumerate(self.cell.scales):
            out = np.zeros((len(ticks), self.cell.neurons))
            out[:, self.cell.layers[-1].own.start + motor] = scale
            found, _, timed = self._backward(out, trace, ticks)
            by_features.append(np.abs(found))
            by_time.append(np.abs(timed) / self.cell.time_unit_s)
        return np.stack(by_features, axis=1), np.stack(by_time, axis=1)


def search(
    cell: CertifiedCell,
    seed: int = 0,
    dt_s: tuple[float, float] | None = None,
    *,
    rounds: int = _ROUNDS,
) -> Found:
    """Search the largest commands and sensitivities of a cell.

    Args:
        cell: the cell.
        seed: of the random starts.
        dt_s: smallest and largest elapsed time, s; None for those of the cell.
        rounds: of gradient ascent; a quarter as many of random changes.
    """
    low, high = (np.log(dt / cell.time_unit_s) for dt in dt_s or cell.dt_s)
    lowest, highest = _commands(cell, seed, rounds, low, high)
    changes = max(1, rounds // 4)
    feature, everything, elapsed = _sensitivities(cell, seed, low, high, changes)
    return Found(lowest, highest, feature, everything, elapsed)


def _commands(
    cell: CertifiedCell, seed: int, rounds: int, low: float, high: float
) -> tuple[Floats, Floats]:
    rng = stream(seed, "certification.commands")
    rollout, motors = Rollout(cell), len(cell.scales)
    goals = np.zeros((2 * motors, cell.neurons))
    places = cell.layers[-1].own.start + np.arange(motors)
    goals[np.arange(motors), places] = 1.0
    goals[motors + np.arange(motors), places] = -1.0
    goals = np.repeat(goals, _RESTARTS, axis=0)
    shape = (len(goals), _STEPS, len(cell.limits))
    features = rng.choice([-1.0, 1.0], shape) * cell.limits
    times = rng.uniform(low, high, shape[:2])
    best = np.full(len(goals), -np.inf)
    for number in range(rounds):
        ticks = np.exp(times)
        state, traces = rollout.run(features, ticks)
        best = np.maximum(best, (goals * state).sum(axis=1))
        by_features, by_ticks = rollout.gradients(goals, traces, ticks)
        rate = 0.5 * (1.0 - number / rounds) + 0.02
        features = features + rate * cell.limits * np.sign(by_features)
        features = np.clip(features, -cell.limits, cell.limits)
        times = np.clip(times + rate * np.sign(by_ticks), low, high)
    found = best.reshape(2 * motors, _RESTARTS).max(axis=1)
    highest = cell.offsets + cell.scales * found[:motors]
    return cell.offsets - cell.scales * found[motors:], highest


def _sensitivities(
    cell: CertifiedCell, seed: int, low: float, high: float, changes: int
) -> tuple[Floats, Floats, Floats]:
    rng = stream(seed, "certification.sensitivity")
    rollout, count = Rollout(cell), len(cell.limits)
    features = rng.uniform(-1.0, 1.0, (_POINTS, _STEPS, count)) * cell.limits
    features *= rng.uniform(0.0, 1.0, (_POINTS, 1, 1))
    times = rng.uniform(low, high, (_POINTS, _STEPS))
    results: list[Floats] = []
    for measure in range(3):
        x, t, best = features.copy(), times.copy(), np.full((_POINTS, 4), -np.inf)
        for number in range(changes):
            tried_x, tried_t = x, t
            if number:
                change = rng.normal(0.0, 0.3, x.shape) * (rng.random(x.shape) < 0.3)
                tried_x = np.clip(x + change * cell.limits, -cell.limits, cell.limits)
                tried_t = np.clip(t + rng.normal(0.0, 0.3, t.shape), low, high)
            ticks = np.exp(tried_t)
            state, _ = rollout.run(tried_x[:, :-1], ticks[:, :-1])
            by_features, by_time = rollout.derivatives(tried_x[:, -1], state, ticks[:, -1])
            values = (by_features.max(axis=2), by_features.sum(axis=2), by_time)[measure]
            better = (values / cell.scales).max(axis=1) > (best / cell.scales).max(axis=1)
            x, t = (
                np.where(better[:, None, None], tried_x, x),
                np.where(better[:, None], tried_t, t),
            )
            best = np.where(better[:, None], np.maximum(values, best), np.maximum(best, values))
        results.append(best.max(axis=0))
    return results[0], results[1], results[2]

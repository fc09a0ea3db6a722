"""Measures of a core's states: dead and duplicate neurons, dimension, smoothness, correlation.

- **First principal component**: its share of the variance of the states, pooled over flights.
  M. Lechner et al. (2020, doi 10.1038/s42256-020-00237-3) state 92 % for NCP and 51 % for LSTM.
- **Largest Lipschitz constant** in time, after the same work: for every neuron the largest
  |h(t) - h(t - 1)| / dt over a flight, 1/s, while the pictures have Gaussian noise of a variance.
- **Correlation with the path**: the mean over the neurons of |Pearson's r| with the curvature of
  the path.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liquid_control.inspection.flight import Array, InspectedFlight
from liquid_control.inspection.saliency import noisy
from liquid_control.perception import standardise
from liquid_control.perception.visual_backprop import encoded
from liquid_control.policy import Policy, PolicySession
from liquid_control.types import Floats

DEAD_BELOW = 1e-4
"""Standard deviation of a state over all flights below which its neuron counts as dead."""
DUPLICATE_ABOVE = 0.9999
"""|Pearson's r| of two neurons above which they count as duplicates."""


@dataclass(frozen=True, slots=True)
class NeuronFindings:
    """Neurons that carry nothing, or nothing of their own.

    Attributes:
        dead: names of neurons whose state does not change.
        duplicates: names of two neurons and their correlation.
    """

    dead: tuple[str, ...]
    duplicates: tuple[tuple[str, str, float], ...]


def findings(flights: Sequence[InspectedFlight]) -> NeuronFindings:
    """Return dead and duplicate neurons over some flights of one model."""
    states, names = pooled_states(flights), flights[0].state_names
    alive = states.std(axis=0) >= DEAD_BELOW
    dead = tuple(name for name, lives in zip(names, alive, strict=True) if not lives)
    index = np.flatnonzero(alive)
    if len(index) < 2:
        return NeuronFindings(dead, ())
    related: Floats = np.atleast_2d(np.corrcoef(states[:, index].T))
    pairs = np.argwhere(np.triu(np.abs(related) > DUPLICATE_ABOVE, 1))
    found = tuple(
        (names[index[a]], names[index[b]], float(related[a, b])) for a, b in pairs.tolist()
    )
    return NeuronFindings(dead, found)


def pooled_states(flights: Sequence[InspectedFlight]) -> Floats:
    """Return the states of all flights, float64 [sum of T, S]."""
    return np.concatenate([flight.states for flight in flights]).astype(np.float64)


def component_shares(flights: Sequence[InspectedFlight]) -> Floats:
    """Return each principal component's share of the variance of the states, largest first."""
    states = pooled_states(flights)
    values = np.linalg.svd(states - states.mean(axis=0), compute_uv=False) ** 2
    total = values.sum()
    return values / total if total > 0.0 else np.zeros_like(values)


def correlations(states: Floats, quantity: Floats) -> Floats:
    """Return Pearson's r of every neuron with a quantity, float64 [S]; NaN for constants.

    Args:
        states: [T, S].
        quantity: [T].
    """
    x, y = states - states.mean(axis=0), quantity - quantity.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        related: Floats = (y @ x) / (np.linalg.norm(x, axis=0) * np.linalg.norm(y))
    return related


def path_correlation(flights: Sequence[InspectedFlight]) -> float:
    """Return the mean over the neurons of |r| with the curvature of the path; NaN without one.

    The path is the trail over the next 5 m where a flight was retraced, else the flown one.
    """
    for name in ("curvature_ahead", "path_curvature"):
        if all(name in flight.quantities for flight in flights):
            path = np.concatenate([flight.quantities[name] for flight in flights])
            related = np.abs(correlations(pooled_states(flights), path))
            return float(np.nanmean(related)) if len(related) else float("nan")
    return float("nan")


def noisy_states(policy: Policy, flight: InspectedFlight, variance: float, seed: int = 0) -> Array:
    """Return the states of a policy on the flight's pictures with noise, float32 [T, S].

    Args:
        policy: the policy.
        flight: of it.
        variance: of the Gaussian noise, for pixels in [0, 1].
        seed: of the noise.
    """
    model, session = policy.model, PolicySession(policy)
    count, spec = model.settings.features.image, model.settings.perception
    states = []
    for frame, picture in enumerate(noisy(flight.pictures, variance, seed)):
        mount = None if flight.mounts is None else flight.mounts[frame]
        features = flight.features[frame].copy()
        features[:count] = encoded(spec, model.arrays, standardise(picture), mount)
        states.append(session.answer(features, int(flight.stamp_ns[frame])).state)
    return np.array(states)


def lipschitz_constants(states: Array, flight: InspectedFlight) -> Floats:
    """Return the largest |change| of every neuron's state per second, float64 [S], 1/s."""
    joined = ~flight.fresh[1:]
    change = np.abs(np.diff(states.astype(np.float64), axis=0))[joined]
    largest: Floats = (change / flight.elapsed_s[1:][joined, None]).max(axis=0)
    return largest

"""What each neuron means: correlations, and shallow decision trees on flights not fitted on.

A decision tree of `DEPTH` levels predicts a named quantity from the states of one instant. For
every flight the tree is fitted on all other flights and scored on this one; the score is R² over
all held-out predictions. It is 1 for a perfect prediction, 0 for the mean, and negative below.

Successive frames resemble each other, so a permutation of single frames would make chance look
worse than it is. The chance score comes from quantities that are shifted in time within each
flight, around its end, by a random offset: they keep their own course and lose their relation to
the states. It is the 95th percentile over the shifts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from liquid_control.dependencies import require
from liquid_control.errors import ConfigError
from liquid_control.inspection.flight import InspectedFlight
from liquid_control.inspection.neurons import correlations, pooled_states
from liquid_control.seeding import stream
from liquid_control.types import Floats

DEPTH = 3
LEAF = 20
"""Levels of a tree, and fewest frames of a leaf."""
SHIFTS = 20
"""Shifted copies of a quantity; with 20 the smallest p value is 1/21."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How well the states tell one quantity.

    Attributes:
        quantity: its name.
        correlations: Pearson's r of every neuron with it, over all flights, by name.
        score: R² of the trees on the held-out flights.
        chance: 95th percentile of the same score over shifted quantities.
        p_value: (1 + shifts that score at least as high) / (1 + shifts).
        neurons: importance by neuron in a tree over all flights, of those above zero.
        tree: this tree as text.
    """

    quantity: str
    correlations: dict[str, float]
    score: float
    chance: float
    p_value: float
    neurons: dict[str, float]
    tree: str

    @property
    def closest(self) -> str:
        """Name of the neuron with the largest |r|."""
        finite = {name: abs(r) for name, r in self.correlations.items() if np.isfinite(r)}
        return max(finite, key=finite.__getitem__) if finite else ""


def load_trees() -> Any:
    """Return `sklearn.tree`.

    Raises:
        DependencyError: scikit-learn is not installed.
    """
    return require("sklearn.tree", "inspect", "decode quantities from neurons")


def decode(flights: Sequence[InspectedFlight], seed: int = 0) -> list[Decoding]:
    """Return a decoding of every quantity that all flights have and that changes.

    Args:
        flights: of one model, at least two, with `quantities`.
        seed: of the shifts.

    Raises:
        ConfigError: there are fewer than two flights, or no quantity.
        DependencyError: scikit-learn is not installed.
    """
    trees = load_trees()
    check_number(len(flights))
    names = [
        name
        for name in flights[0].quantities
        if all(name in flight.quantities for flight in flights)
        and all(np.isfinite(flight.quantities[name]).all() for flight in flights)
        and np.concatenate([flight.quantities[name] for flight in flights]).std() > 1e-9
    ]
    if not names:
        raise ConfigError("expected quantities that change over the flights, got none")
    return [_decode(trees, flights, name, seed) for name in names]


def check_number(flights: int) -> None:
    """Check that there are enough flights.

    Raises:
        ConfigError: there are fewer than two.
    """
    if flights < 2:
        raise ConfigError(
            f"expected at least two flights, since a decoder is scored on flights that it was not "
            f"fitted on, got {flights}"
        )


def held_out_score(trees: Any, states: Sequence[Floats], values: Sequence[Floats]) -> float:
    """Return R² of trees on flights that they were not fitted on.

    Args:
        trees: `sklearn.tree`.
        states: of each flight, [T, S].
        values: of each flight, [T].
    """
    errors = spread = 0.0
    for held in range(len(states)):
        others = [index for index in range(len(states)) if index != held]
        known = np.concatenate([values[index] for index in others])
        tree = _tree(trees).fit(np.concatenate([states[index] for index in others]), known)
        errors += float(((values[held] - tree.predict(states[held])) ** 2).sum())
        spread += float(((values[held] - known.mean()) ** 2).sum())
    return 1.0 - errors / spread if spread > 0.0 else float("nan")


def _decode(trees: Any, flights: Sequence[InspectedFlight], name: str, seed: int) -> Decoding:
    states = [flight.states.astype(np.float64) for flight in flights]
    values = [flight.quantities[name] for flight in flights]
    score = held_out_score(trees, states, values)
    rng = stream(seed, f"inspection.shift.{name}")
    by_chance = np.array(
        [held_out_score(trees, states, [_shifted(v, rng) for v in values]) for _ in range(SHIFTS)]
    )
    names, pooled = flights[0].state_names, np.concatenate(values)
    related = correlations(pooled_states(flights), pooled)
    tree = _tree(trees).fit(np.concatenate(states), pooled)
    weights = sorted(zip(tree.feature_importances_.tolist(), names, strict=True), reverse=True)
    return Decoding(
        quantity=name,
        correlations=dict(zip(names, related.tolist(), strict=True)),
        score=score,
        chance=float(np.quantile(by_chance, 0.95)),
        p_value=(1 + int((by_chance >= score).sum())) / (1 + SHIFTS),
        neurons={neuron: weight for weight, neuron in weights if weight > 0.0},
        tree=trees.export_text(tree, feature_names=list(names)),
    )


def _tree(trees: Any) -> Any:
    return trees.DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=LEAF, random_state=0)


def _shifted(values: Floats, rng: np.random.Generator) -> Floats:
    """Return values shifted around the end of a flight, by a quarter to three quarters of it."""
    count = len(values)
    return np.roll(values, int(rng.integers(count // 4, max(3 * count // 4, count // 4 + 1))))

"""The numbers of record of a model's explanations, and of several models on the same flights.

Every model runs over the same recorded frames, so that its numbers can be compared. Whether they
predict who fails in closed loop is answered by Spearman's correlation over the models with the
success rates of a `results.json`, with the exact p value over all orders of the models.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import permutations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.errors import ConfigError
from liquid_control.inspection import saliency
from liquid_control.inspection.flight import InspectedFlight
from liquid_control.inspection.neurons import (
    component_shares,
    findings,
    lipschitz_constants,
    noisy_states,
    path_correlation,
)
from liquid_control.policy import Model, Policy
from liquid_control.seeding import stream

NOISE = (0.1, 0.2, 0.3)
"""Variances of the input noise, for pixels in [0, 1]."""
FRAMES = 24
"""Frames of each flight whose maps are compared."""
MOST_ORDERS = 40320
"""Orders of models that are counted one by one; of more models, so many random ones."""
LEAST_MODELS = 3


@dataclass(frozen=True, slots=True)
class Measures:
    """Numbers of record of one model; means over the frames and flights.

    Attributes:
        model: its name.
        core: kind of its core.
        method: of the saliency maps.
        flights: names of the recordings.
        frames: number of frames with maps.
        saliency_ssim: by variance of the noise, SSIM of maps of clean and noisy pictures.
        deletion: area under the deletion curve; low is good.
        insertion: area under the insertion curve; high is good.
        random_deletion: of random orders of the pixels.
        random_insertion: likewise.
        randomised_rank: rank correlation of the maps with those of random weights.
        randomised_ssim: SSIM of the same maps.
        explains: whether the maps depend on the weights, `randomised_rank` below 0.5.
        first_component: share of the variance of the states, 0 to 1.
        lipschitz: by variance of the noise, largest over the neurons, 1/s.
        lipschitz_of: by variance of the noise and name of the neuron.
        path_correlation: mean over the neurons of |r| with the path's curvature.
        dead: names of dead neurons.
        duplicates: pairs of duplicate neurons with their correlation.
        success_rate: in closed loop, where results were given.
    """

    model: str
    core: str
    method: str
    flights: tuple[str, ...]
    frames: int
    saliency_ssim: dict[str, float]
    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float
    randomised_rank: float
    randomised_ssim: float
    explains: bool
    first_component: float
    lipschitz: dict[str, float]
    lipschitz_of: dict[str, dict[str, float]]
    path_correlation: float
    dead: tuple[str, ...]
    duplicates: tuple[tuple[str, str, float], ...]
    success_rate: float | None = None

    def numbers(self) -> dict[str, float]:
        """Return the measures that are single numbers, by name."""
        names = ("deletion", "insertion", "randomised_rank", "first_component", "path_correlation")
        values = {name: float(getattr(self, name)) for name in names}
        for variance in self.lipschitz:
            values[f"saliency_ssim {variance}"] = self.saliency_ssim[variance]
            values[f"lipschitz {variance}"] = self.lipschitz[variance]
        return values


def measure(
    policy: Policy,
    flights: Sequence[InspectedFlight],
    method: str = saliency.VISUAL_BACKPROP,
    success_rate: float | None = None,
) -> Measures:
    """Return the numbers of record of a model on its run over some flights.

    Args:
        policy: the model's policy.
        flights: of this policy.
        method: of the maps, one of `saliency.METHODS`.
        success_rate: in closed loop, where it is known.
    """
    model = policy.model
    make = saliency.map_maker(model, method)
    random = saliency.map_maker(saliency.randomised(model), method)
    ssim: dict[str, list[float]] = {f"{variance:g}": [] for variance in NOISE}
    lipschitz: dict[str, np.ndarray] = {}
    ranks, similar, areas = [], [], []
    for flight in flights:
        frames = saliency.evenly(len(flight), FRAMES)
        maps = saliency.maps_of(make, flight, frames)
        others = saliency.maps_of(random, flight, frames)
        pairs = list(zip(maps, others, strict=True))
        ranks += [saliency.rank_correlation(*pair) for pair in pairs]
        similar += [saliency.structural_similarity(*pair) for pair in pairs]
        curves = saliency.deletion_and_insertion(
            model, flight, dict(zip(frames, maps, strict=True))
        )
        areas.append(curves.areas())
        for variance in NOISE:
            name = f"{variance:g}"
            disturbed = _with_noise(flight, variance)
            found = saliency.maps_of(make, disturbed, frames)
            both = zip(maps, found, strict=True)
            ssim[name] += [saliency.structural_similarity(*pair) for pair in both]
            largest = lipschitz_constants(noisy_states(policy, flight, variance), flight)
            lipschitz[name] = np.maximum(lipschitz.get(name, 0.0), largest)
    mean = {name: float(np.mean([area[name] for area in areas])) for name in areas[0]}
    rank, health = float(np.nanmean(ranks)), findings(flights)
    return Measures(
        model=model.name,
        core=model.settings.core.kind,
        method=method,
        flights=tuple(flight.name for flight in flights),
        frames=len(ranks),
        saliency_ssim={name: float(np.mean(values)) for name, values in ssim.items()},
        **mean,
        randomised_rank=rank,
        randomised_ssim=float(np.mean(similar)),
        explains=rank < saliency.SENSITIVE_BELOW,
        first_component=_largest(component_shares(flights)),
        lipschitz={name: _largest(values) for name, values in lipschitz.items()},
        lipschitz_of={
            name: dict(zip(policy.state_names, values.tolist(), strict=True))
            for name, values in lipschitz.items()
        },
        path_correlation=path_correlation(flights),
        dead=health.dead,
        duplicates=health.duplicates,
        success_rate=success_rate,
    )


def _largest(values: np.ndarray) -> float:
    """Return the largest value; NaN without any, as for a core without state."""
    return float(values.max()) if len(values) else float("nan")


def _with_noise(flight: InspectedFlight, variance: float) -> InspectedFlight:
    return replace(flight, pictures=saliency.noisy(flight.pictures, variance))


@dataclass(frozen=True, slots=True)
class Prediction:
    """How one measure goes with closed-loop success over the models.

    Attributes:
        measure: its name.
        correlation: Spearman's; NaN where all models are equal in one of both.
        p_value: fraction of the orders of the models with at least this |correlation|.
        models: number of models.
    """

    measure: str
    correlation: float
    p_value: float
    models: int


def predictions(measured: Sequence[Measures]) -> list[Prediction]:
    """Return the correlation of every measure with success, over the models that have a rate.

    A measure that fewer than three models have is left out: two are always in perfect order.
    """
    rated = [one for one in measured if one.success_rate is not None]
    if not rated:
        return []
    found = []
    for name in rated[0].numbers():
        known = [one for one in rated if np.isfinite(one.numbers()[name])]
        if len(known) < LEAST_MODELS:
            continue
        success = np.array([one.success_rate for one in known], np.float64)
        values = np.array([one.numbers()[name] for one in known])
        correlation = spearman(values, success)
        others = np.array(
            [spearman(values[list(order)], success) for order in _orders(len(known))]
        )
        extreme = np.abs(others) >= abs(correlation) - 1e-12
        p_value = float(extreme.mean()) if np.isfinite(correlation) else float("nan")
        found.append(Prediction(name, correlation, p_value, len(known)))
    return found


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation; NaN where one side is constant or not finite."""
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("nan")
    low = min(float(one.min()), float(other.min()))
    return saliency.rank_correlation(one - low, other - low)


def _orders(count: int) -> list[tuple[int, ...]]:
    if factorial(count) <= MOST_ORDERS:
        return list(permutations(range(count)))
    rng = stream(0, "inspection.orders")
    return [tuple(rng.permutation(count).tolist()) for _ in range(MOST_ORDERS)]


def success_rates(path: Path) -> dict[str, float]:
    """Return the success rate of every model in a `results.json`, over all its flights.

    Raises:
        ConfigError: the file is not one.
    """
    source = path / "results.json" if path.is_dir() else path
    try:
        rows = json.loads(source.read_text(encoding="utf-8"))["rows"]
        flown: dict[str, list[bool]] = {}
        for row in rows:
            flown.setdefault(Path(row["model"]).name, []).append(bool(row["success"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"--results {source}: expected a results.json ({error})") from error
    return {name: sum(values) / len(values) for name, values in flown.items()}


def rate_of(rates: Mapping[str, float], model: Model) -> float | None:
    """Return the rate of a model among those of `success_rates`; None if it did not fly there.

    Results name a model by its folder, and an arm of a benchmark by the folder of its run, which
    holds the model's.
    """
    names = (model.path.parent.name, model.path.name, model.name)
    return next((rates[name] for name in names if name in rates), None)


Cell = Callable[[Measures], str]
COLUMNS: Mapping[str, Cell] = {
    "model": lambda m: m.model,
    "core": lambda m: m.core,
    "SSIM clean/noise 0.1, 0.2, 0.3": lambda m: _three(m.saliency_ssim),
    "deletion (random)": lambda m: f"{m.deletion:.3f} ({m.random_deletion:.3f})",
    "insertion (random)": lambda m: f"{m.insertion:.3f} ({m.random_insertion:.3f})",
    "random weights, rank r": lambda m: (
        f"{m.randomised_rank:.2f}" + ("" if m.explains else ": explains nothing")
    ),
    "first component": lambda m: _known(m.first_component, ".0%"),
    "Lipschitz 0.1, 0.2, 0.3, 1/s": lambda m: _three(m.lipschitz),
    "mean abs. r with path": lambda m: _known(m.path_correlation, ".2f"),
    "dead, duplicate": lambda m: f"{len(m.dead)}, {len(m.duplicates)}",
    "success": lambda m: "" if m.success_rate is None else f"{m.success_rate:.0%}",
}
"""Columns of the table, by heading."""


def measures_table(measured: Sequence[Measures]) -> str:
    """Return the numbers of record as a Markdown table, and what they predict below."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(cell(one) for cell in COLUMNS.values())} |" for one in measured]
    found = predictions(measured)
    if found:
        lines += [
            "",
            "| measure | rank correlation with success | p | models |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {one.measure} | {_known(one.correlation, '+.2f')} | {_known(one.p_value, '.3f')} "
            f"| {one.models} |"
            for one in found
        ]
    else:
        lines += ["", f"No correlation with success: it needs {LEAST_MODELS} models with results."]
    return "\n".join(lines) + "\n"


def measures_document(measured: Sequence[Measures]) -> dict[str, Any]:
    """Return the numbers of record as plain data for JSON."""
    return {
        "schema": 1,
        "models": [asdict(one) for one in measured],
        "predictions": [asdict(one) for one in predictions(measured)],
    }


def _three(values: Mapping[str, float]) -> str:
    return ", ".join(_known(value, ".2f") for value in values.values())


def _known(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else "–"

"""The numbers of record of a model's explanations, and of several models on the same flights.

Every model runs over the same recorded frames, so that its numbers can be compared.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import nan
from typing import Any

import numpy as np

from liquid_control.inspection import saliency
from liquid_control.inspection.flight import InspectedFlight
from liquid_control.inspection.neurons import (
    component_shares,
    findings,
    lipschitz_constants,
    noisy_states,
    path_correlation,
)
from liquid_control.inspection.predictions import LEAST_MODELS, Prediction, predictions
from liquid_control.policy import Policy

NOISE = (0.1, 0.2, 0.3)
"""Variances of the input noise, for pixels in [0, 1]."""
FRAMES = 24
"""Frames of each flight whose maps are compared."""


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

    @classmethod
    def restored(cls, content: Mapping[str, Any]) -> "Measures":
        """Return measures from plain data, where a number that is not finite is null.

        Raises:
            KeyError: one is missing.
        """
        values = {field.name: _restored(content[field.name]) for field in fields(cls)}
        return cls(**values | {"success_rate": content["success_rate"]})

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
    return "\n".join([*lines, "", *_predicted(predicted(measured))]) + "\n"


def predicted(measured: Sequence[Measures]) -> list[Prediction]:
    """Return how every number goes with closed-loop success over the models that have a rate."""
    rated = [one for one in measured if one.success_rate is not None]
    success = [float(one.success_rate or 0.0) for one in rated]
    return predictions([one.numbers() for one in rated], success)


def _predicted(found: Sequence[Prediction]) -> list[str]:
    if not found:
        return [f"No correlation with success: it needs {LEAST_MODELS} models with results."]
    cells = [
        f"| {one.measure} | {_known(one.correlation, '+.2f')} | {_known(one.low, '+.2f')} to "
        f"{_known(one.high, '+.2f')} | {_known(one.p_value, '.3f')} "
        f"| {_known(one.adjusted, '.3f')} | {one.models} |"
        for one in found
    ]
    heading = "| measure | rank correlation with success | 95 % interval | p | p, Holm | models |"
    return [heading, "|---|---|---|---|---|---|", *cells]


def measures_document(measured: Sequence[Measures]) -> dict[str, Any]:
    """Return the numbers of record as plain data for JSON."""
    return {
        "schema": 1,
        "models": [asdict(one) for one in measured],
        "predictions": [asdict(one) for one in predicted(measured)],
    }


def _restored(value: Any) -> Any:
    """Return a value of plain data with NaN for null, and tuples for lists."""
    if isinstance(value, Mapping):
        return {name: _restored(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return tuple(_restored(inner) for inner in value)
    return nan if value is None else value


def _three(values: Mapping[str, float]) -> str:
    return ", ".join(_known(value, ".2f") for value in values.values())


def _known(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else "–"

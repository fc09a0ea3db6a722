"""Do the numbers of record predict who fails in closed loop? Rank correlations over the models.

The success rates are those of a `results.json`. Spearman's correlation of a number with them has
the p value over the orders of the models, and a bootstrap interval over the models, both by
scipy.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.dependencies import require
from liquid_control.errors import ConfigError
from liquid_control.evaluation.benchmark_statistics import holm
from liquid_control.policy import Model
from liquid_control.seeding import stream
from liquid_control.types import Floats

MOST_ORDERS = 40320
"""Orders of models that are counted one by one; of more models, so many random ones besides the
measured one."""
RESAMPLES = 4000
"""Of the models, with replacement, for an interval."""
LEAST_MODELS = 3
LEAST_FOR_INTERVAL = 5
"""Of fewer models most resamples hold one or two, whose order is always perfect."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """How one measure goes with closed-loop success over the models.

    Attributes:
        measure: its name.
        correlation: Spearman's; NaN where all models are equal in one of both.
        p_value: fraction of the orders of the models with at least this |correlation|.
        models: number of models.
        low: lower end of the 95 % percentile interval of the bootstrap over the models; NaN for
            fewer than five models.
        high: its upper end.
        adjusted: p value corrected for the number of measures, by Holm's procedure.
    """

    measure: str
    correlation: float
    p_value: float
    models: int
    low: float = nan
    high: float = nan
    adjusted: float = nan


def predictions(
    numbers: Sequence[Mapping[str, float]], success: Sequence[float]
) -> list[Prediction]:
    """Return the correlation of every measure with success.

    A measure that fewer than three models have is left out: two are always in perfect order.

    Args:
        numbers: of each model, by name; not finite where a model has none.
        success: rate of each model.
    """
    found = []
    for name in numbers[0] if numbers else ():
        values = np.array([one[name] for one in numbers], np.float64)
        known = np.isfinite(values)
        if known.sum() >= LEAST_MODELS:
            found.append(_prediction(name, values[known], np.array(success)[known]))
    tested = [one for one in found if np.isfinite(one.p_value)]
    adjusted = iter(holm([one.p_value for one in tested]))
    return [replace(one, adjusted=next(adjusted)) if one in tested else one for one in found]


def load_statistics() -> Any:
    """Return `scipy.stats`.

    Raises:
        DependencyError: scipy is not installed.
    """
    return require("scipy.stats", "inspect", "correlate measures")


def _prediction(name: str, values: Floats, success: Floats) -> Prediction:
    stats, count = load_statistics(), len(values)
    correlation = float(spearman(values, success))
    if not np.isfinite(correlation):
        return Prediction(name, nan, nan, count)
    tested = stats.permutation_test(
        (values,),
        lambda ordered, axis: np.abs(spearman(ordered, success)),
        permutation_type="pairings",
        alternative="greater",
        n_resamples=MOST_ORDERS,
        vectorized=True,
        random_state=stream(0, "inspection.orders"),
    )
    p_value = float(tested.pvalue)
    if count < LEAST_FOR_INTERVAL:
        return Prediction(name, correlation, p_value, count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        resampled = stats.bootstrap(
            (values, success),
            lambda one, other, axis: spearman(one, other),
            paired=True,
            n_resamples=RESAMPLES,
            method="percentile",
            vectorized=True,
            random_state=stream(0, "inspection.bootstrap"),
        ).bootstrap_distribution
    # scipy's own interval is NaN once a resample holds one model only.
    low, high = np.nanpercentile(resampled, (2.5, 97.5))
    return Prediction(name, correlation, p_value, count, float(low), float(high))


def spearman(one: Floats, other: Floats) -> Floats:
    """Return Spearman's rank correlations along the last axis, by scipy.

    Args:
        one: [..., N].
        other: [..., N], of a shape that broadcasts with it.

    Returns:
        float64 [...]; NaN where one side is constant or not finite.
    """
    stats = load_statistics()
    one, other = np.broadcast_arrays(one, other)
    ranks = (stats.rankdata(side, axis=-1, nan_policy="propagate") for side in (one, other))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        return np.asarray(stats.pearsonr(*ranks, axis=-1).statistic, np.float64)


def success_rates(path: Path) -> dict[str, float]:
    """Return the success rate of every model in a `results.json`, over all its flights.

    Args:
        path: the file, or its folder.

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


def missing_rates(path: Path, rates: Mapping[str, Any], models: Sequence[Model]) -> str:
    """Return a line that names the models without results; empty if all have some."""
    missing = [model.name for model in models if rate_of(rates, model) is None]
    if not missing:
        return ""
    flown = ", ".join(sorted(rates)) or "no model"
    return f"--results {path}: no flights of {', '.join(missing)}; it has those of {flown}"

"""Comparison of two campaigns flown over the same seeds: paired, with exact tests.

Two flights are a pair if entry and seed are equal: they have the same forest, wind and light.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

from liquid_control.errors import ConfigError
from liquid_control.evaluation.results import SCHEMA, wilson_interval
from liquid_control.files import read_limited

MAX_BYTES = 2**29
SIGNIFICANCE = 0.05

Key: TypeAlias = tuple[str, int]
"""Entry and seed."""


@dataclass(frozen=True, slots=True)
class Flights:
    """Flights of one model in a `results.json`.

    Attributes:
        path: the file.
        model: label of the model.
        rows: by entry and seed.
        config: options of the run.
    """

    path: Path
    model: str
    rows: Mapping[Key, Mapping[str, Any]]
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PairedRow:
    """Comparison over the pairs of one entry, or of all.

    Attributes:
        entry: name of the entry; `all` for the pairs of all entries.
        pairs: number of pairs.
        both, first_only, second_only, neither: numbers of pairs by who succeeded.
        difference: success rate of the second minus that of the first.
        low, high: its 95 % interval.
        p_value: two-sided exact McNemar test of equal success rates.
        cross_track_m: median difference of the cross-track RMS, second minus first, over the pairs
            in which both succeeded, m; None without such a pair.
        cross_track_low_m, cross_track_high_m: its distribution-free 95 % interval; None with fewer
            than six pairs.
    """

    entry: str
    pairs: int
    both: int
    first_only: int
    second_only: int
    neither: int
    difference: float
    low: float
    high: float
    p_value: float
    cross_track_m: float | None
    cross_track_low_m: float | None
    cross_track_high_m: float | None


def load_flights(path: Path, model: str | None = None) -> Flights:
    """Load the flights of one model.

    Args:
        path: a `results.json` of `evaluate` or `fly`, or the folder that holds it.
        model: label of the model; None if the file has only one.

    Raises:
        ConfigError: the file cannot be read, has no flights or several models, or has a flight
            twice.
    """
    path = path / "results.json" if path.is_dir() else path
    document = read_results(path)
    found = [row for row in document["rows"] if isinstance(row, dict) and _is_flight(row)]
    models = list(dict.fromkeys(str(row["model"]) for row in found))
    if not models:
        raise ConfigError(f"{path}: expected rows of flights (entry, seed, success), found none")
    if model is None and len(models) > 1:
        raise ConfigError(
            f"{path}: expected one model, got {', '.join(models)}; choose with --first or --second"
        )
    if model is not None and model not in models:
        raise ConfigError(f"{path}: expected a model of {', '.join(models)}, got {model!r}")
    chosen = models[0] if model is None else model
    rows: dict[Key, Mapping[str, Any]] = {}
    for row in (row for row in found if row["model"] == chosen):
        key = (str(row["entry"]), int(row["seed"]))
        if key in rows:
            raise ConfigError(f"{path}: entry {key[0]!r}, seed {key[1]} is there twice")
        rows[key] = row
    return Flights(path, chosen, rows, document.get("config") or {})


def read_results(path: Path) -> dict[str, Any]:
    """Return the content of a `results.json`.

    Raises:
        ConfigError: the file cannot be read, or is not a `results.json` of this schema.
    """
    try:
        document = json.loads(read_limited(path, MAX_BYTES))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is not JSON ({error})") from error
    if not isinstance(document, dict) or not isinstance(document.get("rows"), list):
        raise ConfigError(f"{path}: expected a results.json with rows")
    if document.get("schema") != SCHEMA:
        raise ConfigError(f"{path}: expected schema {SCHEMA}, got {document.get('schema')!r}")
    return document


def _is_flight(row: Mapping[str, Any]) -> bool:
    return (
        {"model", "entry", "seed", "success"} <= row.keys()
        and isinstance(row["seed"], int)
        and isinstance(row["success"], bool)
    )


def compare_flights(first: Flights, second: Flights) -> list[PairedRow]:
    """Compare two models pair by pair: one row per entry, and `all` if there are several.

    Raises:
        ConfigError: the files share no pair, or a pair has different conditions.
    """
    shared = [key for key in first.rows if key in second.rows]
    if not shared:
        raise ConfigError(
            f"expected flights with equal entry and seed in both files; {_content(first)}; "
            f"{_content(second)}"
        )
    for key in shared:
        _check_conditions(key, first, second)
    pairs = [(key[0], first.rows[key], second.rows[key]) for key in shared]
    entries = list(dict.fromkeys(entry for entry, _, _ in pairs))
    rows = [_row(name, [pair for pair in pairs if pair[0] == name]) for name in entries]
    return [*rows, _row("all", pairs)] if len(rows) > 1 else rows


def _content(flights: Flights) -> str:
    entries = list(dict.fromkeys(entry for entry, _ in flights.rows))
    seeds = [seed for _, seed in flights.rows]
    named = ", ".join(entries[:3]) + (f" and {len(entries) - 3} more" if entries[3:] else "")
    return f"{flights.path} has {named}, seeds {min(seeds)} to {max(seeds)}"


def _check_conditions(key: Key, first: Flights, second: Flights) -> None:
    for name in ("scenario", "perturbation", "severity"):
        one, other = first.rows[key].get(name), second.rows[key].get(name)
        if one != other:
            raise ConfigError(
                f"entry {key[0]!r}, seed {key[1]}: {name} is {one!r} in {first.path} and "
                f"{other!r} in {second.path}; that is no pair"
            )


def _row(
    entry: str, pairs: Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]]
) -> PairedRow:
    outcomes = [(one["success"], other["success"]) for _, one, other in pairs]
    both, first_only = outcomes.count((True, True)), outcomes.count((True, False))
    second_only, neither = outcomes.count((False, True)), outcomes.count((False, False))
    low, high = difference_interval(both, first_only, second_only, neither)
    differences = [
        other["cross_track_rms_m"] - one["cross_track_rms_m"]
        for _, one, other in pairs
        if one["success"] and other["success"] and _measured(one) and _measured(other)
    ]
    bounds = median_interval(differences)
    return PairedRow(
        entry=entry,
        pairs=len(pairs),
        both=both,
        first_only=first_only,
        second_only=second_only,
        neither=neither,
        difference=(second_only - first_only) / len(pairs),
        low=low,
        high=high,
        p_value=mcnemar(first_only, second_only),
        cross_track_m=median(differences) if differences else None,
        cross_track_low_m=bounds[0] if bounds else None,
        cross_track_high_m=bounds[1] if bounds else None,
    )


def _measured(row: Mapping[str, Any]) -> bool:
    value = row.get("cross_track_rms_m")
    return isinstance(value, (int, float)) and isfinite(value)


def mcnemar(first_only: int, second_only: int) -> float:
    """Return the two-sided p value of the exact McNemar test (Q. McNemar, Psychometrika 12, 1947).

    Under the hypothesis of equal success rates, a pair with one success belongs to either side
    with probability 1/2; the p value is twice the smaller binomial tail, at most 1.
    """
    number, fewer = first_only + second_only, min(first_only, second_only)
    tail = sum(_binomials(number, fewer + 1))
    return min(1.0, float(2 * tail / 2**number))


def _binomials(number: int, count: int) -> Iterator[int]:
    """Yield the first binomial coefficients of a number, as integers of any size."""
    value = 1
    for k in range(count):
        yield value
        value = value * (number - k) // (k + 1)


def difference_interval(
    both: int, first_only: int, second_only: int, neither: int
) -> tuple[float, float]:
    """Return the 95 % interval of the paired difference of success rates, second minus first.

    R. G. Newcombe, Statistics in Medicine 17 (1998) 2635, method 10: Wilson's interval of either
    rate, combined with the correlation of the pairs.
    """
    number = both + first_only + second_only + neither
    one, other = both + second_only, both + first_only
    rates = one / number, other / number
    (low1, high1), (low2, high2) = wilson_interval(one, number), wilson_interval(other, number)
    product = one * (number - one) * other * (number - other)
    excess: float = both * neither - first_only * second_only
    if excess > 0:
        excess = max(excess - number / 2, 0.0)
    phi = excess / sqrt(product) if product else 0.0
    down1, up1, down2, up2 = rates[0] - low1, high1 - rates[0], rates[1] - low2, high2 - rates[1]
    below = sqrt(max(down1**2 - 2 * phi * down1 * up2 + up2**2, 0.0))
    above = sqrt(max(up1**2 - 2 * phi * up1 * down2 + down2**2, 0.0))
    difference = rates[0] - rates[1]
    return max(difference - below, -1.0), min(difference + above, 1.0)


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the exact 95 % interval of the median by order statistics; None below six values.

    The k smallest and k largest values are left out, k the largest number with
    2 P(X < k) <= 0.05 for X binomial (n, 1/2).
    """
    ordered, number, tail, skipped = sorted(values), len(values), 0, 0
    # In integers: 2 tail / 2^number <= 1 / 20.
    for value in _binomials(number, number):
        tail += value
        if 40 * tail > 2**number:
            break
        skipped += 1
    return (ordered[skipped - 1], ordered[number - skipped]) if skipped else None


def conclusion(row: PairedRow, first: str, second: str) -> str:
    """Return the result of a comparison as one sentence.

    Args:
        row: over all pairs.
        first: name of the first model.
        second: name of the second.
    """
    figures = (
        f"{100 * row.difference:+.1f} points, 95 % interval {100 * row.low:+.1f} to "
        f"{100 * row.high:+.1f}, exact McNemar p = {row.p_value:.2g}, {row.pairs} pairs"
    )
    if row.p_value >= SIGNIFICANCE:
        return f"No difference in success between {first} and {second} is shown ({figures})."
    better, worse = (second, first) if row.difference > 0 else (first, second)
    return f"{better} succeeds more often than {worse} ({second} minus {first}: {figures})."

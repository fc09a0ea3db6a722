"""Tables and JSON of the inspection commands."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from liquid_control.evaluation import SummaryRow
from liquid_control.evaluation.benchmark_statistics import holm
from liquid_control.files import atomic_write
from liquid_control.inspection.decoders import Decoding
from liquid_control.inspection.flight import AXES, UNITS, InspectedFlight, recorded_scenario
from liquid_control.inspection.lesions import INTACT, Lesions
from liquid_control.inspection.moment import Explanation
from liquid_control.inspection.neurons import component_shares, findings
from liquid_control.inspection.report import FlightInspection
from liquid_control.inspection.retrace import fly_again, retrace, scenario_without
from liquid_control.interfaces import Flyer
from liquid_control.journal import plain
from liquid_control.policy import Policy

SAME_PATH_M = 1e-6
"""Largest deviation of two paths that count as one, m."""


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write plain data, atomically; numbers that are not finite become null.

    Raises:
        OutputError: the file cannot be written.
    """
    return atomic_write(path, json.dumps(plain(content), indent=1, allow_nan=False) + "\n")


def print_inspection(
    found: FlightInspection, moment: Explanation | None, axis: int, extra: Mapping[str, Any]
) -> None:
    """Print what an inspection found: neurons that carry nothing, what-ifs, other conditions.

    Args:
        found: the inspection.
        moment: a moment that was explained.
        axis: of its command.
        extra: from `without_disturbances`; empty without one.
    """
    flight = found.flight
    print(f"{found.policy.model.name} on {flight.name}: {len(flight)} frames")
    for name in found.health.dead:
        print(f"dead neuron: {name}")
    for one, other, related in found.health.duplicates:
        print(f"duplicate neurons: {one} and {other}, r = {related:+.5f}")
    lines = [] if moment is None else moment.sentences(axis)
    for line in (*lines, *extra.get("without", {}).get("lines", ())):
        print(line)


def neurons_document(
    policy: Policy, flights: Sequence[InspectedFlight], found: Sequence[Decoding]
) -> dict[str, Any]:
    """Return what the neurons of a model mean, for JSON."""
    return {
        "schema": 1,
        "model": policy.model.name,
        "flights": [one.name for one in flights],
        "first_component": float(component_shares(flights)[0]),
        "findings": findings(flights),
        "quantities": found,
    }


def decoding_table(found: Sequence[Decoding]) -> Table:
    """Return the decodings as a table, best first."""
    table = Table("quantity", "R² held out", "by chance (95 %)", "p", "closest neuron", "r")
    for one in sorted(found, key=lambda one: -one.score):
        related = one.correlations.get(one.closest, float("nan"))
        numbers = (f"{one.score:+.2f}", f"{one.chance:+.2f}", f"{one.p_value:.3f}")
        table.add_row(one.quantity, *numbers, one.closest, f"{related:+.2f}")
    return table


def lesion_table(result: Lesions) -> Table:
    """Return success rates, and paired differences from the intact model, the worst first.

    Differences are in points, with Newcombe's interval and the p value of the exact McNemar test,
    corrected by Holm's procedure over the lesions of the study.
    """
    table = Table(
        "flown", "success", "95 % interval", "difference", "p, Holm", "cross-track", "failures"
    )
    several = len({row.entry for row in result.summary}) > 1
    intact = [row for row in result.summary if row.model == INTACT]
    others = [row for row in result.summary if row.model != INTACT]
    adjusted = holm([effect.p_value for effect in result.effects])
    lesions = sorted(
        zip(others, result.effects, adjusted, strict=True), key=lambda one: one[0].success_rate
    )
    for row in intact:
        cells = _rate_cells(row, several)
        table.add_row(*cells, "", "", f"{row.cross_track_rms_m:.2f} m", _why(row))
    for row, effect, p_value in lesions:
        bounds = f"{100 * effect.low:+.0f} to {100 * effect.high:+.0f}"
        table.add_row(
            *_rate_cells(row, several),
            f"{100 * effect.difference:+.0f} ({bounds})",
            f"{p_value:.2g}",
            "-" if effect.cross_track_m is None else f"{effect.cross_track_m:+.2f} m",
            _why(row),
        )
    return table


def write_lesions(path: Path, model: str, result: Lesions) -> Path:
    """Write lesions.json: rows, rates and paired effects of a study of a model."""
    content = {"schema": 1, "model": model, "complete": result.complete, "rows": result.rows}
    return write_json(path, content | {"summary": result.summary, "effects": result.effects})


def _rate_cells(row: SummaryRow, several: bool) -> tuple[str, str, str]:
    interval = f"{row.ci95_low:.0%} to {row.ci95_high:.0%}"
    flown = f"{row.entry}: {row.model}" if several else row.model
    return flown, f"{row.successes} of {row.n}", interval


def _why(row: SummaryRow) -> str:
    reasons = {name: count for name, count in row.reasons.items() if name != "completed"}
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in reasons.items())


def without_disturbances(
    flyer: Flyer,
    policy: Policy,
    recorded: InspectedFlight,
    names: Sequence[str],
    at_s: float | None = None,
) -> dict[str, Any]:
    """Return what a flight without disturbances would have been, as plain data with sentences.

    Args:
        flyer: such as `liquid_control_sim.fly`.
        policy: the policy.
        recorded: the flight as it was.
        names: of the disturbances, as `scenario_without` takes them.
        at_s: a moment to compare, s from the first frame.

    Raises:
        ConfigError: the scenario is not recorded, or has no such disturbance.
    """
    scenario, seed = recorded_scenario(recorded)
    scenario = scenario_without(scenario, names)
    again = retrace(flyer, policy, recorded, scenario, seed)
    parts = [name.partition("@") for name in names]
    texts = [f"{name} after {end_s} s" if end_s else name for name, _, end_s in parts]
    what, same = " and ".join(texts), again.deviation_m <= SAME_PATH_M
    lines = [
        f"without {what} the recorded commands fly the same path"
        if same
        else f"without {what} the recorded commands fly up to {again.deviation_m:.2f} m beside "
        "the recorded path"
    ]
    shared, own, other = np.intersect1d(
        recorded.stamp_ns, again.flight.stamp_ns, return_indices=True
    )
    change = again.flight.commands[other] - recorded.commands[own]
    commands: dict[str, Any] = {}
    for axis, name in enumerate(AXES):
        commands[name] = {"rms": float(np.sqrt((change[:, axis] ** 2).mean()))}
    if at_s is not None:
        stamp = recorded.stamp_ns[recorded.frame_at(at_s)]
        frame = int(np.searchsorted(shared, stamp))
        if frame < len(shared) and shared[frame] == stamp:
            for axis, name in enumerate(AXES):
                was = float(recorded.commands[own[frame], axis])
                would = float(again.flight.commands[other[frame], axis])
                commands[name] |= {"was": was, "would_be": would}
                lines.append(
                    f"without {what} the {name} command at {at_s:g} s is {would:+.3f} "
                    f"{UNITS[axis]} instead of {was:+.3f}"
                )
    result = fly_again(flyer, policy, scenario, seed).result
    ended = result.reason.replace("_", " ")
    lines.append(
        f"flown again without {what}: {ended} after {result.duration_s:.2f} s and "
        f"{result.distance_m:.1f} m"
    )
    return {
        "without": {
            "disturbances": list(names),
            "deviation_m": again.deviation_m,
            "commands": commands,
            "flown_again": plain(result),
            "lines": lines,
        }
    }

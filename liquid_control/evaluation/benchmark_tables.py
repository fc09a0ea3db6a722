"""Markdown tables of a benchmark."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from liquid_control.config.disturbances import disturbances, value_of
from liquid_control.evaluation.arms import EXPERT, HOVERING
from liquid_control.evaluation.benchmark import DELTAS, BenchmarkEntry, BenchmarkResults
from liquid_control.evaluation.benchmark_statistics import ArmComparison, Outcomes, Pair, compare
from liquid_control.evaluation.campaign import matching
from liquid_control.evaluation.result_tables import percent

CLOSE = 0.02
"""Success rate below the reference up to which a rival is named."""
_CAPTIONS = {
    "severity": "Success over severity, mean of the disturbances, with 95 % intervals: {}",
    "heat": "Success by disturbance, mean of its severities: {}",
    "parameters": "Weights of the recurrent core against success, with 95 % intervals",
    "worst_flights": "The worst flights: the last pictures before the end, half a second apart",
}


def page_text(benchmark: BenchmarkResults, cells: str, figures: Sequence[str]) -> str:
    """Return the generated part of the page.

    Args:
        benchmark: the outcomes.
        cells: address of the counts and intervals of every cell.
        figures: addresses of the figures, relative to the page.
    """
    parts = [_status(benchmark), _claims(benchmark), *_tasks(benchmark), _deltas(benchmark)]
    parts += [_comparisons(benchmark), _by_disturbance(benchmark), _rivals(benchmark)]
    parts += [_conditions(benchmark, task, cells) for task in benchmark.tasks]
    parts += [_figure(address) for address in figures]
    return "\n".join(part for part in parts if part)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _status(benchmark: BenchmarkResults) -> str:
    document = benchmark.document
    state = "complete" if document["complete"] else "not complete, all flights so far"
    begun = document.get("begun_with", {}).get("git_revision")
    revision = document["git_revision"] + (f" (begun with revision {begun})" if begun else "")
    lines = [
        f"{len(document['rows']):,} flights of {len(benchmark.arms)} arms in "
        f"{len(benchmark.entries)} conditions, {state}; revision {revision}, "
        f"{document['created_utc']}.\n\n    {document['command']}\n"
    ]
    missing = [label for arm in benchmark.arms.values() for label in arm.missing]
    known = {label for arm in benchmark.arms.values() for label in (*arm.labels, *arm.missing)}
    missing += [
        record["label"] for record in benchmark.config["arms"] if record["label"] not in known
    ]
    if missing:
        lines.append(f"Not flown, since the models do not exist: {', '.join(missing)}.\n")
    return "\n".join(lines)


def _figure(address: str) -> str:
    name = address.rpartition("/")[2].removesuffix(".png")
    kind, _, about = name.partition("-")
    caption = _CAPTIONS[kind].format(about.replace("_", " "))
    return f"![{caption}]({address})\n\n*{caption}.*\n"


def rate_text(benchmark: BenchmarkResults, arm: str, outcomes: Outcomes | None) -> str:
    """Return successes, rate and interval as text; a dash if the arm has not flown."""
    if outcomes is None:
        return "-"
    low, high = benchmark.interval(arm, outcomes)
    return (
        f"{outcomes.successes} of {outcomes.flights}, {percent(outcomes.rate)} "
        f"({percent(low)} to {percent(high)})"
    )


def _tasks(benchmark: BenchmarkResults) -> Iterable[str]:
    """Yield a table for each task: undisturbed, disturbed, and what is kept."""
    header = [
        "arm",
        "core",
        "weights",
        "undisturbed",
        "disturbed",
        "kept",
        "of the expert",
        "seeds",
    ]
    for task in benchmark.tasks:
        rows = [
            row for arm in benchmark.arms if (row := _task_row(benchmark, task, arm)) is not None
        ]
        if rows:
            yield f"### {task}\n\n{_table(header, rows)}"


def _task_row(benchmark: BenchmarkResults, task: str, arm: str) -> list[str] | None:
    calm = benchmark.cells.get((arm, task))
    if calm is None:
        return None
    names = _names(benchmark.beside(task))
    disturbed = benchmark.group(arm, names) if names else None
    expert = benchmark.group(EXPERT, names) if names else benchmark.cells.get((EXPERT, task))
    flown = disturbed or calm
    models = " / ".join(f"{100 * rate:.0f}" for rate in flown.of_models)
    return [
        arm,
        benchmark.arms[arm].core or "-",
        benchmark.parameters_text(arm),
        rate_text(benchmark, arm, calm),
        rate_text(benchmark, arm, disturbed),
        _ratio(disturbed, calm),
        _ratio(flown, expert),
        f"{models} %" if len(flown.of_models) > 1 else "-",
    ]


def _names(entries: Iterable[BenchmarkEntry]) -> list[str]:
    return [entry.name for entry in entries]


def _ratio(part: Outcomes | None, whole: Outcomes | None) -> str:
    if part is None or whole is None or not whole.rate:
        return "-"
    return f"{100 * part.rate / whole.rate:.0f} %"


def _pair(
    benchmark: BenchmarkResults,
    name: Mapping[str, str],
    entries: Sequence[str],
    calm: str | None = None,
) -> Pair | None:
    """Return the comparison of `name["arm"]` with the reference over the entries both flew."""
    arms = (str(benchmark.reference), name["arm"])
    shared = [entry for entry in entries if all((arm, entry) in benchmark.cells for arm in arms)]
    first, second = (benchmark.group(arm, shared) if shared else None for arm in arms)
    if first is None or second is None or not set(first.seeds) & set(second.seeds):
        return None
    seeds = sorted(set(first.seeds) & set(second.seeds))
    first, second = first.on(seeds), second.on(seeds)
    effects = (benchmark.effect(arms[0], first), benchmark.effect(arms[1], second))
    if calm is None:
        return Pair(name, first, second, None, effects)
    both = [benchmark.cells.get((arm, calm)) for arm in arms]
    if both[0] is None or both[1] is None:
        return None
    return Pair(name, first, second, (both[0], both[1]), effects)


def _rivals_of(benchmark: BenchmarkResults) -> list[str]:
    arms = benchmark.arms.values()
    return [arm.name for arm in arms if not arm.is_pilot and arm.name != benchmark.reference]


def compare_with_reference(benchmark: BenchmarkResults) -> list[ArmComparison]:
    """Compare each arm with the reference: undisturbed, disturbed, and how much it loses."""
    pairs = []
    for task in benchmark.tasks:
        disturbed = _names(benchmark.beside(task))
        questions: list[tuple[str, list[str], str | None]] = [("undisturbed", [task], None)]
        if disturbed:
            questions += [("disturbed", disturbed, None), ("kept", disturbed, task)]
        for what, entries, calm in questions:
            names = [{"task": task, "question": what, "arm": arm} for arm in _rivals_of(benchmark)]
            pairs += [_pair(benchmark, name, entries, calm) for name in names]
    return compare([pair for pair in pairs if pair is not None])


def _comparisons(benchmark: BenchmarkResults) -> str:
    found = compare_with_reference(benchmark)
    if not found:
        return ""
    return (
        f"### Every arm against {benchmark.reference}\n\n"
        f"Arm minus {benchmark.reference} on the same forests, {len(found)} comparisons in one "
        f"family. *Kept* is the difference between disturbed and undisturbed success, compared "
        f"between the arms: positive if the arm loses less.\n\n{_comparison_table(found)}"
    )


def _by_disturbance(benchmark: BenchmarkResults) -> str:
    pairs = [
        _pair(benchmark, {"task": task, "disturbance": name, "arm": arm}, _names(entries))
        for task in benchmark.tasks
        for name, entries in benchmark.disturbances(task).items()
        for arm in _rivals_of(benchmark)
    ]
    found = compare([pair for pair in pairs if pair is not None])
    if not found:
        return ""
    shown = [row for row in found if row.verdict in ("better", "worse")]
    table = f"\n\n{_comparison_table(shown)}" if shown else "\n"
    return (
        f"### By disturbance\n\nOf {len(found)} comparisons in one family, {len(shown)} show a "
        f"difference from {benchmark.reference}.{table}"
    )


def _comparison_table(rows: Sequence[ArmComparison]) -> str:
    header = [*rows[0].name, "forests", "difference, points", "interval", "p", "p, Holm", "result"]
    return _table(header, [[*row.name.values(), *_comparison_cells(row)] for row in rows])


def _comparison_cells(row: ArmComparison) -> list[str]:
    agreed = ", in all training seeds" if row.agree else ", not in all training seeds"
    return [
        str(row.forests),
        f"{100 * row.difference:+.1f}",
        f"{100 * row.low:+.1f} to {100 * row.high:+.1f}",
        f"{row.p_value:.2g}",
        f"{row.adjusted:.2g}",
        row.verdict + (agreed if row.verdict in ("better", "worse") else ""),
    ]


def _rivals(benchmark: BenchmarkResults) -> str:
    """Name the arms that are at most two points below the reference, with their sizes."""
    lines = []
    for task in benchmark.tasks:
        for what, entries in (
            ("undisturbed", [task]),
            ("disturbed", _names(benchmark.beside(task))),
        ):
            rates = {
                arm: found.rate
                for arm in (benchmark.reference, *_rivals_of(benchmark))
                if arm and entries and (found := benchmark.group(arm, entries)) is not None
            }
            own = rates.pop(str(benchmark.reference), None)
            near = {
                arm: rate for arm, rate in rates.items() if own is not None and rate >= own - CLOSE
            }
            if near:
                named = sorted(near, key=lambda arm: -near[arm])
                texts = [
                    f"{arm} ({benchmark.parameters_text(arm)} weights, {percent(near[arm])})"
                    for arm in named
                ]
                lines.append(f"- {task}, {what} ({percent(own or 0.0)}): {', '.join(texts)}\n")
    if not lines:
        return ""
    title = f"### Within two points of {benchmark.reference}, or above\n\n"
    return title + "".join(lines)


def _conditions(benchmark: BenchmarkResults, task: str, cells: str) -> str:
    """Return the table of all conditions of a task, success in per cent by arm."""
    entries = [
        entry for entry in benchmark.entries.values() if entry.of == task and entry.name != task
    ]
    plain = [entry for entry in entries if not (entry.disturbance or "").startswith(DELTAS)]
    arms = [arm for arm in benchmark.arms if (arm, task) in benchmark.cells]
    if not plain or not arms:
        return ""
    rows = [
        [name, *(_percent_cell(benchmark, arm, name) for arm in arms)]
        for name in [task, *_names(plain)]
    ]
    return (
        f"### Conditions of {task}\n\nSuccess in per cent; {', '.join(_sizes(benchmark, arms))}. "
        f"[{cells}]({cells}) has counts and intervals.\n\n"
        f"{_table(['condition', *arms], rows)}"
    )


def _sizes(benchmark: BenchmarkResults, arms: Sequence[str]) -> list[str]:
    sizes: dict[int, list[str]] = {}
    for (arm, _), cell in benchmark.cells.items():
        if arm in arms:
            sizes.setdefault(cell.flights, []).append(arm)
    return [
        f"{size} flights a cell for {', '.join(dict.fromkeys(names))}"
        for size, names in sorted(sizes.items())
    ]


def _percent_cell(benchmark: BenchmarkResults, arm: str, entry: str) -> str:
    cell = benchmark.cells.get((arm, entry))
    return "-" if cell is None else f"{100 * cell.rate:.0f}"


def _deltas(benchmark: BenchmarkResults) -> str:
    """Return the table of the published image-space changes, closed loop."""
    found = [
        entry
        for task in benchmark.tasks
        for name, entries in benchmark.disturbances(task).items()
        if name.startswith(DELTAS)
        for entry in entries
    ]
    arms = [
        arm
        for arm in benchmark.arms
        if arm != HOVERING and any((arm, entry.name) in benchmark.cells for entry in found)
    ]
    if not found or not arms:
        return ""
    rows = []
    for entry in found:
        name = str(entry.disturbance)
        (value,) = disturbances()[name].at(entry.severity).values() or ("-",)
        label = f"{name.removeprefix(DELTAS)} {value_of(value)}"
        cells = [benchmark.cells.get((arm, entry.name)) for arm in arms]
        texts = ["-" if cell is None else f"{cell.successes}/{cell.flights}" for cell in cells]
        rows.append([str(entry.of), label, *texts])
    table = _table(["task", "change", *arms], rows)
    return f"### Published image-space changes, closed loop\n\n{table}"


def _claims(benchmark: BenchmarkResults) -> str:
    """Return the table of what the campaign is to show."""
    claims: Sequence[Mapping[str, Any]] = benchmark.config.get("claims") or []
    arms = [arm.name for arm in benchmark.arms.values() if not arm.is_pilot]
    rows = [_claim_row(benchmark, claim, arm) for claim in claims for arm in arms]
    if not rows:
        return ""
    header = ["claim", "arm", "asked for", "conditions that reach it", "lowest", "reached"]
    return f"### Claims\n\n{_table(header, rows)}"


def _claim_row(benchmark: BenchmarkResults, claim: Mapping[str, Any], arm: str) -> list[str]:
    names = matching(list(benchmark.entries), claim["entries"])
    wanted = f"at least {100 * claim['at_least']:g} %"
    if claim["relative"]:
        wanted += f" of {claim['relative']}"
    values = {name: _claimed(benchmark, claim, names, arm, name) for name in names}
    flown = {name: value for name, value in values.items() if value is not None}
    if not flown:
        return [claim["claim"], arm, wanted, f"0 of {len(names)} flown", "-", "not flown"]
    enough = [name for name, value in flown.items() if value >= claim["at_least"] - 1e-9]
    lowest = min(flown, key=lambda name: flown[name])
    text = rate_text(benchmark, arm, benchmark.cells[arm, lowest])
    if claim["relative"]:
        text += f", {100 * flown[lowest]:.0f} % of {claim['relative']}"
    reached = "yes" if len(enough) == len(names) else "no"
    if len(flown) < len(names):
        reached = f"{len(names) - len(flown)} conditions not flown" if reached == "no" else reached
    below = [name for name in flown if name not in enough]
    listed = f" (below: {', '.join(below)})" if len(names) > 1 and below else ""
    count = f"{len(enough)} of {len(names)}{listed}"
    return [claim["claim"], arm, wanted, count, f"{lowest}: {text}", reached]


def _claimed(
    benchmark: BenchmarkResults,
    claim: Mapping[str, Any],
    names: Sequence[str],
    arm: str,
    name: str,
) -> float | None:
    """Return the figure of a claim in one entry; None if it has not been flown."""
    cell = benchmark.cells.get((arm, name))
    if cell is None:
        return None
    relative = claim["relative"]
    if not relative:
        return cell.rate
    if relative == "best":
        rates = [
            benchmark.cells[arm, other].rate for other in names if (arm, other) in benchmark.cells
        ]
        whole = max(rates)
    else:
        key = (EXPERT, name) if relative == EXPERT else (arm, relative)
        base = benchmark.cells.get(key)
        if base is None:
            return None
        shared = sorted(set(base.seeds) & set(cell.seeds))
        if not shared:
            return None
        whole, cell = base.on(shared).rate, cell.on(shared)
    return cell.rate / whole if whole else (1.0 if not cell.rate else float("inf"))

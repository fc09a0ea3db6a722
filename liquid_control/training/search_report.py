"""Report of an architecture search: front and hypervolumes as JSON, Markdown and a picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import moocore
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from liquid_control.files import atomic_write
from liquid_control.pages import style
from liquid_control.provenance import git_revision, package_versions
from liquid_control.training.search_settings import Point, SearchSettings
from liquid_control.training.search_trial import TrialResult
from liquid_control.types import Floats

SEARCH_JSON, SEARCH_MD, FRONT_PNG = "search.json", "search.md", "front.png"
MARGIN = 0.1
"""Distance of the reference point beyond the worst values, fraction of their range."""
_LABEL_ROOM = (0.07, 0.06)
"""Width and height of a label, fractions of a panel."""
_LOGARITHMIC_FROM = 5.0
"""Ratio of largest to smallest value from which an axis is logarithmic."""
TITLES = {"nsga2": "NSGA-II", "random": "random search"}
COLOURS = {"nsga2": style.BLUE, "random": style.ORANGE}
LABELS = {
    "success": "success",
    "latency_ms": "one policy step, ms of CPU",
    "weights": "weights of encoder and core",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One trial in the report.

    Attributes:
        trial: its name.
        parameters: those that are used.
        result: what was measured; None for a trial that has not ended.
    """

    trial: str
    parameters: Point
    result: TrialResult | None

    @property
    def state(self) -> str:
        """`open`, `failed` or `complete`."""
        if self.result is None:
            return "open"
        return "failed" if self.result.failure else "complete"


Findings = Mapping[str, Sequence[Finding]]
"""Trials by the name of their search, in order."""


def losses(findings: Sequence[Finding], objectives: Sequence[str]) -> Floats:
    """Return the objectives of complete trials, all to be minimised, float64 [N, M].

    Success becomes the fraction of flights that failed.
    """
    rows = []
    for finding in findings:
        if finding.result is not None and finding.state == "complete":
            values = {**asdict(finding.result), "success": 1.0 - finding.result.success}
            rows.append([float(values[name]) for name in objectives])
    return np.array(rows, np.float64).reshape(-1, len(objectives))


def hypervolume(points: Floats, best: Floats, worst: Floats) -> float:
    """Return the share that points dominate of the box between the best and the reference point.

    Every objective is scaled to 0 at the best and 1 at the worst value; the reference point has
    1 + `MARGIN` in each.

    Args:
        points: objectives to be minimised, float64 [N, M].
        best: smallest value of each objective, float64 [M].
        worst: largest value of each objective, float64 [M].
    """
    if not len(points):
        return 0.0
    span = np.where(worst > best, worst - best, 1.0)
    corner = np.full(len(best), 1.0 + MARGIN)
    return float(moocore.hypervolume((points - best) / span, ref=corner) / corner.prod())


@dataclass(frozen=True, slots=True, eq=False)
class SearchOutcome:
    """Front and hypervolumes of both searches.

    Attributes:
        front: complete trials that no other trial dominates, those with most success first; of
            equal ones the first.
        found_by: searches that have a trial with these parameters, by name of the trial.
        volumes: hypervolume after each trial by search; a failed trial adds nothing.
        best: smallest value of each objective over both searches, to be minimised, float64 [M].
        worst: largest value of each, float64 [M].
    """

    front: tuple[Finding, ...]
    found_by: Mapping[str, tuple[str, ...]]
    volumes: Mapping[str, tuple[float, ...]]
    best: Floats
    worst: Floats


def outcome(findings: Findings, objectives: Sequence[str]) -> SearchOutcome:
    """Return front and hypervolumes, both over the same box."""
    complete = [f for found in findings.values() for f in found if f.state == "complete"]
    points = losses(complete, objectives)
    if not len(points):
        empty = np.zeros(len(objectives))
        return SearchOutcome((), {}, dict.fromkeys(findings, ()), empty, empty)
    best, worst = points.min(axis=0), points.max(axis=0)
    volumes = {
        name: tuple(
            hypervolume(losses(found[: count + 1], objectives), best, worst)
            for count in range(sum(finding.state != "open" for finding in found))
        )
        for name, found in findings.items()
    }
    kept = moocore.is_nondominated(points)
    front = [finding for finding, keep in zip(complete, kept, strict=True) if keep]
    front.sort(key=lambda finding: tuple(losses([finding], objectives)[0]))
    found_by = {
        finding.trial: tuple(
            name
            for name, found in findings.items()
            if any(other.parameters == finding.parameters for other in found)
        )
        for finding in front
    }
    return SearchOutcome(tuple(front), found_by, volumes, best, worst)


def write_report(folder: Path, settings: SearchSettings, findings: Findings, command: str) -> Path:
    """Write `search.json`, `search.md` and `front.png`; return the path of the second.

    Args:
        folder: of the search.
        settings: of the search.
        findings: trials by search.
        command: command line of the search.

    Raises:
        OutputError: a file cannot be written.
    """
    result = outcome(findings, settings.objectives)
    document = _document(settings, findings, result, command)
    atomic_write(folder / SEARCH_JSON, json.dumps(document, indent=1, allow_nan=False))
    atomic_write(folder / FRONT_PNG, draw_front(findings, result))
    path = folder / SEARCH_MD
    atomic_write(path, _page(settings, findings, result, command))
    return path


def _document(
    settings: SearchSettings, findings: Findings, result: SearchOutcome, command: str
) -> dict[str, Any]:
    on_front = {finding.trial for finding in result.front}
    return {
        "schema": 1,
        "command": command,
        "git_revision": git_revision(),
        "versions": package_versions(),
        "settings": settings.model_dump(mode="json"),
        "objectives": list(settings.objectives),
        "minimised": {"best": result.best.tolist(), "worst": result.worst.tolist()},
        "hypervolume": {name: list(values) for name, values in result.volumes.items()},
        "front": [finding.trial for finding in result.front],
        "trials": [
            {
                "trial": finding.trial,
                "search": name,
                "state": finding.state,
                "on_front": finding.trial in on_front,
                "parameters": finding.parameters,
                **(asdict(finding.result) if finding.result else {}),
            }
            for name, found in findings.items()
            for finding in found
        ],
    }


_PAGE = """# Architecture search: {name}

NSGA-II and a random search of equal budget, {trials} trials each, for {objectives}. {counts}

![Front of the search](front.png)

## Front

Networks that no other network beats in one objective without losing in another, of both searches.

{front}

The numbers are those of the picture. Success is counted on {flights} validation flights. Latency
is the median CPU time of one policy step on one thread. Weights are those of encoder and core.

**These networks were chosen on these flights**, so their success is too high on average, and they
learned for a short time only. Train the ones of interest with the full training file, and measure
them afresh on seeds that the search has not used.

## Hypervolume

The share that a front dominates of the box between the best value of each objective and a corner
{margin:.0f} % of the range beyond the worst value. The box is the same for both, and their
first {population} trials are equal. One run of each does not show which search is better.

{volumes}

## Again

    {command}
"""


def _page(
    settings: SearchSettings, findings: Findings, result: SearchOutcome, command: str
) -> str:
    everything = [finding for found in findings.values() for finding in found]
    ended = [finding.result for finding in everything if finding.result is not None]
    trained = sum(not each.same_as for each in ended)
    failed = sum(bool(each.failure) for each in ended)
    counts = (
        f"{len(ended)} of {2 * settings.trials} trials have ended: {trained} were trained, "
        f"{len(ended) - trained} repeated the parameters of another one, {failed} failed."
    )
    flights = sorted({each.flights for each in ended if not each.failure}) or [0]
    return _PAGE.format(
        name=settings.name,
        trials=settings.trials,
        objectives=", ".join(settings.objectives),
        counts=counts,
        front=_front_table(settings, result),
        flights=flights[0],
        margin=100 * MARGIN,
        population=min(settings.population, settings.trials),
        volumes=_volume_table(result),
        command=command,
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _front_table(settings: SearchSettings, result: SearchOutcome) -> str:
    names = [name for name in settings.space if any(name in f.parameters for f in result.front)]
    header = ["", "trial", "success", "ms", "weights", "in the core", "found by"]
    rows = []
    for number, finding in enumerate(result.front, 1):
        measured = finding.result or TrialResult()
        rows.append(
            [
                str(number),
                f"[{finding.trial}](trials/{finding.trial})",
                f"{100 * measured.success:.0f} %",
                f"{measured.latency_ms:.3f}",
                f"{measured.weights:,}",
                f"{measured.core_weights:,}",
                ", ".join(TITLES[name] for name in result.found_by[finding.trial]),
                *(str(finding.parameters.get(name, "")) for name in names),
            ]
        )
    return _table([*header, *(name.removeprefix("network.") for name in names)], rows)


def _volume_table(result: SearchOutcome) -> str:
    length = max((len(values) for values in result.volumes.values()), default=0)
    at = sorted({max(1, round(length * part / 5)) for part in range(1, 6)} if length else ())
    rows = [
        [
            TITLES[name],
            *(f"{values[count - 1]:.3f}" if count <= len(values) else "" for count in at),
        ]
        for name, values in result.volumes.items()
    ]
    return _table(["after trials", *map(str, at)], rows)


def draw_front(findings: Findings, result: SearchOutcome) -> bytes:
    """Return the picture of the front as PNG: success over latency and weights, hypervolumes."""
    with style.drawing():
        figure = Figure(figsize=(style.WIDTH_IN, 3.9))
        panels = figure.subplots(1, 3, width_ratios=(1.0, 1.0, 0.85))
        figure.subplots_adjust(left=0.04, right=0.985, bottom=0.13, top=0.82, wspace=0.14)
        for axes, objective in zip(panels[:2], ("latency_ms", "weights"), strict=True):
            _scatter(axes, findings, result, objective)
        _volumes(panels[2], result)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper left", ncols=len(labels))
        return style.png(figure, 130)


def _scatter(axes: Axes, findings: Findings, result: SearchOutcome, objective: str) -> None:
    """Draw success over one objective: all trials, the best of each search, the numbered front."""
    for name, found in findings.items():
        complete = [f.result for f in found if f.result is not None and f.state == "complete"]
        if not complete:
            continue
        x = np.array([getattr(each, objective) for each in complete], np.float64)
        y = np.array([100.0 * each.success for each in complete])
        order = np.lexsort((-y, x))
        reached = np.maximum.accumulate(y[order])
        axes.step(x[order], reached, where="post", color=COLOURS[name], linewidth=1.2, alpha=0.55)
        axes.scatter(x, y, s=20, color=COLOURS[name], alpha=0.55, linewidth=0, label=TITLES[name])
    _scale(axes)
    axes.set(xlabel=LABELS[objective], title="success, per cent", ylim=(-4.0, 106.0))
    axes.grid(axis="both")
    axes.set_axisbelow(True)
    _number_front(axes, result, objective)


def _scale(axes: Axes) -> None:
    """Give the horizontal axis a logarithmic scale if its values need one."""
    low, high = axes.dataLim.intervalx
    if high > _LOGARITHMIC_FROM * low > 0.0:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def _number_front(axes: Axes, result: SearchOutcome, objective: str) -> None:
    """Draw circles around the front, and its numbers; networks close together share a label."""
    measured = [finding.result or TrialResult() for finding in result.front]
    if not measured:
        return
    places = np.array([(getattr(each, objective), 100.0 * each.success) for each in measured])
    label = "front of both, numbered as in the table"
    axes.scatter(
        places[:, 0],
        places[:, 1],
        s=58,
        facecolor="none",
        edgecolor=style.INK,
        linewidth=1.0,
        label=label,
    )
    groups: list[list[int]] = []
    shown = axes.transAxes.inverted().transform(axes.transData.transform(places))
    for index, place in enumerate(shown):
        near = (g for g in groups if (np.abs(shown[g[0]] - place) < _LABEL_ROOM).all())
        group = next(near, None)
        if group is None:
            groups.append([index])
        else:
            group.append(index)
    for group in groups:
        numbers = ", ".join(str(index + 1) for index in group)
        at = (places[group[0]][0], places[group[0]][1])
        axes.annotate(numbers, at, (4.5, 4.5), textcoords="offset points", fontsize=8)


def _volumes(axes: Axes, result: SearchOutcome) -> None:
    for name, values in result.volumes.items():
        axes.step(
            range(1, len(values) + 1),
            [100.0 * value for value in values],
            where="post",
            color=COLOURS[name],
            linewidth=1.8,
        )
    axes.set(xlabel="trials of each search", title="hypervolume of the front, per cent of the box")
    axes.set_ylim(0.0, 102.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.quiet_axes(axes)

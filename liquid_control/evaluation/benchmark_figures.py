"""Figures of a benchmark as PNG: severity, disturbances, weights, worst flights."""

from collections.abc import Sequence
from math import ceil

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from liquid_control.evaluation.arms import EXPERT
from liquid_control.evaluation.benchmark import BenchmarkResults, strip_pictures
from liquid_control.evaluation.benchmark_statistics import Outcomes
from liquid_control.pages import style
from liquid_control.types import Floats, Pixels

_COLUMNS = 4
_LABEL_STEP = 4.2
"""Distance of two labels, points of success."""
_RATES = LinearSegmentedColormap.from_list(
    "rates", ["#b3363b", "#efb08c", "#f7f3e8", "#8fb9dd", "#1f5fa8"]
)
"""From no success to that of the comparison."""


def draw_figures(benchmark: BenchmarkResults) -> dict[str, bytes]:
    """Return the figures as PNG by file name; those that have data."""
    figures: dict[str, Figure | None] = {}
    with style.drawing():
        for task in benchmark.tasks:
            name = "".join(c if c.isalnum() or c in ".+" else "_" for c in task)
            figures[f"severity-{name}"] = over_severity(benchmark, task)
            figures[f"heat-{name}"] = heat_maps(benchmark, task)
        figures["parameters"] = against_parameters(benchmark)
        figures["worst_flights"] = strips(benchmark)
        return {
            f"{name}.png": style.png(figure)
            for name, figure in figures.items()
            if figure is not None
        }


def _models(benchmark: BenchmarkResults, task: str) -> list[str]:
    arms = benchmark.arms.values()
    return [arm.name for arm in arms if not arm.is_pilot and (arm.name, task) in benchmark.cells]


Curve = list[tuple[int, Outcomes]]


def severity_curve(benchmark: BenchmarkResults, arm: str, task: str) -> Curve:
    """Return severities and outcomes of an arm; severity 0 is the undisturbed flight."""
    groups: dict[int, list[str]] = {0: [task]}
    for entry in benchmark.beside(task):
        groups.setdefault(entry.severity, []).append(entry.name)
    found = ((severity, benchmark.group(arm, groups[severity])) for severity in sorted(groups))
    return [(severity, outcomes) for severity, outcomes in found if outcomes is not None]


def over_severity(benchmark: BenchmarkResults, task: str) -> Figure | None:
    """Return one panel an arm: its success over severity with its band, beside the reference."""
    arms = _models(benchmark, task)
    if not arms or not benchmark.beside(task):
        return None
    columns = min(_COLUMNS, len(arms))
    rows = ceil(len(arms) / columns)
    figure = Figure(
        figsize=(2.75 * columns if columns > 1 else 4.5, 2.1 * rows + 0.45), layout="constrained"
    )
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, arm in zip(panels, arms, strict=False):
        _severity_panel(axes, benchmark, task, arm)
    for axes in panels[len(arms) :]:
        axes.axis("off")
    for index, axes in enumerate(panels[: len(arms)]):
        if index + columns >= len(arms):
            axes.set_xlabel("severity")
            axes.tick_params(labelbottom=True)
    figure.legend(
        *panels[min(1, len(arms) - 1)].get_legend_handles_labels(),
        loc="outside upper right",
        ncols=3,
        fontsize=8.5,
    )
    return figure


def _severity_panel(axes: Axes, benchmark: BenchmarkResults, task: str, arm: str) -> None:
    others = (
        (EXPERT, "expert", style.MUTED, "--"),
        (benchmark.reference, str(benchmark.reference), style.BLUE, "-"),
    )
    for other, label, colour, dashes in others:
        curve = severity_curve(benchmark, str(other), task)
        if curve and other != arm:
            x, y = zip(
                *((severity, 100 * outcomes.rate) for severity, outcomes in curve), strict=True
            )
            axes.plot(x, y, dashes, color=colour, linewidth=1.1, label=label)
    curve = severity_curve(benchmark, arm, task)
    at = [severity for severity, _ in curve]
    bounds = [benchmark.interval(arm, outcomes) for _, outcomes in curve]
    colour = style.BLUE if arm == benchmark.reference else style.ORANGE
    low, high = zip(*bounds, strict=True)
    axes.fill_between(
        at, [100 * v for v in low], [100 * v for v in high], color=colour, alpha=0.18, linewidth=0
    )
    label = str(arm) if arm == benchmark.reference else "this arm"
    axes.plot(
        at,
        [100 * o.rate for _, o in curve],
        "-o",
        color=colour,
        markersize=3.5,
        linewidth=1.6,
        label=label,
    )
    axes.set(ylim=(-3, 103), xticks=at, yticks=(0, 25, 50, 75, 100))
    axes.set_title(f"{arm}, {benchmark.parameters_text(arm)} weights")
    axes.yaxis.set_major_formatter("{x:.0f} %")
    style.quiet_axes(axes)
    axes.margins(x=0.04)


def heat_maps(benchmark: BenchmarkResults, task: str) -> Figure | None:
    """Return success by arm and disturbance: of the expert's, and of the arm's undisturbed."""
    arms = _models(benchmark, task)
    groups = {
        name: [entry.name for entry in entries]
        for name, entries in benchmark.disturbances(task).items()
    }
    if not arms or not groups:
        return None
    maps = [("relative to its own undisturbed success", _relative(benchmark, arms, groups, task))]
    if (EXPERT, task) in benchmark.cells:
        maps.insert(
            0, ("relative to the expert's success", _relative(benchmark, arms, groups, None))
        )
    width = max(5.0, 1.6 + 0.42 * len(groups))
    height = 0.26 * len(arms) + 0.55
    figure = Figure(figsize=(width + 0.6, len(maps) * height + 1.15), layout="constrained")
    panels = figure.subplots(len(maps), 1, sharex=True, squeeze=False).ravel()
    for axes, (title, values) in zip(panels, maps, strict=True):
        picture = axes.imshow(values, cmap=_RATES, vmin=0.0, vmax=1.0, aspect="auto")
        axes.set_title(f"success {title}, per cent")
        axes.set_yticks(range(len(arms)), arms)
        axes.spines["bottom"].set_visible(False)
        for row, column in np.ndindex(*values.shape):
            if np.isfinite(values[row, column]):
                value = values[row, column]
                ink = "white" if value < 0.15 or value > 0.88 else style.INK
                axes.text(
                    column,
                    row,
                    f"{100 * value:.0f}",
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    color=ink,
                )
    names = [name.replace("_", " ") for name in groups]
    panels[-1].set_xticks(
        range(len(groups)), names, rotation=60, ha="right", rotation_mode="anchor"
    )
    bar = figure.colorbar(picture, ax=list(panels), pad=0.01, fraction=0.02, aspect=30)
    bar.set_ticks([0.0, 0.5, 1.0], labels=["0", "50", "100 %"])
    bar.outline.set_visible(False)
    return figure


def _relative(
    benchmark: BenchmarkResults,
    arms: Sequence[str],
    groups: dict[str, list[str]],
    task: str | None,
) -> Floats:
    """Return success by arm and disturbance over that of a comparison, float64 [A, D].

    Args:
        benchmark: the outcomes.
        arms: of the rows.
        groups: entries by disturbance.
        task: the undisturbed entry to compare with; None for the expert in the same entries.
    """
    values = np.full((len(arms), len(groups)), np.nan)
    for row, arm in enumerate(arms):
        for column, entries in enumerate(groups.values()):
            own = benchmark.group(arm, entries)
            whole = benchmark.cells.get((arm, task)) if task else benchmark.group(EXPERT, entries)
            if own is not None and whole is not None and whole.rate > 0.0:
                values[row, column] = own.rate / whole.rate
    return values


def against_parameters(benchmark: BenchmarkResults) -> Figure | None:
    """Return success over the number of weights: a panel a task, disturbed where it was flown."""
    tasks = [task for task in benchmark.tasks if len(_models(benchmark, task)) > 1]
    if not tasks:
        return None
    figure = Figure(
        figsize=(5.5 * min(2, len(tasks)), 3.9 * ceil(len(tasks) / 2)), layout="constrained"
    )
    panels = figure.subplots(ceil(len(tasks) / 2), min(2, len(tasks)), squeeze=False).ravel()
    for axes, task in zip(panels, tasks, strict=False):
        _parameter_panel(axes, benchmark, task)
    for axes in panels[len(tasks) :]:
        axes.axis("off")
    return figure


def _parameter_panel(axes: Axes, benchmark: BenchmarkResults, task: str) -> None:
    names = [entry.name for entry in benchmark.beside(task)]
    points = []
    for arm in _models(benchmark, task):
        weights = benchmark.arms[arm].parameters
        outcomes = benchmark.group(arm, names) if names else benchmark.cells.get((arm, task))
        if weights and outcomes is not None:
            points.append((arm, weights, 100 * outcomes.rate, benchmark.interval(arm, outcomes)))
    for arm, weights, rate, (low, high) in points:
        colour = style.BLUE if arm == benchmark.reference else style.MUTED
        axes.plot(
            [weights, weights], [100 * low, 100 * high], color=colour, linewidth=1.2, alpha=0.6
        )
        axes.plot(weights, rate, "o", color=colour, markersize=5)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.08)
    style.quiet_axes(axes)
    smallest, largest = min(p[1] for p in points), max(p[1] for p in points)
    right = largest * (largest / smallest) ** 0.08 * 1.12
    axes.set_xlim(smallest / 1.15, right * max(1.6, (largest / smallest) ** 0.4))
    points.sort(key=lambda point: point[2])
    heights = spread([point[2] for point in points], _LABEL_STEP)
    for (arm, weights, rate, _), height in zip(points, heights, strict=True):
        colour = style.BLUE if arm == benchmark.reference else style.INK
        axes.plot(
            [weights, right],
            [rate, height],
            color=style.MUTED,
            linewidth=0.5,
            alpha=0.55,
            zorder=0,
        )
        axes.text(right, height, f" {arm}, {rate:.0f} %", fontsize=8, va="center", color=colour)
    axes.set(
        ylim=(min(-3.0, heights[0] - _LABEL_STEP), max(103.0, heights[-1] + _LABEL_STEP)),
        xlabel="weights of the core",
    )
    axes.yaxis.set_major_formatter("{x:.0f} %")
    axes.set_yticks((0, 25, 50, 75, 100))
    axes.set_title(f"{task}, {'mean of the disturbances' if names else 'undisturbed'}")


def spread(values: Sequence[float], step: float) -> list[float]:
    """Return values moved as little as needed to be a step apart.

    Neighbours that are too close form a block, which is centred on the mean of its values.

    Args:
        values: ascending.
        step: smallest distance of two results.
    """
    blocks: list[tuple[float, int]] = []  # lowest height and number of values
    for value in values:
        low, count = float(value), 1
        while blocks and blocks[-1][0] + blocks[-1][1] * step > low:
            before, number = blocks.pop()
            shifted = low - number * step
            low = (before * number + shifted * count) / (number + count)
            count += number
        blocks.append((low, count))
    return [low + place * step for low, count in blocks for place in range(count)]


def _decoded(png: bytes) -> Pixels:
    picture = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(picture[:, :, ::-1])


def strips(benchmark: BenchmarkResults) -> Figure | None:
    """Return the pictures of the worst flights, a row a flight."""
    pictures = strip_pictures(benchmark.document)
    if not pictures:
        return None
    decoded = [(caption, _decoded(png)) for caption, png in pictures]
    widest = max(picture.shape[1] for _, picture in decoded)
    heights = [style.WIDTH_IN * picture.shape[0] / widest for _, picture in decoded]
    total = sum(heights) + 0.3 * len(heights)
    figure = Figure(figsize=(style.WIDTH_IN, total))
    top = total
    for (caption, picture), height in zip(decoded, heights, strict=True):
        top -= 0.3
        figure.text(0.004, (top + 0.09) / total, caption, fontsize=9.5)
        wide = picture.shape[1] / widest
        axes = figure.add_axes((1.0 - wide, (top - height) / total, wide, height / total))
        axes.imshow(picture, interpolation="nearest", aspect="auto")
        axes.axis("off")
        top -= height
    return figure

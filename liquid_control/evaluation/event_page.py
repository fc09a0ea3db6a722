"""The page of a sweep of thresholds: a figure and two tables."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from liquid_control.evaluation.event_sweep import EventPoint, EventSweep
from liquid_control.evaluation.study_files import write_study
from liquid_control.liquid.event_step import Operations
from liquid_control.pages import style

NAME = "events"


def write_events(folder: Path, result: EventSweep, command: str) -> list[Path]:
    """Write page, figure and data of a sweep; return their paths.

    Args:
        folder: of the files.
        result: of the sweep.
        command: that remakes it, for the page.
    """
    data = {"command": command, **result.to_dict()}
    return write_study(folder, NAME, page_text(result, command), draw(result), data)


def page_text(result: EventSweep, command: str) -> str:
    """Return the page as Markdown."""
    forests = len(result.plan["seeds"])
    lines = [
        f"# Event-driven form of {result.model}",
        "",
        f"{forests} forests, each flown with every pair of thresholds. Command: `{command}`.",
        "",
        f"![Success and operations]({NAME}.png)",
        "",
        "| encoder : core | success | beside dense, paired | p | million operations a second |",
        "|---|---|---|---|---|",
        *(
            f"| {label(point)} | {point.successes}/{point.flights} ({100 * point.low:.0f} to "
            f"{100 * point.high:.0f} %) | {100 * point.difference:+.0f} points "
            f"({100 * point.difference_low:+.0f} to {100 * point.difference_high:+.0f}) | "
            f"{point.p_value:.2g} | {point.operations_per_s / 1e6:.1f} |"
            for point in result.points
        ),
        "",
        "Multiply-accumulates (MAC) and additions a frame; the share is that of the dense form, "
        "which multiplies with zeros too. Sparsity is the fraction of values that were not sent.",
        "",
        "| encoder : core | part | MAC a frame | of dense | additions | sparsity | computed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, dense in result.dense.items():
        zeros = _part(result.points[0], name)
        nonzero = zeros.nonzero_macs / result.points[0].frames
        lines += [
            f"| dense | {name} | {dense.macs:,} | 100 % | {dense.additions:,} | 0.00 | 100 % |",
            f"| dense, zeros skipped | {name} | {nonzero:,.0f} | "
            f"{100 * nonzero / dense.macs:.0f} % | {dense.additions:,} | | 100 % |",
        ]
        for point in result.points:
            part = _part(point, name)
            macs = part.macs / point.frames
            lines.append(
                f"| {label(point)} | {name} | {macs:,.0f} | {100 * macs / dense.macs:.0f} % | "
                f"{part.additions / point.frames:,.0f} | {part.sparsity:.2f} | "
                f"{100 * part.computed / part.neurons:.0f} % |"
            )
    memory = ", ".join(f"{name} {size:,} bytes" for name, size in result.state_bytes.items())
    return "\n".join([*lines, "", f"Memory between two frames in exported C: {memory}.", ""])


def label(point: EventPoint) -> str:
    """Return the thresholds of a point in few characters."""
    return f"{point.thresholds.encoder:g} : {point.thresholds.core:g}"


def draw(result: EventSweep) -> bytes:
    """Return the figure as PNG: success against operations, and operations by part."""
    with style.drawing():
        figure = Figure(figsize=(10.0, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_success(left, result)
        _draw_parts(right, result)
        return style.png(figure)


def _draw_success(axes: Axes, result: EventSweep) -> None:
    style.quiet_axes(axes)
    for place, point in enumerate(result.points):
        x, rate = point.operations_per_s / 1e6, point.successes / point.flights
        errors = [[max(rate - point.low, 0.0)], [max(point.high - rate, 0.0)]]
        axes.errorbar(x, rate, errors, fmt="o", color=style.BLUE, capsize=2, markersize=5)
        axes.annotate(
            label(point),
            (x, rate),
            textcoords="offset points",
            xytext=(0, 16 if place % 2 else 6),
            ha="center",
            fontsize=8,
            color=style.INK,
        )
    per_s = result.points[0].frames / result.points[0].seconds / 1e6
    dense = sum(part.macs + part.additions for part in result.dense.values()) * per_s
    axes.axvline(dense, color=style.MUTED, linewidth=1.0)
    axes.annotate(
        "dense, zeros too",
        (dense, 0.5),
        textcoords="offset points",
        xytext=(-3, 0),
        ha="right",
        va="center",
        rotation=90,
        fontsize=8,
        color=style.MUTED,
    )
    least = min(point.operations_per_s for point in result.points) / 1e6
    axes.set_xlim(0.75 * min(least, dense), 1.15 * dense)
    axes.set_xscale("log")
    ticks = [digit * 10.0**power for power in range(-3, 5) for digit in (1, 2, 5)]
    low, high = axes.get_xlim()
    shown = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()
    axes.set_ylim(-0.05, 1.2)
    axes.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel("multiply-accumulates and additions, millions a second of flight")
    axes.set_title("Success, Wilson 95 %; thresholds encoder : core")


def _draw_parts(axes: Axes, result: EventSweep) -> None:
    style.quiet_axes(axes)
    names = [label(point) for point in result.points]
    for offset, (name, dense) in zip((-0.2, 0.2), result.dense.items(), strict=True):
        colour = style.BLUE if offset < 0 else style.ORANGE
        shares = [_part(point, name).macs / point.frames / dense.macs for point in result.points]
        places = [place + offset for place in range(len(shares))]
        axes.bar(places, shares, 0.36, color=colour, label=f"{name}: of {dense.macs:,}")
        for x, share in zip(places, shares, strict=True):
            axes.annotate(f"{100 * share:.0f} %", (x, share), ha="center", va="bottom", fontsize=8)
        zeros = _part(result.points[0], name).nonzero_macs / result.points[0].frames / dense.macs
        axes.plot(
            [places[0] - 0.18, places[-1] + 0.18],
            [zeros, zeros],
            color=colour,
            linestyle="--",
            linewidth=1.0,
            label=f"{name}: dense, zeros skipped",
        )
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0.0, 1.45)
    axes.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel("thresholds encoder : core")
    axes.set_title("Multiply-accumulates a frame, of the dense form")
    axes.legend(loc="upper right", ncols=2, fontsize=8)


def _part(point: EventPoint, name: str) -> Operations:
    return point.encoder if name == "encoder" else point.core

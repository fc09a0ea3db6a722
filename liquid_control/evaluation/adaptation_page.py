"""The page of a study of adaptation: two figures and two tables."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from liquid_control.evaluation.adaptation import CALM, DISTURBED, Adaptation, Held
from liquid_control.evaluation.benchmark_statistics import LEVEL, ArmComparison
from liquid_control.evaluation.results import wilson_interval
from liquid_control.evaluation.study_files import write_study
from liquid_control.pages import style

NAME = "adaptation"
COLOURS = {CALM: "#3b6ea5", DISTURBED: "#c0562f"}


def write_adaptation(folder: Path, result: Adaptation, command: str) -> list[Path]:
    """Write page, figure and data of a study; return their paths.

    Args:
        folder: of the files.
        result: of the study.
        command: that remakes it, for the page.
    """
    data = {"command": command, **result.to_dict()}
    return write_study(folder, NAME, page_text(result, command), draw(result), data)


def page_text(result: Adaptation, command: str) -> str:
    """Return the page as Markdown, with the answer first."""
    forests = len(result.plan["seeds"])
    moved = [shift for shift in result.shifts if shift.adjusted < LEVEL]
    lines = [
        f"# Adaptation of {result.model}",
        "",
        f"{forests} forests, flown undisturbed and disturbed. Command: `{command}`.",
        "",
        f"- **Do time constants move?** {len(moved)} of {len(result.shifts)} neurons change their "
        f"rate (Wilcoxon's signed-rank test over forests, Holm's correction at {LEVEL:.0%}).",
        f"- **Does it matter?** {answer(result.effects)}",
        "",
        f"![Time constants and success]({NAME}.png)",
        "",
        "## Time constants",
        "",
        "The rate of a neuron is the mean of |time_a| / time unit over a flight, its effective "
        "time constant the inverse. Intervals hold 95 % over forests.",
        "",
        "| neuron | undisturbed, s | disturbed, s | change of rate | interval | p, corrected |",
        "|---|---|---|---|---|---|",
        *(
            f"| {s.name} | {s.calm_s:.2f} | {s.disturbed_s:.2f} | {_factor(s.log2_ratio)} | "
            f"{_factor(s.low)} to {_factor(s.high)} | {s.adjusted:.2g} |"
            for s in result.shifts
        ),
        "",
        "## Test of cause",
        "",
        "Each row holds one thing at its mean over the undisturbed flights and flies the same "
        "forests again.",
        "",
        "| held | undisturbed | disturbed |",
        "|---|---|---|",
        *(
            f"| {held.value} | {_count(result, CALM, held)} | {_count(result, DISTURBED, held)} |"
            for held in Held
        ),
        "",
        "| held | in | change of success | interval | p, corrected | verdict |",
        "|---|---|---|---|---|---|",
        *(
            f"| {e.name['held']} | {e.name['in']} | {100 * e.difference:+.0f} points | "
            f"{100 * e.low:+.0f} to {100 * e.high:+.0f} | {e.adjusted:.2g} | {e.verdict} |"
            for e in result.effects
        ),
        "",
    ]
    return "\n".join(lines)


def answer(effects: Sequence[ArmComparison]) -> str:
    """Return in one sentence whether holding what adapts costs success in disturbed air."""
    beyond = [e for e in effects if e.name["in"].startswith("disturbed, beyond")]
    harmed = [e.name["held"] for e in beyond if e.verdict == "worse"]
    if harmed:
        return (
            f"Yes: with {' and '.join(harmed)} held, success in disturbed air falls, and by more "
            "than in undisturbed air."
        )
    lost = [
        f"{e.name['held']} {e.name['in']}"
        for e in effects
        if e.name["in"] in (CALM, DISTURBED) and e.verdict == "worse"
    ]
    if lost:
        return (
            f"Not shown: holding costs success ({', '.join(lost)}), but not more in disturbed air "
            "than in undisturbed air."
        )
    return "Not shown: no intervention changes success by more than chance."


def draw(result: Adaptation) -> bytes:
    """Return the figure as PNG: change of every neuron's rate, and success by what is held."""
    with style.drawing():
        figure = Figure(figsize=(10.0, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.2, 1.0))
        _draw_shifts(left, result)
        _draw_success(right, result)
        return style.png(figure)


def _draw_shifts(axes: Axes, result: Adaptation) -> None:
    style.quiet_axes(axes)
    axes.margins(x=0.04)
    for row, shift in enumerate(result.shifts):
        colour = COLOURS[DISTURBED] if shift.adjusted < LEVEL else "#8a8f94"
        axes.plot([shift.low, shift.high], [row, row], color=colour, linewidth=2.0)
        axes.plot([shift.log2_ratio], [row], "o", color=colour, markersize=4)
    axes.axvline(0.0, color="#1c2023", linewidth=0.8)
    axes.set_yticks(range(len(result.shifts)), [shift.name for shift in result.shifts])
    axes.invert_yaxis()
    axes.set_xlabel("log2 of rate disturbed / undisturbed (right: faster)")
    axes.set_title("Rates of the neurons, 95 % over forests", loc="left")


def _draw_success(axes: Axes, result: Adaptation) -> None:
    style.quiet_axes(axes)
    for offset, condition in ((-0.18, CALM), (0.18, DISTURBED)):
        for place, held in enumerate(Held):
            good, total = result.rate(condition, held)
            low, high = wilson_interval(good, total)
            rate = good / total
            axes.bar(
                place + offset,
                rate,
                0.34,
                color=COLOURS[condition],
                label=condition if not place else None,
            )
            axes.errorbar(
                place + offset,
                rate,
                [[max(rate - low, 0.0)], [max(high - rate, 0.0)]],
                color="#1c2023",
                capsize=2,
            )
    axes.set_xticks(range(len(Held)), [held.value.replace(" ", "\n") for held in Held])
    axes.set_ylim(0.0, 1.18)
    axes.set_yticks(
        np.linspace(0.0, 1.0, 6), [f"{value:.0f} %" for value in np.linspace(0, 100, 6)]
    )
    axes.set_xlabel("held at its undisturbed mean")
    axes.set_title("Success, Wilson 95 %", loc="left")
    axes.legend(frameon=False, loc="upper right", ncols=2)


def _factor(log2_ratio: float) -> str:
    return f"×{2.0**log2_ratio:.2f}"


def _count(result: Adaptation, condition: str, held: Held) -> str:
    good, total = result.rate(condition, held)
    low, high = wilson_interval(good, total)
    return f"{good}/{total} ({100 * low:.0f} to {100 * high:.0f} %)"

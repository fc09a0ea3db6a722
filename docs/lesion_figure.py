"""Figure, counts and table of the lesions in docs/results.md, from the lesions.json of a study.

Run `python docs/lesion_figure.py runs/lesions/lesions.json` in the checkout.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from liquid_control.evaluation.benchmark_statistics import holm

PICTURE, COUNTS = Path("docs/assets/inspect_lesions.png"), Path("docs/lesions.csv")
RATE, SHIFT, NEEDED = "#1f6fb4", "#2f3b45", "#d1495b"
WIDER_M = 0.1
"""Median change of the cross-track error from which a lesion is in the table, m."""
COLUMNS = (
    "lesion",
    "flights",
    "successes",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "p_holm",
    "cross_track_change_m",
)


def lesions_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each lesion, the intact model first."""
    adjusted = iter(holm([effect["p_value"] for effect in content["effects"]]))
    effects = iter(content["effects"])
    rows = []
    for one in content["summary"]:
        row = {
            "lesion": one["model"].removeprefix("without "),
            "flights": one["n"],
            "successes": one["successes"],
            "low": round(one["ci95_low"], 3),
            "high": round(one["ci95_high"], 3),
        }
        if one["model"] != "intact":
            effect = next(effects)
            moved = effect["cross_track_m"]
            row |= {
                "difference": round(effect["difference"], 3),
                "difference_low": round(effect["low"], 3),
                "difference_high": round(effect["high"], 3),
                "p": round(effect["p_value"], 4),
                "p_holm": round(next(adjusted), 4),
                "cross_track_change_m": None if moved is None else round(moved, 3),
            }
        rows.append(row)
    return rows


def figure_of(rows: list[dict[str, Any]]) -> plt.Figure:
    """Return success with its interval, and the change of the cross-track error below."""
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(11.0, 5.2), sharex=True, layout="constrained"
    )
    intact, lesions = rows[0], rows[1:]
    above.axhspan(intact["low"], intact["high"], color=RATE, alpha=0.12, linewidth=0)
    for place, row in enumerate(lesions):
        colour = NEEDED if row["high"] < intact["low"] else RATE
        above.plot([place, place], [row["low"], row["high"]], color=colour, linewidth=1.2)
        above.plot(place, row["successes"] / row["flights"], "o", color=colour, markersize=4)
        change = row["cross_track_change_m"]
        if change is None:
            below.text(place, 0.0, "×", ha="center", va="bottom", color=NEEDED)
        else:
            below.bar(place, change, color=SHIFT, width=0.7)
    above.set_ylabel("success, 95 % interval")
    above.set_ylim(-0.03, 1.03)
    below.set_ylabel("cross-track error,\nmedian change, m")
    below.axhline(0.0, color="#8a949c", linewidth=0.8)
    below.set_xticks(range(len(lesions)), [row["lesion"] for row in lesions], rotation=90)
    below.tick_params(axis="x", labelsize=7)
    below.set_xlim(-0.8, len(lesions) - 0.2)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def table_of(rows: list[dict[str, Any]]) -> str:
    """Return the lesions that cost a flight or `WIDER_M` as a Markdown table, worst first."""
    lines = [
        "| without | success | 95 % interval | difference, points | p | cross-track error |",
        "|---|---|---|---|---|---|",
    ]
    intact = rows[0]
    lines.append(f"| nothing | {_rate(intact)} | {_interval(intact)} | – | – | – |")
    for row in sorted(rows[1:], key=lambda row: (row["successes"], -(_change(row) or 0.0))):
        if row["successes"] >= intact["successes"] and (_change(row) or 0.0) < WIDER_M:
            continue
        bounds = f"{100 * row['difference_low']:+.0f} to {100 * row['difference_high']:+.0f}"
        change = (
            "none completed" if _change(row) is None else f"{round(_change(row), 2) + 0.0:+.2f} m"
        )
        lines.append(
            f"| `{row['lesion']}` | {_rate(row)} | {_interval(row)} "
            f"| {100 * row['difference']:+.0f} ({bounds}) | {row['p']:.2g} | {change} |"
        )
    return "\n".join(lines)


def _change(row: dict[str, Any]) -> float | None:
    value: float | None = row["cross_track_change_m"]
    return value


def _rate(row: dict[str, Any]) -> str:
    return f"{row['successes']} of {row['flights']}"


def _interval(row: dict[str, Any]) -> str:
    return f"{row['low']:.0%} to {row['high']:.0%}".replace("%", " %")


def main(source: Path, picture: Path = PICTURE, counts: Path = COUNTS) -> str:
    """Write picture and counts of a study; return the table."""
    rows = lesions_of(json.loads(source.read_text(encoding="utf-8")))
    figure_of(rows).savefig(picture, dpi=110)
    with counts.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return table_of(rows)


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))

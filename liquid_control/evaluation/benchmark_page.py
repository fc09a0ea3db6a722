"""The page of a benchmark on disk: tables, cells as CSV, figures."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from liquid_control.evaluation.benchmark import BenchmarkResults
from liquid_control.evaluation.benchmark_figures import draw_figures
from liquid_control.evaluation.benchmark_tables import page_text
from liquid_control.evaluation.results import wilson_interval
from liquid_control.files import atomic_write

PAGE = "benchmark.md"
BEGIN, END = "<!-- begin of generated tables: {} -->", "<!-- end of generated tables: {} -->"
"""Around the generated part of the page, with the name of the campaign."""


def write_benchmark(folder: Path, document: Mapping[str, Any]) -> list[Path]:
    """Write page, cells and figures of a benchmark; return their paths.

    A page that exists keeps what is outside of the tables of this campaign.

    Args:
        folder: of the page.
        document: content of `results.json`.

    Raises:
        ConfigError: the document is not the one of a benchmark.
        OutputError: the folder cannot be written to.
    """
    benchmark = BenchmarkResults.of(document)
    title = str(benchmark.config["title"])
    name = "_".join(re.findall(r"[A-Za-z0-9]+", title)) or "campaign"
    figures = draw_figures(benchmark)
    paths = [
        atomic_write(folder / name / file, content, parents=True)
        for file, content in figures.items()
    ]
    text = page_text(benchmark, f"{name}_cells.csv", [f"{name}/{file}" for file in figures])
    cells = atomic_write(folder / f"{name}_cells.csv", cells_csv(benchmark), parents=True)
    page = folder / PAGE
    old = page.read_text(encoding="utf-8") if page.is_file() else f"# {title}\n\n"
    return [atomic_write(page, _with_tables(old, title, text)), cells, *paths]


def _with_tables(page: str, title: str, tables: str) -> str:
    """Return a page with the tables of a campaign in their place, or at its end."""
    begin, end = BEGIN.format(title), END.format(title)
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        before, after = page.rstrip("\n") + "\n\n", "\n"
    return f"{before}{begin}\n{tables}{end}{after}"


def cells_csv(benchmark: BenchmarkResults) -> str:
    """Return every cell as CSV: each model by itself, and `all` training seeds of an arm."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    columns = "arm,model,entry,beside,disturbance,severity,flights,successes,rate,low,high"
    table.writerow(columns.split(","))
    for (arm, name), cell in benchmark.cells.items():
        entry = benchmark.entries[name]
        about = [name, entry.of or "", entry.disturbance or "", entry.severity]
        labels = benchmark.arms[arm].labels
        parts = [(label, cell.values[:, [place]]) for place, label in enumerate(labels)]
        for label, values in parts:
            low, high = wilson_interval(int(values.sum()), values.size)
            table.writerow([arm, label, *about, *_counts(values), f"{low:.4f}", f"{high:.4f}"])
        if len(labels) > 1:
            low, high = benchmark.interval(arm, cell)
            line = [arm, "all", *about, *_counts(cell.values)]
            table.writerow([*line, f"{low:.4f}", f"{high:.4f}"])
    return text.getvalue()


def _counts(values: Any) -> tuple[int, int, str]:
    return values.size, int(values.sum()), f"{values.mean():.4f}"

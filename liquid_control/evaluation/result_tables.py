"""Tables that commands print."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from liquid_control.config import shipped
from liquid_control.evaluation.paired import PairedRow
from liquid_control.evaluation.results import FlightRow, SummaryRow
from liquid_control.policy import Model


def summary_table(rows: Sequence[SummaryRow], title: str) -> Table:
    """Return the table of a campaign: success with its interval, and medians."""
    table = _table(title, [row.entry for row in rows])
    table.add_column("model", min_width=8)
    table.add_column("entry", min_width=10)
    for name in ("success", "95 % interval", "cross-track", "clearance"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("failures")
    for row in rows:
        failures = (f"{n} {why}" for why, n in row.reasons.items() if why != "completed")
        table.add_row(
            row.model,
            row.entry,
            f"{row.successes} of {row.n}",
            f"{percent(row.ci95_low)} to {percent(row.ci95_high)}",
            metres(row.cross_track_rms_m),
            metres(row.min_clearance_m),
            ", ".join(failures).replace("_", " "),
        )
    return table


def paired_table(rows: Sequence[PairedRow], first: str, second: str) -> Table:
    """Return the table of a paired comparison.

    Args:
        rows: one per entry, and `all`.
        first: name of the first model.
        second: name of the second.
    """
    title = f"{second} minus {first}, paired by entry and seed"
    table = _table(title, [])
    table.add_column("entry", min_width=10)
    for name in (first, second):
        table.add_column(name, justify="right")
    for name in ("difference", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in (f"only {first}", f"only {second}", "p"):
        table.add_column(name, justify="right")
    table.add_column("cross-track, m", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.entry,
            f"{row.both + row.first_only} of {row.pairs}",
            f"{row.both + row.second_only} of {row.pairs}",
            f"{100 * row.difference:+.1f} %",
            f"{100 * row.low:+.1f} to {100 * row.high:+.1f} %",
            str(row.first_only),
            str(row.second_only),
            f"{row.p_value:.2g}",
            _median_difference(row),
        )
    return table


def _median_difference(row: PairedRow) -> str:
    if row.cross_track_m is None:
        return "-"
    text = f"{row.cross_track_m:+.3f}"
    if row.cross_track_low_m is None or row.cross_track_high_m is None:
        return text
    return f"{text} ({row.cross_track_low_m:+.3f} to {row.cross_track_high_m:+.3f})"


def flights_table(
    rows: Sequence[FlightRow], latencies: Sequence[tuple[float, float] | None], title: str
) -> Table:
    """Return the table of single flights.

    Args:
        rows: one per flight.
        latencies: camera to command, p50 and p99 in ms, one per flight; None if not measured.
        title: of the table.
    """
    table = _table(title, [row.entry for row in rows])
    table.add_column("flight")
    table.add_column("result")
    table.add_column("seed", justify="right")
    for name in ("distance", "cross-track", "clearance", "latency p50, p99"):
        table.add_column(name, justify="right", no_wrap=True)
    for row, latency in zip(rows, latencies, strict=True):
        colour = "green" if row.success else "red"
        table.add_row(
            row.entry,
            f"[{colour}]{row.reason.replace('_', ' ')}[/]",
            str(row.seed),
            f"{row.distance_m:.1f} m",
            metres(row.cross_track_rms_m),
            metres(row.min_clearance_m),
            "-" if latency is None else f"{latency[0]:.1f}, {latency[1]:.1f} ms",
        )
    return table


def _table(title: str, entries: Sequence[str]) -> Table:
    """Return an empty table; it has no title that only repeats the name of each row."""
    shown = None if set(entries) == {title} else title
    return Table(title=shown, title_justify="left", title_style="bold", box=SIMPLE_HEAD)


def model_table(models: Sequence[Model]) -> Table:
    """Return a table of models; those that ship with the package have their bare names."""
    table = Table(box=SIMPLE_HEAD)
    longest = max((len(model.name) for model in models), default=0)
    table.add_column("model", overflow="fold", min_width=longest)
    for name in ("core", "camera", "inputs", "purpose"):
        table.add_column(name, overflow="fold")
    for name in ("weights", "in the core", "MB"):
        table.add_column(name, justify="right")
    for model in models:
        settings = model.settings
        here = shipped(Path(model.name)).resolve() == model.path.resolve()
        size = sum(file.stat().st_size for file in model.path.iterdir() if file.is_file())
        table.add_row(
            model.name if here else str(model.path),
            settings.core.kind,
            settings.camera.text,
            ", ".join(settings.features.inputs) or "none",
            str(settings.provenance.get("settings", {}).get("description", "")),
            f"{model.parameters:,}",
            f"{model.core_parameters:,}",
            f"{size / 1e6:.1f}",
        )
    return table


def percent(fraction: float) -> str:
    """Return a fraction in percent; 100 % and 0 % are exact."""
    if fraction in (0.0, 1.0):
        return f"{100 * fraction:.0f} %"
    return f"{min(max(100 * fraction, 0.1), 99.9):.1f} %"


def metres(value: float) -> str:
    """Return a length in metres, or a dash if it is not finite."""
    return f"{value:.2f} m" if isfinite(value) else "-"

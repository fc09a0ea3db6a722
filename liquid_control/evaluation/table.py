"""The tables that commands print."""

from collections.abc import Sequence
from math import isfinite

from rich.table import Table

from liquid_control.evaluation.rows import FlightRow, SummaryRow


def summary_table(rows: Sequence[SummaryRow], title: str) -> Table:
    """Return the table of a campaign: success with its interval, and medians."""
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("model")
    table.add_column("entry")
    for name in ("flown", "success", "95 % interval", "cross-track", "clearance", "duration"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("failures")
    for row in rows:
        table.add_row(
            row.model,
            row.entry,
            str(row.n),
            percent(row.success_rate),
            f"{percent(row.ci95_low)} to {percent(row.ci95_high)}",
            metres(row.cross_track_rms_m),
            metres(row.min_clearance_m),
            f"{row.duration_s:.1f} s",
            ", ".join(f"{n} {why}" for why, n in row.reasons.items() if why != "completed"),
        )
    return table


def flights_table(
    rows: Sequence[FlightRow], latencies: Sequence[tuple[float, float] | None], title: str
) -> Table:
    """Return the table of single flights.

    Args:
        rows: one a flight.
        latencies: camera to command, p50 and p99 in ms, one a flight; None where not measured.
        title: what stands above.
    """
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("flight")
    table.add_column("seed", justify="right")
    table.add_column("result")
    for name in ("distance", "cross-track RMS", "clearance", "camera→command p50 / p99"):
        table.add_column(name, justify="right")
    for row, latency in zip(rows, latencies, strict=True):
        colour = "green" if row.success else "red"
        table.add_row(
            row.entry,
            str(row.seed),
            f"[{colour}]{row.reason.replace('_', ' ')}[/]",
            f"{row.distance_m:.1f} m",
            metres(row.cross_track_rms_m),
            metres(row.min_clearance_m),
            "" if latency is None else f"{latency[0]:.1f} / {latency[1]:.1f} ms",
        )
    return table


def percent(share: float) -> str:
    """Return a share in percent; 100 only if it is all."""
    return f"{100 * share:.1f} %" if 0.0 < share < 1.0 else f"{100 * share:.0f} %"


def metres(value: float) -> str:
    """Return a length in metres, or a dash for none."""
    return f"{value:.2f} m" if isfinite(value) else "-"

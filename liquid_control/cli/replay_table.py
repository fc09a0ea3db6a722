"""The table that `liquid-control replay` prints."""

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from liquid_control.replay.judgement import Judgement


def axes_table(judgement: "Judgement") -> Table:
    """Return the errors by axis, for policy and guarded commands."""
    from liquid_control.replay.comparison import AXES, UNITS

    label = "nothing" if judgement.other is None else judgement.other.label
    title = f"replayed less {label}"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for name in ("commands", "axis"):
        table.add_column(name)
    for name in ("MAE", "RMSE", "bias", "largest", "correlation"):
        table.add_column(name, justify="right", no_wrap=True)
    for comparison in (judgement.policy, judgement.guarded):
        for number, (name, unit) in enumerate(zip(AXES, UNITS, strict=True)):
            if comparison is None:
                continue
            error = comparison.axes[name]
            table.add_row(
                f"{comparison.what}, {len(comparison.stamp_ns)}" if number == 0 else "",
                f"{name}, {unit}",
                *(f"{value:.3g}" for value in (error.mae, error.rmse, error.bias, error.maximum)),
                "-" if error.correlation is None else f"{error.correlation:.4f}",
            )
    return table

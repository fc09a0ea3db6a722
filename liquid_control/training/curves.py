"""Loss and flight results over a run, as `curves.csv` and `curves.png` of the model."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from liquid_control.errors import OutputError
from liquid_control.files import atomic_write
from liquid_control.training.validation import Score

CURVES_FILE = "curves.csv"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The loss at one optimiser step.

    Attributes:
        round: 0 for cloning, then the DAgger round.
        step: optimiser steps since the run began.
        loss: mean training loss since the last point.
        validation: loss of the averaged weights on the flights held out for validation; at the
            end of a round only.
    """

    round: int
    step: int
    loss: float
    validation: float | None = None


def write_curves(folder: Path, curve: Sequence[CurvePoint]) -> None:
    """Write `curves.csv`."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["round", "step", "loss", "held_out_loss"])
    for point in curve:
        validation = "" if point.validation is None else f"{point.validation:.6f}"
        table.writerow([point.round, point.step, f"{point.loss:.6f}", validation])
    atomic_write(folder / CURVES_FILE, text.getvalue(), parents=True)


def read_curves(folder: Path) -> list[CurvePoint]:
    """Read `curves.csv`.

    Raises:
        OutputError: the file is missing or damaged.
    """
    path = folder / CURVES_FILE
    try:
        rows = list(csv.DictReader(path.read_text().splitlines()))
        return [
            CurvePoint(
                int(row["round"]),
                int(row["step"]),
                float(row["loss"]),
                float(row["held_out_loss"]) if row["held_out_loss"] else None,
            )
            for row in rows
        ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise OutputError(f"{path}: is not what training wrote ({error})") from error


def write_picture(folder: Path, curve: Sequence[CurvePoint], scores: Mapping[int, Score]) -> None:
    """Draw `curves.png` if matplotlib is installed; without scores, the losses only."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return
    panels = 2 if scores else 1
    figure = Figure(figsize=(4.5 * panels, 3.4), layout="constrained")
    loss, *others = figure.subplots(1, panels, squeeze=False)[0]
    loss.semilogy([p.step for p in curve], [p.loss for p in curve], lw=0.8, label="training")
    kept = [(p.step, p.validation) for p in curve if p.validation is not None]
    loss.semilogy(*zip(*kept, strict=True), "o", ms=4, label="validation")
    loss.set(xlabel="optimiser step", ylabel="loss", title="Offline")
    loss.legend()
    rounds = sorted(scores)
    for flights in others:
        flights.plot(rounds, [100 * scores[r].success_rate for r in rounds], "o-")
        flights.set(xlabel="round", ylabel="flights that succeed, %", title="Closed loop")
        flights.set(ylim=(-2.0, 102.0), xticks=rounds)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    atomic_write(folder / "curves.png", picture.getvalue(), parents=True)

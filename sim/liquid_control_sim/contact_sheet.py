"""Contact sheets: pictures of flights in rows with captions, written as one PNG."""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from liquid_control.config import TaskKind, load_scenario
from liquid_control.config.disturbances import (
    HIGHEST_SEVERITY,
    Disturbance,
    disturbances,
    value_of,
)
from liquid_control.config.scenario import about
from liquid_control.errors import LiquidControlError
from liquid_control.files import atomic_write
from liquid_control.interfaces import FlightProgress
from liquid_control.process_pool import WorkerError, run_tasks
from liquid_control.progress import progress_bar
from liquid_control.types import NANOSECONDS, Pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


WIDTH, HEIGHT = 288, 162
SIZE = {"camera.width": WIDTH, "camera.height": HEIGHT}
"""Size of the pictures, larger than the input of policies."""

MOMENT_S = 2.0
JOURNEY_S = (0.0, 2.0, 4.0, 6.0, 9.0, 12.0)
LIT = {"light.sun_azimuth_deg": 150.0}
"""Sun behind and to the side: the same light in all rows whose disturbance does not move it."""

SHOWN_AT_ITS_MOMENT = {"blackout": {"camera.blackout_from_s": MOMENT_S - 0.2}}
"""Disturbances at a random time, moved to the time of the picture."""


@dataclass(frozen=True)
class Cell:
    """One flight of the expert, the times of its pictures, and a caption for each."""

    scenario: str
    settings: dict[str, Any]
    seed: int
    moments_s: tuple[float, ...]
    captions: tuple[str, ...]


@dataclass(frozen=True)
class SheetRow:
    """Row of a sheet: name and description, and the flights whose pictures it shows."""

    name: str
    about: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sheet:
    """Contents of one PNG file."""

    name: str
    title: str
    rows: tuple[SheetRow, ...] = field(default_factory=tuple)


def scenario_sheet(names: Sequence[str], seed: int) -> Sheet:
    """Return a sheet with a row per scenario, and a row per difficulty for the trail."""
    rows = [row for name in names for row in _scenario_rows(name, seed)]
    return Sheet("scenarios", f"scenarios along the expert's flight, seed {seed}", tuple(rows))


def _scenario_rows(name: str, seed: int) -> list[SheetRow]:
    captions = tuple(f"{moment:g} s" for moment in JOURNEY_S)
    if load_scenario(name).task.kind is not TaskKind.TRAIL or name != "trail":
        return [SheetRow(name, about(name), (Cell(name, SIZE, seed, JOURNEY_S, captions),))]
    return [
        SheetRow(
            name,
            f"difficulty {level}",
            (Cell(name, SIZE | {"trail.difficulty": level}, seed, JOURNEY_S, captions),),
        )
        for level in range(HIGHEST_SEVERITY + 1)
    ]


def disturbance_sheets(names: Sequence[str], seed: int) -> list[Sheet]:
    """Return a sheet per group, with a row per disturbance and a column per severity."""
    groups: dict[str, list[SheetRow]] = {}
    for name in names:
        groups.setdefault(disturbances()[name].group, []).append(_disturbance_row(name, seed))
    return [
        Sheet(
            f"disturbances_{group}",
            f"{group}: severities 0 to {HIGHEST_SEVERITY}, {MOMENT_S:g} s after take-off, "
            f"seed {seed}",
            tuple(rows),
        )
        for group, rows in groups.items()
    ]


def _disturbance_row(name: str, seed: int) -> SheetRow:
    disturbance = disturbances()[name]
    cells = []
    for severity in range(HIGHEST_SEVERITY + 1):
        keys = disturbance.at(severity)
        moved = SHOWN_AT_ITS_MOMENT.get(name, {}) if keys else {}
        caption = f"{severity}  {_varied(disturbance, keys)}".rstrip()
        settings = SIZE | LIT | keys | moved
        cells.append(Cell("trail", settings, seed, (MOMENT_S,), (caption,)))
    return SheetRow(name, disturbance.about, tuple(cells))


def _varied(disturbance: Disturbance, keys: dict[str, Any]) -> str:
    """Format the values that differ between severities."""
    varied = [key for key, values in disturbance.keys.items() if isinstance(values, list)]
    return ", ".join(value_of(keys[key]) for key in varied if key in keys)


Key = tuple[Any, ...]


@dataclass(frozen=True)
class Picture:
    """Last frame that arrived before a given time.

    Attributes:
        image: uint8 [H, W, 3] RGB; None if no frame arrived.
        ended: reason and time of an earlier end of the flight; empty if it had not ended.
    """

    image: Pixels | None
    ended: str = ""


def cell_key(cell: Cell) -> Key:
    """Return the key of a cell's flight; cells with equal keys show the same pictures."""
    return (
        cell.scenario,
        tuple(sorted(cell.settings.items(), key=str)),
        cell.seed,
        cell.moments_s,
    )


def take_pictures(cells: Sequence[Cell], jobs: int) -> Mapping[Key, Sequence[Picture]]:
    """Fly the cells and return their pictures by `cell_key`; equal cells are flown once.

    Args:
        cells: the flights.
        jobs: number of processes.

    Raises:
        LiquidControlError: a worker process died, or raised a `LiquidControlError`.
    """
    distinct = {cell_key(cell): cell for cell in cells}
    try:
        with progress_bar("flying", len(distinct), log_step=len(distinct)) as bar:
            pictures = run_tasks(
                list(distinct.values()), _flyer, jobs, lambda index, result: bar.advance()
            )
    except WorkerError as error:
        raise LiquidControlError("a worker died while taking pictures") from error
    return dict(zip(distinct, pictures, strict=True))


def _flyer() -> Callable[[Cell], list[Picture]]:
    return _fly


def _fly(cell: Cell) -> list[Picture]:
    """Fly the expert up to the last time and return a picture for each time."""
    from liquid_control_sim import Expert, fly

    scenario = load_scenario(cell.scenario, cell.settings)
    last_s = cell.moments_s[-1] + 1.0 / scenario.camera.rate_hz
    scenario = scenario.model_copy(update={"time_limit_s": last_s})
    collector = _FrameCollector(cell.moments_s)
    record = fly(scenario, cell.seed, Expert(), collector)
    reason = record.result.reason.replace("_", " ")
    return collector.pictures(f"{reason} at {record.result.duration_s:.1f} s")


class _FrameCollector:
    """Observer of a flight that keeps the frames at given times."""

    def __init__(self, moments_s: Sequence[float]) -> None:
        self._due_ns = [round(moment * NANOSECONDS) for moment in moments_s]
        self._kept: list[Pixels | None] = []
        self._latest: Pixels | None = None

    def __call__(self, tick: FlightProgress) -> None:
        if tick.image is not None:
            self._latest = tick.image
        while (
            len(self._kept) < len(self._due_ns) and tick.stamp_ns >= self._due_ns[len(self._kept)]
        ):
            self._kept.append(self._latest)

    def pictures(self, ended: str) -> list[Picture]:
        """Return a picture per time; times after the end have the last frame and `ended`."""
        missing = len(self._due_ns) - len(self._kept)
        return [Picture(image) for image in self._kept] + [Picture(self._latest, ended)] * missing


DPI = 100
GAP, MARGIN, LABEL, TITLE, CAPTION = 8, 16, 244, 48, 24
"""Pixels between pictures, around the sheet, of the row's name, of the title and of a caption."""

INK, FAINT, PAPER = "#1c2023", "#5d656b", "#ffffff"


def write_sheet(path: Path, sheet: Sheet, pictures: Mapping[Key, Sequence[Picture]]) -> Path:
    """Write a sheet's PNG and return its path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [list(_row_pictures(row, pictures)) for row in sheet.rows]
    columns = max(len(row) for row in shown)
    width = 2 * MARGIN + LABEL + columns * (WIDTH + GAP)
    height = 2 * MARGIN + TITLE + len(shown) * (HEIGHT + CAPTION + GAP)
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    _write(figure, MARGIN, height - MARGIN - 8, sheet.title, size=16, weight="bold")
    for index, (row, cells) in enumerate(zip(sheet.rows, shown, strict=True)):
        top = height - MARGIN - TITLE - index * (HEIGHT + CAPTION + GAP)
        _draw_row(figure, top, row, cells)
    return atomic_write(path, lambda partial: figure.savefig(partial, format="png"))


def _row_pictures(
    row: SheetRow, pictures: Mapping[Key, Sequence[Picture]]
) -> Iterator[tuple[str, Picture]]:
    for cell in row.cells:
        yield from zip(cell.captions, pictures[cell_key(cell)], strict=True)


def _draw_row(
    figure: "Figure", top: int, row: SheetRow, cells: Sequence[tuple[str, Picture]]
) -> None:
    _write(figure, MARGIN, top - 4, row.name, size=13, weight="bold")
    _write(figure, MARGIN, top - 28, textwrap.fill(row.about, 30), size=10, colour=FAINT)
    for column, (caption, picture) in enumerate(cells):
        left = MARGIN + LABEL + column * (WIDTH + GAP)
        image = _fitted(picture.image)
        figure.figimage(image[::-1], left, top - HEIGHT, origin="lower")
        text = f"{caption}   {picture.ended}" if picture.ended else caption
        _write(figure, left, top - HEIGHT - 4, text, size=10)


def _fitted(image: Pixels | None) -> Pixels:
    """Return the picture, or a grey one without a picture."""
    return np.full((HEIGHT, WIDTH, 3), 128, np.uint8) if image is None else image


def _write(
    figure: "Figure",
    left: float,
    top: float,
    text: str,
    size: float,
    weight: str = "normal",
    colour: str = INK,
) -> None:
    """Write text with its upper left corner at a position in pixels."""
    width, height = figure.get_size_inches() * DPI
    figure.text(
        left / width,
        top / height,
        text,
        size=size,
        weight=weight,
        color=colour,
        va="top",
        ha="left",
        linespacing=1.3,
    )

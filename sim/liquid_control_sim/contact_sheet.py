"""Lays pictures out in rows with captions, and writes them as one PNG, pixel for pixel."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from liquid_control.config import load_scenario
from liquid_control.config.descriptions import about, value_of
from liquid_control.config.disturbances import HIGHEST_SEVERITY, Disturbance, disturbances
from liquid_control.config.scenario import TaskKind
from liquid_control.errors import LiquidControlError
from liquid_control.interfaces import FlightProgress
from liquid_control.process_pool import one_thread_each, start_pool, undisturbed
from liquid_control.progress import progress_bar
from liquid_control.types import NANOSECONDS, Pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


WIDTH, HEIGHT = 288, 162
SIZE = {"camera.width": WIDTH, "camera.height": HEIGHT}
"""Larger than what policies see, so that an eye can judge."""

MOMENT_S = 2.0
JOURNEY_S = (0.0, 2.0, 4.0, 6.0, 9.0, 12.0)
LIT = {"light.sun_azimuth_deg": 150.0}
"""The sun behind and aside, so that all rows but those that move it are lit alike."""

SHOWN_AT_ITS_MOMENT = {"blackout": {"camera.blackout_from_s": MOMENT_S - 0.2}}
"""What happens at a time that is drawn, moved to where the picture is taken."""


@dataclass(frozen=True)
class Cell:
    """One flight of the expert and the moments at which it is shown."""

    scenario: str
    settings: dict[str, Any]
    seed: int
    moments_s: tuple[float, ...]
    captions: tuple[str, ...]


@dataclass(frozen=True)
class SheetRow:
    """What stands at the left, and the flights whose pictures follow."""

    name: str
    about: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sheet:
    """One PNG."""

    name: str
    title: str
    rows: tuple[SheetRow, ...] = field(default_factory=tuple)


def scenario_sheet(names: Sequence[str], seed: int) -> Sheet:
    """Return a row a scenario, and for the plain trail one a difficulty, along the flight."""
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
    """Return a sheet a group: a row a disturbance, its severities from left to right."""
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
    """Return the values that a severity varies, in words."""
    varied = [key for key, values in disturbance.keys.items() if isinstance(values, list)]
    return ", ".join(value_of(keys[key]) for key in varied if key in keys)


Key = tuple[Any, ...]


@dataclass(frozen=True)
class Picture:
    """The last frame that had arrived at a moment.

    Attributes:
        image: uint8 [H, W, 3] RGB; None if no frame had arrived.
        ended: why the flight had ended before; empty if it had not.
    """

    image: Pixels | None
    ended: str = ""


def cell_key(cell: Cell) -> Key:
    """Return what makes two cells show the same flight."""
    return (
        cell.scenario,
        tuple(sorted(cell.settings.items(), key=str)),
        cell.seed,
        cell.moments_s,
    )


def take_pictures(cells: Sequence[Cell], jobs: int) -> Mapping[Key, Sequence[Picture]]:
    """Return the pictures of every cell by `cell_key`; what is alike is flown once.

    Raises:
        LiquidControlError: a worker died, or met an error that it could name.
    """
    wanted = {cell_key(cell): cell for cell in cells}
    taken: dict[Key, Sequence[Picture]] = {}
    with start_pool(jobs) as pool:
        try:
            with undisturbed(), one_thread_each():
                asked = {pool.submit(_fly, cell): key for key, cell in wanted.items()}
            with progress_bar("flying", len(asked), log_step=len(asked)) as bar:
                for done in as_completed(asked):
                    taken[asked[done]] = done.result()
                    bar.advance()
        except BrokenProcessPool as error:
            raise LiquidControlError("a worker died while taking pictures") from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return taken


def _fly(cell: Cell) -> list[Picture]:
    """Fly the expert up to the last moment and return what had arrived at each."""
    from liquid_control_sim import Expert, fly

    scenario = load_scenario(cell.scenario, cell.settings)
    last_s = cell.moments_s[-1] + 1.0 / scenario.camera.rate_hz
    scenario = scenario.model_copy(update={"time_limit_s": last_s})
    seen = _Seen(cell.moments_s)
    record = fly(scenario, cell.seed, Expert(), seen)
    reason = record.result.reason.replace("_", " ")
    return seen.pictures(f"{reason} at {record.result.duration_s:.1f} s")


class _Seen:
    """Watches a flight and keeps the frames of some moments."""

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
        """Return a picture a moment; those after the end show the end and say why."""
        missing = len(self._due_ns) - len(self._kept)
        return [Picture(image) for image in self._kept] + [Picture(self._latest, ended)] * missing


DPI = 100
GAP, MARGIN, LABEL, TITLE, CAPTION = 8, 16, 244, 48, 24
"""Pixels between pictures, around all, of the row's name, of the title and of a caption."""

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
    beside = path.with_suffix(".part")
    figure.savefig(beside, format="png")
    beside.replace(path)
    return path


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
        words = f"{caption}   {picture.ended}" if picture.ended else caption
        _write(figure, left, top - HEIGHT - 4, words, size=10)


def _fitted(image: Pixels | None) -> Pixels:
    """Return the picture, or a grey one where there is none."""
    return np.full((HEIGHT, WIDTH, 3), 128, np.uint8) if image is None else image


def _write(
    figure: "Figure",
    left: float,
    top: float,
    words: str,
    size: float,
    weight: str = "normal",
    colour: str = INK,
) -> None:
    """Write words with their upper left corner at a place in pixels."""
    width, height = figure.get_size_inches() * DPI
    figure.text(
        left / width,
        top / height,
        words,
        size=size,
        weight=weight,
        color=colour,
        va="top",
        ha="left",
        linespacing=1.3,
    )

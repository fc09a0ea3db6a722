"""The page of a flight, or of two side by side: one self-contained file with one time cursor.

Lines over time are drawn by uPlot (https://github.com/leeoniya/uPlot, MIT), which lies in
`vendor/uplot` as it is published, with its licence.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from liquid_control.errors import ConfigError
from liquid_control.files import atomic_write
from liquid_control.pages.data_block import decode_block, read_blocks
from liquid_control.pages.page import PAGES, render

FLIGHT_PAGE = "flight.html"
"""File name of a flight's page."""
MOST_FLIGHTS = 2
_SCRIPTS = ("block", "colours", "frames", "plots", "map", "wiring", "page")
"""In order; they share one scope."""
_LIBRARY = ("vendor", "uplot")


def flight_page(
    title: str,
    subtitle: str,
    blocks: Sequence[str],
    *,
    package: str = PAGES,
    template: str = FLIGHT_PAGE,
    context: Mapping[str, Any] | None = None,
    filters: Mapping[str, Callable[..., str]] | None = None,
) -> str:
    """Return a page.

    Args:
        title: heading.
        subtitle: below it, such as the command.
        blocks: one for each flight, from `flight_block`.
        package: with the template in its folder `templates`.
        template: of the page, which may extend `flight.html` of this package.
        context: further names of that template.
        filters: further filters of that template.

    Raises:
        ConfigError: there are no flights, or more than two.
    """
    if not 1 <= len(blocks) <= MOST_FLIGHTS:
        raise ConfigError(f"expected one flight or two side by side, got {len(blocks)}")
    own = files(PAGES)
    recorder = own.joinpath("templates", "recorder")
    library = own.joinpath(*_LIBRARY)
    names = {
        "title": title,
        "subtitle": subtitle,
        "blocks": [Markup(block) for block in blocks],
        "library": _text(library, "uPlot.iife.min.js"),
        "library_style": _text(library, "uPlot.min.css"),
        "page_style": _text(recorder, "page.css"),
        "script": Markup("\n").join(_text(recorder, f"{name}.js") for name in _SCRIPTS),
    }
    return render(package, template, names | dict(context or {}), filters)


def write_side_by_side(path: Path, first: Path, second: Path) -> Path:
    """Write one page from the pages of two flights.

    Args:
        path: of the new page.
        first: page of the flight on the left.
        second: page of the flight on the right.

    Raises:
        OutputError: a page cannot be read, or its data are damaged; or the new one cannot be
            written.
        ConfigError: a page has two flights already.
    """
    blocks = []
    for page in (first, second):
        found = read_blocks(page)
        if len(found) != 1:
            raise ConfigError(f"{page}: expected the page of one flight, got {len(found)} flights")
        blocks += found
    titles = [decode_block(block)[0]["title"] for block in blocks]
    title = titles[0] if titles[0] == titles[1] else f"{titles[0]} and {titles[1]}"
    names = [_short(page) for page in (first, second)]
    return atomic_write(path, flight_page(title, f"{names[0]} beside {names[1]}", blocks))


def _short(page: Path) -> str:
    """Return the last parts of a path, which name the flight."""
    return "/".join(page.resolve().parts[1:][-3:])


def _text(folder: Any, name: str) -> Markup:
    return Markup(folder.joinpath(name).read_text(encoding="utf-8"))

"""Files of a study: a page in Markdown, its figure and its data, of one name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from liquid_control.files import atomic_write
from liquid_control.journal import plain


def write_study(
    folder: Path, name: str, page: str, figure: bytes, data: Mapping[str, Any]
) -> list[Path]:
    """Write `name.md`, `name.png` and `name.json`; return their paths.

    Args:
        folder: of the files; made if it is missing.
        name: of the files.
        page: Markdown that shows the figure.
        figure: PNG.
        data: all that page and figure show.
    """
    return [
        atomic_write(folder / f"{name}.md", page, parents=True),
        atomic_write(folder / f"{name}.png", figure),
        atomic_write(folder / f"{name}.json", json.dumps(plain(data), indent=1, allow_nan=False)),
    ]

"""Pages from templates: one self-contained file, written whole or not at all."""

import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from liquid_control.errors import OutputError
from liquid_control.types import Pixels

PAGES = "liquid_control.pages"


def render(
    room: str,
    template: str,
    context: Mapping[str, Any],
    filters: Mapping[str, Callable[..., str]] | None = None,
) -> str:
    """Return a page made from a room's template, which may extend `base.html` of this room.

    Args:
        room: the package that has the template in its folder `templates`.
        template: its file name.
        context: what it names; a name that is missing is an error.
        filters: further filters by name.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(room), PackageLoader(PAGES)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= dict(filters or {})
    return environment.get_template(template).render(context)


def write_whole(path: Path, content: str) -> Path:
    """Write a text beside its place, then rename it there: never a half-written file.

    Raises:
        OutputError: the folder cannot be written to.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(content, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def picture_address(image: Pixels, jpeg_quality: int | None = None) -> str:
    """Return an RGB picture as a data address: PNG, or JPEG where a quality is given."""
    kind = "png" if jpeg_quality is None else "jpeg"
    options = [] if jpeg_quality is None else [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
    _, encoded = cv2.imencode(f".{kind}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode()}"

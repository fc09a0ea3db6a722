"""Self-contained HTML pages from templates."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import cv2
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from liquid_control.types import Pixels

PAGES = "liquid_control.pages"


def render(
    package: str,
    template: str,
    context: Mapping[str, Any],
    filters: Mapping[str, Callable[..., str]] | None = None,
) -> str:
    """Return a page from a package's template, which may extend `base.html` of this package.

    Args:
        package: the package with the template in its folder `templates`.
        template: file name of the template.
        context: values of the template's names; a missing name is an error.
        filters: further filters by name.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(PAGES)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= dict(filters or {})
    return environment.get_template(template).render(context)


def picture_address(image: Pixels, jpeg_quality: int | None = None) -> str:
    """Return an RGB picture as a data URL: PNG, or JPEG where a quality is given."""
    kind = "png" if jpeg_quality is None else "jpeg"
    options = [] if jpeg_quality is None else [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
    _, encoded = cv2.imencode(f".{kind}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode()}"

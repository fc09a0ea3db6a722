"""Style of the figures and their conversion to inline SVG and PNG.

Matplotlib does not support CSS variables. Each role has a unique colour, which the finished SVG
replaces by the CSS variable of the role.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1d2733"
MUTED = "#6b7686"
GRID = "#e3e7ec"
TRAIL = "#e9dcc3"
CORRIDOR = "#f4f6f1"
TRUNK = "#5c6f58"
BLUE = "#2463c9"
ORANGE = "#d9691e"
GREEN = "#2a8a4a"
RED = "#cc3340"
PURPLE = "#7a4fc0"

_ROLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    TRAIL: "trail",
    CORRIDOR: "corridor",
    TRUNK: "trunk",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    RED: "red",
    PURPLE: "purple",
}

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "liquid_control",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.titlepad": 5.0,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
}

WIDTH_IN = 11.0
"""Width of every figure, inches of 72 points."""


@contextmanager
def drawing() -> Iterator[None]:
    """Apply the report's Matplotlib style inside the context."""
    with mpl.rc_context(_STYLE):
        yield


def quiet_axes(axes: Axes) -> None:
    """Give axes a horizontal grid only."""
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.margins(x=0)


def svg(figure: Figure, label: str) -> str:
    """Return the figure as an inline SVG element that scales with the page.

    Args:
        figure: the figure; its background becomes transparent.
        label: description of the figure for screen readers.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[a-zA-Z]+[0-9.]*_\d+"', "", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    for colour, role in _ROLES.items():
        text = text.replace(colour, f"var(--{role})")
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip()


def png(figure: Figure, dpi: int = 120) -> bytes:
    """Return the figure as PNG on white; equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()

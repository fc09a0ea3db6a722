"""Where tables are printed."""

import sys

from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 120


def console() -> Console:
    """Return the console of standard output; wide enough for tables in files and pipes."""
    return Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)

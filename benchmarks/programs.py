"""What the programs `python -m benchmarks.NAME` have in common."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from liquid_control.errors import LiquidControlError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an error that a user can act on as one line, and exit with 2."""
    try:
        yield
    except LiquidControlError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None

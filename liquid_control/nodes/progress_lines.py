"""JSON lines for whoever started the simulator, on a stdout that nobody else writes to."""

import json
import os
from typing import TextIO


class ProgressLines:
    """Events as JSON, one a line.

    PyBullet's window writes about its graphics card to stdout, from C; from here on that goes to
    stderr, and stdout is for events alone.

    Args:
        wanted: whether to write at all.
    """

    def __init__(self, wanted: bool) -> None:
        self._stream: TextIO | None = None
        if wanted:
            self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
            os.dup2(2, 1)

    def tell(self, event: str, **values: object) -> None:
        """Write an event."""
        if self._stream is not None:
            print(json.dumps({"event": event, **values}), file=self._stream, flush=True)

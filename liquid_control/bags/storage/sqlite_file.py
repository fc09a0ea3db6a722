"""A database opened for reading only, with bounded work, and without touching what lies beside it.

A recorder that was killed leaves a write-ahead log (`-wal`) with its last messages.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

STEP = 100_000
"""SQLite asks after so many instructions whether to go on."""

FREE_STEPS = 20_000_000
STEPS_PER_BYTE = 2
PRAGMAS = ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "writable_schema=ON")
"""The last lets SQLite open a file that is cut off, or whose schema is damaged in part."""

PAGE_SIZE = slice(16, 18)
PAGE_COUNT = slice(28, 32)
"""Where the header of a database has them, big-endian."""

ERRORS = (sqlite3.Error, OverflowError, MemoryError, ValueError)
"""What a damaged database raises."""


class Database:
    """A connection whose queries end, whatever the pages say.

    A damaged tree of pages can lead in circles: a query is given up after more instructions than
    a file of its size can need.
    """

    def __init__(self, connection: sqlite3.Connection, size_bytes: int) -> None:
        self._connection = connection
        self._allowed = (FREE_STEPS + STEPS_PER_BYTE * size_bytes) // STEP
        self._taken = 0
        connection.text_factory = bytes
        connection.set_progress_handler(self._step, STEP)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if hasattr(connection, "setlimit"):
            largest = max(10**6, min(size_bytes, 2**30))
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, largest)

    def _step(self) -> int:
        self._taken += 1
        return int(self._taken > self._allowed)

    def rows(self, query: str, *values: int) -> Iterator[Any]:
        """Yield a query's rows; raises what `ERRORS` lists."""
        self._taken = 0
        yield from self._connection.execute(query, values)


@contextmanager
def connected(path: Path) -> Iterator[Database]:
    """Open a database for reading while the context lasts."""
    path = path.resolve()
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists() and wal.stat().st_size > 0:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "bag.db3"
            shutil.copyfile(path, copy)
            shutil.copyfile(wal, copy.with_name("bag.db3-wal"))
            with _opened(copy, "mode=rw") as database:
                yield database
    else:
        with _opened(path, "mode=ro&immutable=1") as database:
            yield database


@contextmanager
def _opened(path: Path, how: str) -> Iterator[Database]:
    address = f"{path.as_uri()}?{how}"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        yield Database(connection, path.stat().st_size)


def is_cut_off(path: Path) -> bool:
    """Return whether a file has fewer pages than its header says."""
    with path.open("rb") as stream:
        head = stream.read(PAGE_COUNT.stop)
    size, count = (int.from_bytes(head[place], "big") for place in (PAGE_SIZE, PAGE_COUNT))
    return path.stat().st_size < (65536 if size == 1 else size) * count

"""`.db3` file of rosbag2 as part of a recording, complete or with damaged pages."""

import shutil
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.ordering import in_window
from liquid_control.bags.storage.part import Contents, Definition, RawMessage, Topic, topic_of
from liquid_control.errors import BagError

STEP = 100_000
"""Number of SQLite instructions between calls of the progress handler."""

FREE_STEPS = 20_000_000
STEPS_PER_BYTE = 2
PRAGMAS = ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "writable_schema=ON")
"""`writable_schema` lets SQLite open a truncated file, or one with a partly damaged schema."""

PAGE_SIZE = slice(16, 18)
PAGE_COUNT = slice(28, 32)
"""Byte ranges of page size and page count in the database header, big-endian."""

ERRORS = (sqlite3.Error, OverflowError, MemoryError, ValueError)
"""Exceptions that a damaged database raises."""


class Database:
    """A connection whose queries always end.

    A damaged page tree can contain cycles: a query is aborted after more instructions than a file
    of its size can need.
    """

    def __init__(self, connection: sqlite3.Connection, size_bytes: int) -> None:
        self._connection = connection
        self._max_steps = (FREE_STEPS + STEPS_PER_BYTE * size_bytes) // STEP
        self._steps = 0
        connection.text_factory = bytes
        connection.set_progress_handler(self._step, STEP)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if hasattr(connection, "setlimit"):
            largest = max(10**6, min(size_bytes, 2**30))
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, largest)

    def _step(self) -> int:
        self._steps += 1
        return int(self._steps > self._max_steps)

    def rows(self, query: str, *values: int) -> Iterator[Any]:
        """Yield the rows of a query.

        Raises:
            Exception: one of `ERRORS`.
        """
        self._steps = 0
        yield from self._connection.execute(query, values)


@contextmanager
def connected(path: Path) -> Iterator[Database]:
    """Open a database for reading for a `with` block."""
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
def _opened(path: Path, options: str) -> Iterator[Database]:
    address = f"{path.as_uri()}?{options}"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        yield Database(connection, path.stat().st_size)


def is_truncated(path: Path) -> bool:
    """Return whether a file has fewer pages than its header declares."""
    with path.open("rb") as stream:
        head = stream.read(PAGE_COUNT.stop)
    size, count = (int.from_bytes(head[place], "big") for place in (PAGE_SIZE, PAGE_COUNT))
    return path.stat().st_size < (65536 if size == 1 else size) * count


@dataclass(frozen=True, slots=True)
class Tables:
    """Contents of a database.

    Attributes:
        topics: topics by id.
        undefined: number of messages by topic id, for ids without a topic.
        time_index: quoted name of an index for reading messages in order of time; None if there is
            none.
        start_ns: first log time; None if unreadable.
        end_ns: last log time; None if unreadable.
    """

    topics: Mapping[int, Topic]
    undefined: Mapping[int, int]
    time_index: str | None
    start_ns: int | None
    end_ns: int | None


def read_tables(database: Database) -> Tables:
    """Return the contents of a database.

    Raises:
        ValueError: the database has no rosbag2 tables.
        sqlite3.Error: its pages are damaged.
    """
    names = {
        text(name)
        for (name,) in database.rows("SELECT name FROM sqlite_master WHERE type='table'")
    }
    if not {"topics", "messages"} <= names:
        raise ValueError("expected tables `topics` and `messages`")
    definitions = _definitions(database) if "message_definitions" in names else {}
    topics = {
        int(key): topic_of(
            text(name), text(kind), None, definitions.get(text(kind), NO_DEFINITION)
        )
        for key, name, kind in database.rows("SELECT id, name, type FROM topics ORDER BY id")
        if isinstance(key, int)
    }
    counts = _counts(database)
    if counts is not None:
        topics = {key: replace(topic, count=counts.get(key, 0)) for key, topic in topics.items()}
    undefined = {key: n for key, n in (counts or {}).items() if key not in topics}
    start_ns, end_ns = _times(database)
    time_index = _time_index(database, sum((counts or {}).values())) if counts else None
    return Tables(topics, undefined, time_index, start_ns, end_ns)


NO_DEFINITION = Definition("", "")


def text(value: Any) -> str:
    """Return a text value of a database, also if its type is wrong."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _definitions(database: Database) -> dict[str, Definition]:
    query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
    try:
        return {
            text(kind): Definition(text(encoding), text(definition))
            for kind, encoding, definition in database.rows(query)
        }
    except ERRORS:
        return {}


def _counts(database: Database) -> dict[int, int] | None:
    query = "SELECT topic_id, count(*) FROM messages GROUP BY topic_id"
    try:
        return {key: count for key, count in database.rows(query) if isinstance(key, int)}
    except ERRORS:
        return None


def _times(database: Database) -> tuple[int | None, int | None]:
    try:
        ((first,),) = database.rows("SELECT min(timestamp) FROM messages")
        ((last,),) = database.rows("SELECT max(timestamp) FROM messages")
    except ERRORS:
        return None, None
    known = isinstance(first, int) and isinstance(last, int)
    return (first, last) if known else (None, None)


def _time_index(database: Database, count: int) -> str | None:
    """Return a complete index on `timestamp` that avoids sorting all messages."""
    try:
        listed = list(database.rows("PRAGMA index_list(messages)"))
    except ERRORS:
        return None
    for name in (row[1] for row in listed):
        quoted = '"' + text(name).replace('"', '""') + '"'
        table = f"messages INDEXED BY {quoted}"
        try:
            plan = list(
                database.rows(f"EXPLAIN QUERY PLAN SELECT data FROM {table} ORDER BY timestamp")
            )
            ((indexed,),) = database.rows(f"SELECT count(timestamp) FROM {table}")
        except ERRORS:
            continue
        if indexed == count and not any(b"TEMP B-TREE" in bytes(step[3]) for step in plan):
            return quoted
    return None


Row = tuple[int, int, int, bytes]
"""Id, topic id, log time and data of a message."""

SELECT = "SELECT rowid, topic_id, timestamp, data FROM messages"
FIRST_ID = -(2**63)
LAST_ID = 2**63 - 1
MAX_GAP = 2**40
MAX_GAPS = 1000
"""Number of damaged ranges that are skipped in a file before reading stops."""


class SqlitePart:
    """A database of messages.

    Args:
        name: name of the file in messages.
        path: path of the database to read.

    Raises:
        BagError: its tables cannot be read.
    """

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._path = name, path
        try:
            with connected(path) as database:
                self._tables = read_tables(database)
        except ERRORS as error:
            reason = " ".join(str(error).split())
            raise BagError(f"{name}: no tables of messages can be read ({reason})") from error
        tables = self._tables
        topics = tuple(tables.topics.values())
        self.contents = Contents(topics, {}, tables.start_ns, tables.end_ns)

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int
    ) -> Iterator[RawMessage]:
        """Yield messages by log time; see `Part`."""
        if is_truncated(self._path):
            losses.count(Loss.ENDS_EARLY, f"{self._name} at byte {self._path.stat().st_size}")
        requested = {
            key: topic
            for key, topic in self._tables.topics.items()
            if topic.name in topics and topic.count != 0
        }
        for key, count in self._tables.undefined.items():
            losses.count(Loss.NO_TYPE, f"{self._name}: topic {key} is not defined", count)
        if not requested:
            return
        with connected(self._path) as database:
            reader = _Reader(database, self._name, requested, losses, start_ns)
            yield from reader.messages(self._tables.time_index)


class _Reader:
    """Reads the messages of a database once."""

    def __init__(
        self,
        database: Database,
        name: str,
        topics: Mapping[int, Topic],
        losses: Losses,
        start_ns: int,
    ) -> None:
        self._database, self._name, self._losses = database, name, losses
        self._topics, self._start_ns = topics, start_ns
        keys = ", ".join(map(str, topics))
        self._where = f"WHERE topic_id IN ({keys}) AND timestamp >= ?"

    def messages(self, time_index: str | None) -> Iterator[RawMessage]:
        """Yield messages by log time: from the time index while it is readable, then by id."""
        latest = (-(2**63), FIRST_ID)
        if time_index is not None:
            query = f"{SELECT} INDEXED BY {time_index} {self._where} ORDER BY timestamp, rowid"
            try:
                for row in self._select(query):
                    if (row[2], row[0]) <= latest:
                        raise ValueError("the time index is not in order")
                    latest = (row[2], row[0])
                    yield self._message(row)
            except ERRORS:
                pass
            else:
                return
        rest = (row for row in self._by_id() if (row[2], row[0]) > latest)
        yield from in_window(self._message(row) for row in rest)

    def _message(self, row: Row) -> RawMessage:
        topic = self._topics[row[1]]
        return RawMessage(topic.name, topic.type, row[2], row[3])

    def _select(self, query: str, *values: int) -> Iterator[Row]:
        for row in self._database.rows(query, self._start_ns, *values):
            key, topic, log_ns, data = row
            if isinstance(data, bytes) and isinstance(log_ns, int) and topic in self._topics:
                yield row
            else:
                self._losses.count(Loss.UNREADABLE_BYTES, f"{self._name}: row {key}")

    def _by_id(self) -> Iterator[Row]:
        query = f"{SELECT} {self._where} AND rowid > ? ORDER BY rowid"
        after = FIRST_ID
        for _ in range(MAX_GAPS):
            rows = self._select(query, after)
            problem = ""
            while not problem:
                row, problem = next_row(rows)
                if row is None:
                    break
                if row[0] <= after:
                    problem = "the rows are not in order"
                else:
                    after = row[0]
                    yield row
            if not problem:
                return
            resumed = self._next_readable(query, after)
            until = "" if resumed is None else f" to {resumed - 1}"
            reason = f"{self._name}: rows from {after + 1}{until} ({problem})"
            self._losses.count(Loss.DAMAGED_CHUNK, reason)
            if resumed is None:
                return
            after = resumed - 1

    def _next_readable(self, query: str, after: int) -> int | None:
        """Return the first id after a damaged range, found by doubling steps and bisection."""
        unreadable = max(after, 0)
        step, found = 1, None
        while step < MAX_GAP and unreadable + step < LAST_ID:
            found = self._first(query, unreadable + step)
            if found is not None:
                break
            unreadable += step
            step *= 2
        if found is None:
            return None
        readable = found
        while readable - unreadable > 1:
            middle = (readable + unreadable) // 2
            candidate = self._first(query, middle)
            if candidate is None:
                unreadable = middle
            else:
                readable, found = middle, min(found, candidate)
        return found

    def _first(self, query: str, after: int) -> int | None:
        try:
            for row in self._database.rows(f"{query} LIMIT 1", self._start_ns, after):
                return int(row[0]) if row[0] > after else None
        except ERRORS:
            return None
        return None


def next_row(rows: Iterator[Row]) -> tuple[Row | None, str]:
    """Return the next row (None after the last) and the error message (empty if none)."""
    try:
        return next(rows, None), ""
    except ERRORS as error:
        return None, str(error) or type(error).__name__

"""A `.db3` file of rosbag2 as part of a recording, also one with damaged pages."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.ordering import in_window
from liquid_control.bags.storage.part import Contents, RawMessage, Topic
from liquid_control.bags.storage.sqlite_file import ERRORS, Database, connected, is_cut_off
from liquid_control.bags.storage.sqlite_tables import read_tables
from liquid_control.errors import BagError

Row = tuple[int, int, int, bytes]
"""Id, topic, time and data of a message."""

SELECT = "SELECT rowid, topic_id, timestamp, data FROM messages"
FIRST_ID = -(2**63)
LAST_ID = 2**63 - 1
LARGEST_GAP = 2**40
GAPS = 1000
"""So many damaged stretches are stepped over in a file before the rest is given up."""


class SqlitePart:
    """A database of messages.

    Args:
        name: what reports call it.
        path: where its bytes are.

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
        if is_cut_off(self._path):
            losses.count(Loss.ENDS_EARLY, f"{self._name} at byte {self._path.stat().st_size}")
        wanted = {
            key: topic
            for key, topic in self._tables.topics.items()
            if topic.name in topics and topic.count != 0
        }
        for key, count in self._tables.undefined.items():
            losses.count(Loss.NO_TYPE, f"{self._name}: topic {key} is not defined", count)
        if not wanted:
            return
        with connected(self._path) as database:
            reading = _Reading(database, self._name, wanted, losses, start_ns)
            yield from reading.messages(self._tables.time_index)


class _Reading:
    """One reading of a database."""

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
        """Yield messages by time: by the index of times as far as it goes, then by their ids."""
        latest = (-(2**63), FIRST_ID)
        if time_index is not None:
            query = f"{SELECT} INDEXED BY {time_index} {self._where} ORDER BY timestamp, rowid"
            try:
                for row in self._select(query):
                    if (row[2], row[0]) <= latest:
                        raise ValueError("the index of times is not in order")
                    latest = (row[2], row[0])
                    yield self._message(row)
            except ERRORS:
                pass
            else:
                return
        left = (row for row in self._by_id() if (row[2], row[0]) > latest)
        yield from in_window(self._message(row) for row in left)

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
        for _ in range(GAPS):
            rows = self._select(query, after)
            problem = ""
            while not problem:
                row, problem = following(rows)
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
        """Return the first id behind a damaged stretch, found by ever longer steps and halving."""
        unreadable = max(after, 0)
        step, found = 1, None
        while step < LARGEST_GAP and unreadable + step < LAST_ID:
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


def following(rows: Iterator[Row]) -> tuple[Row | None, str]:
    """Return the next row, None behind the last, and what was wrong, if anything."""
    try:
        return next(rows, None), ""
    except ERRORS as error:
        return None, str(error) or type(error).__name__

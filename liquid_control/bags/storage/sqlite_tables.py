"""What rosbag2's tables say about a recording, in all versions of their layout."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from liquid_control.bags.storage.part import Definition, Topic
from liquid_control.bags.storage.sqlite_file import ERRORS, Database


@dataclass(frozen=True, slots=True)
class Tables:
    """What is in a database.

    Attributes:
        topics: by id.
        undefined: number of messages of ids that are no topic's.
        time_index: name of the index by which messages can be read in order of time, quoted;
            None where there is none.
        start_ns: first log time, None where it could not be read.
        end_ns: last log time.
    """

    topics: Mapping[int, Topic]
    undefined: Mapping[int, int]
    time_index: str | None
    start_ns: int | None
    end_ns: int | None


def read_tables(database: Database) -> Tables:
    """Return what is in a database.

    Raises:
        ValueError: it holds no rosbag2 tables.
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
        int(key): Topic(text(name), text(kind), None, definitions.get(text(kind), NO_DEFINITION))
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
    """Return a database's text, which may be none."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _definitions(database: Database) -> dict[str, Definition]:
    query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
    try:
        return {
            text(kind): Definition(text(encoding), text(said))
            for kind, encoding, said in database.rows(query)
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
    """Return the index on `timestamp` if it is whole and spares a sorting of all messages."""
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

"""Journal of a run: an append-only file of JSON lines that an interrupted run is resumed from.

The first line is a header with the plan of the run: everything that its rows depend on. Each
further line is a row, written when it is measured. A process that is killed loses no row that it
has written; a last line without its end is ignored and removed.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime, timezone
from hashlib import sha256
from math import isfinite, nan
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from pydantic import BaseModel

from liquid_control.errors import ConfigError, OutputError
from liquid_control.files import atomic_write, unwritable
from liquid_control.provenance import git_revision, package_versions

SCHEMA = 1
JOURNAL_FILE = "rows.jsonl"
"""Name of the journal in a folder of results."""
SYNC_S = 1.0
"""Interval of syncs to disk: the largest loss on a power failure."""

Plan = Mapping[str, Any]
"""What two runs must have in common so that one continues the other: plain values by name."""


def plan_hash(plan: Plan) -> str:
    """Return the SHA-256 of a plan, in hex."""
    return sha256(json.dumps(plain(plan), sort_keys=True).encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return a value as plain JSON data; numbers that are not finite become None."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    if hasattr(value, "item"):
        return plain(value.item())
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


Row = TypeVar("Row")


def restored(kind: type[Row], content: Mapping[str, Any]) -> Row:
    """Return a dataclass from the plain data of a row; a float that is None becomes NaN.

    Raises:
        KeyError: a field is missing.
        TypeError: `kind` is not a dataclass.
    """
    values = {field.name: content[field.name] for field in fields(kind)}  # type: ignore[arg-type]
    for field in fields(kind):  # type: ignore[arg-type]
        if values[field.name] is None and field.type in (float, "float"):
            values[field.name] = nan
    return kind(**values)


class Journal:
    """Open journal of a run; a context that closes it.

    Args:
        path: the file.
        header: its first line.
        rows: rows that it holds already.

    Attributes:
        path: the file.
        header: its first line.
        rows: its rows so far, in the order in which they were written.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], rows: Sequence[dict[str, Any]]):
        self.path, self.header, self.rows = path, header, list(rows)
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
            self._size = os.fstat(self._file).st_size
        except OSError as error:
            raise unwritable(path, error) from error
        self._closed = False
        self._synced_s = time.monotonic()

    @classmethod
    def begin(cls, path: Path, plan: Plan, config: Mapping[str, Any], command: str) -> "Journal":
        """Create the file with its header.

        Args:
            path: the file; it must not exist.
            plan: of the run.
            config: what a reader of the rows wants to know.
            command: the command line.

        Raises:
            OutputError: the file exists, or cannot be written.
        """
        if os.path.lexists(path):
            raise OutputError(f"{path}: exists already; pass --resume, or give another --out")
        header = {
            "schema": SCHEMA,
            "plan_sha256": plan_hash(plan),
            "command": command,
            "created_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "git_revision": git_revision(),
            "versions": package_versions(),
            "plan": plain(plan),
            "config": plain(config),
        }
        atomic_write(path, json.dumps(header, allow_nan=False) + "\n", parents=True)
        return cls(path, header, [])

    @classmethod
    def resume(cls, path: Path, plan: Plan) -> "Journal":
        """Open the journal of an interrupted run and remove its torn last line.

        Raises:
            ConfigError: the run had another plan; the message names the difference.
            OutputError: the file cannot be read, is damaged, or cannot be written.
        """
        header, rows, whole = read_journal(path)
        check_same_plan(path.parent, header["plan"], plan)
        try:
            if path.stat().st_size > whole:
                os.truncate(path, whole)
        except OSError as error:
            raise unwritable(path, error) from error
        return cls(path, header, rows)

    @classmethod
    def extend(
        cls, path: Path, plan: Plan, config: Mapping[str, Any], kinds: tuple[str, ...]
    ) -> "Journal":
        """Open the journal of a run that this one continues, and to which it may add.

        Whatever the run was begun with has to be part of `plan`. The header gets the plan; its
        revision and its time stay.

        Args:
            path: the file.
            plan: of this run.
            config: what a reader of the rows wants to know.
            kinds: how the names begin that the plan may have besides.

        Raises:
            ConfigError: the plans differ in more than that; the message names the difference.
            OutputError: the run cannot be read, is damaged, or cannot be written.
        """
        header, rows, _ = read_journal(path)
        before = header["plan"]
        if before == plain(plan):
            return cls.resume(path, plan)
        known = {
            key: value for key, value in plan.items() if key in before or not key.startswith(kinds)
        }
        check_same_plan(path.parent, before, known)
        header |= {"plan_sha256": plan_hash(plan), "plan": plain(plan), "config": plain(config)}
        lines = (json.dumps(line, allow_nan=False) for line in (header, *rows))
        atomic_write(path, "".join(f"{line}\n" for line in lines))
        return cls(path, header, rows)

    @property
    def begun_with(self) -> dict[str, Any]:
        """Revision and versions of the code that began the run; empty if this code's are equal."""
        now = {"git_revision": git_revision(), "versions": package_versions()}
        return {key: self.header.get(key) for key in now if self.header.get(key) != now[key]}

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row.

        Raises:
            OutputError: the disk is full, or the file disappeared.
        """
        content = plain(row)
        line = (json.dumps(content, allow_nan=False) + "\n").encode()
        try:
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
            if time.monotonic() - self._synced_s >= SYNC_S:
                self._sync()
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise unwritable(self.path, error) from error
        self._size += len(line)
        self.rows.append(content)

    def _sync(self) -> None:
        os.fsync(self._file)
        self._synced_s = time.monotonic()

    def close(self) -> None:
        """Sync and close the file; closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        with suppress(OSError):
            os.fsync(self._file)
        os.close(self._file)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; remove it after a failure before any row if nothing else is there."""
        self.close()
        if kind is None or self.rows:
            return
        with suppress(OSError):
            if all(other.name.startswith(".") or other == self.path for other in self._siblings()):
                self.path.unlink()

    def _siblings(self) -> list[Path]:
        return list(self.path.parent.iterdir())


def read_journal(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]], int]:
    """Return header, rows and length in bytes of the whole lines of a journal.

    A last line without its end is left out.

    Raises:
        OutputError: the file cannot be read, or is not a journal.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be read ({error.strerror}); nothing to resume"
        ) from error
    whole = content.rfind(b"\n") + 1
    parts = content[:whole].split(b"\n")[:-1]
    lines = [_object(path, number, line) for number, line in enumerate(parts, 1)]
    if not lines or lines[0].get("schema") != SCHEMA or not isinstance(lines[0].get("plan"), dict):
        raise OutputError(f"{path}: line 1: expected the header of a run, schema {SCHEMA}")
    return lines[0], lines[1:], whole


def newest_journal(folders: Iterable[Path], plan: Plan) -> Path:
    """Return the newest folder whose journal has a plan.

    Args:
        folders: folders of results, whose names begin with their UTC time.
        plan: the plan.

    Raises:
        OutputError: none has it.
    """
    wanted = plan_hash(plan)
    for folder in sorted(folders, reverse=True):
        with suppress(OSError, ValueError, AttributeError):
            with (folder / JOURNAL_FILE).open("rb") as stream:
                header = json.loads(stream.readline())
            if header.get("plan_sha256") == wanted:
                return folder
    raise OutputError(
        "--resume: expected an earlier run of this command in runs/, found none; "
        "give its folder as --out, or leave out --resume"
    )


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise OutputError(
            f"{path}: line {number}: expected a JSON object, got {line[:40]!r}: damaged"
        )
    return content


def check_same_plan(folder: Path, before: Plan, now: Plan) -> None:
    """Check that a run continues another one.

    Raises:
        ConfigError: the plans differ; the message names the first difference.
    """
    begun, wanted = _flat(before), _flat(plain(now))
    one_sided = [key for key in {**wanted, **begun} if (key in begun) != (key in wanted)]
    for key in [*one_sided, *wanted]:
        if begun.get(key) != wanted.get(key):
            raise ConfigError(
                f"--resume: the run in {folder} was begun with {key}: {_short(begun.get(key))}, "
                f"this command has {_short(wanted.get(key))}; repeat its command, or give "
                "another --out"
            )


def _flat(content: Plan, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key} ")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

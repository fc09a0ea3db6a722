"""Write serialised ROS 2 messages to a rosbag2 folder with an SQLite database."""

import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote

from rosbags.interfaces import Connection, Qos
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.errors import WriterError
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer

from liquid_control.bags.writing.mcap_writer import FLUSH_S, SUFFIX, absolute
from liquid_control.bags.writing.messages import definition_of, type_hash
from liquid_control.bags.writing.partial_bag import check_free, partial_names
from liquid_control.errors import OutputError
from liquid_control.files import move_to_free

COMPRESSIONS = ("none", "zstd")


class SqliteBagWriter:
    """Writer of a rosbag2 folder. It is inside `NAME.partial` until the bag is closed.

    The guarantees of `BagWriter` hold here too. Messages are committed every `FLUSH_S`; a killed
    process leaves `NAME.partial/NAME/NAME.db3`. Metadata is stored in `metadata.yaml` only, under
    `custom_data` with keys `RECORD/KEY`, so an unfinished bag has none.

    Args:
        path: the folder to write; it must not exist.
        topics: type of each topic, such as `sensor_msgs/msg/Image`; more with `add_topic`.
        metadata: metadata records by name, as for `add_metadata`.
        compression: compression of each message, one of `COMPRESSIONS`.

    Raises:
        OutputError: the folder exists, cannot be written, or SQLite would misread its path.
    """

    def __init__(
        self,
        path: Path,
        topics: Mapping[str, str],
        *,
        metadata: Mapping[str, Mapping[str, str]] | None = None,
        compression: str = "none",
    ) -> None:
        if compression not in COMPRESSIONS:
            raise OutputError(
                f"compression: expected one of {', '.join(COMPRESSIONS)} for a rosbag2 folder, "
                f"got {compression!r}"
            )
        _check_name(path)
        check_free(path)
        self.path = path
        self._connections: dict[str, Connection] = {}
        self._has_messages = False
        self._flushed_s = time.monotonic()
        try:
            self._home = next(name for name in partial_names(path) if _make_folder(name))
            self.partial = self._home / path.name
            self._writer: Writer | None = self._open(compression)
        except (OSError, sqlite3.Error) as error:
            raise self._unwritable(error) from error
        for topic, kind in topics.items():
            self.add_topic(topic, kind)
        for name, values in (metadata or {}).items():
            self.add_metadata(name, values)

    def _open(self, compression: str) -> Writer:
        writer = Writer(self.partial, version=9, storage_plugin=StoragePlugin.SQLITE3)
        if compression == "zstd":
            writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
        writer.open()
        # Pages written before their commit would look damaged after a kill.
        _storage(writer).conn.execute("PRAGMA cache_spill = OFF")
        return writer

    def _unwritable(self, error: Exception) -> OutputError:
        reason = getattr(error, "strerror", None) or error
        return OutputError(f"{self.path}: cannot be written ({reason})")

    def __enter__(self) -> "SqliteBagWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(complete=kind is None)

    def add_topic(
        self, topic: str, kind: str, definition: str | None = None, qos: Qos | None = None
    ) -> None:
        """Add a topic; see `BagWriter.add_topic`."""
        if self._writer is None or topic in self._connections:
            return
        text = definition if definition is not None else definition_of(kind)
        try:
            self._connections[topic] = self._writer.add_connection(
                absolute(topic),
                kind,
                msgdef=text,
                rihs01=type_hash(kind, text),
                offered_qos_profiles=[qos] if qos else [],
            )
        except sqlite3.Error as error:
            raise self._give_up(error) from error

    def write(self, topic: str, cdr: bytes, stamp_ns: int) -> None:
        """Append a message; see `BagWriter.write`."""
        if self._writer is None:
            return
        try:
            self._writer.write(self._connections[topic], stamp_ns, cdr)
            self._has_messages = True
        except (OSError, sqlite3.Error) as error:
            raise self._give_up(error) from error
        if time.monotonic() - self._flushed_s >= FLUSH_S:
            self.flush()

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Add a record to `metadata.yaml`; record names must be unique."""
        if self._writer is not None:
            for key, value in values.items():
                self._writer.set_custom_data(f"{name}/{key}", value)

    def flush(self, to_disk: bool = True) -> None:
        """Commit the written messages; the database always waits for the disk.

        Raises:
            OutputError: the disk is full, or the file disappeared.
        """
        if self._writer is None:
            return
        self._flushed_s = time.monotonic()
        try:
            _storage(self._writer).conn.commit()
        except sqlite3.Error as error:
            raise self._give_up(error) from error

    def _give_up(self, error: Exception) -> OutputError:
        """Stop writing and keep the committed messages; return the exception to raise."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(sqlite3.Error):
                writer.abort()
        return self._unwritable(error)

    def close(self) -> None:
        """Write `metadata.yaml` and move the bag to `path`; closing twice is allowed.

        Raises:
            OutputError: the disk is full, or another folder was created at `path`.
        """
        self._end(complete=True)

    def _end(self, complete: bool) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close()
            if not complete:
                if not self._has_messages:
                    shutil.rmtree(self._home)  # what it was to record never began
                return
            move_to_free(self.partial, self.path)
            shutil.rmtree(self._home)
        except (OSError, sqlite3.Error, WriterError) as error:
            raise self._unwritable(error) from error


def _check_name(path: Path) -> None:
    """Raise on paths that SQLite would misread: rosbags passes the path as a URI."""
    name = str(path)
    if "?" in name or "#" in name or unquote(name) != name:
        raise OutputError(
            f"{path}: a rosbag2 folder cannot be written where the path has ?, # or %; "
            f"an {SUFFIX} file can"
        )


def _make_folder(folder: Path) -> bool:
    """Create a folder; return False if it exists."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def _storage(writer: Writer) -> Sqlite3Writer:
    storage = writer.storage
    if not isinstance(storage, Sqlite3Writer):
        raise TypeError(f"expected an SQLite bag, got {type(storage).__name__}")
    return storage

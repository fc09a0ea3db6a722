"""Write serialised ROS 2 messages to an MCAP file."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import yaml
from mcap.well_known import MessageEncoding, Profile, SchemaEncoding
from mcap.writer import CompressionType, Writer
from rosbags.interfaces import Qos
from rosbags.rosbag2.metadata import dump_qos_v9

from liquid_control import __version__
from liquid_control.bags.writing.messages import definition_of
from liquid_control.bags.writing.partial_bag import check_free, partial_names
from liquid_control.errors import OutputError
from liquid_control.files import move_to_free, unwritable

SUFFIX = ".mcap"
COMPRESSIONS: dict[str, CompressionType] = {
    "none": CompressionType.NONE,
    "lz4": CompressionType.LZ4,
    "zstd": CompressionType.ZSTD,
}
CHUNK_BYTES = 1 << 20
FLUSH_S = 0.5
"""Wall time between flushes, s: the largest loss if the process is killed."""
_LIBRARY = f"liquid_control {__version__}"


class BagWriter:
    """Writer of an MCAP bag. The file has a `.partial` name until the bag is closed.

    A bag that was not closed, because its process was killed or the disk was full, remains as
    `NAME.mcap.partial` and is readable up to the last chunk; so does a bag whose `with` block
    ends with an exception, unless it has no message. Only one thread at a time may use the writer.

    Args:
        path: the `.mcap` file to write; it must not exist.
        topics: type of each topic, such as `sensor_msgs/msg/Image`; more with `add_topic`.
        metadata: metadata records by name, as for `add_metadata`.
        compression: compression of chunks, one of `COMPRESSIONS`.
        flush_s: interval after which a chunk is closed before it is full, s of wall time. None
            never closes a chunk early: equal messages then yield equal bytes.

    Attributes:
        path: path of the finished file.
        partial: path of the file until the bag is closed.

    Raises:
        OutputError: the file exists, or the folder cannot be written.
    """

    def __init__(
        self,
        path: Path,
        topics: Mapping[str, str],
        *,
        metadata: Mapping[str, Mapping[str, str]] | None = None,
        compression: str = "none",
        flush_s: float | None = FLUSH_S,
    ) -> None:
        if path.suffix != SUFFIX:
            raise OutputError(f"{path}: expected a file name that ends with {SUFFIX}")
        if compression not in COMPRESSIONS:
            raise OutputError(
                f"compression: expected one of {', '.join(COMPRESSIONS)}, got {compression!r}"
            )
        check_free(path)
        self.path = path
        self.partial, self._stream = self._open()
        self._channels: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self._flush_s = flush_s
        self._flushed_s = time.monotonic()
        self._writer: Writer | None = Writer(
            self._stream,
            chunk_size=CHUNK_BYTES,
            compression=COMPRESSIONS[compression],
            enable_data_crcs=True,
        )
        self._writer.start(Profile.ROS2, _LIBRARY)
        for topic, kind in topics.items():
            self.add_topic(topic, kind)
        for name, values in (metadata or {}).items():
            self.add_metadata(name, values)

    def _open(self) -> tuple[Path, IO[bytes]]:
        try:
            found = ((name, _new_file(name)) for name in partial_names(self.path))
            return next((name, stream) for name, stream in found if stream is not None)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> OutputError:
        return unwritable(self.path, error)

    def __enter__(self) -> "BagWriter":
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
        """Add a topic.

        Args:
            topic: topic name, with or without the leading slash; written with it.
            kind: message type such as `sensor_msgs/msg/Image`.
            definition: definition in the format `ros2msg`; required for types outside ROS 2's
                common interfaces.
            qos: quality of service for playback.

        Raises:
            OutputError: the type is unknown and no definition was given.
        """
        if self._writer is None or topic in self._channels:
            return
        if kind not in self._schemas:
            text = definition if definition is not None else definition_of(kind)
            self._schemas[kind] = self._writer.register_schema(
                kind, SchemaEncoding.ROS2, text.encode()
            )
        offered = {"offered_qos_profiles": yaml.safe_dump(dump_qos_v9([qos])) if qos else ""}
        self._channels[topic] = self._writer.register_channel(
            absolute(topic), MessageEncoding.CDR, self._schemas[kind], offered
        )
        self._counts[topic] = 0

    def write(self, topic: str, cdr: bytes, stamp_ns: int) -> None:
        """Append a message; do nothing once the bag is closed.

        Args:
            topic: a topic that was added.
            cdr: the serialised message with its encapsulation header.
            stamp_ns: log time, ns; not negative.

        Raises:
            OutputError: the disk is full, or the file disappeared.
        """
        if self._writer is None:
            return
        sequence = self._counts[topic] = self._counts[topic] + 1
        try:
            self._writer.add_message(
                self._channels[topic], stamp_ns, cdr, stamp_ns, sequence & 0xFFFFFFFF
            )
        except OSError as error:
            raise self._give_up(error) from error
        if self._flush_s is not None and time.monotonic() - self._flushed_s >= self._flush_s:
            self.flush()

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Append a metadata record; record names must be unique.

        Raises:
            OutputError: the disk is full, or the file disappeared.
        """
        if self._writer is None:
            return
        try:
            self._writer.add_metadata(name, dict(values))
        except OSError as error:
            raise self._give_up(error) from error

    def flush(self, to_disk: bool = False) -> None:
        """Write buffered data to the operating system, where it survives this process.

        Args:
            to_disk: wait until the data is on the disk, where it survives a power failure.

        Raises:
            OutputError: the disk is full, or the file disappeared.
        """
        if self._writer is None:
            return
        self._flushed_s = time.monotonic()
        try:
            self._writer.flush()  # type: ignore[no-untyped-call]
            if to_disk:
                os.fdatasync(self._stream.fileno())
        except OSError as error:
            raise self._give_up(error) from error

    def _give_up(self, error: OSError) -> OutputError:
        """Stop writing and keep the partial file; return the exception to raise."""
        self._writer = None
        with suppress(OSError):  # the last buffered bytes do not fit either
            self._stream.close()
        return self._unwritable(error)

    def close(self) -> None:
        """Write the index and rename the file to `path`; closing twice is allowed.

        Raises:
            OutputError: the disk is full, or another file was created at `path`.
        """
        self._end(complete=True)

    def _end(self, complete: bool) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.finish()  # type: ignore[no-untyped-call]
            self._stream.close()
            if complete:
                move_to_free(self.partial, self.path)
            elif not any(self._counts.values()):
                self.partial.unlink()  # what it was to record never began
        except OSError as error:
            with suppress(OSError):
                self._stream.close()
            raise self._unwritable(error) from error


def _new_file(path: Path) -> IO[bytes] | None:
    """Create a file; return None if it exists."""
    try:
        return path.open("xb")
    except FileExistsError:
        return None


def absolute(topic: str) -> str:
    """Return a topic name with its leading slash."""
    return topic if topic.startswith("/") else f"/{topic}"

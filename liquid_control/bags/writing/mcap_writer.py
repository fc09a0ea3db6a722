"""Write ROS 2 bags of serialised messages straight through: one MCAP file a flight."""

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
from liquid_control.bags.writing.partial_bag import check_free, partial_names, put_in_place
from liquid_control.errors import OutputError

SUFFIX = ".mcap"
COMPRESSIONS: dict[str, CompressionType] = {
    "none": CompressionType.NONE,
    "lz4": CompressionType.LZ4,
    "zstd": CompressionType.ZSTD,
}
CHUNK_BYTES = 1 << 20
FLUSH_S = 0.5
"""Of wall time: what a killed process loses at most, as long as somebody writes or flushes."""
_LIBRARY = f"liquid_control {__version__}"


class BagWriter:
    """A bag that is being written: beside its place, and moved there when it is closed.

    A bag that was not closed, because its process was killed or the disk was full, stays behind as
    `NAME.mcap.partial` and can be read up to the last chunk; so does one whose `with` block was
    left by an exception. One thread at a time may use it.

    Args:
        path: the `.mcap` file to make; it must not exist.
        topics: type of each topic, such as `sensor_msgs/msg/Image`; more with `add_topic`.
        metadata: records by name, as with `add_metadata`.
        compression: of chunks, one of `COMPRESSIONS`.
        flush_s: how often chunks are closed before they are full, s of wall time; None for never,
            so that the same messages make the same bytes.

    Attributes:
        path: as given.
        partial: where the bag stands until it is closed.

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
        return OutputError(f"{self.path}: cannot be written ({error.strerror or error})")

    def __enter__(self) -> "BagWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(whole=kind is None)

    def add_topic(
        self, topic: str, kind: str, definition: str | None = None, qos: Qos | None = None
    ) -> None:
        """Announce a topic.

        Args:
            topic: without or with the leading slash; written with it.
            kind: such as `sensor_msgs/msg/Image`.
            definition: in the format `ros2msg`; needed for what is none of the common interfaces.
            qos: what a player should publish it with.

        Raises:
            OutputError: the type is not known and no definition was given.
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
        """Append a message; once the bag is closed, do nothing.

        Args:
            topic: as announced.
            cdr: serialised, with its encapsulation header.
            stamp_ns: the time under which it is filed, ns; not negative.

        Raises:
            OutputError: the disk is full, or the file went away.
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
        """Append a record of names and values; record names are used once.

        Raises:
            OutputError: the disk is full, or the file went away.
        """
        if self._writer is None:
            return
        try:
            self._writer.add_metadata(name, dict(values))
        except OSError as error:
            raise self._give_up(error) from error

    def flush(self, to_disk: bool = False) -> None:
        """Hand what was written to the operating system, where it outlives this process.

        Args:
            to_disk: wait until it is on the disk, where it also outlives the machine's power.

        Raises:
            OutputError: the disk is full, or the file went away.
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
        """Leave what stands in the partial file; return what to raise."""
        self._writer = None
        with suppress(OSError):  # its last bytes do not fit either
            self._stream.close()
        return self._unwritable(error)

    def close(self) -> None:
        """Write the index and move the bag to its place; closing twice is allowed.

        Raises:
            OutputError: the disk is full, or somebody else made a file of that name meanwhile.
        """
        self._end(whole=True)

    def _end(self, whole: bool) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.finish()  # type: ignore[no-untyped-call]
            self._stream.close()
            if whole:
                put_in_place(self.partial, self.path)
        except OSError as error:
            with suppress(OSError):
                self._stream.close()
            raise self._unwritable(error) from error


def _new_file(path: Path) -> IO[bytes] | None:
    """Return a new file, or None where one of that name exists."""
    try:
        return path.open("xb")
    except FileExistsError:
        return None


def absolute(topic: str) -> str:
    """Return a topic's name as bags have it."""
    return topic if topic.startswith("/") else f"/{topic}"

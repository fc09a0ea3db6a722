"""Write ROS 2 bags of serialised messages straight through: one MCAP file a flight."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.errors import WriterError
from rosbags.typesys import Stores, get_typestore

from liquid_control.errors import OutputError


class BagWriter:
    """A bag that is being written: beside its place, and moved there when it is closed.

    A bag that was not closed, because its process was killed, stays behind as `NAME.partial`.

    Args:
        path: the `.mcap` file to make; it must not exist.
        topics: type of each topic, such as `sensor_msgs/msg/Image`.

    Raises:
        OutputError: the file exists, or the folder cannot be written.
    """

    def __init__(self, path: Path, topics: Mapping[str, str]) -> None:
        if path.suffix != ".mcap":
            raise OutputError(f"{path}: expected a file name that ends with .mcap")
        if path.exists():
            raise OutputError(f"{path}: exists already, and bags are not overwritten")
        self.path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._writer: Writer | None = self._open()
        types = get_typestore(Stores.ROS2_JAZZY)
        self._connections: dict[str, Connection] = {
            topic: self._writer.add_connection(_absolute(topic), kind, typestore=types)
            for topic, kind in topics.items()
        }

    def _open(self) -> Writer:
        try:
            shutil.rmtree(self._partial, ignore_errors=True)
            writer = Writer(self._partial, version=9, storage_plugin=StoragePlugin.MCAP)
            writer.open()
        except (OSError, WriterError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise OutputError(f"{self.path}: cannot be written ({reason})") from error
        return writer

    def __enter__(self) -> "BagWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, topic: str, serialised: bytes, stamp_ns: int) -> None:
        """Append a message, serialised as CDR; once the bag is closed, do nothing.

        Raises:
            OutputError: the disk is full, or the file went away.
        """
        if self._writer is None:
            return
        try:
            self._writer.write(self._connections[topic], stamp_ns, serialised)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror})") from error

    def close(self) -> None:
        """Write the index and move the bag to its place; closing twice is allowed."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close()
            (self._partial / f"{self._partial.name}.mcap").replace(self.path)
            shutil.rmtree(self._partial)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror})") from error


def _absolute(topic: str) -> str:
    return topic if topic.startswith("/") else f"/{topic}"

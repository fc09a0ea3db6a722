"""Common interface of bag writers; the name of a bag selects its storage format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from rosbags.interfaces import Qos

from liquid_control.bags.writing.mcap_writer import SUFFIX, BagWriter
from liquid_control.bags.writing.sqlite_writer import SqliteBagWriter
from liquid_control.errors import OutputError


class BagSink(Protocol):
    """Protocol of a bag that is being written; see `BagWriter` for details and errors."""

    path: Path
    partial: Path

    def add_topic(
        self, topic: str, kind: str, definition: str | None = None, qos: Qos | None = None
    ) -> None:
        """Add a topic."""

    def write(self, topic: str, cdr: bytes, stamp_ns: int) -> None:
        """Append a message."""

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Append a metadata record."""

    def flush(self, to_disk: bool = False) -> None:
        """Write buffered data to the operating system."""

    def close(self) -> None:
        """Finish the bag and rename it to `path`."""


def open_sink(path: Path, topics: Mapping[str, str], *, compression: str = "none") -> BagSink:
    """Open a bag for writing: an MCAP file for the suffix `.mcap`, else a rosbag2 folder.

    Raises:
        OutputError: the path has another suffix, exists, or cannot be written.
    """
    if path.suffix == SUFFIX:
        return BagWriter(path, topics, compression=compression)
    if not path.suffix:
        return SqliteBagWriter(path, topics, compression=compression)
    raise OutputError(
        f"{path}: expected a name that ends with {SUFFIX}, or one without suffix for a rosbag2 "
        f"folder, got {path.suffix}"
    )
